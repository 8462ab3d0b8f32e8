"""The rendered clips of several events (`lrcn data make events OUT`): their order must be told.

First a recogniser learns what every single event is; then its CNN and its layer over frames start
a captioner, whose layers above them learn to keep several events in order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from lrcn.data.transform_config import TransformConfig
from lrcn.models.activity import ActivityConfig
from lrcn.models.captioner_config import CaptionerConfig
from lrcn.train.caption_config import CaptionDataConfig, CaptionExperiment
from lrcn.train.config import DatasetConfig, Experiment, TrainConfig
from lrcn.video.sampling import SamplingConfig

# Mirroring would make a slide to the left one to the right.
_AS_THEY_ARE = TransformConfig(crop="centre", mirror_prob=0.0)
# An event is eight frames then, one clip.
_EVERY_OTHER = SamplingConfig(clip_length=8, clip_stride=8, frame_stride=2)
_HIDDEN = 256
_FEATURES = 128  # of the small backbone; a projection as wide passes a recogniser's layer on


def events_recogniser() -> Experiment:
    """Single events: colour, shape and action of each, a small CNN and an LSTM from random weights.

    Command: lrcn train --recipe events_recogniser --data EVENTS/labels.csv --out REC
    Data: `lrcn data make events EVENTS --num-train 5000`.
    Time: a quarter of an hour of a processor.
    Expected: mean average precision of 0.99 on the events of 100 validation clips; after four
    epochs 0.97, which is not enough for `events`.
    """
    return Experiment(
        name="events_recogniser",
        dataset=DatasetConfig(
            sampling=_EVERY_OTHER,
            transform=_AS_THEY_ARE,
            cache="frames",
        ),
        model=ActivityConfig(
            backbone="small",
            weights="random",
            input_px=48,
            hidden_size=_HIDDEN,
            output_dropout=0.0,
        ),
        train=TrainConfig(
            epochs=12,
            unfreeze_at=0,
            freeze_batch_norm=False,
            batch_size=32,
            lr=5e-3,
            backbone_lr=5e-3,
            weight_decay=1e-3,
            clip_norm=1.0,
            warmup_steps=50,
            validate_every=4,
            select_by="last",
        ),
        expected={"mean_average_precision": 0.99},
    )


def events() -> CaptionExperiment:
    """Two or three events in their order: frames are read by one stack, words said by another.

    Command: lrcn train --recipe events --data EVENTS --init REC --out RUN
    Data: `lrcn data make events EVENTS --num-train 5000`; REC from `events_recogniser`.
    Time: four minutes of a processor.
    Expected: 0.92 of 500 unseen clips exactly true (accuracy_exact).
    """
    return CaptionExperiment(
        name="events",
        dataset=CaptionDataConfig(
            min_count=1, max_tokens=30, sampling=_EVERY_OTHER, transform=_AS_THEY_ARE
        ),
        model=CaptionerConfig(
            visual="encoder",
            backbone="small",
            weights="random",
            input_px=48,
            embedding_size=_FEATURES,
            hidden_size=_HIDDEN,
            num_layers=2,
        ),
        train=TrainConfig(
            epochs=16,
            batch_size=32,
            optimizer="adamw",
            lr=2e-3,
            # Against learning 5,000 sentences by heart: see docs/experiments.md, 2026-11-28.
            weight_decay=0.5,
            ema_decay=0.99,
            schedule="cosine",
            clip_norm=1.0,
            warmup_steps=50,
            validate_every=4,
            select_by="last",
        ),
        expected={"accuracy_exact": 0.92},
    )


def events_mean() -> CaptionExperiment:
    """The same clips by the mean of their frames: what was there, but neither motion nor order.

    Command: lrcn train --recipe events_mean --data EVENTS --init REC --out RUN
    Data: as `events`.
    Time: as `events`.
    Expected: 0.002 of 500 unseen clips exactly true, at most 0.03.
    """
    base = events()
    return replace(
        base,
        name="events_mean",
        model=replace(base.model, visual="static"),
        expected={"accuracy_exact": 0.002},
    )


EVENT_RECIPES: Final[dict[str, Callable[[], CaptionExperiment]]] = {
    "events": events,
    "events_mean": events_mean,
}
"""Name of a recipe with sentences → the function that returns its experiment."""
