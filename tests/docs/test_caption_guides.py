"""The guides to sentences: what they say to type is typed, in their order, in one folder."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from lrcn.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
_RUN = re.compile(r"<!-- run by the tests -->\n```(\w+)\n(.*?)```", re.DOTALL)


def _photos(folder: Path) -> None:
    """What the reader of `caption-data.md` has: photos and a CSV."""
    (folder / "photos").symlink_to(ROOT / "examples")
    listed = json.loads((ROOT / "examples" / "captions.json").read_text("utf-8"))
    names = {image["id"]: image["file_name"] for image in listed["images"]}
    rows = [(names[one["image_id"]], one["caption"]) for one in listed["annotations"]]
    text = io.StringIO()
    csv.writer(text).writerows([("path", "caption"), *rows])
    (folder / "captions.csv").write_text(text.getvalue(), encoding="utf-8")


def _run(line: str) -> int:
    """A line of a shell block, in this process where it is one command."""
    if "|" not in line:
        return main([*shlex.split(line)[1:], "--threads", "1"])
    piped = re.sub(r"\blrcn ", f"{shlex.quote(sys.executable)} -m lrcn ", line)
    return subprocess.run(["bash", "-c", piped], check=False).returncode


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_guides_work_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    _photos(tmp_path)
    counts = []
    for guide in ("captioning.md", "retrieval.md", "caption-data.md"):
        blocks = _RUN.findall((ROOT / "docs" / "guides" / guide).read_text(encoding="utf-8"))
        counts.append(len(blocks))
        for language, body in blocks:
            if language == "python":
                exec(compile(body, guide, "exec"), {})
                continue
            for line in body.splitlines():
                assert _run(line) == 0, f"{guide}: {line}\n{capsys.readouterr().err}"

    assert counts == [7, 5, 3]
    shown = capsys.readouterr().out
    assert "caption_to_image" in shown
    assert len(json.loads((tmp_path / "results.json").read_text())) == 20
    assert (tmp_path / "run" / "report.html").is_file()
    assert (tmp_path / "photos.index").is_file()
    assert len((tmp_path / "split.jsonl").read_text().splitlines()) == 12
