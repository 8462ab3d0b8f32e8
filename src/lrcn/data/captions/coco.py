"""COCO captions JSON: a list `images` and a list `annotations`; RSICD and others write it too.

DATA is the file, or a folder with `captions_train.json`, `captions_val2017.json` and the like in
it or in its folder `annotations`; then the names tell the parts.
Source: https://cocodataset.org/#format-data, section 5.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from lrcn.data.captions.entries import CaptionEntry, CaptionListing, CaptionRequest, join
from lrcn.data.captions.files import caption_of, list_of_objects, read_json, shown, text_of
from lrcn.data.datasets.entries import SPLIT_WORDS, count, read_split_word
from lrcn.data.datasets.walk import visible
from lrcn.errors import DataError
from lrcn.structures import Split

_FILE_NAME = re.compile(r"captions_([a-z]+?)_?(\d{4})?\.json")


def read_coco(request: CaptionRequest) -> CaptionListing:
    """The reader of the layout "coco".

    Raises:
        DataError: no file, or one that is not understood.
    """
    if request.data.is_file():
        return read_file(request.data)
    files = find_files(request.data)
    if not files:
        raise DataError(
            f"{request.data} has no captions_train.json, captions_val2017.json or the like, nor "
            f"has its folder annotations. The layout coco needs one; give the file as DATA."
        )
    double = [s for _, s in files if s is not None and sum(s == other for _, other in files) > 1]
    if double:
        names = ", ".join(path.name for path, split in files if split == double[0])
        raise DataError(
            f"{request.data} has several files for its {double[0]} part: {names}. Give the one "
            f"that is meant as DATA (--data), and another one as --val-data."
        )
    if len(files) == 1:  # no division, whatever the name says
        return read_file(files[0][0])
    return join([read_file(path, split) for path, split in files], official_split=True)


def find_files(folder: Path) -> list[tuple[Path, Split | None]]:
    """The captions files of a folder and the part that each name says."""
    places = [folder, *(folder / name for name in ("annotations",) if (folder / name).is_dir())]
    found: list[tuple[Path, Split | None]] = []
    for place in places:
        for path in visible(place):
            match = _FILE_NAME.fullmatch(path.name.lower())
            if match and match[1] in SPLIT_WORDS and path.is_file():
                found.append((path, SPLIT_WORDS[match[1]]))
    return found


def read_file(path: Path, split: Split | None = None) -> CaptionListing:
    """One file; an image's own `split` goes before that of the file.

    Raises:
        DataError: it is not understood, or contradicts itself.
    """
    return parse(read_json(path), path, split)


def parse(document: Any, path: Path, split: Split | None = None) -> CaptionListing:
    """The content of a file, as `read_file`."""
    if not isinstance(document, dict) or "images" not in document:
        raise DataError(
            f"{path.name} has no list of images ({_kind(document)}); COCO captions have the lists "
            f"images and annotations. Check that it is the right file."
        )
    images = list_of_objects(document["images"], f"{path.name}, images")
    annotations = list_of_objects(document.get("annotations", []), f"{path.name}, annotations")
    captions: dict[str, list[str]] = defaultdict(list)
    for place, annotation in enumerate(annotations):
        where = f"{path.name}, annotations[{place}]"
        image_id = text_of(annotation, "image_id", where)
        if "caption" not in annotation:
            raise DataError(
                f"{where} has no caption (it has {', '.join(annotation)}); captions, not instances "
                f"or key points, are needed. Give the file captions_*.json."
            )
        captions[image_id].append(caption_of(annotation["caption"], where))
    roots = image_folders(path)
    entries = []
    for place, image in enumerate(images):
        where = f"{path.name}, images[{place}]"
        image_id = text_of(image, "id", where)
        own = image.get("split")
        entries.append(
            CaptionEntry(
                name=text_of(image, "file_name", where).replace("\\", "/"),
                item_id=image_id,
                captions=tuple(captions.get(image_id, ())),
                roots=roots,
                split=read_split_word(str(own), where) if own is not None else split,
                where=where,
            )
        )
    # An image that is listed twice gets its captions once.
    firsts = {(e.item_id, e.name): e for e in reversed(entries)}
    entries = [firsts[key] for key in dict.fromkeys((e.item_id, e.name) for e in entries)]
    orphans = set(captions) - {str(entry.item_id) for entry in entries}
    notes = []
    if captions and len(orphans) == len(captions):
        listed = [str(entry.item_id) for entry in entries[:3]]
        raise DataError(
            f"{path.name}: its annotations are of the images {', '.join(sorted(orphans)[:3])}, "
            f"none of which it lists ({', '.join(listed) or 'it lists none'}); the image_id of an "
            f"annotation is the id of an image, written alike. Check that both are of one data set."
        )
    if orphans:
        number = sum(len(captions[image_id]) for image_id in orphans)
        notes.append(
            f"{count(number, 'caption')} of {count(len(orphans), 'image')} that {path.name} does "
            f"not list left out"
        )
    return CaptionListing(entries=tuple(entries), media="image", notes=tuple(notes))


def image_folders(path: Path) -> tuple[Path, ...]:
    """Where the images of an annotation file usually lie: beside it, or one folder up."""
    match = _FILE_NAME.fullmatch(path.name.lower())
    own = [f"{match[1]}{match[2] or ''}"] if match else []
    names = ["images", *own, *(f"images/{name}" for name in own), ""]
    return tuple(base / name for base in (path.parent, path.parent.parent) for name in names)


def _kind(document: Any) -> str:
    if isinstance(document, dict):
        return f"it has {', '.join(map(str, document)) or 'nothing'}"[:200]
    return f"it is {shown(document)}"
