"""Data sets: from what lies on the disk to a `VideoList`. One file per layout.

`read_dataset` is the way in. A new layout is one file with a reader (`Request` to `Listing`), one
line in `LAYOUTS`, and a fake of three items in `tests/fakes/<name>.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from lrcn.data.datasets.build import Missing, build, with_items
from lrcn.data.datasets.detect import detect_layout
from lrcn.data.datasets.entries import Listing, Request
from lrcn.data.datasets.features import read_features_set
from lrcn.data.datasets.folder import read_folder
from lrcn.data.datasets.groups import GroupBy
from lrcn.data.datasets.hmdb51 import read_hmdb51
from lrcn.data.datasets.kinetics import read_kinetics
from lrcn.data.datasets.listfile import read_listfile
from lrcn.data.datasets.lists import read_lists
from lrcn.data.datasets.paper_frames import read_paper_frames
from lrcn.data.datasets.paper_images import read_paper_images
from lrcn.data.datasets.readable import check_readable
from lrcn.data.datasets.tables import COLUMNS
from lrcn.data.datasets.ucf101 import read_ucf101
from lrcn.data.datasets.videofolder import read_videofolder
from lrcn.data.datasets.walk import exists
from lrcn.errors import ConfigError, DataError
from lrcn.settings import did_you_mean
from lrcn.structures import VideoList

__all__ = ["LAYOUTS", "check_readable", "read_dataset", "with_items"]


def _read_list_or_lists(request: Request) -> Listing:
    return read_lists(request) if request.data.is_dir() else read_listfile(request)


LAYOUTS: dict[str, Callable[[Request], Listing]] = {
    "folder": read_folder,
    "csv": _read_list_or_lists,
    "jsonl": _read_list_or_lists,
    "videofolder": read_videofolder,
    "ucf101": read_ucf101,
    "hmdb51": read_hmdb51,
    "kinetics": read_kinetics,
    "paper_frames": read_paper_frames,
    "paper_images": read_paper_images,
    "features": read_features_set,
}
"""Name of a layout to its reader."""

FOLD_LAYOUTS = ("ucf101", "hmdb51", "paper_frames", "paper_images")

_ROOTLESS_LAYOUTS = ("folder", "videofolder")
"""Layouts without a list whose files could lie elsewhere."""


def read_dataset(
    data: str | os.PathLike[str],
    *,
    layout: str | None = None,
    fold: int | None = None,
    videos_root: str | os.PathLike[str] | None = None,
    missing: Missing = "error",
    columns: Mapping[str, str] | None = None,
    group_by: GroupBy | None = None,
    group_pattern: str | None = None,
    min_classes: int = 2,
) -> VideoList:
    """Read a data set's list of labelled videos. No video is opened (`check_readable` does that).

    Args:
        data: a folder or a list file.
        layout: a name of `LAYOUTS`; found out when None.
        fold: the official division to use, where the data set has several.
        videos_root: where the listed files lie, when not beside the list.
        missing: "error" refuses a list that names absent files; "skip" leaves them out, listed
            in `skipped`.
        columns: role ("path", "label", "group", "split", "start", "end", "video_id") to the name
            of a column, where a list calls it otherwise than `tables.COLUMNS`.
        group_by: take groups only from a "column", "folder" or "pattern", or none ("file").
        group_pattern: a regular expression; its brackets are the group in each path.
        min_classes: fewer are refused; 1 where the list is only evaluated or looked at.

    Raises:
        DataError: DATA is absent, not understood, empty, or contradicts itself.
        MissingFilesError: listed files are absent and `missing` is "error".
        ConfigError: an unknown layout, fold, column role or way of grouping, or a fold or
            `videos_root` where the layout has none.
    """
    request = Request(
        data=Path(data),
        fold=fold,
        videos_root=None if videos_root is None else Path(videos_root),
        columns=_checked_columns(columns),
    )
    if missing not in ("error", "skip"):
        raise ConfigError(f"missing is {missing!r}; it is error or skip.")
    if not exists(request.data):
        raise DataError(
            f"{request.data} does not exist. DATA is a folder of videos or a list file; check the "
            f"path."
        )
    if layout is not None and layout not in LAYOUTS:
        raise ConfigError(
            f"layout {layout!r} is unknown; it is one of {', '.join(LAYOUTS)}."
            f"{did_you_mean(layout, list(LAYOUTS))}"
        )
    name = layout or detect_layout(request.data)
    if fold is not None and name not in FOLD_LAYOUTS:
        raise ConfigError(
            f"fold {fold} was asked for, but {request.data} (layout {name}) has no folds; "
            f"{', '.join(FOLD_LAYOUTS)} have. Leave the fold out, or name the layout."
        )
    if videos_root is not None and name in _ROOTLESS_LAYOUTS:
        raise ConfigError(
            f"--videos-root {videos_root} was given, but {request.data} (layout {name}) holds its "
            f"videos itself; it is for lists. Leave it out, or name the list or the layout."
        )
    return build(
        LAYOUTS[name](request),
        request=request,
        layout=name,
        missing=missing,
        group_by=group_by,
        group_pattern=group_pattern,
        min_classes=min_classes,
    )


def _checked_columns(columns: Mapping[str, str] | None) -> dict[str, str]:
    for role in columns or {}:
        if role not in COLUMNS:
            raise ConfigError(
                f"{role!r} is no role of a column; the roles are {', '.join(COLUMNS)}."
                f"{did_you_mean(role, list(COLUMNS))}"
            )
    return dict(columns or {})
