"""The paper's rows of image description: COCO and Flickr30k, its networks, rates and searches.

Paper 3.4: Caffe's SGD, batches of 100 captions, loss times 20, weights uniform in 0.08. First the
CNN frozen but for fc8, then all of it at a tenth of a tenth of the rate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from lrcn.data.transform_config import TransformConfig
from lrcn.decoding.options import DecodingOptions
from lrcn.models.captioner_config import CaptionerConfig
from lrcn.tasks.captioning import CaptioningConfig
from lrcn.train.caption_config import CaptionDataConfig, CaptionExperiment, WatchConfig
from lrcn.train.config import TrainConfig


def _paper(
    name: str, model: CaptionerConfig, *, cider_d: float | None = None, steps: int = 110_000
) -> CaptionExperiment:
    """A row with the CNN frozen but for fc8 (paper 3.2: it learns at a tenth of the rate)."""
    return CaptionExperiment(
        name=name,
        dataset=CaptionDataConfig(
            tokenizer="paper",
            min_count=5,
            max_tokens=20,
            bucket=False,
            cache="none",
            transform=TransformConfig(crop="random", mirror_prob=0.5),
        ),
        model=model,
        task=CaptioningConfig(loss_weight=20.0),
        train=TrainConfig(
            max_steps=steps,
            always_trained=() if model.visual == "none" else ("fc8",),
            batch_size=100,
            optimizer="caffe_sgd",
            lr=0.01,
            backbone_lr=0.001,
            bias_lr_multiplier=2.0,
            momentum=0.9,
            weight_decay=0.0,
            schedule="step",
            schedule_steps=20_000,
            schedule_gamma=0.5,
            clip_norm=10.0,
            select_by="last",
            precision="float32",
        ),
        watch=WatchConfig(decoding=DecodingOptions(method="greedy", allow_unk=True, max_tokens=50)),
        # Paper: the best of 100 drawn at T = 1.5, whose inverse is ours.
        decoding=DecodingOptions(
            method="sample", num_samples=100, temperature=1 / 1.5, allow_unk=True, max_tokens=50
        ),
        expected={} if cider_d is None else {"cider_d": cider_d},
    )


def _finetuned(base: CaptionExperiment, name: str, **expected: float) -> CaptionExperiment:
    """The second stage of a row; `--init` names the run of the first."""
    train = replace(
        base.train,
        max_steps=50_000,
        unfreeze_at=0,
        always_trained=(),
        lr=0.001,
        backbone_lr=0.0001,
        clip_norm=25.0,
    )
    return replace(base, name=name, train=train, expected=expected)


def _net(backbone: str = "caffenet", **changes: object) -> CaptionerConfig:
    given: dict[str, object] = {"backbone": backbone, "feature_layer": "fc8", "init": "paper"}
    return CaptionerConfig(**(given | changes))  # type: ignore[arg-type] # names are checked there


def coco_1u() -> CaptionExperiment:
    """Row C1: LRCN-1u on CaffeNet, CNN frozen but for fc8.

    Command: lrcn train --recipe coco_1u --data dataset_coco.json --images COCO --out RUN
    --model.weights caffenet.safetensors
    Data: COCO 2014 with Karpathy's lists; CaffeNet's weights by `lrcn import-caffe`.
    Time: 27 passes over 414,113 captions: days on two cores, hours on a graphics processor.
    Expected: CIDEr-D 0.704 (best of 100, T = 1.5), 0.661 greedily.
    """
    return _paper("coco_1u", _net(num_layers=1), cider_d=0.704)


def coco_2u() -> CaptionExperiment:
    """Row C1: LRCN-2u on CaffeNet, CNN frozen but for fc8.

    Command: lrcn train --recipe coco_2u --data dataset_coco.json --images COCO --out RUN
    --model.weights caffenet.safetensors
    Data: as `coco_1u`.
    Time: as `coco_1u`.
    Expected: CIDEr-D 0.732 (best of 100, T = 1.5), 0.682 greedily.
    """
    return _paper("coco_2u", _net(factored=False), cider_d=0.732)


def coco_2f() -> CaptionExperiment:
    """Row C1: LRCN-2f on CaffeNet, CNN frozen but for fc8.

    Command: lrcn train --recipe coco_2f --data dataset_coco.json --images COCO --out RUN
    --model.weights caffenet.safetensors
    Data: as `coco_1u`.
    Time: as `coco_1u`.
    Expected: CIDEr-D 0.720 (best of 100, T = 1.5), 0.674 greedily.
    """
    return _paper("coco_2f", _net(factored=True), cider_d=0.720)


def coco_1u_finetune() -> CaptionExperiment:
    """Row C2: LRCN-1u on CaffeNet, fine-tuned end to end from the run of `coco_1u`.

    Command: lrcn train --recipe coco_1u_finetune --init FROZEN --data dataset_coco.json
    --images COCO --out RUN
    Data: as `coco_1u`.
    Time: 12 passes through the whole network.
    Expected: CIDEr-D 0.753 (best of 100, T = 1.5), 0.702 greedily.
    """
    return _finetuned(coco_1u(), "coco_1u_finetune", cider_d=0.753)


def coco_2u_finetune() -> CaptionExperiment:
    """Row C2: LRCN-2u on CaffeNet, fine-tuned end to end from the run of `coco_2u`.

    Command: lrcn train --recipe coco_2u_finetune --init FROZEN --data dataset_coco.json
    --images COCO --out RUN
    Data: as `coco_1u`.
    Time: as `coco_1u_finetune`.
    Expected: CIDEr-D 0.762 (best of 100, T = 1.5), 0.716 greedily.
    """
    return _finetuned(coco_2u(), "coco_2u_finetune", cider_d=0.762)


def coco_2f_finetune() -> CaptionExperiment:
    """Row C2: LRCN-2f on CaffeNet, fine-tuned end to end from the run of `coco_2f`.

    Command: lrcn train --recipe coco_2f_finetune --init FROZEN --data dataset_coco.json
    --images COCO --out RUN
    Data: as `coco_1u`.
    Time: as `coco_1u_finetune`.
    Expected: CIDEr-D 0.764 (best of 100, T = 1.5), 0.717 greedily.
    """
    return _finetuned(coco_2f(), "coco_2f_finetune", cider_d=0.764)


def coco_2f_vgg() -> CaptionExperiment:
    """Row C3: LRCN-2f on VGG-16, CNN frozen but for fc8; the next stage starts at 90,000 updates.

    Command: lrcn train --recipe coco_2f_vgg --data dataset_coco.json --images COCO --out RUN
    --model.weights vgg16.safetensors
    Data: as `coco_1u`, with the weights of `VGG_ILSVRC_16_layers`.
    Time: several times that of `coco_1u`.
    Expected: CIDEr-D 0.828 (best of 100, T = 1.5), 0.773 greedily.
    """
    return _paper("coco_2f_vgg", _net("vgg16"), cider_d=0.828, steps=90_000)


def coco_2f_vgg_finetune() -> CaptionExperiment:
    """Row C3: LRCN-2f on VGG-16, fine-tuned end to end from the run of `coco_2f_vgg`.

    Paper: two batches of 50 are added up, and their sum is clipped at 25: their mean at 12.5.

    Command: lrcn train --recipe coco_2f_vgg_finetune --init FROZEN --data dataset_coco.json
    --images COCO --out RUN
    Data: as `coco_2f_vgg`.
    Time: as `coco_2f_vgg`.
    Expected: CIDEr-D 0.896 (best of 100, T = 1.5), 0.839 greedily, 0.888 with a beam of 3 to 5.
    """
    base = _finetuned(coco_2f_vgg(), "coco_2f_vgg_finetune", cider_d=0.896)
    return replace(base, train=replace(base.train, micro_batch_size=50, clip_norm=12.5))


def coco_2f_vgg_trainval() -> CaptionExperiment:
    """Row C11: LRCN-2f on VGG-16, trained on from `coco_2f_vgg_finetune` with all photos.

    Command: lrcn train --recipe coco_2f_vgg_trainval --init FINETUNED --data dataset_coco.json
    --images COCO --out RUN
    Data: as `coco_2f_vgg`; COCO's validation photos are learnt from too, none is held out.
    Time: twice that of `coco_2f_vgg_finetune`.
    Expected: CIDEr-D 0.934 on COCO's test server (best of 100, T = 1.5), 0.891 greedily.
    """
    base = coco_2f_vgg_finetune()
    return replace(
        base,
        name="coco_2f_vgg_trainval",
        dataset=replace(base.dataset, train_parts="all", val_fraction=0.0),
        train=replace(base.train, max_steps=100_000, schedule_steps=40_000),
        expected={"cider_d": 0.934},
    )


def flickr30k_2f() -> CaptionExperiment:
    """Rows C8 and C9: LRCN-2f on CaffeNet for Flickr30k, CNN frozen but for fc8.

    Paper: neither settings nor the division were published; those of COCO and Karpathy's lists.

    Command: lrcn train --recipe flickr30k_2f --init CAFFENET --data dataset_flickr30k.json
    --images FLICKR30K --out RUN
    Data: Flickr30k with Karpathy's lists: 29,000 photos for training, 1,014 and 1,000.
    Time: as `coco_1u`.
    Expected: see `flickr30k_2f_finetune`; which of the two the paper measured is not told.
    """
    return _paper("flickr30k_2f", _net(factored=True))


def flickr30k_2f_finetune() -> CaptionExperiment:
    """Rows C8 and C9: LRCN-2f on CaffeNet for Flickr30k, fine-tuned from the run of `flickr30k_2f`.

    Command: lrcn train --recipe flickr30k_2f_finetune --init FROZEN --data dataset_flickr30k.json
    --images FLICKR30K --out RUN
    Data: as `flickr30k_2f`.
    Time: as `coco_1u_finetune`.
    Expected: caption to image recall at 1 0.175, image to caption 0.236; BLEU-4 0.1646.
    """
    return _finetuned(
        flickr30k_2f(),
        "flickr30k_2f_finetune",
        caption_to_image_recall_at_1=0.175,
        image_to_caption_recall_at_1=0.236,
        bleu_4=0.1646,
    )


def coco_2f_rnn() -> CaptionExperiment:
    """Row C4: two vanilla recurrent layers in place of LSTMs, factored, on CaffeNet.

    Command: lrcn train --recipe coco_2f_rnn --data dataset_coco.json --images COCO --out RUN
    --model.weights caffenet.safetensors
    Data: as `coco_1u`.
    Time: less than `coco_2f`.
    Expected: CIDEr-D 0.703 (best of 100, T = 1.5), 0.660 greedily.
    """
    return _paper("coco_2f_rnn", _net(unit="rnn"), cider_d=0.703)


def coco_language_model() -> CaptionExperiment:
    """Row C14: a language model of the captions; `coco_2f --init RUN` starts from it.

    Command: lrcn train --recipe coco_language_model --data dataset_coco.json --out RUN
    Data: the captions of COCO 2014 alone; no photo is opened.
    Time: a third of `coco_1u`.
    Expected: published without a score.
    """
    model = CaptionerConfig(
        visual="none",
        backbone="none",
        num_layers=1,
        init="paper",
        embedding_dropout=0.5,
        output_dropout=0.5,
    )
    base = _paper("coco_language_model", model)
    return replace(base, train=replace(base.train, lr=0.1))


def coco_4f() -> CaptionExperiment:
    """Row C15: four layers, the photo enters the second; told of in the paper, without a result.

    Command: lrcn train --recipe coco_4f --data dataset_coco.json --images COCO --out RUN
    --model.weights caffenet.safetensors
    Data: as `coco_1u`.
    Time: twice that of `coco_2f`.
    Expected: published without a score.
    """
    return _paper("coco_4f", _net(num_layers=4))


COCO_RECIPES: Final[dict[str, Callable[[], CaptionExperiment]]] = {
    "coco_1u": coco_1u,
    "coco_2u": coco_2u,
    "coco_2f": coco_2f,
    "coco_1u_finetune": coco_1u_finetune,
    "coco_2u_finetune": coco_2u_finetune,
    "coco_2f_finetune": coco_2f_finetune,
    "coco_2f_vgg": coco_2f_vgg,
    "coco_2f_vgg_finetune": coco_2f_vgg_finetune,
    "coco_2f_vgg_trainval": coco_2f_vgg_trainval,
    "coco_2f_rnn": coco_2f_rnn,
    "coco_language_model": coco_language_model,
    "coco_4f": coco_4f,
    "flickr30k_2f": flickr30k_2f,
    "flickr30k_2f_finetune": flickr30k_2f_finetune,
}
"""Name of a row's recipe → the function that returns its experiment."""
