"""How good the model is between epochs: the paper's protocol on the held-out videos."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from lrcn.metrics.multilabel import MeanAveragePrecision
from lrcn.models.activity import ActivityModel
from lrcn.models.views import clip_probs, video_probs
from lrcn.structures import VideoFeatures
from lrcn.train.config import SelectBy
from lrcn.train.state import Progress
from lrcn.video.sampling import SamplingConfig

ScoreKey = Literal["accuracy_top1", "mean_average_precision", "cider_d"]
_NAMES: dict[ScoreKey, str] = {
    "accuracy_top1": "accuracy",
    "mean_average_precision": "mAP",
    "cider_d": "CIDEr-D",
}


@dataclass(frozen=True, kw_only=True)
class Score:
    """The validation score of one moment in training."""

    key: ScoreKey
    """What is measured: the second where videos have several labels, the third of captions."""
    value: float
    loss: float
    """Mean negative log of the probability given to the truth."""
    num_videos: int
    details: Mapping[str, float] = field(default_factory=dict)
    """What else was seen, by name."""
    warning: str | None = None
    """What a person should know at once."""

    def to_dict(self) -> dict[str, float]:
        """For the log."""
        return {
            self.key: self.value,
            "loss": self.loss,
            "num_videos": self.num_videos,
            **self.details,
        }

    @property
    def name(self) -> str:
        """What people call it."""
        return _NAMES[self.key]


@torch.no_grad()
def answer(model: ActivityModel, features_VTD: Tensor, sampling: SamplingConfig) -> Tensor:
    """probs_K of a video: all clips at `clip_stride`, mean over steps and clips."""
    views = clip_probs(
        model,
        features_VTD,
        clip_length=sampling.clip_length,
        clip_stride=sampling.clip_stride,
    )
    return video_probs(views).cpu()


def probabilities(
    model: ActivityModel, features: Iterable[VideoFeatures], sampling: SamplingConfig
) -> dict[str, Tensor]:
    """The answer to every video by id, where ids are unique: no two intervals of one video."""
    return {video.video_id: answer(model, video.features_VTD, sampling) for video in features}


def score(probs_NK: Tensor, targets_NK: Tensor, *, multi_label: bool) -> Score:
    """Score probabilities against targets (0/1 per class).

    Raises:
        ValueError: there is no video.
    """
    if not len(probs_NK):
        raise ValueError("there is no video to score")
    key: ScoreKey = "accuracy_top1"
    probs_NK = probs_NK.double().clamp(1e-12, 1 - 1e-12)
    targets_NK = targets_NK.double()
    if multi_label:
        loss_N = -(targets_NK * probs_NK.log() + (1 - targets_NK) * (1 - probs_NK).log()).mean(1)
        metric = MeanAveragePrecision(probs_NK.shape[1])
        metric.update(probs_NK, targets_NK)
        key = "mean_average_precision"
        value = metric.compute()[key]
    else:
        loss_N = -(targets_NK * probs_NK.log()).sum(dim=1)
        chosen_N1 = probs_NK.argmax(dim=1, keepdim=True)
        value = float(targets_NK.gather(1, chosen_N1).gt(0).double().mean())
    return Score(key=key, value=value, loss=float(loss_N.mean()), num_videos=len(probs_NK))


def is_better(new: Score, progress: Progress, select_by: SelectBy) -> bool:
    """Whether a score beats the best so far; equal accuracy (mAP, CIDEr-D): the loss decides."""
    if progress.best_loss is None or progress.best_score is None or select_by == "last":
        return True
    if select_by == "loss":
        return new.loss < progress.best_loss
    return (new.value, -new.loss) > (progress.best_score, -progress.best_loss)
