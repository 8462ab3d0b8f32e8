"""`lrcn train --init` from one task to the other: a recogniser starts a captioner, and back."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.fakes.command_line import Run

from lrcn.checkpoint import load_captioner, load_model
from lrcn.data.motion import make_motion
from lrcn.data.motion_config import MotionConfig

SMALL = ["--epochs", "1", "--batch-size", "8", "--threads", "1", "--precision", "float32"]
RECOGNISER = ["--backbone", "small", "--model.input-px", "32", "--model.hidden-size", "8"]
OTHER = "torchvision/mobilenet_v3_small"
CAPTIONER = ["--model.visual", "encoder", "--model.hidden-size", "8", "--model.num-layers", "2"]
CAPTIONER += ["--model.embedding-size", "128", "--dataset.min-count", "1"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("start") / "world"
    config = MotionConfig(width=32, height=32, num_frames=8, actions=("grow", "rise"))
    make_motion(out, config, num_train=8, num_val=4, num_test=2)
    return out


def test_there_and_back(lrcn: Run, world: Path, tmp_path: Path) -> None:
    first, words, second = tmp_path / "a", tmp_path / "words", tmp_path / "b"
    code, _, err = lrcn("train", "--data", world, "--out", first, *RECOGNISER, *SMALL)
    assert code == 0, err

    captions = world / "captions.jsonl"
    options = ["--data", captions, "--init", first, *CAPTIONER, *SMALL]
    code, _, err = lrcn("train", *options, "--out", words)
    assert code == 0, err
    assert "CNN, the layer over frames" in err
    # The CNN that was brought stays as it is, unless it is told to learn.
    theirs, own = load_model(first).model.backbone, load_captioner(words / "last").model.backbone
    assert theirs is not None
    assert own is not None
    assert own.state_dict()["spots.weight"].equal(theirs.state_dict()["spots.weight"])

    code, out, _ = lrcn("train", "--data", world, "--init", words, "--print-config")
    assert code == 0
    found = yaml.safe_load(out)["model"]
    assert (found["backbone"], found["hidden_size"], found["num_layers"]) == ("small", 8, 2)
    code, _, err = lrcn("train", "--data", world, "--init", words, "--out", second, *SMALL)
    assert code == 0, err
    assert "CNN, 2 layers over frames" in err


def test_what_does_not_fit_is_said(lrcn: Run, world: Path, tmp_path: Path) -> None:
    first = tmp_path / "a"
    assert lrcn("train", "--data", world, "--out", first, *RECOGNISER, *SMALL)[0] == 0
    captions = world / "captions.jsonl"
    options = ["--data", captions, "--init", first, "--model.backbone", OTHER, *CAPTIONER]
    code, _, err = lrcn("train", *options, "--out", tmp_path / "words", *SMALL)
    assert code == 2
    assert "cannot start this model: not one of its weights fits" in err
    assert not (tmp_path / "words" / "last").exists()
