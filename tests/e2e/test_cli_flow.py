"""Flow on the command line: stored, shown, trained on, measured, predicted with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.fakes.flow import sliding_frames
from tests.fakes.worlds import write_pixel_world

from lrcn.cli.main import main
from lrcn.video.frames import write_picture


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight short videos in two class folders."""
    return write_pixel_world(tmp_path_factory.mktemp("clips"))


def test_flow_of_a_data_set(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "flow"

    assert main(["flow", str(clips), str(out), "--json", "--quiet"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert (first["num_made"], first["num_kept"], first["num_images"]) == (8, 0, 88)
    assert first["storage"]["flow"]["scale"] == 16.0

    assert main(["flow", str(clips), str(out)]) == 0
    shown = capsys.readouterr()
    assert "flow images of 0 videos" in shown.out
    assert "8 were there" in shown.out

    assert main(["flow", str(clips), str(out), "--scale", "8", "--format", "ffv1"]) == 0
    shown = capsys.readouterr()
    assert "8 were made again" in shown.err


def test_a_broken_video_is_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_pixel_world(tmp_path / "data", num_videos=2)
    (data / "left" / "broken.avi").write_bytes(b"no video")

    assert main(["flow", str(data), str(tmp_path / "flow")]) == 1

    shown = capsys.readouterr()
    assert "flow images of 2 videos" in shown.out
    assert "broken.avi" in shown.err


def test_show_two_frames_and_a_video(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = sliding_frames(2, 3.0, 0.0, height=60, width=80)
    for name, frame in zip("ab", frames, strict=True):
        write_picture(tmp_path / f"{name}.png", frame)
    out = tmp_path / "sheet.png"
    two = ["flow", "--show", str(tmp_path / "a.png"), str(tmp_path / "b.png"), "--out", str(out)]

    assert main([*two, "--json"]) == 0

    about = json.loads(capsys.readouterr().out)
    assert about["mean_px"] == pytest.approx(3.0, abs=0.3)
    sheet = np.asarray(Image.open(out))
    assert sheet.shape == (124, 164, 3)
    assert np.array_equal(sheet[:60, :80], frames[0])
    assert np.array_equal(sheet[:60, 84:], frames[1])
    colours, image = sheet[64:, :80], sheet[64:, 84:]
    assert np.median(image[20:40, 20:60, 0]) == pytest.approx(128 + 48, abs=3)
    # To the right is red.
    assert (np.median(colours[20:, 20:60].reshape(-1, 3), axis=0) > 200).tolist() == [1, 0, 0]

    assert main(two) == 2
    assert "--overwrite" in capsys.readouterr().err
    video = sorted(clips.rglob("*.mkv"))[0]
    assert main(["flow", "--show", str(video), "--out", str(tmp_path / "v.png"), "--at", "0"]) == 0
    assert "at 0.04 seconds" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["only-data"], "OUT is missing"),
        (["a", "b", "--out", "c.png"], "--show"),
        (["--show", "a.png"], "--out is missing"),
        (["--show", "a", "b", "c", "--out", "d.png"], "not 3 paths"),
        (["a", "b", "--quality", "0"], "1 to 100"),
        (["a", "b", "--scale", "-1"], "flow.scale"),
        (["a", "b", "--method", "dis_mediun"], "dis_mediun"),
    ],
)
def test_wrong_usage_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["flow", *arguments]) == 2

    shown = capsys.readouterr()
    assert shown.err.count("\n") == 1
    assert message in shown.err
