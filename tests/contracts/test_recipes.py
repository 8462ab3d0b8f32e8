"""What holds for every recipe and every row of the paper: it builds, says what it is, and runs.

Networks, videos and clips are made small by settings; everything else is as a user runs it.
"""

from __future__ import annotations

import csv
import inspect
import json
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.fakes.caffe_nets import blobs_of
from tests.fakes.caffemodel import write_caffemodel
from tests.fakes.caption_worlds import write_caption_pictures
from tests.fakes.dataset import put_text, put_video
from tests.fakes.worlds import write_pixel_world

from lrcn.cli.main import main
from lrcn.recipes import RECIPES, get
from lrcn.recipes.captions import CAPTION_RECIPES
from lrcn.recipes.rows import ROWS, get_row, rows_of
from lrcn.settings import from_dict, to_dict
from lrcn.train.config import Experiment
from lrcn.train.run import load_any_experiment, load_experiment

ROOT = Path(__file__).resolve().parents[2]
PAPER = {name for name in RECIPES if RECIPES[name].__module__ == "lrcn.recipes.paper"}
OTHERS = sorted(set(RECIPES) - PAPER)
PX = "51"
"""The smallest picture that leaves the hybrid net something at its end."""
CLASSES = ("Archery", "HandstandPushups", "YoYo")
SMALL = f"--model.input-px {PX} --model.hidden-size 4 --batch-size 3"
QUICK = "--train.max-steps 2 --train.validate-every 100 --precision float32"


def _labelled(name: str) -> dict[str, str]:
    """The labelled lines of a recipe's docstring; a command may go on in a second line."""
    text = inspect.getdoc(RECIPES[name]) or ""
    found = re.findall(r"^([A-Z][a-z]+): (.*(?:\n    .*)*)", text, re.MULTILINE)
    return {label: " ".join(body.split()) for label, body in found}


def test_every_recipe_was_looked_at() -> None:
    assert len(RECIPES) == 21
    assert len(PAPER) == 12
    assert len(ROWS) == 16
    assert {f"A{k}" for k in range(15)} | {"M1"} == set(ROWS)
    # What the paper trains is trained in some row, and rows name nothing else.
    assert {recipe for row in ROWS.values() for recipe in row.recipes} == PAPER


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_whole_and_says_what_it_is(name: str) -> None:
    experiment = get(name)

    assert isinstance(experiment, Experiment)
    assert experiment.name == name
    assert from_dict(Experiment, to_dict(experiment)) == experiment
    text = _labelled(name)
    assert {"Command", "Data", "Time", "Expected"} <= set(text)
    tokens = shlex.split(text["Command"])
    if tokens[0] == "lrcn":
        assert tokens[1] == "train"
        assert ("--recipe" not in tokens) == (name in ("auto", "finetune"))
        assert name in tokens or name in ("auto", "finetune")
    for value in experiment.expected.values():
        assert 0 < value <= 1
        assert any(f"{value:.{digits}f}" in text["Expected"] for digits in (2, 3, 4)) or (
            "as A4" in text["Expected"]
        )


def test_no_two_recipes_are_the_same() -> None:
    found = [to_dict(replace(get(name), name="", expected={})) for name in RECIPES]

    assert len({json.dumps(f, sort_keys=True) for f in found}) == len(RECIPES)


@pytest.mark.parametrize("name", ROWS)
def test_a_row_tells_what_was_run_and_what_was_not(name: str) -> None:
    row = get_row(name)

    assert row.commands
    assert row.expected or row.published
    assert row.here
    assert row.not_here
    for recipe in row.recipes:
        assert name in rows_of(recipe)


@pytest.fixture
def ucf101(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with UCF101 as downloaded, in small: twelve videos of three classes."""
    monkeypatch.chdir(tmp_path)
    lists = {"train": "", "test": ""}
    for number, name in enumerate(CLASSES, 1):
        written = name.replace("standP", "StandP")
        for group in range(1, 5):
            file = f"{name}/v_{written}_g{group:02d}_c01.avi"
            put_video(tmp_path / "UCF101" / "UCF-101" / file, 10 * number + group)
            # Group 1 is the test's, as in fold 1 groups 1 to 7 are.
            lists["test" if group == 1 else "train"] += (
                f"{file}\r\n" if group == 1 else f"{file} {number}\r\n"
            )
    folder = tmp_path / "UCF101" / "ucfTrainTestlist"
    for split, text in lists.items():
        put_text(folder / f"{split}list01.txt", text)
    put_text(folder / "classInd.txt", "".join(f"{k} {n}\r\n" for k, n in enumerate(CLASSES, 1)))
    yield tmp_path
    for name in ("runs", "models"):  # gigabytes; pytest would keep them for three sessions
        shutil.rmtree(tmp_path / name, ignore_errors=True)


def _put_weights(folder: Path) -> None:
    """The original's files that the rows name, of random numbers."""
    for net, name in (
        ("hybrid", "caffe_imagenet_hyb2_wr_rc_solver_sqrt_iter_310000"),
        ("lrcn_fc6", "RGB_lstm_model_iter_30000"),
    ):
        blobs = blobs_of(net, px=int(PX), classes=len(CLASSES), hidden=4)
        write_caffemodel(folder / f"{name}.caffemodel", blobs, "V1")


def _steps(run: Path) -> int:
    """Updates that a run has made, by its log."""
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]
    return max(line.get("step", 0) for line in lines)


def test_the_list_shows_recipes_and_rows_with_their_scores(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["recipes", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)

    by_name = {f["name"]: f for f in found}
    assert len(by_name) == len(found)
    # Recipes and rows of captions, if any, are looked at elsewhere.
    assert [name for name in by_name if name in {*RECIPES, *ROWS}] == [*RECIPES, *ROWS]
    assert by_name["ucf101_lrcn_fc6_rgb"]["rows"] == ["A4", "A8"]
    assert by_name["ucf101_lrcn_fc6_rgb"]["expected"]["accuracy_top1"] == 0.7112
    assert by_name["A6"]["expected"]["1/3, 2/3, 256 units, fold 1 (CVPR)"] == 0.8292
    assert by_name["A6"]["kind"] == "row"
    assert main(["recipes"]) == 0
    shown = capsys.readouterr().out
    assert all(re.search(rf"^{re.escape(name)} ", shown, re.MULTILINE) for name in by_name)


def test_a_row_is_shown_with_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "a3"]) == 0
    shown = capsys.readouterr().out
    for command in ROWS["A3"].commands:
        assert f"  {command}\n" in shown
    assert "0.7904  1/3, 2/3, fold 1 (CVPR)" in shown

    assert main(["recipes", "A3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["commands"] == list(ROWS["A3"].commands)
    assert main(["recipes", "A3", "--yaml"]) == 2
    assert "shows the settings of one recipe" in capsys.readouterr().err
    assert main(["recipes", "A33"]) == 2
    assert "Did you mean 'A3'? Rows: A0, A14, A1," in capsys.readouterr().err
    assert main(["train", "--recipe", "A9", "--data", "x", "--out", "y"]) == 2
    assert "its recipes: ucf101_lrcn_fc7_rgb, ucf101_lrcn_fc7_flow" in capsys.readouterr().err
    assert main(["recipes", "ucf101_lrcn_fc6"]) == 2
    assert "Did you mean 'ucf101_lrcn_fc6_rgb'?" in capsys.readouterr().err


def _held_out(run: Path) -> frozenset[str]:
    """The videos of a run's validation part."""
    with (run / "split.csv").open(encoding="utf-8") as file:
        file.readline()
        return frozenset(row["video_id"] for row in csv.DictReader(file) if row["split"] == "val")


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_a_recipe_takes_two_steps(name: str, tmp_path: Path, ucf101: Path) -> None:
    """As its command says, on tiny clips of two or three classes."""
    data = ucf101 / "UCF101"
    if get(name).dataset.layout != "ucf101":
        data = write_pixel_world(tmp_path / "data", num_frames=6)
    command = _labelled(name)["Command"]
    if not command.startswith("lrcn train"):  # a program that trains it on many divisions
        command = f"lrcn train --recipe {name} --data DATA --out RUN"
    places = dict.fromkeys(("RUN", "REC"), str(tmp_path / "run"))
    places |= dict.fromkeys(("DATA", "UCF101_6", "MOTION"), str(data))
    worlds = ("EVENTS/labels.csv", "PICTURES/labels.csv")
    places |= dict.fromkeys(worlds, str(data))
    tokens = [places.get(token, token) for token in shlex.split(command)[1:]]
    tokens += ["--model.input-px", "32", "--clip-length", "3", "--batch-size", "3"]
    tokens += [*QUICK.split(), "--epochs", "1", "--quiet", "--threads", "1"]

    assert main(tokens) == 0

    assert _steps(tmp_path / "run") == 2
    assert load_experiment(tmp_path / "run").name == name or "--finetune" in command


@pytest.mark.slow
@pytest.mark.parametrize("name", ["captions", "captions_finetune", "rsicd"])
def test_a_recipe_with_sentences_takes_two_steps(name: str, tmp_path: Path) -> None:
    """As its command says, on tiny pictures with a small CNN; what is learnt stays the recipe's."""
    text = inspect.getdoc(CAPTION_RECIPES[name]) or ""
    command = re.findall(r"^Command: (.*)$", text, re.MULTILINE)[0]
    data = write_caption_pictures(tmp_path / "data", copies=1)
    places = {"RUN": str(tmp_path / "run")}
    places |= dict.fromkeys(("captions_train.json", "CAPTIONS", "RSICD"), str(data.absolute()))
    tokens = [places.get(token, token) for token in shlex.split(command)[1:]]
    if "--val-data" in tokens:  # the fake is one list, from which a part is held out
        place = tokens.index("--val-data")
        del tokens[place : place + 2]
    tokens += ["--backbone", "small", "--model.input-px", "32", "--model.hidden-size", "8"]
    tokens += ["--model.embedding-size", "8", "--batch-size", "3", *QUICK.split()]

    assert main([*tokens, "--epochs", "1", "--quiet", "--threads", "1"]) == 0

    assert _steps(tmp_path / "run") == 2
    found, wanted = load_any_experiment(tmp_path / "run"), CAPTION_RECIPES[name]()
    assert found.name == name
    assert found.dataset.transform == wanted.dataset.transform
    assert found.decoding == wanted.decoding
    assert found.task == wanted.task


@pytest.mark.slow
def test_every_row_of_the_paper_runs_as_it_is_printed(
    ucf101: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All commands of the table, one after the other; only sizes and lengths are added."""
    _put_weights(ucf101)
    trained: dict[str, str] = {}
    for name, row in ROWS.items():
        for command in row.commands:
            tokens = shlex.split(command)[1:]
            if tokens[0] == "train":
                recipe = tokens[tokens.index("--recipe") + 1]
                trained[tokens[tokens.index("--out") + 1]] = recipe
                tokens += [*SMALL.split(), *QUICK.split(), "--quiet", "--threads", "1"]
                if get(recipe).model.kind == "lrcn":
                    tokens += ["--clip-length", "3"]
            if tokens[0] == "import-caffe":
                tokens += ["--input-px", PX]
            code = main(tokens)
            assert code == 0, f"{name}: {command}\n{capsys.readouterr().err}"

    assert set(trained.values()) == PAPER
    for run, recipe in trained.items():
        experiment, wanted = load_experiment(ucf101 / run), get(recipe)
        assert _steps(ucf101 / run) == 2
        assert experiment.name == recipe
        assert experiment.dataset.modality == wanted.dataset.modality
        assert experiment.train.clip_norm == wanted.train.clip_norm
        assert experiment.init is not None
    # Pictures and flow of a video are held out together, and only for the studies.
    held_out = {run: _held_out(ucf101 / run) for run in trained}
    studies = {ids for run, ids in held_out.items() if run.startswith("runs/val-")}
    assert len(studies) == 1
    assert len(studies.pop()) == len(CLASSES)
    assert not any(ids for run, ids in held_out.items() if not run.startswith("runs/val-"))
    fused = json.loads((ucf101 / "results" / "a6-third.json").read_text("utf-8"))
    assert fused["protocol"]["protocol"] == "classify_video"
    assert fused["protocol"]["num_crops"] == 10
    assert fused["protocol"]["fusion"]["fusion_weights"] == pytest.approx([1 / 3, 2 / 3])
    assert fused["protocol"]["num_videos"] == len(CLASSES)
