"""Where each frame of a video file lies: pure bookkeeping over packets and frames.

A frame's index is its place in the order in which a decoder that starts at the beginning of the
file puts frames out. Headers are never asked: they are wrong or silent in a third of all files.
Two ways lead to the index:

- from the packets alone (`index_from_packets`), without decoding, where each packet is known to
  give exactly one frame and to carry its time;
- from one decoding pass without colour conversion (`index_from_frames`), for everything else:
  packed B-frames, packets without times, hidden frames, damage.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

ONE_FRAME_PER_PACKET = frozenset(
    {
        *(
            "av1",
            "dnxhd",
            "ffv1",
            "flv1",
            "h263",
            "h264",
            "hevc",
            "mjpeg",
            "mpeg1video",
            "mpeg2video",
        ),
        *("mpeg4", "msmpeg4v2", "msmpeg4v3", "png", "prores", "rawvideo", "vp9", "wmv1", "wmv2"),
    }
)
"""Codecs whose packets give one frame each in an intact file (VP8 hides its golden frames)."""

_SMALLEST_MPEG4_FRAME_BYTES = 24
"""Smaller MPEG-4 packets may be "not coded": XviD and DivX write them beside packed B-frames."""


class PacketNote(NamedTuple):
    """What the index keeps of one packet, in file (decoding) order."""

    pts: int | None
    dts: int | None
    is_key: bool
    size: int
    is_flawed: bool
    """Marked corrupt by the container's reader, or to be discarded (edit lists)."""


class FrameNote(NamedTuple):
    """What the index keeps of one decoded frame, in output order."""

    pts: int | None
    is_key: bool


class KeyPoint(NamedTuple):
    """A place where decoding can start."""

    frame_index: int
    pts: int | None
    dts: int | None


class Clock:
    """From the raw time stamps of frames in output order to seconds that never decrease.

    The first frame is at 0.0. A missing time stamp is the last one plus a frame's period. In AVI
    files with reordered frames the stamps are guesses of the demuxer, out of order where B-frames
    are packed; the format has a constant rate, so there the n-th frame is at n periods
    (`by_count`). A jump back by more than a second (joined transport streams) starts a new count
    one period after the last frame.
    """

    def __init__(self, *, time_base: float, period_seconds: float, by_count: bool) -> None:
        self._time_base = time_base
        self._period = period_seconds
        self._by_count = by_count
        self._offset = 0.0
        self._last: float | None = None
        self._count = 0

    def tick(self, pts: int | None) -> float:
        """Seconds of the next frame in output order."""
        if self._by_count:
            seconds = self._count * self._period
        elif pts is None:
            seconds = 0.0 if self._last is None else self._last + self._period
        else:
            raw = pts * self._time_base
            if self._last is None:
                self._offset = raw
            elif raw - self._offset < self._last - 1.0:
                self._offset = raw - self._last - self._period
            seconds = max(raw - self._offset, self._last or 0.0)
        self._last = seconds
        self._count += 1
        return seconds


@dataclass(frozen=True)
class FrameIndex:
    """Times of all frames, and the places where decoding can start.

    Attributes:
        raw_pts: Time stamps as the decoder gives them, for checking where a seek landed; None
            where they are missing or not increasing and so tell nothing.
        pts_seconds: Time of each frame, not decreasing.
        keys: In order of frames; the first is the beginning of the file.
        can_seek: Whether decoding may start elsewhere than in a newly opened file.
        is_exact: Whether it comes from decoding; an index from packets alone may err on damaged
            files, and is replaced when a frame contradicts it.
    """

    raw_pts: Sequence[int] | None
    pts_seconds: Sequence[float]
    keys: Sequence[KeyPoint]
    can_seek: bool
    is_exact: bool
    _key_frames: list[int] = field(init=False, repr=False)
    _by_stamp: dict[int | None, KeyPoint] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_key_frames", [key.frame_index for key in self.keys])
        by_dts = self.raw_pts is None
        by_stamp = {key.dts if by_dts else key.pts: key for key in self.keys}
        object.__setattr__(self, "_by_stamp", by_stamp)

    def __len__(self) -> int:
        return len(self.pts_seconds)

    def key_number_before(self, frame_index: int) -> int:
        """Position in `keys` of the last one at or before the frame."""
        return max(bisect.bisect_right(self._key_frames, frame_index) - 1, 0)

    def find_key(self, pts: int | None, dts: int | None) -> KeyPoint | None:
        """The key point of the packet with these time stamps.

        After a seek some containers guess other decoding times, so presentation times decide
        where they are dependable.
        """
        return self._by_stamp.get(dts if self.raw_pts is None else pts)

    def agrees(self, frame_index: int, pts: int | None) -> bool:
        """Whether a frame with this raw time stamp may be the one with this index."""
        return self.raw_pts is None or (
            frame_index < len(self.raw_pts) and self.raw_pts[frame_index] == pts
        )

    def interval(self, start_seconds: float | None, end_seconds: float | None) -> range:
        """Frames with start <= time < end."""
        first = bisect.bisect_left(self.pts_seconds, start_seconds) if start_seconds else 0
        stop = len(self)
        if end_seconds is not None:
            stop = bisect.bisect_left(self.pts_seconds, end_seconds)
        return range(first, max(first, stop))


def index_from_packets(
    packets: Sequence[PacketNote], *, codec: str, clock: Clock, can_seek: bool
) -> FrameIndex | None:
    """The index without decoding, or None where packets alone do not tell.

    Trusted only if every packet is whole, carries a time of its own, and the first one is a key
    frame that is also shown first.
    """
    if not packets or codec not in ONE_FRAME_PER_PACKET:
        return None
    smallest = _SMALLEST_MPEG4_FRAME_BYTES if codec == "mpeg4" else 1
    times: list[int] = []
    for packet in packets:
        if packet.pts is None or packet.is_flawed or packet.size < smallest:
            return None
        times.append(packet.pts)
    order = sorted(times)
    if len(set(times)) != len(times) or not packets[0].is_key or order[0] != times[0]:
        return None
    place = {pts: i for i, pts in enumerate(order)}
    keys = [
        KeyPoint(place[time], packet.pts, packet.dts)
        for time, packet in zip(times, packets, strict=True)
        if packet.is_key
    ]
    return FrameIndex(
        raw_pts=order,
        pts_seconds=[clock.tick(pts) for pts in order],
        keys=sorted(keys) if can_seek else keys[:1],
        can_seek=can_seek,
        is_exact=False,
    )


def index_from_frames(
    frames: Iterable[FrameNote],
    packets: Sequence[PacketNote],
    *,
    pts_seconds: Sequence[float],
    can_seek: bool,
) -> FrameIndex:
    """The index after a whole decoding pass.

    Args:
        frames: Every decoded frame, in output order.
        packets: Every packet, in file order.
        pts_seconds: Times of the frames.
        can_seek: False for damaged files and formats without seeking: decoding then always
            starts at the beginning, which alone repeats the same frames.
    """
    frames = list(frames)
    raw: list[int] | None = [frame.pts for frame in frames if frame.pts is not None]
    if raw is not None and (
        len(raw) != len(frames) or any(b <= a for a, b in itertools.pairwise(raw))
    ):
        raw = None
    start = KeyPoint(0, frames[0].pts if frames else None, None)
    keys = _pair_keys(frames, packets, by_pts=raw is not None) if can_seek else []
    if not keys or keys[0].frame_index != 0:
        keys = [start, *keys]
    return FrameIndex(
        raw_pts=raw, pts_seconds=list(pts_seconds), keys=keys, can_seek=can_seek, is_exact=True
    )


def _pair_keys(
    frames: Sequence[FrameNote], packets: Sequence[PacketNote], *, by_pts: bool
) -> list[KeyPoint]:
    """Which key packet gives which key frame: by time, or one by one where times do not tell."""
    key_frames = [i for i, frame in enumerate(frames) if frame.is_key]
    # AVI indices may call the empty packet beside a packed B-frame a key frame.
    key_packets = [p for p in packets if p.is_key and p.size >= _SMALLEST_MPEG4_FRAME_BYTES]
    if by_pts:
        place = {frames[i].pts: i for i in key_frames}
        return sorted(
            KeyPoint(place[packet.pts], packet.pts, packet.dts)
            for packet in key_packets
            if packet.pts in place
        )
    if len(key_frames) != len(key_packets):
        return []
    return [
        KeyPoint(i, packet.pts, packet.dts)
        for i, packet in zip(key_frames, key_packets, strict=True)
    ]
