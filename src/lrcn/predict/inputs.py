"""From what was typed to the list of videos: files, folders, patterns, a list on stdin."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from lrcn.data.datasets.walk import find_media
from lrcn.errors import DataError
from lrcn.video.frames import is_frame_folder


def expand_inputs(
    paths: Sequence[str], *, listed: Iterable[str] = (), features: bool = False
) -> list[str]:
    """The videos that are meant, in the order given, each once.

    ===================================  =====================================================
    a file                               itself, also when it does not exist: that is one
                                         answer among the others
    a folder of numbered images          one video
    any other folder                     every video below it (feature files where it has none)
    a pattern (``*``, ``?``, ``[``)      what it matches, each treated as above; ``**`` descends
    ``-``                                the lines of `listed`, each treated as above
    ===================================  =====================================================

    Args:
        paths: As typed.
        listed: What ``-`` stands for: the lines of standard input.
        features: The model takes features: prefer feature files to videos in folders.

    Raises:
        DataError: a folder holds no video, a pattern matches nothing, or nothing was given.
    """
    found: dict[str, str] = {}
    for path in paths:
        lines = [line.strip() for line in listed] if path == "-" else [path]
        if path == "-" and not any(lines):
            raise DataError(
                "the list on standard input is empty; it takes one path a line"
                " (ls *.mp4 | lrcn predict MODEL -)"
            )
        for line in filter(None, lines):
            for one in _expand(line, features):
                found.setdefault(os.path.realpath(one), one)
    if not found:
        raise DataError(
            "no input was given; it takes files, folders, patterns, or - for a list on stdin"
        )
    return list(found.values())


def passed_over(paths: Sequence[str]) -> list[str]:
    """What lies below the folders that are searched, is no video, and belongs to none."""
    folders = [Path(path) for path in dict.fromkeys(paths) if Path(path).is_dir()]
    found = [find_media(folder) for folder in folders if not is_frame_folder(folder)]
    return [str(path) for contents in found for path in contents.strangers()]


def _expand(path: str, features: bool) -> list[str]:
    if not Path(path).exists() and glob.has_magic(path):
        matches = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute one
        if not matches:
            raise DataError(f"no file matches {path!r}; check the folder, or quote less of it")
        return [one for match in matches for one in _expand(match, features)]
    folder = Path(path)
    if not folder.is_dir() or is_frame_folder(folder):
        return [path]
    media = find_media(folder)
    chosen = (media.features or media.videos) if features else media.media
    if not chosen:
        others = ", ".join(f"{n} {kind}" for kind, n in media.kinds().most_common(3))
        raise DataError(
            f"{path} holds no video and no folder of numbered images"
            f" ({'only ' + others if others else 'it is empty'});"
            " give another folder, or name the files themselves"
        )
    return [str(one) for one in chosen]
