"""UCF101, HMDB51, Kinetics and the paper's lists: their traps and damaged lists."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from tests.fakes import hmdb51, kinetics, paper_frames, ucf101
from tests.fakes.dataset import put_text

from lrcn.data.datasets import read_dataset
from lrcn.data.leaks import refuse_leaks
from lrcn.data.split import divide
from lrcn.errors import ConfigError, DataError, MissingFilesError


def test_ucf101_case_trap(tmp_path: Path) -> None:
    fake = ucf101.build(tmp_path)

    items = read_dataset(fake.data, fold=1).items

    (item,) = [i for i in items if i.video_id.startswith("Handstand") and i.split == "train"]
    assert item.video_id == "HandstandPushups/v_HandStandPushups_g02_c01"
    assert item.group == "HandstandPushups/g02"
    assert Path(item.path).parent.name == "HandStandPushups"


def test_ucf101_from_its_lists_folder(tmp_path: Path) -> None:
    fake = ucf101.build(tmp_path)

    video_list = read_dataset(fake.data / "ucfTrainTestlist", fold=1)

    assert (len(video_list), video_list.layout) == (4, "ucf101")


def test_ucf101_copies_of_another_kind_are_found(tmp_path: Path) -> None:
    fake = ucf101.build(tmp_path)
    fake.listed.rename(fake.data / "videos" / "v_Archery_g01_c01.mp4")  # flat, and not .avi

    video_list = read_dataset(fake.data)

    assert len(video_list) == 4


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("classInd.txt", "0 Archery\n", "numbered from 1"),
        ("trainlist01.txt", "Archery/v_Archery_g02_c01.avi 2\n", "Archery has the number 1"),
        ("trainlist01.txt", "Acrobatics/v_A_g02_c01.avi 2\n", "a class of classInd.txt"),
        ("trainlist01.txt", "v_Archery_g02_c01.avi 1\n", "a class of classInd.txt"),
    ],
)
def test_ucf101_damaged_lists(tmp_path: Path, file: str, text: str, message: str) -> None:
    fake = ucf101.build(tmp_path)
    put_text(fake.data / "ucfTrainTestlist" / file, text)

    with pytest.raises(DataError, match=message):
        read_dataset(fake.data)


def test_ucf101_fold_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"fold 3 .* lists for the folds 1, 2"):
        read_dataset(ucf101.build(tmp_path).data, fold=3)


def test_hmdb51_parts_and_sources(tmp_path: Path) -> None:
    video_list = read_dataset(hmdb51.build(tmp_path).data)

    assert [(i.split, i.group) for i in video_list.items] == [
        ("train", "brush_hair/#20_Ünder"),
        ("test", "brush_hair/April_09"),
        ("train", "wave/(A) b!"),
        ("test", "wave/c"),
    ]
    assert video_list.official_split
    assert "1 clip not used by fold 1" in video_list.notes


def test_hmdb51_names_do_not_overrule_the_lists(tmp_path: Path) -> None:
    fake = hmdb51.build(tmp_path)
    lists = fake.data / "testTrainMulti_7030_splits"
    text = "April_10_brush_hair_u_nm_np1_ba_goo_0.avi {}\nApril_10_brush_hair_x_0.avi {}\n"
    put_text(lists / "brush_hair_test_split1.txt", text.format(1, 2))
    (fake.data / "brush_hair" / "April_10_brush_hair_x_0.avi").write_bytes(b"other")

    division = divide(read_dataset(fake.data), val_fraction=0)

    assert refuse_leaks(dict(division.parts)) == ()


def test_hmdb51_damaged_list(tmp_path: Path) -> None:
    fake = hmdb51.build(tmp_path)
    put_text(fake.data / "testTrainMulti_7030_splits" / "wave_test_split1.txt", "a.avi 3\n")

    with pytest.raises(DataError, match=r"'a\.avi 3'; the lines are"):
        read_dataset(fake.data)


def test_kinetics_interval_only_of_whole_videos(tmp_path: Path) -> None:
    items = read_dataset(kinetics.build(tmp_path).data).items

    assert [(i.group, i.start_seconds, i.end_seconds) for i in items] == [
        ("-Aé_34567890", None, None),
        ("bcdefghijk1", None, None),
        ("cdefghijk12", 0.0, 0.3),
    ]


def test_kinetics_folder_with_a_list_per_part(tmp_path: Path) -> None:
    fake = kinetics.build(tmp_path)
    text = "label,youtube_id,time_start,time_end\nlong jump,cdefghijk12,0,0.3\n"
    put_text(tmp_path / "annotations" / "kinetics-400_test.csv", text)
    (tmp_path / "kinetics.csv").rename(tmp_path / "annotations" / "train.csv")

    video_list = read_dataset(tmp_path, missing="skip")

    assert Counter(i.split for i in video_list.items) == {"train": 2, "val": 1, "test": 1}
    assert video_list.official_split
    assert fake.class_names == video_list.class_names


def test_kinetics_damaged_list(tmp_path: Path) -> None:
    fake = kinetics.build(tmp_path)
    put_text(fake.data, "label,youtube_id,time_start,time_end,split\nrun,abcdefghijk,9,3,train\n")

    with pytest.raises(DataError, match="end comes after its start"):
        read_dataset(fake.data)


def test_paper_frames_keep_the_official_order(tmp_path: Path) -> None:
    video_list = read_dataset(paper_frames.build(tmp_path).data)

    assert video_list.class_names == ("Archery", "HandstandPushups", "Aerobics")
    assert all(Path(item.path).parent.name == "frames" for item in video_list.items)


def test_paper_frames_below_class_folders_are_found(tmp_path: Path) -> None:
    fake = paper_frames.build(tmp_path)
    (fake.data / "frames" / "Archery").mkdir()
    fake.listed.rename(fake.data / "frames" / "Archery" / fake.listed.name)

    assert len(read_dataset(fake.data)) == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Archery/v_Archery_g01_c01\n", "the lines are `ClassFolder/video_name 0`"),
        ("Archery/a 0\nRun/b 0\n", "contradicts an earlier line"),
        ("Archery/a 0\nArchery/b 1\n", "contradicts an earlier line"),
    ],
)
def test_paper_frames_damaged_list(tmp_path: Path, text: str, message: str) -> None:
    fake = paper_frames.build(tmp_path)
    put_text(fake.data / "ucf101_split1_trainVideos.txt", text)

    with pytest.raises(DataError, match=message):
        read_dataset(fake.data)


@pytest.mark.real_data
def test_real_ucf101_without_skipping(real_data: Path) -> None:
    with pytest.raises(MissingFilesError, match=r"^13,116 of 13,320 listed files are absent"):
        read_dataset(real_data / "ucf101-6", fold=1)


@pytest.mark.real_data
@pytest.mark.parametrize("fold", [None, 1, 2, 3])
def test_real_ucf101_folds(real_data: Path, fold: int | None) -> None:
    root = real_data / "ucf101-6"

    video_list = read_dataset(root, fold=fold, missing="skip")

    # Counted from the files' names: fold 1 tests groups 1-7, fold 2 8-14, fold 3 15-21.
    numbers = [
        int(re.search(r"_g(\d+)_", p.name)[1])  # type: ignore[index]
        for p in (root / "videos").glob("*/*.avi")
    ]
    first = 7 * ((fold or 1) - 1) + 1
    tests = sum(first <= number < first + 7 for number in numbers)
    parts = Counter(item.split for item in video_list.items)
    assert parts == {"train": 204 - tests, "test": tests}
    if fold in (None, 1):
        assert parts == {"train": 156, "test": 48}
    assert len(video_list.class_names) == 6
    assert len(video_list.skipped) == 13_116
    assert any("95 published classes without any file" in note for note in video_list.notes)


@pytest.mark.real_data
def test_real_class_folders_need_no_option(real_data: Path) -> None:
    video_list = read_dataset(real_data / "ucf101-6" / "videos")

    division = divide(video_list, test_fraction=0.2)

    assert (len(video_list), video_list.grouping) == (204, "pattern _gNN_cNN")
    assert division.how == "by group"
    assert refuse_leaks(dict(division.parts)) == ()
    assert all(len(part.class_names) == 6 for part in division.parts.values())


def test_ucf101_without_its_index_of_classes(tmp_path: Path) -> None:
    fake = ucf101.build(tmp_path)
    (fake.data / "ucfTrainTestlist" / "classInd.txt").unlink()

    assert read_dataset(fake.data).class_names == fake.class_names
