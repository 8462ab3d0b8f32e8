"""`lrcn narrate` on real files: tables, subtitles, copies, and Ctrl-C."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.fakes.command_line import Run
from tests.fakes.narrators import shade_recogniser
from tests.fakes.subtitles import parse_srt, parse_vtt

from lrcn.checkpoint import SavedModel, save_model
from lrcn.models.activity import ActivityConfig, create_model
from lrcn.video.sampling import SamplingConfig
from lrcn.video.source import open_video
from lrcn.video.writer import VideoWriter


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained recogniser of pixels. Tests read it only."""
    folder = tmp_path_factory.mktemp("models") / "pixels"
    config = ActivityConfig(
        kind="lrcn", backbone="small", weights="random", input_px=32, hidden_size=8
    )
    saved = SavedModel(create_model(config, ("left", "right")), SamplingConfig(clip_length=4))
    save_model(folder, saved)
    return folder


def write_video(path: Path, num_frames: int, *, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed)
    with VideoWriter(path, fps=10, width=48, height=32, codec="ffv1") as writer:
        for _ in range(num_frames):
            writer.write(
                np.kron(noise.integers(0, 256, (4, 6, 3)), np.ones((8, 8, 1))).astype("u1")
            )
    return path


def test_one_video_as_table_json_subtitles_and_copy(lrcn: Run, model: Path, tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mkv", 35)
    outs = [tmp_path / "new" / f"out.{kind}" for kind in ("vtt", "srt", "mp4")]
    options = ["--vtt", outs[0], "--srt", outs[1], "--annotate", outs[2], "--window", "1"]

    code, shown, said = lrcn("narrate", model, video, *options)

    assert code == 0
    assert shown.startswith(f"{video}\nfrom seconds")
    assert all(str(out) in said for out in outs)
    code, as_json, _ = lrcn("narrate", model, video, "--window", "1", "--json", "--quiet")
    (document,) = json.loads(as_json)
    assert set(document) == {"path", "video_id", "end_seconds", "sentences"}
    expected = [
        (round(1000 * s["start_seconds"]), round(1000 * s["end_seconds"]), s["text"])
        for s in document["sentences"]
    ]
    assert expected[0][0] == 0
    assert expected[-1][1] == 3500
    for cues in (parse_vtt(outs[0].read_bytes()), parse_srt(outs[1].read_bytes())):
        assert [(cue.start_ms, cue.end_ms, cue.text) for cue in cues] == expected
    with open_video(video) as before, open_video(outs[2]) as after:
        assert before.count() == after.count()

    for option, out in (("--vtt", outs[0]), ("--srt", outs[1]), ("--annotate", outs[2])):
        code, _, refused = lrcn("narrate", model, video, option, out)
        assert code == 2
        assert "Add --overwrite" in refused
    assert lrcn("narrate", model, video, *options, "--overwrite", "--quiet")[0] == 0


def test_several_of_equal_names_go_into_a_folder_and_a_broken_one_stops_nobody(
    lrcn: Run, model: Path, tmp_path: Path
) -> None:
    videos = [write_video(tmp_path / name / "v.mkv", 12, seed=k) for k, name in enumerate("ab")]
    broken = tmp_path / "c" / "v.mkv"
    broken.parent.mkdir()
    broken.write_bytes(b"no video")
    out = tmp_path / "out"
    paths = [videos[0], broken, videos[1], tmp_path / "no*.mkv"]

    code, shown, said = lrcn("narrate", model, *paths, "--vtt", out, "--srt", out, "--json")

    assert code == 1
    found = json.loads(shown)
    assert [entry["path"] for entry in found] == [str(path) for path in paths]
    assert ["error" in entry for entry in found] == [False, True, False, True]
    assert f"failed: {broken}" in said
    assert "2 of 4 failed" in said
    names = ["0000-v.srt", "0000-v.vtt", "0002-v.srt", "0002-v.vtt"]
    assert sorted(path.name for path in out.iterdir()) == names
    for name in names:
        parse = parse_vtt if name.endswith("vtt") else parse_srt
        assert parse((out / name).read_bytes())[-1].end_ms == 1200


def test_one_file_for_several_or_for_two_purposes_is_refused(
    lrcn: Run, model: Path, tmp_path: Path
) -> None:
    one, two = (write_video(tmp_path / f"{name}.mkv", 3) for name in "ab")

    code, _, said = lrcn("narrate", model, one, two, "--vtt", tmp_path / "out.vtt")
    assert code == 2
    assert "name a folder" in said
    both = tmp_path / "out.txt"
    code, _, said = lrcn("narrate", model, one, "--vtt", both, "--srt", both)
    assert code == 2
    assert "named for two kinds of file" in said
    before = one.read_bytes()
    code, _, said = lrcn("narrate", model, one, "--srt", one, "--overwrite")
    assert code == 2
    assert "one of the videos" in said
    assert one.read_bytes() == before


def test_a_model_of_features_narrates_feature_files(lrcn: Run, tmp_path: Path) -> None:
    save_model(tmp_path / "model", shade_recogniser()._saved)
    features = np.zeros((50, 3), np.float32)
    features[:20, 1] = features[20:, 2] = 1
    np.save(tmp_path / "v.npy", features)
    command = ["narrate", tmp_path / "model", tmp_path / "v.npy", "--json", "--cut", "state"]

    code, shown, _ = lrcn(*command, "--smoothing", "none")

    assert code == 0
    sentences = json.loads(shown)[0]["sentences"]
    assert [(s["start_seconds"], s["end_seconds"], s["text"]) for s in sentences] == [
        (0.0, 0.8, "grey"),
        (0.8, 2.0, "white"),
    ]
    code, _, said = lrcn(*command, "--threshold", "2")
    assert code == 2
    assert "threshold 2" in said


@pytest.mark.parametrize("kind", ["vtt", "srt"])
def test_ctrl_c_leaves_a_valid_file_of_what_was_done(
    model: Path, tmp_path: Path, kind: str
) -> None:
    video = write_video(tmp_path / "long.mkv", 600)
    # The same packets many times over: half an hour of video.
    listed = tmp_path / "long.txt"
    listed.write_text("file 'long.mkv'\n" * 30, encoding="utf-8")
    from tests.fakes.media import run_ffmpeg

    run_ffmpeg("-f", "concat", "-safe", "0", "-i", listed, "-c", "copy", tmp_path / "film.mkv")
    video.unlink()
    out = tmp_path / "out" / f"film.{kind}"
    command = [sys.executable, "-m", "lrcn", "narrate", model, tmp_path / "film.mkv"]
    options = [f"--{kind}", out, "--window", "1", "--max-seconds", "1", "--threads", "1", "--json"]
    process = subprocess.Popen(
        [str(part) for part in [*command, *options]],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    _wait_for_sentences(out, process)
    process.send_signal(signal.SIGINT)
    shown, said = process.communicate(timeout=120)

    assert process.returncode == 130, said
    assert "interrupted" in said
    (document,) = json.loads(shown)
    assert document["interrupted"] is True
    cues = (parse_vtt if kind == "vtt" else parse_srt)(out.read_bytes())
    assert [cue.text for cue in cues] == [s["text"] for s in document["sentences"]]
    assert cues[-1].end_ms == round(1000 * document["end_seconds"]) < 1_800_000
    assert list(out.parent.iterdir()) == [out]


def _wait_for_sentences(out: Path, process: subprocess.Popen[str]) -> None:
    """Until some stand in the draft."""
    for _ in range(2400):
        if process.poll() is not None:
            pytest.fail(f"it ended by itself: {process.communicate()}")
        drafts = list(out.parent.glob(".*")) if out.parent.is_dir() else []
        if drafts and drafts[0].stat().st_size > 100:
            return
        time.sleep(0.05)
    pytest.fail("no sentence came")


def test_the_list_may_come_from_stdin(
    model: Path, tmp_path: Path, lrcn: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    video = write_video(tmp_path / "a.mkv", 5)
    shutil.copy(video, tmp_path / "b.mkv")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{video}\n{tmp_path / 'b.mkv'}\n"))

    code, shown, _ = lrcn("narrate", model, "-", "--json")

    assert code == 0
    assert [entry["video_id"] for entry in json.loads(shown)] == ["a", "b"]


@pytest.mark.parametrize("command", ["narrate", "predict"])
@pytest.mark.parametrize("name", ["copy.txt", "copy.webm", "copy"])
def test_a_copy_that_cannot_be_made_is_refused_before_the_work(
    lrcn: Run, model: Path, tmp_path: Path, command: str, name: str
) -> None:
    video = write_video(tmp_path / "v.mkv", 3)

    code, shown, said = lrcn(command, model, video, "--annotate", tmp_path / name)

    assert code == 2
    assert shown == ""
    assert f"{name}: cannot be written" in said
    assert [path.name for path in tmp_path.iterdir()] == ["v.mkv"]
