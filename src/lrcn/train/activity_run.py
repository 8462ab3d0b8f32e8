"""Recognisers to be trained: their data, their model, and what it starts from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from lrcn.caffe.nets import ILSVRC_MEAN, LRCN_RGB_MEAN
from lrcn.checkpoint import ModelCard, SavedModel, load_model
from lrcn.data.modality import flow_preprocessing
from lrcn.engine import Processes
from lrcn.errors import ModelError
from lrcn.models.activity import NO_BACKBONE, ActivityModel, create_model
from lrcn.models.image_captioner import Captioner
from lrcn.models.visual import VisualModel
from lrcn.nn.backbones import starts_random
from lrcn.structures import ClipBatch, Quirk, VideoList, quirks_of
from lrcn.tasks.activity import ActivityTask, balanced_class_weights
from lrcn.train.clip_examples import ClipExamples
from lrcn.train.config import Experiment, TrainConfig
from lrcn.train.data import TrainingData, prepare_data
from lrcn.train.log import RunLog
from lrcn.train.problem import Problem
from lrcn.train.start import load_start, start_recogniser
from lrcn.video.features import read_features


def prepare_activity(
    experiment: Experiment, run_dir: Path, processes: Processes, *, resume: bool
) -> Problem[ClipBatch]:
    """Read the data, make or load the model.

    Raises:
        LrcnError: settings or data do not allow it.
    """
    changed, advice = let_random_cnn_learn(
        experiment.train,
        backbone=experiment.model.backbone,
        weights=experiment.model.weights,
        init=experiment.init,
    )
    experiment = replace(experiment, train=changed)
    data = prepare_data(experiment, run_dir, processes, resume=resume)
    dataset = replace(experiment.dataset, flow=data.flow, layout=data.layout)
    experiment = replace(experiment, dataset=dataset)
    saved, started = _build_model(experiment, data, run_dir, resume=resume)

    def make_examples(processes: Processes, device: torch.device, log: RunLog) -> ClipExamples:
        return ClipExamples(
            experiment, data.train, data.val, processes=processes, device=device, log=log
        )

    return Problem(
        experiment=experiment,
        saved=saved,
        task=_task(experiment, data, saved.model),
        make_examples=make_examples,
        item_ids=tuple(item.video_id for item in data.train.items),
        split=data.how,
        num_train=len(data.train),
        num_val=0 if data.val is None else len(data.val),
        warnings=(*advice, *started, *data.warnings),
        skipped=data.skipped,
        what=_what(data, saved.model),
    )


def _task(experiment: Experiment, data: TrainingData, model: ActivityModel) -> ActivityTask:
    weights_K = None
    if experiment.task.class_weights == "balanced":
        weights_K = balanced_class_weights(data.train.items, model.class_names)
    return ActivityTask(
        experiment.task,
        model.class_names,
        multi_label=model.multi_label,
        class_weights_K=weights_K,
    )


def let_random_cnn_learn(
    settings: TrainConfig, *, backbone: str, weights: str, init: str | None
) -> tuple[TrainConfig, tuple[str, ...]]:
    """A CNN that starts from random weights is trained from the start; frozen it is of no use.

    Returns:
        The settings, changed where that was needed, and a line for the user about it.
    """
    frozen = settings.unfreeze_at is None and init is None
    if backbone == NO_BACKBONE or not (frozen and starts_random(backbone, weights)):
        return settings, ()
    return replace(settings, unfreeze_at=0, freeze_batch_norm=False), (
        f"{backbone} starts from random weights, so it is trained too"
        " (train.unfreeze_at 0). For pretrained ones give --model.weights hub, or a file",
    )


def _build_model(
    experiment: Experiment, data: TrainingData, run_dir: Path, *, resume: bool
) -> tuple[SavedModel, tuple[str, ...]]:
    """A new model, the one to start from, or the one to continue; and what it started from."""
    sampling = experiment.dataset.sampling
    card = ModelCard(data=experiment.dataset.data)
    if resume and (run_dir / "last").is_dir():
        return load_model(run_dir / "last"), ()
    config = experiment.model
    class_names = data.train.class_names
    multi_label = experiment.task.multi_label
    multi_label = data.train.multi_label if multi_label is None else multi_label
    if config.backbone == NO_BACKBONE and config.feature_dim is None:
        config = replace(config, feature_dim=_feature_width(data.train))
    start = load_start(experiment.init) if experiment.init is not None else None
    started: tuple[str, ...] = ()
    if start is not None and start.backbone is not None:
        config = replace(config, weights="random")
    model = create_model(config, class_names, multi_label=multi_label, seed=experiment.train.seed)
    if experiment.dataset.modality == "flow" and model.backbone is not None:
        own = flow_preprocessing(model.backbone.preprocessing, data.flow)
        model.backbone.preprocessing = model.preprocessing = own
    if start is not None:
        if isinstance(start, Captioner):
            started = (start_recogniser(model, start, str(experiment.init)),)
        else:
            assert isinstance(start, ActivityModel)
            _start_from(model, start, str(experiment.init))
        take_normalisation(model, start)
    _reproduce_quirks(model, experiment.dataset.original_quirks)
    model.config = experiment.model if config.backbone != NO_BACKBONE else config
    return SavedModel(model, sampling, card), started


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


def take_normalisation(model: VisualModel, start: VisualModel) -> None:
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
    own = replace(own, original_quirks=quirks_of(model.config.kind, quirks))
    # Paper: only the layer that reads clips has the typing error, those of single frames do not.
    if own.has_quirk("red_mean") and model.config.kind == "lrcn" and own.pixel_mean == ILSVRC_MEAN:
        own = replace(own, pixel_mean=LRCN_RGB_MEAN)
    model.backbone.preprocessing = model.preprocessing = own


def _feature_width(videos: VideoList) -> int:
    """D of the user's own features, read from the first file."""
    first = videos.items[0]
    return int(read_features(first.path, first.video_id).shape[1])


def _what(data: TrainingData, model: ActivityModel) -> str:
    """One line on what is trained on what."""
    val = "none" if data.val is None else f"{len(data.val)} ({data.how})"
    size = sum(p.numel() for p in model.parameters())
    return (
        f"{model.config.kind} on {model.config.backbone}, {size:,} weights;"
        f" {len(data.train)} training videos of {len(model.class_names)} classes,"
        f" validation: {val}"
    )
