"""Which part of DATA a model may be measured on: what it has not seen.

The order: what `--split` asks for; DATA's own test part; of the data that the run was trained
on, the part that it held out; everything.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lrcn.errors import DataError
from lrcn.structures import Split, VideoItem, VideoList

if TYPE_CHECKING:
    from lrcn.evaluate.protocol import DataChoice
    from lrcn.train.config import Experiment

Part = Literal["train", "val", "test", "all"]


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run folder tells of its training: its settings and who was trained on."""

    folder: Path
    experiment: Experiment
    division: VideoList | None
    """All videos of the run with their part; None where the run has not got that far."""
    val_how: str
    """How the run held out its validation part: "by group", "by file", "official", ..."""
    warnings: tuple[str, ...]
    """Of the division."""


def find_run(model: Path) -> Run | None:
    """The run that MODEL is, or lies in; None for a model folder on its own."""
    from lrcn.data.datasets import read_dataset
    from lrcn.train.run import EXPERIMENT_NAME, SPLIT_NAME, load_experiment

    for folder in (model, model.parent):
        if (folder / EXPERIMENT_NAME).is_file():
            split = folder / SPLIT_NAME
            division = None
            if split.is_file():
                division = read_dataset(split, layout="csv", missing="skip", min_classes=1)
            about = _about_division(split)
            return Run(
                folder=folder,
                experiment=load_experiment(folder),
                division=division,
                val_how=about.get("val_how") or "by the run",
                warnings=tuple(about.get("warnings", ())),
            )
    return None


def _about_division(split: Path) -> dict[str, Any]:
    """What the first line of a saved division says of how it was made."""
    if not split.is_file():
        return {}
    with split.open(encoding="utf-8") as file:
        _, _, text = file.readline().partition(" division ")
    try:
        about = json.loads(text)
    except ValueError:
        return {}
    return about if isinstance(about, dict) else {}


def choose_part(
    videos: VideoList, run: Run | None, *, split: Part | None, allow_leaks: bool
) -> tuple[VideoList, DataChoice]:
    """The videos to measure on, and how they were chosen.

    Args:
        videos: DATA as read.
        run: Where the model comes from, if known.
        split: What was asked for; None for the rule above.
        allow_leaks: Measure although training videos are among them; the results say so.

    Raises:
        DataError: the part that was asked for does not exist.
        LeakError: training videos, or videos of their groups, are among those chosen.
    """
    from lrcn.data.datasets import with_items
    from lrcn.data.split import select_for_evaluation
    from lrcn.evaluate.protocol import DataChoice

    parts = _parts_of_run(videos, run)
    if split == "all":
        chosen, name, how = videos, "all", "everything"
    elif split is None and parts and not any(i.split == "test" for i in videos.items):
        held_out = [i for i in videos.items if parts.get(identity_of(i)) not in ("train", None)]
        if not held_out:
            raise DataError(
                f"all {len(videos)} videos of {videos.source} were trained on by {_name(run)}."
                " Give other data, or measure on them knowingly with --split train"
            )
        chosen, name, how = with_items(videos, held_out), "val", _run_how(run)
    else:
        marked = _with_run_parts(videos, parts)
        chosen, name = select_for_evaluation(marked, None if split in (None, "all") else split)
        how = _how(videos, name, parts, run)
    warnings = run.warnings if run is not None and name == "val" and parts else ()
    warnings += trained_on(chosen, run, knowingly=split in ("train", "all"), allow=allow_leaks)
    choice = DataChoice(split=name, how=how, warnings=warnings, allow_leaks=allow_leaks)
    return chosen, choice


_Key = tuple[str, str, float | None, float | None]
"""File, id within it (feature files hold many), interval."""


def identity_of(item: VideoItem) -> _Key:
    """What tells one item from another, however its path is written."""
    from lrcn.data.twins import identity

    path, inside = identity(item)
    return os.path.realpath(path), inside, item.start_seconds, item.end_seconds


def _parts_of_run(videos: VideoList, run: Run | None) -> dict[_Key, Split | None]:
    """The part in which the run had each of these videos; empty when it trained on none."""
    if run is None or run.division is None:
        return {}
    parts = {identity_of(item): item.split for item in run.division.items}
    shared = {key: parts[key] for key in map(identity_of, videos.items) if key in parts}
    if "train" not in shared.values():
        return {}
    return shared


def _with_run_parts(videos: VideoList, parts: dict[_Key, Split | None]) -> VideoList:
    """Videos whose data name no part get the one that the run gave them.

    Of data with a training and a test part of their own (UCF101) the run's validation videos
    count as such too: it took them from the training part.
    """
    named = {item.split for item in videos.items} - {None}
    if not parts or "val" in named:
        return videos
    given = (parts.get(identity_of(item)) for item in videos.items)
    if named:
        given = (part if part == "val" else None for part in given)
    items = tuple(
        item if item.split == "test" or part is None else replace(item, split=part)
        for item, part in zip(videos.items, given, strict=True)
    )
    return replace(videos, items=items)


def _how(
    videos: VideoList,
    name: str,
    parts: dict[_Key, Split | None],
    run: Run | None,
) -> str:
    if name == "all":
        return "everything"
    if name == "val" and parts and not any(item.split == "val" for item in videos.items):
        return _run_how(run)
    if videos.official_split:
        return "official"
    if any(item.split for item in videos.items):
        return "folders" if videos.layout == "folder" else "column"
    return _run_how(run) if parts else "everything"


def _run_how(run: Run | None) -> str:
    return "by the run" if run is None else run.val_how


def trained_on(
    chosen: VideoList, run: Run | None, *, knowingly: bool = False, allow: bool = False
) -> tuple[str, ...]:
    """Warnings about what a run trained on too; refused unless asked for.

    Raises:
        LeakError: there are such videos, and neither `knowingly` nor `allow` holds.
    """
    from lrcn.data.datasets import with_items
    from lrcn.data.leaks import refuse_leaks

    if run is None or run.division is None:
        return ()
    trained = [item for item in run.division.items if item.split == "train"]
    if not trained:
        return ()
    found = refuse_leaks(
        {"training": with_items(run.division, trained), "evaluation": chosen},
        allow_leaks=allow or knowingly,
    )
    if not found:
        return ()
    why = "--allow-leaks" if allow else "as asked for by --split"
    return (
        f"leaks: {len(found)} groups or files were trained on too ({why}), first: {found[0][2]}",
    )


def _name(run: Run | None) -> str:
    return "the model" if run is None else str(run.folder)
