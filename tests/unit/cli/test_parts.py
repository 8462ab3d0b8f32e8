"""Which part of DATA is measured, where a run held videos out of an official training part."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lrcn.cli.parts import Run, choose_part
from lrcn.errors import DataError
from lrcn.structures import Split, VideoItem, VideoList
from lrcn.train.config import Experiment


def _videos(parts: str) -> VideoList:
    """One video per letter: t train, v val, e test, - of no part."""
    names: dict[str, Split | None] = {"t": "train", "v": "val", "e": "test", "-": None}
    items = tuple(
        VideoItem(path=f"/{k}.avi", video_id=str(k), class_names=("a",), split=names[letter])
        for k, letter in enumerate(parts)
    )
    return VideoList(
        items=items, class_names=("a",), layout="ucf101", source="DATA", official_split=True
    )


def _run(parts: str) -> Run:
    return Run(
        folder=Path("run"),
        experiment=Experiment(),
        division=_videos(parts),
        val_how="by group",
        warnings=(),
    )


@pytest.mark.parametrize(
    ("split", "ids", "how"),
    [
        (None, ["3", "4"], "official"),
        ("test", ["3", "4"], "official"),
        ("val", ["2"], "by group"),
        ("train", ["0", "1"], "official"),
        ("all", ["0", "1", "2", "3", "4"], "everything"),
    ],
)
def test_what_a_run_held_out_is_its_validation_part(
    split: Split | None, ids: list[str], how: str
) -> None:
    chosen, choice = choose_part(_videos("tttee"), _run("ttvee"), split=split, allow_leaks=True)

    assert [item.video_id for item in chosen.items] == ids
    assert choice.how == how


def test_a_validation_part_of_the_data_stays() -> None:
    chosen, choice = choose_part(_videos("tvtee"), _run("tvvee"), split="val", allow_leaks=False)

    assert [item.video_id for item in chosen.items] == ["1"]
    assert choice.how == "official"


def test_without_one_it_is_said() -> None:
    with pytest.raises(DataError, match="has no val part"):
        choose_part(_videos("tttee"), _run("tttee"), split="val", allow_leaks=False)
    unmarked = replace(_videos("-----"), official_split=False)
    chosen, _ = choose_part(unmarked, _run("ttv--"), split="val", allow_leaks=False)
    assert [item.video_id for item in chosen.items] == ["2"]
