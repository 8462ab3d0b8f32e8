"""Which frames make up which clip: pure functions over frame numbers and times.

Two thinnings come first. `sample_fps` takes a source to a fixed rate by time; `frame_stride` then
takes every n-th of what is left. A clip is `clip_length` frames of that, a new one starts every
`clip_stride` frames. With letters for the frames of a video::

    video                     a b c d e f g h i j k l
    frame_stride 2            a   c   e   g   i   k
    clip_length 3             [a  c   e]  [g  i   k]      clip_stride 3
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch

from lrcn.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """How clips are taken from a video; the defaults are the paper's (section 4.1)."""

    clip_length: int = 16
    """Frames that the model sees in one pass."""
    frame_stride: int = 1
    """Source frames from one frame of a clip to the next; 1 takes adjacent ones."""
    sample_fps: float | None = None
    """Frames per second to which every source is thinned first, by time; unset keeps its rate."""
    clip_stride: int = 8
    """Frames, after thinning, from the start of one clip to the next in evaluation."""

    def __post_init__(self) -> None:
        problems = [
            f"{name} is {value}; it must be at least 1"
            for name, value in (
                ("clip_length", self.clip_length),
                ("frame_stride", self.frame_stride),
                ("clip_stride", self.clip_stride),
            )
            if value < 1
        ]
        if self.sample_fps is not None and not 0 < self.sample_fps < math.inf:
            problems.append(f"sample_fps is {self.sample_fps}; it must be positive, or unset")
        if problems:
            raise ConfigError("; ".join(problems))

    @property
    def span(self) -> int:
        """Frames from the first of a clip to its last, both counted, before `frame_stride`.

        ::

            clip_length 3, frame_stride 2      a . c . e      span 5
        """
        return (self.clip_length - 1) * self.frame_stride + 1


def clip_indices(num_frames: int, start: int, sampling: SamplingConfig) -> list[int]:
    """Frames of one clip; fewer than `clip_length` where the video ends (the rest is padding).

    ::

        num_frames 8              a b c d e f g h
        clip_length 3, frame_stride 2
        start 1                     b   d   f           [1, 3, 5]
        start 5                             f   h       [5, 7]

    Where `sample_fps` is set, all numbers count the frames that `thin` keeps at that rate:
    take `thin(pts_seconds, sample_fps=...)` and pick from it with what is returned here.

    Args:
        num_frames: Length of the video.
        start: First frame of the clip, 0-based.
        sampling: Its `clip_length` and `frame_stride` are used.

    Raises:
        ValueError: `start` lies outside the video.
    """
    if not 0 <= start < num_frames:
        raise ValueError(
            f"a clip cannot start at frame {start} of a video with {num_frames} frames; "
            f"allowed are 0 to {num_frames - 1}"
        )
    return list(range(start, num_frames, sampling.frame_stride))[: sampling.clip_length]


def random_clip_start(num_frames: int, sampling: SamplingConfig, generator: torch.Generator) -> int:
    """A start drawn evenly from all that give a whole clip; 0 in a video shorter than a clip.

    ::

        num_frames 7, clip_length 3, frame_stride 2 (span 5)
        a b c d e f g
        [. . . . ]          start 0
          [. . . . ]        start 1
            [. . . . ]      start 2, the last

    Raises:
        ValueError: The video has no frames.
    """
    if num_frames < 1:
        raise ValueError("cannot draw a clip from a video of 0 frames; leave the video out")
    last = max(num_frames - sampling.span, 0)
    return int(torch.randint(last + 1, (1,), generator=generator))


def clip_starts(num_frames: int, *, clip_length: int, clip_stride: int) -> list[int]:
    """Starts of all clips of a (thinned) video; the last one is aligned to the end.

    ::

        num_frames 9, clip_length 4, clip_stride 3
        a b c d e f g h i
        [. . . ]                start 0
              [. . . ]          start 3
                  [. . . ]      start 5: 6 would run over the end

    A video that is no longer than a clip gives one start, 0.

    Raises:
        ValueError: A number is below 1.
    """
    for name, value in (
        ("num_frames", num_frames),
        ("clip_length", clip_length),
        ("clip_stride", clip_stride),
    ):
        if value < 1:
            raise ValueError(f"{name} is {value}; it must be at least 1")
    last = max(num_frames - clip_length, 0)
    starts = list(range(0, last + 1, clip_stride))
    return starts if starts[-1] == last else [*starts, last]


class Thinner:
    """The rule of `thin`, frame by frame, for streams: it never needs a later frame."""

    def __init__(self, *, frame_stride: int = 1, sample_fps: float | None = None) -> None:
        """Raises ConfigError for a stride below 1 or a rate that is not positive."""
        SamplingConfig(frame_stride=frame_stride, sample_fps=sample_fps)
        self._frame_stride = frame_stride
        self._sample_fps = sample_fps
        self._last_instant = -1
        self._count = 0

    def keeps(self, seconds: float) -> bool:
        """Whether the next frame, shown at this time, is kept; times must not decrease."""
        if self._sample_fps is not None:
            # 1e-6 of a period: 0.3 * 10 is 2.9999999999999996 in floating point.
            instant = math.floor(seconds * self._sample_fps + 1e-6)
            if instant <= self._last_instant:
                return False
            self._last_instant = instant
        self._count += 1
        return (self._count - 1) % self._frame_stride == 0


def thin(
    pts_seconds: Iterable[float], *, frame_stride: int = 1, sample_fps: float | None = None
) -> list[int]:
    """Indices of the frames that are kept.

    With `sample_fps`, instants lie at 0, 1 / sample_fps, 2 / sample_fps ... seconds, and the
    first frame at or after each is kept, once, whatever the frame rate does on the way::

        time     0    .04  .08  .12  .16  .20  .24  .28  .32
        frame    a    b    c    d    e    f    g    h    i       25 per second
        instant  0              .1        .2             .3      sample_fps 10
        kept     a              d         f              i

    A source slower than `sample_fps` is kept whole. `frame_stride` then counts kept frames.

    Args:
        pts_seconds: Times, not decreasing, the first about 0.
        frame_stride: Every n-th frame of what `sample_fps` leaves.
        sample_fps: Frames per second; None keeps every frame.

    Raises:
        ConfigError: A stride below 1 or a rate that is not positive.
    """
    thinner = Thinner(frame_stride=frame_stride, sample_fps=sample_fps)
    return [i for i, seconds in enumerate(pts_seconds) if thinner.keeps(float(seconds))]
