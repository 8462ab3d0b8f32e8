"""The scores of the study of semantic forms, with intervals, and the forms' differences.

A score is the mean over the seeds; its interval comes from drawing videos, each with the sentences
of all seeds. A difference draws the same videos for both forms: its interval is paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from lrcn.metrics.caption_scores import CaptionScores, score_captions
from lrcn.metrics.caption_tokens import Hypotheses, References
from lrcn.metrics.intervals import Statistic, bootstrap_interval

NAMES: Final = {"bleu_4": "BLEU-4", "meteor": "METEOR", "rouge_l": "ROUGE-L", "cider_d": "CIDEr-D"}
"""Result key → name in tables."""


class Cell(NamedTuple):
    """One form at one level of noise."""

    name: str
    noise: float


@dataclass(frozen=True)
class ScoredCell:
    """What the seeds of a cell reached."""

    cell: Cell
    seeds: tuple[CaptionScores, ...]
    num_distinct: tuple[int, ...]
    """Different sentences of each seed."""
    keys: tuple[str, ...]
    """Result keys of the scores."""

    def statistic(self, key: str) -> Statistic:
        """From places of videos to the mean of a score over the seeds."""
        scores = [next(s for s in seed.scores if s.key == key) for seed in self.seeds]
        return lambda places: fmean(score.of_items(places) for score in scores)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        found: dict[str, Any] = {"form": self.cell.name, "noise": self.cell.noise}
        places = np.arange(len(self.seeds[0].ids))
        for key in self.keys:
            found[key] = self.statistic(key)(places)
            found[f"{key}_interval"] = _interval(self.statistic(key), places)
            found[f"{key}_seeds"] = [seed.corpus[key] for seed in self.seeds]
        found["distinct_sentences"] = list(self.num_distinct)
        found["num_items"] = len(places)
        return found


def score_cells(
    references: References,
    said: Mapping[Cell, Sequence[Hypotheses]],
    *,
    keys: Sequence[str] = tuple(NAMES),
) -> list[ScoredCell]:
    """Score the sentences of every cell.

    Args:
        references: By item id.
        said: By cell the sentences of each seed.
        keys: Result keys of the scores.

    Raises:
        ConfigError: METEOR's tables are not installed.
        DataError: sentences are of other items than the references.
    """
    metrics = [key.partition("_4")[0] for key in keys]
    return [
        ScoredCell(
            cell=cell,
            seeds=tuple(score_captions(references, one, metrics=metrics) for one in seeds),
            num_distinct=tuple(len(set(one.values())) for one in seeds),
            keys=tuple(keys),
        )
        for cell, seeds in said.items()
    ]


def score_differences(
    scored: Sequence[ScoredCell], first: str, second: str, *, noise: float
) -> dict[str, Any]:
    """Each score of the second form minus that of the first, with its paired interval."""
    cells = {one.cell: one for one in scored}
    before, after = cells[Cell(first, noise)], cells[Cell(second, noise)]
    places = np.arange(len(before.seeds[0].ids))
    found: dict[str, Any] = {"first": first, "second": second, "noise": noise}
    for key in before.keys:
        own, other = after.statistic(key), before.statistic(key)

        def gain(drawn: NDArray[np.int64], own: Statistic = own, other: Statistic = other) -> float:
            return own(drawn) - other(drawn)

        found[key] = gain(places)
        found[f"{key}_interval"] = _interval(gain, places)
    return found


def _interval(statistic: Statistic, places: NDArray[np.int64]) -> tuple[float, float]:
    generator = torch.Generator().manual_seed(0)
    return bootstrap_interval(statistic, places, generator=generator, num_resamples=1000)


def markdown(document: Mapping[str, Any]) -> str:
    """Two tables: the cells, and the differences between forms."""
    keys = document["keys"]
    names = " | ".join(NAMES[key] for key in keys)
    rule = "---|" * len(keys)
    lines = [f"| form | noise | {names} | distinct sentences |", f"|---|---|{rule}---|"]
    for cell in document["cells"]:
        distinct = ", ".join(str(number) for number in cell["distinct_sentences"])
        scores = _row(cell, keys, ".3f")
        lines.append(f"| {cell['form']} | {cell['noise']:g} | {scores} | {distinct} |")
    lines += ["", f"| difference | noise | {names} |", f"|---|---|{rule}"]
    for one in document["differences"]:
        what = f"{one['second']} - {one['first']}"
        lines.append(f"| {what} | {one['noise']:g} | {_row(one, keys, '+.3f')} |")
    return "\n".join(lines)


def _row(found: Mapping[str, Any], keys: Sequence[str], form: str) -> str:
    cells = []
    for key in keys:
        low, high = found[f"{key}_interval"]
        cells.append(f"{found[key]:{form}} ({low:{form}} to {high:{form}})")
    return " | ".join(cells)
