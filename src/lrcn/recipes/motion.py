"""The rendered world (`lrcn data make motion OUT`): no single frame tells the class."""

from __future__ import annotations

from dataclasses import replace

from lrcn.data.transforms import TransformConfig
from lrcn.models.activity import ActivityConfig
from lrcn.train.config import DatasetConfig, Experiment, TrainConfig
from lrcn.video.sampling import SamplingConfig

EPOCHS, JOIN_AFTER = 8, 4


def lrcn() -> Experiment:
    """The rendered world: an LRCN with a small CNN, end to end from random weights.

    Command: lrcn train --recipe motion_lrcn --data MOTION --out RUN
    Data: `lrcn data make motion MOTION`, 8 classes.
    Time: about two minutes on two cores.
    Expected: 0.95 or more.
    """
    return Experiment(
        name="motion_lrcn",
        dataset=DatasetConfig(
            sampling=SamplingConfig(clip_length=16, clip_stride=8),
            # Mirroring would make a slide to the left one to the right.
            transform=TransformConfig(crop="centre", mirror_prob=0.0),
            cache="frames",
            join_probability=1.0,
            join_after=JOIN_AFTER,
        ),
        model=ActivityConfig(
            kind="lrcn",
            backbone="small",
            weights="random",
            input_px=48,
            hidden_size=256,
            output_dropout=0.0,
        ),
        train=TrainConfig(
            epochs=EPOCHS,
            unfreeze_at=0,
            freeze_batch_norm=False,
            batch_size=32,
            lr=5e-3,
            backbone_lr=5e-3,
            weight_decay=1e-3,
            clip_norm=1.0,
            warmup_steps=50,
            validate_every=4,
            # Joined clips make the last epochs harder; the carried state needs them.
            select_by="last",
        ),
        expected={"accuracy_top1": 0.95},
    )


def single_frame() -> Experiment:
    """The rendered world: the same CNN without recurrence; it can only guess.

    Command: lrcn train --recipe motion_single_frame --data MOTION --out RUN
    Data: `lrcn data make motion MOTION`, 8 classes.
    Time: under a minute on two cores.
    Expected: 0.20 at most; chance is 0.125.
    """
    base = lrcn()
    return replace(
        base,
        name="motion_single_frame",
        dataset=replace(base.dataset, join_probability=0.0),
        model=replace(base.model, kind="single_frame"),
        train=replace(base.train, epochs=2),
        expected={"accuracy_top1": 0.125},
    )
