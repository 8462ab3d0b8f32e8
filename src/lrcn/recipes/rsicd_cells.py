"""What the study of sentences compares: one factor at a time around the recipe `rsicd`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from lrcn.decoding.options import DecodingOptions
from lrcn.recipes.captions import rsicd
from lrcn.train.caption_config import CaptionExperiment

DEFAULT: Final = "lrcn_2f"
"""The cell that others are set beside."""

NOT_HERE: Final = {
    "embeddings glove": "GloVe's files cannot be had where this study was written; with one at"
    " hand: lrcn train --recipe rsicd --model.embeddings FILE"
}
"""Cells that are wanted and cannot be run, and why."""


@dataclass(frozen=True, kw_only=True)
class CaptionCell:
    """One experiment, trained and measured with every seed."""

    name: str
    factor: str
    """What differs from the default."""
    experiment: CaptionExperiment
    starts_from: str | None = None
    """The cell whose run of the same seed this one goes on from."""


def caption_cells() -> list[CaptionCell]:
    """Every cell, in the order in which they are run; the default is the first."""
    base = rsicd()
    cells = [CaptionCell(name=DEFAULT, factor="default", experiment=base)]
    no_dropout = {"feature_dropout": 0.0, "embedding_dropout": 0.0, "output_dropout": 0.0}
    mirrored = base.dataset.transform
    variants: dict[str, tuple[str, dict[str, dict[str, Any]]]] = {
        "lrcn_1u": ("form", {"model": {"num_layers": 1}}),
        "lrcn_2u": ("form", {"model": {"factored": False}}),
        "rnn_2f": ("unit", {"model": {"unit": "rnn"}}),
        "gru_2f": ("unit", {"model": {"unit": "gru"}}),
        "dropout_0": ("dropout", {"model": no_dropout}),
        "smoothing": ("label smoothing", {"task": _smoothing(base)}),
        "scheduled": ("scheduled sampling", {"task": {"scheduled_sampling": 0.25}}),
        "tied": ("output weights", {"model": {"tied": True}}),
        "turned": ("views", {"dataset": {"transform": replace(mirrored, quarter_turns=True)}}),
        "still": ("views", {"dataset": {"transform": replace(mirrored, mirror_prob=0.0)}}),
    }
    for name, (factor, parts) in variants.items():
        changed = {part: replace(getattr(base, part), **more) for part, more in parts.items()}
        cells.append(CaptionCell(name=name, factor=factor, experiment=replace(base, **changed)))
    cells.append(
        CaptionCell(
            name="self_critical",
            factor="objective",
            experiment=_self_critical(base),
            starts_from=DEFAULT,
        )
    )
    cells.append(
        CaptionCell(
            name="finetuned",
            factor="CNN",
            experiment=_finetuned(base),
            starts_from=DEFAULT,
        )
    )
    return cells


def decoders() -> dict[str, DecodingOptions]:
    """Name → search: the paper's study of strategies (3.8), and ours.

    Paper: its T multiplies the logits, so "N 100, T 2" divides them by 2 here; `<unk>` is allowed.
    """
    found = {"greedy": DecodingOptions(method="greedy", max_tokens=30, allow_unk=True)}
    for width in range(1, 11):
        found[f"beam {width}"] = DecodingOptions(beam_size=width, max_tokens=30, allow_unk=True)
    for factor in (1.0, 1.5, 2.0):
        for number in (1, 10, 25, 100):
            found[f"N {number}, T {factor:g}"] = DecodingOptions(
                method="sample",
                num_samples=number,
                temperature=1 / factor,
                max_tokens=30,
                allow_unk=True,
            )
    for width in (3, 5):
        for penalty in (0.7, 1.0):
            found[f"beam {width}, length {penalty:g}"] = DecodingOptions(
                beam_size=width, length_penalty=penalty, max_tokens=30
            )
    return found


def _smoothing(base: CaptionExperiment) -> dict[str, float]:
    """With it where the default has none, and the other way round."""
    return {"label_smoothing": 0.0 if base.task.label_smoothing else 0.1}


def _self_critical(base: CaptionExperiment) -> CaptionExperiment:
    """Further epochs that reward CIDEr-D, a random caption of each photo naming it."""
    task = replace(base.task, objective="cider_d", label_smoothing=0.0, scheduled_sampling=0.0)
    train = replace(base.train, epochs=6, lr=1e-4, warmup_steps=0, ema_decay=None, patience=None)
    dataset = replace(base.dataset, captions="one", bucket=False)
    return replace(base, dataset=dataset, task=task, train=train)


def _finetuned(base: CaptionExperiment) -> CaptionExperiment:
    """Further epochs through the CNN, end to end, at a tenth of the rate (paper 3.4)."""
    train = replace(
        base.train,
        epochs=2,
        unfreeze_at=0,
        lr=base.train.lr / 10,
        backbone_lr=base.train.lr / 100,
        warmup_steps=0,
        patience=None,
    )
    return replace(base, dataset=replace(base.dataset, captions="all"), train=train)
