"""Which layout a folder or a list file has, from what lies in it."""

from __future__ import annotations

from pathlib import Path

from lrcn.data.datasets import hmdb51, kinetics, paper_frames, paper_images, ucf101, videofolder
from lrcn.data.datasets.lists import LIST_EXTENSIONS, find_lists
from lrcn.data.datasets.tables import JSON_EXTENSIONS, has_roles, read_header
from lrcn.data.datasets.walk import find_media, has_media_name, visible
from lrcn.errors import DataError
from lrcn.video.features import FEATURE_EXTENSIONS


def detect_layout(data: Path) -> str:
    """The name of the layout.

    Official lists are looked for first, then metadata files, then lists, then class folders.

    Raises:
        DataError: a file that is no list, or a folder that can be read in two ways.
    """
    if data.is_file():
        return _detect_file(data)
    if ucf101.find_lists(data) is not None:
        return "ucf101"
    if paper_frames.find_lists(data):
        return "paper_frames"
    if paper_images.find_image_lists(data):  # before HMDB51, whose lists end like these
        return "paper_images"
    if hmdb51.find_lists(data) is not None:
        return "hmdb51"
    if videofolder.find_metadata(data):
        return "videofolder"
    if kinetics.find_lists(data):
        return "kinetics"
    return _detect_plain_folder(data)


def _detect_file(data: Path) -> str:
    extension = data.suffix.lower()
    if has_media_name(data):
        raise DataError(
            f"{data} is one video, not a data set. DATA is a folder with one folder per class, or "
            f"a list file with path and label; give one of them."
        )
    if extension not in LIST_EXTENSIONS:
        raise DataError(
            f"{data} is not a list file by its extension {extension!r}; "
            f"{', '.join(sorted(LIST_EXTENSIONS))} are. Give a list or a folder, or rename it."
        )
    if kinetics.is_kinetics_list(data):
        return "kinetics"
    if data.name.lower().endswith("videos.txt") and "_split" in data.name:
        return "paper_frames"
    if paper_images.is_image_list(data):
        return "paper_images"
    header = read_header(data)
    if has_roles(header, "video_id", "label") and not has_roles(header, "path"):
        return "features"
    return "jsonl" if extension in JSON_EXTENSIONS else "csv"


def _detect_plain_folder(data: Path) -> str:
    lists = find_lists(data)
    if not lists:
        return "folder"
    names = ", ".join(path.name for path, _ in lists)
    first = lists[0][0]
    header = read_header(first)
    if has_roles(header, "video_id", "label") and not has_roles(header, "path"):
        return "features"
    folders = [path for path in visible(data) if path.is_dir()]
    with_media = [path for path in folders if find_media(path).media]
    if len(with_media) > 1:
        raise DataError(
            f"{data} has a list ({names}) and folders with videos ({with_media[0].name}, "
            f"{with_media[1].name}, ...): either may give the labels. Say which: "
            f"--layout csv for the list, or --layout folder for the folders."
        )
    by_id = any(p.suffix.lower() in FEATURE_EXTENSIONS for p in visible(data))
    if by_id:
        return "features"
    return "jsonl" if first.suffix.lower() in JSON_EXTENSIONS else "csv"
