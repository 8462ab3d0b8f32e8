"""The masks of the Weizmann actions: out of their MATLAB file, into videos and lists.

Gorelick, Blank, Shechtman, Irani, Basri: "Actions as Space-Time Shapes", 2005.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrcn.data.split_file import write_items
from lrcn.errors import DataError, WeightsError
from lrcn.structures import VideoItem
from lrcn.video.writer import VideoWriter

FPS = 25.0


@dataclass(frozen=True)
class MaskSequence:
    """One person doing one action."""

    person: str
    name: str
    """As in the file: "run1" for the first of two."""
    action: str
    masks_THW: NDArray[np.uint8]
    """0 background, 1 person."""


def read_masks(path: Path) -> list[MaskSequence]:
    """The sequences of `original_masks.mat`, in its order.

    Raises:
        DataError: the file is absent, damaged, or holds something else.
        WeightsError: scipy is not installed; it is the extra `lrcn[mat]`.
    """
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise WeightsError(
            "MATLAB files need scipy, which is not installed: pip install 'lrcn[mat]'"
        ) from error
    if not path.is_file():
        raise DataError(f"there is no file {path}; give the path of original_masks.mat")
    try:
        record = loadmat(str(path))["original_masks"][0, 0]
        fields = {str(name): np.asarray(record[name]) for name in record.dtype.names}
    except Exception as error:  # a damaged file makes scipy and zlib raise errors of any kind
        raise DataError(
            f"{path} holds no Weizmann masks ({type(error).__name__}: {error});"
            " give original_masks.mat as it was published"
        ) from error
    return [_sequence(path, name, array) for name, array in fields.items()]


def _sequence(path: Path, full_name: str, masks_HWT: NDArray[Any]) -> MaskSequence:
    person, _, name = full_name.partition("_")
    numeric = masks_HWT.ndim == 3 and masks_HWT.size > 0 and masks_HWT.dtype.kind in "ub"
    if not name or not numeric or masks_HWT.max() > 1:
        raise DataError(
            f"{path}: {full_name!r} is no sequence of masks ({masks_HWT.dtype} of shape"
            f" {masks_HWT.shape}); each is called person_action and holds 0 and 1,"
            " height x width x frames. Give original_masks.mat as it was published"
        )
    # lena_run1 and lena_run2 are one action twice; wave1 and wave2 are two actions.
    action = name if name.startswith("wave") else re.sub(r"\d+$", "", name)
    masks_THW = np.ascontiguousarray(np.moveaxis(masks_HWT, 2, 0), dtype=np.uint8)
    return MaskSequence(person, name, action, masks_THW)


def export_masks(sequences: Sequence[MaskSequence], folder: Path) -> list[VideoItem]:
    """Write every sequence as a lossless video (FFV1), one folder per action.

    Returns:
        One item per sequence, its person as group.

    Raises:
        OutputError: the folder cannot be written.
    """
    items = []
    for sequence in sequences:
        video_id = f"{sequence.action}/{sequence.person}_{sequence.name}"
        path = folder / f"{video_id}.mkv"
        _, height, width = sequence.masks_THW.shape
        with VideoWriter(path, fps=FPS, width=width, height=height, codec="ffv1") as writer:
            for mask_HW in sequence.masks_THW:
                writer.write(np.repeat(mask_HW[:, :, None] * np.uint8(255), 3, axis=2))
        items.append(
            VideoItem(
                path=str(path),
                video_id=video_id,
                class_names=(sequence.action,),
                group=sequence.person,
            )
        )
    return items


def write_turn(items: Sequence[VideoItem], person: str, path: Path) -> None:
    """Write the list of one turn: `person` is the test split, everybody else is train.

    Raises:
        OutputError: it cannot be written.
    """
    parts = [replace(i, split="test" if i.group == person else "train") for i in items]
    write_items(parts, path, f"Weizmann masks; {person} is left out")
