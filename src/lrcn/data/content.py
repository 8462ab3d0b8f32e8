"""Names for content: the same bytes give the same hash wherever they lie.

The feature cache keys on it (a renamed file is not decoded again, a replaced one is), and
`lrcn.data.split` finds copies of one file on both sides of a split with it.
"""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

from lrcn.errors import MediaError

_DIGEST_BYTES = 16
_Stamp = tuple[tuple[str, int, int], ...]
"""(name, size, modification time in ns) of every file that a hash was taken over."""

_known: dict[tuple[str, _Stamp], str] = {}
_known_lock = threading.Lock()


def content_hash(path: str | os.PathLike[str]) -> str:
    """32 hexadecimal digits that stand for the bytes of a file, or of a folder of frames.

    A file is hashed whole, with its size. A folder is hashed over the names and contents of the
    files in it (hidden ones and sub-folders are left out). Within one process a path whose size
    and modification time have not changed is not read again. Safe to call from many threads.

    Raises:
        MediaError: the path is absent or cannot be read.
    """
    place = Path(path)
    if place.exists() and not (place.is_file() or place.is_dir()):
        raise MediaError(f"{place} is a pipe or device and no file; save its content to a file")
    try:
        stamp = _stamp(place)
        key = (os.path.realpath(place), stamp)
        with _known_lock:
            found = _known.get(key)
        if found is None:
            found = _hash_folder(place) if place.is_dir() else _hash_file(place)
            with _known_lock:
                _known[key] = found
    except OSError as error:
        reason = error.strerror or str(error)
        raise MediaError(
            f"{place} cannot be read: {reason}. Its content is needed to tell it from other "
            f"files; restore it or take it off the list."
        ) from error
    return found


def _files_of(folder: Path) -> list[Path]:
    return sorted(f for f in folder.iterdir() if f.is_file() and not f.name.startswith("."))


def _stamp(path: Path) -> _Stamp:
    files = _files_of(path) if path.is_dir() else [path]
    stats = [(f.name, f.stat()) for f in files]
    return tuple((name, s.st_size, s.st_mtime_ns) for name, s in stats)


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=_DIGEST_BYTES))
        digest.update(f"\0size {file.tell()}".encode())
    return digest.hexdigest()


def _hash_folder(folder: Path) -> str:
    digest = hashlib.blake2b(b"folder", digest_size=_DIGEST_BYTES)
    for file in _files_of(folder):
        # Lengths first, so that no choice of names and contents can stand for another.
        name = file.name.encode(errors="surrogateescape")
        digest.update(len(name).to_bytes(8, "big") + name + _hash_file(file).encode())
    return digest.hexdigest()
