"""What `lrcn flow` wrote: which flow images a folder holds, made how, and of which content.

`OUT/lrcn-flow.manifest` holds JSON lines. The first says how the flow images are made; each
further one stands for a finished video, so that an interrupted run loses nothing, and a changed
source or setting is seen. Flow images of the original code have no manifest; they are recognised
by their names, `flow_image_...` (paper.md 5.3).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from lrcn.errors import DataError, OutputError
from lrcn.settings import from_dict, to_dict
from lrcn.structures import FlowConfig
from lrcn.video.flow import FLOW_VERSION
from lrcn.video.repeats import Repeats
from lrcn.video.stills import DEFAULT_FPS

MANIFEST_NAME = "lrcn-flow.manifest"
IMAGE_PREFIX = "flow_image_"
"""How the names of flow images begin, here and in the original code."""

_FORMAT = 1

FlowFormat = Literal["png", "ffv1", "jpeg"]
FlowNaming = Literal["nested", "original"]


@dataclass(frozen=True, kw_only=True)
class FlowStorage:
    """How flow images are kept."""

    flow: FlowConfig = field(default_factory=FlowConfig)
    """How they are made."""
    format: FlowFormat = "png"
    """png and ffv1 (one .mkv per video, a lossless codec) keep every value; jpeg does not."""
    quality: int = 95
    """Of jpeg, 1 to 100."""
    naming: FlowNaming = "nested"
    """nested keeps the folders of the source; original is flow_images/<video>/, without them."""

    @property
    def digest(self) -> str:
        """Stands for everything that decides the pixels and where they lie."""
        plain = to_dict(self)
        if self.format != "jpeg":
            del plain["quality"]
        text = json.dumps({"flow_version": FLOW_VERSION, **plain}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class FlowRecord:
    """One finished video."""

    name: str
    """Of the source below DATA, "/" between its parts, with its ending."""
    path: str
    """Of the flow images below OUT."""
    content: str
    """Hash of the source's bytes."""
    settings: str
    """`FlowStorage.digest`."""
    num_images: int
    fps: float | None = None
    truncated: bool = False
    num_repeated: int = 0
    """Frames of the source that repeat the one before: their flow is blank."""
    every: int | None = None
    """Distance between those where it is regular."""
    pts_seconds: tuple[float, ...] | None = None
    """Times of the images; None where image i is at (i + 1) / fps, without fps at 25 a second."""

    @property
    def times_seconds(self) -> tuple[float, ...]:
        """Time of every image, in the source."""
        return self.pts_seconds or regular_times(self.num_images, self.fps)

    @property
    def repeats(self) -> Repeats:
        """Those frames, for messages."""
        return Repeats(
            num_frames=self.num_images + 1, num_repeated=self.num_repeated, every=self.every
        )


def regular_times(num_images: int, fps: float | None) -> tuple[float, ...]:
    """Times of the flow images of a source whose frames come at one rate, the first at 0."""
    return tuple((i + 1) / (fps or DEFAULT_FPS) for i in range(num_images))


@dataclass(frozen=True)
class FlowManifest:
    """The manifest of a folder, as read."""

    folder: Path
    storage: FlowStorage
    records: dict[str, FlowRecord]
    """By `FlowRecord.path`."""

    def record_of(self, path: str | os.PathLike[str]) -> FlowRecord | None:
        """The finished video that lies at `path`; None where it is not finished, or changed."""
        below = os.path.relpath(os.path.abspath(path), os.path.abspath(self.folder))  # noqa: PTH100 - links stay
        found = self.records.get(Path(below).as_posix())
        return found if found is not None and found.settings == self.storage.digest else None


_known: dict[str, tuple[tuple[int, int], FlowManifest]] = {}
_known_lock = threading.Lock()


def read_manifest(folder: Path) -> FlowManifest | None:
    """The manifest in a folder; None where there is none. A torn last line is left out.

    Raises:
        DataError: it is no manifest, or of a newer version.
    """
    path = folder / MANIFEST_NAME
    try:
        status = path.stat()
        stamp = (status.st_size, status.st_mtime_ns)
        with _known_lock:
            known = _known.get(str(path))
        if known is not None and known[0] == stamp:
            return known[1]
        lines = path.read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}; run `lrcn flow` again") from error
    found = _parse(folder, lines)
    with _known_lock:
        _known[str(path)] = stamp, found
    return found


def _parse(folder: Path, lines: list[str]) -> FlowManifest:
    try:
        head = json.loads(lines[0])
        version = head["lrcn_flow"]
        storage = from_dict(FlowStorage, head["storage"]) if version == _FORMAT else None
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise DataError(
            f"{folder / MANIFEST_NAME} does not say how flow images were made ({error});"
            " make them again with `lrcn flow` into another folder"
        ) from error
    if storage is None:
        raise DataError(
            f"{folder / MANIFEST_NAME} has version {version}, and this lrcn reads {_FORMAT};"
            " update lrcn"
        )
    records: dict[str, FlowRecord] = {}
    for line in lines[1:]:
        # The last line is torn where a run was killed: that video is made again.
        with contextlib.suppress(ValueError, TypeError):
            about = json.loads(line)
            times = about.pop("pts_seconds", None)
            record = FlowRecord(**about, pts_seconds=None if times is None else tuple(times))
            records[record.path] = record
    return FlowManifest(folder, storage, records)


def find_manifest(path: str | os.PathLike[str]) -> FlowManifest | None:
    """The manifest in the folder of `path`, or in one above it."""
    place = Path(os.path.abspath(path))  # noqa: PTH100 - links stay
    for folder in (place, *place.parents):
        found = read_manifest(folder)
        if found is not None:
            return found
    return None


def is_named_as_flow(path: str | os.PathLike[str]) -> bool:
    """Whether the first image of a folder is named as the original code names flow images."""
    try:
        names = sorted(name for name in os.listdir(path) if not name.startswith("."))  # noqa: PTH208 - names only
    except OSError:
        return False
    return bool(names) and names[0].startswith(IMAGE_PREFIX)


class ManifestWriter:
    """Appends finished videos to the manifest of a folder; safe for threads.

    Args:
        folder: OUT; made when absent.
        storage: How flow images are made now.
        data: Where they come from, for the reader.
    """

    def __init__(self, folder: Path, storage: FlowStorage, data: str) -> None:
        self._path = folder / MANIFEST_NAME
        self._lock = threading.Lock()
        before = read_manifest(folder)
        kept = [] if before is None else list(before.records.values())
        head = {"lrcn_flow": _FORMAT, "storage": to_dict(storage), "data": data}
        draft = self._path.with_name(f".{MANIFEST_NAME}.{os.getpid()}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with draft.open("w", encoding="utf-8") as file:
                file.write(json.dumps(head) + "\n")
                file.writelines(json.dumps(asdict(record)) + "\n" for record in kept)
            draft.replace(self._path)
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
            raise _cannot_write(self._path, error) from error

    def add(self, record: FlowRecord) -> None:
        """Note that a video is finished.

        Raises:
            OutputError: the manifest cannot be written.
        """
        line: dict[str, Any] = asdict(record)
        try:
            with self._lock, self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise _cannot_write(self._path, error) from error


def _cannot_write(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{path} cannot be written: {error.strerror or error}. Check the place and its free space"
    )
