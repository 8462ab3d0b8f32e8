"""Activity recognition: a label at every step, the mean of the probabilities for the clip.

Paper: section 3 and 4. The loss is the negative log-probability of the clip's label at every
valid step, averaged over steps. Targets are distributions, so that label smoothing, mixup,
several labels at once and a label that changes inside a sequence all take one way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lrcn.errors import ConfigError
from lrcn.models.activity import ActivityModel
from lrcn.structures import ClipBatch, VideoItem
from lrcn.tasks.task import LossSums, Task


@dataclass(frozen=True, kw_only=True)
class TaskConfig:
    """The loss of activity recognition."""

    label_smoothing: float = 0.0
    """Part of the target spread evenly over all classes."""
    class_weights: Literal["none", "balanced"] = "none"
    """balanced = a class counts the more, the fewer training videos it has."""
    multi_label: bool | None = None
    """Several labels at once (sigmoid per class); none = as the data says."""

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise ConfigError(
                f"task.label_smoothing must lie in 0 <= s < 1, not {self.label_smoothing}"
            )


class ActivityTask(Task[ClipBatch]):
    """The loss of activity recognition.

    Args:
        config: Its settings.
        class_names: Index = label.
        multi_label: Whether a video can have several labels.
        class_weights_K: Weight of each class in the loss, mean 1 over the training videos.
    """

    def __init__(
        self,
        config: TaskConfig,
        class_names: Sequence[str],
        *,
        multi_label: bool = False,
        class_weights_K: Tensor | None = None,
    ) -> None:
        self.config = config
        self.class_names = tuple(class_names)
        self.multi_label = multi_label
        self.class_weights_K = class_weights_K

    def losses(self, model: nn.Module, batch: ClipBatch) -> LossSums:
        """See `Task.losses`; `model` is an `ActivityModel`."""
        if not isinstance(model, ActivityModel):
            raise TypeError(f"activity recognition needs an ActivityModel, not {type(model)}")
        features_BTD = batch.features_BTD
        if features_BTD is None:
            assert batch.frames_BTCHW is not None
            features_BTD = _valid_features(model, batch.frames_BTCHW, batch.valid_mask_BT)
        logits_BTK, _ = model.unroll(
            features_BTD, valid_mask_BT=batch.valid_mask_BT, reset_mask_BT=batch.reset_mask_BT
        )
        logits_BTK = logits_BTK.float()
        mask_BT = model.loss_mask(batch.valid_mask_BT)
        loss_BT = self.step_losses(logits_BTK, batch.targets_BTK)
        with torch.no_grad():
            num_correct = _count_correct(model, logits_BTK, batch.targets_BTK, mask_BT)
        return LossSums(loss_sum=torch.where(mask_BT, loss_BT, 0.0).sum(), num_correct=num_correct)

    def count_steps(self, model: nn.Module, batch: ClipBatch) -> int:
        """See `Task.count_steps`."""
        return int(cast(ActivityModel, model).loss_mask(batch.valid_mask_BT).sum())

    def count_answers(self, batch: ClipBatch) -> int:
        """See `Task.count_answers`: clips, by their mean probability."""
        return len(batch)

    def step_losses(self, logits_BTK: Tensor, targets_BTK: Tensor) -> Tensor:
        """The loss of every step.

        Args:
            logits_BTK: float.
            targets_BTK: A distribution over classes, or 0/1 per class for multi-label.

        Returns:
            loss_BT, before any masking. Softmax cross-entropy (paper: equation of section 3),
            or the mean over classes of the binary cross-entropies.
        """
        smoothing = self.config.label_smoothing
        num_classes = logits_BTK.shape[-1]
        if self.multi_label:
            if smoothing:
                targets_BTK = targets_BTK * (1 - smoothing) + smoothing / 2
            loss_BTK = F.binary_cross_entropy_with_logits(logits_BTK, targets_BTK, reduction="none")
            return (loss_BTK * self._weights(loss_BTK)).mean(dim=-1)
        if smoothing:
            targets_BTK = targets_BTK * (1 - smoothing) + smoothing / num_classes
        log_probs_BTK = F.log_softmax(logits_BTK, dim=-1)
        return -(targets_BTK * self._weights(log_probs_BTK) * log_probs_BTK).sum(dim=-1)

    def _weights(self, like: Tensor) -> Tensor | float:
        return 1.0 if self.class_weights_K is None else self.class_weights_K.to(like)


def _valid_features(model: ActivityModel, frames_BTCHW: Tensor, valid_mask_BT: Tensor) -> Tensor:
    """features_BTD, zero where padded: padding does not pass the CNN.

    Otherwise batch statistics would see black frames. Without any valid frame one is taken all
    the same, so that every process has the same gradients to exchange.
    """
    if bool(valid_mask_BT.all()):
        return model.features(frames_BTCHW)
    used_BT = valid_mask_BT.clone()
    used_BT[0, 0] |= not bool(valid_mask_BT.any())
    features_ND = model.features(frames_BTCHW[used_BT])
    features_BTD = features_ND.new_zeros(*used_BT.shape, features_ND.shape[-1])
    features_BTD[used_BT] = features_ND
    return features_BTD


def _count_correct(
    model: ActivityModel, logits_BTK: Tensor, targets_BTK: Tensor, mask_BT: Tensor
) -> Tensor:
    """Clips whose mean probability peaks at their (most frequent) right class."""
    weight_BT1 = mask_BT.unsqueeze(-1).to(logits_BTK.dtype)
    probs_BK = (model.probabilities(logits_BTK) * weight_BT1).sum(dim=1)
    target_BK = (targets_BTK * weight_BT1).sum(dim=1)
    chosen_B1 = probs_BK.argmax(dim=1, keepdim=True)
    return (target_BK.gather(1, chosen_B1) >= target_BK.amax(dim=1, keepdim=True)).sum()


def balanced_class_weights(items: Iterable[VideoItem], class_names: Sequence[str]) -> Tensor:
    """Weights that make every class count the same, mean 1 over the items.

    Returns:
        weights_K float32; a class without items gets 0.
    """
    counts_K = torch.zeros(len(class_names))
    index = {name: k for k, name in enumerate(class_names)}
    for item in items:
        for name in item.class_names:
            counts_K[index[name]] += 1
    seen = counts_K > 0
    total = counts_K.sum()
    return torch.where(seen, total / (seen.sum() * counts_K.clamp(min=1)), 0.0)
