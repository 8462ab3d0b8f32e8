"""The rows of the paper's checklist for image description: what to type, and what was published.

Commands stand as they are typed for COCO 2014 with Karpathy's lists (`dataset_coco.json`), its
photos below `COCO`, and CNN weights from `lrcn import-caffe`.
"""

from __future__ import annotations

from typing import Final

from lrcn.recipes.rows import PaperRow

_DATA = "--data dataset_coco.json --images COCO"
_FLICKR = "--data dataset_flickr30k.json --images FLICKR30K"
_NO_COCO = "COCO's photos and the ImageNet weights of the two CNNs were not at hand"
_NO_FLICKR = "Flickr30k's photos and CaffeNet's weights were not at hand"
_RETRIEVAL = "the command, against ranking by hand (a test), and on photos from above"
_FORMS = "the nets' parameter counts and untrained loss (golden tests)"
_ABOVE = "; on photos from above, another CNN, one seed ([experiments](experiments.md))"


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


def _retrieve(run: str) -> str:
    return f"lrcn evaluate runs/{run} {_DATA} --split val --retrieval --num-images 1000"


def _recalls(im: tuple[float, ...], cap: tuple[float, ...], name: str = "") -> dict[str, float]:
    """Published recall at 1, 5, 10 of both directions, in percent."""
    ways = (("caption to image", im), ("image to caption", cap))
    return {
        f"{name}{way} R@{k}": round(value / 100, 4)
        for way, values in ways
        for k, value in zip((1, 5, 10), values, strict=True)
    }


_TABLE_5 = (
    *("2f_rnn", "1u", "2u", "2f", "1u_finetune", "2u_finetune", "2f_finetune"),
    *("2f_vgg", "2f_vgg_finetune"),
)

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
        here=f"{_FORMS}{_ABOVE}: 1u 0.692, 2u 0.517, 2f 0.699",
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
        here=f"{_FORMS}{_ABOVE}: RNN 0.717, LSTM 0.699",
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
    "C7": PaperRow(
        title="retrieval on COCO: 1,000 photos and their captions",
        commands=tuple(map(_retrieve, _TABLE_5)),
        expected=_recalls((39.3, 74.7, 85.9), (53.3, 84.3, 91.9), "VGG-16 fine-tuned, "),
        published="Recall at 1, caption to image and image to caption, in percent: RNN 21.3 30.2;"
        " 1u 25.2 32.3; 2u 23.4 29.9; 2f 25.0 33.8; fine-tuned 1u 28.5 36.1; 2u 25.6 33.1; 2f 27.2"
        " 36.3; VGG-16 33.5 46.0; fine-tuned 39.3 53.3, median ranks 2 and 1.",
        notes="Which 1,000 photos is drawn by --seed, not as numpy draws them; all their captions"
        " are ranked, so that a few more than 5,000 may be. The paper's code normalises and leaves"
        " the end out, and so does this; --no-normalise and --count-eos tell the difference.",
        here=_RETRIEVAL,
        not_here=_NO_COCO,
    ),
    "C8": PaperRow(
        title="retrieval on Flickr30k",
        commands=(
            f"lrcn train --recipe flickr30k_2f {_FLICKR} --init models/caffenet"
            " --out runs/flickr30k_2f",
            f"lrcn train --recipe flickr30k_2f_finetune {_FLICKR} --init runs/flickr30k_2f"
            " --out runs/flickr30k_2f_finetune",
            f"lrcn evaluate runs/flickr30k_2f {_FLICKR} --split test --retrieval",
            f"lrcn evaluate runs/flickr30k_2f_finetune {_FLICKR} --split test --retrieval",
        ),
        expected=_recalls((17.5, 40.3, 50.8), (23.6, 46.6, 58.3)),
        published="Median ranks 9 and 7. Which photos, which settings, and whether the CNN was"
        " fine-tuned are not told.",
        notes="Karpathy's lists: 1,000 test photos.",
        here=_RETRIEVAL,
        not_here=_NO_FLICKR,
    ),
    "C9": PaperRow(
        title="BLEU on Flickr30k and COCO, as in the conference paper",
        commands=(
            f"lrcn evaluate runs/flickr30k_2f {_FLICKR} --split test --decoder best-of-100-t1.5",
            f"lrcn evaluate runs/flickr30k_2f_finetune {_FLICKR} --split test"
            " --decoder best-of-100-t1.5",
            _measure("2f"),
            _measure("2f_finetune"),
        ),
        expected={
            "Flickr30k bleu_1": 0.5872,
            "Flickr30k bleu_2": 0.3906,
            "Flickr30k bleu_3": 0.2512,
            "Flickr30k bleu_4": 0.1646,
            "COCO bleu_1": 0.6686,
            "COCO bleu_2": 0.4892,
            "COCO bleu_3": 0.3489,
            "COCO bleu_4": 0.2492,
        },
        published="How sentences were searched for, and whether the CNN was fine-tuned, is not"
        " told. COCO: 5,000 validation photos.",
        here="that BLEU equals coco-caption's to 1e-9 ([experiments](experiments.md))",
        not_here=f"{_NO_COCO}, nor Flickr30k",
    ),
    "C10": PaperRow(
        title="the caption of the most alike training photo",
        commands=tuple(
            f"lrcn neighbours {data} --split {part} --backbone caffenet --feature-layer {layer}"
            " --init models/caffenet"
            for data, part in ((_DATA, "val"), (_FLICKR, "test"))
            for layer in ("fc7", "fc8")
        ),
        expected={
            "COCO, fc7, bleu_4": 0.0873,
            "Flickr30k, fc7, bleu_4": 0.0554,
            "Flickr30k, fc8, bleu_4": 0.0488,
        },
        published="BLEU averaged over the captions of that photo. Nothing is told of fc8 on COCO,"
        " nor of what counts as alike.",
        notes="Alike by the angle between features; `--similarity euclidean` by their distance.",
        here="the command on photos from above, with another CNN",
        not_here=f"{_NO_COCO}, nor Flickr30k",
    ),
    "C11": PaperRow(
        title="COCO's test server: trained on all photos that have captions",
        commands=(
            _train("coco_2f_vgg_trainval", "2f_vgg_trainval", "--init runs/2f_vgg_finetune"),
            *(
                f"lrcn caption runs/2f_vgg_trainval COCO/{part} --decoder best-of-100-t1.5"
                f" --coco-results captions_{part}_lrcn_results.json --image-ids {listed}"
                for part, listed in (
                    ("test2014", "COCO/annotations/image_info_test2014.json"),
                    ("val2014", "COCO/annotations/captions_val2014.json"),
                )
            ),
        ),
        expected={
            "cider_d": 0.934,
            "bleu_4": 0.585,
            "meteor": 0.335,
            "rouge_l": 0.678,
            "greedy cider_d": 0.891,
        },
        published="2015 challenge, probably with 40 references; greedily as entered then.",
        notes="Only the server knows the captions of the test photos.",
        here="the file for the server, from tiny photos with COCO's names (a test)",
        not_here=f"{_NO_COCO}; the server was not asked",
    ),
    "C12": PaperRow(
        title="people rank the sentences of several systems",
        commands=(
            *(
                f"lrcn caption runs/{run} FLICKR30K --decoder best-of-100-t1.5"
                f" --coco-results {run}.json"
                for run in ("2f", "2f_finetune")
            ),
            "lrcn rank sheet.csv --systems fc8=2f.json --systems finetuned=2f_finetune.json"
            " --num-items 785",
            "lrcn rank sheet.csv",
        ),
        expected={"correctness": 3.47, "grammar": 3.01, "relevance": 3.50},
        published="Mean ranks, 1 the best of 6, for the fine-tuned net on 785 Flickr photos by"
        " workers of Mechanical Turk; without fine-tuning 3.74, 3.19, 3.72; people's own captions"
        " 2.55, 3.72, 2.59.",
        notes="Between the last two commands people fill in the sheet, which does not tell whose a"
        " sentence is.",
        here="the sheet and its mean ranks, with ranks that are known (a test)",
        not_here="it takes people, and neither the photos nor the other systems' sentences were"
        " published",
    ),
    "C13": PaperRow(
        title="how many sentences are new, and how much of the human vocabulary is used",
        commands=(
            _measure("2f_vgg_finetune"),
            _measure("2f_vgg_finetune", "greedy"),
        ),
        expected={"novelty": 0.663, "vocabulary_use, greedily": 0.42},
        published="33.7 % of the sentences for validation photos equal a training sentence; they"
        ' never say "lady" or "guy", often "woman" and "man".',
        notes="Both stand among the scores of every `lrcn evaluate`; for sentences of other"
        " programs `lrcn score` has them too, novelty with `--train-captions`.",
        here="on photos from above ([experiments](experiments.md))",
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
    "C16": PaperRow(
        title="retrieval on COCO, as in the conference paper",
        commands=(_retrieve("2f"), _retrieve("2f_finetune")),
        expected=_recalls((29.0, 61.6, 74.8), (39.1, 69.0, 80.9)),
        published="Median ranks 3 and 2. Which photos, and how the net was trained, is not told;"
        " the journal's numbers for the same net are lower (C7).",
        here=_RETRIEVAL,
        not_here=_NO_COCO,
    ),
}
"""Name of a row → the row, in the order in which the commands are run."""
