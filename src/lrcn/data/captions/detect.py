"""Which layout of captions a folder or a file has, from what lies in it."""

from __future__ import annotations

import re
from pathlib import Path

from lrcn.data.captions import coco, flickr, imagefolder, karpathy, msrvtt, msvd
from lrcn.data.captions.files import read_text
from lrcn.data.captions.tables import (
    JSON_EXTENSIONS,
    TEXT_EXTENSIONS,
    find_lists,
    is_caption_list,
    is_json,
)
from lrcn.data.datasets.walk import exists, has_media_name
from lrcn.data.images import is_photo_path
from lrcn.errors import DataError

_START = 1 << 16
_FEWEST_WORDS = 2


def detect_caption_layout(data: Path) -> str:
    """The name of the layout.

    Raises:
        DataError: nothing that holds captions, or a folder that can be read in two ways.
    """
    name = _of_file(data) if data.is_file() else _of_folder(data)
    if name is None and data.is_file() and data.suffix.lower() in JSON_EXTENSIONS | TEXT_EXTENSIONS:
        name = "jsonl" if is_json(data) else "csv"  # reading it says what is amiss
    if name is None:
        raise DataError(
            f"{data} holds no captions that are understood. Captions stand in COCO or Karpathy "
            f"JSON, in Flickr's token files, in a CSV or JSON lines file with a path and a "
            f"caption, or in a metadata.csv; check the path, or name the layout (--layout)."
        )
    return name


def holds_captions(data: Path) -> bool:
    """Whether DATA is a data set of captions: its columns tell the task.

    A folder with videos in class folders (the rendered world) is one of actions, whatever else
    lies in it.
    """
    try:
        if (data / "motion.json").is_file() or _is_medium(data):
            return False
        return exists(data) and (_of_file(data) if data.is_file() else _of_folder(data)) is not None
    except DataError:
        return True  # of captions, but ambiguous or damaged: reading it says how


def _of_folder(data: Path) -> str | None:
    found = {
        "msvd": bool(msvd.find_lists(data)),
        "msrvtt": bool(msrvtt.find_files(data)),
        "karpathy": bool(karpathy.find_files(data)),
        "coco": bool(coco.find_files(data)),
        "imagefolder": bool(imagefolder.find_metadata(data)),
    }
    found["flickr"] = flickr.find_captions(data) is not None and (
        bool(flickr.find_image_lists(data)) or flickr.is_token_file(_captions_of(data))
    )
    names = [name for name, there in found.items() if there]
    if len(names) > 1:
        raise DataError(
            f"{data} can be read as {' and as '.join(names)}. Say which is meant (--layout "
            f"{names[0]}), or give the file itself as DATA."
        )
    if names:
        return names[0]
    lists = find_lists(data, {})
    if not lists:
        return None
    return "jsonl" if is_json(lists[0][0]) else "csv"


def _captions_of(data: Path) -> Path:
    path = flickr.find_captions(data)
    assert path is not None
    return path


def _of_file(path: Path) -> str | None:
    extension = path.suffix.lower()
    if _is_medium(path):
        raise DataError(
            f"{path} is one photo or video, not a data set. DATA is a list of captions or the "
            f"folder of one; give it."
        )
    if any(path == found for found, _ in msvd.find_lists(path.parent)):
        return "msvd"
    if flickr.is_token_file(path):
        return "flickr"
    if path.name.lower() in imagefolder.METADATA_NAMES and is_caption_list(path):
        return "imagefolder"
    if extension == ".json":
        return _of_json(path)
    if extension in JSON_EXTENSIONS:
        return "jsonl" if is_caption_list(path) else None
    if extension in TEXT_EXTENSIONS and _is_table(path):
        return "flickr" if flickr.find_image_lists(path.parent) else "csv"
    return None


def _is_medium(path: Path) -> bool:
    return path.is_file() and (is_photo_path(path) or has_media_name(path))


def _of_json(path: Path) -> str | None:
    """By the names of its lists, wherever they stand; nothing is parsed."""
    text = read_text(path)
    keys = {
        key
        for key in ("images", "annotations", "videos", "sentences")
        if re.search(rf'"{key}"\s*:', text)
    }
    if {"videos", "sentences"} <= keys:
        return "msrvtt"
    if {"images", "sentences"} <= keys:
        return "karpathy"
    if "images" in keys or "annotations" in keys:
        return "coco"
    if is_caption_list(path):
        _refuse_results(path, text)
        return "jsonl"
    return None


def _refuse_results(path: Path, text: str) -> None:
    """A list of image_id and caption alone is what a model said, in COCO's form for results."""
    keys = set(re.findall(r'"(\w+)"\s*:', text[:_START]))
    if keys == {"image_id", "caption"} and text.lstrip().startswith("["):
        raise DataError(
            f"{path.name} holds results, captions that a model made for image ids, and names no "
            f"image. To score them: lrcn score --hypotheses {path.name}; as data, give the file of "
            f"references."
        )


def _is_table(path: Path) -> bool:
    """With a header; or without one, but with a photo or video and a few words in its first line.

    One word would be a label.
    """
    if is_caption_list(path):
        return True
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        line = next((line for line in file if line.strip()), "")
    first = re.split(r"[\t,;|]", line, maxsplit=1)
    name, caption = first[0].strip(), first[-1].split()
    return (
        len(first) == 2
        and len(caption) >= _FEWEST_WORDS
        and (is_photo_path(name) or has_media_name(name))
    )
