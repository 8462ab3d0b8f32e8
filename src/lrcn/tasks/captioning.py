"""Describing: the next word at every place of a sentence (paper 1.5, 3.4).

The loss is the negative log-probability of every word and of the end, given the true words before;
padding does not count. Its mean over words is multiplied by a weight before the gradient (paper:
20), so that a threshold for clipping means the same as in the paper's code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from lrcn.errors import ConfigError
from lrcn.models.image_captioner import Captioner, CaptionState
from lrcn.structures import IGNORE_INDEX, CaptionBatch
from lrcn.tasks.task import LossSums, Task

_PIXELS_AT_ONCE = 128 * 224 * 224
"""Whose activations are kept at once; above it they are computed twice."""


@dataclass(frozen=True, kw_only=True)
class CaptioningConfig:
    """The loss of describing."""

    label_smoothing: float = 0.0
    """Part of the target spread evenly over all words."""
    loss_weight: float = 1.0
    """Factor on the mean loss per word before its gradient is taken (the paper's code: 20)."""
    objective: Literal["words", "cider_d"] = "words"
    """words: the next true word (the paper's); cider_d: sentences drawn and scored against the
    greedy one (self-critical, arXiv 1612.00563), to go on from a trained captioner with."""
    scheduled_sampling: float = 0.0
    """Share of words fed that the model drew itself, in place of the true ones (Bengio et al.,
    arXiv 1506.03099); 0 = always the true word."""

    def __post_init__(self) -> None:
        problems = [
            f"task.{name} must lie in 0 <= x < 1, not {getattr(self, name)}"
            for name in ("label_smoothing", "scheduled_sampling")
            if not 0 <= getattr(self, name) < 1
        ]
        if self.objective == "cider_d" and (self.label_smoothing or self.scheduled_sampling):
            problems.append(
                "task.objective cider_d feeds its own words: set task.label_smoothing and"
                " task.scheduled_sampling 0"
            )
        if self.loss_weight <= 0:
            problems.append(f"task.loss_weight must be positive, not {self.loss_weight}")
        if problems:
            raise ConfigError("; ".join(problems))


class CaptioningTask(Task[CaptionBatch]):
    """The loss of describing, given the words that people wrote.

    Args:
        config: Its settings.
    """

    def __init__(self, config: CaptioningConfig) -> None:
        self.config = config
        self.loss_weight = config.loss_weight

    def losses(self, model: nn.Module, batch: CaptionBatch) -> LossSums:
        """See `Task.losses`; `model` is a `Captioner`."""
        captioner = cast(Captioner, model)
        state = captioner.start(visual_features(captioner, batch), batch.valid_mask_BT)
        counted_BL = batch.targets_BL != IGNORE_INDEX
        targets_M = batch.targets_BL[counted_BL]
        if self.config.scheduled_sampling > 0:
            logits_MV = self._sampled_logits(captioner, batch.inputs_BL, state)[counted_BL]
        else:
            # Only what counts reaches the vocabulary, by far the widest layer.
            logits_MV = captioner.words(captioner.outputs(batch.inputs_BL, state)[counted_BL])
        logits_MV = logits_MV.float()
        loss_sum = F.cross_entropy(
            logits_MV, targets_M, reduction="sum", label_smoothing=self.config.label_smoothing
        )
        with torch.no_grad():
            num_correct = (logits_MV.argmax(dim=1) == targets_M).sum()
        return LossSums(loss_sum=loss_sum, num_correct=num_correct)

    def count_steps(self, model: nn.Module, batch: CaptionBatch) -> int:
        """See `Task.count_steps`: words and ends."""
        del model
        return self.count_answers(batch)

    def count_answers(self, batch: CaptionBatch) -> int:
        """See `Task.count_answers`: words and ends."""
        return int((batch.targets_BL != IGNORE_INDEX).sum())

    def _sampled_logits(self, model: Captioner, inputs_BL: Tensor, state: CaptionState) -> Tensor:
        """logits_BLV where some of the words fed were drawn by the model.

        Draws come from torch's generator, which the loop keys to the step, as for dropout.
        """
        logits_L: list[Tensor] = []
        special = [model.vocabulary.pad_id, model.vocabulary.bos_id]
        for t in range(inputs_BL.shape[1]):
            tokens_B = inputs_BL[:, t]
            if t > 0:
                with torch.no_grad():
                    before_BV = (
                        logits_L[-1]
                        .detach()
                        .float()
                        .index_fill(1, torch.tensor(special, device=tokens_B.device), -torch.inf)
                    )
                    drawn_B = torch.multinomial(before_BV.softmax(dim=1), 1)[:, 0]
                    share_B = torch.rand(len(tokens_B), device=tokens_B.device)
                tokens_B = torch.where(share_B < self.config.scheduled_sampling, drawn_B, tokens_B)
            logits_BV, state = model.step(tokens_B, state)
            logits_L.append(logits_BV)
        return torch.stack(logits_L, dim=1)


def visual_features(model: Captioner, batch: CaptionBatch) -> Tensor:
    """features_BTD of a batch: those it holds, or what the backbone makes of its valid frames."""
    if batch.features_BTD is not None:
        return batch.features_BTD
    assert batch.frames_BTCHW is not None
    if model.config.visual == "none":
        return batch.frames_BTCHW.new_zeros((*batch.valid_mask_BT.shape, 0), dtype=torch.float32)
    valid_BT = batch.valid_mask_BT
    features_ND = _frame_features(model, batch.frames_BTCHW[valid_BT])
    features_BTD = features_ND.new_zeros(*valid_BT.shape, features_ND.shape[-1])
    features_BTD[valid_BT] = features_ND
    return features_BTD


def _frame_features(model: Captioner, frames_NCHW: Tensor) -> Tensor:
    """features_ND; of a long video in pieces that are computed once more in the backward pass.

    So a video of any length takes the memory of one piece (Chen et al., arXiv 1604.06174).
    """
    at_once = max(1, _PIXELS_AT_ONCE // (frames_NCHW.shape[-1] * frames_NCHW.shape[-2]))
    if len(frames_NCHW) <= at_once or not torch.is_grad_enabled():
        return model.features(frames_NCHW)
    return torch.cat(
        [
            checkpoint(model.features, piece, use_reentrant=False)
            for piece in torch.split(frames_NCHW, at_once)
        ]
    )
