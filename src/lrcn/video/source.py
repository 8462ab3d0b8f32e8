"""One interface over everything that has frames, and `open_video`, which finds the right reader."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from torch import Tensor

from lrcn.structures import Clip, VideoInfo
from lrcn.video.arrays import ArrayVideo, IteratorVideo
from lrcn.video.frames import (
    IMAGE_EXTENSIONS,
    FrameFolder,
    SinglePicture,
    is_frame_folder,
    is_single_picture,
)
from lrcn.video.reader import VideoReader

__all__ = [
    "IMAGE_EXTENSIONS",
    "VIDEO_EXTENSIONS",
    "VideoSource",
    "is_frame_folder",
    "is_video_path",
    "open_video",
]

VIDEO_EXTENSIONS = frozenset(
    {
        *(".3g2", ".3gp", ".apng", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif", ".m2ts"),
        *(".m2v", ".m4v", ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".nut"),
        *(".ogv", ".qt", ".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv", ".xvid", ".y4m"),
    }
)
"""Endings (lower case) by which videos are found in folders; a file named outright needs none."""


class VideoSource(Protocol):
    """What every reader offers. Frames are the same whichever way they are read."""

    name: str
    """For messages: the path, or what stands for it."""
    info: VideoInfo

    @property
    def truncated(self) -> bool:
        """Whether the source ended early or is damaged; certain once it was read to its end."""
        ...

    @property
    def end_seconds(self) -> float:
        """When the last frame (of the interval) ends; known once `iterate` has come to its end."""
        ...

    def iterate(
        self, *, chunk: int = 32, frame_stride: int = 1, sample_fps: float | None = None
    ) -> Iterator[Clip]:
        """All frames in sequence, at most `chunk` at a time, thinned as by `sampling.thin`."""
        ...

    def read(self, frame_indices: Sequence[int]) -> Clip:
        """Frames by index (out of `frame_range`), in any order, also repeated."""
        ...

    def frame_range(self) -> range:
        """Indices of the frames that can be read: all, or those in the interval."""
        ...

    def count(self) -> int:
        """The length of `frame_range`."""
        ...

    def pts_seconds(self) -> Tensor:
        """Times of the frames in `frame_range`, T float64."""
        ...

    def close(self) -> None:
        """Let go of files and decoders."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def is_video_path(path: str | os.PathLike[str]) -> bool:
    """Whether the name looks like a video file's; the file is not opened."""
    return Path(path).suffix.lower() in VIDEO_EXTENSIONS


def open_video(
    source: Any,
    *,
    start_seconds: float | None = None,
    end_seconds: float | None = None,
    threads: int = 1,
) -> VideoSource:
    """Open anything that has frames.

    ===================================================  =================
    source                                               reader
    ===================================================  =================
    path of a file; bytes or a binary file object        `VideoReader`
    path of a folder of numbered images                  `FrameFolder`
    path of a picture                                    `SinglePicture`
    array, tensor, or list of pictures                   `ArrayVideo`
    iterator or generator of pictures                    `IteratorVideo`
    ===================================================  =================

    Args:
        source: See the table.
        start_seconds: Frames before are left out.
        end_seconds: Frames from there on are left out.
        threads: For decoding; 0 takes as many as there are processors.

    Raises:
        MediaError: It cannot be opened.
        TypeError: It is nothing of the table.
        ValueError: The interval is empty.
    """
    start, end = _checked_interval(start_seconds, end_seconds)
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        if Path(path).is_dir():
            return FrameFolder(path, start_seconds=start, end_seconds=end)
        if is_single_picture(path):
            return SinglePicture(path, start_seconds=start, end_seconds=end)
        return VideoReader(path, threads=threads, start_seconds=start, end_seconds=end)
    if isinstance(source, io.IOBase):
        source = source.read()
    if isinstance(source, bytes | bytearray | memoryview):
        return VideoReader(bytes(source), threads=threads, start_seconds=start, end_seconds=end)
    if isinstance(source, np.ndarray | Tensor | list | tuple):
        return ArrayVideo(source, start_seconds=start, end_seconds=end)
    if isinstance(source, Iterable):
        return IteratorVideo(source, start_seconds=start, end_seconds=end)
    raise TypeError(
        f"a {type(source).__name__} is no video; give a path, bytes, an array or tensor "
        "(T x H x W x 3), or an iterator of pictures"
    )


def _checked_interval(
    start_seconds: float | None, end_seconds: float | None
) -> tuple[float | None, float | None]:
    for name, value in (("start_seconds", start_seconds), ("end_seconds", end_seconds)):
        if value is not None and not (np.isfinite(value) and value >= 0):
            raise ValueError(f"{name} is {value}; it must be 0 or more seconds")
    if start_seconds is not None and end_seconds is not None and end_seconds <= start_seconds:
        raise ValueError(
            f"the interval from {start_seconds} to {end_seconds} seconds is empty; "
            "end_seconds must be greater than start_seconds"
        )
    return start_seconds, end_seconds
