"""Karpathy's `dataset_coco.json`, `dataset_flickr8k.json`, `dataset_flickr30k.json`; RSICD's too.

One list `images`; each has a `split` and its `sentences`. COCO's part "restval" counts as train,
as nearly everybody who reports on this split does.
Source: https://cs.stanford.edu/people/karpathy/deepimagesent/
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lrcn.data.captions.coco import image_folders
from lrcn.data.captions.entries import CaptionEntry, CaptionListing, CaptionRequest
from lrcn.data.captions.files import caption_of, list_of_objects, read_json, shown, text_of
from lrcn.data.datasets.entries import count, read_split_word
from lrcn.data.datasets.walk import visible
from lrcn.errors import DataError


def read_karpathy(request: CaptionRequest) -> CaptionListing:
    """The reader of the layout "karpathy".

    Raises:
        DataError: no file, several, or one that is not understood.
    """
    data = request.data
    files = [data] if data.is_file() else find_files(data)
    if len(files) != 1:
        named = f" ({', '.join(path.name for path in files)})" if files else ""
        raise DataError(
            f"{data} has {len(files)} files dataset_*.json{named}; one is needed. Give it as DATA."
        )
    return parse(read_json(files[0]), files[0])


def find_files(folder: Path) -> list[Path]:
    """The files of a folder that are named as Karpathy's."""
    return [
        path
        for path in visible(folder)
        if path.name.lower().startswith("dataset_") and path.suffix.lower() == ".json"
    ]


def parse(document: Any, path: Path) -> CaptionListing:
    """The content of a file.

    Raises:
        DataError: it is not understood.
    """
    if not isinstance(document, dict) or "images" not in document:
        raise DataError(
            f"{path.name} has no list of images; Karpathy's files have one, with the sentences in "
            f"it. Check that it is the right file."
        )
    images = list_of_objects(document["images"], f"{path.name}, images")
    roots = image_folders(path)
    entries = [_entry(image, f"{path.name}, images[{n}]", roots) for n, image in enumerate(images)]
    rest = sum(str(image.get("split", "")).strip().lower() == "restval" for image in images)
    notes = (f"{count(rest, 'image')} of the part restval used for training",) if rest else ()
    return CaptionListing(
        entries=tuple(entries),
        media="image",
        official_split=any(entry.split is not None for entry in entries),
        notes=notes,
    )


def _entry(image: dict[str, Any], where: str, roots: tuple[Path, ...]) -> CaptionEntry:
    filename = text_of(image, "filename", where).replace("\\", "/")
    folder = str(image.get("filepath") or "").strip().replace("\\", "/").strip("/")
    sentences = list_of_objects(image.get("sentences", []), f"{where}, sentences")
    split = str(image.get("split") or "")
    own_id = image.get("cocoid")
    return CaptionEntry(
        name=f"{folder}/{filename}" if folder else filename,
        names=(filename,) if folder else (),
        item_id=filename if own_id is None else str(own_id),
        captions=tuple(_sentence(sentence, where) for sentence in sentences),
        roots=roots,
        split="train" if split.strip().lower() == "restval" else read_split_word(split, where),
        where=where,
    )


def _sentence(sentence: dict[str, Any], where: str) -> str:
    """As typed; joined from its tokens where only those were kept."""
    if "raw" in sentence:
        return caption_of(sentence["raw"], where)
    tokens = sentence.get("tokens")
    if not isinstance(tokens, list):
        raise DataError(
            f"{where} has a sentence {shown(sentence)}; it has raw (text) or tokens (a list). Mend "
            f"the file."
        )
    return " ".join(caption_of(token, where) for token in tokens)
