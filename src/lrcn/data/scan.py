"""Reading one file from end to end: does it decode, how much, and what does it look like?"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from torch import Tensor
from torch.nn import functional as F

from lrcn.data.modality import is_stored_flow
from lrcn.errors import MediaError
from lrcn.structures import FlowConfig, VideoItem
from lrcn.video.features import is_feature_path, read_features
from lrcn.video.repeats import RepeatFinder, Repeats, count_blank
from lrcn.video.source import open_video

FINGERPRINT_EVERY = 32
"""A frame is looked at every so many frames, from the first on."""
FINGERPRINT_LENGTH = 8
"""Frames looked at, at most."""
_FLAT_LEVELS = 4.0
"""A picture whose 72 cells differ by less (standard deviation, of 255) is not looked at."""


_NO_MOTION = FlowConfig().centre


@dataclass(frozen=True, kw_only=True)
class FileReport:
    """What was found in one file; all None that the file has not, or that could not be read."""

    path: str
    video_id: str
    status: Literal["ok", "truncated", "unreadable"]
    reason: str | None = None
    num_bytes: int | None = None
    num_frames: int | None = None
    """Frames that decode, counted; for features the length T."""
    duration_seconds: float | None = None
    fps: float | None = None
    width: int | None = None
    height: int | None = None
    codec: str | None = None
    feature_dim: int | None = None
    repeats: Repeats | None = None
    """Frames that show what the one before shows: they have no motion."""
    num_blank: int | None = None
    """Of stored flow images: how many show no motion."""
    fingerprint: tuple[int | None, ...] = field(default=(), repr=False)
    """64 bits per frame looked at; None for a flat picture."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: what is known."""
        fields = asdict(self)
        del fields["fingerprint"]
        return {name: value for name, value in fields.items() if value is not None}


def scan_file(item: VideoItem) -> FileReport:
    """Read the item's file from its first frame to its last, whatever the item's interval."""
    try:
        num_bytes = Path(item.path).stat().st_size if Path(item.path).is_file() else None
        if is_feature_path(item.path):
            return _scan_features(item, num_bytes)
        return _scan_video(item, num_bytes)
    except (MediaError, OSError) as error:
        return FileReport(
            path=item.path, video_id=item.video_id, status="unreadable", reason=str(error)
        )


def _scan_features(item: VideoItem, num_bytes: int | None) -> FileReport:
    length, width = read_features(item.path, item.video_id).shape
    return FileReport(
        path=item.path,
        video_id=item.video_id,
        status="ok",
        num_bytes=num_bytes,
        num_frames=length,
        feature_dim=width,
    )


def _scan_video(item: VideoItem, num_bytes: int | None) -> FileReport:
    stored_flow = is_stored_flow(item)
    finder, num_blank = RepeatFinder(), 0
    frames = 0
    last_seconds = 0.0
    marks: list[int | None] = []
    with open_video(item.path) as video:
        info = video.info
        for clip in video.iterate(chunk=FINGERPRINT_EVERY):
            if len(marks) < FINGERPRINT_LENGTH:
                marks.append(difference_hash(clip.frames_TCHW[0]))
            if stored_flow:
                num_blank += count_blank(clip.frames_TCHW.numpy(), _NO_MOTION)
            else:
                for green_HW in clip.frames_TCHW[:, 1].numpy():
                    finder.see(green_HW)
            frames += len(clip)
            last_seconds = float(clip.pts_seconds_T[-1])
        truncated = video.truncated
    if frames == 0:
        raise MediaError(f"{item.path}: no frame can be decoded; replace the file")
    return FileReport(
        path=item.path,
        video_id=item.video_id,
        status="truncated" if truncated else "ok",
        reason=f"ends or breaks early, after {frames} frames" if truncated else None,
        num_bytes=num_bytes,
        num_frames=frames,
        duration_seconds=last_seconds + (1.0 / info.fps if info.fps else 0.0),
        fps=info.fps,
        width=info.width,
        height=info.height,
        codec=info.codec,
        repeats=finder.result(),
        num_blank=num_blank if stored_flow else None,
        fingerprint=tuple(marks),
    )


def difference_hash(frame_CHW: Tensor) -> int | None:
    """64 bits: is each of 8 x 8 cells brighter than its right neighbour? None for a flat picture.

    Survives scaling and compression. Source: N. Krawetz, "Kind of Like That", 2013
    (https://www.hackerfactor.com/blog/index.php?/archives/529-Kind-of-Like-That.html).
    """
    grey_HW = frame_CHW.float().mean(0)
    cells = F.adaptive_avg_pool2d(grey_HW[None, None], (8, 9))[0, 0]
    if float(cells.std()) < _FLAT_LEVELS:
        return None
    bits = (cells[:, :-1] > cells[:, 1:]).flatten().tolist()
    return sum(1 << i for i, bit in enumerate(bits) if bit)


def bits_apart(left: tuple[int | None, ...], right: tuple[int | None, ...]) -> list[int]:
    """Differing bits of the frames that both looked at, of 64 each."""
    pairs = zip(left, right, strict=False)
    return [(a ^ b).bit_count() for a, b in pairs if a is not None and b is not None]
