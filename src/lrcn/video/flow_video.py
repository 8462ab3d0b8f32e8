"""A video seen through its motion: flow images behind the interface of every other source.

The flow image of frame t is what moved from frame t-1 to t, and takes the index and the time of
frame t. The first frame has none, so a video of n frames has n - 1 flow images::

    frames        a   b   c   d            frame_index 0 1 2 3
    flow images     ab  bc  cd             frame_index   1 2 3   (the original's files: 0002 ...)

Thinning (`frame_stride`, `sample_fps`) picks flow images; each is still the motion between two
adjacent frames of the source, as it is where flow images were stored first and thinned later.
"""

from __future__ import annotations

import bisect
import os
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from lrcn.errors import MediaError
from lrcn.structures import Clip, FlowConfig, VideoInfo
from lrcn.video.arrays import IteratorVideo
from lrcn.video.flow import FlowEstimator, Grey, flow_size
from lrcn.video.pixels import Pixels
from lrcn.video.repeats import RepeatFinder
from lrcn.video.sampling import Thinner
from lrcn.video.source import VideoSource, open_video

_CHUNK_FRAMES = 32


class FlowVideo:
    """The flow images of a video, computed as they are read; the same however they are read.

    Of the frames only two are kept, grey and of the flow images' size.
    """

    def __init__(
        self,
        video: VideoSource,
        config: FlowConfig,
        *,
        start_seconds: float | None = None,
        repeat_finder: RepeatFinder | None = None,
    ) -> None:
        """Take an open video; closing this closes it.

        Args:
            video: Offered from its first frame on: the flow image at `start_seconds` needs the
                frame before.
            config: Method and encoding.
            start_seconds: Flow images before are left out.
            repeat_finder: Shown every frame of `iterate`, grey.

        Raises:
            ConfigError: the method is not installed.
        """
        self._repeat_finder = repeat_finder
        self._video = video
        self._estimator = FlowEstimator(config)
        self._start_seconds = start_seconds or 0.0
        self._range: range | None = None
        self._times: Tensor | None = None
        self.name = video.name
        height, width = flow_size(video.info.height, video.info.width, config)
        num_frames = video.info.num_frames
        self.info = VideoInfo(
            height=height,
            width=width,
            fps=video.info.fps,
            num_frames=None if num_frames is None else max(num_frames - 1, 0),
            duration_seconds=video.info.duration_seconds,
            start_seconds=video.info.start_seconds,
            codec=video.info.codec,
            container=video.info.container,
        )

    @property
    def truncated(self) -> bool:
        """Whether the source ended early or is damaged; certain once it was read to its end."""
        return self._video.truncated

    @property
    def end_seconds(self) -> float:
        """When the last frame (of the interval) ends; known once `iterate` has come to its end."""
        return self._video.end_seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the source."""
        self._video.close()

    def iterate(
        self, *, chunk: int = 32, frame_stride: int = 1, sample_fps: float | None = None
    ) -> Iterator[Clip]:
        """All flow images in sequence, at most `chunk` at a time, thinned as by `sampling.thin`.

        Raises:
            MediaError: the video has a single frame, or cannot be read.
            ValueError: `chunk` is below 1.
        """
        if chunk < 1:
            raise ValueError(f"chunk is {chunk}; it must be at least 1 frame")
        thinner = Thinner(frame_stride=frame_stride, sample_fps=sample_fps)
        before: Grey | None = None
        kept: list[tuple[Pixels, float, int]] = []
        num_frames = 0
        for clip in self._frames(chunk):
            for i, after in enumerate(self._greys(clip)):
                num_frames += 1
                if self._repeat_finder is not None:
                    self._repeat_finder.see(after)
                seconds, index = float(clip.pts_seconds_T[i]), int(clip.frame_indices_T[i])
                wanted = before is not None and seconds >= self._start_seconds
                if before is not None and wanted and thinner.keeps(seconds):
                    kept.append((self._estimator.image(before, after), seconds, index))
                before = after
                if len(kept) == chunk:
                    yield self._clip(kept)
                    kept = []
        if num_frames == 1:
            raise self._too_short()
        if kept:
            yield self._clip(kept)

    def read(self, frame_indices: Sequence[int]) -> Clip:
        """Flow images by index, in any order, also repeated: equal to those of `iterate`.

        Raises:
            MediaError: a frame cannot be read.
            ValueError: an index lies outside `frame_range`.
        """
        wanted = [int(i) for i in frame_indices]
        offered = self.frame_range()
        outside = [i for i in wanted if i not in offered]
        if outside:
            raise ValueError(
                f"{self.name}: the flow image of frame {outside[0]} was asked for; there are those "
                f"of frames {offered.start} to {offered.stop - 1} (the first frame has none)"
            )
        found = self._found(sorted(set(wanted)))
        return self._clip([found[i] for i in wanted])

    def frame_range(self) -> range:
        """Indices of the frames that have a flow image, all or those in the interval."""
        if self._range is None:
            frames = self._video.frame_range()
            if len(frames) == 1 and not self._start_seconds:
                raise self._too_short()
            first = frames.start + 1
            if self._start_seconds:
                times = self._video.pts_seconds().tolist()
                first = max(first, frames.start + bisect.bisect_left(times, self._start_seconds))
            self._range = range(first, max(first, frames.stop))
        return self._range

    def count(self) -> int:
        """The length of `frame_range`."""
        return len(self.frame_range())

    def pts_seconds(self) -> Tensor:
        """Times of the frames in `frame_range`, T float64."""
        if self._times is None:
            first = self.frame_range().start - self._video.frame_range().start
            self._times = self._video.pts_seconds()[first:]
        return self._times

    def _frames(self, chunk: int) -> Iterator[Clip]:
        """The frames that flow is found on, from the one before the interval on."""
        if not self._start_seconds or isinstance(self._video, IteratorVideo):
            yield from self._video.iterate(chunk=chunk)
            return
        images = self.frame_range()
        needed = range(images.start - 1, images.stop) if images else images
        for first in range(needed.start, needed.stop, chunk):
            yield self._video.read(range(first, min(first + chunk, needed.stop)))

    def _found(self, images: Sequence[int]) -> dict[int, tuple[Pixels, float, int]]:
        """Flow image, time and index by the index asked for (ascending, each once)."""
        found: dict[int, tuple[Pixels, float, int]] = {}
        for first in range(0, len(images), _CHUNK_FRAMES):
            part = images[first : first + _CHUNK_FRAMES]
            frames = sorted({frame for i in part for frame in (i - 1, i)})
            clip = self._video.read(frames)
            greys = dict(zip(frames, self._greys(clip), strict=True))
            place = {frame: p for p, frame in enumerate(frames)}
            for i in part:
                found[i] = (
                    self._estimator.image(greys[i - 1], greys[i]),
                    float(clip.pts_seconds_T[place[i]]),
                    int(clip.frame_indices_T[place[i]]),
                )
        return found

    def _greys(self, clip: Clip) -> Iterator[Grey]:
        for frame_CHW in clip.frames_TCHW:
            yield self._estimator.grey(frame_CHW.permute(1, 2, 0).numpy())

    def _clip(self, images: Sequence[tuple[Pixels, float, int]]) -> Clip:
        shape = (len(images), self.info.height, self.info.width, 3)
        pixels_THWC = np.empty(shape, np.uint8)
        for place, (image, _, _) in enumerate(images):
            pixels_THWC[place] = image
        return Clip(
            frames_TCHW=torch.from_numpy(pixels_THWC).permute(0, 3, 1, 2),
            pts_seconds_T=torch.tensor([s for _, s, _ in images], dtype=torch.float64),
            frame_indices_T=torch.tensor([i for _, _, i in images], dtype=torch.int64),
            truncated=self.truncated,
        )

    def _too_short(self) -> MediaError:
        return MediaError(
            f"{self.name}: has a single frame, and motion needs two; leave it out, or use a model "
            "of modality rgb"
        )


def open_flow(
    source: Any,
    config: FlowConfig,
    *,
    start_seconds: float | None = None,
    end_seconds: float | None = None,
    threads: int = 1,
) -> FlowVideo:
    """The flow images of anything that `open_video` takes, computed as they are read.

    Raises:
        MediaError: it cannot be opened.
        ConfigError: the method is not installed.
        TypeError: it is no video.
        ValueError: the interval is empty.
    """
    if start_seconds is not None and end_seconds is not None and end_seconds <= start_seconds:
        raise ValueError(
            f"the interval from {start_seconds} to {end_seconds} seconds of {_name(source)} is "
            "empty; end_seconds must be greater than start_seconds"
        )
    video = open_video(source, end_seconds=end_seconds, threads=threads)
    try:
        return FlowVideo(video, config, start_seconds=start_seconds)
    except BaseException:
        video.close()
        raise


def _name(source: Any) -> str:
    return os.fspath(source) if isinstance(source, str | os.PathLike) else type(source).__name__
