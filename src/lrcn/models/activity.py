"""Activity recognition: single frame, mean pooling, and LRCN, behind one interface (paper 2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lrcn.errors import ConfigError
from lrcn.models.visual import NO_BACKBONE, VisualModel, make_backbone, with_parameters
from lrcn.nn.backbone import Backbone
from lrcn.nn.heads import StepClassifier
from lrcn.nn.pooling import MeanPool, PerFrame
from lrcn.nn.recurrent import Recurrent
from lrcn.nn.seeding import seeded
from lrcn.nn.sequence import SequenceCore, State
from lrcn.structures import Preprocessing

__all__ = ["NO_BACKBONE", "ActivityConfig", "ActivityModel", "create_model"]


@dataclass(frozen=True, kw_only=True)
class ActivityConfig:
    """What the network consists of."""

    kind: Literal["lrcn", "single_frame", "mean_pool"] = "lrcn"
    """Recurrent; every frame for itself; or the mean of all frames so far."""
    backbone: str = "efficientnet_lite0"
    """A name of the table, timm/<model>, torchvision/<model>, or none for precomputed features."""
    weights: str = "auto"
    """Of the backbone: auto, packaged, hub, random, or the path of a .safetensors or .pth file."""
    feature_layer: str | None = None
    """Where the backbone's features are taken (fc6, fc7, pre_logits, pooled); its own when none."""
    input_px: int | None = None
    """Side in pixels of the square that the backbone sees; its own when none."""
    crop_fraction: float | None = None
    """Share of the frame's short side that the square covers, above 0 to 1, for backbones that cut
    it from the middle (usually 0.875); the backbone's own when none."""
    unit: Literal["lstm", "rnn", "gru"] = "lstm"
    """The recurrent unit; rnn is the paper's, with an output layer of its own."""
    num_layers: int = 1
    """Recurrent layers, one above the other."""
    hidden_size: int = 256
    """Units per recurrent layer (paper: 256 for RGB)."""
    feature_dropout: float = 0.0
    """Share of features set to zero in training (paper: 0.9 after fc6)."""
    output_dropout: float = 0.5
    """Share of the classifier's inputs, and of outputs between layers, set to zero in training."""
    init: Literal["paper", "modern"] = "modern"
    """Initial weights: paper is uniform in 0.01 and zero biases; modern is Xavier, orthogonal."""
    feature_dim: int | None = None
    """Width of precomputed features, for backbone none: as the files say when none is given."""

    def __post_init__(self) -> None:
        problems = [
            f"{name} must be at least 0 and below 1, not {value}"
            for name in ("feature_dropout", "output_dropout")
            if not 0 <= (value := getattr(self, name)) < 1
        ]
        for name in ("num_layers", "hidden_size", "input_px", "feature_dim"):
            value = getattr(self, name)
            if value is not None and value < 1:
                problems.append(f"{name} must be at least 1, not {value}")
        if self.crop_fraction is not None and not 0 < self.crop_fraction <= 1:
            problems.append(
                f"crop_fraction must be above 0 and at most 1, not {self.crop_fraction}"
            )
        if problems:
            raise ConfigError("; ".join(problems))


class ActivityModel(VisualModel):
    """Frames or features in, one prediction per step out.

    The backbone sees each frame once (`features`); `unroll` and `step` work on features alone,
    so that overlapping clips, cached features and streams share one path.

    Attributes:
        config: As given.
        class_names: Index = label.
        multi_label: Whether several labels can hold at once (sigmoid in place of softmax).
        temperature: Divides the logits before they become probabilities; 1 until calibrated.
    """

    temperature: Tensor

    def __init__(
        self,
        config: ActivityConfig,
        class_names: Sequence[str],
        *,
        backbone: Backbone | None,
        recurrent: SequenceCore,
        head: StepClassifier,
        feature_dim: int,
        multi_label: bool = False,
        preprocessing: Preprocessing | None = None,
    ) -> None:
        super().__init__(backbone=backbone, feature_dim=feature_dim, preprocessing=preprocessing)
        self.config = config
        self.class_names = tuple(class_names)
        self.multi_label = multi_label
        self.recurrent = recurrent
        self.head = head
        self.register_buffer("temperature", torch.tensor(1.0))

    def initial_state(self, batch_size: int) -> State:
        """The state before the first frame, on the model's device."""
        like = self.head.linear.weight
        return self.recurrent.initial_state(batch_size, device=like.device, dtype=like.dtype)

    def step(
        self, features_ND: Tensor, state: State, *, reset_mask_N: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """One frame per row: logits_NK and the state after it; see `SequenceCore.step`."""
        features_ND = F.dropout(features_ND, self.config.feature_dropout, self.training)
        outputs_NR, state = self.recurrent.step(features_ND, state, reset_mask_N=reset_mask_N)
        logits_NK: Tensor = self.head(outputs_NR)
        return logits_NK, state

    def unroll(
        self,
        features_BTD: Tensor,
        state: State | None = None,
        *,
        valid_mask_BT: Tensor | None = None,
        reset_mask_BT: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Many frames: logits_BTK and the state after the last valid one.

        Logits of padded steps mean nothing. See `SequenceCore.unroll`.
        """
        features_BTD = F.dropout(features_BTD, self.config.feature_dropout, self.training)
        outputs_BTR, state = self.recurrent.unroll(
            features_BTD, state, valid_mask_BT=valid_mask_BT, reset_mask_BT=reset_mask_BT
        )
        logits_BTK: Tensor = self.head(outputs_BTR)
        return logits_BTK, state

    def probabilities(self, logits: Tensor) -> Tensor:
        """Probabilities (... x K) in float32: softmax, or sigmoid where labels are several."""
        logits = logits.float() / self.temperature.float()
        return torch.sigmoid(logits) if self.multi_label else torch.softmax(logits, -1)

    def loss_mask(self, valid_mask_BT: Tensor) -> Tensor:
        """Which steps carry the loss and vote for the video.

        All valid ones; for mean pooling only the last valid one, which has seen every frame.
        """
        if self.config.kind != "mean_pool":
            return valid_mask_BT
        # The last valid step: no valid one after it.
        later_BT = valid_mask_BT.flip(1).cumsum(1).flip(1)
        return valid_mask_BT & (later_BT == 1)

    def parts(self) -> dict[str, nn.Module]:
        """See `VisualModel.parts`."""
        return with_parameters(
            {"backbone": self.backbone, "recurrent": self.recurrent, "head": self.head}
        )


def create_model(
    config: ActivityConfig,
    class_names: Sequence[str],
    *,
    multi_label: bool = False,
    seed: int = 0,
    preprocessing: Preprocessing | None = None,
) -> ActivityModel:
    """Make a model; the global generator is not touched.

    Args:
        config: What it consists of.
        class_names: Index = label; at least one, no duplicates.
        multi_label: Whether several labels can hold at once.
        seed: Of every weight that is drawn. The recurrent core and the head are the same for
            any backbone of the same width.
        preprocessing: In place of the backbone's own; for precomputed features, how their frames
            were prepared, if known.

    Raises:
        ConfigError: the backbone or a setting of it is unknown, or the class names are no good.
        WeightsError: the backbone's weights cannot be had.
    """
    names = tuple(class_names)
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if not names or repeated:
        found = f"{', '.join(repeated)} more than once" if repeated else "none"
        raise ConfigError(f"class_names must be one or more different names, got {found}")
    backbone = None if config.backbone == NO_BACKBONE else _backbone(config, seed, preprocessing)
    feature_dim = backbone.feature_dim if backbone is not None else config.feature_dim
    if feature_dim is None:
        raise ConfigError('backbone "none" needs feature_dim, the width of the features')
    with seeded(seed):
        recurrent = _core(config, feature_dim)
        head = StepClassifier(
            recurrent.output_size, len(names), dropout=config.output_dropout, init=config.init
        )
    return ActivityModel(
        config,
        names,
        backbone=backbone,
        recurrent=recurrent,
        head=head,
        feature_dim=feature_dim,
        multi_label=multi_label,
        preprocessing=backbone.preprocessing if backbone is not None else preprocessing,
    )


def _backbone(config: ActivityConfig, seed: int, preprocessing: Preprocessing | None) -> Backbone:
    return make_backbone(
        config.backbone,
        weights=config.weights,
        feature_layer=config.feature_layer,
        input_px=config.input_px,
        crop_fraction=config.crop_fraction,
        feature_dim=config.feature_dim,
        seed=seed,
        preprocessing=preprocessing,
    )


def _core(config: ActivityConfig, feature_dim: int) -> SequenceCore:
    if config.kind == "single_frame":
        return PerFrame(feature_dim)
    if config.kind == "mean_pool":
        return MeanPool(feature_dim)
    return Recurrent(
        feature_dim,
        config.hidden_size,
        config.num_layers,
        unit=config.unit,
        dropout=config.output_dropout,
        init=config.init,
    )
