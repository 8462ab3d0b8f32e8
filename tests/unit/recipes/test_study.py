"""The study: its cells hang together, finished ones are not repeated, differences are paired."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lrcn.recipes import study
from lrcn.recipes.study_cells import Cell, Fusion, all_cells, fusions, motion_cells


def test_cells_are_named_once_and_hang_together() -> None:
    cells = all_cells()
    assert len(cells) > 25
    for data in {cell.data for cell in cells}:
        names = [cell.name for cell in cells if cell.data == data]
        assert len(set(names)) == len(names)
        assert names[0] == "lrcn"
        starts = [c.starts_from for c in cells if c.data == data and c.starts_from]
        assert all(names.index(start) < len(names) - 1 for start in starts)
    for fusion in fusions():
        names = [cell.name for cell in cells if cell.data == fusion.data]
        assert set(fusion.members) <= set(names)
        assert sum(fusion.weights) == pytest.approx(1)


def test_one_factor_at_a_time() -> None:
    default, *others = motion_cells()
    for cell in others:
        assert cell.experiment != default.experiment
        if cell.factor == "hidden size":
            own = replace(cell.experiment.model, hidden_size=default.experiment.model.hidden_size)
            assert replace(cell.experiment, model=own) == default.experiment


def test_a_difference_is_paired_by_video() -> None:
    fusion = Fusion(data="motion", name="other", members=("a", "b"), weights=(0.5, 0.5))
    default = [{"v": True, "w": False, "x": True, "y": False}] * 2
    other = [{"y": True, "x": True, "w": False, "v": True}] * 2
    row = study._row(fusion, {"lrcn": default, "other": other}, 1.0)
    assert row["accuracy_top1"] == 0.75
    assert row["difference"] == 0.25
    assert row["difference_interval"][0] == 0  # never worse on any video
    assert row["num_videos"] == 4


@pytest.mark.slow
def test_finished_cells_are_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def quick(name: str, **settings: Any) -> Cell:
        base = next(c for c in motion_cells() if c.name == name)
        experiment = replace(
            base.experiment,
            train=replace(base.experiment.train, epochs=1, max_steps=1, warmup_steps=0),
            model=replace(base.experiment.model, hidden_size=8, input_px=32),
        )
        return replace(base, experiment=experiment, **settings)

    for name, value in (("NUM_TRAIN", 16), ("NUM_VAL", 8), ("NUM_TEST", 8)):
        monkeypatch.setattr(study, name, value)
    cells = [quick("lrcn"), quick("single_frame"), quick("frozen_small")]
    monkeypatch.setattr(study, "all_cells", lambda: cells)
    monkeypatch.setattr(
        study,
        "fusions",
        lambda: [
            Fusion(data="motion", name="both", members=("lrcn", "single_frame"), weights=(0.5, 0.5))
        ],
    )
    command = [str(tmp_path / "out"), "--only", "motion", "--seeds", "2", "--threads", "1"]
    assert study.main([*command, "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert [c["name"] for c in first["cells"]] == ["lrcn", "single_frame", "frozen_small", "both"]
    assert first["left_out"] == ["ucf101_6", "weizmann"]

    monkeypatch.setattr(study, "train", None)  # a repeated training would fail
    assert study.main([*command, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["cells"] == first["cells"]
    assert study.main(command) == 0
    assert "| fusion | both |" in capsys.readouterr().out
    assert study.main([*command, "--json", "--cells", "frozen_small"]) == 0
    some = json.loads(capsys.readouterr().out)
    assert [c["name"] for c in some["cells"]] == ["lrcn", "frozen_small"]
    assert "motion single_frame" in some["left_out"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--seeds", "0"), "--seeds must be at least 1"),
        (("--cells", "hiden_256"), "there is no cell 'hiden_256'; there are "),
    ],
)
def test_what_cannot_be_run_is_refused(
    arguments: tuple[str, str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        study.main([str(tmp_path), *arguments])
    assert said in capsys.readouterr().err
