"""People rank the sentences of several systems without knowing whose they are.

Paper: row C12, Table 8 of the journal version: six systems, ranks from 1 (best), three criteria.
A sheet has a line per item and sentence, in an order drawn for every item; which system wrote which
stands in a key beside it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lrcn.errors import ConfigError, DataError
from lrcn.metrics.intervals import bootstrap_interval

CRITERIA = ("correctness", "grammar", "relevance")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, kw_only=True)
class SheetRow:
    """One sentence on a sheet."""

    item_id: str
    letter: str
    caption: str


@dataclass(frozen=True, kw_only=True)
class MeanRank:
    """What people thought of one system by one criterion."""

    system: str
    criterion: str
    mean_rank: float
    interval: tuple[float, float]
    num_items: int


def make_sheet(
    systems: Mapping[str, Mapping[str, str]], *, num_items: int | None, seed: int
) -> tuple[list[SheetRow], dict[str, dict[str, str]]]:
    """A sheet to fill in, and its key: item id → letter → system.

    Args:
        systems: Name → item id → sentence.
        num_items: So many items, drawn by the seed; None for all.
        seed: Of the items and of the order within each.

    Raises:
        ConfigError: fewer than two systems or more than 26, or fewer items than asked for.
        DataError: the systems do not describe the same items.
    """
    if not 2 <= len(systems) <= len(_LETTERS):
        raise ConfigError(
            f"{len(systems)} systems are to be ranked; 2 to {len(_LETTERS)} can be (paper: 6)"
        )
    first_name, first = next(iter(systems.items()))
    for name, captions in systems.items():
        if captions.keys() != first.keys():
            odd = sorted(captions.keys() ^ first.keys())
            raise DataError(
                f"{name} and {first_name} do not describe the same items: {len(odd)} are in one of"
                f" them only, first {odd[0]}. Give sentences about the same items"
            )
    if num_items is not None and not 1 <= num_items <= len(first):
        raise ConfigError(f"{num_items} items are asked for, and 1 to {len(first)} can be ranked")
    chosen = sorted(first, key=lambda item: _draw(seed, item))[:num_items]
    rows, key = [], {}
    for item_id in sorted(chosen):
        order = sorted(systems, key=lambda name: _draw(seed, item_id, name))
        key[item_id] = dict(zip(_LETTERS, order, strict=False))
        rows += [
            SheetRow(item_id=item_id, letter=letter, caption=systems[name][item_id])
            for letter, name in key[item_id].items()
        ]
    return rows, key


def mean_ranks(
    filled: Sequence[Mapping[str, str]], key: Mapping[str, Mapping[str, str]], *, seed: int = 0
) -> list[MeanRank]:
    """Mean rank of every system by every criterion, the best first; bootstrap over items.

    Args:
        filled: Lines of a sheet by column: item_id, letter and a rank per criterion. A line whose
            ranks are all empty was not ranked and is left out.
        key: Of the sheet.
        seed: Of the draws.

    Raises:
        DataError: a line is not on the sheet, or a rank is none; or nothing is ranked.
    """
    ranks: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, line in enumerate(filled, 2):
        own = key.get(line.get("item_id", ""), {})
        system = own.get(line.get("letter", ""))
        if system is None:
            raise DataError(f"line {number} of the sheet is not in its key; mend item_id or letter")
        if not any((line.get(criterion) or "").strip() for criterion in CRITERIA):
            continue
        for criterion in CRITERIA:
            rank = (line.get(criterion) or "").strip()
            if not rank.isdecimal() or not 1 <= int(rank) <= len(own):
                raise DataError(
                    f"line {number} of the sheet: {criterion} is {rank!r}; a rank from 1 (best) to"
                    f" {len(own)} is needed, or nothing in all of {', '.join(CRITERIA)}"
                )
            ranks[system, criterion][line["item_id"]].append(int(rank))
    if not ranks:
        raise DataError("nothing on the sheet is ranked; fill the columns of ranks first")
    found = [_mean(*who, by_item, seed) for who, by_item in ranks.items()]
    return sorted(found, key=lambda one: (CRITERIA.index(one.criterion), one.mean_rank))


def _mean(system: str, criterion: str, by_item: Mapping[str, Any], seed: int) -> MeanRank:
    values: NDArray[np.float64] = np.array([np.mean(one) for one in by_item.values()])
    interval = bootstrap_interval(
        lambda places: float(values[places].mean()),
        np.arange(len(values)),
        generator=torch.Generator().manual_seed(seed),
    )
    return MeanRank(
        system=system,
        criterion=criterion,
        mean_rank=float(values.mean()),
        interval=interval,
        num_items=len(values),
    )


def _draw(seed: int, *names: str) -> bytes:
    return hashlib.blake2b(repr((seed, "rank", *names)).encode()).digest()
