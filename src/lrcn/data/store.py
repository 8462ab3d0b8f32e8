"""A folder of safetensors files by key: atomic writes, checked and memory-mapped reads."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import mmap
import os
import time
import uuid
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lrcn.errors import DataError, OutputError

_SUFFIX = ".safetensors"
_STALE_SECONDS = 3600.0
"""An unfinished file older than this belongs to a process that died."""

_DTYPES = {
    "F32": torch.float32,
    "F16": torch.float16,
    "F64": torch.float64,
    "I64": torch.int64,
    "U8": torch.uint8,
}
"""Kinds of numbers in entries, by their safetensors names."""

_log = logging.getLogger(__name__)


class TensorStore:
    """One file per key. Safe for any number of readers and writers at once.

    A file appears under its name only when complete. Each carries a checksum of every tensor,
    verified when this process first reads it; a file that fails is removed and counts as absent.

    Args:
        root: Folder of the files, made when first written to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._verified: dict[str, tuple[int, int, int]] = {}

    def path(self, key: str) -> Path:
        """Where the entry lies, or would lie."""
        return self.root / key[:2] / f"{key}{_SUFFIX}"

    def read(self, key: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Tensors backed by the mapped file, and the entry's description; None if absent."""
        path = self.path(key)
        try:
            tensors, meta, checksums, stamp = _open(path)
            if self._verified.get(key) != stamp:
                _verify(tensors, checksums)
                self._verified[key] = stamp
                # The time of last use, for prune. A cache on a read-only disk has none.
                with contextlib.suppress(OSError):
                    os.utime(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            # Not the file's fault: no more file handles, a disk that is gone.
            _log.warning("the cache file %s could not be read (%s); it is made again", path, error)
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            _log.warning("removed the damaged cache file %s (%s); it is made again", path, error)
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            return None
        return tensors, meta

    def write(self, key: str, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
        """Write an entry beside its place and move it there.

        Raises:
            OutputError: If the folder cannot be written, or the disk is full.
        """
        try:
            write_tensors(self.path(key), tensors, meta)
        except OutputError as error:
            raise OutputError(
                f"{error}. It belongs to the cache: set LRCN_CACHE to another folder, or prune it"
            ) from error

    def size_bytes(self) -> int:
        """Bytes of all entries, unfinished ones included."""
        return sum(size for _, size, _ in self._files())

    def prune(self, max_bytes: int) -> int:
        """Remove what was not used for longest until at most `max_bytes` remain.

        Returns:
            Bytes freed.
        """
        if max_bytes < 0:
            raise ValueError(f"max_bytes is {max_bytes}; it takes 0 (empty) or more.")
        files = sorted(self._files())
        total = before = sum(size for _, size, _ in files)
        now = time.time()
        for used, size, path in files:
            stale = path.suffix == ".tmp" and now - used > _STALE_SECONDS
            if stale or (total > max_bytes and path.suffix != ".tmp"):
                path.unlink(missing_ok=True)
                total -= size
        return before - total

    def _files(self) -> list[tuple[float, int, Path]]:
        """Time of last use, bytes and path of every file."""
        found = []
        for path in self.root.glob("??/*"):
            # Another process may remove a file at any time.
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        return found


def write_tensors(path: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write one file of tensors with a description, beside its place and then moved there.

    Raises:
        OutputError: The folder cannot be written, or the disk is full.
    """
    from safetensors.torch import save_file

    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    described = {
        "meta": json.dumps(dict(meta)),
        "checksums": json.dumps({name: _checksum(t) for name, t in plain.items()}),
    }
    unfinished = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(plain, unfinished, metadata=described)
        unfinished.replace(path)
    except Exception as error:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise OutputError(
            f"{path} cannot be written: {error}. A writable folder with free space is needed;"
            " choose another"
        ) from error


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors, backed by the mapped file, and the description of a file of `write_tensors`.

    Raises:
        DataError: The file is absent, damaged or of another kind.
    """
    try:
        tensors, meta, checksums, _ = _open(path)
        _verify(tensors, checksums)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is damaged, or of another kind: {error!r}") from error
    return tensors, meta


def _open(
    path: Path,
) -> tuple[dict[str, Tensor], dict[str, Any], dict[str, int], tuple[int, int, int]]:
    """Map a safetensors file: tensors, description, checksums, and which file it was.

    Not by the safetensors library, which opens a file twice: another process may put a new one in
    its place in between. The format is an 8-byte length, a JSON header of that length, the data.
    """
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        # Copy on write: whoever changes a tensor changes private memory.
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    data_start = 8 + int.from_bytes(mapped[:8], "little")
    if not 8 < data_start <= len(mapped):
        raise ValueError("its header does not fit into the file")
    header = json.loads(mapped[8:data_start])
    described = header.pop("__metadata__")
    tensors = {
        name: _view(mapped, data_start, entry["dtype"], entry["shape"], entry["data_offsets"])
        for name, entry in header.items()
    }
    stamp = (status.st_dev, status.st_ino, status.st_size)
    return tensors, json.loads(described["meta"]), json.loads(described["checksums"]), stamp


def _view(
    mapped: mmap.mmap, data_start: int, dtype: str, shape: list[int], place: list[int]
) -> Tensor:
    kind = _DTYPES[dtype]
    count = math.prod(shape)
    if not 0 <= place[0] <= place[1] <= len(mapped) - data_start:
        raise ValueError("a tensor reaches beyond the end of the file")
    if place[1] - place[0] != count * kind.itemsize:
        raise ValueError("a tensor's shape does not fit its bytes")
    if count == 0:
        return torch.empty(shape, dtype=kind)
    return torch.frombuffer(mapped, dtype=kind, count=count, offset=data_start + place[0]).view(
        shape
    )


def _verify(tensors: Mapping[str, Tensor], checksums: Mapping[str, int]) -> None:
    for name, expected in checksums.items():
        if _checksum(tensors[name]) != expected:
            raise ValueError(f"{name} does not match its checksum")


def _checksum(tensor: Tensor) -> int:
    return zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy()) if tensor.numel() else 0  # type: ignore[arg-type] # numpy arrays are buffers
