"""What a run is told about the original's faults is in its model."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fakes.worlds import write_pixel_world

from lrcn.checkpoint import load_model
from lrcn.cli.main import main
from lrcn.structures import quirks_of


@pytest.mark.parametrize(
    ("kind", "quirks", "red"),
    [
        ("lrcn", "all", 128.68),
        ("lrcn", "skip_first_frame", 123.68),
        ("single_frame", "all", 123.68),
    ],
)
def test_faults_are_kept_in_the_model(tmp_path: Path, kind: str, quirks: str, red: float) -> None:
    data = write_pixel_world(tmp_path / "data")
    arguments = ["--backbone=caffenet_hybrid", "--model.input-px=99", f"--model.kind={kind}"]
    arguments += [f"--dataset.original-quirks={quirks}", "--model.hidden-size=4"]
    arguments += ["--train.max-steps=1", "--batch-size=1", "--clip-length=2", "--quiet"]

    code = main(["train", "--data", str(data), "--out", str(tmp_path / "run"), *arguments])

    assert code == 0
    preprocessing = load_model(tmp_path / "run").model.preprocessing
    assert preprocessing.original_quirks == quirks_of(kind, (quirks,))
    assert "all" not in preprocessing.original_quirks
    assert preprocessing.pixel_mean == (red, 116.779, 103.939)


@pytest.mark.parametrize(
    ("quirks", "said"), [("all", True), ("crop_only_mirrored", True), ("red_mean", False)]
)
def test_what_kept_features_cannot_reproduce_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], quirks: str, said: bool
) -> None:
    data = write_pixel_world(tmp_path / "data", num_videos=4)
    arguments = ["--data", str(data), "--epochs=1", "--model.hidden-size=4", "--model.input-px=32"]
    arguments += [f"--dataset.original-quirks={quirks}"]
    network = ["--backbone=small", "--train.unfreeze-at=1"]

    assert main(["train", *arguments, *network, "--out", str(tmp_path / "kept")]) == 0
    assert ("not reproduced while the CNN is frozen" in capsys.readouterr().err) is said
    decoded = [*network, "--dataset.cache=none", "--out", str(tmp_path / "decoded")]
    assert main(["train", *arguments, *decoded]) == 0
    assert "not reproduced" not in capsys.readouterr().err


def test_an_unknown_fault_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--data", str(tmp_path), "--out", str(tmp_path / "run")]

    assert main(["train", *arguments, "--dataset.original-quirks", "red_meen"]) == 2
    assert "it takes list of all|crop_only_mirrored|" in capsys.readouterr().err
