"""A list of items through a model: every frame once through the CNN, then the protocol's clips."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from lrcn.data.cache import FeatureCache
from lrcn.data.extract import extract_features
from lrcn.engine import FastBackbone, Precision, choose_precision, fast_backbone
from lrcn.errors import ModelError
from lrcn.evaluate.protocol import ProtocolConfig
from lrcn.models.activity import ActivityModel
from lrcn.models.views import clip_probs, frame_probs, video_probs, whole_probs
from lrcn.structures import SkippedFile, VideoFeatures, VideoItem

Watch = Callable[[int, int, str], None]
"""Called after each item: how many are done, of how many, its id."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a model says of one item."""

    probs_K: NDArray[np.float64]
    probs_TK: NDArray[np.float64]
    """Of every frame."""
    step_probs_SK: NDArray[np.float64]
    """Of every voting step of every clip and crop: their mean is `probs_K`."""
    pts_seconds_T: NDArray[np.float64]
    num_clips: int
    truncated: bool


class Runner:
    """One model with the way its backbone is run, for one pass over a list.

    Args:
        model: on its device; it is put into evaluation mode.
        protocol: which frames, clips and crops.
        precision: of the backbone.
        cache: of features, used and filled.
        decode_threads: that read ahead.
    """

    def __init__(
        self,
        model: ActivityModel,
        protocol: ProtocolConfig,
        *,
        precision: Precision = "auto",
        cache: FeatureCache | None = None,
        decode_threads: int = 1,
    ) -> None:
        self.model = model.eval()
        self.protocol = protocol
        self.cache = cache
        self.decode_threads = decode_threads
        self.device = next(model.parameters()).device
        self.precision = choose_precision(precision, self.device)
        self.backbone: FastBackbone | None = None
        if model.backbone is not None:
            self.backbone = fast_backbone(
                model.backbone,
                device=self.device,
                precision=self.precision,
                batch_size=protocol.batch_size,
            )

    @property
    def engine(self) -> str:
        """How the backbone is run."""
        return "features were given" if self.backbone is None else self.backbone.description

    def features(self, items: Sequence[VideoItem]) -> Iterator[VideoFeatures | SkippedFile]:
        """Features of every item in turn, or why there are none."""
        yield from extract_features(
            items,
            self.backbone,
            self.model.preprocessing,
            sampling=self.protocol.sampling,
            num_crops=self.protocol.num_crops,
            batch_size=self.protocol.batch_size,
            cache=self.cache if self.backbone is not None else None,
            decode_threads=self.decode_threads,
            feature_dim=self.model.feature_dim,
        )

    def answer(self, features: VideoFeatures) -> Answer:
        """The protocol on one video's features.

        Raises:
            ModelError: the model gives NaN or infinity.
        """
        if self.protocol.protocol == "whole_video":
            views = whole_probs(self.model, features.features_VTD)
        else:
            views = clip_probs(
                self.model,
                features.features_VTD,
                clip_length=self.protocol.clip_length,
                clip_stride=self.protocol.clip_stride,
                last_clip_twice=self.protocol.last_clip_twice,
            )
        probs_K = video_probs(views)
        if not bool(torch.isfinite(probs_K).all()):
            raise ModelError(
                f"the model gives NaN or infinity for {features.video_id!r}; finite probabilities"
                " are needed. Its weights are damaged, or its training diverged: train again with"
                " a lower lr, or use an earlier checkpoint"
            )
        return Answer(
            probs_K=_array(probs_K),
            probs_TK=_array(frame_probs(views)),
            step_probs_SK=_array(views.probs_VCTK[:, views.vote_mask_CT].flatten(0, 1)),
            pts_seconds_T=_array(features.pts_seconds_T),
            num_clips=len(views.starts),
            truncated=features.truncated,
        )

    def carried(self, features: VideoFeatures) -> torch.Tensor:
        """Probabilities of every frame, T x K, with the state carried through the video."""
        return frame_probs(whole_probs(self.model, features.features_VTD)).detach().cpu()


def _array(tensor: torch.Tensor) -> NDArray[np.float64]:
    result: NDArray[np.float64] = tensor.detach().double().cpu().numpy()
    return result
