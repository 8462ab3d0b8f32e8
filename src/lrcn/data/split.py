"""Dividing a data set: by its official lists, by a column, or by group; and looking for leaks.

A division made here keeps together what comes from one source: the items of a group, the
intervals of one file, and files of equal content. It is stratified by class, the same for the
same seed whatever the order of the list, and written to a file that a later run takes up again
(`lrcn.data.split_file`). A random division by clip instead shows itself on UCF101 as 91 % where
the official lists give 76 % (paper.md 6, row 27).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lrcn.data.datasets.build import with_items
from lrcn.data.datasets.entries import count
from lrcn.data.stratify import Unit, stratify
from lrcn.data.twins import find_twins, identity
from lrcn.errors import ConfigError, DataError
from lrcn.structures import Split, VideoItem, VideoList

How = Literal["official", "column", "folders", "by group", "by file"]

BY_FILE_WARNING = (
    "split: by file. No grouping was found, so clips of one source may stand on both sides and "
    "the accuracy may be too high; give a column `group` or a group pattern"
)


@dataclass(frozen=True, kw_only=True)
class Division:
    """A data set in parts; every item of `train`, `val` and `test` has its `split` set."""

    train: VideoList
    val: VideoList | None
    test: VideoList | None
    how: How
    """Where the division comes from; for an official one the test part, see `val_how`."""
    val_how: How | None
    """How `val` was made; None when there is none."""
    seed: int
    val_fraction: float
    test_fraction: float
    warnings: tuple[str, ...] = ()

    @property
    def parts(self) -> dict[Split, VideoList]:
        """The parts that exist, by name."""
        named: dict[Split, VideoList | None] = {
            "train": self.train,
            "val": self.val,
            "test": self.test,
        }
        return {name: part for name, part in named.items() if part is not None}

    @property
    def items(self) -> tuple[VideoItem, ...]:
        """All items, part after part."""
        return tuple(item for part in self.parts.values() for item in part.items)


def divide(
    video_list: VideoList,
    *,
    val_fraction: float = 0.2,
    seed: int = 0,
    test_fraction: float = 0.0,
) -> Division:
    """Divide a data set into train, val and test.

    Parts that the data set itself has are taken as they are; what is asked for and not there
    (fractions above zero) is taken from train.

    Args:
        video_list: as read.
        val_fraction: part of each class for validation, 0 to below 1.
        seed: decides which groups; equal seeds give equal divisions.
        test_fraction: part of each class for testing; 0 (none) is for `lrcn train`, which
            evaluates on `val` where a data set has no test part.

    Raises:
        DataError: a class has too few groups or files for the parts, or train is empty.
        ConfigError: the fractions are out of range.
    """
    check_fractions(val_fraction, test_fraction)
    _check_classes(video_list)
    given = _given_parts(video_list)
    train = [item for item in video_list.items if item.split in ("train", None)]
    wanted: dict[Split, float] = {"train": 1.0}
    if "val" not in given and val_fraction > 0:
        wanted["val"] = val_fraction
    if "test" not in given and test_fraction > 0:
        wanted["test"] = test_fraction
    wanted["train"] = 1.0 - sum(f for name, f in wanted.items() if name != "train")
    made, made_how, warnings = _take_apart(video_list, train, wanted, seed)
    parts: dict[Split, list[VideoItem]] = {name: [] for name in ("train", "val", "test")}
    for item in video_list.items:
        if item.split in ("val", "test"):
            parts[item.split].append(item)
    for name, items in made.items():
        parts[name] += [replace(item, split=name) for item in items]
    warnings += _unseen_classes(video_list, parts["train"])
    how = _given_how(video_list) if given else made_how
    val_how = made_how if "val" in wanted else how
    return Division(
        train=with_items(video_list, parts["train"]),
        val=with_items(video_list, parts["val"]) if parts["val"] else None,
        test=with_items(video_list, parts["test"]) if parts["test"] else None,
        how=how,
        val_how=val_how if parts["val"] else None,
        seed=seed,
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        warnings=tuple(warnings),
    )


def select(video_list: VideoList, split: Split) -> VideoList:
    """The items of one part.

    Raises:
        DataError: there are none.
    """
    items = [item for item in video_list.items if item.split == split]
    if not items:
        there = sorted({str(item.split) for item in video_list.items if item.split})
        raise DataError(
            f"{video_list.source} has no {split} part; it has "
            f"{', '.join(there) or 'no split at all'}. Choose another part, or evaluate all of it."
        )
    return with_items(video_list, items)


def select_for_evaluation(
    video_list: VideoList, split: Split | None = None
) -> tuple[VideoList, str]:
    """What `evaluate` uses: the part asked for; else test where there is one; else everything.

    Returns:
        The items, and "train", "val", "test" or "all" for the results' protocol.

    Raises:
        DataError: the part asked for does not exist.
    """
    if split is None and any(item.split == "test" for item in video_list.items):
        split = "test"
    return (video_list, "all") if split is None else (select(video_list, split), split)


def _given_parts(video_list: VideoList) -> set[Split]:
    """The parts that the data set has itself; empty, or with train among them."""
    given = {item.split for item in video_list.items if item.split is not None}
    if given and "train" not in given:
        raise DataError(
            f"{video_list.source} has no train part, only {', '.join(sorted(given))}. "
            f"Training needs one; mark lines as train, or leave the split out."
        )
    return given


def _unseen_classes(video_list: VideoList, train: Sequence[VideoItem]) -> list[str]:
    """A warning where classes are tested that are not trained."""
    seen = {name for item in train for name in item.class_names}
    unseen = [name for name in video_list.class_names if name not in seen]
    if not unseen:
        return []
    return [f"{count(len(unseen), 'class')} without any item to train on: {', '.join(unseen[:5])}"]


def check_fractions(val_fraction: float, test_fraction: float) -> None:
    """Raise ConfigError if what is held out is no fraction, or leaves nothing to train on."""
    problems = [
        f"{name} is {value}; a part of 0 to below 1 is needed"
        for name, value in (("val_fraction", val_fraction), ("test_fraction", test_fraction))
        if not 0.0 <= value < 1.0
    ]
    if not problems and val_fraction + test_fraction >= 1.0:
        problems.append(
            f"val_fraction {val_fraction} and test_fraction {test_fraction} leave nothing to "
            f"train on; together they are below 1"
        )
    if problems:
        raise ConfigError("; ".join(problems) + ". Change them.")


def _check_classes(video_list: VideoList) -> None:
    if len(video_list.class_names) < 2 and not video_list.multi_label:
        raise DataError(
            f"{video_list.source} has one class ({', '.join(video_list.class_names)}); two or more "
            f"are needed to learn a difference. Check the path, or add clips of another class."
        )


def _given_how(video_list: VideoList) -> How:
    if video_list.official_split:
        return "official"
    return "folders" if video_list.layout == "folder" else "column"


def _take_apart(
    video_list: VideoList, items: Sequence[VideoItem], wanted: dict[Split, float], seed: int
) -> tuple[dict[Split, list[VideoItem]], How, list[str]]:
    """`items` in the wanted parts, how it was done, and warnings."""
    how: How = "by group" if video_list.grouping is not None else "by file"
    if len(wanted) == 1:
        return {"train": list(items)}, how, []
    twins = find_twins(items)
    units = _units(items, twins)
    _refuse_small_classes(video_list, items, units, parts=len(wanted))
    chosen = stratify(units, wanted, video_list.class_names, seed=seed)
    made: dict[Split, list[VideoItem]] = {name: [] for name in wanted}
    for place, item in enumerate(items):
        made[chosen[place]].append(item)
    warnings = [BY_FILE_WARNING] if how == "by file" else []
    if twins:
        warnings.append(
            f"{count(sum(map(len, twins)), 'file')} of equal content kept on one side: "
            f"{', '.join(items[i].video_id for i in twins[0][:3])}"
        )
    return made, how, warnings


def _units(items: Sequence[VideoItem], twins: Sequence[Sequence[int]]) -> list[Unit]:
    """Items that must stay together: by group, by file, by content; joined to the full."""
    parent = list(range(len(items)))

    def find(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    first: dict[tuple[str, ...], int] = {}
    for place, item in enumerate(items):
        keys = [("file", *identity(item))]
        if item.group is not None:
            keys.append(("group", item.group, ""))
        for key in keys:
            parent[find(place)] = find(first.setdefault(key, place))
    for same in twins:
        for place in same[1:]:
            parent[find(place)] = find(same[0])
    members: dict[int, list[int]] = {}
    for place in range(len(items)):
        members.setdefault(find(place), []).append(place)
    return [
        Unit(
            name=min(items[i].group or items[i].video_id for i in places),
            places=tuple(places),
            class_counts=Counter(name for i in places for name in items[i].class_names),
        )
        for places in members.values()
    ]


def _refuse_small_classes(
    video_list: VideoList, items: Sequence[VideoItem], units: Sequence[Unit], *, parts: int
) -> None:
    """Every class needs a unit for each part."""
    used = {name for item in items for name in item.class_names}
    having = {
        name: [unit for unit in units if unit.class_counts[name]] for name in video_list.class_names
    }
    small = [name for name in video_list.class_names if name in used and len(having[name]) < parts]
    if not small:
        return
    name = small[0]
    number = sum(unit.class_counts[name] for unit in having[name])
    grouped = video_list.grouping is not None
    if grouped:
        holds = f"{count(len(having[name]), 'group')} ({having[name][0].name}, ...)"
    else:
        holds = count(len(having[name]), "file")
    others = f"; so are {', '.join(small[1:6])}" if len(small) > 1 else ""
    other_way = ", or divide by file (--group-by file)" if grouped and number >= parts else ""
    raise DataError(
        f"class {name!r} is too small to divide: {count(number, 'item')} in {holds}{others}. Each "
        f"of the {parts} parts needs one from every class. Add clips, take the class out, give "
        f"validation data of its own (--val-data){other_way}."
    )
