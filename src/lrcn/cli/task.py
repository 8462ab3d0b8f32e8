"""What is to be learnt: classes or sentences, from the data's columns or from what was said."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lrcn.cli.parser import UsageError

if TYPE_CHECKING:
    from lrcn.train.caption_config import AnyExperiment

Task = Literal["activity", "caption"]

_WHAT: dict[Task, str] = {"activity": "classes", "caption": "sentences"}


def choose_task(
    given: Task | None,
    *,
    recipe: str | None,
    config: Path | None,
    continued: AnyExperiment | None,
    data: Path | None,
    has_images: bool = False,
) -> Task:
    """What is to be learnt.

    Args:
        given: `--task`.
        recipe: `--recipe`, which is for one of the two.
        config: `--config`, whose settings are for one of the two.
        continued: The experiment of the run that is resumed.
        data: `--data`.
        has_images: Whether `--images` was given, which belongs to sentences.

    Raises:
        UsageError: what was said contradicts itself, or DATA can be learnt in two ways.
    """
    said: dict[str, Task] = {} if given is None else {f"--task {given}": given}
    if recipe is not None:
        from lrcn.recipes.captions import CAPTION_RECIPES

        said[f"recipe {recipe}"] = "caption" if recipe in CAPTION_RECIPES else "activity"
    if config is not None and (kind := _of_config(config)) is not None:
        said[f"{config}"] = kind
    if continued is not None:
        from lrcn.train.caption_config import CaptionExperiment

        own: Task = "caption" if isinstance(continued, CaptionExperiment) else "activity"
        said["the run that is resumed"] = own
    if len(set(said.values())) > 1:
        words = " and ".join(f"{name} is for {_WHAT[kind]}" for name, kind in said.items())
        raise UsageError(f"{words}. Leave one of them out")
    decided = next(iter(said.values()), None)
    if data is None:
        return decided or "activity"
    return _of_data(data, decided, next(iter(said), ""), has_images=has_images)


def _of_data(data: Path, decided: Task | None, by: str, *, has_images: bool) -> Task:
    """What DATA can be learnt for, checked against what was decided before.

    A list with neither labels nor sentences, or none at all, is read as sentences where
    `--images` was given: their reader then says what is wrong with it.

    Raises:
        UsageError: it cannot be learnt for that, or for both.
    """
    from lrcn.data.captions import holds_captions

    sentences, labels = holds_captions(data), _has_labels(data)
    if decided == "activity" and sentences and not labels:
        raise UsageError(
            f"{by} is for classes, but {data} holds sentences and no labels."
            " Use --task caption, or give data with a label column"
        )
    if decided is not None:
        return decided
    if sentences and labels:
        raise UsageError(
            f"{data} has labels and sentences, and one model learns one of them."
            " Say which: --task activity or --task caption"
        )
    meant = has_images and not labels and not data.is_dir()
    return "caption" if sentences or meant else "activity"


def _of_config(config: Path) -> Task | None:
    """What a settings file is for; None where it does not say."""
    from lrcn.cli.settings import read_config

    tree = read_config(config)
    if "problem" in tree:
        return "caption"
    return "activity" if "dataset" in tree and "name" in tree else None


def _has_labels(data: Path) -> bool:
    """Whether a list has a column of labels, by its first line."""
    from lrcn.data.datasets.tables import COLUMNS

    if not data.is_file():
        return False
    with data.open(encoding="utf-8-sig", errors="replace") as file:
        line = next((line for line in file if line.strip()), "")
    if line.lstrip().startswith(("{", "[")):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            return False
        names = list(row) if isinstance(row, dict) else []
    else:
        names = re.split(r"[\t,;|]", line)
    return any(name.strip().strip('"').lower() in COLUMNS["label"] for name in names)
