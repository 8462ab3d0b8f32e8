"""The folder of a rendered world: files by part, one line of truth for each, and its settings."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from lrcn.errors import ConfigError, OutputError
from lrcn.structures import Split

Job = TypeVar("Job")

SPLITS: tuple[Split, ...] = ("train", "val", "test")
CAPTIONS_NAME = "captions.jsonl"
LABELS_NAME = "labels.csv"
"""What a recogniser learns of a world of sentences."""
EVENTS_ABOUT_NAME = "events.json"
"""Settings and seed of the world of events."""
PICTURES_ABOUT_NAME = "pictures.json"
"""Settings and seed of the world of pictures."""


def is_world_of_sentences(data: Path) -> bool:
    """Whether a folder is a rendered world whose files have sentences, and a list of labels."""
    return any((data / name).is_file() for name in (EVENTS_ABOUT_NAME, PICTURES_ABOUT_NAME))


def make_world(
    out: Path,
    config: Any,
    counts: Sequence[int],
    jobs: Callable[[Path], Sequence[tuple[Path, Job]]],
    make: Callable[[Path, Job], dict[str, Any]],
    *,
    what: str,
    about_name: str,
    seed: int,
    threads: int,
    progress: Callable[[int, int], None] | None,
    lists: Callable[[Sequence[dict[str, Any]]], Mapping[str, str]] | None = None,
) -> None:
    """Render a world into a new folder; written beside it first, then renamed.

    Args:
        out: Must not exist.
        config: A dataclass; written down.
        counts: Files in train, val and test.
        jobs: From the folder that is filled to every file with what it shows.
        make: Writes one file; its line of `captions.jsonl`.
        what: The files, in messages: "clips".
        about_name: Of the file with settings and seed.
        seed: Written down.
        threads: Files made at the same time.
        progress: Called with (files done, files in all).
        lists: From all lines of `captions.jsonl` to other lists: name to text.

    Raises:
        ConfigError: a number of files is negative, or all are 0.
        OutputError: the folder exists or cannot be written.
    """
    if min(counts) < 0 or not sum(counts):
        raise ConfigError(
            f"{counts[0]} training, {counts[1]} validation and {counts[2]} test {what} cannot be "
            "made; each number is 0 or more, and one is above 0"
        )
    if out.exists():
        raise OutputError(f"{out} exists already. Remove it, or choose another place")
    draft = out.with_name(f".{out.name}.draft-{os.getpid()}")
    listed = jobs(draft)
    try:
        for folder in {path.parent for path, _ in listed}:
            folder.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(threads) as pool:
            lines = []
            for line in pool.map(lambda job: make(*job), listed):
                lines.append(line)
                if progress is not None:
                    progress(len(lines), len(listed))
        texts = {CAPTIONS_NAME: "".join(json.dumps(line) + "\n" for line in lines)}
        if lists is not None:
            texts |= lists(lines)
        for name, text in texts.items():
            (draft / name).write_text(text, encoding="utf-8")
        about = {"seed": seed, "counts": dict(zip(SPLITS, counts, strict=True))}
        about["config"] = dataclasses.asdict(config)
        (draft / about_name).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        draft.rename(out)
    except OSError as error:
        raise OutputError(
            f"cannot write {out}: {error.strerror or error}. Check the place and its free space"
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def numbered(
    counts: Sequence[int], extension: str
) -> Callable[[Path], list[tuple[Path, tuple[int, int]]]]:
    """Jobs of `make_world`: "train/00000.png", ..., each with its part and number."""
    return lambda root: [
        (root / SPLITS[part] / f"{number:05d}{extension}", (part, number))
        for part, count in enumerate(counts)
        for number in range(count)
    ]


def write_csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A list as text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([header, *rows])
    return text.getvalue()
