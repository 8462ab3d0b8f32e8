"""The rendered pictures (`lrcn data make pictures OUT`): every sentence is true or false.

First a recogniser learns what stands at each of the nine places; then its CNN, as it is, starts a
captioner, which learns to say that in order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lrcn.data.transform_config import TransformConfig
from lrcn.decoding.options import DecodingOptions
from lrcn.models.activity import ActivityConfig
from lrcn.models.captioner_config import CaptionerConfig
from lrcn.train.caption_config import CaptionDataConfig, CaptionExperiment
from lrcn.train.config import DatasetConfig, Experiment, TrainConfig
from lrcn.video.sampling import SamplingConfig

# Mirroring would make left right, and a crop would move what stands at the side.
_AS_THEY_ARE = TransformConfig(crop="centre", mirror_prob=0.0)
# What stands where is read from nine places; shapes are small, so pictures are enlarged.
_FEATURE_LAYER = "grid"
_INPUT_PX = 96


def pictures_recogniser() -> Experiment:
    """What stands at each place: sizes, colours and shapes, a small CNN from random weights.

    Command: lrcn train --recipe pictures_recogniser --data PICTURES/labels.csv --out REC
    Data: `lrcn data make pictures PICTURES --num-train 60000`, one or two shapes a picture.
    Time: four minutes of one core.
    Expected: mean average precision 0.999 of 117 labels on 500 validation pictures.
    """
    return Experiment(
        name="pictures_recogniser",
        dataset=DatasetConfig(
            sampling=SamplingConfig(clip_length=1, clip_stride=1),
            transform=_AS_THEY_ARE,
            cache="none",
        ),
        model=ActivityConfig(
            kind="single_frame",
            backbone="small",
            weights="random",
            feature_layer=_FEATURE_LAYER,
            input_px=_INPUT_PX,
            output_dropout=0.0,
        ),
        train=TrainConfig(
            epochs=2,
            unfreeze_at=0,
            freeze_batch_norm=False,
            batch_size=32,
            lr=3e-3,
            backbone_lr=3e-3,
            weight_decay=0.05,
            clip_norm=1.0,
            warmup_steps=50,
            select_by="last",
        ),
        expected={"mean_average_precision": 0.999},
    )


def pictures() -> CaptionExperiment:
    """Sentences that are exactly true: what the recogniser's CNN sees, said in order.

    Command: lrcn train --recipe pictures --data PICTURES --init REC --out RUN
    Data: as `pictures_recogniser`, which makes REC.
    Time: four minutes of one core.
    Expected: 0.994 of 1,000 unseen pictures exactly true (accuracy_exact).
    """
    return CaptionExperiment(
        name="pictures",
        dataset=CaptionDataConfig(
            tokenizer="words",
            min_count=1,
            max_tokens=30,
            transform=_AS_THEY_ARE,
        ),
        model=CaptionerConfig(
            backbone="small",
            weights="random",
            feature_layer=_FEATURE_LAYER,
            input_px=_INPUT_PX,
            embedding_size=128,
            hidden_size=256,
            num_layers=2,
        ),
        train=TrainConfig(
            epochs=4,
            batch_size=64,
            optimizer="adamw",
            lr=2e-3,
            weight_decay=0.5,
            ema_decay=0.99,
            schedule="cosine",
            warmup_steps=50,
            clip_norm=1.0,
            validate_every=1,
            select_by="last",
        ),
        decoding=DecodingOptions(method="greedy", max_tokens=30),
        expected={"accuracy_exact": 0.99},
    )


PICTURE_RECIPES: Final[dict[str, Callable[[], CaptionExperiment]]] = {"pictures": pictures}
"""Name of the recipe with sentences → the function that returns its experiment."""
