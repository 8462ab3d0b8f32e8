"""The frames of an item that training draws from: decoded and resized, once where they are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lrcn.data.cache import FrameCache
from lrcn.data.content import content_hash
from lrcn.data.modality import is_stored_flow, open_item
from lrcn.data.transforms import resize
from lrcn.errors import MediaError
from lrcn.structures import Clip, Preprocessing, VideoItem
from lrcn.video.sampling import SamplingConfig, thin
from lrcn.video.source import VideoSource

SMALL_PX = 128
"""Frames of at most this side are worth keeping on disk between epochs."""


@dataclass(frozen=True)
class VideoFrames:
    """Reads items as one kind of backbone wants them.

    Attributes:
        preprocessing: What the backbone wants: with modality flow, the flow images of the videos
            (or those that the items are).
        sampling: Its `sample_fps` thins the frames.
        frame_cache: Keeps resized frames, so that later epochs decode nothing; None keeps none.
    """

    preprocessing: Preprocessing
    sampling: SamplingConfig
    frame_cache: FrameCache | None = None

    def open(self, item: VideoItem) -> VideoSource:
        """The item, opened; training finds frames by their numbers, in the original too."""
        return open_item(item, replace(self.preprocessing, original_quirks=()))

    def whole(self, item: VideoItem) -> Tensor:
        """frames_TCHW uint8, resized and not yet cropped: every `frame_stride`-th frame.

        Raises:
            MediaError: it cannot be read, or holds no frame.
        """
        clip = self.cached(item)
        if clip is None:
            clip = self._resized(item, max_bytes=None)
            assert clip is not None
        return clip.frames_TCHW[:: self.sampling.frame_stride]

    def cached(self, item: VideoItem) -> Clip | None:
        """All frames from the cache, which is filled; None without one, or when too large."""
        if self.frame_cache is None:
            return None
        key = self.frame_cache.key(
            content=content_hash(item.path),
            preprocessing=self.preprocessing,
            start_seconds=item.start_seconds,
            end_seconds=item.end_seconds,
            sample_fps=self.sampling.sample_fps,
            stored_flow=is_stored_flow(item),
        )
        clip = self.frame_cache.get(key)
        if clip is None:
            clip = self._resized(item, self.frame_cache.max_video_bytes)
            if clip is not None:
                self.frame_cache.put(key, clip)
        return clip

    def kept(self, source: VideoSource) -> Sequence[int]:
        """Indices of the frames at the rate that is wanted (`frame_stride` comes later).

        Raises:
            MediaError: there are none.
        """
        frames = source.frame_range()
        if not frames:
            raise no_frames(source.name)
        if self.sampling.sample_fps is None:
            return frames
        kept = thin(source.pts_seconds().tolist(), sample_fps=self.sampling.sample_fps)
        return [frames[i] for i in kept]

    def _resized(self, item: VideoItem, max_bytes: int | None) -> Clip | None:
        """All kept frames, resized; None if they are too many."""
        with self.open(item) as source:
            num_frames = len(self.kept(source))
            parts: list[Clip] = []
            for clip in source.iterate(chunk=32, sample_fps=self.sampling.sample_fps):
                resized_TCHW = resize(clip.frames_TCHW, self.preprocessing)
                if max_bytes is not None and resized_TCHW[0].numel() * num_frames > max_bytes:
                    return None
                parts.append(
                    Clip(
                        frames_TCHW=resized_TCHW,
                        pts_seconds_T=clip.pts_seconds_T,
                        frame_indices_T=clip.frame_indices_T,
                    )
                )
            if not parts:
                raise no_frames(source.name)
            return Clip(
                frames_TCHW=torch.cat([part.frames_TCHW for part in parts]),
                pts_seconds_T=torch.cat([part.pts_seconds_T for part in parts]),
                frame_indices_T=torch.cat([part.frame_indices_T for part in parts]),
                truncated=source.truncated,
            )


def no_frames(name: str) -> MediaError:
    """There is nothing to learn from."""
    return MediaError(
        f"{name}: there is no frame in the video or its interval; at least one is needed. Correct "
        "the interval's seconds, or take the video off the list."
    )
