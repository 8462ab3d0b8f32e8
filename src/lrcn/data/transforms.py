"""From frames of any size to the square that the backbone sees; pixels stay uint8, 0...255.

Evaluation is a function of the frames alone: resize, then one centre crop or the paper's ten.
Training draws once per clip, and every frame of the clip gets the same draw::

    frames_TCHW ─ resize ─ crop ─ mirror ─ RandAugment ─ colour ─ erase ─► input_px square

Mirroring changes what a clip shows: a slide to the left becomes one to the right. It is the paper's
default and good for most data; where directions are classes, set `mirror_prob` to 0.

The resizing kernel is torch's for uint8 with antialiasing: the same filter as Pillow's, with which
the published weights were trained and measured, and several times as fast. Its weights have 16 bits
where Pillow's have 22: on pure noise up to 2 % of the values differ, by 1 of 255 (bilinear) or
at most 2 (bicubic).

Flow images (`Preprocessing.modality` "flow") keep their meaning on the way: where they are resized
their vectors are scaled by the same factors, and where they are mirrored x is negated. Crops and
erasing move nothing. What changes colours has no meaning for them, and is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from lrcn.data import augment
from lrcn.data.transform_config import TransformConfig, refuse_colours
from lrcn.errors import ConfigError
from lrcn.structures import Preprocessing
from lrcn.video.flow import mirror_flow, rescale_flow

__all__ = [
    "Box",
    "EvalTransform",
    "TrainTransform",
    "TransformConfig",
    "crop",
    "crop_boxes",
    "mirror",
    "quarter_turn",
    "resize",
    "resize_to",
    "resized_size",
]

_MAX_ASPECT = 8.0
"""Longer frames lose both ends before they are resized, so that a strip one pixel high does not
become gigabytes. No crop taken afterwards reaches further than this in a sensible video."""


_SLICE_FRAMES = 16
"""Frames in a batch of the original's program for single frames."""


class Box(NamedTuple):
    """A rectangle in pixels."""

    top: int
    left: int
    height: int
    width: int


def resized_size(height: int, width: int, preprocessing: Preprocessing) -> tuple[int, int]:
    """Height and width after resizing, never smaller than the crop.

    >>> resized_size(240, 320, Preprocessing(input_px=224, resize_px=256))
    (256, 341)
    """
    px = preprocessing.input_px
    if preprocessing.resize_mode == "exact":
        return px, px
    if preprocessing.resize_mode == "squash":
        return max(px, preprocessing.resize_height), max(px, preprocessing.resize_width)
    short = preprocessing.resize_px
    # Rounded down, as torchvision and timm do.
    if height <= width:
        return short, max(short, short * width // height)
    return max(short, short * height // width), short


def resize(frames_TCHW: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Resize as `preprocessing` says; the crop is not yet taken.

    Args:
        frames_TCHW: uint8, RGB or flow images, any size of at least one pixel.
        preprocessing: The model's.

    Returns:
        frames_TCHW: uint8, of size `resized_size(...)`, channels-last in memory. The very
        input when it has that size already.

    Raises:
        ValueError: If the frames are not uint8 with three channels and at least one pixel.
    """
    _check_frames(frames_TCHW)
    if preprocessing.resize_mode == "short_side":
        frames_TCHW = _limit_aspect(frames_TCHW)
    size = resized_size(frames_TCHW.shape[2], frames_TCHW.shape[3], preprocessing)
    return _resize_meaning(frames_TCHW, size, preprocessing)


def _resize_meaning(
    frames_TCHW: Tensor, size: tuple[int, int], preprocessing: Preprocessing
) -> Tensor:
    """Resize; the vectors of flow images grow and shrink with the picture."""
    resized_TCHW = resize_to(frames_TCHW, size, preprocessing.interpolation)
    if preprocessing.modality == "rgb":
        return resized_TCHW
    height, width = frames_TCHW.shape[2:]
    return rescale_flow(resized_TCHW, size[0] / height, size[1] / width, preprocessing.flow)


def resize_to(
    frames_TCHW: Tensor, size: tuple[int, int], interpolation: Literal["bilinear", "bicubic"]
) -> Tensor:
    """Resize uint8 frames to (height, width) with antialiasing, widths before heights."""
    if tuple(frames_TCHW.shape[2:]) == size:
        return frames_TCHW
    channels_last = frames_TCHW.contiguous(memory_format=torch.channels_last)
    return F.interpolate(
        channels_last, size=size, mode=interpolation, align_corners=False, antialias=True
    )


def crop_boxes(height: int, width: int, size_px: int, num_crops: int) -> tuple[Box, ...]:
    """The centre square, or the four corners and then the centre (before mirroring).

    The centre is rounded as torchvision and timm do (half to even): for 227 of 240 x 320 it starts
    at (6, 46), as in the authors' LRCN_evaluate; the order is that of Caffe's `oversample`.

    >>> crop_boxes(240, 320, 227, 1)
    (Box(top=6, left=46, height=227, width=227),)
    """
    down, right = height - size_px, width - size_px
    corners = [(0, 0), (0, right), (down, 0), (down, right)] if num_crops > 1 else []
    places = [*corners, (round(down / 2), round(right / 2))]
    return tuple(Box(top, left, size_px, size_px) for top, left in places)


def crop(frames_TCHW: Tensor, box: Box) -> Tensor:
    """The rectangle of every frame, as a view."""
    return frames_TCHW[..., box.top : box.top + box.height, box.left : box.left + box.width]


def mirror(frames_TCHW: Tensor, preprocessing: Preprocessing | None = None) -> Tensor:
    """Left and right exchanged; of flow images (as `preprocessing` says) also x negated."""
    if preprocessing is None or preprocessing.modality == "rgb":
        return frames_TCHW.flip(-1)
    if preprocessing.has_quirk("flow_not_inverted"):
        return frames_TCHW.flip(-1)
    return mirror_flow(frames_TCHW, preprocessing.flow)


def quarter_turn(frames_TCHW: Tensor, number: int) -> Tensor:
    """Turned by so many right angles against the clock; squares stay squares."""
    return torch.rot90(frames_TCHW, number, dims=(-2, -1))


@dataclass(frozen=True)
class EvalTransform:
    """The deterministic transform of evaluation and prediction.

    Attributes:
        preprocessing: How the backbone wants its frames.
        num_crops: 1 for the centre crop; 10 for four corners and the centre, then the mirror
            image of each (paper: `classify_video.py`).
    """

    preprocessing: Preprocessing
    num_crops: int = 1

    def __post_init__(self) -> None:
        if self.num_crops not in (1, 10):
            raise ConfigError(
                f"num_crops is {self.num_crops}; it takes 1 (centre) or 10 (corners, centre and "
                "their mirrors). Choose one of the two."
            )

    def __call__(self, frames_TCHW: Tensor, *, first: int = 0) -> Tensor:
        """Resize and crop.

        Args:
            frames_TCHW: uint8, RGB, any size.
            first: Place of the first of them among the video's frames; only the fault
                "flow_slice" depends on it.

        Returns:
            frames_VTCHW: uint8, V = `num_crops`, `input_px` square. In memory it is V T H W C,
            so that `flatten(0, 1)` is a channels-last batch without a copy.

        Raises:
            ValueError: If the frames are not uint8 with three channels.
        """
        resized_TCHW = resize(frames_TCHW, self.preprocessing)
        px = self.preprocessing.input_px
        height, width = resized_TCHW.shape[2:]
        boxes = crop_boxes(height, width, px, self.num_crops)
        out_VTHWC = torch.empty((self.num_crops, len(resized_TCHW), px, px, 3), dtype=torch.uint8)
        out_VTCHW = out_VTHWC.permute(0, 1, 4, 2, 3)
        for view, box in enumerate(boxes):
            out_VTCHW[view] = crop(resized_TCHW, box)
        if self.num_crops > len(boxes):
            straight_VTCHW = out_VTCHW[: len(boxes)]
            own = self.preprocessing
            if own.modality == "flow" and own.has_quirk("flow_slice"):
                out_VTCHW[len(boxes) :] = straight_VTCHW.flip(-1)
                _negate_by_slice(out_VTCHW, len(boxes), own, first)
            else:
                out_VTCHW[len(boxes) :] = mirror(straight_VTCHW, own)
        return out_VTCHW


def _negate_by_slice(
    frames_VTCHW: Tensor, num_straight: int, preprocessing: Preprocessing, first: int
) -> None:
    """Negate x where the original's single-frame program does (paper.md 2.7).

    Of batches of 16 frames with ten crops each it takes all rows from the fifth on, where the
    mirrored ones alone were meant.
    """
    spared_T = (torch.arange(frames_VTCHW.shape[1]) + first) % _SLICE_FRAMES == 0
    mirrored_VTCHW = mirror_flow(frames_VTCHW, preprocessing.flow)
    negated_VTCHW = mirrored_VTCHW.flip(-1)
    frames_VTCHW[num_straight:] = negated_VTCHW[num_straight:]
    frames_VTCHW[:num_straight, ~spared_T] = negated_VTCHW[:num_straight, ~spared_T]


@dataclass(frozen=True)
class TrainTransform:
    """The random transform of training: a pure function of the frames and the generator.

    Attributes:
        preprocessing: How the backbone wants its frames.
        config: What is drawn. Its `mixup_alpha` and `cutmix_alpha` concern batches: `collate`.
    """

    preprocessing: Preprocessing
    config: TransformConfig = field(default_factory=TransformConfig)

    def __post_init__(self) -> None:
        if self.preprocessing.modality == "flow":
            refuse_colours(self.config)

    def __call__(self, frames_TCHW: Tensor, generator: torch.Generator) -> Tensor:
        """Crop, mirror and change the colours of a clip, every frame alike.

        Args:
            frames_TCHW: uint8, RGB, any size.
            generator: Source of the draws; the same state gives the same result.

        Returns:
            frames_TCHW: uint8, `input_px` square.

        Raises:
            ValueError: If the frames are not uint8 with three channels.
        """
        _check_frames(frames_TCHW)
        config = self.config
        if self.preprocessing.has_quirk("crop_only_mirrored"):
            frames_TCHW = self._crop_or_squash(frames_TCHW, generator)
        else:
            frames_TCHW = self._crop(frames_TCHW, generator)
            if augment.chance(config.mirror_prob, generator):
                frames_TCHW = mirror(frames_TCHW, self.preprocessing)
        if config.quarter_turns:
            frames_TCHW = quarter_turn(frames_TCHW, augment.integer(4, generator))
        if config.rand_augment_ops:
            frames_TCHW = augment.rand_augment(
                frames_TCHW,
                num_ops=config.rand_augment_ops,
                magnitude=config.rand_augment_magnitude,
                fill=self.preprocessing.pixel_mean,
                generator=generator,
            )
        frames_TCHW = augment.jitter(
            frames_TCHW,
            brightness=config.brightness,
            contrast=config.contrast,
            saturation=config.saturation,
            hue=config.hue,
            generator=generator,
        )
        if augment.chance(config.grey_prob, generator):
            frames_TCHW = augment.grey(frames_TCHW)
        if augment.chance(config.blur_prob, generator):
            sigma_px = augment.uniform(*config.blur_sigma_px, generator)
            frames_TCHW = augment.blur(frames_TCHW, sigma_px)
        if augment.chance(config.erase_prob, generator):
            frames_TCHW = augment.erase(
                frames_TCHW,
                area=config.erase_area,
                fill=self.preprocessing.pixel_mean,
                generator=generator,
            )
        return frames_TCHW.contiguous(memory_format=torch.channels_last)

    def _crop(self, frames_TCHW: Tensor, generator: torch.Generator) -> Tensor:
        px = self.preprocessing.input_px
        if self.config.crop == "random_resized":
            height, width = frames_TCHW.shape[2:]
            box = self._random_box(height, width, generator)
            cropped_TCHW = crop(frames_TCHW, box)
            return _resize_meaning(cropped_TCHW, (px, px), self.preprocessing)
        resized_TCHW = resize(frames_TCHW, self.preprocessing)
        height, width = resized_TCHW.shape[2:]
        if self.config.crop == "centre":
            return crop(resized_TCHW, crop_boxes(height, width, px, 1)[0])
        top = augment.integer(height - px + 1, generator)
        left = augment.integer(width - px + 1, generator)
        return crop(resized_TCHW, Box(top, left, px, px))

    def _crop_or_squash(self, frames_TCHW: Tensor, generator: torch.Generator) -> Tensor:
        """Mirrored clips are cropped, others squashed whole: the original's sequence layer.

        Its crop stands inside the block that mirrors (paper.md 2.4).
        """
        if augment.chance(self.config.mirror_prob, generator):
            return mirror(self._crop(frames_TCHW, generator), self.preprocessing)
        px = self.preprocessing.input_px
        resized_TCHW = resize(frames_TCHW, self.preprocessing)
        return resize_to(resized_TCHW, (px, px), self.preprocessing.interpolation)

    def _random_box(self, height: int, width: int, generator: torch.Generator) -> Box:
        """Random area and aspect; the largest fitting centre where ten draws do not fit."""
        low, high = self.config.crop_ratio
        for _ in range(10):
            area = augment.uniform(*self.config.crop_scale, generator) * height * width
            ratio = math.exp(augment.uniform(math.log(low), math.log(high), generator))
            wide, tall = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < wide <= width and 0 < tall <= height:
                top = augment.integer(height - tall + 1, generator)
                left = augment.integer(width - wide + 1, generator)
                return Box(top, left, tall, wide)
        wide = min(width, max(1, round(height * high)))
        tall = min(height, max(1, round(width / low)))
        return Box((height - tall) // 2, (width - wide) // 2, tall, wide)


def _check_frames(frames_TCHW: Tensor) -> None:
    shape = tuple(frames_TCHW.shape)
    if frames_TCHW.dtype != torch.uint8 or len(shape) != 4 or shape[1] != 3 or 0 in shape[2:]:
        raise ValueError(
            f"frames are {frames_TCHW.dtype} of shape {shape}; a transform takes uint8 of shape "
            "T x 3 x H x W. Convert them to RGB, 0...255, first."
        )


def _limit_aspect(frames_TCHW: Tensor) -> Tensor:
    height, width = frames_TCHW.shape[2:]
    longest = math.floor(_MAX_ASPECT * min(height, width))
    if max(height, width) <= longest:
        return frames_TCHW
    keep_height, keep_width = min(height, longest), min(width, longest)
    top, left = (height - keep_height) // 2, (width - keep_width) // 2
    return crop(frames_TCHW, Box(top, left, keep_height, keep_width))
