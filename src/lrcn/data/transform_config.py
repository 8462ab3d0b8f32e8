"""How clips are varied in training: the settings, and three ready sets of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from lrcn.errors import ConfigError

_LARGEST = 1e9
"""Infinity and not-a-number are no settings."""

_LIMITS = (
    ("mirror_prob", 0.0, 1.0),
    ("brightness", 0.0, math.inf),
    ("contrast", 0.0, math.inf),
    ("saturation", 0.0, math.inf),
    ("hue", 0.0, 0.5),
    ("grey_prob", 0.0, 1.0),
    ("blur_prob", 0.0, 1.0),
    ("rand_augment_ops", 0, math.inf),
    ("rand_augment_magnitude", 0, 30),
    ("erase_prob", 0.0, 1.0),
    ("mixup_alpha", 0.0, math.inf),
    ("cutmix_alpha", 0.0, math.inf),
)
"""Name, smallest, largest."""

_COLOURS = (
    "quarter_turns",
    "brightness",
    "contrast",
    "saturation",
    "hue",
    "grey_prob",
    "rand_augment_ops",
)
"""Settings that change colours (or turn pictures): without meaning for flow images."""

_RANGES = (
    ("crop_scale", 1.0),
    ("crop_ratio", math.inf),
    ("blur_sigma_px", math.inf),
    ("erase_area", 1.0),
)
"""Name of a pair of numbers, largest."""


@dataclass(frozen=True, kw_only=True)
class TransformConfig:
    """How clips are varied in training. One draw per clip, the same for all its frames.

    The defaults are the paper's: a random crop and mirroring, nothing else.
    """

    crop: Literal["random", "random_resized", "centre"] = "random"
    """Crop of the resized frame at a random place; of random size and aspect; or the centre."""
    crop_scale: tuple[float, float] = (0.35, 1.0)
    """Smallest and largest share of the frame's area, for crop random_resized."""
    crop_ratio: tuple[float, float] = (0.75, 1.3333)
    """Smallest and largest width over height, for crop random_resized."""
    mirror_prob: float = 0.5
    """Chance to exchange left and right; 0 where direction tells classes apart (slide left)."""
    quarter_turns: bool = False
    """Turn by 0, 90, 180 or 270 degrees: for what has no up, as photos from straight above."""
    brightness: float = 0.0
    """Factor drawn from 1 - x to 1 + x; 0 leaves it."""
    contrast: float = 0.0
    """Factor drawn from 1 - x to 1 + x; 0 leaves it."""
    saturation: float = 0.0
    """Factor drawn from 1 - x to 1 + x; 0 leaves it."""
    hue: float = 0.0
    """Shift drawn from -x to x turns of the colour circle, at most 0.5; 0 leaves it."""
    grey_prob: float = 0.0
    """Chance to take the colour away."""
    blur_prob: float = 0.0
    """Chance of a Gaussian blur."""
    blur_sigma_px: tuple[float, float] = (0.1, 2.0)
    """Smallest and largest width of the blur, in pixels of the crop."""
    rand_augment_ops: int = 0
    """Operations of RandAugment per clip; 0 for none, 2 is usual."""
    rand_augment_magnitude: int = 9
    """Strength of RandAugment, 0 to 30."""
    erase_prob: float = 0.0
    """Chance to paint over one rectangle (random erasing)."""
    erase_area: tuple[float, float] = (0.02, 0.33)
    """Smallest and largest share of the frame that is painted over."""
    mixup_alpha: float = 0.0
    """Beta(x, x) mixes every clip with another of its batch, targets too; 0 for none."""
    cutmix_alpha: float = 0.0
    """Beta(x, x) gives the area taken from another clip of the batch; 0 for none."""

    def __post_init__(self) -> None:
        problems = [
            f"{name} is {value}; it takes {low:g} "
            + (f"to {high:g}" if high < math.inf else "or more")
            for name, low, high in _LIMITS
            if not low <= (value := getattr(self, name)) <= min(high, _LARGEST)
        ]
        problems += [
            f"{name} is {low}, {high}; it takes two positive numbers, the smaller first"
            + (f", at most {most:g}" if most < math.inf else "")
            for name, most in _RANGES
            for low, high in [getattr(self, name)]
            if not 0 < low <= high <= min(most, _LARGEST)
        ]
        if problems:
            raise ConfigError("; ".join(problems) + ". Change these settings of the transform.")


def paper() -> TransformConfig:
    """Random crop and mirroring (paper: section 4)."""
    return TransformConfig()


def modern() -> TransformConfig:
    """What current video classifiers are trained with, a mild form of it."""
    return TransformConfig(
        crop="random_resized",
        rand_augment_ops=2,
        rand_augment_magnitude=9,
        erase_prob=0.25,
        mixup_alpha=0.2,
    )


def none() -> TransformConfig:
    """The centre crop, as in evaluation: nothing is drawn."""
    return TransformConfig(crop="centre", mirror_prob=0.0)


def refuse_colours(config: TransformConfig) -> None:
    """Make sure that a transform suits flow images, whose channels are no colours.

    Raises:
        ConfigError: naming every setting that does not.
    """
    wrong = [name for name in _COLOURS if getattr(config, name)]
    if wrong:
        raise ConfigError(
            f"dataset.transform: {', '.join(wrong)} would change the motion in flow images; with"
            " modality flow they are off. Cropping, mirroring, blurring and erasing may stay"
        )
