"""The faults of the original code that can be reproduced, to compare against old numbers."""

from __future__ import annotations

from typing import Final, Literal

Quirk = Literal[
    "all",
    "crop_only_mirrored",
    "skip_first_frame",
    "red_mean",
    "flow_not_inverted",
    "flow_slice",
    "unsorted_frames",
    "last_clip_twice",
]
"""Names of the faults (paper.md 2.4, 2.7)::

    crop_only_mirrored  training: clips that are not mirrored are squashed whole, never cropped
    skip_first_frame    training: the first frame is never drawn (of flow images the last one)
    red_mean            LRCN on pictures: 128.68 is subtracted from red in place of 123.68
    flow_not_inverted   mirrored flow images keep the sign of x; the layer that clips are trained
                        with is the one place where the original does negate it
    flow_slice          ten crops of flow images: x is negated in all of them, mirrored or not, save
                        in the first five of every 16th frame
    unsorted_frames     evaluation: a folder's images in the order in which the disk lists them
    last_clip_twice     evaluation: the clip at the end of a video counts twice
"""

_OF_SINGLE_FRAMES: Final[tuple[Quirk, ...]] = (
    "flow_not_inverted",
    "flow_slice",
    "unsorted_frames",
)
_OF_CLIPS: Final[tuple[Quirk, ...]] = (
    "crop_only_mirrored",
    "skip_first_frame",
    "red_mean",
    "flow_not_inverted",
    "unsorted_frames",
    "last_clip_twice",
)


def quirks_of(kind: str, quirks: tuple[Quirk, ...]) -> tuple[Quirk, ...]:
    """The faults by name: "all" spelt out as those that the original has for a kind of model.

    Args:
        kind: `ActivityConfig.kind`; single frames and clips go through other programs there.
        quirks: As asked for.
    """
    if "all" not in quirks:
        return quirks
    return _OF_SINGLE_FRAMES if kind == "single_frame" else _OF_CLIPS


def quirks_in_training(kind: str, modality: str, quirks: tuple[Quirk, ...]) -> tuple[Quirk, ...]:
    """Those of a model's faults that concern how its clips are drawn and varied (paper.md 2.4).

    Args:
        kind: `ActivityConfig.kind`.
        modality: Of what the model sees: "rgb" or "flow".
        quirks: The model's, from `quirks_of`.
    """
    known: tuple[Quirk, ...] = ("crop_only_mirrored", "skip_first_frame")
    if kind == "single_frame" and modality == "flow":
        known = (*known, "flow_not_inverted")
    return tuple(quirk for quirk in quirks if quirk in known)
