"""Changes of colour and shape for training, each drawn once and applied to a whole clip alike.

Every function takes uint8 frames_TCHW and returns the same shape; what is drawn comes from the
generator it is given. Statistics that an operation takes of its picture (mean brightness,
histogram) are taken of the clip, not of each frame, so that nothing flickers.

The only file that imports torchvision's transforms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

_RAND_AUGMENT_BINS = 30
"""Magnitudes go from 0 to this, as in torchvision; 9 is the usual one."""


def uniform(low: float, high: float, generator: torch.Generator) -> float:
    """One number, uniform in [low, high)."""
    return low + (high - low) * float(torch.rand((), generator=generator, dtype=torch.float64))


def integer(end: int, generator: torch.Generator) -> int:
    """One of 0...end - 1."""
    return int(torch.randint(end, (), generator=generator))


def chance(prob: float, generator: torch.Generator) -> bool:
    """True with probability `prob`; always draws one number."""
    return uniform(0.0, 1.0, generator) < prob


def jitter(
    frames_TCHW: Tensor,
    *,
    brightness: float,
    contrast: float,
    saturation: float,
    hue: float,
    generator: torch.Generator,
) -> Tensor:
    """Change the colours: factors from [1 - x, 1 + x], hue from [-x, x], in random order."""
    changes: list[tuple[Callable[[Tensor, float], Tensor], float]] = []
    for change, amount in (
        (_brightness, brightness),
        (_contrast, contrast),
        (_saturation, saturation),
    ):
        if amount:
            changes.append((change, uniform(max(0.0, 1 - amount), 1 + amount, generator)))
    if hue:
        changes.append((_hue, uniform(-hue, hue, generator)))
    for place in torch.randperm(len(changes), generator=generator).tolist():
        change, value = changes[place]
        frames_TCHW = change(frames_TCHW, value)
    return frames_TCHW


def grey(frames_TCHW: Tensor) -> Tensor:
    """Without colour, three equal channels."""
    result: Tensor = _torchvision().rgb_to_grayscale(frames_TCHW, num_output_channels=3)
    return result


def blur(frames_TCHW: Tensor, sigma_px: float) -> Tensor:
    """Gaussian blur."""
    width = 2 * math.ceil(2 * sigma_px) + 1
    side = min(frames_TCHW.shape[2:])
    width = min(width, side - 1 + side % 2)  # the kernel is odd and fits into the frame
    result: Tensor = _torchvision().gaussian_blur(frames_TCHW, [width, width], [sigma_px, sigma_px])
    return result


def erase(
    frames_TCHW: Tensor,
    *,
    area: tuple[float, float],
    fill: Sequence[float],
    generator: torch.Generator,
) -> Tensor:
    """Paint one rectangle over, at the same place in all frames (Zhong et al., 1708.04896).

    Args:
        frames_TCHW: uint8.
        area: Smallest and largest share of the frame.
        fill: Colour, 0...255; the backbone's mean is "nothing" to it.
        generator: Source of the place and the size; the aspect is from 1/3.3 to 3.3.
    """
    height, width = frames_TCHW.shape[2:]
    share = uniform(*area, generator)
    aspect = math.exp(uniform(-math.log(3.3), math.log(3.3), generator))
    tall = min(height, max(1, round(math.sqrt(share * aspect) * height)))
    wide = min(width, max(1, round(math.sqrt(share / aspect) * width)))
    top, left = integer(height - tall + 1, generator), integer(width - wide + 1, generator)
    out_TCHW = frames_TCHW.clone()
    colour_C = torch.tensor(fill).round().clamp(0, 255).to(torch.uint8)
    out_TCHW[:, :, top : top + tall, left : left + wide] = colour_C[:, None, None]
    return out_TCHW


def rand_augment(
    frames_TCHW: Tensor,
    *,
    num_ops: int,
    magnitude: int,
    fill: Sequence[float],
    generator: torch.Generator,
) -> Tensor:
    """RandAugment (Cubuk et al., 1909.13719): `num_ops` operations, one after the other.

    The fourteen operations and their ranges are torchvision's. None of them mirrors.

    Args:
        frames_TCHW: uint8.
        num_ops: How many are drawn, with replacement.
        magnitude: 0 (nothing) to 30; 9 is usual.
        fill: Colour of what comes in from outside the frame, 0...255.
        generator: Source of operations and directions.
    """
    strength = magnitude / _RAND_AUGMENT_BINS
    for _ in range(num_ops):
        operation = _OPERATIONS[integer(len(_OPERATIONS), generator)]
        sign = 1.0 if chance(0.5, generator) else -1.0
        frames_TCHW = operation(frames_TCHW, strength, sign, list(fill))
    return frames_TCHW


def _torchvision() -> Any:
    """Torchvision's functional transforms, imported when first used."""
    from torchvision.transforms.v2 import functional

    return functional


def _of_clip(change: Callable[[Tensor], Tensor], frames_TCHW: Tensor) -> Tensor:
    """Apply to the clip as one tall picture: its statistics are the clip's."""
    num_frames, channels, height, width = frames_TCHW.shape
    tall_CHW = frames_TCHW.permute(1, 0, 2, 3).reshape(channels, num_frames * height, width)
    changed_CTHW = change(tall_CHW).reshape(channels, num_frames, height, width)
    return changed_CTHW.permute(1, 0, 2, 3)


def _brightness(frames_TCHW: Tensor, factor: float) -> Tensor:
    result: Tensor = _torchvision().adjust_brightness(frames_TCHW, factor)
    return result


def _contrast(frames_TCHW: Tensor, factor: float) -> Tensor:
    return _of_clip(lambda x: _torchvision().adjust_contrast(x, factor), frames_TCHW)


def _saturation(frames_TCHW: Tensor, factor: float) -> Tensor:
    result: Tensor = _torchvision().adjust_saturation(frames_TCHW, factor)
    return result


def _hue(frames_TCHW: Tensor, shift: float) -> Tensor:
    result: Tensor = _torchvision().adjust_hue(frames_TCHW, shift)
    return result


def _warp(
    frames_TCHW: Tensor,
    fill: Sequence[float],
    *,
    angle: float = 0.0,
    translate_px: tuple[int, int] = (0, 0),
    shear: tuple[float, float] = (0.0, 0.0),
) -> Tensor:
    """Rotate (degrees), move (x, y) or shear (x, y as tangents), about the centre."""
    functional = _torchvision()
    result: Tensor = functional.affine(
        frames_TCHW,
        angle=angle,
        translate=list(translate_px),
        scale=1.0,
        shear=[math.degrees(math.atan(tangent)) for tangent in shear],
        interpolation=functional.InterpolationMode.BILINEAR,
        fill=list(fill),
    )
    return result


_Operation = Callable[[Tensor, float, float, Sequence[float]], Tensor]
"""(frames_TCHW, strength in 0...1, sign of -1 or 1, fill) -> frames_TCHW."""

# Ranges: table of torchvision's RandAugment. Translations reach 150 of 331 pixels.
_OPERATIONS: tuple[_Operation, ...] = (
    lambda x, _s, _sign, _fill: x,
    lambda x, s, sign, fill: _warp(x, fill, shear=(0.3 * s * sign, 0.0)),
    lambda x, s, sign, fill: _warp(x, fill, shear=(0.0, 0.3 * s * sign)),
    lambda x, s, sign, fill: _warp(
        x, fill, translate_px=(int(150 / 331 * s * sign * x.shape[3]), 0)
    ),
    lambda x, s, sign, fill: _warp(
        x, fill, translate_px=(0, int(150 / 331 * s * sign * x.shape[2]))
    ),
    lambda x, s, sign, fill: _warp(x, fill, angle=30.0 * s * sign),
    lambda x, s, sign, _fill: _brightness(x, 1 + 0.9 * s * sign),
    lambda x, s, sign, _fill: _saturation(x, 1 + 0.9 * s * sign),
    lambda x, s, sign, _fill: _contrast(x, 1 + 0.9 * s * sign),
    lambda x, s, sign, _fill: _torchvision().adjust_sharpness(x, 1 + 0.9 * s * sign),
    lambda x, s, _sign, _fill: _torchvision().posterize(x, 8 - round(4 * s)),
    lambda x, s, _sign, _fill: _torchvision().solarize(x, 255 * (1 - s)),
    lambda x, _s, _sign, _fill: _of_clip(_torchvision().autocontrast, x),
    lambda x, _s, _sign, _fill: _of_clip(_torchvision().equalize, x),
)
