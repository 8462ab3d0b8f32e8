"""Content hashes: by bytes, not by name; fresh when a file changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lrcn.data.content import content_hash
from lrcn.errors import MediaError


def test_equal_bytes_equal_hash(tmp_path: Path) -> None:
    for name, text in (("a", "same"), ("b", "same"), ("c", "other")):
        (tmp_path / name).write_text(text)

    assert content_hash(tmp_path / "a") == content_hash(str(tmp_path / "b"))
    assert content_hash(tmp_path / "a") != content_hash(tmp_path / "c")
    assert len(content_hash(tmp_path / "a")) == 32


def test_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("one")
    before = content_hash(path)
    path.write_text("two")
    os.utime(path, ns=(1, 1))

    assert content_hash(path) != before


def test_folder_counts_names_and_contents(tmp_path: Path) -> None:
    for folder, names in (("x", "12"), ("y", "12"), ("z", "13")):
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / f"{name}.png").write_text("picture")
    (tmp_path / "y" / ".hidden").write_text("x")

    assert content_hash(tmp_path / "x") == content_hash(tmp_path / "y")
    assert content_hash(tmp_path / "x") != content_hash(tmp_path / "z")


def test_absent_file(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="cannot be read: No such file"):
        content_hash(tmp_path / "nothing")
