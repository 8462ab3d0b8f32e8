"""`lrcn data make pictures` makes a set of captions, and refuses what belongs to clips."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lrcn.cli.main import main
from lrcn.data.captions import read_captions
from lrcn.data.images import read_image

FEW = ["--num-train", "2", "--num-val", "1", "--num-test", "1", "--quiet"]


def make(out: Path, *options: str) -> int:
    return main(["data", "make", "pictures", str(out), *FEW, *options])


def test_makes_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "world"
    assert make(out, "--json", "--width", "40", "--picture.noise=0", "--difficulty", "hard") == 0

    made = json.loads(capsys.readouterr().out)
    assert made["num_images"] == {"train": 2, "val": 1, "test": 1}
    assert (made["settings"]["noise"], made["settings"]["contrast"]) == (0, 24)
    found = read_captions(out)
    assert [item.split for item in found.items] == ["train", "train", "val", "test"]
    assert read_image(found.items[0].path).shape == (3, 64, 40)


def test_replaces_a_world_only_when_asked(tmp_path: Path) -> None:
    assert make(tmp_path / "world") == 0
    assert make(tmp_path / "world") == 2
    assert make(tmp_path / "world", "--overwrite") == 0
    assert len(read_captions(tmp_path / "world")) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--num-frames", "4"], "--num-frames is no setting of pictures"),
        (["--fps", "4"], "--fps is no setting of pictures"),
        (["--world.noise", "4"], "--world.noise is no setting of pictures"),
        (["--picture.nois", "4"], "Did you mean 'picture.noise'"),
        (["--picture.margin", "4"], "margin is 4.0; it takes 0 to 0.1"),
    ],
)
def test_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert make(tmp_path / "world", *options) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_settings_of_pictures_are_none_of_clips(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["data", "make", "motion", str(tmp_path / "world"), *FEW, "--picture.noise", "4"]
    assert main(command) == 2
    assert "--picture.noise is no setting of motion" in capsys.readouterr().err
