"""Files of equal content under different names. Only files of equal size are read."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lrcn.data.content import content_hash
from lrcn.errors import MediaError
from lrcn.structures import VideoItem

_MANY = frozenset({".h5", ".hdf5", ".npz"})
"""Files of these kinds hold the features of many videos, by id."""

Identity = tuple[str, str]
"""What an item's content is found under: its path, and its id in a file of many arrays."""


def identity(item: VideoItem) -> Identity:
    """Arrays of one file are different content; intervals of one video are the same."""
    inside = item.video_id if Path(item.path).suffix.lower() in _MANY else ""
    return item.path, inside


def find_twins(items: Sequence[VideoItem]) -> list[list[int]]:
    """Places of items whose files differ in name and agree in content, twin by twin."""
    hashes = shared_content(items)
    places: dict[str, list[int]] = defaultdict(list)
    for place, item in enumerate(items):
        if identity(item) in hashes:
            places[hashes[identity(item)]].append(place)
    return [same for same in places.values() if len({identity(items[place]) for place in same}) > 1]


def shared_content(items: Iterable[VideoItem]) -> dict[Identity, str]:
    """The content hash of every item whose file has the size of another item's file.

    Files that cannot be read, and feature files with many arrays, are left out.
    """
    by_size: dict[tuple[int, int], set[str]] = defaultdict(set)
    for path in {identity(item)[0] for item in items if not identity(item)[1]}:
        size = _size(path)
        if size is not None:
            by_size[size].add(path)
    candidates = sorted(path for paths in by_size.values() if len(paths) > 1 for path in paths)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        hashes = pool.map(_hash, candidates)
        found = {path: value for path, value in zip(candidates, hashes, strict=True) if value}
    return {(path, ""): value for path, value in found.items()}


def _size(path: str) -> tuple[int, int] | None:
    """(number of files, bytes in all); the same for a file and its copy."""
    try:
        place = Path(path)
        if place.is_dir():
            files = [f for f in place.iterdir() if f.is_file() and not f.name.startswith(".")]
            return len(files), sum(file.stat().st_size for file in files)
        return 1, place.stat().st_size
    except OSError:
        return None


def _hash(path: str) -> str | None:
    try:
        return content_hash(path)
    except MediaError:
        return None
