"""Flow images keep their meaning through resizing, cropping and mirroring."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lrcn.data.transforms import EvalTransform, TrainTransform, TransformConfig, mirror, resize
from lrcn.errors import ConfigError
from lrcn.structures import FlowConfig, Preprocessing
from lrcn.video.flow import flow_image, mirror_flow

CONFIG = FlowConfig()


def _preprocessing(**changes):
    settings = {"input_px": 24, "resize_px": 32, "modality": "flow", "pixel_mean": (128.0,) * 3}
    return Preprocessing(**{**settings, **changes})


def _constant(u, v, height=64, width=96):
    image = flow_image(np.full((height, width, 2), [u, v], np.float32), CONFIG)
    return torch.from_numpy(image).permute(2, 0, 1)[None]


def _level(u, v):
    return _constant(u, v, 1, 1)[0, :, 0, 0].tolist()


def _only(frames):
    found = frames.flatten(0, -4).permute(1, 0, 2, 3).flatten(1)
    assert (found == found[:, :1]).all()
    return found[:, 0].tolist()


@pytest.mark.parametrize(
    ("changes", "factor_y", "factor_x"),
    [
        ({}, 0.5, 0.5),
        ({"resize_px": 128}, 2.0, 2.0),
        ({"resize_mode": "squash", "resize_height": 32, "resize_width": 24}, 0.5, 0.25),
        ({"resize_mode": "exact", "input_px": 32}, 0.5, 1 / 3),
        ({"resize_px": 64}, 1.0, 1.0),
    ],
)
def test_evaluation_scales_vectors_with_the_picture(changes, factor_y, factor_x):
    transform = EvalTransform(_preprocessing(**changes))

    found = transform(_constant(1.5, -2.0))

    assert _only(found) == _level(1.5 * factor_x, -2.0 * factor_y)


def test_pictures_are_not_scaled():
    frames = _constant(1.5, -2.0)

    assert _only(resize(frames, _preprocessing(modality="rgb"))) == frames[0, :, 0, 0].tolist()


def test_ten_crops_negate_x_in_the_mirrored_five():
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(1, 256, (2, 3, 32, 48), generator=generator, dtype=torch.uint8)

    views = EvalTransform(_preprocessing(), num_crops=10)(frames)

    for straight, mirrored in zip(views[:5], views[5:], strict=True):
        assert torch.equal(mirrored, mirror_flow(straight, CONFIG))
        assert not torch.equal(mirrored[:, 0], straight[:, 0].flip(-1))
        assert torch.equal(mirrored[:, 1:], straight[:, 1:].flip(-1))


def test_training_mirrors_by_the_same_rule():
    frames = _constant(1.5, -2.0)
    generator = torch.Generator().manual_seed(0)

    always = TrainTransform(_preprocessing(), TransformConfig(mirror_prob=1.0))
    never = TrainTransform(_preprocessing(), TransformConfig(mirror_prob=0.0))

    assert _only(always(frames, generator)) == _level(-0.75, -1.0)
    assert _only(never(frames, generator)) == _level(0.75, -1.0)
    assert _only(mirror(frames, _preprocessing())) == _level(-1.5, -2.0)


def test_a_crop_of_random_size_scales_by_its_own_factors():
    frames = _constant(1.0, 1.0)
    config = TransformConfig(crop="random_resized", mirror_prob=0.0)
    transform = TrainTransform(_preprocessing(), config)

    seen = set()
    for seed in range(12):
        x, y, _ = _only(transform(frames, torch.Generator().manual_seed(seed)))
        # At least 0.35 of 64 x 96, at most all of it, on 24 pixels.
        assert 128 + 16 * 24 / 96 <= x <= 128 + 16 * 24 / 34
        assert 128 + 16 * 24 / 64 - 1 <= y <= 128 + 16 * 24 / 34
        seen.add((x, y))
    assert len(seen) > 3


@pytest.mark.parametrize(
    "settings", [{"brightness": 0.2}, {"hue": 0.1}, {"rand_augment_ops": 2}, {"grey_prob": 0.5}]
)
def test_changes_of_colour_are_refused(settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        TrainTransform(_preprocessing(), TransformConfig(**settings))
    TrainTransform(_preprocessing(modality="rgb"), TransformConfig(**settings))


def test_what_keeps_motion_is_allowed():
    config = TransformConfig(erase_prob=1.0, blur_prob=1.0, mixup_alpha=0.2)
    transform = TrainTransform(_preprocessing(), config)

    found = transform(_constant(0.0, 0.0), torch.Generator().manual_seed(0))

    assert (found == 128).all()
