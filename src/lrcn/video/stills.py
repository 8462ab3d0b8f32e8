"""Videos whose frames can each be fetched on their own: the common part of folders and arrays."""

from __future__ import annotations

import bisect
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np
import torch

from lrcn.structures import Clip, VideoInfo
from lrcn.video.pixels import Pixels
from lrcn.video.sampling import thin

DEFAULT_FPS = 25.0
"""Frames per second taken for the times of sources without a clock."""


class StillsVideo(ABC):
    """A video made of separate pictures; subclasses give the n-th one.

    Without `fps` the source has no clock (`info.fps` is None), and its times count 25 frames per
    second.
    """

    def __init__(
        self,
        name: str,
        *,
        num_frames: int,
        height: int,
        width: int,
        fps: float | None,
        start_seconds: float | None,
        end_seconds: float | None,
        container: str,
    ) -> None:
        if fps is not None and not fps > 0:
            raise ValueError(f"fps is {fps}; it must be positive, or None where there is no clock")
        rate = fps or DEFAULT_FPS
        self.name = name
        self._times = [i / rate for i in range(num_frames)]
        first = bisect.bisect_left(self._times, start_seconds) if start_seconds else 0
        stop = num_frames if end_seconds is None else bisect.bisect_left(self._times, end_seconds)
        self._range = range(first, max(first, stop))
        self.info = VideoInfo(
            height=height,
            width=width,
            fps=fps,
            num_frames=num_frames,
            duration_seconds=num_frames / rate,
            container=container,
        )

    @abstractmethod
    def _picture(self, frame_index: int) -> Pixels:
        """H x W x 3 uint8 RGB."""

    @property
    def truncated(self) -> bool:
        """Never: what cannot be read is an error here."""
        return False

    @property
    def end_seconds(self) -> float:
        """When the last frame (of the interval) ends."""
        return self._range.stop / (self.info.fps or DEFAULT_FPS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:  # noqa: B027 - there is nothing to close, and nobody must
        """Nothing stays open between reads."""

    def frame_range(self) -> range:
        """Indices of the frames that this source offers: all, or those in the interval."""
        return self._range

    def count(self) -> int:
        """How many frames there are (in the interval)."""
        return len(self._range)

    def pts_seconds(self) -> torch.Tensor:
        """Times of the frames in `frame_range`, T float64."""
        return torch.tensor([self._times[i] for i in self._range], dtype=torch.float64)

    def iterate(
        self, *, chunk: int = 32, frame_stride: int = 1, sample_fps: float | None = None
    ) -> Iterator[Clip]:
        """All frames in sequence, at most `chunk` at a time; those thinned away are not read.

        Raises:
            ValueError: `chunk` is below 1.
        """
        if chunk < 1:
            raise ValueError(f"chunk is {chunk}; it must be at least 1 frame")
        times = [self._times[i] for i in self._range]
        kept = thin(times, frame_stride=frame_stride, sample_fps=sample_fps)
        for first in range(0, len(kept), chunk):
            yield self.read([self._range[i] for i in kept[first : first + chunk]])

    def read(self, frame_indices: Sequence[int]) -> Clip:
        """Frames by index, in any order, also repeated.

        Raises:
            MediaError: A picture cannot be read.
            ValueError: An index lies outside `frame_range`.
        """
        wanted = [int(i) for i in frame_indices]
        for i in wanted:
            if i not in self._range:
                raise ValueError(
                    f"{self.name}: frame {i} was asked for; "
                    f"the video has frames {self._range.start} to {self._range.stop - 1}"
                )
        pixels = np.empty((len(wanted), self.info.height, self.info.width, 3), np.uint8)
        for place, i in enumerate(wanted):
            pixels[place] = self._picture(i)
        return Clip(
            frames_TCHW=torch.from_numpy(pixels).permute(0, 3, 1, 2),
            pts_seconds_T=torch.tensor([self._times[i] for i in wanted], dtype=torch.float64),
            frame_indices_T=torch.tensor(wanted, dtype=torch.int64),
        )
