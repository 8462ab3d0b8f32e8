"""The settings of an experiment, each with its reason: what a recipe returns and YAML changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lrcn.data.modality import FlowSource
from lrcn.data.transform_config import TransformConfig, refuse_colours
from lrcn.errors import ConfigError
from lrcn.models.activity import ActivityConfig
from lrcn.structures import FlowConfig, Modality, Quirk
from lrcn.tasks.activity import TaskConfig
from lrcn.video.sampling import SamplingConfig

SelectBy = Literal["accuracy_top1", "cider_d", "loss", "last"]


@dataclass(frozen=True, kw_only=True)
class DatasetConfig:
    """Which clips are learnt from, and how they reach the network."""

    data: str = ""
    """Folder or list file with the labelled videos."""
    layout: str | None = None
    """Name of the layout; none = recognised from what is there."""
    modality: Modality = "rgb"
    """What the network sees: rgb, the frames; or flow, the motion between them as images."""
    flow_source: FlowSource = "auto"
    """For modality flow: computed from the videos, or stored as images; auto = recognised."""
    flow: FlowConfig = field(default_factory=FlowConfig)
    """For modality flow: how flow is found and written; stored images bring their own."""
    fold: int | None = None
    """Which official division (UCF101, HMDB51: 1, 2 or 3)."""
    val_data: str | None = None
    """Folder or list for validation; none = the data's own, or a part of train by group."""
    val_fraction: float = 0.2
    """Part of train held out for validation when the data names none; 0 = no validation."""
    videos_root: str | None = None
    """Where listed files lie, those of a list in `val_data` too, when not beside the list."""
    group_by: Literal["column", "folder", "pattern", "file"] | None = None
    """Where groups come from; none = found out; file = no groups, every file for itself."""
    group_pattern: str | None = None
    """Regular expression on file names whose first group tells clips of one source."""
    missing: Literal["error", "skip"] = "error"
    """What happens when a listed file is absent or unreadable."""
    allow_leaks: bool = False
    """Go on although a group or a file stands on both sides; every result then says so."""
    max_examples: int | None = None
    """Use only so many training videos, drawn per class, for trying out."""
    cache: Literal["auto", "features", "frames", "none"] = "auto"
    """What is kept between epochs: auto = features while the CNN is frozen, else frames of up
    to 128 px; none decodes anew each epoch."""
    original_quirks: tuple[Quirk, ...] = ()
    """Faults of the original code to reproduce, to compare against old numbers; kept in the model,
    so that it is measured alike. Those of training act where clips are decoded, not on cached
    features."""
    balanced: bool = False
    """Draw every class equally often."""
    join_probability: float = 0.0
    """Chance that a clip is continued by one of another video without a reset, so that a
    carried state learns to change its mind."""
    join_after: int = 0
    """First epoch (from 0) with joined clips: what happens in one clip is learnt before."""
    num_workers: int = 0
    """Processes that decode ahead; 0 = a thread of this process."""
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    """Which frames make up a clip."""
    transform: TransformConfig = field(default_factory=TransformConfig)
    """How training frames are varied."""

    def __post_init__(self) -> None:
        problems = []
        if not 0 <= self.val_fraction < 1:
            problems.append(f"val_fraction must be 0 or more and below 1, not {self.val_fraction}")
        if not 0 <= self.join_probability <= 1:
            problems.append(f"join_probability must be 0 to 1, not {self.join_probability}")
        if self.max_examples is not None and self.max_examples < 1:
            problems.append(f"max_examples must be at least 1, not {self.max_examples}")
        if self.join_after < 0:
            problems.append(f"join_after must be 0 or more, not {self.join_after}")
        if self.num_workers < 0:
            problems.append(f"num_workers must be 0 or more, not {self.num_workers}")
        if problems:
            raise ConfigError("dataset: " + "; ".join(problems))


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How the weights are found."""

    epochs: int = 30
    """Passes over the training videos, one clip of each per pass."""
    max_steps: int | None = None
    """Train for so many updates, whatever epochs says (the paper counts in these)."""
    unfreeze_at: int | None = None
    """Epoch from which the CNN learns too: 0 = joint from the start; none = it stays frozen."""
    always_trained: tuple[str, ...] = ()
    """Layers of the CNN that learn even while it is frozen (paper, captions: fc8)."""
    freeze_batch_norm: bool = True
    """Keep the CNN's batch-norm statistics and scales when it learns: clips are correlated, so
    statistics of a batch mislead a pretrained net. False for a CNN from random weights."""
    batch_size: int = 24
    """Clips per update, over all processes (the paper: 24)."""
    micro_batch_size: int | None = None
    """Clips per backward pass and process; smaller saves memory. None = all at once, but where the
    CNN learns no more than about 64 frames of 224 x 224 px (2 GB for the default CNN)."""
    optimizer: Literal["sgd", "caffe_sgd", "adamw"] = "adamw"
    """sgd has momentum; caffe_sgd keeps the learning rate inside it, as the paper's code does."""
    lr: float = 1e-3
    """Learning rate of the recurrent part and the classifier."""
    backbone_lr: float | None = None
    """Learning rate of the CNN once it learns; none = a tenth of lr."""
    head_lr_multiplier: float = 1.0
    """Factor on the last layer's rate (the paper: 10)."""
    bias_lr_multiplier: float = 1.0
    """Factor on the rate of biases (the paper: 2, for CNN and last layer)."""
    momentum: float = 0.9
    """For sgd and caffe_sgd."""
    weight_decay: float = 0.01
    """The paper: 0.005, with sgd."""
    decay_biases: bool = False
    """Whether biases and normalisation weights decay too."""
    decay_recurrent_biases: bool = False
    """Whether those of the recurrent part decay, whatever holds for others (the paper's code)."""
    schedule: Literal["constant", "step", "cosine"] = "cosine"
    """How the learning rate falls."""
    schedule_steps: int | None = None
    """For step: updates between two falls; none = a third of all."""
    schedule_gamma: float = 0.1
    """For step: factor at each fall."""
    warmup_steps: int = 0
    """Updates over which the rate rises from 0 at the start."""
    clip_norm: float | None = 5.0
    """Largest global L2 norm of the gradient (the paper: 5 for RGB, 15 for flow); none = off."""
    ema_decay: float | None = None
    """Keep an exponential mean of the weights with this decay and use it; none = off."""
    patience: int | None = None
    """Stop after so many epochs without a better validation score; none = off."""
    select_by: SelectBy = "accuracy_top1"
    """What makes a model the best on validation data: accuracy (of captions cider_d; ties: loss),
    loss, or being the last."""
    validate_every: int = 1
    """Epochs from one validation to the next; the last epoch is always validated."""
    checkpoint_every: int = 200
    """Updates between two saves of the whole state; the end of an epoch is always saved."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Number format of training; auto = what this processor is fastest with."""
    seed: int = 0
    """Of everything random; the same seed gives the same weights on the same machine."""

    def __post_init__(self) -> None:
        problems = [
            f"{name} must be at least 1, not {getattr(self, name)}"
            for name in ("epochs", "batch_size", "validate_every", "checkpoint_every")
            if getattr(self, name) < 1
        ]
        for name in ("max_steps", "micro_batch_size", "schedule_steps", "patience"):
            value = getattr(self, name)
            if value is not None and value < 1:
                problems.append(f"{name} must be at least 1 or none, not {value}")
        if self.lr <= 0 or (self.backbone_lr is not None and self.backbone_lr < 0):
            problems.append(f"lr must be positive and backbone_lr not negative, not {self.lr}")
        if self.unfreeze_at is not None and self.unfreeze_at < 0:
            problems.append(f"unfreeze_at must be 0 or more or none, not {self.unfreeze_at}")
        if not 0 <= self.momentum < 1:
            problems.append(f"momentum must lie in 0 <= m < 1, not {self.momentum}")
        if self.weight_decay < 0:
            problems.append(f"weight_decay must not be negative, not {self.weight_decay}")
        if self.clip_norm is not None and self.clip_norm <= 0:
            problems.append(f"clip_norm must be positive or none, not {self.clip_norm}")
        if self.ema_decay is not None and not 0 < self.ema_decay < 1:
            problems.append(f"ema_decay must lie between 0 and 1, not {self.ema_decay}")
        if self.warmup_steps < 0:
            problems.append(f"warmup_steps must not be negative, not {self.warmup_steps}")
        if problems:
            raise ConfigError("train: " + "; ".join(problems))


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One experiment, whole: running it again needs nothing else."""

    name: str = "custom"
    """The recipe it came from."""
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    """Data."""
    model: ActivityConfig = field(default_factory=ActivityConfig)
    """Network."""
    task: TaskConfig = field(default_factory=TaskConfig)
    """Loss."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """Training."""
    init: str | None = None
    """Model folder or run to start from, also with other classes."""
    expected: Mapping[str, float] = field(default_factory=dict)
    """Published or measured scores, by result key."""

    def __post_init__(self) -> None:
        problems = []
        if self.train.select_by == "cider_d":
            problems.append("train.select_by cider_d is for captions; classes have accuracy_top1")
        if self.model.backbone == "none" and self.train.unfreeze_at is not None:
            problems.append(
                "train.unfreeze_at needs a CNN, but model.backbone is 'none' (feature files)"
            )
        if self.dataset.modality == "flow":
            if self.model.backbone == "none":
                problems.append(
                    "dataset.modality flow needs a CNN, but model.backbone is 'none' (feature"
                    " files): features of flow are features like others, so leave it out"
                )
            try:
                refuse_colours(self.dataset.transform)
            except ConfigError as error:
                problems.append(str(error))
        elif self.dataset.flow_source != "auto":
            problems.append(
                f"dataset.flow_source {self.dataset.flow_source} belongs to dataset.modality flow"
            )
        if self.dataset.transform.mixup_alpha > 0 and self.dataset.join_probability > 0:
            problems.append(
                "dataset.transform.mixup_alpha and dataset.join_probability exclude"
                " each other: set one of them to 0"
            )
        if problems:
            raise ConfigError("; ".join(problems))
