"""Where the photos and videos that a list of captions names lie on somebody's disk."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePath

from lrcn.data.datasets.walk import exists

NOT_FOUND = "file not found"


class MediaFinder:
    """Finds files by the names of a list.

    In this order: the name as written below the folder, composed and decomposed accents for each
    other; its last part; then, below a folder that was named for it (`--images`), anywhere:
    letter case aside, with another ending or none, as long as only one file answers.
    """

    def __init__(self, images: Path | None) -> None:
        self.images = images
        self._anywhere: dict[str, list[Path]] | None = None

    def find(self, names: Sequence[str], roots: Sequence[Path]) -> Path | None:
        """The file or folder; None where there is none.

        Args:
            names: as the data set may call it, the likeliest first.
            roots: where to look when no folder was named.
        """
        for root in (self.images,) if self.images is not None else roots:
            for name in names:
                found = _below(root, name)
                if found is not None:
                    return found
        for root in () if self.images is not None else roots:
            for name in names:
                found = _below(root, name.rsplit("/", 1)[-1]) if "/" in name else None
                if found is not None:
                    return found
        answers = self._by_name(names)
        return answers[0] if len(answers) == 1 else None

    def why_not(self, names: Sequence[str]) -> str:
        """Why `find` found nothing."""
        found = self._by_name(names)
        if not found:
            return NOT_FOUND
        some = ", ".join(map(str, found[:3]))
        return f"several files have this name, {some}; write the folder in the list"

    def _by_name(self, names: Sequence[str]) -> list[Path]:
        """The file anywhere below the named folder; several where it cannot be told which."""
        if self.images is None:
            return []
        if self._anywhere is None:
            self._anywhere = _index(self.images)
        several: list[Path] = []
        for name in names:
            plain = _fold(name.rsplit("/", 1)[-1])
            for form in (plain, PurePath(plain).stem):
                found = self._anywhere.get(form, [])
                if len(found) > 1:  # the one in a folder of the listed name, train2014/1.jpg
                    ends = "/" + _fold(name)
                    inside = [p for p in found if any(f.endswith(ends) for f in _forms(p))]
                    several = several or found
                    found = inside
                if len(found) == 1:
                    return found
        return several


def resolve(names: Sequence[str], images: Path | None, roots: Sequence[Path]) -> Path:
    """Where a file should lie, for the message that it does not."""
    root = images if images is not None else (roots[0] if roots else Path())
    return root / names[0]


def _below(root: Path, name: str) -> Path | None:
    for form in dict.fromkeys((name, *(unicodedata.normalize(f, name) for f in ("NFC", "NFD")))):
        path = root / form
        if exists(path) and path != root:
            return path
    return None


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _forms(path: Path) -> tuple[str, str]:
    return _fold(path.as_posix()), _fold(path.with_suffix("").as_posix())


def _index(folder: Path) -> dict[str, list[Path]]:
    """Every file below a folder by its folded name, with and without its ending."""
    known: dict[str, list[Path]] = defaultdict(list)
    for place, folders, files in os.walk(folder, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in files if not name.startswith(".")):
            path = Path(place, name)
            folded = _fold(name)
            for form in {folded, PurePath(folded).stem}:
                known[form].append(path)
    return known
