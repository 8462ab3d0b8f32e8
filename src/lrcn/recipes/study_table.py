"""What the study's cells answered, as numbers: means over seeds, intervals, paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lrcn.evaluate.results import Results
from lrcn.metrics.intervals import bootstrap_interval
from lrcn.models.fusion import fuse_probs, normalised
from lrcn.recipes.stopwatch import Spent
from lrcn.recipes.study_cells import Cell, Fusion
from lrcn.recipes.weizmann import SeedResult
from lrcn.settings import to_dict

Row = dict[str, Any]
"""A cell as the document holds it."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """What was said of one video."""

    truth: str
    probs: Mapping[str, float]

    @property
    def correct(self) -> bool:
        """Whether its class is the most probable one; of equals, the first counts."""
        return max(self.probs, key=self.probs.__getitem__) == self.truth


Answers = Mapping[str, Said]
"""By video, of one cell with one seed."""


def answers_of(results: Results) -> Answers:
    """Those of a results file."""
    return {
        video.video_id: Said(
            truth=video.class_name, probs=dict(zip(results.class_names, video.probs, strict=True))
        )
        for video in results.videos
    }


def answers_of_turns(found: SeedResult) -> Answers:
    """Those of the models that left one person out each."""
    return {name: Said(truth=found.truth[name], probs=probs) for name, probs in found.probs.items()}


def fuse(members: Sequence[Answers], weights: Sequence[float]) -> Answers:
    """The weighted mean of what several models said of the same videos."""
    shares = normalised(weights, len(members))
    fused = {}
    for name, first in members[0].items():
        probs_K = fuse_probs(
            [torch.tensor([m[name].probs[k] for k in first.probs]).double() for m in members],
            shares,
        )
        fused[name] = Said(
            truth=first.truth, probs=dict(zip(first.probs, probs_K.tolist(), strict=True))
        )
    return fused


def row(cell: Cell | Fusion, answers: Mapping[str, Sequence[Answers]], spent: Spent) -> Row:
    """One cell, or one fusion of two, for the document.

    Args:
        cell: What was run.
        answers: By name of a cell, one for each seed: its own, and, for differences, the
            default's and those of what it is set beside, as far as they are there.
        spent: With all seeds.
    """
    own_NS = _right(answers[cell.name])
    default, *beside = (_difference(own_NS, answers.get(name)) for name in ("lrcn", *cell.beside))
    return {
        "data": cell.data,
        "factor": cell.factor,
        "name": cell.name,
        "accuracy_top1": float(own_NS.mean()),
        "accuracy_top1_interval": _interval(own_NS.mean(axis=1)),
        "seeds": [float(value) for value in own_NS.mean(axis=0)],
        **default,
        "against": dict(zip(cell.beside, beside, strict=True)),
        "per_class": _per_class(answers[cell.name]),
        "num_videos": len(own_NS),
        **spent.to_dict(),
        "experiment": to_dict(cell.experiment) if isinstance(cell, Cell) else None,
    }


def _right(seeds: Sequence[Answers]) -> NDArray[np.float64]:
    """Right or wrong, videos by seeds; the videos in the order of their ids."""
    ids = sorted(seeds[0])
    return np.array([[float(answers[v].correct) for answers in seeds] for v in ids])


def _per_class(seeds: Sequence[Answers]) -> dict[str, float]:
    """Accuracy on the videos of each class, all seeds together."""
    found: dict[str, list[bool]] = {}
    for answers in seeds:
        for said in answers.values():
            found.setdefault(said.truth, []).append(said.correct)
    return {name: fmean(found[name]) for name in sorted(found)}


def _difference(own_NS: NDArray[np.float64], other: Sequence[Answers] | None) -> Row:
    """Paired: a video that is drawn counts in both, with all its seeds; None without the other."""
    if other is None:
        return {"difference": None, "difference_interval": None}
    difference_N = own_NS.mean(axis=1) - _right(other).mean(axis=1)
    return {
        "difference": float(difference_N.mean()),
        "difference_interval": _interval(difference_N),
    }


def _interval(values_N: NDArray[np.float64]) -> tuple[float, float]:
    return bootstrap_interval(
        lambda places: float(values_N[places].mean()),
        np.arange(len(values_N)),
        generator=torch.Generator().manual_seed(0),
    )


def markdown(document: Mapping[str, Any]) -> str:
    """The document as one table per data set."""
    lines = []
    for data in dict.fromkeys(cell["data"] for cell in document["cells"]):
        lines += [
            f"### {data}",
            "",
            "| factor | cell | accuracy (95 %) | seeds | minus default (95 %)"
            " | minus others (95 %) | seconds | of the processor |",
            "|---|---|---|---|---|---|---|---|",
        ]
        lines += [_line(cell) for cell in document["cells"] if cell["data"] == data]
        lines.append("")
    spent = Spent.of(document)
    lines.append(f"In all {spent.seconds:.0f} s, {spent.processor_seconds:.0f} s of the processor.")
    if document["left_out"]:
        lines.append(f"Left out: {', '.join(document['left_out'])}.")
    return "\n".join(lines)


def _line(cell: Row) -> str:
    low, high = cell["accuracy_top1_interval"]
    seeds = ", ".join(f"{value:.3f}" for value in cell["seeds"])
    others = "; ".join(f"{name} {_signed(found)}" for name, found in cell["against"].items())
    return (
        f"| {cell['factor']} | {cell['name']} | {cell['accuracy_top1']:.3f}"
        f" ({low:.3f} to {high:.3f}) | {seeds} | {_signed(cell)} | {others}"
        f" | {cell['seconds']:.0f} | {cell['processor_seconds']:.0f} |"
    )


def _signed(found: Row) -> str:
    if found["difference"] is None:
        return "not there"
    least, most = found["difference_interval"]
    return f"{found['difference']:+.3f} ({least:+.3f} to {most:+.3f})"
