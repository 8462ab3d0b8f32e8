"""A check of captions finds broken, absent, equal and leaking photos, and writes a clean list."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.fakes.captions import put_photo
from tests.fakes.dataset import put_text, put_video

from lrcn.data.caption_inspect import inspect_captions
from lrcn.data.captions import read_captions
from lrcn.errors import DataError


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six photos: one broken, one absent, one a copy in another part, one without a caption."""
    for number in range(4):
        put_photo(tmp_path / f"{number}.jpg", number, width=16 + 4 * (number == 1))
    shutil.copy(tmp_path / "0.jpg", tmp_path / "4.jpg")
    (tmp_path / "5.jpg").write_bytes((tmp_path / "1.jpg").read_bytes()[:100])
    text = (
        "path,caption,split\n0.jpg,A dog runs,train\n0.jpg,A dog,train\n1.jpg,Ein Bär,train\n"
        "2.jpg,A cat,val\n3.jpg,,train\n4.jpg,A dog,test\n5.jpg,A bird,train\n6.jpg,A fish,train\n"
    )
    return put_text(tmp_path / "list.csv", text)


def test_finds_what_is_wrong(photos: Path) -> None:
    found = inspect_captions(read_captions(photos, missing="skip"))

    assert [Path(file.path).name for file in found.unreadable] == ["5.jpg"]
    assert {(Path(s.path).name, s.reason) for s in found.captions.skipped} == {
        ("6.jpg", "file not found"),
        ("3.jpg", "has no caption"),
    }
    assert [[i.item_id for i in same] for same in found.duplicates] == [["0.jpg", "4.jpg"]]
    assert [(one, two, leak.kind) for one, two, leak in found.leaks] == [
        ("train", "test", "content")
    ]
    assert set(found.left_out()) == {"5.jpg", "0.jpg"}
    assert found.sizes == {"16x12": 3, "20x12": 1}
    assert found.num_problems == 5


def test_text_and_json_say_it(photos: Path) -> None:
    found = inspect_captions(read_captions(photos, missing="skip"))
    text, data = str(found), json.loads(json.dumps(found.to_dict()))

    assert "5 images with 6 captions (layout csv)" in text
    assert "words in a caption: 2 to 3, median 2" in text
    assert "note: 1 listed file not found and left out" in text
    assert "5 problems: 3 items usable, a clean list does without 2" in text
    assert data["num_captions"] == 6
    assert data["captions_per_item"] == {"1": 4, "2": 1}
    assert data["splits"] == {"train": 3, "val": 1, "test": 1}
    assert data["num_problems"] == 5
    assert len(data["missing"]) == 2


def test_clean_list_is_a_data_set(photos: Path, tmp_path: Path) -> None:
    found = inspect_captions(read_captions(photos, missing="skip"))
    for place in (photos.parent / "clean.jsonl", tmp_path / "elsewhere" / "clean.jsonl"):
        assert found.clean_list(place) == 3

        again = read_captions(place)
        assert {i.item_id: (i.captions, i.split) for i in again.items} == {
            "1.jpg": (("Ein Bär",), "train"),
            "2.jpg": (("A cat",), "val"),
            "4.jpg": (("A dog",), "test"),
        }
        assert inspect_captions(again).num_problems == 0
    assert (
        json.loads((photos.parent / "clean.jsonl").read_text().splitlines()[0])["path"] == "1.jpg"
    )


def test_nothing_usable(photos: Path) -> None:
    broken = put_text(photos.parent / "broken.csv", "path,caption\n5.jpg,A bird\n")
    found = inspect_captions(read_captions(broken))

    with pytest.raises(DataError, match=r"none of the 1 items of .* is usable"):
        found.clean_list(photos.parent / "clean.jsonl")


def test_videos_are_read_to_their_end(tmp_path: Path) -> None:
    put_video(tmp_path / "a.mp4")
    (tmp_path / "b.mp4").write_bytes(b"no video")
    listed = put_text(tmp_path / "l.csv", "path,caption\na.mp4,A man\nb.mp4,A dog\n")
    found = inspect_captions(read_captions(listed))

    assert found.sizes == {"32x16": 1}
    assert [Path(file.path).name for file in found.unreadable] == ["b.mp4"]


def test_an_interval_after_the_end_is_left_out(tmp_path: Path) -> None:
    """The file is as good as ever: other intervals of it stay."""
    put_video(tmp_path / "a.avi")
    rows = "a.avi,he cuts,0,0.2\na.avi,he sleeps,50,60\n"
    path = put_text(tmp_path / "list.csv", f"path,caption,start_seconds,end_seconds\n{rows}")
    found = inspect_captions(read_captions(path))

    late = [item.item_id for item in found.captions.items if item.captions == ("he sleeps",)]
    assert found.to_dict()["begins_after_end"] == late
    assert found.left_out() == {late[0]: "its interval begins after the end"}
    assert found.num_problems == 1
    assert "a.avi from 50 seconds" in str(found)
