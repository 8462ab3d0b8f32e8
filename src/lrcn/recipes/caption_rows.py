"""The rows of the paper's checklist for image description: what to type, and what was published.

Commands stand as they are typed for COCO 2014 with Karpathy's lists (`dataset_coco.json`), its
photos below `COCO`, and CNN weights from `lrcn import-caffe`.
"""

from __future__ import annotations

from typing import Final

from lrcn.recipes.rows import PaperRow

_DATA = "--data dataset_coco.json --images COCO"
_NO_COCO = "COCO's photos and the ImageNet weights of the two CNNs were not at hand"
_FORMS = "the nets' parameter counts and untrained loss (golden tests)"


def _train(recipe: str, out: str, more: str = "") -> str:
    return f"lrcn train --recipe {recipe} {_DATA} {more}".rstrip() + f" --out runs/{out}"


def _frozen(recipe: str, weights: str = "caffenet") -> tuple[str, str]:
    """Train one form, and measure the best of 100 drawn at T = 1.5."""
    run = recipe.removeprefix("coco_")
    init = f"--init models/{weights}"
    return _train(recipe, run, init), _measure(run)


def _finetuned(recipe: str) -> tuple[str, str]:
    run = recipe.removeprefix("coco_")
    return _train(recipe, run, f"--init runs/{run.removesuffix('_finetune')}"), _measure(run)


def _measure(run: str, decoder: str = "best-of-100-t1.5") -> str:
    return f"lrcn evaluate runs/{run} {_DATA} --split val --decoder {decoder}"


CAPTION_ROWS: Final[dict[str, PaperRow]] = {
    "C1": PaperRow(
        title="LRCN-1u, 2u and 2f on CaffeNet, the CNN frozen but for fc8",
        commands=(
            "lrcn import-caffe bvlc_reference_caffenet.caffemodel --out models/caffenet",
            *_frozen("coco_1u"),
            *_frozen("coco_2u"),
            *_frozen("coco_2f"),
        ),
        expected={"1u cider_d": 0.704, "2u cider_d": 0.732, "2f cider_d": 0.720},
        published="Greedily .661, .682, .674. fc8 learns although its row says frozen (3.2).",
        here=_FORMS,
        not_here=_NO_COCO,
    ),
    "C2": PaperRow(
        title="the same, fine-tuned end to end",
        commands=(
            *_finetuned("coco_1u_finetune"),
            *_finetuned("coco_2u_finetune"),
            *_finetuned("coco_2f_finetune"),
        ),
        expected={"1u cider_d": 0.753, "2u cider_d": 0.762, "2f cider_d": 0.764},
        published="Greedily .702, .716, .717.",
        here=_FORMS,
        not_here=_NO_COCO,
    ),
    "C3": PaperRow(
        title="LRCN-2f on VGG-16, frozen and fine-tuned",
        commands=(
            "lrcn import-caffe VGG_ILSVRC_16_layers.caffemodel --out models/vgg16",
            *_frozen("coco_2f_vgg", "vgg16"),
            *_finetuned("coco_2f_vgg_finetune"),
        ),
        expected={"frozen cider_d": 0.828, "fine-tuned cider_d": 0.896},
        here=_FORMS,
        not_here=_NO_COCO,
    ),
    "C4": PaperRow(
        title="vanilla recurrent layers in place of LSTMs",
        commands=_frozen("coco_2f_rnn"),
        expected={"cider_d": 0.703},
        published="Greedily .660. Its prototxt was not published: Caffe's RNN layer with 1,000"
        " units is an inference.",
        here=_FORMS,
        not_here=_NO_COCO,
    ),
    "C5": PaperRow(
        title="beam search of 1 to 10, fine-tuned VGG-16",
        commands=tuple(
            _measure("2f_vgg_finetune", f"beam-{width}") for width in (1, 2, 3, 4, 5, 10)
        ),
        expected={"1": 0.839, "2": 0.879, "3": 0.888, "4": 0.888, "5": 0.888, "10": 0.886},
        published="CIDEr-D by width.",
        here="the same table on photos from above, with another CNN",
        not_here=_NO_COCO,
    ),
    "C6": PaperRow(
        title="best of N drawn at T, fine-tuned VGG-16",
        commands=tuple(
            _measure("2f_vgg_finetune", f"best-of-{number}-t{t}")
            for number, t in ((1, "2"), (10, "2"), (25, "2"), (100, "2"), (100, "1"), (100, "1.5"))
        ),
        expected={
            "N 1, T 2": 0.733,
            "N 10, T 2": 0.868,
            "N 25, T 2": 0.885,
            "N 100, T 2": 0.889,
            "N 100, T 1": 0.805,
            "N 100, T 1.5": 0.896,
        },
        published="CIDEr-D. The paper's T is the inverse of our temperature.",
        here="the same table on photos from above, with another CNN",
        not_here=_NO_COCO,
    ),
    "C14": PaperRow(
        title="a language model, and LRCN-2f that starts from it",
        commands=(
            "lrcn train --recipe coco_language_model --data dataset_coco.json --out runs/lm",
            _train("coco_2f", "2f_from_lm", "--init runs/lm"),
            _measure("2f_from_lm"),
        ),
        published="In the code alone, without a score.",
        notes="The CNN's weights come with --model.weights, since --init names the language model.",
        here="that embedding, first layer and word predictor are taken over (a test)",
        not_here=_NO_COCO,
    ),
    "C15": PaperRow(
        title="LRCN-4f: four layers, the photo enters the second",
        commands=_frozen("coco_4f"),
        published="Told of in the CVPR paper, without a result.",
        here=_FORMS,
        not_here=_NO_COCO,
    ),
}
"""Name of a row → the row, in the order in which the commands are run."""
