"""Class folders: which level is the class, what is a video, and how groups are found."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fakes.dataset import put_frames

from lrcn.data.datasets import check_readable, read_dataset
from lrcn.errors import DataError, MissingFilesError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def ids(root: Path, **arguments: object) -> list[str]:
    return [item.video_id for item in read_dataset(root, **arguments).items]  # type: ignore[arg-type]


def test_class_is_the_first_level(tmp_path: Path) -> None:
    touch(tmp_path, "run/x/y/a.mp4", "run/b.mkv", "walk/c.GIF", "empty/readme.txt")

    video_list = read_dataset(tmp_path)

    assert [(i.video_id, i.class_names[0]) for i in video_list.items] == [
        ("run/b", "run"),
        ("run/x/y/a", "run"),
        ("walk/c", "walk"),
    ]
    assert any("1 item of other kinds" in note for note in video_list.notes)
    assert any("without media left alone: empty" in note for note in video_list.notes)


def test_a_folder_named_like_a_video_is_one_that_cannot_be_read(tmp_path: Path) -> None:
    touch(tmp_path, "a/x.mp4", "b/y.mp4", "b/notes.avi/readme.txt", "b/more.v1/z.mp4")
    (tmp_path / "a" / "empty.avi").mkdir()
    (tmp_path / "stray.mkv").mkdir()

    video_list = read_dataset(tmp_path)

    assert [i.video_id for i in video_list.items] == [
        "a/empty", "a/x", "b/more.v1/z", "b/notes", "b/y",
    ]  # fmt: skip
    assert [Path(s.path).name for s in video_list.skipped] == ["stray.mkv"]
    with pytest.raises(MissingFilesError, match=r"5 of 5 files cannot be read: .*empty\.avi"):
        check_readable(video_list)


def test_an_empty_folder_beside_folders_of_frames_is_a_video_too(tmp_path: Path) -> None:
    touch(tmp_path, "a/v1/0001.png", "a/v1/0002.png", "b/v3/0001.png", "b/v4/odd.png")
    touch(tmp_path, "b/labels/truth.json")
    (tmp_path / "a" / "v2").mkdir()

    assert ids(tmp_path) == ["a/v1", "a/v2", "b/v3", "b/v4"]


def test_what_is_no_video_is_named_where_files_may_be_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "a/x.mp4", "a/x.srt", "b/y.mp4", "b/Thumbs.db")
    touch(tmp_path, *(f"b/wrong_{i}.txt" for i in range(5)))
    (tmp_path / "b" / "g07").mkdir()

    (told,) = read_dataset(tmp_path).notes
    (named,) = read_dataset(tmp_path, missing="skip").notes

    assert told.startswith("7 items of other kinds left alone (5 .txt, 1 .srt, 1 empty folder): ")
    assert told.endswith("wrong_1.txt, ...")
    assert all(f"wrong_{i}.txt" in named for i in range(5))
    assert "x.srt" not in named


def test_names_with_dots_keep_them(tmp_path: Path) -> None:
    touch(tmp_path, "a.b/v1.2.final.mp4", "c.d/e, f.mp4")

    assert ids(tmp_path) == ["a.b/v1.2.final", "c.d/e, f"]


def test_two_extensions_of_one_name(tmp_path: Path) -> None:
    touch(tmp_path, "a/x.mp4", "a/x.avi", "b/y.mp4")

    assert ids(tmp_path) == ["a/x.avi", "a/x.mp4", "b/y"]


def test_parts_as_folders(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/1.mp4", "train/b/2.mp4", "Validation/a/3.mp4", "test/b/4.mp4")

    video_list = read_dataset(tmp_path)

    assert video_list.class_names == ("a", "b")
    assert {i.video_id: i.split for i in video_list.items} == {
        "Validation/a/3": "val",
        "test/b/4": "test",
        "train/a/1": "train",
        "train/b/2": "train",
    }
    assert not video_list.official_split


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    touch(tmp_path, "train/1.mp4", "bus/2.mp4")

    assert read_dataset(tmp_path).class_names == ("bus", "train")


def test_parts_beside_classes_are_ambiguous(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/1.mp4", "test/a/2.mp4", "bus/3.mp4")

    with pytest.raises(DataError, match="beside them bus with videos"):
        read_dataset(tmp_path)


def test_folders_of_frames_are_videos(tmp_path: Path) -> None:
    put_frames(tmp_path / "a" / "clip one")
    put_frames(tmp_path / "b" / "deep" / "clip.2")

    assert ids(tmp_path) == ["a/clip one", "b/deep/clip.2"]


def test_flat_folders_of_frames_have_no_class(tmp_path: Path) -> None:
    put_frames(tmp_path / "clip one")
    put_frames(tmp_path / "clip two")

    with pytest.raises(DataError, match=r"hold numbered images \(clip one, ...\)"):
        read_dataset(tmp_path)


def test_features_in_class_folders(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.npy", "b/2.npz")

    assert ids(tmp_path) == ["a/1", "b/2"]
    assert ids(tmp_path, layout="features") == ["a/1", "b/2"]


def test_features_beside_videos_are_left_alone(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.npy", "a/1.mp4", "b/2.mp4")

    video_list = read_dataset(tmp_path)

    assert [i.video_id for i in video_list.items] == ["a/1", "b/2"]
    assert any("1 feature file beside videos" in note for note in video_list.notes)


def test_stray_videos_are_listed_as_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.mp4", "b/2.mp4", "stray.mp4")

    (skipped,) = read_dataset(tmp_path).skipped

    assert (Path(skipped.path).name, skipped.reason) == ("stray.mp4", "not in a class folder")


def test_links_are_followed_and_rings_end(tmp_path: Path) -> None:
    touch(tmp_path / "far", "x.mp4")
    root = touch(tmp_path / "data", "a/1.mp4")
    (root / "b").symlink_to(tmp_path / "far")
    (root / "a" / "ring").symlink_to(root / "a")

    assert ids(root) == ["a/1", "b/x"]


def test_link_to_nowhere_is_a_missing_file(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.mp4", "b/2.mp4")
    (tmp_path / "a" / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")

    with pytest.raises(MissingFilesError, match=r"1 of 3 listed files .*gone\.mp4"):
        read_dataset(tmp_path)
    assert ids(tmp_path, missing="skip") == ["a/1", "b/2"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "holds no videos: 0 folders searched"),
        (("a/readme.txt",), "holds no videos: 1 folder searched"),
        (("1.mp4", "2.mp4"), r"holds 2 videos directly \(1\.mp4, ...\) and no class folders"),
        (("videos/1.mp4",), r"has 1 class with files \(videos\)"),
        ((".hidden/1.mp4",), "holds no videos"),
    ],
)
def test_refused_folders(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    touch(tmp_path, *names)

    with pytest.raises(DataError, match=message):
        read_dataset(tmp_path)


def test_one_class_can_be_evaluated(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.mp4")

    assert ids(tmp_path, min_classes=1) == ["a/1"]


@pytest.mark.parametrize("layout", ["ucf101", "hmdb51", "paper_frames", "videofolder", "kinetics"])
def test_layout_that_is_not_there(tmp_path: Path, layout: str) -> None:
    touch(tmp_path, "a/1.mp4", "b/2.mp4")

    with pytest.raises(DataError, match=str(tmp_path)):
        read_dataset(tmp_path, layout=layout)


def groups(root: Path, **arguments: object) -> tuple[str | None, dict[str, str | None]]:
    video_list = read_dataset(root, **arguments)  # type: ignore[arg-type]
    return video_list.grouping, {i.video_id: i.group for i in video_list.items}


def test_group_by_folder(tmp_path: Path) -> None:
    touch(tmp_path, "a/ann/1.mp4", "a/ann/2.mp4", "a/bob/1.mp4", "b/ann/1.mp4", "b/eve/1.mp4")

    how, found = groups(tmp_path)

    assert how == "folder"
    # The same person in two classes is one source.
    assert found["a/ann/1"] == found["a/ann/2"] == found["b/ann/1"] == "ann"


@pytest.mark.parametrize(
    ("names", "how", "expected"),
    [
        (
            ("a/v_a_g01_c01.avi", "a/v_a_g02_c01.avi", "b/v_b_g01_c01.avi", "b/v_b_g25_c07.avi"),
            "pattern _gNN_cNN",
            {"a/v_a_g01_c01": "a/g01", "b/v_b_g01_c01": "b/g01"},
        ),
        (
            ("a/0lh_UWF9ZP4_62_69.avi", "a/-x_3_45678-_1_9.avi", "b/0lh_UWF9ZP4_1_2.avi",
             "b/TZ860P4iTaM_15_28.avi"),
            "pattern <youtube id>_<start>_<end>",
            {"a/0lh_UWF9ZP4_62_69": "0lh_UWF9ZP4", "b/0lh_UWF9ZP4_1_2": "0lh_UWF9ZP4"},
        ),
        (
            ("a/match1_clip01.mp4", "a/match1_clip02.mp4", "a/match2_clip01.mp4",
             "b/m3-part1.mp4", "b/m4-part1.mp4"),
            "pattern <source>_clipN",
            {"a/match1_clip02": "match1", "b/m3-part1": "m3"},
        ),
        (
            ("brush_hair/April_09_brush_hair_u_0.avi", "brush_hair/May_brush_hair_u_0.avi",
             "wave/daria_wave1.avi", "wave/ido_wave.avi"),
            "pattern <source>_<class>",
            {"brush_hair/April_09_brush_hair_u_0": "April_09", "wave/daria_wave1": "daria"},
        ),
    ],
)  # fmt: skip
def test_group_by_known_pattern(
    tmp_path: Path, names: tuple[str, ...], how: str, expected: dict[str, str]
) -> None:
    touch(tmp_path, *names)

    found_how, found = groups(tmp_path)

    assert found_how == how
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    "names",
    [
        # Running numbers show no source.
        ("a/video_0001.mp4", "a/video_0002.mp4", "b/video_0003.mp4", "b/video_0004.mp4"),
        ("a/1.mp4", "a/2.mp4", "b/3.mp4", "b/4.mp4"),
        ("a/001_a.mp4", "a/002_a.mp4", "b/001_b.mp4", "b/002_b.mp4"),
        ("a/walk-001.mp4", "a/walk-002.mp4", "b/x-001.mp4", "b/x-002.mp4"),
        # One group per class would forbid every division.
        ("a/a_clip1.mp4", "a/a_clip2.mp4", "b/b_clip1.mp4", "b/b_clip2.mp4"),
        ("a/videos/1.mp4", "a/videos/2.mp4", "b/videos/3.mp4", "b/videos/4.mp4"),
        # It must fit every file.
        ("a/v_g01_c01.mp4", "a/v_g02_c01.mp4", "b/v_g01_c01.mp4", "b/other.mp4"),
    ],
)
def test_no_group_is_invented(tmp_path: Path, names: tuple[str, ...]) -> None:
    touch(tmp_path, *names)

    how, found = groups(tmp_path)

    assert how is None
    assert set(found.values()) == {None}


def test_own_pattern(tmp_path: Path) -> None:
    touch(tmp_path, "a/p1-x.mp4", "a/p2-x.mp4", "b/p1-y.mp4", "b/p3-y.mp4")

    how, found = groups(tmp_path, group_pattern=r"/(p\d)-")

    assert how == r"pattern /(p\d)-"
    assert found["a/p1-x"] == found["b/p1-y"] == "p1"
    with pytest.raises(DataError, match=r"does not fit 1 of 4 files, the first: b/p3-y\.mp4"):
        read_dataset(tmp_path, group_pattern="(p[12])")


def test_group_by_one_way_only(tmp_path: Path) -> None:
    touch(tmp_path, "a/v_g01_c01.mp4", "a/v_g02_c01.mp4", "b/v_g01_c01.mp4", "b/v_g02_c01.mp4")

    assert groups(tmp_path, group_by="file")[0] is None
    assert groups(tmp_path, group_by="pattern")[0] == "pattern _gNN_cNN"
    with pytest.raises(DataError, match="no groups by folder"):
        read_dataset(tmp_path, group_by="folder")
