"""Flickr8k and Flickr30k: a token file or captions.txt, and lists of the images of each part.

`Flickr8k.token.txt` has lines of `name.jpg#0<TAB>caption`; `captions.txt` is CSV. The lists
`Flickr_8k.trainImages.txt`, `devImages.txt` and `testImages.txt` are used where they lie beside.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from lrcn.data.captions.entries import CaptionEntry, CaptionListing, CaptionRequest
from lrcn.data.captions.files import read_text
from lrcn.data.captions.tables import is_caption_list, read_list
from lrcn.data.datasets.entries import SPLIT_WORDS, count
from lrcn.data.datasets.walk import visible
from lrcn.errors import DataError
from lrcn.structures import Split

_LIST = re.compile(r".*?(train|dev|val|test)images\.txt", re.IGNORECASE)
_LINE = re.compile(r"(.+?)#(\d+)\t(.*)")
_FOLDERS = ("images", "Images", "Flicker8k_Dataset", "Flickr8k_Dataset", "flickr30k-images",
            "flickr30k_images", "")  # fmt: skip


def read_flickr(request: CaptionRequest) -> CaptionListing:
    """The reader of the layout "flickr".

    Raises:
        DataError: no captions, or a line is not understood.
    """
    data = request.data
    folder = data if data.is_dir() else data.parent
    path = data if data.is_file() else find_captions(data)
    if path is None:
        raise DataError(
            f"{data} has no token file (name.jpg#0<TAB>caption) and no captions.txt. The layout "
            f"flickr needs one; give it as DATA."
        )
    roots = tuple(base / name for base in (folder, folder.parent) for name in _FOLDERS)
    if is_token_file(path):
        entries = _read_tokens(path, roots)
    else:
        entries = list(read_list(path, request, roots=roots).entries)
    lists = find_image_lists(folder)
    if not lists:
        return CaptionListing(entries=tuple(entries), media="image")
    return _divided(entries, lists)


def find_captions(folder: Path) -> Path | None:
    """The token file of a folder, else its captions.txt."""
    files = [path for path in visible(folder) if path.is_file()]
    tokens = [path for path in files if is_token_file(path) and "lemma" not in path.name.lower()]
    tables = [p for p in files if p.name.lower() == "captions.txt" and is_caption_list(p)]
    return next(iter([*tokens, *tables]), None)


def find_image_lists(folder: Path) -> list[tuple[Path, Split]]:
    """The lists of the images of each part."""
    return [
        (path, SPLIT_WORDS[match[1].lower()])
        for path in visible(folder)
        if (match := _LIST.fullmatch(path.name)) and path.is_file()
    ]


def is_token_file(path: Path) -> bool:
    """Whether the first line is `name#number<TAB>caption`."""
    if path.suffix.lower() not in (".txt", ".token") or not path.is_file():
        return False
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            return _LINE.fullmatch(file.readline(1 << 16).rstrip("\n")) is not None
    except OSError:
        return False


def _read_tokens(path: Path, roots: tuple[Path, ...]) -> list[CaptionEntry]:
    entries = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise DataError(
                f"{path.name}, line {number} is {line[:120]!r}; every line is `name.jpg#0`, a tab "
                f"and a caption. Mend the line."
            )
        entries.append(
            CaptionEntry(
                name=match[1].strip(),
                captions=(match[3],),
                roots=roots,
                where=f"{path.name}, line {number}",
            )
        )
    return entries


def _divided(entries: list[CaptionEntry], lists: list[tuple[Path, Split]]) -> CaptionListing:
    """The entries that the lists name, each in its part."""
    part: dict[str, Split] = {}
    for path, split in lists:
        for line in read_text(path).split("\n"):
            name = line.strip()
            if name and part.setdefault(name, split) != split:
                raise DataError(
                    f"{path.name} names {name}, which the {part[name]} part has already; an image "
                    f"belongs to one part. Remove it from one list."
                )
    listed = [replace(e, split=part[e.name]) for e in entries if e.name in part]
    unlisted = {entry.name for entry in entries} - set(part)
    notes = []
    if unlisted:
        notes.append(f"{count(len(unlisted), 'image')} in none of the official lists left out")
    without = set(part) - {entry.name for entry in entries}
    if without:
        notes.append(
            f"{count(len(without), 'image')} of the official lists without a caption: "
            f"{', '.join(sorted(without)[:3])}"
        )
    return CaptionListing(
        entries=tuple(listed), media="image", official_split=True, notes=tuple(notes)
    )
