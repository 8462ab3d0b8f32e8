"""An index of photos: what a captioner sees of each, in one file, so that the CNN runs once.

::

    photos.index   a safetensors file: features_ND of all photos one after the other, float32;
                   beside them the model's key, and of each photo path, size, time, content hash

A photo whose size and time of change are as they were counts as unchanged; otherwise its bytes
decide, wherever it lies. An index belongs to one model: another one sees other features.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lrcn.checkpoint import SavedCaptioner, weights_hash
from lrcn.data.content import content_hash
from lrcn.data.store import read_tensors, write_tensors
from lrcn.errors import DataError, ModelError
from lrcn.settings import to_dict

_KIND = "lrcn photo index"
_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class IndexedPhoto:
    """One photo that was looked at."""

    path: str
    """As it was given."""
    stamp: tuple[int, int] | None
    """Size and time of change in ns; None for a folder of frames, whose bytes decide."""
    content: str
    """Hash of its bytes."""
    features_TD: Tensor

    @property
    def about(self) -> tuple[str, tuple[int, int] | None, str]:
        """All but the features."""
        return self.path, self.stamp, self.content


class PhotoIndex:
    """Photos by path and by content."""

    def __init__(self, key: str, photos: Iterable[IndexedPhoto] = ()) -> None:
        """Take photos.

        Args:
            key: Of the model that saw them, from `model_key`.
            photos: In the order in which they are to be listed.
        """
        self.key = key
        self.photos = list(photos)
        self._by_path = {os.path.realpath(one.path): one for one in self.photos}
        self._by_content = {one.content: one for one in self.photos}

    def find(self, path: str) -> IndexedPhoto | None:
        """The photo that lies at a path now, if it is known, wherever it lay before.

        Raises:
            MediaError: the path cannot be read.
        """
        stamp = _stamp(path)
        same_place = self._by_path.get(os.path.realpath(path))
        if same_place is not None and stamp is not None and same_place.stamp == stamp:
            return replace(same_place, path=path)
        found = self._by_content.get(content_hash(path))
        return None if found is None else replace(found, path=path, stamp=stamp)

    def lists(self, photos: Sequence[IndexedPhoto]) -> bool:
        """Whether it holds just these, in this order, as they are now."""
        return [o.about for o in photos] == [o.about for o in self.photos]

    def save(self, file: Path) -> None:
        """Write the index, whole or not at all.

        Raises:
            OutputError: it cannot be written.
        """
        rows = [one.features_TD for one in self.photos]
        about = [[*one.about, len(one.features_TD)] for one in self.photos]
        described = {"kind": _KIND, "format": _FORMAT, "model": self.key, "photos": about}
        write_tensors(file, {"features_ND": torch.cat(rows)}, described)

    @classmethod
    def load(cls, file: Path, key: str) -> PhotoIndex:
        """Read an index.

        Args:
            file: From `save`.
            key: Of the model that is to use it.

        Raises:
            DataError: it is absent, damaged, or no index.
            ModelError: it was made with another model.
        """
        tensors, meta = read_tensors(file)
        if meta.get("kind") != _KIND or meta.get("format") != _FORMAT:
            raise DataError(
                f"{file} is no index of photos that this version reads; one made by"
                " `lrcn retrieve --index FILE` is needed. Choose another name"
            )
        if meta["model"] != key:
            raise ModelError(
                f"{file} was made with another model (or with other weights of this one), which"
                " sees other features. Add --overwrite to make it anew, or choose another file"
            )
        try:
            lengths = [int(entry[3]) for entry in meta["photos"]]
            pieces = torch.split(tensors["features_ND"], lengths)
            photos = [
                _photo(entry, rows) for entry, rows in zip(meta["photos"], pieces, strict=True)
            ]
        except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
            raise DataError(f"{file} is damaged ({error!r}); remove it and make it anew") from error
        return cls(key, photos)


def indexed(path: str, features_TD: Tensor) -> IndexedPhoto:
    """A photo that was looked at just now.

    Raises:
        MediaError: the path cannot be read any more.
    """
    stamp = _stamp(path)
    return IndexedPhoto(
        path=path, stamp=stamp, content=content_hash(path), features_TD=features_TD.float().cpu()
    )


def model_key(saved: SavedCaptioner) -> str:
    """A short hash of everything in a model that features depend on."""
    preprocessing = saved.model.preprocessing
    parts: dict[str, Any] = {
        "weights": weights_hash(saved.model),
        "vocabulary": saved.model.vocabulary.hash,
        "preprocessing": None if preprocessing is None else to_dict(preprocessing),
        "sampling": to_dict(saved.sampling),
        "media": saved.media,
    }
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - a path from the command line, as it is
    except OSError:
        return None
    return None if Path(path).is_dir() else (status.st_size, status.st_mtime_ns)


def _photo(entry: list[Any], features_TD: Tensor) -> IndexedPhoto:
    path, stamp, content, _ = entry
    return IndexedPhoto(
        path=str(path),
        stamp=None if stamp is None else (int(stamp[0]), int(stamp[1])),
        content=str(content),
        features_TD=features_TD,
    )
