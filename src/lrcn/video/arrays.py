"""Videos that are in memory already, or arrive picture by picture.

What a picture may be: a numpy array or torch tensor of H x W x C or C x H x W with 1, 3 or 4
channels (RGB order; the fourth is transparency, laid over white), or grey of H x W; uint8, other
integers within 0...255, bool, or floats within 0...1; or a Pillow image. Where a shape could be
read both ways, numpy arrays have their channels last and tensors first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from lrcn.errors import MediaError
from lrcn.structures import Clip, VideoInfo
from lrcn.video.frames import is_picture, picture_to_rgb
from lrcn.video.pixels import Pixels, over_white
from lrcn.video.sampling import Thinner
from lrcn.video.stills import DEFAULT_FPS, StillsVideo

_CHANNELS = (1, 3, 4)


class ArrayVideo(StillsVideo):
    """An array or tensor of frames (T x H x W x C, T x C x H x W, T x H x W), or a list of them.

    A single picture is a video of one frame.
    """

    def __init__(
        self,
        frames: Any,
        *,
        fps: float | None = None,
        start_seconds: float | None = None,
        end_seconds: float | None = None,
        name: str = "<array>",
    ) -> None:
        """Look at the first frame; the others are converted as they are read.

        Raises:
            MediaError: There are no frames, or a shape, type or range is not allowed.
        """
        self._pictures, self._channels_last = _as_pictures(frames, name)
        first = _to_rgb(self._pictures[0], name, 0, self._channels_last)
        super().__init__(
            name,
            num_frames=len(self._pictures),
            height=first.shape[0],
            width=first.shape[1],
            fps=fps,
            start_seconds=start_seconds,
            end_seconds=end_seconds,
            container="array",
        )

    def _picture(self, frame_index: int) -> Pixels:
        picture = _to_rgb(self._pictures[frame_index], self.name, frame_index, self._channels_last)
        _check_size(picture, self.info, self.name, frame_index)
        return picture


class IteratorVideo:
    """An iterator of pictures, read once and in sequence; at most one chunk is in memory."""

    def __init__(
        self,
        pictures: Iterable[Any],
        *,
        fps: float | None = None,
        start_seconds: float | None = None,
        end_seconds: float | None = None,
        name: str = "<iterator>",
    ) -> None:
        """Take the first picture, for its size.

        Raises:
            MediaError: There is none, or it is not a picture.
        """
        if fps is not None and not fps > 0:
            raise ValueError(f"fps is {fps}; it must be positive, or None where there is no clock")
        self.name = name
        self._fps = fps or DEFAULT_FPS
        self._start_seconds = start_seconds or 0.0
        self._end_seconds = end_seconds
        self._rest: Iterator[Any] | None = iter(pictures)
        self._num_seen = 0
        try:
            self._first = _to_rgb(next(self._rest), name, 0)
        except StopIteration:
            raise MediaError(f"{name}: gives no pictures; at least one is needed") from None
        self.info = VideoInfo(
            height=self._first.shape[0], width=self._first.shape[1], fps=fps, container="iterator"
        )

    @property
    def truncated(self) -> bool:
        """Never: an iterator that fails raises its own error."""
        return False

    @property
    def end_seconds(self) -> float:
        """When the last frame (of the interval) ends; known once `iterate` has come to its end."""
        return self._num_seen / self._fps

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the iterator."""
        self._rest = None

    def iterate(
        self, *, chunk: int = 32, frame_stride: int = 1, sample_fps: float | None = None
    ) -> Iterator[Clip]:
        """All frames, at most `chunk` at a time; possible once.

        Raises:
            MediaError: It was read before, or a picture is not like the first.
            ValueError: `chunk` is below 1.
        """
        if chunk < 1:
            raise ValueError(f"chunk is {chunk}; it must be at least 1 frame")
        if self._rest is None:
            raise MediaError(
                f"{self.name}: an iterator can be read only once; give a list to read it again"
            )
        rest, self._rest = self._rest, None
        thinner = Thinner(frame_stride=frame_stride, sample_fps=sample_fps)
        kept: list[tuple[int, float, Pixels]] = []
        for i, seconds, picture in self._timed(rest):
            if not thinner.keeps(seconds):
                continue
            kept.append((i, seconds, _to_rgb(picture, self.name, i) if i else self._first))
            _check_size(kept[-1][2], self.info, self.name, i)
            if len(kept) == chunk:
                yield _clip(kept)
                kept = []
        if kept:
            yield _clip(kept)

    def _timed(self, rest: Iterator[Any]) -> Iterator[tuple[int, float, Any]]:
        picture: Any = self._first
        i = 0
        while self._end_seconds is None or i / self._fps < self._end_seconds:
            self._num_seen = i + 1
            if i / self._fps >= self._start_seconds:
                yield i, i / self._fps, picture
            try:
                picture = next(rest)
            except StopIteration:
                return
            i += 1

    def read(self, frame_indices: Sequence[int]) -> Clip:
        """Not possible for an iterator.

        Raises:
            MediaError: Always.
        """
        raise self._no_random_access(f"frames {list(frame_indices)}")

    def frame_range(self) -> range:
        """Not possible for an iterator.

        Raises:
            MediaError: Always.
        """
        raise self._no_random_access("the number of frames")

    def count(self) -> int:
        """Not possible for an iterator.

        Raises:
            MediaError: Always.
        """
        raise self._no_random_access("the number of frames")

    def pts_seconds(self) -> torch.Tensor:
        """Not possible for an iterator.

        Raises:
            MediaError: Always.
        """
        raise self._no_random_access("the times of all frames")

    def _no_random_access(self, what: str) -> MediaError:
        return MediaError(
            f"{self.name}: {what} cannot be had from an iterator; "
            "read it in sequence (iterate), or give a list of its pictures"
        )


def _clip(kept: Sequence[tuple[int, float, Pixels]]) -> Clip:
    pixels = np.stack([picture for _, _, picture in kept])
    return Clip(
        frames_TCHW=torch.from_numpy(pixels).permute(0, 3, 1, 2),
        pts_seconds_T=torch.tensor([seconds for _, seconds, _ in kept], dtype=torch.float64),
        frame_indices_T=torch.tensor([i for i, _, _ in kept], dtype=torch.int64),
    )


def _as_pictures(frames: Any, name: str) -> tuple[Any, bool | None]:
    """A sequence of pictures, and whether their channels are last (None: each tells itself)."""
    if is_picture(frames):
        return [frames], None
    if isinstance(frames, list | tuple):
        if not frames:
            raise MediaError(f"{name}: has no frames; at least one is needed")
        return frames, None
    shape = tuple(frames.shape)
    if 0 in shape:
        raise MediaError(f"{name}: an array of shape {shape} has no frames; at least one is needed")
    if len(shape) == 4:
        last = _channels_last(shape[1:], prefer_last=isinstance(frames, np.ndarray))
        if last is not None:
            return frames, last
    elif len(shape) == 3:
        prefer_last = isinstance(frames, np.ndarray)
        last = _channels_last(shape, prefer_last=prefer_last)
        if last is None or shape[2 if last else 0] == 1:
            return frames, None
        return frames[None], last
    elif len(shape) == 2:
        return frames[None], None
    raise MediaError(
        f"{name}: an array of shape {shape} is no video; "
        "allowed are T x H x W x C, T x C x H x W (C = 1, 3 or 4) and T x H x W"
    )


def _channels_last(shape: tuple[int, ...], *, prefer_last: bool) -> bool | None:
    """Which end of a picture's shape holds the channels; None where neither can."""
    first, last = shape[0] in _CHANNELS, shape[2] in _CHANNELS
    if first and last:
        return prefer_last
    return last if first or last else None


def _to_rgb(picture: Any, name: str, i: int, channels_last: bool | None = None) -> Pixels:
    """One picture as H x W x 3 uint8."""
    if is_picture(picture):
        try:
            return picture_to_rgb(picture)
        except (OSError, ValueError) as error:
            raise MediaError(f"{name}: picture {i} cannot be read ({error})") from error
    prefer_last = not isinstance(picture, torch.Tensor)
    if isinstance(picture, torch.Tensor):
        picture = picture.detach().cpu()
        picture = (picture.float() if picture.is_floating_point() else picture).numpy()
    if not isinstance(picture, np.ndarray):
        raise MediaError(
            f"{name}: picture {i} is a {type(picture).__name__}; "
            "allowed are arrays, tensors and Pillow images"
        )
    shape = picture.shape
    if picture.ndim == 3:
        last = _channels_last(shape, prefer_last=prefer_last)
        last = channels_last if channels_last is not None else last
        picture = picture if last else picture.transpose(1, 2, 0)
    elif picture.ndim == 2:
        picture = picture[:, :, None]
    if picture.ndim != 3 or picture.shape[2] not in _CHANNELS or 0 in shape:
        raise MediaError(
            f"{name}: picture {i} has shape {shape}; allowed are H x W x C, C x H x W "
            "(C = 1, 3 or 4) and H x W"
        )
    pixels = _to_uint8(picture, name, i)
    if pixels.shape[2] == 4:
        return over_white(pixels)
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3))


def _to_uint8(picture: NDArray[Any], name: str, i: int) -> Pixels:
    if picture.dtype == np.uint8:
        return picture
    if picture.dtype == np.bool_:
        return picture.astype(np.uint8) * np.uint8(255)
    low, high = picture.min(), picture.max()
    if np.issubdtype(picture.dtype, np.integer) and low >= 0 and high <= 255:
        return picture.astype(np.uint8)
    # A resized picture may leave 0...1 by a rounding error.
    if np.issubdtype(picture.dtype, np.floating) and low >= -1e-3 and high <= 1 + 1e-3:
        pixels: Pixels = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
        return pixels
    raise MediaError(
        f"{name}: picture {i} is {picture.dtype} with values from {low} to {high}; allowed are "
        "integers within 0...255 and floats within 0...1 (divide 0...255 floats by 255)"
    )


def _check_size(picture: Pixels, info: VideoInfo, name: str, i: int) -> None:
    if picture.shape[:2] != (info.height, info.width):
        raise MediaError(
            f"{name}: picture {i} is {picture.shape[1]}x{picture.shape[0]} pixels, but the first "
            f"is {info.width}x{info.height}; frames of one video have one size"
        )
