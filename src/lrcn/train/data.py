"""The data of a run: listed, probed, divided, and checked for leaks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lrcn.data.datasets import check_readable, read_dataset, with_items
from lrcn.data.leaks import refuse_leaks
from lrcn.data.modality import settle_modality
from lrcn.data.split import divide
from lrcn.data.split_file import load_division, save_division
from lrcn.engine import Processes
from lrcn.errors import ConfigError, DataError
from lrcn.structures import FlowConfig, SkippedFile, VideoList
from lrcn.train.config import DatasetConfig, Experiment
from lrcn.train.run import SPLIT_NAME


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """The videos of a run, divided."""

    train: VideoList
    val: VideoList | None
    how: str
    warnings: tuple[str, ...]
    skipped: tuple[SkippedFile, ...]
    flow: FlowConfig
    """For modality flow: how the flow images are, or will be, made."""
    layout: str
    """Name of the layout that the data have, given or recognised."""


def list_videos(settings: DatasetConfig) -> VideoList:
    """The videos that the settings name, as they name them; none is opened.

    Raises:
        DataError, MissingFilesError, ConfigError: as `read_dataset`.
    """
    return read_dataset(
        settings.data,
        layout=settings.layout,
        fold=settings.fold,
        videos_root=settings.videos_root,
        missing=settings.missing,
        group_by=settings.group_by,
        group_pattern=settings.group_pattern,
    )


def prepare_data(
    experiment: Experiment, run_dir: Path, processes: Processes, *, resume: bool
) -> TrainingData:
    """Read, probe, divide and check the data; the division is written to the run folder.

    Raises:
        DataError, MissingFilesError, LeakError: the data cannot be trained on.
    """
    settings = experiment.dataset
    if not settings.data:
        raise ConfigError(
            "no data to train on: give --data DATA, a folder of labelled clips or a list file"
        )
    listed = check_readable(list_videos(settings), missing=settings.missing)
    settled = settle_modality(
        listed,
        modality=settings.modality,
        source=settings.flow_source,
        flow=settings.flow,
        adopt=True,
    )
    listed = settled.videos
    val_fraction = 0.0 if settings.val_data else settings.val_fraction
    split_path = run_dir / SPLIT_NAME
    if resume and split_path.exists():
        division = load_division(split_path, listed)
    else:
        division = divide(listed, val_fraction=val_fraction, seed=experiment.train.seed)
    val = _val_data(settings, listed, settled.flow) if settings.val_data else division.val
    warnings = [*listed.notes, *division.warnings]
    parts = {"train": division.train, "val": val, "test": division.test}
    leaks = refuse_leaks(
        {name: part for name, part in parts.items() if part is not None},
        allow_leaks=settings.allow_leaks,
    )
    if leaks:
        warnings.append(f"leaks allowed: {len(leaks)} sources stand on both sides of the split")
    if processes.is_main and not split_path.exists():
        save_division(division, split_path)
    processes.barrier()
    kept = division.train
    if settings.max_examples is not None:
        kept = _subset(kept, settings.max_examples)
    return TrainingData(
        train=kept,
        val=val,
        how=division.val_how or division.how,
        warnings=tuple(dict.fromkeys(warnings)),
        skipped=tuple(dict.fromkeys((*listed.skipped, *(val.skipped if val is not None else ())))),
        flow=settled.flow,
        layout=listed.layout,
    )


def _val_data(settings: DatasetConfig, listed: VideoList, flow: FlowConfig) -> VideoList:
    """The validation videos of their own place; labels must be those of the training data."""
    assert settings.val_data is not None
    is_list = Path(settings.val_data).is_file()
    found = read_dataset(
        settings.val_data,
        # Listed files lie where those of DATA do; a folder holds its own.
        videos_root=settings.videos_root if is_list else None,
        missing=settings.missing,
        min_classes=1,
    )
    found = check_readable(found, missing=settings.missing)
    unknown = sorted(set(found.class_names) - set(listed.class_names))
    if unknown:
        raise DataError(
            f"{settings.val_data} has classes that {settings.data} has not: {', '.join(unknown)}."
            " Validation data takes the classes of the training data"
        )
    return settle_modality(
        found, modality=settings.modality, source=settings.flow_source, flow=flow, adopt=False
    ).videos


def _subset(videos: VideoList, most: int) -> VideoList:
    """At most `most` videos, taken in turn from every class so that none is left out."""
    queues: dict[tuple[str, ...], list[int]] = {}
    for index, item in enumerate(videos.items):
        queues.setdefault(item.class_names, []).append(index)
    chosen: list[int] = []
    while len(chosen) < most and any(queues.values()):
        for queue in queues.values():
            if queue and len(chosen) < most:
                chosen.append(queue.pop(0))
    return with_items(videos, [videos.items[i] for i in sorted(chosen)])
