"""The test protocols of the paper and of its code, each by one command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.fakes.command_line import Run
from tests.fakes.worlds import write_pixel_world

from lrcn.cli.main import main


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An LRCN of one update on tiny videos. Tests read it only."""
    folder = tmp_path_factory.mktemp("protocols")
    data = write_pixel_world(folder / "data")
    settings = "--backbone small --model.input-px 32 --model.hidden-size 4 --clip-length 4"
    settings += " --dataset.sampling.clip-stride 2 --train.max-steps 1 --quiet --batch-size 4"
    arguments = ["--data", str(data), "--out", str(folder / "run"), *settings.split()]
    assert main(["train", *arguments]) == 0
    return folder / "run"


def _measured(lrcn: Run, run: Path, *options: str) -> tuple[dict[str, object], np.ndarray]:
    code, shown, err = lrcn("evaluate", run, "--json", "--quiet", "--split", "val", *options)
    assert code == 0, err
    results = json.loads(shown)
    return results["protocol"], np.array([v["probs"] for v in results["videos"]])


def test_each_protocol_is_one_command(lrcn: Run, run: Path) -> None:
    found = {
        options: _measured(lrcn, run, *options.split())
        for options in (
            "",
            "--crops 10",
            "--protocol classify_video",
            "--protocol lrcn_evaluate",
            "--protocol whole_video",
        )
    }

    said = {o: (p["protocol"], p["num_crops"], p["num_clips"]) for o, (p, _) in found.items()}
    videos = len(found[""][1])
    assert said == {
        "": ("clips", 1, 5 * videos),
        "--crops 10": ("clips", 10, 5 * videos),
        "--protocol classify_video": ("classify_video", 10, 6 * videos),
        "--protocol lrcn_evaluate": ("lrcn_evaluate", 1, 6 * videos),
        "--protocol whole_video": ("whole_video", 1, videos),
    }
    probs = [p for _, p in found.values()]
    assert all(
        not np.allclose(one, other, atol=1e-9, rtol=0)
        for k, one in enumerate(probs)
        for other in probs[:k]
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("classify_video", "--crops", "1"), "num_crops is 1, and classify_video takes 10"),
        (("lrcn_evaluate", "--crops", "10"), "num_crops is 10, and lrcn_evaluate takes 1"),
        (("classify_vidio",), "classify_vidio"),
    ],
)
def test_what_a_program_fixes_cannot_be_changed(
    lrcn: Run, run: Path, options: tuple[str, ...], message: str
) -> None:
    code, _, err = lrcn("evaluate", run, "--split", "val", "--protocol", *options)

    assert code == 2
    assert message in err
    assert err.count("\n") == 1
