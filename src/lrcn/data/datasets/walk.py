"""Finding videos, folders of frames and feature files on the disk."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from lrcn.errors import DataError
from lrcn.video.features import FEATURE_EXTENSIONS
from lrcn.video.frames import BROWSER_FILES, IMAGE_EXTENSIONS, is_frame_folder
from lrcn.video.source import VIDEO_EXTENSIONS

MEDIA_EXTENSIONS = (*sorted(VIDEO_EXTENSIONS), *sorted(FEATURE_EXTENSIONS))
"""Videos first: where a video and its features bear one name, the video is meant."""


def has_media_name(path: str | os.PathLike[str]) -> bool:
    """Whether a name ends like a video or a feature file; the file need not exist."""
    return Path(path).suffix.lower() in MEDIA_EXTENSIONS


def exists(path: Path) -> bool:
    """Whether the path leads to something; false where it cannot be one (a line of prose)."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def strip_media_extension(name: str) -> str:
    """The name without ".avi" and the like; other dots ("v1.2", "a.b.mp4" -> "a.b") stay."""
    extension = Path(name).suffix
    return name[: -len(extension)] if extension.lower() in MEDIA_EXTENSIONS else name


@dataclass
class Found:
    """What lies below a folder: media, and all that is none."""

    videos: list[Path] = field(default_factory=list)
    """Video files and folders of frames, and what is meant as such: reading it tells the fault."""
    features: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    """Files of other kinds, and folders without media."""

    @property
    def media(self) -> list[Path]:
        """Videos where there are any, else feature files."""
        return self.videos or self.features

    def kinds(self) -> Counter[str]:
        """How many of the others are of which kind."""
        return Counter(_kind(path) for path in self.others)

    def strangers(self) -> list[Path]:
        """The others that do not belong to a medium of the same name, as its subtitles do."""
        media = {path.with_suffix("") for path in (*self.videos, *self.features)}
        return [path for path in self.others if path.with_suffix("") not in media]


def find_media(folder: Path) -> Found:
    """Every video, folder of frames and feature file below `folder`, sorted, links followed.

    Hidden files and folders are left out. A folder of numbered images is one video; below any
    other folder the search goes on, and one without media stands in for a video where it is named
    like one, or lies beside folders of frames and is empty or holds images too. A link back to a
    folder above is not followed again.
    """
    found = Found()
    _search(folder, found, seen={os.path.realpath(folder)})
    return found


def _search(folder: Path, found: Found, seen: set[str]) -> None:
    paths = visible(folder)
    frames = {path for path in paths if is_frame_folder(path)}
    for path in paths:
        if path in frames:
            found.videos.append(path)
        elif path.is_dir():
            real = os.path.realpath(path)
            if real not in seen:
                seen.add(real)
                _search_below(path, found, seen, beside_frames=bool(frames))
        elif path.suffix.lower() in VIDEO_EXTENSIONS:
            found.videos.append(path)
        elif path.suffix.lower() in FEATURE_EXTENSIONS:
            found.features.append(path)
        elif path.name.lower() not in BROWSER_FILES:
            found.others.append(path)


def _search_below(path: Path, found: Found, seen: set[str], *, beside_frames: bool) -> None:
    below = Found()
    _search(path, below, seen)
    if below.media:
        found.videos += below.videos
        found.features += below.features
        found.others += below.others
        return
    images = any(other.suffix.lower() in IMAGE_EXTENSIONS for other in below.others)
    if path.suffix.lower() in FEATURE_EXTENSIONS:
        found.features.append(path)
    elif path.suffix.lower() in VIDEO_EXTENSIONS or (
        beside_frames and (images or not below.others)
    ):
        found.videos.append(path)
    else:
        found.others += below.others or [path]


def _kind(path: Path) -> str:
    return "empty folder" if path.is_dir() else path.suffix.lower() or "no extension"


def visible(folder: Path) -> list[Path]:
    """The entries of a folder, sorted, without hidden ones.

    Raises:
        DataError: the folder cannot be read.
    """
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(
            f"{folder} cannot be listed: {error.strerror or error}. "
            f"DATA is a folder or a list file that you may read; check the path and its rights."
        ) from error
    return [p for p in paths if not p.name.startswith(".") and p.name != "__MACOSX"]


class Finder:
    """Finds the files that published lists name, as they lie on somebody's disk.

    In this order: the name as written; letter case aside (UCF101 writes
    `HandstandPushups/v_HandStandPushups_g01_c01.avi`, copies differ); another media extension or
    a folder of frames of that name; the same without its class folder (flat copies).
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._listed: dict[str, dict[str, str]] = {}

    def find(self, name: str) -> Path | None:
        """Where `name` ("Class/video.avi" or "Class/video") lies; None when it does not."""
        parts = name.split("/")
        choices = [parts] if len(parts) == 1 else [parts, parts[-1:]]
        for choice in choices:
            exact = self.root.joinpath(*choice)
            if exists(exact):
                return exact
            found = self._find_case_aside(choice)
            if found is not None:
                return found
        return None

    def _find_case_aside(self, parts: list[str]) -> Path | None:
        folder = self.root
        for part in parts[:-1]:
            below = self._names(folder).get(_fold(part))
            if below is None:
                return None
            folder = folder / below
        names = self._names(folder)
        return next((folder / names[n] for n in _forms(parts[-1]) if n in names), None)

    def _names(self, folder: Path) -> dict[str, str]:
        """Names in a folder by their folded form, with and without extension; read once."""
        key = str(folder)
        if key not in self._listed:
            names = [path.name for path in visible(folder)] if folder.is_dir() else []
            names.sort(key=lambda name: Path(name).suffix.lower() in FEATURE_EXTENSIONS)
            known = {_fold(name): name for name in reversed(names)}
            for name in names:
                known.setdefault(_fold(strip_media_extension(name)), name)
            self._listed[key] = known
        return self._listed[key]


def _fold(name: str) -> str:
    """Letter case aside, and composed ("é" is one character on Linux, two on some disks)."""
    return unicodedata.normalize("NFC", name).casefold()


def _forms(name: str) -> tuple[str, str]:
    """The name as it is, and without its media extension."""
    return _fold(name), _fold(strip_media_extension(name))
