"""Folders that commands make: the same seed gives the same files, and nothing is lost."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from lrcn.cli.main import main
from lrcn.data.captions import read_captions
from lrcn.video.source import open_video

FEW = ["--num-train", "2", "--num-val", "1", "--num-test", "1", "--quiet"]
WORLD = [*FEW, "--world.actions", "grow,rise", "--num-frames", "6", "--fps", "12.5"]


def _hashes(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(files)
    }


def _make(out: Path, *options: str) -> int:
    return main(["data", "make", "motion", str(out), *WORLD, *options])


def test_a_world_is_its_seed_and_settings(tmp_path: Path) -> None:
    for name, options in (
        ("a", ["--seed", "1"]),
        ("b", ["--seed", "1"]),
        ("c", ["--seed", "2"]),
        ("d", ["--seed", "1", "--world.noise=0"]),
    ):
        assert _make(tmp_path / name, *options) == 0

    first = _hashes(tmp_path / "a")
    videos = [name for name in first if name.endswith(".mp4")]
    assert len(videos) == 4
    assert first == _hashes(tmp_path / "b")
    for other in ("c", "d"):
        hashes = _hashes(tmp_path / other)
        assert all(hashes[name] != first[name] for name in videos)


def test_size_length_and_rate_are_those_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _make(tmp_path / "w", "--width", "34", "--height", "42", "--json") == 0

    made = json.loads(capsys.readouterr().out)
    assert made["num_videos"] == {"train": 2, "val": 1, "test": 1}
    assert made["class_names"] == ["grow", "rise"]
    path = next((tmp_path / "w").rglob("*.mp4"))
    with open_video(path) as video:
        assert (video.info.width, video.info.height) == (34, 42)
        assert video.count() == 6
        assert video.info.fps == pytest.approx(12.5)


def test_only_a_world_is_replaced_by_a_world(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    assert _make(tmp_path / "w") == 0

    assert _make(tmp_path / "w") == 2
    assert _make(tmp_path / "w", "--overwrite", "--num-frames", "x") == 2
    assert (tmp_path / "w" / "motion.json").is_file()
    assert _make(tmp_path / "w", "--overwrite") == 0
    assert _make(tmp_path / "thesis", "--overwrite") == 2
    assert (tmp_path / "thesis" / "chapter.txt").is_file()

    capsys.readouterr()
    assert main(["demo", "--out", str(tmp_path / "thesis"), "--overwrite", "--quiet"]) == 2
    assert "not overwritten" in capsys.readouterr().err
    assert main(["train", "--data", "x", "--out", str(tmp_path / "thesis"), "--overwrite"]) == 2
    assert (tmp_path / "thesis" / "chapter.txt").is_file()


def test_clips_of_several_events(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "events"
    options = ["--events.num-events", "3,3", "--world.noise", "0", "--width", "40", "--json"]
    assert main(["data", "make", "events", str(out), *FEW, *options]) == 0

    made = json.loads(capsys.readouterr().out)
    assert made["num_videos"] == {"train": 2, "val": 1, "test": 1}
    assert made["settings"]["events"]["num_events"] == [3, 3]
    assert made["settings"]["world"]["width"] == 40
    found = read_captions(out)
    assert found.media == "video"
    assert [item.captions[0].count(", then ") for item in found.items] == [2] * 4
    assert main(["data", "make", "events", str(out), *FEW]) == 2
    assert main(["data", "make", "events", str(out), *FEW, "--overwrite"]) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--num-frames", "8"], "--num-frames is no setting of events"),
        (["--world.two-shapes", "1"], "--world.two-shapes is no setting of events"),
        (["--picture.noise", "1"], "--picture.noise is no setting of events"),
        (["--events.num-events", "0,2"], "num_events is 0, 2; it takes two numbers from 1 to 6"),
    ],
)
def test_what_says_nothing_about_events_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert main(["data", "make", "events", str(tmp_path / "w"), *FEW, *options]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
