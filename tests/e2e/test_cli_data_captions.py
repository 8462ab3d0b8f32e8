"""`lrcn data check` and `lrcn data split` on captions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.fakes.captions import put_photo
from tests.fakes.dataset import put_text, put_video

from lrcn.cli.main import main
from lrcn.data.captions import read_captions


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    lines = ["path,caption"]
    for number in range(10):
        put_photo(tmp_path / "photos" / f"{number}.png", number)
        lines += [f"{number}.png,A dog", f"{number}.png,Ein Hund"]
    return put_text(tmp_path / "list.csv", "\n".join(lines))


def test_check(listed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = ["--images", str(listed.parent / "photos")]
    assert main(["data", "check", str(listed), *images, "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["task"], found["num_items"], found["num_captions"]) == ("caption", 10, 20)

    (listed.parent / "photos" / "3.png").write_text("broken")
    clean = listed.parent / "clean.jsonl"
    assert main(["data", "check", str(listed), *images, "--quiet", "--out", str(clean)]) == 1
    assert "unreadable: 1" in capsys.readouterr().out
    assert len(read_captions(clean)) == 9

    assert main(["data", "check", str(listed)]) == 2
    assert "say in which folder they lie (--images)" in capsys.readouterr().err


def test_split(listed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = listed.parent / "split.jsonl"
    command = ["data", "split", str(listed), "--images", str(listed.parent / "photos")]
    assert main([*command, "--out", str(out), "--test-fraction", "0.3", "--json"]) == 0

    made = json.loads(capsys.readouterr().out)
    assert made["num_items"] == {"train": 5, "val": 2, "test": 3}
    assert made["num_captions"] == {"train": 10, "val": 4, "test": 6}
    found = read_captions(out)
    assert (
        sorted(str(item.split) for item in found.items)
        == ["test"] * 3 + ["train"] * 5 + ["val"] * 2
    )
    assert main([*command, "--out", str(out)]) == 2


def test_a_list_with_labels_is_one_of_classes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["path,label,description"]
    for number in range(4):
        put_video(tmp_path / f"{number}.mp4", number)
        lines.append(f"{number}.mp4,{'ab'[number % 2]},a man runs")
    path = put_text(tmp_path / "list.csv", "\n".join(lines))

    assert main(["data", "check", str(path), "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["class_counts"] == {"a": 2, "b": 2}
