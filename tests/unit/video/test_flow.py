"""Flow against known warps, its image against the paper's formula, mirroring and scaling."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from tests.fakes.flow import as_rgb, slide, texture, warped, zoom

from lrcn.errors import ConfigError
from lrcn.settings import from_dict, override
from lrcn.structures import FlowConfig
from lrcn.video.flow import (
    FlowEstimator,
    available_methods,
    flow_image,
    flow_size,
    flow_vectors,
    mirror_flow,
    rescale_flow,
)

DEFAULT = FlowConfig()
METHODS = ("dis_ultrafast", "dis_fast", "dis_medium", "dis_precise", "farneback")


def _tensor(image):
    return torch.from_numpy(image).permute(2, 0, 1)


def _pair(motion, height=96, width=128):
    first = texture(height, width)
    return as_rgb(first), as_rgb(warped(first, motion))


def _flow(before, after, **settings):
    estimator = FlowEstimator(FlowConfig(**settings))
    return estimator.flow(estimator.grey(before), estimator.grey(after))


@pytest.mark.parametrize("method", METHODS)
def test_a_slide_gives_its_vector(method):
    flow = _flow(*_pair(slide(2.6, -1.4)), method=method)

    inside = flow[16:-16, 16:-16]
    assert np.abs(inside - [2.6, -1.4]).mean() < 0.25


def test_a_zoom_gives_vectors_away_from_the_centre():
    motion = zoom(1.06, 96, 128)
    flow = _flow(*_pair(motion), method="dis_precise")

    y, x = np.mgrid[:96, :128].astype(np.float32)
    expected = np.stack(motion(x, y), axis=-1)
    error = np.linalg.norm(flow - expected, axis=-1)[16:-16, 16:-16].mean()
    assert error < 0.25
    assert np.linalg.norm(expected, axis=-1)[16:-16, 16:-16].mean() > 1.5


def test_precise_is_nearer_to_the_truth_than_the_fastest():
    motion = zoom(1.06, 96, 128)
    y, x = np.mgrid[:96, :128].astype(np.float32)
    expected = np.stack(motion(x, y), axis=-1)

    def error(method):
        found = _flow(*_pair(motion), method=method)
        return np.linalg.norm(found - expected, axis=-1)[16:-16, 16:-16].mean()

    assert error("dis_precise") < error("dis_medium") < error("dis_ultrafast")


def test_flow_image_is_the_papers_formula():
    rng = np.random.default_rng(0)
    flow = rng.normal(0, 5, (40, 50, 2)).astype(np.float32)

    image = flow_image(flow, DEFAULT)

    u, v = flow[..., 0].astype(np.float64), flow[..., 1].astype(np.float64)
    for channel, level in enumerate((16 * u, 16 * v, 16 * np.sqrt(u**2 + v**2))):
        expected = np.clip(level + 128, 0, 255)
        found = image[..., channel].astype(float)
        # Rounded to the nearest; 0 is written as 1, so that the range is symmetrical.
        assert np.abs(found - np.maximum(expected, 1)).max() <= 0.5 + 1e-3


@pytest.mark.parametrize(
    ("u", "v", "expected"),
    [
        (0, 0, (128, 128, 128)),
        (1, 0, (144, 128, 144)),
        (0, -1, (128, 112, 144)),
        (3, 4, (176, 192, 208)),
        (7.9375, 0, (255, 128, 255)),
        (-7.9375, 0, (1, 128, 255)),
        (100, -100, (255, 1, 255)),
        (1 / 32, 1 / 32, (128, 128, 129)),
        (float("inf"), 0, (255, 128, 255)),
    ],
)
def test_single_vectors(u, v, expected):
    image = flow_image(np.array([[[u, v]]], np.float32), DEFAULT)

    assert tuple(image[0, 0]) == expected


def test_vectors_come_back_to_half_a_grey_level():
    rng = np.random.default_rng(1)
    flow = rng.uniform(-7.9, 7.9, (30, 30, 2)).astype(np.float32)

    assert np.abs(flow_vectors(flow_image(flow, DEFAULT), DEFAULT) - flow).max() <= 0.5 / 16 + 1e-6


def test_scale_and_centre_are_settings():
    config = FlowConfig(scale=4, centre=100)

    image = flow_image(np.array([[[2, -3]]], np.float32), config)

    assert tuple(image[0, 0]) == (108, 88, 100 + round(4 * 13**0.5))
    assert (config.lowest, config.highest) == (0, 200)


@pytest.mark.parametrize("centre", [128.0, 100.0, 127.5, 200.0])
def test_the_mirror_negates_x_and_undoes_itself(centre):
    config = FlowConfig(centre=centre)
    rng = np.random.default_rng(2)
    flow = rng.normal(0, 6, (20, 30, 2)).astype(np.float32)
    negated = flow[:, ::-1] * np.array([-1, 1], np.float32)

    image = _tensor(flow_image(flow, config))
    mirrored = mirror_flow(image, config)

    expected = _tensor(flow_image(np.ascontiguousarray(negated), config))
    off = (mirrored.int() - expected.int()).abs()
    assert off[1:].max() == 0
    assert off[0].max() <= (0 if centre % 1 == 0 else 1)
    assert torch.equal(mirror_flow(mirrored, config), image)


def test_no_motion_stays_no_motion_in_the_mirror():
    still = torch.full((3, 4, 4), 128, dtype=torch.uint8)

    assert torch.equal(mirror_flow(still, DEFAULT), still)


def test_foreign_zeros_are_mirrored_to_the_other_end():
    foreign = torch.zeros((3, 1, 1), dtype=torch.uint8)

    assert mirror_flow(foreign, DEFAULT).flatten().tolist() == [255, 0, 0]


@pytest.mark.parametrize("method", METHODS)
def test_the_mirrored_image_is_the_flow_of_the_mirrored_video(method):
    before, after = _pair(slide(-1.7, 0.8))
    config = FlowConfig(method=method)

    straight = _tensor(flow_image(_flow(before, after, method=method), config))
    turned = _tensor(flow_image(_flow(before[:, ::-1], after[:, ::-1], method=method), config))

    difference = (mirror_flow(straight, config).int() - turned.int()).abs().float()
    assert difference[:, 16:-16, 16:-16].mean() < 2.0


@pytest.mark.parametrize(("factor_y", "factor_x"), [(0.5, 0.5), (2.0, 2.0), (0.75, 0.5)])
def test_resized_flow_images_scale_their_vectors(factor_y, factor_x):
    flow = np.full((40, 60, 2), [2.0, -3.0], np.float32)
    image = _tensor(flow_image(flow, DEFAULT))[None]
    size = round(40 * factor_y), round(60 * factor_x)
    resized = torch.nn.functional.interpolate(image, size=size, mode="bilinear", antialias=True)

    found = rescale_flow(resized, factor_y, factor_x, DEFAULT)

    expected = flow_image(np.full((1, 1, 2), [2 * factor_x, -3 * factor_y], np.float32), DEFAULT)
    assert found.shape == (1, 3, *size)
    assert found[0, :, 5, 5].tolist() == expected[0, 0].tolist()
    assert (found == found[0, :, 5, 5][None, :, None, None]).all()


def test_the_same_size_leaves_flow_images_alone():
    image = torch.randint(1, 256, (2, 3, 8, 8), dtype=torch.uint8)

    assert rescale_flow(image, 1, 1, DEFAULT) is image


def test_flow_of_a_large_video_is_found_at_the_short_side():
    before, after = _pair(slide(4.0, 0.0), 192, 256)

    small = _flow(before, after, short_px=96)

    assert small.shape == (96, 128, 2)
    assert np.abs(small[16:-16, 16:-16] - [2.0, 0.0]).mean() < 0.15


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(240, 320, (240, 320)), (720, 1280, (240, 427)), (1280, 720, (427, 240)), (9, 7, (9, 7))],
)
def test_flow_size(height, width, expected):
    assert flow_size(height, width, DEFAULT) == expected
    assert flow_size(height, width, FlowConfig(short_px=None)) == (height, width)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (8, 8), (12, 200), (200, 12), (24, 500)])
@pytest.mark.parametrize("method", ["dis_ultrafast", "dis_medium", "dis_precise", "farneback"])
def test_frames_of_any_size_have_flow(size, method):
    rng = np.random.default_rng(0)
    before = rng.integers(0, 256, (*size, 3), dtype=np.uint8)

    flow = _flow(before, np.roll(before, 1, axis=1), method=method)

    assert flow.shape == (*size, 2)
    assert np.isfinite(flow).all()


def test_equal_frames_do_not_move():
    before, _ = _pair(slide(1, 1))

    image = flow_image(_flow(before, before), DEFAULT)

    assert np.abs(image.astype(int) - 128).max() <= 1


@pytest.mark.parametrize("method", METHODS)
def test_flow_depends_on_its_two_frames_alone(method):
    """OpenCV's DIS objects keep buffers, whose old content shows on flat ground."""
    frames = np.full((8, 32, 32, 3), 40, np.uint8)
    for t in range(8):
        frames[t, :, 3 * t : 3 * t + 4] = 220
    estimator = FlowEstimator(FlowConfig(method=method))
    greys = [estimator.grey(frame) for frame in frames]

    def flow(t):
        return estimator.flow(greys[t - 1], greys[t])

    forward = {t: flow(t) for t in range(1, 8)}
    backward = {t: flow(t) for t in range(7, 0, -1)}

    assert all(np.array_equal(forward[t], backward[t]) for t in forward)


def test_one_estimator_gives_the_same_again():
    estimator = FlowEstimator(DEFAULT)
    before, after = (estimator.grey(frame) for frame in _pair(slide(2, 1)))
    other = estimator.grey(as_rgb(texture(96, 128, seed=5)))

    first = estimator.flow(before, after)
    estimator.flow(other, before)

    assert np.array_equal(estimator.flow(before, after), first)
    assert np.array_equal(FlowEstimator(DEFAULT).flow(before, after), first)


@pytest.mark.parametrize("method", ["tvl1", "deepflow"])
def test_contrib_methods_work_or_say_what_to_install(method):
    if method in available_methods():
        flow = _flow(*_pair(slide(1.5, -1.0)), method=method)
        assert np.abs(flow[16:-16, 16:-16] - [1.5, -1.0]).mean() < 0.3
    else:
        with pytest.raises(ConfigError, match="pip install opencv-contrib-python-headless"):
            FlowEstimator(FlowConfig(method=method))


@pytest.mark.parametrize(
    "settings",
    [{"scale": 0}, {"scale": float("nan")}, {"centre": 0}, {"centre": 127.3}, {"short_px": 3}],
)
def test_settings_without_sense_are_refused(settings):
    with pytest.raises(ValueError, match=f"flow.{next(iter(settings))}"):
        FlowConfig(**settings)


def test_an_unknown_method_gets_a_hint():
    with pytest.raises(ConfigError, match="dis_medium"):
        from_dict(FlowConfig, {"method": "dis_medum"})


def test_importing_the_package_does_not_import_opencv():
    code = "import sys, lrcn.video.flow_video, lrcn.data.transforms; sys.exit('cv2' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(("text", "expected"), [("none", None), ("null", None), ("120", 120)])
def test_no_limit_can_be_typed(text, expected):
    assert override(FlowConfig(), {"short_px": text}).short_px == expected
