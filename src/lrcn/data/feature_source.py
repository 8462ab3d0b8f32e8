"""What determines features besides the file, and so the name of their entry in the cache."""

from __future__ import annotations

from dataclasses import dataclass

from lrcn.data.cache import FeatureCache
from lrcn.data.content import content_hash
from lrcn.data.modality import is_stored_flow
from lrcn.engine import FastBackbone
from lrcn.structures import Preprocessing, VideoItem
from lrcn.video.sampling import SamplingConfig


@dataclass(frozen=True, kw_only=True)
class FeatureSource:
    """What determines features besides the file: the name of a cache entry follows from both."""

    backbone: str
    feature_layer: str
    weights_hash: str
    precision: str
    """How it computes: "bfloat16 fused"."""
    preprocessing: Preprocessing
    frame_stride: int = 1
    sample_fps: float | None = None
    num_crops: int = 1

    @classmethod
    def of(
        cls,
        backbone: FastBackbone,
        preprocessing: Preprocessing,
        sampling: SamplingConfig,
        *,
        num_crops: int = 1,
    ) -> FeatureSource:
        """That of a backbone as it runs here."""
        return cls(
            backbone=backbone.name,
            feature_layer=backbone.feature_layer,
            weights_hash=backbone.weights_hash,
            precision=backbone.arithmetic,
            preprocessing=preprocessing,
            frame_stride=sampling.frame_stride,
            sample_fps=sampling.sample_fps,
            num_crops=num_crops,
        )

    def key(self, cache: FeatureCache, item: VideoItem) -> str:
        """The name of an item's entry.

        Raises:
            MediaError: the file is absent or cannot be read.
        """
        return cache.key(
            content=content_hash(item.path),
            preprocessing=self.preprocessing,
            backbone=self.backbone,
            feature_layer=self.feature_layer,
            weights_hash=self.weights_hash,
            start_seconds=item.start_seconds,
            end_seconds=item.end_seconds,
            frame_stride=self.frame_stride,
            sample_fps=self.sample_fps,
            num_crops=self.num_crops,
            precision=self.precision,
            stored_flow=is_stored_flow(item),
        )
