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


def test_an_unknown_fault_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--data", str(tmp_path), "--out", str(tmp_path / "run")]

    assert main(["train", *arguments, "--dataset.original-quirks", "red_meen"]) == 2
    assert "it takes list of all|crop_only_mirrored|" in capsys.readouterr().err
