"""Videos and photos that commands are given, and where what is made of each goes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from lrcn.cli.output import refuse_existing_file
from lrcn.cli.parser import STDIN, UsageError
from lrcn.errors import DataError, OutputError
from lrcn.structures import SkippedFile


def given_videos(
    paths: Sequence[str], *, features: bool, command: str
) -> Iterator[str | SkippedFile]:
    """Every video that is meant, each once; what leads to none is one that is left out.

    Args:
        paths: As typed.
        features: The model takes features: prefer feature files to videos in folders.
        command: For messages: "predict".

    Raises:
        UsageError: nothing was given.
        DataError: stdin is empty.
    """
    from lrcn.predict.inputs import expand_inputs

    return _given(paths, command, "*.mp4", partial(expand_inputs, features=features))


def given_photos(paths: Sequence[str], *, command: str) -> Iterator[str | SkippedFile]:
    """Every photo that is meant, each once; see `given_videos`."""
    from lrcn.predict.photos import expand_photos

    return _given(paths, command, "*.jpg", expand_photos)


def _given(
    paths: Sequence[str],
    command: str,
    pattern: str,
    expand: Callable[[Sequence[str]], list[str]],
) -> Iterator[str | SkippedFile]:
    if not paths:
        raise UsageError(
            "PATHS is missing: give files, folders, patterns, or - for a list on stdin"
        )
    seen: set[str] = set()
    for path in _with_listed(paths, command, pattern):
        try:
            meant = expand([path])
        except DataError as error:
            yield SkippedFile(path=path, reason=str(error))
            continue
        for one in meant:
            if one not in seen:
                seen.add(one)
                yield one


def _with_listed(paths: Sequence[str], command: str, pattern: str) -> list[str]:
    """The paths, with the lines of stdin where `-` stands."""
    found: list[str] = []
    for path in paths:
        if path != STDIN:
            found.append(path)
            continue
        lines = [line.rstrip("\r\n") for line in sys.stdin]
        found += [line for line in lines if line.strip()]
    if not found:
        raise DataError(
            "the list on stdin is empty; it takes one path a line:"
            f" ls {pattern} | lrcn {command} MODEL -"
        )
    return found


def output_places(
    out: Path | None, paths: Sequence[str], *, option: str, suffix: str, overwrite: bool
) -> dict[str, Path]:
    """Path of a video → where what is made of it goes: OUT for one, a folder for several.

    Args:
        out: As given; None for nothing.
        paths: The videos.
        option: For messages: "--annotate".
        suffix: Of the files in a folder: ".mp4".
        overwrite: Whether files that stand there may be replaced.

    Raises:
        OutputError: a file exists and may not be replaced, or is one of the videos.
        UsageError: one file is named for several videos.
    """
    if out is None or not paths:
        return {}
    if len(paths) == 1 and not out.is_dir():
        places = {paths[0]: out}
    elif out.is_file() or (out.suffix and not out.is_dir()):
        raise UsageError(f"{option} {out} names one file for {len(paths)} videos; name a folder")
    else:
        places = {path: out / f"{Path(path).stem}{suffix}" for path in paths}
        if len(set(places.values())) < len(places):
            places = {p: out / f"{i:04}-{Path(p).stem}{suffix}" for i, p in enumerate(paths)}
    videos = {os.path.realpath(path) for path in paths}
    for place in places.values():
        if os.path.realpath(place) in videos:
            raise OutputError(
                f"{option} would replace {place}, which is one of the videos; choose another name"
            )
        refuse_existing_file(place, overwrite=overwrite)
    return places


def copy_places(out: Path | None, paths: Sequence[str], *, overwrite: bool) -> dict[str, Path]:
    """Path of a video → where its annotated copy goes, of `--annotate`; see `output_places`.

    Raises:
        OutputError: also: the folder cannot be written, or the ending is that of no such video.
        UsageError: one file is named for several videos.
    """
    from lrcn.predict.annotate import check_copy

    places = output_places(out, paths, option="--annotate", suffix=".mp4", overwrite=overwrite)
    for place in places.values():
        check_copy(place)
    return places
