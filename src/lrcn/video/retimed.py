"""A video whose frames have the indices and times of another's.

Stored flow images are a folder or a file of their own, which counts from 0. What they show belongs
to frames 1, 2, ... of the video they were made of; with its times an interval, a rate or an answer
means the same whether flow is stored or computed.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Self

import torch
from torch import Tensor

from lrcn.structures import Clip
from lrcn.video.sampling import thin
from lrcn.video.source import VideoSource
from lrcn.video.stills import DEFAULT_FPS


class RetimedVideo:
    """Frame i of an open video as frame `first_index` + i, at the i-th time; closes it with it."""

    def __init__(
        self,
        video: VideoSource,
        times_seconds: Sequence[float],
        *,
        first_index: int,
        fps: float | None,
        start_seconds: float | None = None,
        end_seconds: float | None = None,
    ) -> None:
        """Take an open video, offered from its first frame to its last.

        Args:
            video: As many frames as times.
            times_seconds: Not decreasing.
            first_index: Index of the first frame.
            fps: Frames per second of the source; None where it has no clock.
            start_seconds: Frames before are left out.
            end_seconds: Frames from there on are left out.
        """
        self._video = video
        self._times = list(times_seconds)
        self._offset = first_index
        first = bisect.bisect_left(self._times, start_seconds) if start_seconds else 0
        stop = len(self._times)
        if end_seconds is not None:
            stop = bisect.bisect_left(self._times, end_seconds)
        self._range = range(first_index + first, first_index + max(first, stop))
        self.name = video.name
        self.info = replace(video.info, fps=fps, num_frames=len(self._times))

    @property
    def truncated(self) -> bool:
        """Whether the video is damaged; certain once it was read to its end."""
        return self._video.truncated

    @property
    def end_seconds(self) -> float:
        """When the last frame (of the interval) ends; frames last as long as they do on average."""
        last = self._range.stop - 1 - self._offset
        return self._times[last] + 1 / (self.info.fps or DEFAULT_FPS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the video."""
        self._video.close()

    def frame_range(self) -> range:
        """Indices of the frames that this source offers: all, or those in the interval."""
        return self._range

    def count(self) -> int:
        """The length of `frame_range`."""
        return len(self._range)

    def pts_seconds(self) -> Tensor:
        """Times of the frames in `frame_range`, T float64."""
        return self._times_of(self._range)

    def iterate(
        self, *, chunk: int = 32, frame_stride: int = 1, sample_fps: float | None = None
    ) -> Iterator[Clip]:
        """All frames in sequence, at most `chunk` at a time; those thinned away are not read.

        Raises:
            MediaError: a frame cannot be read.
            ValueError: `chunk` is below 1.
        """
        if chunk < 1:
            raise ValueError(f"chunk is {chunk}; it must be at least 1 frame")
        times = self.pts_seconds().tolist()
        kept = thin(times, frame_stride=frame_stride, sample_fps=sample_fps)
        for first in range(0, len(kept), chunk):
            yield self.read([self._range[i] for i in kept[first : first + chunk]])

    def read(self, frame_indices: Sequence[int]) -> Clip:
        """Frames by index, in any order, also repeated.

        Raises:
            MediaError: a frame cannot be read.
            ValueError: an index lies outside `frame_range`.
        """
        wanted = [int(i) for i in frame_indices]
        outside = [i for i in wanted if i not in self._range]
        if outside:
            raise ValueError(
                f"{self.name}: frame {outside[0]} was asked for; there are {self._range.start} to"
                f" {self._range.stop - 1}"
            )
        return replace(
            self._video.read([i - self._offset for i in wanted]),
            pts_seconds_T=self._times_of(wanted),
            frame_indices_T=torch.tensor(wanted, dtype=torch.int64),
        )

    def _times_of(self, frame_indices: Sequence[int]) -> Tensor:
        times = [self._times[i - self._offset] for i in frame_indices]
        return torch.tensor(times, dtype=torch.float64)
