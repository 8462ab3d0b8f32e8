"""A run that is killed and continued ends with the very weights of the uninterrupted one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file
from tests.fakes.worlds import write_feature_world, write_pixel_world

SETTINGS = [
    "--epochs=6",
    "--batch-size=4",
    "--train.checkpoint-every=2",
    "--train.ema-decay=0.9",
    "--model.hidden-size=8",
    "--model.output-dropout=0.3",
    "--seed=3",
    "--threads=1",
    "--quiet",
]
FEATURES = ["--backbone=none", "--clip-length=8", *SETTINGS]
PIXELS = [
    "--backbone=small",
    "--model.weights=random",
    "--model.input-px=32",
    "--clip-length=6",
    "--train.unfreeze-at=2",
    "--train.freeze-batch-norm=false",
    *SETTINGS,
]


def _start(data: Path, out: Path, *flags: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "lrcn", "train", "--data", str(data), "--out", str(out)]
    return subprocess.Popen(
        [*command, *flags],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def _finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    return out + err


def _wait_for_step(process: subprocess.Popen[str], out: Path, step: int) -> None:
    """Until the log says that this many updates are done (or the run is over)."""
    from lrcn.train.state import saved_step

    deadline = time.monotonic() + 200
    while process.poll() is None and time.monotonic() < deadline:
        if (saved_step(out / "last") or 0) >= step:
            return
        time.sleep(0.01)


def _assert_same_weights(a: Path, b: Path) -> None:
    for folder, name in (
        ("last", "model.safetensors"),
        ("last", "training.safetensors"),
        ("best", "model.safetensors"),
    ):
        left, right = load_file(a / folder / name), load_file(b / folder / name)
        assert left.keys() == right.keys()
        differing = [k for k in left if not left[k].equal(right[k])]
        assert differing == [], f"{folder}/{name}"


@pytest.mark.slow
@pytest.mark.parametrize(("world", "flags"), [("features", FEATURES), ("pixels", PIXELS)])
def test_killed_at_several_steps_and_resumed(tmp_path, world, flags):
    write = write_feature_world if world == "features" else write_pixel_world
    data = write(tmp_path / "data")
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    _finish(_start(data, whole, *flags))

    process = _start(data, broken, *flags)
    for step in (3, 7):
        _wait_for_step(process, broken, step)
        process.kill()
        process.communicate()
        process = _start(data, broken, "--resume", "--threads=1", "--quiet")
    _finish(process)

    _assert_same_weights(whole, broken)
    assert (whole / "split.csv").read_text() == (broken / "split.csv").read_text()


@pytest.mark.slow
def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path):
    data = write_feature_world(tmp_path / "data")
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    flags = [flag for flag in FEATURES if not flag.startswith("--epochs")] + ["--epochs=400"]
    process = _start(data, broken, *flags)
    _wait_for_step(process, broken, 4)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "lrcn train --resume --out" in err
    assert "Traceback" not in err
    _finish(_start(data, broken, "--resume", "--threads=1", "--quiet"))
    _finish(_start(data, whole, *flags))
    _assert_same_weights(whole, broken)


@pytest.mark.slow
def test_resuming_with_other_settings_is_refused(tmp_path):
    data = write_feature_world(tmp_path / "data")
    _finish(_start(data, tmp_path / "run", *FEATURES))

    process = _start(data, tmp_path / "run", *FEATURES, "--resume", "--lr=0.5")
    _, err = process.communicate(timeout=60)

    assert process.returncode == 2
    assert "other settings or other data" in err
