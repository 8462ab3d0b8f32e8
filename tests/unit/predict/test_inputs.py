"""Files, folders, patterns and lists become the videos that are meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from lrcn.errors import DataError
from lrcn.predict.inputs import expand_inputs


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a.mp4", "deep/er/b.avi", "deep/c.webm", "deep/notes.txt", "deep/d.npy"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "deep/frames").mkdir()
    for i in range(3):
        Image.new("RGB", (8, 8)).save(tmp_path / f"deep/frames/{i:03}.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/a.txt").touch()
    return tmp_path


def names(paths: list[str], tree: Path) -> list[str]:
    return [str(Path(p).relative_to(tree)) for p in paths]


def test_folders_are_searched_and_image_folders_are_videos(tree: Path) -> None:
    found = names(expand_inputs([str(tree / "deep")]), tree)
    assert found == ["deep/c.webm", "deep/er/b.avi", "deep/frames"]
    assert names(expand_inputs([str(tree / "deep/frames")]), tree) == ["deep/frames"]
    assert names(expand_inputs([str(tree / "deep")], features=True), tree) == ["deep/d.npy"]


def test_the_order_is_kept_and_nothing_comes_twice(tree: Path) -> None:
    found = expand_inputs([str(tree / "deep/er/b.avi"), str(tree / "deep"), str(tree / "a.mp4")])
    assert names(found, tree) == ["deep/er/b.avi", "deep/c.webm", "deep/frames", "a.mp4"]


def test_patterns(tree: Path) -> None:
    assert names(expand_inputs([str(tree / "*.mp4")]), tree) == ["a.mp4"]
    assert names(expand_inputs([str(tree / "**/*.avi")]), tree) == ["deep/er/b.avi"]
    with pytest.raises(DataError, match=r"no file matches .*\.mov"):
        expand_inputs([str(tree / "*.mov")])


def test_a_name_with_brackets_is_a_file_where_it_exists(tree: Path) -> None:
    (tree / "clip[1].mp4").touch()
    assert names(expand_inputs([str(tree / "clip[1].mp4")]), tree) == ["clip[1].mp4"]


def test_a_list_on_stdin(tree: Path) -> None:
    lines = [f"{tree}/a.mp4\n", "\n", f"  {tree}/deep/frames  \n"]
    assert names(expand_inputs(["-"], listed=lines), tree) == ["a.mp4", "deep/frames"]
    with pytest.raises(DataError, match="standard input is empty"):
        expand_inputs(["-"], listed=["\n"])


def test_what_does_not_exist_is_an_answer_among_others(tree: Path) -> None:
    assert expand_inputs(["nowhere.mp4", str(tree / "a.mp4")])[0] == "nowhere.mp4"


def test_folders_without_videos_are_refused(tree: Path) -> None:
    with pytest.raises(DataError, match=r"holds no video.*it is empty"):
        expand_inputs([str(tree / "empty")])
    with pytest.raises(DataError, match=r"only 1 \.txt"):
        expand_inputs([str(tree / "texts")])
    with pytest.raises(DataError, match="no input was given"):
        expand_inputs([])
