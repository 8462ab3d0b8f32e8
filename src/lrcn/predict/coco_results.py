"""Sentences as COCO's evaluation server takes them: a list of image_id and caption."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lrcn.errors import DataError
from lrcn.structures import Description

ImageId = int | str

_number_at_end = re.compile(r"(\d+)$")


def coco_image_ids(paths: Sequence[str], annotations: Path | None = None) -> dict[str, ImageId]:
    """Path of a photo to its `image_id`.

    >>> coco_image_ids(["val2014/COCO_val2014_000000391895.jpg"])
    {'val2014/COCO_val2014_000000391895.jpg': 391895}

    Args:
        paths: The photos.
        annotations: COCO JSON whose `images` have `file_name` and `id`. Without one the number at
            the end of each name counts; where names have none, or share one, the names themselves.

    Raises:
        DataError: the annotations cannot be read, or lack a photo.
    """
    if annotations is not None:
        return _listed_ids(paths, annotations)
    stems = {path: Path(path).stem for path in paths}
    numbers = {path: _number_at_end.search(stem) for path, stem in stems.items()}
    found = {path: int(match[1]) for path, match in numbers.items() if match is not None}
    if len(set(found.values())) == len(paths):
        return dict(found)
    return dict(stems) if len(set(stems.values())) == len(paths) else {p: p for p in paths}


def _listed_ids(paths: Sequence[str], annotations: Path) -> dict[str, ImageId]:
    try:
        images = json.loads(annotations.read_text(encoding="utf-8-sig"))["images"]
        ids = {Path(str(image["file_name"])).name: image["id"] for image in images}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{annotations} has no list of images with file_name and id ({error}); a COCO"
            " annotations file has. Give one, or leave it out"
        ) from error
    absent = [path for path in paths if Path(path).name not in ids]
    if absent:
        raise DataError(
            f"{len(absent)} of {len(paths)} photos are not in {annotations}, first {absent[0]};"
            " every photo needs an image_id there. Give the annotations of these photos"
        )
    return {path: ids[Path(path).name] for path in paths}


def coco_results(found: Iterable[Description], ids: Mapping[str, ImageId]) -> list[dict[str, Any]]:
    """The document: what was described, the best sentence of each."""
    return [{"image_id": ids[one.path], "caption": one.text} for one in found if one.error is None]
