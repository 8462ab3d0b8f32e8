"""Optical flow between two frames, and the image that the paper makes of it (paper.md 2.6).

The only file that imports OpenCV. `FlowEstimator` finds the flow; the rest are pure functions:

- `flow_image`: from vectors in pixels to channels x, y, magnitude, and `flow_vectors` back;
- `mirror_flow`: a mirrored picture moves the other way, so the x channel is negated;
- `rescale_flow`: a picture half as wide moves half as many pixels.

Grey levels are rounded to the nearest, halves to even. About a whole-numbered centre that is
symmetrical, so `mirror_flow(flow_image(flow))` equals the flow image of the negated x, bit for bit.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lrcn.errors import ConfigError
from lrcn.structures import FlowConfig
from lrcn.video.pixels import Pixels

Flow = NDArray[np.float32]
"""H x W x 2: pixels to the right, pixels down, since the frame before."""

Grey = NDArray[np.uint8]
"""H x W, what flow is found on."""

_CONTRIB = "pip uninstall -y opencv-python-headless && pip install opencv-contrib-python-headless"

FLOW_VERSION = 2
"""Part of the names of cached and stored flow; raised when the same settings give other images."""

_LEAST_PX = 40
_MOST_ASPECT = 8
"""DIS builds its pyramid from the longer side and reads outside of the shorter one where that is
too short (OpenCV 5.0 crashes at 12 x 200 pixels), so such frames are padded."""


class FlowEstimator:
    """Finds the flow from one frame to the next; may be used by several threads.

    The answer depends on the two frames alone. For that every pair gets an OpenCV object of its
    own (0.2 ms): DIS keeps buffers, and on small frames with flat ground their old content moves
    vectors by a third of a pixel. OpenCV's own threads are switched off for the whole process:
    several videos are worked on at the same time instead, which wastes none.
    """

    def __init__(self, config: FlowConfig) -> None:
        """Prepare the method.

        Raises:
            ConfigError: it needs OpenCV's contrib build, which is not installed.
        """
        cv2 = _opencv()
        self.config = config
        self._cv2 = cv2
        self._new_calc = _METHODS[config.method]
        self._new_calc(cv2)
        self._pads = config.method.startswith("dis_")

    def grey(self, frame_HWC: Pixels) -> Grey:
        """What the flow is found on: grey, reduced to the config's `short_px`.

        Args:
            frame_HWC: uint8 RGB, any size.
        """
        grey_HW = self._cv2.cvtColor(np.ascontiguousarray(frame_HWC), self._cv2.COLOR_RGB2GRAY)
        height, width = flow_size(frame_HWC.shape[0], frame_HWC.shape[1], self.config)
        if (height, width) != grey_HW.shape:
            grey_HW = self._cv2.resize(grey_HW, (width, height), interpolation=self._cv2.INTER_AREA)
        return np.asarray(grey_HW, np.uint8)

    def flow(self, before_HW: Grey, after_HW: Grey) -> Flow:
        """Where each pixel of `before_HW` has gone in `after_HW`, float32 H x W x 2 in pixels."""
        height, width = before_HW.shape
        top, left = self._padding(height, width) if self._pads else (0, 0)
        if top or left:
            around = ((top, top), (left, left))
            before_HW = np.pad(before_HW, around, mode="edge")
            after_HW = np.pad(after_HW, around, mode="edge")
        calc = self._new_calc(self._cv2)
        found = np.asarray(calc(before_HW, after_HW), np.float32)
        return np.nan_to_num(found[top : top + height, left : left + width])

    def image(self, before_HW: Grey, after_HW: Grey) -> Pixels:
        """The flow image of two frames from `grey`, uint8 H x W x 3."""
        return flow_image(self.flow(before_HW, after_HW), self.config)

    @staticmethod
    def _padding(height: int, width: int) -> tuple[int, int]:
        """Rows above and below, columns left and right."""
        least = max(_LEAST_PX, -(-max(height, width) // _MOST_ASPECT))
        return max(0, -(-(least - height) // 2)), max(0, -(-(least - width) // 2))


def flow_size(height: int, width: int, config: FlowConfig) -> tuple[int, int]:
    """Size of the flow images of frames of that size.

    >>> flow_size(720, 1280, FlowConfig()), flow_size(120, 160, FlowConfig())
    ((240, 427), (120, 160))
    """
    short = config.short_px
    if short is None or min(height, width) <= short:
        return height, width
    factor = short / min(height, width)
    return max(short, round(height * factor)), max(short, round(width * factor))


def flow_image(flow_HW2: Flow, config: FlowConfig) -> Pixels:
    """Vectors as a picture: x, y, magnitude around the centre, rounded and clipped.

    >>> flow_image(np.array([[[0.0, 0.0], [3.0, -4.0], [-9.0, 0.0]]], np.float32), FlowConfig())
    array([[[128, 128, 128],
            [176,  64, 208],
            [  1, 128, 255]]], dtype=uint8)
    """
    levels_HW2 = flow_HW2 * np.float32(config.scale)
    image = np.empty((*flow_HW2.shape[:2], 3), np.uint8)
    centre = np.float32(config.centre)
    image[..., :2] = np.clip(np.rint(levels_HW2 + centre), config.lowest, config.highest)
    length_HW = np.hypot(levels_HW2[..., 0], levels_HW2[..., 1])
    image[..., 2] = np.minimum(np.rint(length_HW + centre), 255)
    return image


def flow_vectors(image_HW3: Pixels, config: FlowConfig) -> Flow:
    """The vectors that a flow image stands for, in pixels; half a grey level is lost."""
    levels = image_HW3[..., :2].astype(np.float32) - np.float32(config.centre)
    return levels / np.float32(config.scale)


def mirror_flow(frames: Tensor, config: FlowConfig) -> Tensor:
    """Left and right exchanged, and x negated: what the mirrored video would have given.

    x becomes 2 * centre - x, with the default 256 - x: no motion (128) stays no motion. Twice is
    the identity for every flow image made here, whose x is 1 to 255. (A 0, which foreign flow
    images can hold, becomes 255.)

    Paper: takes 255 - x, which makes no motion a motion of 1/16 pixel; `centre` 127.5 gives that.

    Args:
        frames: ... x 3 x H x W, uint8 flow images.
        config: Centre of the flow images.
    """
    mirrored = frames.flip(-1)
    x = 2 * config.centre - mirrored[..., 0, :, :].float()
    mirrored[..., 0, :, :] = x.clamp(config.lowest, config.highest).to(torch.uint8)
    return mirrored


def rescale_flow(
    frames_TCHW: Tensor, factor_y: float, factor_x: float, config: FlowConfig
) -> Tensor:
    """Flow images after they were resized as pictures: motion grows and shrinks with the picture.

    x and y are multiplied about the centre, and the magnitude is found anew from them.

    Args:
        frames_TCHW: uint8 flow images, already of the new size.
        factor_y: New height over old height.
        factor_x: New width over old width.
        config: Centre of the flow images.
    """
    if factor_y == 1 and factor_x == 1:
        return frames_TCHW
    x = (frames_TCHW[:, 0].float() - config.centre) * factor_x
    y = (frames_TCHW[:, 1].float() - config.centre) * factor_y
    rescaled_TCHW = torch.empty_like(frames_TCHW)
    for channel, levels in ((0, x), (1, y)):
        levels_THW = (levels + config.centre).round_().clamp_(config.lowest, config.highest)
        rescaled_TCHW[:, channel] = levels_THW.to(torch.uint8)
    length_THW = (torch.hypot(x, y) + config.centre).round_().clamp_(max=255)
    rescaled_TCHW[:, 2] = length_THW.to(torch.uint8)
    return rescaled_TCHW


def available_methods() -> tuple[str, ...]:
    """The methods that the installed OpenCV offers."""
    contrib = getattr(_opencv(), "optflow", None)
    return tuple(name for name in _METHODS if contrib is not None or name not in _IN_CONTRIB)


@functools.cache
def _opencv() -> Any:
    """OpenCV, with its own threads off (see `FlowEstimator`).

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise ConfigError(
            f"optical flow needs OpenCV, which cannot be imported ({error});"
            " pip install opencv-python-headless"
        ) from error
    cv2.setNumThreads(1)
    cv2.ocl.setUseOpenCL(False)
    return cv2


Calc = Callable[[Grey, Grey], Any]


def _dis(preset: str) -> Callable[[Any], Calc]:
    def make(cv2: Any) -> Calc:
        found = cv2.DISOpticalFlow_create(getattr(cv2, f"DISOpticalFlow_PRESET_{preset}"))
        return lambda before, after: found.calc(before, after, None)

    return make


def _dis_precise(cv2: Any) -> Calc:
    """DIS medium down to single pixels, with twice the variational refinement."""
    found = cv2.DISOpticalFlow_create(cv2.DISOpticalFlow_PRESET_MEDIUM)
    found.setFinestScale(0)
    found.setVariationalRefinementIterations(10)
    return lambda before, after: found.calc(before, after, None)


def _farneback(cv2: Any) -> Calc:
    found = cv2.FarnebackOpticalFlow_create()
    return lambda before, after: found.calc(before, after, None)


def _tvl1(cv2: Any) -> Calc:
    found = _contrib(cv2, "tvl1").DualTVL1OpticalFlow_create()
    return lambda before, after: found.calc(before, after, None)


def _deepflow(cv2: Any) -> Calc:
    found = _contrib(cv2, "deepflow").createOptFlow_DeepFlow()
    return lambda before, after: found.calc(before, after, None)


def _contrib(cv2: Any, method: str) -> Any:
    module = getattr(cv2, "optflow", None)
    if module is None:
        others = ", ".join(name for name in _METHODS if name not in _IN_CONTRIB)
        raise ConfigError(
            f"flow method {method!r} is in OpenCV's contrib build, which is not installed."
            f" Without it there are {others}; for it: {_CONTRIB}"
        )
    return module


_IN_CONTRIB = ("tvl1", "deepflow")

_METHODS: Mapping[str, Callable[[Any], Calc]] = {
    "dis_ultrafast": _dis("ULTRAFAST"),
    "dis_fast": _dis("FAST"),
    "dis_medium": _dis("MEDIUM"),
    "dis_precise": _dis_precise,
    "farneback": _farneback,
    "tvl1": _tvl1,
    "deepflow": _deepflow,
}
