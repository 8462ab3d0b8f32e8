"""The study: its cells hang together, finished ones are not repeated, differences are paired."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lrcn.data.motion import make_motion
from lrcn.data.motion_config import MotionConfig
from lrcn.evaluate.results import load_results
from lrcn.recipes import study, study_runs
from lrcn.recipes.stopwatch import Spent
from lrcn.recipes.study_cells import Cell, Fusion, all_cells, fusions, motion_cells, needed
from lrcn.recipes.study_runs import Answered
from lrcn.recipes.study_table import Said, fuse, markdown, row
from lrcn.train.config import Experiment
from lrcn.train.loop import Trainer
from lrcn.train.session import train


def test_cells_are_named_once_and_hang_together() -> None:
    cells = all_cells()
    assert len(cells) > 25
    for data in {cell.data for cell in cells}:
        names = [cell.name for cell in cells if cell.data == data]
        assert len(set(names)) == len(names)
        assert names[0] == "lrcn"
        for cell in cells:
            if cell.data == data:  # what it needs is run before it
                assert all(names.index(n) < names.index(cell.name) for n in cell.needs)
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


def _said(**right: bool) -> dict[str, Said]:
    """Answers of two classes: videos by whether they are recognised."""
    return {
        name: Said(truth="run", probs={"run": 0.6 if is_right else 0.4, "skip": 0.5})
        for name, is_right in right.items()
    }


def test_a_difference_is_paired_by_video_and_told_to_each_neighbour() -> None:
    fusion = Fusion(data="motion", name="other", members=("a", "b"), weights=(0.5, 0.5))
    answers = {
        "lrcn": [_said(v=True, w=False, x=True, y=False)] * 2,
        "other": [_said(y=True, x=True, w=False, v=True)] * 2,
        "a": [_said(v=False, w=False, x=False, y=False)] * 2,
        "b": [_said(v=True, w=True, x=True, y=True)] * 2,
    }
    found = row(fusion, answers, Spent(seconds=2.0, processor_seconds=1.0))
    assert found["accuracy_top1"] == 0.75
    assert found["difference"] == 0.25
    assert found["difference_interval"][0] == 0  # never worse on any video
    assert found["against"]["a"]["difference"] == 0.75
    assert found["against"]["b"]["difference"] == -0.25
    assert found["num_videos"] == 4
    assert found["per_class"] == {"run": 0.75}
    assert found["processor_seconds"] == 1.0


def test_without_the_default_a_cell_is_told_without_difference() -> None:
    fusion = Fusion(data="motion", name="other", members=("a", "b"), weights=(0.5, 0.5))
    found = row(fusion, {"other": [_said(v=True)], "b": [_said(v=False)]}, Spent())
    assert found["accuracy_top1"] == 1
    assert found["difference"] is found["against"]["a"]["difference"] is None
    assert found["against"]["b"]["difference"] == 1
    document = {"cells": [found], "left_out": ["motion lrcn"], **Spent().to_dict()}
    text = markdown(document)
    assert "| other | 1.000 (1.000 to 1.000) | 1.000 | not there | a not there; b +1.000" in text
    assert text.endswith("Left out: motion lrcn.")


def test_accuracy_is_told_by_class() -> None:
    first = _said(v=True, w=False)
    first["x"] = Said(truth="skip", probs={"run": 0.1, "skip": 0.9})
    found = row(
        Fusion(data="motion", name="lrcn", members=("a", "a"), weights=(1, 1)),
        {"lrcn": [first, _said(v=True, w=True) | {"x": first["x"]}], "a": [first, first]},
        Spent(),
    )
    assert found["per_class"] == {"run": 0.75, "skip": 1.0}


def test_a_fusion_weighs_probabilities_by_class_name() -> None:
    first = {"v": Said(truth="run", probs={"run": 0.9, "skip": 0.1})}
    second = {"v": Said(truth="run", probs={"skip": 0.8, "run": 0.2})}
    found = fuse([first, second], (1 / 3, 2 / 3))["v"]
    assert found.probs == pytest.approx({"run": 0.9 / 3 + 0.4 / 3, "skip": 0.1 / 3 + 1.6 / 3})
    assert not found.correct
    assert fuse([first, second], (1, 1))["v"].correct


def test_chosen_cells_bring_what_they_need() -> None:
    cells = [cell for cell in all_cells() if cell.data == "ucf101_6"]
    names = [cell.name for cell in needed(cells, ["hidden_1024_flow"])]
    assert names == ["lrcn", "lrcn_flow", "hidden_256_flow", "hidden_1024_flow"]
    names = [cell.name for cell in needed(motion_cells(), ["frozen_small"])]
    assert names == ["lrcn", "single_frame", "frozen_small"]


def _quick(name: str, **settings: Any) -> Cell:
    """A cell of the rendered world with a training of a moment."""
    base = next(c for c in motion_cells() if c.name == name)
    experiment = replace(
        base.experiment,
        train=replace(base.experiment.train, epochs=3, max_steps=3, warmup_steps=0),
        model=replace(base.experiment.model, hidden_size=8, input_px=32),
    )
    return replace(base, experiment=experiment, **settings)


@pytest.fixture
def quick_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command of a study of a moment, whose cells and world are small."""
    for name, value in (("NUM_TRAIN", 16), ("NUM_VAL", 8), ("NUM_TEST", 8)):
        monkeypatch.setattr(study, name, value)
    single = _quick("single_frame")
    cells = [_quick("lrcn"), single, _quick("frozen_small", starts_from=single)]
    both = Fusion(data="motion", name="both", members=("lrcn", "single_frame"), weights=(0.5, 0.5))
    monkeypatch.setattr(study, "all_cells", lambda: cells)
    monkeypatch.setattr(study, "fusions", lambda: [both])
    return [str(tmp_path / "out"), "--only", "motion", "--seeds", "1", "--threads", "1"]


def _document(command: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert study.main([*command, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def _never(*_: object, **__: object) -> None:
    raise AssertionError("a finished training was repeated")


@pytest.mark.slow
def test_finished_cells_are_not_repeated_even_when_moved(
    quick_study: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = _document(quick_study, capsys)
    assert [c["name"] for c in first["cells"]] == ["lrcn", "single_frame", "frozen_small", "both"]
    assert first["left_out"] == ["ucf101_6", "weizmann"]
    assert first["seconds"] == pytest.approx(sum(c["seconds"] for c in first["cells"]))
    assert first["processor_seconds"] > 0
    assert set(first["cells"][-1]["against"]) == {"lrcn", "single_frame"}

    monkeypatch.setattr(study_runs, "train", _never)
    (tmp_path / "out").rename(tmp_path / "elsewhere")
    moved = [str(tmp_path / "elsewhere"), *quick_study[1:]]
    assert _document(moved, capsys)["cells"] == first["cells"]
    assert study.main(moved) == 0
    assert "| fusion | both |" in capsys.readouterr().out
    some = _document([*moved, "--cells", "lrcn"], capsys)
    assert [c["name"] for c in some["cells"]] == ["lrcn"]
    assert "motion single_frame" in some["left_out"]
    some = _document([*moved, "--cells", "frozen_small"], capsys)
    assert [c["name"] for c in some["cells"]] == [c["name"] for c in first["cells"]]

    some = _document([*moved, "--hours", "0", "--seeds", "2"], capsys)
    assert some["cells"] == []  # none is there with two seeds
    assert some["left_out"][2:] == ["motion lrcn", "motion single_frame", "motion frozen_small"]

    # Another start is another experiment, and so are other training videos.
    monkeypatch.setattr(study_runs, "train", train)
    single = _quick("single_frame")
    slower = replace(single.experiment, train=replace(single.experiment.train, lr=1e-4))
    changed = replace(single, experiment=slower)
    cells = [_quick("lrcn"), changed, _quick("frozen_small", starts_from=changed)]
    monkeypatch.setattr(study, "all_cells", lambda: cells)
    trained = _watch_trainings(monkeypatch)
    _document(moved, capsys)
    assert sorted(set(trained)) == ["frozen_small", "single_frame"]
    clip, other, *_ = (tmp_path / "elsewhere" / "motion" / "train").rglob("*.mp4")
    clip.write_bytes(other.read_bytes())
    trained.clear()
    _document([*moved, "--cells", "lrcn", "--seeds", "2"], capsys)
    assert trained == ["lrcn", "lrcn"]


def _watch_trainings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the cells that are trained from now on, with every seed."""
    trained: list[str] = []

    def watched(experiment: Experiment, run: Path, **settings: Any) -> object:
        trained.append(run.name.split("-")[1])
        return train(experiment, run, **settings)

    monkeypatch.setattr(study_runs, "train", watched)
    return trained


@pytest.mark.slow
def test_an_interrupted_cell_goes_on_and_ends_the_same(
    quick_study: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = [*quick_study, "--cells", "lrcn"]
    end_epoch = Trainer._end_epoch
    steps: list[int] = []

    def stopped_once(trainer: Trainer[Any]) -> None:
        end_epoch(trainer)
        steps.append(trainer.progress.step)
        if len(steps) == 1:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Trainer, "_end_epoch", stopped_once)
    assert study.main(command) == 130
    assert "the same command goes on" in capsys.readouterr().err
    run = tmp_path / "out" / "runs" / "motion-lrcn-seed0"
    begun = json.loads(run.with_name(f"{run.name}.begun.json").read_text())
    found = _document(command, capsys)["cells"]
    assert steps == [1, 2, 3]  # none was repeated
    assert found[0]["seconds"] > begun["seconds"] > 0  # both sittings
    assert not run.with_name(f"{run.name}.begun.json").exists()

    again = _document([str(tmp_path / "anew"), *command[1:]], capsys)["cells"]
    first, second = (load_results(path) for path in _results(tmp_path))
    assert [v.probs for v in first.videos] == [v.probs for v in second.videos]
    assert again[0]["accuracy_top1"] == found[0]["accuracy_top1"]


def _results(root: Path) -> list[Path]:
    """The results file of every cell."""
    return [
        kept.parent / json.loads(kept.read_text())["results"]
        for kept in root.rglob(study_runs.RESULTS_NAME)
    ]


class _Runs:
    """Trainings that take an hour each and are right or wrong by the seed."""

    def __init__(self, there: set[tuple[str, int]]) -> None:
        self.there = there
        self.made: list[str] = []

    def finished(self, cell: Cell, seed: int) -> Answered | None:
        return self._answered(seed) if (cell.name, seed) in self.there else None

    def make(self, cell: Cell, seed: int) -> Answered:
        self.made.append(f"{cell.data} {cell.name} {seed}")
        return self._answered(seed)

    def _answered(self, seed: int) -> Answered:
        return _said(v=bool(seed % 2)), Spent(seconds=3600.0)


def test_hours_are_kept_and_data_sets_take_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = _Runs({("single_frame", 0), ("single_frame", 1)})
    monkeypatch.setattr(study.Study, "_runs", lambda *_: runs)
    one = study.Study(
        out=tmp_path,
        ucf101_6=None,
        weizmann=None,
        num_seeds=2,
        hours=7.5,
        device="cpu",
        threads=1,
        report=print,
    )
    found = one.run(["motion", "weizmann"], ["single_frame", "mean_pool"])
    assert runs.made == [
        *("motion lrcn 0", "motion lrcn 1"),
        *("weizmann lrcn 0", "weizmann lrcn 1"),
    ]  # then the single frames are there, which fills the hours
    assert [f"{c['data']} {c['name']}" for c in found["cells"]] == [
        *("motion lrcn", "motion single_frame"),
        *("weizmann lrcn", "weizmann single_frame"),
    ]
    assert found["left_out"][:1] == ["ucf101_6"]
    assert {"motion mean_pool", "weizmann mean_pool", "motion stride_2"} <= set(found["left_out"])
    assert found["seconds"] == 8 * 3600
    assert found["cells"][0]["seeds"] == [0.0, 1.0]


def test_a_world_of_other_settings_is_refused(
    quick_study: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = tmp_path / "out" / "motion"
    make_motion(world, MotionConfig(), num_train=8, num_val=8, num_test=8)
    monkeypatch.setattr(study_runs, "train", _never)
    assert study.main(quick_study) == 2
    assert "is not the rendered world of this study" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--seeds", "0"), "--seeds must be at least 1"),
        (("--hours", "nan"), "--hours must be 0 or more"),
        (("--cells", "hiden_256"), "motion have no cell 'hiden_256'; there are "),
        (("--only", "motion", "--cells", "grid"), "motion have no cell 'grid'"),
        (("--only", "weizmann"), "--only weizmann needs --weizmann MASKS"),
        (("--only", "ucf101_6"), "--only ucf101_6 needs --ucf101-6 FOLDER"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    arguments: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        study.main([str(tmp_path), *arguments])
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--threads", "0"), "threads is 0"),
        (("--device", "tpu9"), "tpu9"),
        (("--weizmann", "absent.mat", "--only", "weizmann"), "there is no file absent.mat"),
        (("--ucf101-6", "absent", "--weizmann", "absent.mat"), "absent"),
        (("--weizmann", "absent.mat"), "there is no file absent.mat"),
    ],
)
def test_what_cannot_be_run_is_told_in_one_line_before_anything_is_trained(
    arguments: tuple[str, ...],
    said: str,
    quick_study: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(study_runs, "train", _never)
    monkeypatch.chdir(Path(quick_study[0]).parent)
    assert study.main([quick_study[0], *arguments]) == 2
    (line,) = [text for text in capsys.readouterr().err.splitlines() if "error:" in text]
    assert said in line


def test_a_file_in_the_place_of_the_folder_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("mine")
    assert study.main([str(tmp_path / "out"), "--only", "motion"]) == 2
    assert "Choose another OUT" in capsys.readouterr().err
    assert (tmp_path / "out").read_text() == "mine"
