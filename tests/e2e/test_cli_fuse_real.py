"""Two networks on real clips, one on pictures and one on their flow, from training to report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.fakes.command_line import Run

from lrcn.cli.main import main
from lrcn.video.reader import VideoReader
from lrcn.video.writer import VideoWriter

SMALL = (
    "--backbone small --model.input-px 32 --model.hidden-size 4 --clip-length 4 --batch-size 4"
    " --train.max-steps 2 --dataset.flow.method dis_fast --threads 1 --quiet --precision float32"
)


def _put_short_clip(source: Path, target: Path) -> None:
    """Eight frames from the middle, a quarter of the size, without loss."""
    with VideoReader(source) as video:
        frames_TCHW = video.read(range(30, 38)).frames_TCHW[:, :, ::4, ::4]
    target.parent.mkdir(parents=True, exist_ok=True)
    height, width = frames_TCHW.shape[2:]
    with VideoWriter(target, fps=25, width=width, height=height, codec="ffv1") as writer:
        for frame in frames_TCHW.permute(0, 2, 3, 1):
            writer.write(frame.contiguous().numpy())


def _probs(path: Path) -> np.ndarray:
    return np.array([v["probs"] for v in json.loads(path.read_text("utf-8"))["videos"]])


def _weights(folder: Path) -> list[float]:
    config = json.loads((folder / "config.json").read_text("utf-8"))
    return [member["fusion_weight"] for member in config["members"]]


@pytest.mark.slow
@pytest.mark.real_data
def test_pictures_and_flow_of_real_clips_together(
    lrcn: Run, real_data: Path, tmp_path: Path
) -> None:
    clips = tmp_path / "clips"
    for name in ("Archery", "HorseRace"):
        found = sorted((real_data / "ucf101-6" / "videos" / name).glob("*.avi"))
        groups = {path.stem.split("_")[2]: path for path in found}
        for path in list(groups.values())[:3]:
            _put_short_clip(path, clips / name / f"{path.stem}.mkv")
    for modality in ("rgb", "flow"):
        run = tmp_path / modality
        arguments = ["--data", str(clips), "--out", str(run), "--modality", modality]
        settings = (
            SMALL if modality == "flow" else SMALL.replace("--dataset.flow.method dis_fast", "")
        )
        assert main(["train", *arguments, *settings.split()]) == 0
        assert main(["evaluate", str(run), "--crops", "10", "--quiet"]) == 0
    runs = (tmp_path / "rgb", tmp_path / "flow")
    own = [_probs(next((run / "results").glob("*.json"))) for run in runs]
    wanted = own[0] / 3 + 2 * own[1] / 3
    assert not np.allclose(own[0], own[1], atol=1e-4)

    # Weights need not sum to one.
    file, folder = tmp_path / "both.json", tmp_path / "both"
    assert lrcn("fuse", *runs, "--weights", "1,2", "--out", file)[0] == 0
    assert lrcn("fuse", *runs, "--weights", "10,20", "--out", folder)[0] == 0
    np.testing.assert_allclose(_probs(file), wanted, rtol=1e-6)
    code, shown, err = lrcn("evaluate", folder, "--crops", "10", "--json", "--quiet")
    assert code == 0, err
    measured = json.loads(shown)
    np.testing.assert_allclose([v["probs"] for v in measured["videos"]], wanted, atol=1e-5)
    assert lrcn("compare", runs[0], file)[0] == 0
    assert lrcn("compare", folder, runs[1])[0] == 0
    assert lrcn("report", folder)[0] == 0
    assert (folder / "report.html").stat().st_size > 1000

    path = measured["videos"][0]["path"]
    code, shown, err = lrcn("predict", folder, path, "--crops", "10", "--json", "--quiet")
    assert code == 0, err
    assert json.loads(shown)[0]["prob"] == pytest.approx(wanted[0].max(), abs=1e-3)

    # A pair among them brings its members, which share its weight.
    four, three = tmp_path / "four", tmp_path / "three"
    assert lrcn("fuse", folder, *runs, "--out", four)[0] == 0
    assert _weights(four) == pytest.approx([1 / 9, 2 / 9, 1 / 3, 1 / 3])
    assert lrcn("fuse", *runs, runs[0], "--weights", "0.2,0.2,0.1", "--out", three)[0] == 0
    assert _weights(three) == pytest.approx([0.4, 0.4, 0.2])

    # Results of other videos do not match.
    everything = tmp_path / "all.json"
    options = ["--split", "all", "--allow-leaks", "--crops", "10", "--quiet", "--out", everything]
    assert lrcn("evaluate", runs[1], *options)[0] == 0
    rgb_results = next((runs[0] / "results").glob("*.json"))
    code, _, err = lrcn("fuse", rgb_results, everything, "--out", tmp_path / "unlike.json")
    assert code == 2
    assert "videos (2 and 6" in err
