"""Frames to video files: whole or not at all, and the same bytes for the same frames.

With `decoder.py` the only file that imports PyAV.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import cast

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from torch import Tensor

from lrcn.errors import OutputError
from lrcn.video.pixels import Pixels

_OWN_FORMATS = {"ffv1": "bgr0", "libx264rgb": "rgb24", "gif": "rgb8", "mjpeg": "yuvj420p"}
"""Pixel formats of codecs that keep RGB, or JPEG's full range; the others take yuv420p, which
every player shows."""

_STEADY_OPTIONS: dict[str, dict[str, str]] = {"libx264": {"mbtree": "0"}}
"""x264's macroblock tree reads memory that it never wrote (seen with AVX-512: six runs over the
same frames gave five files); without it the bytes are equal."""

_VARIABLE_TIME_BASE = Fraction(1, 60_000)
"""Fine enough for any rate, and MPEG-4 takes no denominator above 65,535."""

_BT601, _LIMITED_RANGE, _FULL_RANGE = 6, 1, 2
"""FFmpeg's AVCOL_SPC_SMPTE170M, AVCOL_RANGE_MPEG and _JPEG: how swscale turns RGB into YUV."""


class VideoWriter:
    """Writes a video beside its place and moves it there when it is complete.

    Use it as a context manager: after an error or Ctrl-C nothing is left behind, and a file that
    was there before is untouched. Where the pixel format needs even sizes (yuv420p), the last
    column or row is repeated once: `yuv444p` keeps odd sizes, but browsers do not play it.

    Example:
        with VideoWriter("out.mp4", fps=25, width=320, height=240) as writer:
            for frame_HWC in frames:
                writer.write(frame_HWC)
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        fps: float,
        width: int,
        height: int,
        codec: str = "libx264",
        crf: int | None = None,
        bitrate: int | None = None,
        pix_fmt: str | None = None,
        gop: int | None = None,
        variable_rate: bool = False,
        options: Mapping[str, str] | None = None,
        container_options: Mapping[str, str] | None = None,
    ) -> None:
        """Open the file.

        Args:
            path: The ending decides the container (.mp4, .avi, .mkv, .webm, .gif, ...).
            fps: Frames per second; with `variable_rate` only a hint.
            width: Pixels.
            height: Pixels.
            codec: FFmpeg's name of the encoder.
            crf: Constant quality of libx264, libx265 and libvpx; lower is better.
            bitrate: Bits per second.
            pix_fmt: FFmpeg's name; by default yuv420p, or an RGB one for lossless codecs.
            gop: Most frames from one key frame to the next.
            variable_rate: Every frame brings its own time (`write(..., pts_seconds=...)`).
            options: Further settings of the encoder.
            container_options: Further settings of the container.

        Raises:
            ValueError: A size or rate is not positive.
            OutputError: The folder cannot be written, or codec and container do not fit.
        """
        if width < 1 or height < 1 or not fps > 0:
            raise ValueError(
                f"a video of {width}x{height} pixels at {fps} frames per second cannot be "
                "written; all three must be positive"
            )
        self.path = Path(path)
        self._width, self._height = width, height
        self._variable_rate = variable_rate
        self._count = 0
        self._part = self.path.with_name(f".{self.path.stem}.{os.getpid()}.part{self.path.suffix}")
        self._reformatter = VideoReformatter()
        rate = Fraction(fps).limit_denominator(1001)
        reordering = {"bf": "0"} if variable_rate else {}
        # Reordered frames of unequal length come with shifted times of decoding, of which MP4 adds
        # up a length that may end seconds before the last picture.
        all_options = _STEADY_OPTIONS.get(codec, {}) | reordering | dict(options or {})
        if crf is not None:
            all_options["crf"] = str(crf)
        muxing = {"fflags": "+bitexact", **(container_options or {})}
        if self.path.suffix.lower() in (".mp4", ".m4v", ".mov"):
            muxing.setdefault("movflags", "+faststart")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(os.fspath(self._part), "w", options=muxing)
            stream = self._container.add_stream(codec, rate=rate, options=all_options)
            self._stream = cast("VideoStream", stream)
            self._configure(codec, pix_fmt, bitrate=bitrate, gop=gop)
            self._time_base = _VARIABLE_TIME_BASE if variable_rate else 1 / rate
            stream.codec_context.time_base = self._time_base
            stream.codec_context.open()
        except (av.FFmpegError, OSError, ValueError, TypeError) as error:
            self.abort()
            raise OutputError(
                f"{self.path}: cannot be written with {codec} ({error}); "
                "check the folder, and that the ending and the codec fit (.mp4 with libx264)"
            ) from error

    def _configure(
        self, codec: str, pix_fmt: str | None, *, bitrate: int | None, gop: int | None
    ) -> None:
        context = self._stream.codec_context
        context.pix_fmt = pix_fmt or _OWN_FORMATS.get(codec, "yuv420p")
        chroma = av.VideoFormat(context.pix_fmt, 16, 16).components
        step_x = max(16 // part.width for part in chroma)
        step_y = max(16 // part.height for part in chroma)
        context.width = -(-self._width // step_x) * step_x
        context.height = -(-self._height // step_y) * step_y
        context.thread_count = 1  # frames in parallel would change rate control, and the bytes
        context.flags |= av.codec.context.Flags.bitexact
        if context.pix_fmt.startswith("yuv"):
            full = context.pix_fmt.startswith("yuvj")
            context.colorspace = _BT601
            context.color_range = _FULL_RANGE if full else _LIMITED_RANGE
        if bitrate is not None:
            context.bit_rate = bitrate
        if gop is not None:
            context.gop_size = gop

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abort()

    def write(self, frame: Pixels | Tensor, *, pts_seconds: float | None = None) -> None:
        """Append one frame.

        Args:
            frame: uint8 RGB, an array H x W x 3 or a tensor 3 x H x W.
            pts_seconds: Its time, greater than the one before; only with `variable_rate`.

        Raises:
            ValueError: Another shape or type; a time is missing or uncalled for.
            OutputError: The encoder or the disk refuses it.
        """
        if self._variable_rate != (pts_seconds is not None):
            raise ValueError(
                "pts_seconds belongs to variable_rate=True, and is then needed with every frame"
            )
        pixels = frame.permute(1, 2, 0).cpu().numpy() if isinstance(frame, Tensor) else frame
        if pixels.shape != (self._height, self._width, 3) or pixels.dtype != np.uint8:
            raise ValueError(
                f"{self.path}: a frame is {pixels.dtype} of shape {tuple(frame.shape)}; expected "
                f"uint8, {self._height} x {self._width} x 3 (a tensor: channels first)"
            )
        context = self._stream.codec_context
        missing = (0, context.height - self._height), (0, context.width - self._width), (0, 0)
        if any(after for _, after in missing):
            pixels = np.pad(pixels, missing, mode="edge")
        picture = VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        picture = self._reformatter.reformat(picture, format=context.pix_fmt, threads=1)
        seconds = pts_seconds if pts_seconds is not None else self._count * self._time_base
        picture.pts = round(seconds / self._time_base)
        picture.time_base = self._time_base
        self._count += 1
        self._encode(picture)

    def close(self) -> None:
        """Finish the file and move it to its place.

        Raises:
            OutputError: Not one frame was written, or the disk refuses the rest.
        """
        if self._count == 0:
            self.abort()
            raise OutputError(f"{self.path}: not one frame was written; the file was not made")
        self._encode(None)
        try:
            self._container.close()
            self._part.replace(self.path)
        except (av.FFmpegError, OSError) as error:
            self.abort()
            raise OutputError(f"{self.path}: cannot be written ({error})") from error

    def abort(self) -> None:
        """Remove what was written so far."""
        with contextlib.suppress(AttributeError, av.FFmpegError, OSError):
            self._container.close()
        self._part.unlink(missing_ok=True)

    def _encode(self, picture: VideoFrame | None) -> None:
        try:
            for packet in self._stream.encode(picture):
                self._container.mux(packet)
        except (av.FFmpegError, OSError) as error:
            self.abort()
            raise OutputError(f"{self.path}: cannot be written ({error}); is the disk full?") from (
                error
            )
