"""The paper's experiments with semantic predictions (table 9, rows V1 to V3), here on MSVD.

Paper 4: two layers of 1000 units, unfactored; how they were trained was not published. MSVD's
counted triplets come from the references themselves: what is measured shows the decoder, as an
upper bound, and not a recogniser.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from lrcn.data.semantics import SemanticForm
from lrcn.decoding.options import DecodingOptions
from lrcn.models.captioner_config import CaptionerConfig
from lrcn.recipes.rows import PaperRow
from lrcn.train.caption_config import CaptionDataConfig, CaptionExperiment
from lrcn.train.config import TrainConfig


def semantic_words() -> CaptionExperiment:
    """Row V1: encoder-decoder of one shared stack on the words of the most probable labels.

    Command: lrcn train --recipe semantic_words --data MSVD
    --semantics MSVD/text/GTTriplets_SVO_Freq.txt --out RUN
    Data: sentences with semantic predictions of each item.
    Time: see `lrcn.recipes.semantics`, which trains it with smaller settings.
    Expected: published BLEU-4 0.253 on TACoS multilevel, whose predictions are not public.
    """
    return _experiment("semantic_words", "words", "shared", bleu_4=0.253)


def semantic_max() -> CaptionExperiment:
    """Row V2: decoder with the concatenated one-hot vectors of the most probable labels.

    Command: lrcn train --recipe semantic_max --data MSVD
    --semantics MSVD/text/GTTriplets_SVO_Freq.txt --out RUN
    Data: as `semantic_words`.
    Time: as `semantic_words`.
    Expected: published BLEU-4 0.274 on TACoS multilevel.
    """
    return _experiment("semantic_max", "max", "static", bleu_4=0.274)


def semantic_prob() -> CaptionExperiment:
    """Row V3: decoder with the probabilities of all labels.

    Command: lrcn train --recipe semantic_prob --data MSVD
    --semantics MSVD/text/GTTriplets_SVO_Freq.txt --out RUN
    Data: as `semantic_words`.
    Time: as `semantic_words`.
    Expected: published BLEU-4 0.288 on TACoS multilevel.
    """
    return _experiment("semantic_prob", "prob", "static", bleu_4=0.288)


def _experiment(
    name: str, form: SemanticForm, visual: Literal["static", "shared"], *, bleu_4: float
) -> CaptionExperiment:
    return CaptionExperiment(
        name=name,
        dataset=CaptionDataConfig(
            min_count=2,
            max_tokens=20,
            semantic_form=form,
            # Sutskever et al. and the paper's drawing: the last word first.
            semantic_reversed=form == "words",
        ),
        model=CaptionerConfig(
            visual=visual,
            backbone="none",
            embedding_size=1000,
            hidden_size=1000,
            num_layers=2,
            factored=None if visual == "shared" else False,
            embedding_dropout=0.1,
            output_dropout=0.1,
        ),
        train=TrainConfig(
            epochs=10,
            batch_size=100,
            optimizer="adamw",
            lr=1e-3,
            weight_decay=0.01,
            schedule="cosine",
            clip_norm=5.0,
            patience=3,
            select_by="cider_d",
        ),
        decoding=DecodingOptions(beam_size=3, length_penalty=0.7, max_tokens=20),
        expected={"bleu_4": bleu_4},
    )


SEMANTIC_RECIPES: Final[dict[str, Callable[[], CaptionExperiment]]] = {
    "semantic_words": semantic_words,
    "semantic_max": semantic_max,
    "semantic_prob": semantic_prob,
}
"""Name of a recipe → the function that returns its experiment."""

_TRIPLETS = "MSVD/text/GTTriplets_SVO_Freq.txt"
_HERE = (
    "MSVD with its counted triplets, 670 test videos, 256 units, 1200 updates and 600"
    " with noise"
    " ([log](experiments.md)): "
)
_NOT_HERE = "TACoS multilevel and the predictions of its CRF are not public"


def _row(title: str, recipe: str, bleu_4: float, here: str) -> PaperRow:
    return PaperRow(
        title=title,
        commands=(
            f"lrcn train --recipe {recipe} --data MSVD --semantics {_TRIPLETS} --out runs/{recipe}",
            f"lrcn evaluate runs/{recipe} --data MSVD --semantics {_TRIPLETS} --split test",
        ),
        expected={"TACoS multilevel bleu_4": bleu_4},
        notes="MSVD's triplets are counted in the references: an upper bound on the decoder.",
        here=here,
        not_here=_NOT_HERE,
    )


SEMANTIC_ROWS: Final[dict[str, PaperRow]] = {
    "V1": _row(
        "LSTM encoder-decoder on the words of the best labels",
        "semantic_words",
        0.253,
        f"{_HERE}BLEU-4 0.564, METEOR 0.369, ROUGE-L 0.742, CIDEr-D 1.058 (three seeds)",
    ),
    "V2": _row(
        "LSTM decoder on one-hot vectors of the best labels",
        "semantic_max",
        0.274,
        f"{_HERE}BLEU-4 0.566, METEOR 0.368, ROUGE-L 0.742, CIDEr-D 1.036 (three seeds)",
    ),
    "V3": _row(
        "LSTM decoder on probabilities",
        "semantic_prob",
        0.288,
        f"{_HERE}BLEU-4 0.601, METEOR 0.383, ROUGE-L 0.763, CIDEr-D 1.100 (three seeds)",
    ),
    "V4": PaperRow(
        title="phrase-based translation of the labels, the baseline",
        commands=("lrcn score --references references.json --hypotheses smt.json --metrics bleu",),
        expected={
            "TACoS multilevel bleu_4, best labels": 0.249,
            "TACoS multilevel bleu_4, probabilities (word lattice)": 0.269,
        },
        notes="Numbers only: these systems (Moses) are other people's work, and nothing here"
        " translates by phrases. Whatever sentences they gave are scored by the command.",
        here="nothing; the command, on other sentences (tests)",
        not_here=_NOT_HERE,
    ),
}
"""Name of a row → the row."""
