"""What `lrcn train --data FOLDER` alone resolves to."""

from __future__ import annotations

from dataclasses import replace

from lrcn.data.transforms import TransformConfig
from lrcn.models.activity import ActivityConfig
from lrcn.tasks.activity import TaskConfig
from lrcn.train.config import DatasetConfig, Experiment, TrainConfig
from lrcn.video.sampling import SamplingConfig


def auto() -> Experiment:
    """A good model on a small set of real clips, on a laptop without a GPU.

    The pretrained CNN stays frozen: every frame goes through it once, its features are cached,
    and the LSTM trains on random clips of cached features, which takes seconds per epoch.

    Command: lrcn train --data DATA --out RUN
    Data: any folder of labelled clips, or a list of them.
    Time: about a minute per 100 clips of 7 seconds on two cores, nearly all of it the one pass
        through the CNN.
    Expected: above 0.95 on the six shared classes of UCF101, fold 1.
    """
    return Experiment(
        name="auto",
        dataset=DatasetConfig(sampling=SamplingConfig(), transform=TransformConfig()),
        model=ActivityConfig(
            kind="lrcn",
            backbone="efficientnet_lite0",
            # All of the height: what tells an activity is not always in the middle.
            crop_fraction=1.0,
            # Few sources are learnt by heart by many units; thousands of clips bear more.
            hidden_size=64,
            feature_dropout=0.5,
            output_dropout=0.5,
            init="modern",
        ),
        task=TaskConfig(label_smoothing=0.1),
        train=TrainConfig(
            epochs=40,
            batch_size=16,
            optimizer="adamw",
            lr=1e-3,
            weight_decay=0.01,
            schedule="cosine",
            warmup_steps=10,
            clip_norm=5.0,
            # On a few dozen validation videos the best epoch is a matter of luck; the rate has
            # fallen to 0 by the last one.
            select_by="last",
        ),
    )


def finetune() -> Experiment:
    """As `auto`, then on through the CNN, end to end, with its own small learning rate.

    Command: lrcn train --data DATA --out RUN --finetune
    Data: any folder of labelled clips, or a list of them; a few hundred clips or more.
    Time: minutes per epoch and 100 clips on two cores.
    Expected: not below `auto` where clips abound; on tiny data it may overfit.
    """
    return with_finetuning(replace(auto(), name="finetune"))


def with_finetuning(experiment: Experiment, epochs: int = 5) -> Experiment:
    """The experiment with `epochs` end-to-end epochs after those with the frozen CNN."""
    train = experiment.train
    if train.unfreeze_at is not None:
        return experiment
    return replace(
        experiment,
        train=replace(
            train,
            unfreeze_at=train.epochs,
            epochs=train.epochs + epochs,
            backbone_lr=train.lr / 100 if train.backbone_lr is None else train.backbone_lr,
        ),
    )
