"""Stratified choice of groups, for one or several labels per item.

Source: Sechidis, Tsoumakas and Vlahavas, "On the Stratification of Multi-Label Data", ECML PKDD
2011 (iterative stratification), with groups in place of single items and a last pass that gives
every part at least one group of every class.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from lrcn.errors import DataError
from lrcn.structures import Split


@dataclass(frozen=True)
class Unit:
    """Items that stay together."""

    name: str
    places: tuple[int, ...]
    """Where its items stand in the list."""
    class_counts: Counter[str]


def stratify(
    units: Sequence[Unit], wanted: Mapping[Split, float], class_names: Sequence[str], *, seed: int
) -> dict[int, Split]:
    """The part of every place: as near to `wanted` in each class as whole units allow.

    Args:
        units: together they cover every place once.
        wanted: part to fraction, summing to 1.
        class_names: ties between classes are broken in this order.
        seed: draws the order in which units are dealt out.

    Raises:
        DataError: no choice was found that has every class in every part.
    """
    ordered = sorted(units, key=lambda unit: (unit.name, unit.places))
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(ordered), generator=generator).tolist()
    shuffled = [ordered[i] for i in order]
    chosen = _deal(shuffled, wanted, class_names)
    _give_every_part_every_class(shuffled, chosen, wanted, class_names)
    return {place: chosen[i] for i, unit in enumerate(shuffled) for place in unit.places}


def _deal(
    units: Sequence[Unit], wanted: Mapping[Split, float], class_names: Sequence[str]
) -> list[Split]:
    """Rarest class first, each unit goes where its class is lacking most."""
    totals: Counter[str] = Counter()
    for unit in units:
        totals.update(unit.class_counts)
    items = sum(len(unit.places) for unit in units)
    lacking = {part: {name: f * totals[name] for name in totals} for part, f in wanted.items()}
    room = {part: f * items for part, f in wanted.items()}
    rank = {name: i for i, name in enumerate(class_names)}
    left = dict(enumerate(units))
    chosen: list[Split] = ["train"] * len(units)
    while left:
        remaining: Counter[str] = Counter()
        for unit in left.values():
            remaining.update(unit.class_counts)
        rarest = min(remaining, key=lambda n: (remaining[n], rank[n]), default=None)
        dealt = [i for i, u in left.items() if rarest is None or u.class_counts[rarest]]
        for i in dealt:
            unit = left.pop(i)
            part = max(
                wanted,
                key=lambda p: (lacking[p][rarest] if rarest is not None else 0.0, room[p]),
            )
            chosen[i] = part
            room[part] -= len(unit.places)
            for name, number in unit.class_counts.items():
                lacking[part][name] -= number
    return chosen


def _give_every_part_every_class(
    units: Sequence[Unit],
    chosen: list[Split],
    wanted: Mapping[Split, float],
    class_names: Sequence[str],
) -> None:
    """Move the smallest units that can be spared into parts that lack a class."""
    holders = {
        name: {part: [i for i, u in enumerate(units) if u.class_counts[name] and chosen[i] == part]
               for part in wanted}
        for name in class_names
    }  # fmt: skip
    used = [name for name in class_names if any(holders[name].values())]
    for name in sorted(used, key=lambda n: sum(map(len, holders[n].values()))):
        for part in wanted:
            if holders[name][part]:
                continue
            spare = [
                i
                for other in wanted
                for i in holders[name][other]
                if all(len(holders[n][other]) > 1 for n in units[i].class_counts)
            ]
            if not spare:
                raise DataError(
                    f"class {name!r} cannot be divided: its groups hold other classes too, which "
                    f"need them elsewhere. Every part needs every class. Add clips of {name!r} "
                    f"from another source, or give validation data of its own (--val-data)."
                )
            moved = min(spare, key=lambda i: len(units[i].places))
            for held in units[moved].class_counts:
                holders[held][chosen[moved]].remove(moved)
                holders[held][part].append(moved)
            chosen[moved] = part
