"""Commands on real video files: from pixels to answers, copies with answers, and a self-test."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest
from tests.fakes.worlds import write_pixel_world

from lrcn.cli.main import main
from lrcn.video.source import open_video


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight short videos in two class folders."""
    return write_pixel_world(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, clips: Path) -> Path:
    """A run of two joint epochs. Tests read it only."""
    run = tmp_path_factory.mktemp("runs") / "pixels"
    options = "--backbone small --model.input-px 32 --model.hidden-size 8 --train.unfreeze-at 0"
    options += " --epochs 2 --batch-size 4 --clip-length 8 --threads 1 --quiet"
    code = main(["train", "--data", str(clips), "--out", str(run), *options.split()])
    assert code == 0
    return run


def test_a_folder_is_searched_and_an_annotated_copy_has_every_frame(
    trained: Path, clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = sorted(clips.rglob("*.mkv"))[0]

    assert main(["predict", str(trained), str(clips), "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found) == 8
    assert {entry["class_name"] for entry in found} <= {"left", "right"}

    out = tmp_path / "copy.mp4"
    assert main(["predict", str(trained), str(one), "--annotate", str(out), "--quiet"]) == 0
    with open_video(one) as before, open_video(out) as after:
        assert before.count() == after.count()
    again = ["predict", str(trained), str(one), "--annotate", str(out)]
    capsys.readouterr()
    assert main(again) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*again, "--overwrite", "--quiet"]) == 0


def test_annotating_several_takes_a_folder(
    trained: Path, clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left = str(clips / "left")

    assert main(["predict", str(trained), left, "--annotate", str(tmp_path / "one.mp4")]) == 2
    assert "name a folder" in capsys.readouterr().err
    assert main(["predict", str(trained), left, "--annotate", str(tmp_path / "all")]) == 0
    assert len(list((tmp_path / "all").glob("*.mp4"))) == 4


def test_damaged_variants_are_all_named_and_never_a_traceback(
    trained: Path, clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = sorted(clips.rglob("*.mkv"))[0].read_bytes()
    draw = random.Random(0)
    paths = []
    for i in range(24):
        data = bytearray(source[: draw.randrange(len(source))] if i % 2 else source)
        for _ in range(draw.randrange(1, 40)):
            if data:
                data[draw.randrange(len(data))] = draw.randrange(256)
        path = tmp_path / f"damaged_{i}{draw.choice(['.mkv', '.mp4', '.avi', '.txt'])}"
        path.write_bytes(bytes(data))
        paths.append(str(path))

    code = main(["predict", str(trained), *paths, "--json", "--quiet"])

    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert code in (0, 1)
    assert [entry["path"] for entry in found] == paths
    failed = [entry for entry in found if "error" in entry]
    assert code == int(bool(failed))
    assert all(entry["path"] in shown.err for entry in failed)
    assert "Traceback" not in shown.err


def test_every_unusable_entry_of_a_class_folder_is_counted_and_named(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = shutil.copytree(clips, tmp_path / "data")
    bad = [data / "left" / "empty.avi", data / "right" / "text.mp4", data / "right" / "zero.mkv"]
    bad[0].mkdir()
    bad[1].write_text("not a video", encoding="utf-8")
    bad[2].touch()
    other = data / "left" / "wrong.txt"
    shutil.copy(next(iter(data.rglob("*.mkv"))), other)
    options = "--backbone small --model.input-px 32 --model.hidden-size 8 --train.unfreeze-at 0"
    options += " --epochs 1 --batch-size 4 --clip-length 8 --threads 1"
    command = ["train", "--data", str(data), "--out", str(tmp_path / "run"), *options.split()]

    assert main(command) == 2
    refused = capsys.readouterr().err
    assert "3 of 11 files cannot be read" in refused
    assert "empty.avi" in refused
    assert "Traceback" not in refused

    assert main([*command, "--missing", "skip", "--json"]) == 1
    shown = capsys.readouterr()
    assert {s["path"] for s in json.loads(shown.out)["skipped"]} == {str(path) for path in bad}
    assert all(str(path) in shown.err for path in (*bad, other))
    assert "3 unreadable files left out" in shown.err
    assert "Traceback" not in shown.err

    assert main(["predict", str(tmp_path / "run"), str(data), "--json"]) == 1
    shown = capsys.readouterr()
    failed = {entry["path"] for entry in json.loads(shown.out) if "error" in entry}
    assert failed == {str(path) for path in bad}
    assert f"not read, no video by its name: {other}" in shown.err


def test_evaluation_of_pixels_by_other_protocols(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for options, key, value in (
        (["--crops", "10"], "num_crops", 10),
        (["--protocol", "whole_video"], "protocol", "whole_video"),
        (["--clip-length", "4", "--clip-stride", "2"], "clip_length", 4),
        ([], "clip_length", 8),
    ):
        assert main(["evaluate", str(trained), "--json", "--quiet", *options]) == 0

        assert json.loads(capsys.readouterr().out)["protocol"][key] == value


def test_the_doctor_finds_everything_working(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor", "--json", "--device", "cpu"])

    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert found["passed"] is True
    assert len(found["self_test"]) == 3
    assert set(found["self_test"].values()) == {None}
    assert "h264" in found["video"]["decoders"]
    assert "libx264" in found["video"]["encoders"]
    assert found["weights"]["efficientnet_lite0"] is True
    assert {"processor", "threads", "amx", "precision"} <= set(found["processor"])


def test_a_broken_part_is_named_by_the_doctor(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lrcn.models.activity.ActivityModel.step", None)

    code = main(["doctor"])

    shown = capsys.readouterr()
    assert code == 1
    assert "FAILED model: step by step equals at once: TypeError" in shown.out
    assert shown.out.count("  ok ") == 2


def test_the_benchmark_measures_every_part(
    trained: Path, clips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--data", str(clips), "--num-videos", "2", "--rounds", "1", "--json", "--quiet"]

    assert main(["benchmark", str(trained), *options]) == 0

    parts = json.loads(capsys.readouterr().out)["parts"]
    names = ["decode", "resize", "CNN", "LSTM", "all, pipelined", "all, plain loop"]
    assert [part["part"] for part in parts] == names
    assert all(part["frames_per_second"] > 0 for part in parts)
    assert parts[-1]["speed_ratio"] == 1.0
