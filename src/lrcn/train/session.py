"""A training from start to end: data, model, loop, and what it leaves in the run folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from lrcn.caffe.nets import ILSVRC_MEAN, LRCN_RGB_MEAN
from lrcn.checkpoint import ModelCard, SavedModel, load_model
from lrcn.data.modality import flow_preprocessing
from lrcn.engine import (
    Processes,
    choose_device,
    choose_precision,
    init_processes,
    set_threads,
)
from lrcn.errors import ModelError
from lrcn.models.activity import NO_BACKBONE, ActivityModel, create_model
from lrcn.nn.backbones import starts_random
from lrcn.structures import Quirk, SkippedFile, VideoList
from lrcn.tasks.activity import ActivityTask, balanced_class_weights
from lrcn.train.config import Experiment
from lrcn.train.data import TrainingData, prepare_data
from lrcn.train.examples import Examples
from lrcn.train.log import RunLog
from lrcn.train.loop import Trainer
from lrcn.train.run import (
    fingerprint,
    prepare_run,
    save_environment,
    save_experiment,
    settle_run,
)
from lrcn.train.state import saved_step
from lrcn.video.features import read_features


@dataclass(frozen=True, kw_only=True)
class TrainSummary:
    """What a finished training tells."""

    run_dir: Path
    epochs: int
    steps: int
    seconds: float
    """Spent in the loop, over all sittings."""
    best_epoch: int | None
    val_accuracy_top1: float | None
    val_mean_average_precision: float | None
    """In place of the accuracy where videos have several labels."""
    val_loss: float | None
    num_train: int
    num_val: int
    split: str
    """How the validation videos were chosen."""
    warnings: tuple[str, ...]
    skipped: tuple[SkippedFile, ...]


def train(
    experiment: Experiment,
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
    processes = init_processes()
    place = processes.device(choose_device(device))
    run_dir = Path(run_dir)
    experiment, advice = _let_random_cnn_learn(experiment)
    aside = None
    if processes.is_main:
        aside = prepare_run(run_dir, resume=resume, overwrite=overwrite)
    processes.barrier()
    try:
        data = prepare_data(experiment, run_dir, processes, resume=resume)
        experiment = replace(experiment, dataset=replace(experiment.dataset, flow=data.flow))
        saved = build_model(experiment, data, run_dir, resume=resume)
        if processes.is_main and not resume:
            save_experiment(run_dir, experiment)
            save_environment(run_dir, command_line)
    except BaseException:
        if processes.is_main and not resume:
            settle_run(run_dir, aside, started=False)
        raise
    settle_run(run_dir, aside, started=True)
    step = saved_step(run_dir / "last")
    log = RunLog(run_dir if processes.is_main else None, quiet=quiet, resume_step=step)
    with log:
        trainer = _make_trainer(
            experiment, data, saved, processes=processes, device=place, run_dir=run_dir, log=log
        )
        for warning in (*advice, *data.warnings):
            log.say(f"warning: {warning}")
        log.say(_what(data, saved.model))
        progress = trainer.fit()
    processes.close()
    return TrainSummary(
        run_dir=run_dir,
        epochs=progress.epoch,
        steps=progress.step,
        seconds=progress.seconds,
        best_epoch=progress.best_epoch,
        val_accuracy_top1=None if saved.model.multi_label else progress.best_score,
        val_mean_average_precision=progress.best_score if saved.model.multi_label else None,
        val_loss=progress.best_loss,
        num_train=len(data.train),
        num_val=0 if data.val is None else len(data.val),
        split=data.how,
        warnings=(*advice, *data.warnings),
        skipped=(*data.skipped, *trainer.examples.skipped),
    )


def _let_random_cnn_learn(experiment: Experiment) -> tuple[Experiment, tuple[str, ...]]:
    """A CNN that starts from random weights is trained from the start; frozen it is of no use.

    Returns:
        The experiment, changed where that was needed, and a line for the user about it.
    """
    model, settings = experiment.model, experiment.train
    frozen = settings.unfreeze_at is None and experiment.init is None
    if model.backbone == NO_BACKBONE or not (
        frozen and starts_random(model.backbone, model.weights)
    ):
        return experiment, ()
    changed = replace(experiment, train=replace(settings, unfreeze_at=0, freeze_batch_norm=False))
    return changed, (
        f"{model.backbone} starts from random weights, so it is trained too"
        " (train.unfreeze_at 0). For pretrained ones give --model.weights hub, or a file",
    )


def build_model(
    experiment: Experiment, data: TrainingData, run_dir: Path, *, resume: bool
) -> SavedModel:
    """A new model, the one to start from, or the one to continue."""
    sampling = experiment.dataset.sampling
    card = ModelCard(data=experiment.dataset.data)
    if resume and (run_dir / "last").is_dir():
        return load_model(run_dir / "last")
    config = experiment.model
    class_names = data.train.class_names
    multi_label = experiment.task.multi_label
    multi_label = data.train.multi_label if multi_label is None else multi_label
    if config.backbone == NO_BACKBONE and config.feature_dim is None:
        config = replace(config, feature_dim=_feature_width(data.train))
    start = load_model(experiment.init).model if experiment.init is not None else None
    if start is not None and start.backbone is not None:
        config = replace(config, weights="random")
    model = create_model(config, class_names, multi_label=multi_label, seed=experiment.train.seed)
    if experiment.dataset.modality == "flow" and model.backbone is not None:
        own = flow_preprocessing(model.backbone.preprocessing, data.flow)
        model.backbone.preprocessing = model.preprocessing = own
    if start is not None:
        _start_from(model, start, str(experiment.init))
        _take_normalisation(model, start)
    _reproduce_quirks(model, experiment.dataset.original_quirks)
    model.config = experiment.model if config.backbone != NO_BACKBONE else config
    return SavedModel(model, sampling, card)


def _start_from(model: ActivityModel, start: ActivityModel, source: str) -> None:
    """Copy every weight that fits; the last layer's rows by class name.

    Raises:
        ModelError: when not even the backbone fits.
    """
    weights, own = start.state_dict(), model.state_dict()
    fitting = {k: v for k, v in weights.items() if k in own and own[k].shape == v.shape}
    if start.class_names != model.class_names:
        fitting = {k: v for k, v in fitting.items() if not k.startswith("head.")}
    backbone = [k for k in own if k.startswith("backbone.")]
    if any(k not in fitting for k in backbone) or not fitting:
        raise ModelError(
            f"{source} cannot start this model: its backbone is {start.config.backbone!r}"
            f" (feature_layer {start.config.feature_layer!r}), this one's"
            f" {model.config.backbone!r} ({model.config.feature_layer!r})."
            " Give the same backbone with --model.backbone and --model.feature-layer"
        )
    own.update(fitting)
    shared = [n for n in model.class_names if n in start.class_names]
    for name in ("weight", "bias"):
        key = f"head.linear.{name}"
        same = key in weights and weights[key].shape[1:] == own[key].shape[1:]
        if same and start.class_names != model.class_names:
            for class_name in shared:
                row, other = (
                    model.class_names.index(class_name),
                    start.class_names.index(class_name),
                )
                own[key][row] = weights[key][other]
    model.load_state_dict(own)


def _take_normalisation(model: ActivityModel, start: ActivityModel) -> None:
    """What was subtracted, and the order of the channels, belong to the weights.

    Where the modality changes (a flow net from RGB weights), the mean is the new one's.
    """
    own, theirs = model.preprocessing, start.preprocessing
    if model.backbone is None or own is None or theirs is None:
        return
    own = replace(own, channel_order=theirs.channel_order)
    if own.modality == theirs.modality:
        own = replace(own, pixel_mean=theirs.pixel_mean, pixel_std=theirs.pixel_std)
    model.backbone.preprocessing = model.preprocessing = own


def _reproduce_quirks(model: ActivityModel, quirks: tuple[Quirk, ...]) -> None:
    """Write into the model which faults of the original code it is trained and measured with."""
    own = model.preprocessing
    if not quirks or model.backbone is None or own is None:
        return
    own = replace(own, original_quirks=quirks)
    # Paper: only the layer that reads clips has the typing error, those of single frames do not.
    if own.has_quirk("red_mean") and model.config.kind == "lrcn" and own.pixel_mean == ILSVRC_MEAN:
        own = replace(own, pixel_mean=LRCN_RGB_MEAN)
    model.backbone.preprocessing = model.preprocessing = own


def _feature_width(videos: VideoList) -> int:
    """D of the user's own features, read from the first file."""
    first = videos.items[0]
    return int(read_features(first.path, first.video_id).shape[1])


def _make_trainer(
    experiment: Experiment,
    data: TrainingData,
    saved: SavedModel,
    *,
    processes: Processes,
    device: torch.device,
    run_dir: Path,
    log: RunLog,
) -> Trainer:
    model = saved.model
    weights_K = None
    if experiment.task.class_weights == "balanced":
        weights_K = balanced_class_weights(data.train.items, model.class_names)
    task = ActivityTask(
        experiment.task,
        model.class_names,
        multi_label=model.multi_label,
        class_weights_K=weights_K,
    )
    ids = [item.video_id for item in data.train.items]
    mark = fingerprint(experiment, ids, processes.world_size)
    examples = Examples(
        experiment, data.train, data.val, processes=processes, device=device, log=log
    )
    trainer = Trainer(
        experiment=experiment,
        saved=saved,
        task=task,
        examples=examples,
        processes=processes,
        device=device,
        dtype=choose_precision(experiment.train.precision, device),
        run_dir=run_dir,
        log=log,
        fingerprint=mark,
    )
    trainer.restore()
    return trainer


def _what(data: TrainingData, model: ActivityModel) -> str:
    """One line on what is trained on what."""
    val = "none" if data.val is None else f"{len(data.val)} ({data.how})"
    size = sum(p.numel() for p in model.parameters())
    return (
        f"{model.config.kind} on {model.config.backbone}, {size:,} weights;"
        f" {len(data.train)} training videos of {len(model.class_names)} classes,"
        f" validation: {val}"
    )
