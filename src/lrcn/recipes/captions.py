"""Experiments with sentences: what `lrcn train --data CAPTIONS` resolves to, and all by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lrcn.data.transform_config import TransformConfig
from lrcn.decoding.options import DecodingOptions
from lrcn.models.captioner_config import CaptionerConfig
from lrcn.recipes.coco import COCO_RECIPES
from lrcn.recipes.events import EVENT_RECIPES
from lrcn.recipes.pictures import PICTURE_RECIPES
from lrcn.recipes.video_description import SEMANTIC_RECIPES
from lrcn.train.caption_config import CaptionDataConfig, CaptionExperiment
from lrcn.train.config import TrainConfig


def captions() -> CaptionExperiment:
    """Sentences about photos, from a few thousand captions on; the CNN stays as it is.

    Command: lrcn train --data captions_train.json --val-data captions_val.json --out RUN
    Data: any list of captions.
    Time: 2 to 3 minutes on one core for 1,500 photos with five captions each, the features of all
    photos included.
    Expected: of photos from above, see `rsicd`.
    """
    return CaptionExperiment(
        name="captions",
        dataset=CaptionDataConfig(
            min_count=2, max_tokens=30, transform=TransformConfig(mirror_prob=0.5)
        ),
        model=CaptionerConfig(
            backbone="efficientnet_lite0",
            # All of the photo: what is told of need not be in the middle.
            crop_fraction=1.0,
            embedding_size=384,
            hidden_size=384,
            num_layers=2,
            feature_dropout=0.3,
            embedding_dropout=0.3,
            output_dropout=0.3,
        ),
        train=TrainConfig(
            # Small data are learnt by heart after about eight.
            epochs=8,
            batch_size=64,
            optimizer="adamw",
            lr=1e-3,
            weight_decay=0.01,
            schedule="cosine",
            warmup_steps=50,
            clip_norm=5.0,
            ema_decay=0.995,
            select_by="cider_d",
        ),
        # Of nine searches the best of three seeds on RSICD's 150 validation photos.
        decoding=DecodingOptions(beam_size=5, length_penalty=0.7, max_tokens=30),
    )


def rsicd() -> CaptionExperiment:
    """Photos from above (RSICD): 1,500 photos with five sentences each, the CNN as it is.

    Command: lrcn train --recipe rsicd --data RSICD --out RUN
    Data: COCO captions JSON `captions_train.json`, `captions_val.json`, and the photos.
    Time: as `captions`.
    Expected: CIDEr-D 0.698 (0.692 to 0.709), BLEU-4 0.315 on the 419 test photos, three seeds.
    """
    return replace(captions(), name="rsicd", expected={"cider_d": 0.698, "bleu_4": 0.315})


def captions_finetune() -> CaptionExperiment:
    """As `captions`, then on through the CNN, end to end, with its own small learning rate.

    Command: lrcn train --recipe captions_finetune --data CAPTIONS --out RUN
    Data: as `captions`.
    Time: minutes per epoch and 1,000 photos on two cores.
    Expected: not below `captions` where photos abound; on tiny data it may overfit.
    """
    return with_caption_finetuning(replace(captions(), name="captions_finetune", expected={}))


def with_caption_finetuning(experiment: CaptionExperiment, epochs: int = 4) -> CaptionExperiment:
    """The experiment with `epochs` end-to-end epochs after those with the frozen CNN."""
    train = experiment.train
    if train.unfreeze_at is not None:
        return experiment
    changed = replace(
        train,
        unfreeze_at=train.epochs,
        epochs=train.epochs + epochs,
        backbone_lr=train.lr / 100 if train.backbone_lr is None else train.backbone_lr,
        patience=None,
    )
    return replace(experiment, train=changed)


CAPTION_RECIPES: dict[str, Callable[[], CaptionExperiment]] = {
    "captions": captions,
    "captions_finetune": captions_finetune,
    "rsicd": rsicd,
    **COCO_RECIPES,
    **SEMANTIC_RECIPES,
    **EVENT_RECIPES,
    **PICTURE_RECIPES,
}
"""Name of a recipe → the function that returns its experiment."""
