"""A training from start to end: data, model, loop, and what it leaves in the run folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from lrcn.engine import (
    Processes,
    choose_device,
    choose_precision,
    init_processes,
    keep_memory,
    set_threads,
)
from lrcn.structures import SkippedFile
from lrcn.train.activity_run import prepare_activity
from lrcn.train.caption_config import AnyExperiment, CaptionExperiment
from lrcn.train.caption_run import prepare_captions
from lrcn.train.log import RunLog
from lrcn.train.loop import Trainer
from lrcn.train.problem import Problem
from lrcn.train.run import (
    fingerprint,
    prepare_run,
    save_environment,
    save_experiment,
    settle_run,
)
from lrcn.train.state import Progress, saved_step


@dataclass(frozen=True, kw_only=True)
class TrainSummary:
    """What a finished training tells."""

    run_dir: Path
    task: Literal["activity", "caption"]
    """What was learnt: classes or sentences."""
    epochs: int
    steps: int
    seconds: float
    """Spent in the loop, over all sittings."""
    best_epoch: int | None
    val_accuracy_top1: float | None
    val_mean_average_precision: float | None
    """In place of the accuracy where videos have several labels."""
    val_cider_d: float | None
    """In place of the accuracy where sentences are learnt."""
    val_loss: float | None
    num_train: int
    num_val: int
    split: str
    """How the validation videos were chosen."""
    warnings: tuple[str, ...]
    skipped: tuple[SkippedFile, ...]
    truncated: tuple[str, ...]
    """Videos that end or break early, used as far as they go."""


def train(
    experiment: AnyExperiment,
    run_dir: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    threads: int | None = None,
    quiet: bool = False,
    command_line: Sequence[str] = (),
) -> TrainSummary:
    """Train as the experiment says, into a run folder.

    Args:
        experiment: Everything that decides the weights.
        run_dir: Made here; refused when it exists, unless `resume` or `overwrite`.
        resume: Continue from the last saved state; weights end up as if never interrupted.
        overwrite: Replace a run that stands there.
        device: "auto", "cpu", "cuda", ...
        threads: Of this process; None = what the processor offers.
        quiet: No progress on stderr.
        command_line: For `environment.json`.

    Raises:
        LrcnError: settings, data or folder do not allow it; nothing is then half-written.
        KeyboardInterrupt: stopped by the user; the state is saved.
    """
    set_threads(threads)
    keep_memory()
    processes = init_processes()
    place = processes.device(choose_device(device))
    run_dir = Path(run_dir)
    aside = None
    if processes.is_main:
        aside = prepare_run(run_dir, resume=resume, overwrite=overwrite)
    processes.barrier()
    try:
        problem = _prepare(experiment, run_dir, processes, resume=resume)
        if processes.is_main and not resume:
            save_experiment(run_dir, problem.experiment)
            save_environment(run_dir, command_line)
    except BaseException:
        if processes.is_main and not resume:
            settle_run(run_dir, aside, started=False)
        raise
    settle_run(run_dir, aside, started=True)
    step = saved_step(run_dir / "last")
    log = RunLog(run_dir if processes.is_main else None, quiet=quiet, resume_step=step)
    with log:
        trainer = _make_trainer(problem, processes, place, run_dir, log)
        for warning in problem.warnings:
            log.say(f"warning: {warning}")
        log.say(problem.what)
        progress = trainer.fit()
    processes.close()
    return _summary(run_dir, problem, progress, trainer)


def _prepare(
    experiment: AnyExperiment, run_dir: Path, processes: Processes, *, resume: bool
) -> Problem[Any]:
    if isinstance(experiment, CaptionExperiment):
        return prepare_captions(experiment, run_dir, processes, resume=resume)
    return prepare_activity(experiment, run_dir, processes, resume=resume)


def _make_trainer(
    problem: Problem[Any], processes: Processes, device: torch.device, run_dir: Path, log: RunLog
) -> Trainer[Any]:
    config = problem.experiment.train
    trainer = Trainer(
        config=config,
        saved=problem.saved,
        task=problem.task,
        examples=problem.make_examples(processes, device, log),
        processes=processes,
        device=device,
        dtype=choose_precision(config.precision, device),
        run_dir=run_dir,
        log=log,
        fingerprint=fingerprint(problem.experiment, problem.item_ids, processes.world_size),
    )
    trainer.restore()
    return trainer


def _summary(
    run_dir: Path, problem: Problem[Any], progress: Progress, trainer: Trainer[Any]
) -> TrainSummary:
    def best(key: str) -> float | None:
        return progress.best_score if progress.best_key == key else None

    return TrainSummary(
        run_dir=run_dir,
        task="caption" if isinstance(problem.experiment, CaptionExperiment) else "activity",
        epochs=progress.epoch,
        steps=progress.step,
        seconds=progress.seconds,
        best_epoch=progress.best_epoch,
        val_accuracy_top1=best("accuracy_top1"),
        val_mean_average_precision=best("mean_average_precision"),
        val_cider_d=best("cider_d"),
        val_loss=progress.best_loss,
        num_train=problem.num_train,
        num_val=problem.num_val,
        split=problem.split,
        warnings=problem.warnings,
        skipped=(*problem.skipped, *trainer.examples.skipped),
        truncated=tuple(trainer.examples.truncated),
    )
