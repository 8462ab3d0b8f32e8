"""Photos that are to be described: which are meant, and what the CNN sees of each."""

from __future__ import annotations

import glob
import os
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lrcn.data.ahead import run_ahead
from lrcn.data.images import is_photo_path
from lrcn.data.modality import open_pictures
from lrcn.data.transforms import EvalTransform
from lrcn.data.visual_features import photo_frames
from lrcn.errors import DataError, MediaError
from lrcn.structures import Preprocessing, SkippedFile
from lrcn.video.features import is_feature_path, read_features
from lrcn.video.source import is_video_path

_HIDDEN = "."


def expand_photos(paths: Sequence[str]) -> list[str]:
    """The photos that are meant, in the order given, each once.

    ===================================  =====================================================
    a file                               itself, also when it does not exist, and a video too:
                                         that is one answer among the others
    a folder                             every photo below it; every video where there is none
    a pattern (``*``, ``?``, ``[``)      what it matches, each treated as above; ``**`` descends
    ===================================  =====================================================

    Raises:
        DataError: a folder holds no photo, or a pattern matches nothing.
    """
    found: dict[str, str] = {}
    for path in paths:
        for one in _expand(path):
            found.setdefault(os.path.realpath(one), one)
    return list(found.values())


def photos_passed_over(paths: Sequence[str]) -> list[str]:
    """What lies below the folders that are searched and is no photo by its name."""
    folders = [Path(path) for path in dict.fromkeys(paths) if Path(path).is_dir()]
    below = [list(_files_below(folder)) for folder in folders]
    return [
        str(path)
        for files in below
        for path in files
        if not is_photo_path(path) and any(is_photo_path(other) for other in files)
    ]


def _expand(path: str) -> list[str]:
    if not Path(path).exists() and glob.has_magic(path):
        matches = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute one
        if not matches:
            raise DataError(f"no file matches {path!r}; check the folder, or quote less of it")
        return [one for match in matches for one in _expand(match)]
    if not Path(path).is_dir():
        return [path]
    files = list(_files_below(Path(path)))
    photos = [str(one) for one in files if is_photo_path(one)]
    chosen = photos or [str(one) for one in files if is_video_path(one)]
    if not chosen:
        kinds = Counter(one.suffix.lower() or "no extension" for one in files).most_common(3)
        others = ", ".join(f"{number} {kind}" for kind, number in kinds)
        raise DataError(
            f"{path} holds no photo ({'only ' + others if others else 'it is empty'});"
            " give another folder, or name the files themselves"
        )
    return chosen


def _files_below(folder: Path) -> Iterator[Path]:
    """Every file, sorted, links followed but never back up; hidden ones are left out."""
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        folders[:] = sorted(name for name in folders if not name.startswith(_HIDDEN))
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        for name in sorted(names):
            if not name.startswith(_HIDDEN):
                yield Path(place) / name


def photo_features(
    items: Iterable[tuple[str, Any]],
    backbone: Callable[[Tensor], Tensor],
    preprocessing: Preprocessing,
    *,
    feature_dim: int,
    batch_size: int,
    decode_threads: int = 1,
) -> Generator[Tensor | SkippedFile, None, None]:
    """What the CNN says of every photo, in order, while the next ones are decoded.

    A video is seen by its frame in the middle.

    Args:
        items: Name and path, bytes, Pillow image, array or tensor; taken a few batches ahead.
        backbone: uint8 frames_NCHW to features_ND.
        preprocessing: The model's.
        feature_dim: What feature files must have.
        batch_size: Photos per call of the backbone.
        decode_threads: Files decoded at the same time.

    Yields:
        features_TD (T = 1 but for feature files), or why there are none.
    """
    reader = _Reader(preprocessing, feature_dim)
    waiting: deque[_Piece] = deque()
    ahead = run_ahead(items, reader, threads=decode_threads, window=2 * batch_size)
    with closing(ahead):
        for pieces in ahead:
            waiting.extend(pieces)
            if len(waiting) >= batch_size:
                yield from _features(waiting, backbone)
                waiting.clear()
    yield from _features(waiting, backbone)


@dataclass(frozen=True)
class _Frame:
    """One picture as the backbone sees it."""

    frames_1CHW: Tensor


_Piece = _Frame | Tensor | SkippedFile


def _features(
    pieces: Iterable[_Piece], backbone: Callable[[Tensor], Tensor]
) -> Iterator[Tensor | SkippedFile]:
    pieces = list(pieces)
    frames = [piece.frames_1CHW for piece in pieces if isinstance(piece, _Frame)]
    rows = iter(torch.split(backbone(torch.cat(frames)), 1) if frames else ())
    for piece in pieces:
        yield next(rows) if isinstance(piece, _Frame) else piece


@dataclass(frozen=True)
class _Reader:
    """The work of the threads."""

    preprocessing: Preprocessing
    feature_dim: int

    def __call__(self, item: tuple[str, Any]) -> Iterator[_Piece]:
        name, source = item
        try:
            yield self._read(source)
        except (MediaError, TypeError) as error:
            path = os.fspath(source) if isinstance(source, str | os.PathLike) else name
            reason = str(error)
            for shown in (path, "<bytes>", "<picture>"):
                reason = reason.removeprefix(f"{shown}: ").removeprefix(f"{shown} ")
            yield SkippedFile(path=path, reason=reason)

    def _read(self, source: Any) -> _Piece:
        if isinstance(source, str | os.PathLike) and is_feature_path(source):
            return feature_file(os.fspath(source), self.feature_dim)
        if _is_video(source):
            return _Frame(self._middle(source))
        return _Frame(photo_frames(source, self.preprocessing))

    def _middle(self, source: Any) -> Tensor:
        """frames_1CHW: the frame in the middle."""
        with open_pictures(source, self.preprocessing) as video:
            indices = video.frame_range()
            if not indices:
                raise MediaError(f"{video.name}: no frame can be read; give another file")
            frames_1CHW = video.read([indices[len(indices) // 2]]).frames_TCHW
        return EvalTransform(self.preprocessing)(frames_1CHW)[0]


def feature_file(path: str, feature_dim: int, name: str = "") -> Tensor:
    """features_TD of a file.

    Raises:
        MediaError: it cannot be read, or is of another width.
    """
    features_TD = read_features(path, name)
    if features_TD.shape[1] != feature_dim:
        raise MediaError(
            f"{path}: its features are {features_TD.shape[1]} wide, the model takes {feature_dim}."
            " Compute them with the model's own backbone"
        )
    return features_TD


def _is_video(source: Any) -> bool:
    """Whether it is to be opened as a video; whatever is neither is tried as a photo."""
    if isinstance(source, str | os.PathLike):
        return Path(source).is_dir() or (is_video_path(source) and not is_photo_path(source))
    if isinstance(source, np.ndarray | Tensor):
        return source.ndim == 4 and len(source) != 1
    return isinstance(source, list | tuple)
