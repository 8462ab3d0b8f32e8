"""Video files: exact frames, true times, whatever the container says of itself.

`VideoReader` gives frames as RGB clips, in sequence or by index. Random access seeks to the key
frame before, decodes forward, and checks every frame's time stamp against the index on the way;
where a seek does not land as foreseen it goes further back, in the end to the beginning.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from lrcn.errors import MediaError
from lrcn.structures import Clip, VideoInfo
from lrcn.video.decoder import Converter, Pass, checked_path
from lrcn.video.index import (
    Clock,
    FrameIndex,
    FrameNote,
    index_from_frames,
    index_from_packets,
)
from lrcn.video.pixels import Pixels
from lrcn.video.sampling import Thinner

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_FALLBACK_FPS = 25.0
"""Rate assumed for frames without time stamps in a file without a rate."""

_MAX_STEPS_BACK = 8
"""A missed seek goes 1, 2, 4, then 8 key frames further back, and then to the beginning."""

_MAX_CLIP_BYTES = 24 * 2**20
"""Pixels of one clip of `iterate`: large pictures come fewer at a time. Below 32 MiB the C library
hands freed memory out again; above, the kernel clears new pages for every clip."""


class _IndexContradictedError(Exception):
    """Decoding gave other frames than the index foresees."""


class VideoReader:
    """A video file (or the bytes of one) as clips of RGB frames.

    Frames are the same whichever way they are read. The first frame is at 0.0 seconds (in the file
    at `info.start_seconds`); times are the container's own (see `index.Clock` for files without).
    Frame indices count the decodable frames from the beginning of the file, also when only an
    interval is read.

    Use it as a context manager, or call `close`; one reader serves one thread.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | bytes,
        *,
        threads: int = 1,
        start_seconds: float | None = None,
        end_seconds: float | None = None,
    ) -> None:
        """Open a file and decode its first frame.

        Args:
            path: A file, or the encoded bytes themselves.
            threads: For decoding; 0 takes as many as there are processors. The frames are equal.
            start_seconds: Frames before are left out.
            end_seconds: Frames from there on are left out.

        Raises:
            MediaError: The file does not exist, is no video, or not one frame can be decoded.
        """
        self.name = "<bytes>" if isinstance(path, bytes) else os.fspath(path)
        self._source = path if isinstance(path, bytes) else checked_path(self.name)
        self._threads = threads
        self._start_seconds = start_seconds
        self._end_seconds = end_seconds
        self._index: FrameIndex | None = None
        self._truncated = False
        self._last_seconds = self._longest_seconds = 0.0
        self._cursor: Pass | None = self._new_pass()
        first = self._cursor.advance()
        if first is None:
            self.close()
            raise MediaError(
                f"{self.name}: not one frame can be decoded; the file is damaged or cut off: "
                "leave it out or get it anew"
            )
        self._cursor.push_back(first)
        self._converter = Converter(first, self.name)
        self._interlaced = first.interlaced_frame
        self._counts_time = self._cursor.counts_time
        self.info = VideoInfo(
            height=self._converter.height,
            width=self._converter.width,
            fps=self._cursor.fps,
            duration_seconds=self._cursor.duration_seconds,
            start_seconds=self._cursor.start_seconds,
            codec=self._cursor.codec_name,
            container=self._cursor.format_name,
        )

    @property
    def truncated(self) -> bool:
        """Whether the file is cut off or damaged, as far as it has been read up to now."""
        return self._truncated

    @property
    def end_seconds(self) -> float:
        """When the last frame (of the interval) ends; known once `iterate` has come to its end.

        The container's length counts where it is likely: it may also be that of the sound, or of
        what the file would hold if it were not cut off.
        """
        period = 1 / (self.info.fps or _FALLBACK_FPS)
        after_last = self._last_seconds + period
        length = self.info.duration_seconds
        if length is None or self._truncated or self._end_seconds is not None:
            return after_last
        length -= self.info.start_seconds
        latest = after_last + max(self._longest_seconds, period)
        return length if self._last_seconds < length <= latest else after_last

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file and the decoder."""
        if self._cursor is not None:
            self._cursor.close()
            self._cursor = None

    def frame_range(self) -> range:
        """Indices of the frames that this reader offers: all, or those in the interval.

        The first call reads through the packets, without decoding where they are dependable.
        """
        return self._need_index().interval(self._start_seconds, self._end_seconds)

    def count(self) -> int:
        """How many frames can be decoded (in the interval)."""
        return len(self.frame_range())

    def pts_seconds(self) -> torch.Tensor:
        """Times of the frames in `frame_range`, T float64."""
        times = self._need_index().pts_seconds
        return torch.tensor([times[i] for i in self.frame_range()], dtype=torch.float64)

    def iterate(
        self, *, chunk: int = 32, frame_stride: int = 1, sample_fps: float | None = None
    ) -> Iterator[Clip]:
        """All frames in sequence, at most `chunk` at a time.

        Frames left out by `frame_stride` or `sample_fps` (see `sampling.thin`) are decoded but
        not converted to RGB. `truncated` is known for certain after the last clip.

        Raises:
            ValueError: `chunk` is below 1.
        """
        if chunk < 1:
            raise ValueError(f"chunk is {chunk}; it must be at least 1 frame")
        chunk = min(chunk, max(_MAX_CLIP_BYTES // (3 * self.info.height * self.info.width), 1))
        thinner = Thinner(frame_stride=frame_stride, sample_fps=sample_fps)
        kept: list[tuple[int, float]] = []
        pixels = self._empty(chunk)
        self._last_seconds = self._longest_seconds = 0.0
        for frame_index, seconds, frame in self._walk():
            gap_seconds = seconds - self._last_seconds
            self._longest_seconds = max(self._longest_seconds, gap_seconds)
            self._last_seconds = seconds
            if not thinner.keeps(seconds):
                continue
            self._converter.convert(frame, pixels[len(kept)])
            kept.append((frame_index, seconds))
            if len(kept) == chunk:
                yield self._clip(pixels, kept)
                kept, pixels = [], self._empty(chunk)
        if kept:
            yield self._clip(pixels[: len(kept)], kept)

    def read(self, frame_indices: Sequence[int]) -> Clip:
        """Frames by index, in any order, also repeated: equal to those of `iterate`.

        In a file that turns out damaged while it is read, an index beyond the last decodable
        frame gives that last frame (`frame_indices_T` says which frames were taken).

        Raises:
            ValueError: An index lies outside `frame_range`.
        """
        wanted = [int(i) for i in frame_indices]
        offered = self.frame_range()
        outside = [i for i in wanted if i not in offered]
        if outside:
            raise ValueError(
                f"{self.name}: frame {outside[0]} was asked for; "
                f"the video has frames {offered.start} to {offered.stop - 1}"
            )
        pixels = self._empty(len(wanted))
        taken = [(0, 0.0)] * len(wanted)
        last: int | None = None
        for place in sorted(range(len(wanted)), key=wanted.__getitem__):
            if last is not None and wanted[place] == wanted[last]:
                pixels[place], taken[place] = pixels[last], taken[last]
            else:
                frame_index, seconds, frame = self._frame_at(wanted[place])
                self._converter.convert(frame, pixels[place])
                taken[place] = frame_index, seconds
            last = place
        return self._clip(pixels, taken)

    # In sequence --------------------------------------------------------------------------

    def _walk(self) -> Iterator[tuple[int, float, VideoFrame]]:
        """Index, time and frame, for all frames of the interval."""
        if self._start_seconds:
            for frame_index in self.frame_range():
                yield self._frame_at(frame_index)
            return
        run = self._take_pass()
        clock = self._new_clock(run)
        try:
            while (frame := run.advance()) is not None:
                seconds = clock.tick(frame.pts)
                if self._end_seconds is not None and seconds >= self._end_seconds:
                    return
                self._truncated |= run.damaged
                yield run.position - 1, seconds, frame
            self._truncated |= run.damaged or run.lacks_its_end()
        finally:
            run.close()

    def _take_pass(self) -> Pass:
        """A run that stands at the beginning and belongs to the caller alone."""
        run = self._cursor
        if run is not None and run.position == 0:
            self._cursor = None
            return run
        return self._new_pass()

    # By index -----------------------------------------------------------------------------

    def _frame_at(self, frame_index: int) -> tuple[int, float, VideoFrame]:
        """Index, time and frame; the last decodable one where the index promised too much."""
        while True:
            index = self._need_index()
            frame_index = min(frame_index, len(index) - 1)
            try:
                return frame_index, index.pts_seconds[frame_index], self._decode_to(frame_index)
            except _IndexContradictedError:
                self._mend_index(index)

    def _decode_to(self, frame_index: int) -> VideoFrame:
        index = self._need_index()
        key_number = index.key_number_before(frame_index)
        run = self._cursor
        if run is None or not (index.keys[key_number].frame_index <= run.position <= frame_index):
            run = self._cursor = self._start_before(index, key_number)
        while True:
            place, frame = run.position, run.advance()
            doubtful = run.damaged and not index.is_exact
            if frame is None or doubtful or not index.agrees(place, frame.pts):
                self.close()
                raise _IndexContradictedError
            if place == frame_index:
                return frame

    def _start_before(self, index: FrameIndex, key_number: int) -> Pass:
        """A run that stands at a key frame at or before the numbered one."""
        step = 1
        while index.can_seek and key_number >= 0 and step <= _MAX_STEPS_BACK:
            if key_number == 0 and self._cursor is None:
                break  # there a new run stands anyway
            run = self._cursor = self._cursor or self._new_pass()
            if run.start_at_key(index, index.keys[key_number]):
                return run
            self.close()  # what a decoder was fed after a failed seek must not linger
            key_number -= step
            step *= 2
        self.close()
        return self._new_pass()

    def _mend_index(self, index: FrameIndex) -> None:
        """A better index after a contradiction: first by decoding, then without seeking."""
        if not index.is_exact:
            self._index = self._index_by_decoding()
        elif len(index.keys) > 1:
            self._index = dataclasses.replace(index, keys=index.keys[:1], can_seek=False)
        else:
            raise MediaError(
                f"{self.name}: decoding it again gave other frames; "
                "was the file changed while it was read?"
            )

    # The index ----------------------------------------------------------------------------

    def _need_index(self) -> FrameIndex:
        if self._index is None:
            self._index = self._index_by_packets() or self._index_by_decoding()
        return self._index

    def _index_by_packets(self) -> FrameIndex | None:
        """The index without decoding, where that can be trusted; leaves its run as the cursor."""
        run = self._take_pass()
        self.close()
        run.note_rest()
        self._truncated |= run.damaged or run.lacks_its_end()
        index = None
        if not run.damaged and not self._interlaced:  # interlaced: two fields may be two packets
            index = index_from_packets(
                run.notes, codec=run.codec_name, clock=self._new_clock(run), can_seek=run.can_seek
            )
        if index is None:
            run.close()
        else:
            self._cursor = run
        return index

    def _index_by_decoding(self) -> FrameIndex:
        with contextlib.closing(self._new_pass()) as run:
            frames: list[FrameNote] = []
            while (frame := run.advance()) is not None:
                frames.append(FrameNote(frame.pts, frame.key_frame))
            clock = self._new_clock(run)
            self._truncated |= run.damaged or run.lacks_its_end()
            return index_from_frames(
                frames,
                run.notes,
                pts_seconds=[clock.tick(note.pts) for note in frames],
                can_seek=run.can_seek,
            )

    # Pieces -------------------------------------------------------------------------------

    def _new_pass(self) -> Pass:
        return Pass(self._source, self.name, self._threads)

    def _new_clock(self, run: Pass) -> Clock:
        return Clock(
            time_base=run.time_base,
            period_seconds=1 / (self.info.fps or _FALLBACK_FPS),
            by_count=self._counts_time,
        )

    def _empty(self, num_frames: int) -> Pixels:
        return np.empty((num_frames, self.info.height, self.info.width, 3), np.uint8)

    def _clip(self, pixels_THW3: Pixels, taken: Sequence[tuple[int, float]]) -> Clip:
        return Clip(
            frames_TCHW=torch.from_numpy(pixels_THW3).permute(0, 3, 1, 2),
            pts_seconds_T=torch.tensor([seconds for _, seconds in taken], dtype=torch.float64),
            frame_indices_T=torch.tensor([i for i, _ in taken], dtype=torch.int64),
            truncated=self._truncated,
        )
