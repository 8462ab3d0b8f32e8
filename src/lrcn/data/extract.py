"""Videos in, features out: every frame once through the CNN.

::

    items ── threads, ahead: open, decode, thin, resize, crop ──► chunks of frames, in order
          ── batches across the borders of videos ──► backbone ──► VideoFeatures, in order

Cached features and feature files pass by the CNN. What cannot be read becomes a `SkippedFile` at
its place in the order. Of a video only its features stay in memory: decoded frames are never more
than a few chunks, however long it is.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lrcn.data.ahead import run_ahead
from lrcn.data.cache import FeatureCache
from lrcn.data.feature_source import FeatureSource
from lrcn.data.modality import open_item, open_pictures
from lrcn.data.transforms import EvalTransform
from lrcn.engine import FastBackbone
from lrcn.errors import MediaError
from lrcn.structures import Preprocessing, SkippedFile, VideoFeatures, VideoInfo, VideoItem
from lrcn.video.features import is_feature_path, read_features
from lrcn.video.sampling import SamplingConfig
from lrcn.video.source import VideoSource
from lrcn.video.stills import DEFAULT_FPS

Source = VideoItem | tuple[str, Any]
"""A line of a data set, or an id and anything that `open_video` takes or a feature file's path."""

_CHUNK_FRAMES = 32
_CHUNK_BYTES = 64 * 2**20
"""Decoded frames of one chunk: 32 frames up to 830 x 830 pixels, fewer of larger ones."""


def extract_features(
    items: Iterable[Source],
    backbone: Callable[[Tensor], Tensor] | None,
    preprocessing: Preprocessing | None,
    *,
    sampling: SamplingConfig,
    num_crops: int = 1,
    batch_size: int = 32,
    cache: FeatureCache | None = None,
    decode_threads: int = 1,
    feature_dim: int | None = None,
    holds_flow: bool | None = None,
) -> Generator[VideoFeatures | SkippedFile, None, None]:
    """The features of every item, in order.

    Args:
        items: Taken a few ahead; may be an endless iterator.
        backbone: uint8 frames_NCHW at the input size -> features_ND; usually a `FastBackbone`.
            None where all items are feature files.
        preprocessing: The model's; None where there is no backbone. With modality flow the flow
            images of every video, computed as it is read, or those that it is.
        sampling: Its `frame_stride` and `sample_fps` thin the frames. Feature files are taken
            as they are.
        num_crops: Views of each frame, 1 or 10.
        batch_size: Frames per call of the backbone.
        cache: Read and filled for items that are files. Needs a `FastBackbone`, which knows its
            own weights.
        decode_threads: Videos decoded at the same time.
        feature_dim: What feature files must have; None allows any.
        holds_flow: Whether items that are no `VideoItem` are flow images; None to recognise it.

    Yields:
        features_VTD float32 on the processor, V = `num_crops` (1 for feature files); or why the
        item was left out.

    Raises:
        TypeError: a cache was given with a backbone that is no `FastBackbone`.
    """
    reader = _Reader(
        transform=EvalTransform(preprocessing, num_crops) if preprocessing is not None else None,
        sampling=sampling,
        cache=cache,
        source=_source(backbone, preprocessing, sampling, num_crops) if cache else None,
        feature_dim=feature_dim,
        holds_flow=holds_flow,
    )
    batcher = _Batcher(backbone, batch_size)
    waiting: deque[_Video] = deque()
    with closing(run_ahead(items, reader, threads=decode_threads)) as ahead:
        for pieces in ahead:
            video = _Video()
            waiting.append(video)
            for piece in pieces:
                if isinstance(piece, _Frames):
                    video.chunks.append(_Chunk(piece))
                    batcher.add(video.chunks[-1])
                else:
                    video.end = piece
                while waiting and waiting[0].complete:
                    yield _finished(waiting.popleft(), cache)
    batcher.flush()
    while waiting:
        yield _finished(waiting.popleft(), cache)


def _source(
    backbone: Callable[[Tensor], Tensor] | None,
    preprocessing: Preprocessing | None,
    sampling: SamplingConfig,
    num_crops: int,
) -> FeatureSource | None:
    if backbone is None or preprocessing is None:
        return None
    if not isinstance(backbone, FastBackbone):
        raise TypeError(
            f"a feature cache was given with a {type(backbone).__name__}; entries are named by the "
            "weights, which only a FastBackbone knows. Wrap it with fast_backbone, or give no cache"
        )
    return FeatureSource.of(backbone, preprocessing, sampling, num_crops=num_crops)


@dataclass(frozen=True)
class _Frames:
    """Some frames of a video, ready for the backbone."""

    frames_VTCHW: Tensor
    pts_seconds_T: Tensor
    frame_indices_T: Tensor


@dataclass(frozen=True)
class _End:
    """What is known of a video once all its frames were read."""

    video_id: str
    info: VideoInfo
    truncated: bool
    key: str | None


_Piece = _Frames | _End | VideoFeatures | SkippedFile


class _Chunk:
    """Some frames of a video on their way through the backbone; pictures become features."""

    def __init__(self, frames: _Frames) -> None:
        self.pts_seconds_T = frames.pts_seconds_T
        self.frame_indices_T = frames.frame_indices_T
        self._shape_VT = frames.frames_VTCHW.shape[:2]
        self._frames_NCHW = frames.frames_VTCHW.flatten(0, 1)
        self._features_ND: list[Tensor] = []

    @property
    def num_left(self) -> int:
        return len(self._frames_NCHW)

    @property
    def complete(self) -> bool:
        return sum(map(len, self._features_ND)) == self._shape_VT.numel()

    def take(self, num_frames: int) -> Tensor:
        taken_NCHW = self._frames_NCHW[:num_frames]
        left_NCHW = self._frames_NCHW[num_frames:]
        # An empty view would keep all the pictures in memory until the video's end.
        self._frames_NCHW = left_NCHW if len(left_NCHW) else torch.empty(0)
        return taken_NCHW

    def give(self, features_ND: Tensor) -> None:
        self._features_ND.append(features_ND)

    def join(self) -> Tensor:
        """features_VTD of the chunk."""
        return torch.cat(self._features_ND).view(*self._shape_VT, -1)


class _Video:
    """A video on its way through the backbone."""

    def __init__(self) -> None:
        self.chunks: list[_Chunk] = []
        self.end: _End | VideoFeatures | SkippedFile | None = None

    @property
    def complete(self) -> bool:
        return self.end is not None and all(chunk.complete for chunk in self.chunks)


@dataclass(frozen=True)
class _Reader:
    """The work of the threads: from an item to its pieces."""

    transform: EvalTransform | None
    sampling: SamplingConfig
    cache: FeatureCache | None
    source: FeatureSource | None
    feature_dim: int | None
    holds_flow: bool | None

    def __call__(self, item: Source) -> Iterator[_Piece]:
        if isinstance(item, tuple):
            video_id, what = item
        else:
            video_id, what = item.video_id, item.path
        name = os.fspath(what) if isinstance(what, str | os.PathLike) else video_id
        try:
            if isinstance(what, str | os.PathLike):
                path = os.fspath(what)
                line = item if isinstance(item, VideoItem) else self._item(video_id, path)
                yield from self._file(line)
            else:
                with self._open(what) as video:
                    yield from self._video(video, video_id, None)
        except MediaError as error:
            yield SkippedFile(path=name, reason=_without_name(str(error), name))
        except OSError as error:
            yield SkippedFile(path=name, reason=error.strerror or str(error))

    def _file(self, item: VideoItem) -> Iterator[_Piece]:
        if is_feature_path(item.path):
            yield _read_feature_file(item, self.feature_dim)
            return
        key = None
        if self.cache is not None and self.source is not None:
            key = self.source.key(self.cache, item)
            found = self.cache.get(key, video_id=item.video_id)
            if found is not None:
                yield found
                return
        if self.transform is None:
            raise self._no_pictures(item.path)
        with open_item(item, self.transform.preprocessing) as video:
            yield from self._video(video, item.video_id, key)

    def _open(self, source: Any) -> VideoSource:
        if self.transform is None:
            raise self._no_pictures("the input")
        return open_pictures(source, self.transform.preprocessing, holds_flow=self.holds_flow)

    def _item(self, video_id: str, path: str) -> VideoItem:
        return VideoItem(path=path, video_id=video_id, class_names=(), holds_flow=self.holds_flow)

    def _no_pictures(self, name: str) -> MediaError:
        return MediaError(
            f"{name}: is a video, and this model takes features of frames (it has no CNN). Give"
            " it .npy, .npz or .h5 files"
        )

    def _video(self, video: VideoSource, video_id: str, key: str | None) -> Iterator[_Piece]:
        assert self.transform is not None  # without one nothing was opened
        num_frames = 0
        chunk = _chunk_frames(video.info, self.transform.num_crops)
        for clip in video.iterate(
            chunk=chunk,
            frame_stride=self.sampling.frame_stride,
            sample_fps=self.sampling.sample_fps,
        ):
            frames_VTCHW = self.transform(clip.frames_TCHW, first=num_frames)
            num_frames += len(clip)
            yield _Frames(frames_VTCHW, clip.pts_seconds_T, clip.frame_indices_T)
        if num_frames == 0:
            raise MediaError(f"{video.name}: no frame lies in the interval that was asked for")
        yield _End(video_id, video.info, video.truncated, key)


class _Batcher:
    """Fills batches with frames of one video after the other."""

    def __init__(self, backbone: Callable[[Tensor], Tensor] | None, batch_size: int) -> None:
        self._backbone = backbone
        self._batch_size = batch_size
        self._chunks: deque[_Chunk] = deque()

    def add(self, chunk: _Chunk) -> None:
        """Take frames; run the backbone as often as a batch is full."""
        self._chunks.append(chunk)
        while sum(chunk.num_left for chunk in self._chunks) >= self._batch_size:
            self._run()

    def flush(self) -> None:
        """Run the backbone on what is left."""
        if self._chunks:
            self._run()

    def _run(self) -> None:
        assert self._backbone is not None  # without one there is no transform, hence no frames
        owners: list[_Chunk] = []
        parts: list[Tensor] = []
        room = self._batch_size
        while room and self._chunks:
            chunk = self._chunks[0]
            parts.append(chunk.take(room))
            owners.append(chunk)
            room -= len(parts[-1])
            if not chunk.num_left:
                self._chunks.popleft()
        features_ND = self._backbone(parts[0] if len(parts) == 1 else torch.cat(parts))
        for chunk, rows_ND in zip(
            owners, torch.split(features_ND, [len(p) for p in parts]), strict=True
        ):
            chunk.give(rows_ND)


def _finished(video: _Video, cache: FeatureCache | None) -> VideoFeatures | SkippedFile:
    end = video.end
    assert end is not None
    if not isinstance(end, _End):
        return end
    features = VideoFeatures(
        video_id=end.video_id,
        features_VTD=torch.cat([chunk.join() for chunk in video.chunks], dim=1),
        pts_seconds_T=torch.cat([chunk.pts_seconds_T for chunk in video.chunks]),
        frame_indices_T=torch.cat([chunk.frame_indices_T for chunk in video.chunks]),
        info=end.info,
        truncated=end.truncated,
    )
    if cache is not None and end.key is not None:
        cache.put(end.key, features)
    return features


def _read_feature_file(item: VideoItem, feature_dim: int | None) -> VideoFeatures:
    features_TD = read_features(item.path, item.video_id)
    if feature_dim is not None and features_TD.shape[1] != feature_dim:
        raise MediaError(
            f"{item.path}: its features are {features_TD.shape[1]} wide, the model takes "
            f"{feature_dim}. Compute them with the model's own backbone"
        )
    indices_T = torch.arange(len(features_TD))
    pts_seconds_T = indices_T.double() / DEFAULT_FPS
    start, end = item.start_seconds or 0.0, item.end_seconds
    kept_T = (pts_seconds_T >= start) & (pts_seconds_T < (math.inf if end is None else end))
    if not kept_T.any():
        raise MediaError(
            f"{item.path}: no feature lies between {start} and {end} seconds (feature files have "
            f"no clock; {DEFAULT_FPS:g} a second are assumed)"
        )
    return VideoFeatures(
        video_id=item.video_id,
        features_VTD=features_TD[kept_T][None],
        pts_seconds_T=pts_seconds_T[kept_T],
        frame_indices_T=indices_T[kept_T],
        info=VideoInfo(height=0, width=0, num_frames=len(features_TD), container="features"),
    )


def _chunk_frames(info: VideoInfo, num_crops: int) -> int:
    """Frames of a chunk, so that neither its pictures nor its crops take much memory."""
    fitting = _CHUNK_BYTES // max(1, 3 * info.height * info.width)
    return max(1, min(_CHUNK_FRAMES // num_crops, fitting))


def _without_name(message: str, name: str) -> str:
    """The reason alone: a `SkippedFile` carries its path already."""
    return message.removeprefix(f"{name}: ").removeprefix(f"{name} ")
