"""Geometry of crops, resizing against Pillow, and one draw per clip."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lrcn import settings
from lrcn.data import augment
from lrcn.data.transform_config import TransformConfig, modern, none, paper
from lrcn.data.transforms import (
    Box,
    EvalTransform,
    TrainTransform,
    crop,
    crop_boxes,
    mirror,
    resize,
    resize_to,
    resized_size,
)
from lrcn.errors import ConfigError
from lrcn.structures import Preprocessing

PAPER = Preprocessing(input_px=227, resize_mode="squash", pixel_mean=(124.0, 117.0, 104.0))
SMALL = Preprocessing(input_px=24, resize_px=28, pixel_mean=(124.0, 117.0, 104.0))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(frames: int, height: int, width: int, seed: int = 0) -> Tensor:
    shape = (frames, 3, height, width)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator(seed))


def pillow(frame_CHW: Tensor, size: tuple[int, int], filter_: Image.Resampling) -> Tensor:
    """Widths first, then heights: newer Pillows swap the passes where that is cheaper."""
    picture = Image.fromarray(frame_CHW.permute(1, 2, 0).contiguous().numpy())
    wide = picture.resize((size[1], picture.height), filter_)
    return torch.from_numpy(np.array(wide.resize((size[1], size[0]), filter_))).permute(2, 0, 1)


@pytest.mark.parametrize(("mode", "largest"), [("bilinear", 1), ("bicubic", 2)])
@pytest.mark.parametrize("source", [(60, 80), (37, 53), (120, 90), (56, 74)])
def test_resize_equals_pillow_but_for_rounding(mode, largest, source):
    frames = noise(1, *source)
    filter_ = Image.Resampling.BILINEAR if mode == "bilinear" else Image.Resampling.BICUBIC
    for size in ((56, 74), (24, 24), (90, 70)):
        expected = pillow(frames[0], size, filter_)
        difference = (resize_to(frames, size, mode)[0].int() - expected.int()).abs()
        assert difference.max() <= largest
        assert (difference > 0).float().mean() < 0.025


def test_resize_does_not_depend_on_memory_layout_or_neighbours():
    frames = noise(3, 40, 60)
    batch = resize_to(frames, (33, 47), "bicubic")
    last = resize_to(frames.contiguous(memory_format=torch.channels_last), (33, 47), "bicubic")
    alone = torch.cat([resize_to(frame[None], (33, 47), "bicubic") for frame in frames])
    assert torch.equal(batch, last)
    assert torch.equal(batch, alone)


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(240, 320, (28, 37)), (320, 240, (37, 28)), (28, 28, (28, 28)), (5, 5, (28, 28))],
)
def test_short_side_keeps_the_aspect(height, width, expected):
    assert resized_size(height, width, SMALL) == expected


def test_other_resize_modes():
    assert resized_size(100, 50, PAPER) == (240, 320)
    assert resized_size(100, 50, Preprocessing(input_px=64, resize_mode="exact")) == (64, 64)
    # never smaller than the crop
    large = Preprocessing(input_px=256, resize_mode="squash")
    assert resized_size(100, 50, large) == (256, 320)


def test_frames_of_the_right_size_are_not_copied():
    frames = noise(2, 28, 40)
    assert resize(frames, SMALL) is frames


def test_ten_crop_geometry_of_the_paper():
    boxes = crop_boxes(240, 320, 227, 10)
    places = [(0, 0), (0, 93), (13, 0), (13, 93), (6, 46)]
    assert boxes == tuple(Box(top, left, 227, 227) for top, left in places)
    assert crop_boxes(240, 320, 227, 1) == (Box(6, 46, 227, 227),)


def test_ten_crops_are_corners_centre_and_their_mirrors():
    frames = noise(2, 240, 320)
    views = EvalTransform(PAPER, 10)(frames)
    assert views.shape == (10, 2, 3, 227, 227)
    assert views.dtype == torch.uint8
    assert torch.equal(views[0], frames[:, :, :227, :227])
    assert torch.equal(views[3], frames[:, :, 13:, 93:])
    assert torch.equal(views[4], frames[:, :, 6:233, 46:273])
    assert torch.equal(views[5:], views[:5].flip(-1))
    assert torch.equal(EvalTransform(PAPER)(frames)[0], views[4])


def test_eval_output_is_a_channels_last_batch_without_a_copy():
    views = EvalTransform(SMALL, 10)(noise(3, 50, 60))
    flat = views.flatten(0, 1)
    assert flat.data_ptr() == views.data_ptr()
    assert flat.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (7, 5), (23, 23), (2, 4000)])
def test_videos_smaller_than_the_crop_and_odd_shapes(size):
    frames = noise(2, *size)
    assert EvalTransform(SMALL, 10)(frames).shape == (10, 2, 3, 24, 24)
    for config in (paper(), modern(), none()):
        assert TrainTransform(SMALL, config)(frames, generator()).shape == (2, 3, 24, 24)


def test_eval_refuses_other_numbers_of_crops_and_other_frames():
    with pytest.raises(ConfigError, match="1 \\(centre\\) or 10"):
        EvalTransform(SMALL, 5)
    for wrong in (noise(1, 30, 30).float(), noise(1, 30, 30)[:, :1], noise(1, 30, 30)[0]):
        with pytest.raises(ValueError, match="uint8 of shape"):
            EvalTransform(SMALL)(wrong)
        with pytest.raises(ValueError, match="uint8 of shape"):
            TrainTransform(SMALL)(wrong, generator())


ALL = TransformConfig(
    crop="random_resized",
    brightness=0.4,
    contrast=0.4,
    saturation=0.4,
    hue=0.2,
    grey_prob=0.3,
    blur_prob=0.5,
    rand_augment_ops=2,
    rand_augment_magnitude=15,
    erase_prob=0.5,
)


@pytest.mark.parametrize("config", [paper(), modern(), ALL])
def test_one_draw_per_clip_the_same_for_all_frames(config):
    still = noise(1, 40, 50).expand(5, -1, -1, -1)
    seen = set()
    for seed in range(40):
        out = TrainTransform(SMALL, config)(still, generator(seed))
        assert out.dtype == torch.uint8
        assert all(torch.equal(frame, out[0]) for frame in out[1:])
        seen.add(out[0].contiguous().numpy().tobytes())
    assert len(seen) > 30  # and the clips differ from one another


def test_colour_statistics_are_the_clips_not_each_frames():
    # A dark and a bright frame that share one patch: the patch must stay the same in both.
    ramp = (torch.arange(1024) // 16).reshape(32, 32).expand(3, 32, 32)
    frames = torch.stack([20 + ramp, 150 + ramp]).to(torch.uint8)
    frames[:, :, :3, :3] = 90
    changed = 0
    for operation in augment._OPERATIONS[6:]:
        out = operation(frames, 0.5, 1.0, [0, 0, 0])
        assert torch.equal(out[0, :, 0, 0], out[1, :, 0, 0])
        changed += not torch.equal(out, frames)
    assert changed >= 6


def test_transform_is_a_function_of_the_generator_alone():
    frames = noise(4, 40, 50)
    torch.manual_seed(1)
    first = TrainTransform(SMALL, ALL)(frames, generator(3))
    torch.manual_seed(2)
    before = torch.get_rng_state()
    second = TrainTransform(SMALL, ALL)(frames, generator(3))
    assert torch.equal(first, second)
    assert torch.equal(before, torch.get_rng_state())
    assert not torch.equal(first, TrainTransform(SMALL, ALL)(frames, generator(4)))


def test_paper_takes_every_crop_place_and_both_mirrors():
    frames = noise(1, 28, 30)
    corners = torch.stack(
        [crop(frames, Box(top, left, 24, 24))[0] for top in range(5) for left in range(7)]
    )
    found = set()
    for seed in range(700):
        out = TrainTransform(SMALL, paper())(frames, generator(seed))[0]
        for mirrored, candidates in enumerate((corners, mirror(corners))):
            same = (candidates == out).flatten(1).all(1).nonzero()
            if len(same):
                found.add((mirrored, int(same[0])))
    assert len(found) == 2 * 5 * 7


def test_mirror_can_be_off():
    frames = noise(1, 28, 28)
    config = TransformConfig(crop="centre", mirror_prob=0.0)
    for seed in range(20):
        out = TrainTransform(SMALL, config)(frames, generator(seed))
        assert torch.equal(out, frames[:, :, 2:26, 2:26])


def test_quarter_turns_with_mirrors_give_all_eight_views():
    frames, exact = noise(1, 24, 24), Preprocessing(input_px=24, resize_mode="exact")
    config = TransformConfig(crop="centre", quarter_turns=True)
    turns = [frames, frames.mT.flip(-2), frames.flip(-1, -2), frames.mT.flip(-1)]
    wanted = {view.numpy().tobytes() for turn in turns for view in (turn, turn.flip(-1))}

    found = {
        TrainTransform(exact, config)(frames, generator(seed)).numpy().tobytes()
        for seed in range(100)
    }

    assert found == wanted
    with pytest.raises(ConfigError, match="quarter_turns"):
        TrainTransform(Preprocessing(input_px=24, modality="flow"), config)


def test_no_operation_of_rand_augment_mirrors():
    # A ramp from dark left to bright right stays one, whatever happens to it.
    ramp = torch.linspace(60, 200, 32).to(torch.uint8).expand(1, 3, 32, 32)
    for index, operation in enumerate(augment._OPERATIONS):
        for sign in (-1.0, 1.0):
            out = operation(ramp, 0.3, sign, [130, 130, 130]).float()
            if index != 11:  # solarize inverts bright values by definition
                assert out[..., 18:26].mean() > out[..., 6:14].mean()


def test_none_equals_evaluation():
    frames = noise(3, 40, 60)
    assert torch.equal(
        TrainTransform(SMALL, none())(frames, generator()), EvalTransform(SMALL)(frames)[0]
    )


def test_erasing_paints_one_rectangle_in_the_mean_colour():
    frames = noise(3, 24, 24).clamp(0, 100)
    config = TransformConfig(
        crop="centre", mirror_prob=0.0, erase_prob=1.0, erase_area=(0.25, 0.25)
    )
    exact = Preprocessing(input_px=24, resize_mode="exact", pixel_mean=(200.0, 210.0, 220.0))
    out = TrainTransform(exact, config)(frames, generator(5))
    changed = (out != frames).all(1)
    assert 0.1 < changed[0].float().mean() < 0.3
    assert torch.equal(changed[0], changed[2])
    assert out[0, :, changed[0]].unique(dim=1).flatten().tolist() == [200, 210, 220]


def test_settings_are_checked_all_at_once_and_documented():
    with pytest.raises(ConfigError) as error:
        TransformConfig(mirror_prob=1.5, hue=0.7, crop_scale=(0.9, 0.1), brightness=float("nan"))
    for name in ("mirror_prob", "hue", "crop_scale", "brightness"):
        assert name in str(error.value)
    assert all(setting.help for setting in settings.describe(TransformConfig))
    again = settings.from_dict(TransformConfig, settings.to_dict(modern()))
    assert again == modern()
