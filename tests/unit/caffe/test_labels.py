"""Class names from the files that users of the original have."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from lrcn.caffe.labels import read_class_names
from lrcn.errors import DataError

NAMES = ("ApplyEyeMakeup", "Handstand Pushups", "YoYo")


@pytest.mark.parametrize(
    "text",
    [
        "ApplyEyeMakeup\nHandstand Pushups\nYoYo\n",
        "\ufeffApplyEyeMakeup\r\n\r\n Handstand Pushups \r\nYoYo",
        "1 ApplyEyeMakeup\n2 Handstand Pushups\n3 YoYo\n",
        "0\tApplyEyeMakeup\n2 YoYo\n1 Handstand Pushups\n",
    ],
)
def test_names_and_numbered_names(tmp_path: Path, text: str) -> None:
    path = tmp_path / "classInd.txt"
    path.write_text(text, encoding="utf-8", newline="")

    assert read_class_names(path, 3) == NAMES


def test_a_split_list_names_the_class_folders(tmp_path: Path) -> None:
    path = tmp_path / "ucf101_split1_trainVideos.txt"
    path.write_text(
        "HandstandPushups/v_HandStandPushups_g09_c01 1\n"
        "Archery/v_Archery_g01_c01 0\nArchery/v_Archery_g02_c01 0\n"
    )

    assert read_class_names(path, 2) == ("Archery", "HandstandPushups")


def test_names_with_blanks_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "synset_words.txt"
    path.write_text("n01440764 tench, Tinca tinca\nn01443537 goldfish\n")

    assert read_class_names(path, 2) == ("n01440764 tench, Tinca tinca", "n01443537 goldfish")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a\nb\n", "names 2 classes, but the net has 3"),
        ("a\nb\na\n", "'a' more than once"),
        ("1 a\n2 b\n4 c\n", "from 1 to 4; the numbers run"),
        ("a/x 0\nb/y 0\nc/z 1\n", "the label 0 to 'a' and to 'b'"),
        ("a/x 0\nb/y 1\nc/z 3\n", "labels from 0 to 3, but only 3"),
        ("", "names 0 classes"),
    ],
)
def test_refused_lists(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "labels.txt"
    path.write_text(text)

    with pytest.raises(DataError, match=reason):
        read_class_names(path, 3)


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("name", ["action_hash_rev.p", "labels.txt"])
def test_a_pickle_is_never_opened(tmp_path: Path, protocol: int, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(pickle.dumps({0: "a", 1: "b"}, protocol=protocol))

    with pytest.raises(DataError, match=r"pickle, which runs code.*Give classInd\.txt"):
        read_class_names(path, 2)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(DataError, match="no UTF-8 text"):
        read_class_names(tmp_path / "x.png", 2)
    with pytest.raises(DataError, match="cannot be read"):
        read_class_names(tmp_path / "absent.txt", 2)
