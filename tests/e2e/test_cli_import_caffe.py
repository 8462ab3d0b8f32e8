"""`lrcn import-caffe`, and what can be done with its folder."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path

import pytest
import torch
from tests.fakes.caffe_nets import blobs_of
from tests.fakes.caffemodel import write_caffemodel
from tests.fakes.dataset import put_text, put_video

from lrcn.checkpoint import load_model
from lrcn.cli.main import main

PX = "99"


@pytest.fixture(scope="module")
def caffemodel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("caffe") / "single_frame_all_layers_hyb_RGB_iter_5000.caffemodel"
    return write_caffemodel(path, blobs_of("hybrid", classes=2), "V1")


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:
    code = main([*map(str, arguments), "--quiet"])
    shown = capsys.readouterr()
    assert code == 0, shown.err
    return json.loads(shown.out) if "--json" in arguments else {"text": shown.out}


def test_an_imported_model_predicts_is_measured_and_trained_on(
    tmp_path: Path, caffemodel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, name in enumerate(("run/a_g01_c01", "run/b_g02_c01", "walk/c_g03_c01")):
        put_video(tmp_path / "data" / f"{name}.avi", number)
    put_video(tmp_path / "data" / "walk" / "d_g04_c01.avi", 3)
    labels = put_text(tmp_path / "classInd.txt", "1 run\n2 walk\n")
    model, data = tmp_path / "model", tmp_path / "data"

    shown = run(
        capsys, "import-caffe", caffemodel, "--out", model, "--labels", labels,
        "--channels", "bgr", "--mean", "folded", "--input-px", PX, "--json",
    )  # fmt: skip
    assert (shown["net"], shown["format"], shown["num_classes"]) == ("hybrid", "V1", 2)
    assert shown["layers"][-1] == {"layer": "fc8-ucf", "module": "head.linear"}
    assert shown["ignored_layers"] == []

    (answer,) = run(capsys, "predict", model, data / "run" / "a_g01_c01.avi", "--json")
    assert answer["class_name"] in ("run", "walk")
    measured = run(capsys, "evaluate", model, "--data", data, "--json")
    assert 0 <= measured["accuracy_top1"] <= 1

    # Training from it keeps what belongs to its weights: the order of channels and the mean.
    run(
        capsys, "train", "--data", data, "--init", model, "--out", tmp_path / "run",
        "--epochs", 1, "--batch-size", 2,
    )  # fmt: skip
    start, after = (load_model(path).model for path in (model, tmp_path / "run"))
    assert after.preprocessing.channel_order == "bgr"
    assert after.preprocessing.pixel_mean == (0.0, 0.0, 0.0)
    pixels = torch.randint(0, 256, (1, 3, 99, 99), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(after.features(pixels), start.features(pixels))


def test_the_table_names_every_layer(
    tmp_path: Path, caffemodel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["import-caffe", str(caffemodel), "--out", str(tmp_path / "m"), "--input-px", PX])

    shown = capsys.readouterr()
    assert code == 0
    assert re.search(r"conv2 +backbone.conv2 +384x48x5x5, 384\n", re.sub(" +\n", "\n", shown.out))
    assert "hybrid (V1 format), 2 classes, rgb, mean 123.68, 116.779, 103.939" in shown.out
    assert "--labels classInd.txt" in shown.err


def test_nothing_is_written_over_by_accident(
    tmp_path: Path, caffemodel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["import-caffe", str(caffemodel), "--out", str(tmp_path), "--input-px", PX]
    put_text(tmp_path / "mine.txt", "x")

    assert main(arguments) == 2
    assert "exists already. Add --overwrite" in capsys.readouterr().err
    assert main([*arguments, "--overwrite"]) == 2
    assert "does not look like a model folder" in capsys.readouterr().err


def test_a_pickle_is_refused_with_advice(
    tmp_path: Path, caffemodel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "action_hash_rev.p"
    path.write_bytes(pickle.dumps({0: "run", 1: "walk"}))

    arguments = ["import-caffe", str(caffemodel), "--out", str(tmp_path / "m"), "--input-px", PX]
    code = main([*arguments, "--labels", str(path)])

    shown = capsys.readouterr()
    assert code == 2
    assert "never opened. Give classInd.txt" in shown.err
    assert not (tmp_path / "m").exists()


def test_faults_of_the_original_are_asked_for_by_name(
    tmp_path: Path, caffemodel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["import-caffe", caffemodel, "--out", tmp_path / "m", "--input-px", PX]
    shown = run(
        capsys, *arguments, "--original-quirks", "last_clip_twice,unsorted_frames", "--json"
    )
    wanted = ("last_clip_twice", "unsorted_frames")

    assert tuple(shown["original_quirks"]) == wanted
    assert load_model(tmp_path / "m").model.preprocessing.original_quirks == wanted

    code = main([*map(str, arguments), "--overwrite", "--original-quirks", "unsorted_frame"])
    assert code == 2
    assert "Did you mean 'unsorted_frames'?" in capsys.readouterr().err
