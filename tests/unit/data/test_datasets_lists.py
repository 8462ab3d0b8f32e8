"""List files as people write them, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lrcn.data.datasets import read_dataset
from lrcn.errors import ConfigError, DataError, MissingFilesError
from lrcn.structures import VideoList


def read(root: Path, text: str, *, name: str = "list.csv", **arguments: object) -> VideoList:
    (root / name).write_bytes(text.encode())
    return read_dataset(root / name, **arguments)  # type: ignore[arg-type]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of empty files: no video is opened by reading a list."""
    for name in ("a.mp4", "b.mp4", "my clip, 1.2.mp4", "sub/c.avi", "sub/é.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def pairs(video_list: VideoList) -> list[tuple[str, tuple[str, ...]]]:
    return [(item.video_id, item.class_names) for item in video_list.items]


A_AND_B = [("a", ("run",)), ("b", ("walk",))]


@pytest.mark.parametrize(
    "text",
    [
        "path,label\na.mp4,run\nb.mp4,walk\n",
        "\ufeffpath,label\r\na.mp4,run\r\nb.mp4,walk\r\n",
        "Video\tClass\na.mp4\trun\nb.mp4\twalk",
        "label;extra;file\nrun;x;a.mp4\n\nwalk;y;b.mp4\n",
        'filename , class_name\n"a.mp4",run\nb.mp4 , "walk" \n',
        "path|label\na.mp4|run\nb.mp4|walk\n",
        "path label\na.mp4 run\nb.mp4 walk\n",
        "a.mp4 run\nb.mp4 walk\n",
        "a.mp4,run\nb.mp4,walk\n",
        "a.mp4\trun\n\nb.mp4\twalk\n",
        "path,label\na,run\nb,walk\n",
        "path,label\n.\\a.mp4,run\n./b.mp4,walk\n",
        "path,label\na.mp4,run\nb.mp4,walk\na.mp4,run\n",
        "# lrcn clean list: 2 items\npath,label\na.mp4,run\nb.mp4,walk\n",
    ],
)
def test_dialects(root: Path, text: str) -> None:
    assert pairs(read(root, text)) == A_AND_B


@pytest.mark.parametrize("name", ["list.txt", "list.tsv", "list.LST"])
def test_other_extensions(root: Path, name: str) -> None:
    assert pairs(read(root, "a.mp4\trun\nb.mp4\twalk\n", name=name)) == A_AND_B


@pytest.mark.parametrize(
    "lines",
    [
        '{"path": "a.mp4", "label": "run"}\n\n{"path": "b.mp4", "label": "walk"}\n',
        '[{"file": "a.mp4", "class": "run"},\n {"file": "b.mp4", "class": "walk"}]',
        '{"path": "a.mp4", "labels": ["run"]}\n{"path": "b.mp4", "labels": ["walk"]}',
    ],
)
def test_json_lines(root: Path, lines: str) -> None:
    video_list = read(root, lines, name="list.jsonl")

    assert pairs(video_list) == A_AND_B
    assert not video_list.multi_label


def test_blank_separates_at_its_last_place(root: Path) -> None:
    video_list = read(root, "my clip, 1.2.mp4 3\na.mp4 10\nb.mp4 3\n", name="list.txt")

    assert pairs(video_list) == [("my clip, 1.2", ("3",)), ("a", ("10",)), ("b", ("3",))]
    assert video_list.class_names == ("3", "10")


def test_labels_are_text(root: Path) -> None:
    video_list = read(root, "path,label\na.mp4,007\nb.mp4,None\nsub/c.avi,1.0\n")

    assert video_list.class_names == ("007", "1.0", "None")


def test_decomposed_accents_mean_the_same_file(root: Path) -> None:
    video_list = read(root, "path,label\nsub/e\u0301.mp4,run\na.mp4,walk\n")

    assert Path(video_list.items[0].path).name == "é.mp4"


def test_several_labels(root: Path) -> None:
    video_list = read(root, "path,labels\na.mp4,run; jump;run\nb.mp4,\nsub/c.avi,walk\n")

    assert video_list.multi_label
    assert [item.class_names for item in video_list.items] == [("run", "jump"), (), ("walk",)]
    assert video_list.class_names == ("jump", "run", "walk")


def test_intervals_share_the_id_of_their_video(root: Path) -> None:
    text = "path,label,start,end\na.mp4,run,0,1.5\na.mp4,walk,1.5,\nb.mp4,run,,2\n"

    items = read(root, text).items

    assert [i.video_id for i in items] == ["a", "a", "b"]
    assert [(i.start_seconds, i.end_seconds) for i in items] == [(0, 1.5), (1.5, None), (None, 2)]


def test_double_lines_count_once_and_are_noted(root: Path) -> None:
    video_list = read(root, "path,label\na.mp4,run\na.mp4,run\nb.mp4,walk\n")

    assert video_list.notes == ("1 line said the same as another and counted once",)


def test_own_column_names(root: Path) -> None:
    text = "path,clip,what,label\nx,a.mp4,run,1\ny,b.mp4,walk,2\n"

    assert pairs(read(root, text, columns={"path": "CLIP", "label": "what"})) == A_AND_B


def test_videos_root(root: Path) -> None:
    (root / "lists").mkdir()

    found = read(root / "lists", "a.mp4 run\nb.mp4 walk\n", name="l.txt", videos_root=root)

    assert pairs(found) == A_AND_B


def test_colliding_names_keep_their_extension(root: Path) -> None:
    (root / "a.avi").touch()

    items = read(root, "path,label\na.mp4,run\na.avi,walk\nb.mp4,walk\n").items

    assert [item.video_id for item in items] == ["a.mp4", "a.avi", "b"]


def test_given_ids_are_kept_where_unique(root: Path) -> None:
    text = "path,video_id,label\na.mp4,one,run\nb.mp4,two,walk\nsub/c.avi,two,walk\n"

    assert [item.video_id for item in read(root, text).items] == ["one", "b", "sub/c"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"list\.csv is empty"),
        ("path,label\n", r"holds no videos"),
        ("name,label\na.mp4,run\n", r"is not understood: its first line is 'name,label'"),
        ("path,kind\na.mp4,run\n", r"has no column for the label \(understood: path\)"),
        ("path,label\na.mp4,run,x\nb.mp4,walk\n", r"line 2 has 3 cells where the first .* has 2"),
        ("path,label\na.mp4,run\nmy clip, 1.2.mp4,walk\n", r"line 3 has 3 cells .* in quotes"),
        ('path,label\na.mp4,"run\nb.mp4,walk\n', r"line 2: unexpected end of data"),
        ("path,label\n,run\n", r"line 2 has no path"),
        ("path,label\na.mp4,run\nb.mp4,\n", r"1 line without a label, the first: .* line 3"),
        ("path,label\na.mp4,run\na.mp4,walk\n", r"a\.mp4 is labelled 'run' .* and 'walk'"),
        ("path,label,split\na.mp4,run,trian\n", r"line 2: split 'trian' .* Did you mean 'train'"),
        ("path,label,split\na.mp4,run,train\nb.mp4,walk,\n", r"1 line of 2 without a split"),
        ("path,label,start\na.mp4,run,soon\n", r"line 2: start is 'soon'; seconds are needed"),
        ("path,label,start\na.mp4,run,-1\n", r"line 2: start is '-1'"),
        ("path,label,start\na.mp4,run,nan\n", r"line 2: start is 'nan'"),
        ("path,label,start,end\na.mp4,run,2,2\n", r"interval 2\.0 to 2\.0 seconds is empty"),
        ("path,label\na.mp4,run\nb.mp4,run\n", r"has 1 class with files \(run\)"),
        ("a.mp4 run\nb.mp4\n", r"line 2: 'b\.mp4' has no label"),
    ],
)
def test_refused_lists(root: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(root, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"path": "a.mp4"', r"is not JSON lines"),
        (100_000 * "[", r"is not JSON lines"),
        ('["a.mp4", "run"]', r"line 1 is \"a\.mp4\""),
        ('{"path": "a.mp4", "label": true}', r"line 1: label is true; text or a number"),
        ('{"path": ["a.mp4"], "label": "run"}', r"line 1: path is \[\"a\.mp4\"\]"),
    ],
)
def test_refused_json(root: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(root, text, name="list.jsonl")


def test_text_that_is_not_utf8_is_refused(root: Path) -> None:
    (root / "list.csv").write_bytes("path,label\né.mp4,run\n".encode("latin-1"))

    with pytest.raises(DataError, match="not UTF-8"):
        read_dataset(root / "list.csv")


def test_all_absent_is_refused_even_when_skipping(root: Path) -> None:
    with pytest.raises(DataError, match=r"none of the 2 files .* exists, the first: .*x\.mp4"):
        read(root, "path,label\nx.mp4,run\ny.mp4,walk\n", missing="skip")


def test_absent_files_are_counted_and_the_first_is_named(root: Path) -> None:
    text = "path,label\na.mp4,run\nx.mp4,run\ny.mp4,walk\nb.mp4,walk\n"

    with pytest.raises(MissingFilesError, match=r"2 of 4 listed files .*x\.mp4 \(list\.csv, line"):
        read(root, text)
    video_list = read(root, text, missing="skip")
    assert pairs(video_list) == A_AND_B
    assert [Path(file.path).name for file in video_list.skipped] == ["x.mp4", "y.mp4"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layout": "cvs"}, r"layout 'cvs' is unknown.* Did you mean 'csv'"),
        ({"fold": 1}, r"fold 1 .* has no folds"),
        ({"missing": "ignore"}, r"missing is 'ignore'"),
        ({"columns": {"pth": "x"}}, r"'pth' is no role .* Did you mean 'path'"),
        ({"group_by": "subject"}, r"group_by is 'subject'"),
        ({"group_pattern": "("}, r"no regular expression"),
        ({"group_pattern": "abc"}, r"has no brackets"),
        ({"group_pattern": "(a)", "group_by": "file"}, r"give one"),
    ],
)
def test_wrong_settings(root: Path, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(root, "a.mp4,run\nb.mp4,walk\n", **arguments)


def test_unknown_own_column(root: Path) -> None:
    with pytest.raises(DataError, match=r"no column 'lable' for the label.* Did you mean 'label'"):
        read(root, "path,label\na.mp4,run\nb.mp4,walk\n", columns={"label": "lable"})


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing.csv", "does not exist"),
        ("a.mp4", "is one video, not a data set"),
        ("list.xlsx", "is not a list file by its extension"),
    ],
)
def test_what_is_no_list(root: Path, name: str, message: str) -> None:
    (root / "list.xlsx").touch()

    with pytest.raises(DataError, match=message):
        read_dataset(root / name)


def test_lists_of_parts_in_a_folder(root: Path) -> None:
    (root / "train.csv").write_text("a.mp4,run\nsub/c.avi,walk\n")
    (root / "val.csv").write_text("b.mp4,walk\n")

    video_list = read_dataset(root)

    assert [item.split for item in video_list.items] == ["train", "train", "val"]


def test_two_lists_in_a_folder_are_ambiguous(root: Path) -> None:
    for name in ("one.csv", "two.csv"):
        (root / name).write_text("path,label\na.mp4,run\nb.mp4,walk\n")

    with pytest.raises(DataError, match=r"has 2 lists: one\.csv, two\.csv"):
        read_dataset(root)


def test_list_beside_class_folders_is_ambiguous(root: Path) -> None:
    (root / "more").mkdir()
    (root / "more" / "d.mp4").touch()
    (root / "list.csv").write_text("path,label\na.mp4,run\nb.mp4,walk\n")

    with pytest.raises(DataError, match=r"a list \(list\.csv\) and folders with videos"):
        read_dataset(root)
    assert read_dataset(root, layout="folder").class_names == ("more", "sub")


def test_what_this_program_wrote_is_no_ambiguity(root: Path) -> None:
    (root / "more").mkdir()
    (root / "more" / "d.mp4").touch()
    (root / "split.csv").write_text("# lrcn division {}\npath,labels\na.mp4,run\n")

    assert read_dataset(root).layout == "folder"


def test_h5_by_path_and_id(root: Path) -> None:
    import h5py
    import numpy as np

    with h5py.File(root / "f.h5", "w") as file:
        file["one"] = np.zeros((2, 3))
        file["two"] = np.zeros((2, 3))
    rows = [{"path": "f.h5", "video_id": v, "label": v} for v in ("one", "two")]

    items = read(root, "\n".join(map(json.dumps, rows)), name="l.jsonl").items

    assert [(Path(i.path).name, i.video_id) for i in items] == [("f.h5", "one"), ("f.h5", "two")]


def test_lines_of_prose_are_no_list(root: Path) -> None:
    with pytest.raises(DataError, match="is not understood: its first line is"):
        read(root, "Lorem ipsum " * 400 + "\n", name="readme.txt")


def test_zero_bytes_are_refused(root: Path) -> None:
    with pytest.raises(DataError):
        read(root, "path,label\n\0a.mp4,run\n\0\0\n")


def test_items_without_a_group_are_noted(root: Path) -> None:
    video_list = read(root, "path,label,group\na.mp4,run,one\nb.mp4,walk,\n")

    assert [item.group for item in video_list.items] == ["one", None]
    assert "1 item without a group, each a source of its own" in video_list.notes


def test_videofolder_parts_by_path(root: Path) -> None:
    for part in ("train", "test"):
        (root / part).mkdir()
        (root / part / "x.mp4").touch()
    text = "file_name,label\ntrain/x.mp4,run\ntest/x.mp4,walk\n"
    (root / "metadata.csv").write_text(text)

    video_list = read_dataset(root)

    assert video_list.layout == "videofolder"
    assert [item.split for item in video_list.items] == ["train", "test"]


def test_foreign_metadata_does_not_make_a_videofolder(root: Path) -> None:
    (root / "more").mkdir()
    (root / "more" / "d.mp4").touch()
    (root / "metadata.csv").write_text("author,year\nme,2020\n")

    assert read_dataset(root).layout == "folder"
