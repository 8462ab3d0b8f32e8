"""PyAV, and nothing of it outside: packets and frames of one opened video file.

With `writer.py` the only file that imports PyAV. `Pass` is one run of the decoder over the packets
of a file: a bad packet is noted and skipped, and the next one is tried. `Converter` makes upright
RGB of decoded frames. PyAV keeps FFmpeg's log to itself unless a program asks for it.
"""

from __future__ import annotations

import functools
import io
import itertools
import math
import stat
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import av
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import Type as SideDataType
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from lrcn.errors import MediaError
from lrcn.video.index import FrameIndex, KeyPoint, PacketNote
from lrcn.video.pixels import Orientation, Pixels, over_white

if TYPE_CHECKING:
    Packet = av.Packet[Any]

_REFUSED_FORMATS = frozenset(
    {
        *("hls", "applehttp", "dash", "concat", "imf", "sdp", "rtsp", "rtp", "sap"),
        *("tty", "bin", "xbin", "adf", "idf", "lrc", "avisynth", "vapoursynth", "lavfi", "image2"),
    }
)
"""Play lists that lead to other files and addresses (and wait for live ones to grow), text drawn
as pictures, scripts, and file names as patterns: a text file is no video."""

_TIMEOUT_SECONDS = 120.0
"""After so long a single call to FFmpeg is given up."""

_SEEKLESS = frozenset({"gif", "apng", "webp", "webp_anim", "mpeg", "mpegvideo", "h264", "hevc"})
"""Formats in which decoding always starts at the beginning: frames build on all earlier ones, or
the container has no dependable places."""

_HONEST_LENGTH = frozenset({"mov", "matroska", "avi", "flv", "asf"})
"""Formats whose header says how long the recording is (others estimate it from the file)."""

_SEEK_BY_DTS = frozenset({"avi", "mpegts"})
"""Formats whose own index is in decoding time; the others are searched by presentation time."""

_TRANSPORT_PACKET_BYTES = (188, 192, 204)
"""Broadcast, Blu-ray (.m2ts), and with error correction."""

_AT_THE_END = sys.maxsize
"""Position of a run that has to seek before it can go on."""

_MAX_FAULTS_IN_A_ROW = 64
"""Demuxer errors after which the rest of a file is given up: each costs microseconds."""


class Pass:
    """One opened file and one run of its decoder, with the index of the frame that comes next."""

    def __init__(self, source: str | bytes, name: str, threads: int) -> None:
        self.position = 0
        self.damaged = False
        self.notes: list[PacketNote] = []
        self._read_until_seconds = 0.0
        self._tail = _tail(source, name)
        self.container = open_container(source, name)
        try:
            self.stream = _pick_stream(self.container, name)
        except MediaError:
            self.container.close()
            raise
        self.codec = self.stream.codec_context
        self.codec_name = self.codec.codec.canonical_name  # "av1", whichever library decodes it
        self.codec.thread_count = threads
        self.codec.thread_type = "NONE" if threads == 1 else "AUTO"
        self.format_name = self.container.format.name.split(",")[0]
        self._frames = self._decode_all(None)

    def close(self) -> None:
        """Let go of the file; PyAV frees the decoder with the last reference."""
        self._frames = iter(())
        self.container.close()

    def advance(self) -> VideoFrame | None:
        """The next frame in output order, or None at the end."""
        frame = next(self._frames, None)
        self.position += frame is not None
        return frame

    def push_back(self, frame: VideoFrame) -> None:
        """Give the frame once more from the next `advance`."""
        self._frames = itertools.chain([frame], self._frames)
        self.position -= 1

    def packets(self) -> Iterator[Packet]:
        """Packets of the video stream; those of other streams only tell the time."""
        faults = 0
        while faults < _MAX_FAULTS_IN_A_ROW:
            try:
                for packet in self.container.demux():
                    if packet.size == 0 and packet.dts is None and packet.pts is None:
                        continue  # PyAV's mark for "flush", one per stream
                    faults = 0
                    self._note_time(packet)
                    if packet.stream_index == self.stream.index:
                        self.damaged |= packet.is_corrupt
                        yield packet
            except av.FFmpegError:
                self.damaged = True
                faults += 1
            except IndexError:  # PyAV's flush at the end trips over streams that appeared late
                return
            else:
                return

    def note_rest(self) -> None:
        """Read the remaining packets without decoding them; `notes` is then complete."""
        self.notes.extend(_note(packet) for packet in self.packets())
        self.position = _AT_THE_END

    @property
    def can_seek(self) -> bool:
        """Whether decoding may start elsewhere than at the beginning and give the same frames."""
        return self.format_name not in _SEEKLESS and not self.damaged

    @property
    def fps(self) -> float | None:
        """Mean rate as the container has it."""
        rate = self.stream.average_rate or self.stream.guessed_rate
        return float(rate) if rate else None

    @property
    def time_base(self) -> float:
        """Seconds per unit of the frames' time stamps."""
        return float(self.stream.time_base or 0)

    @property
    def duration_seconds(self) -> float | None:
        """Length of the whole recording, from where its first stream begins."""
        duration = self.container.duration
        if duration is not None and self.format_name == "matroska":  # there it counts from 0
            duration -= self.container.start_time or 0
        return None if duration is None else duration / av.time_base

    @property
    def start_seconds(self) -> float:
        """When the pictures begin, from where the first of all streams does.

        As the container has it: the first time stamp of H.264 in AVI is a guess, a frame too late.
        """
        own, all_streams = self.stream.start_time, self.container.start_time
        if own is None or all_streams is None:
            return 0.0
        return max(0.0, own * self.time_base - all_streams / av.time_base)

    @property
    def counts_time(self) -> bool:
        """Whether time stamps are guesses, and the n-th frame is at n periods (`index.Clock`)."""
        return self.format_name == "avi" and self.codec.has_b_frames

    def lacks_its_end(self) -> bool:
        """Whether more was promised than was read; ask after the last packet.

        The header's length, where the format states one, has to be missed by a quarter of a
        second and 2 %: lengths are rounded and include the odd frame. Streams without a header
        show a cut by their form: a GIF ends with a semicolon, a transport stream is made of
        packets of one size.
        """
        if self.format_name == "gif":
            return not self._tail.rstrip(b"\0").endswith(b";")
        if self.format_name == "mpegts":
            return all(self.container.size % size for size in _TRANSPORT_PACKET_BYTES)
        if self.format_name not in _HONEST_LENGTH:
            return False
        promised = (self.container.duration or 0) / av.time_base
        if self.format_name == "avi" and self.fps:  # FFmpeg corrects the duration, not the count
            promised = max(promised, self.stream.frames / self.fps)
        missing = promised - self._read_until_seconds
        return missing > max(0.25, 0.02 * self._read_until_seconds)

    def start_at_key(self, index: FrameIndex, wanted: KeyPoint) -> bool:
        """Seek so that the next frame is a key frame at or before the wanted one."""
        stamp = wanted.dts if self.format_name in _SEEK_BY_DTS else wanted.pts
        if stamp is None:
            return False
        try:
            self.container.seek(stamp, stream=self.stream, backward=True)
        except av.FFmpegError:
            return False
        known = ((p, index.find_key(p.pts, p.dts)) for p in self.packets() if p.is_keyframe)
        packet, landed = next((pair for pair in known if pair[1] is not None), (None, None))
        if landed is None or landed.frame_index > wanted.frame_index:
            return False
        self._frames = self._decode_all(packet)
        # Frames that are shown before their key frame belong to the group before: not wanted.
        frame = next((frame for frame in self._frames if frame.key_frame), None)
        if frame is None or not index.agrees(landed.frame_index, frame.pts):
            return False
        self.position = landed.frame_index + 1
        self.push_back(frame)
        return True

    def _decode_all(self, first: Packet | None) -> Iterator[VideoFrame]:
        packets = self.packets() if first is None else itertools.chain([first], self.packets())
        for packet in packets:
            self.notes.append(_note(packet))
            # An empty packet would end the decoder's work. One that the end of the file cut off
            # gives rows of whatever was in memory; only transport streams mark doubt, not loss.
            cut_off = packet.is_corrupt and self.format_name != "mpegts"
            if packet.size > 0 and not cut_off:
                yield from self._decode(packet)
        yield from self._decode(None)

    def _decode(self, packet: Packet | None) -> Iterator[VideoFrame]:
        try:
            frames = self.codec.decode(packet)
        except av.FFmpegError:
            self.damaged = True
            return
        for frame in frames:
            self.damaged |= frame.is_corrupt
            yield frame

    def _note_time(self, packet: Packet) -> None:
        stamps = [stamp for stamp in (packet.dts, packet.pts) if stamp is not None]
        if stamps:
            end = float((max(stamps) + (packet.duration or 0)) * packet.time_base)
            self._read_until_seconds = max(self._read_until_seconds, end)


class Converter:
    """Decoded frames of one file as upright RGB of one size, with one reused scaler.

    The rotation or mirroring that the container asks for is applied; transparency is laid over
    white; frames of another size than the first are scaled to it. Pixels are taken as stored: no
    deinterlacing, no tone mapping, no stretching of non-square pixels.
    """

    def __init__(self, first: VideoFrame, name: str) -> None:
        self._name = name
        self._coded_size = first.height, first.width
        self._orientation = _orientation(first)
        self._layout = "rgba" if any(part.is_alpha for part in first.format.components) else "rgb24"
        self._reformatter = VideoReformatter()
        self.height, self.width = self._orientation.size(first.height, first.width)

    def convert(self, frame: VideoFrame, out_HW3: Pixels) -> None:
        """Write the frame into `out_HW3`.

        Raises:
            MediaError: FFmpeg has no way from the file's pixel format to RGB.
        """
        height, width = self._coded_size
        try:
            picture = self._reformatter.reformat(
                frame, width=width, height=height, format=self._layout, threads=1
            )
        except (av.FFmpegError, ValueError) as error:
            raise MediaError(
                f"{self._name}: pictures of the kind {frame.format.name} cannot be turned into "
                f"RGB ({error}); re-encode the file, for example as H.264"
            ) from error
        plane = picture.planes[0]
        depth = 4 if self._layout == "rgba" else 3
        pixels: Pixels = np.ndarray(
            (height, width, depth),
            np.uint8,
            cast("memoryview[int]", plane),  # a VideoPlane offers its memory as a buffer
            strides=(plane.line_size, depth, 1),
        )
        out_HW3[...] = self._orientation.apply(over_white(pixels) if depth == 4 else pixels)


def _tail(source: str | bytes, name: str) -> bytes:
    """The last bytes of a file."""
    if isinstance(source, bytes):
        return source[-64:]
    with Path(name).open("rb") as file:
        file.seek(-min(64, file.seek(0, io.SEEK_END)), io.SEEK_END)
        return file.read()


def _note(packet: Packet) -> PacketNote:
    flawed = packet.is_corrupt or packet.is_discard
    return PacketNote(packet.pts, packet.dts, packet.is_keyframe, packet.size, flawed)


def checked_path(path: str) -> str:
    """The path as FFmpeg's file protocol takes it: no name is read as a URL or a pattern.

    Raises:
        MediaError: It does not exist, or is no regular file.
    """
    try:
        mode = Path(path).stat().st_mode
    except OSError as error:
        raise MediaError(f"{path}: cannot be opened ({error.strerror}); check the path") from error
    if stat.S_ISDIR(mode):
        raise MediaError(f"{path}: is a folder where a video file is expected")
    if not stat.S_ISREG(mode):
        raise MediaError(f"{path}: is a device or a pipe; only regular files can be read")
    return f"file:{Path(path).absolute()}"


def open_container(source: str | bytes, name: str) -> InputContainer:
    """Open an encoded file by its FFmpeg URL (`checked_path`), or its bytes.

    Raises:
        MediaError: FFmpeg finds no video format in it.
    """
    try:
        file = io.BytesIO(source) if isinstance(source, bytes) else source
        allowed = {"format_whitelist": _allowed_formats()}
        container = av.open(file, mode="r", options=allowed, timeout=_TIMEOUT_SECONDS)
    except (av.FFmpegError, OSError, ValueError) as error:
        empty = not source if isinstance(source, bytes) else not Path(name).stat().st_size
        reason = "it is empty" if empty else str(getattr(error, "strerror", None) or error)
        raise MediaError(
            f"{name}: cannot be read as a video ({reason}); "
            "expected a file that FFmpeg decodes, such as .mp4, .avi, .mkv, .webm or .gif"
        ) from error
    return container


@functools.cache
def _allowed_formats() -> str:
    return ",".join(sorted(av.formats_available - _REFUSED_FORMATS))


def _pick_stream(container: InputContainer, name: str) -> VideoStream:
    """The video stream: the default one, else the first; cover pictures do not count."""
    pictures = Disposition.attached_pic | Disposition.timed_thumbnails
    videos = [stream for stream in container.streams.video if not stream.disposition & pictures]
    if not videos:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise MediaError(f"{name}: holds no video stream (found: {kinds}); leave it out")
    decodable = [stream for stream in videos if stream.codec_context is not None]
    if not decodable:
        raise MediaError(f"{name}: its video codec is unknown to FFmpeg; re-encode the file")
    return max(decodable, key=lambda stream: bool(stream.disposition & Disposition.default))


def _orientation(frame: VideoFrame) -> Orientation:
    try:
        side_data = cast("Any", frame.side_data)
    except ValueError:
        # A kind that FFmpeg knows and PyAV does not (EXIF, as of PyAV 18): the angle remains.
        angle = math.radians(-frame.rotation)
        a, b = round(math.cos(angle)), round(math.sin(angle))
        return Orientation.from_display_matrix((a, b, 0, -b, a, 0, 0, 0, 1))
    for number in range(len(side_data)):
        data = side_data[number]
        if data.type == SideDataType.DISPLAYMATRIX:
            return Orientation.from_display_matrix(struct.unpack("=9i", bytes(data)[:36]))
    return Orientation()


_USUAL_DECODERS = ("h264", "hevc", "av1", "vp9", "vp8", "mpeg4", "mpeg2video", "mjpeg", "gif")
_USUAL_ENCODERS = ("libx264", "libx265", "libsvtav1", "libvpx-vp9", "mpeg4")


def codecs() -> dict[str, Any]:
    """What this FFmpeg can do: its library's version, and which of the usual codecs it has."""

    def has(name: str, mode: Literal["r", "w"]) -> bool:
        try:
            av.Codec(name, mode)
        except (ValueError, av.FFmpegError):
            return False
        return True

    return {
        "libavcodec": ".".join(str(number) for number in av.library_versions["libavcodec"]),
        "decoders": [name for name in _USUAL_DECODERS if has(name, "r")],
        "encoders": [name for name in _USUAL_ENCODERS if has(name, "w")],
    }
