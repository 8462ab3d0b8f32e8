"""The original code's files as its users have them, and the traps in them (paper.md 5.3, 6)."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.fakes import paper_frames, paper_images
from tests.fakes.dataset import put_frames, put_text

from lrcn.data.datasets import check_readable, read_dataset
from lrcn.errors import DataError
from lrcn.video.features import read_features
from lrcn.video.frames import FrameFolder
from lrcn.video.source import open_video

HANDSTAND = "v_HandStandPushups_g09_c01"


def add_features(root: Path) -> None:
    """Two files, as after 50,000 frames; a dataset per video name."""
    import h5py

    names = sorted(path.name for path in (root / "frames").iterdir())
    for k, part in enumerate((names[:2], names[2:])):
        with h5py.File(root / f"extracted_features_{k}.h5", "w") as file:
            for name in part:
                file[name] = np.full((3, 4096), names.index(name), np.float32)


def test_classes_and_videos_written_in_two_cases_are_one(tmp_path: Path) -> None:
    fake = paper_frames.build(tmp_path)
    # The list says HandstandPushups/v_HandStandPushups...; test lists and disks differ.
    (tmp_path / "frames" / HANDSTAND).rename(tmp_path / "frames" / HANDSTAND.lower())
    put_frames(tmp_path / "frames" / "v_HandStandPushups_g01_c01", 9)
    put_text(
        tmp_path / "ucf101_split1_testVideos.txt",
        "Archery/v_Archery_g01_c01 0\nHandStandPushups/v_HandstandPushups_g01_c01 36\n",
    )

    video_list = read_dataset(fake.data)

    assert len(video_list) == 5
    assert video_list.class_names == ("Archery", "HandstandPushups", "Aerobics")


def test_frames_begin_with_number_1_and_all_are_seen(tmp_path: Path) -> None:
    paper_frames.build(tmp_path)

    item = read_dataset(tmp_path).items[0]

    folder = FrameFolder(item.path)
    assert folder.frame_numbers == (1, 2, 3)
    assert folder.read([0, 1, 2]).frame_indices_T.tolist() == [0, 1, 2]


def test_flow_images_begin_with_number_2(tmp_path: Path) -> None:
    fake = paper_frames.build(tmp_path)
    flow = paper_frames.add_flow(tmp_path)

    assert all("frames" in item.path for item in read_dataset(fake.data).items)
    video_list = read_dataset(fake.data, videos_root=flow)

    assert len(video_list) == 4
    for item in check_readable(video_list, missing="error").items:
        assert Path(item.path).parent == flow
        assert FrameFolder(item.path).frame_numbers == (2, 3)


def test_flow_images_alone_need_no_option(tmp_path: Path) -> None:
    fake = paper_frames.build(tmp_path)
    paper_frames.add_flow(tmp_path)
    shutil.rmtree(tmp_path / "frames")

    assert all("flow_images" in item.path for item in read_dataset(fake.data).items)


@pytest.mark.parametrize("place", ["beside the list", "folder", "file"])
def test_features_by_video_name_in_several_files(tmp_path: Path, place: str) -> None:
    fake = paper_frames.build(tmp_path)
    add_features(tmp_path)
    names = sorted(path.name for path in (tmp_path / "frames").iterdir())
    root: Path | None = None
    if place == "beside the list":
        shutil.rmtree(tmp_path / "frames")
    elif place == "folder":
        root = tmp_path / "features"
        root.mkdir()
        for path in tmp_path.glob("*.h5"):
            path.rename(root / path.name)
    else:
        root = tmp_path / "extracted_features_0.h5"

    video_list = read_dataset(fake.data, videos_root=root, missing="skip", min_classes=1)

    assert len(video_list) == (2 if place == "file" else 4)
    for item in video_list.items:
        features = read_features(item.path, item.video_id)
        assert features.shape == (3, 4096)
        assert features[0, 0] == names.index(item.video_id.rsplit("/", 1)[-1])


@pytest.mark.parametrize("home", [".", "..", "a.b/c.d", "./x/../x"])
def test_dots_in_paths_cut_nothing_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    (tmp_path / "work" / "x").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    name = "v_1.5x speed_g01_c01"
    for video in (name, "v_Run_g02_c01"):
        put_frames(Path(home) / "frames" / video, pattern=video + ".{:04d}.jpg")
    lines = f"Speed/{name} 0\nRun/v_Run_g02_c01 1\n"
    put_text(Path(home) / "ucf101_split1_trainVideos.txt", lines)

    items = read_dataset(home).items

    assert [Path(item.path).name for item in items] == [name, "v_Run_g02_c01"]
    assert all(open_video(item.path).count() == 3 for item in items)


def test_lists_among_the_rest_of_the_original_folder(tmp_path: Path) -> None:
    paper_frames.build(tmp_path)
    for name in ("classify_video.py", "lstm_solver_RGB.prototxt", "README.txt", "run_lstm.sh"):
        put_text(tmp_path / name, "x 1\n")
    paper_images.build(tmp_path / "other")
    for path in (tmp_path / "other").glob("*.txt"):
        path.rename(tmp_path / path.name)

    assert read_dataset(tmp_path).layout == "paper_frames"
    alone = read_dataset(tmp_path / "ucf101_split1_trainVideos.txt")
    assert (alone.layout, len(alone)) == ("paper_frames", 3)


def test_single_frame_lists_mean_the_videos(tmp_path: Path) -> None:
    fake = paper_images.build(tmp_path)

    video_list = read_dataset(fake.data)

    by_name = {Path(item.path).name: item for item in video_list.items}
    assert by_name[HANDSTAND].class_names == ("HandstandPushups",)
    assert by_name[HANDSTAND].group == "HandstandPushups/g09"
    assert sorted(str(item.split) for item in video_list.items) == ["test"] + ["train"] * 3
    one = read_dataset(tmp_path / "ucf101_singleFrame_RGB_train_split1.txt")
    assert (one.layout, len(one), one.items[0].split) == ("paper_images", 3, None)


def test_single_frame_lists_of_flow(tmp_path: Path) -> None:
    fake = paper_images.build(tmp_path)
    paper_frames.add_flow(tmp_path)
    line = f"{HANDSTAND}/flow_image_{HANDSTAND}.0002.jpg 36\n"
    other = "v_Archery_g01_c01/flow_image_v_Archery_g01_c01.0002.jpg 0\n"
    flow_list = put_text(tmp_path / "ucf101_singleFrame_flow_train_split1.txt", line + other)

    both = read_dataset(fake.data)
    flow = read_dataset(flow_list, videos_root=tmp_path / "flow_images")

    assert len(both) == 4  # those of RGB
    assert all("flow_images" in item.path for item in flow.items)


def test_single_frame_lists_of_other_names_keep_their_numbers(tmp_path: Path) -> None:
    for name in ("clip a", "clip b", "clip c"):
        put_frames(tmp_path / name)
    text = "clip a/0001.png 7\nclip b/0001.png 10\n./clip c/0002.png 7\n"
    path = put_text(tmp_path / "my_singleFrame_rgb_train_split2.txt", text)

    assert read_dataset(path, fold=2).class_names == ("7", "10")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("v_A_g01_c01/x.0001.jpg\n", "line 1: .*the lines are"),
        ("\nx.0001.jpg 3\n", "line 2: .*the lines are"),
        ("v_A_g01_c01/1.jpg 0\nv_A_g01_c01/2.jpg 1\n", "has the label 1, but 0 before"),
        ("v_A_g01_c01/1.jpg 0\nv_B_g01_c01/2.jpg 0\n", "contradicts an earlier line"),
    ],
)
def test_damaged_single_frame_lists(tmp_path: Path, text: str, message: str) -> None:
    paper_images.build(tmp_path)
    put_text(tmp_path / "ucf101_singleFrame_RGB_train_split1.txt", text)

    with pytest.raises(DataError, match=message):
        read_dataset(tmp_path)


def test_blanks_and_line_ends_of_other_systems(tmp_path: Path) -> None:
    paper_frames.build(tmp_path)
    list_path = tmp_path / "ucf101_split1_trainVideos.txt"
    text = list_path.read_text(encoding="utf-8").replace(" ", "\t").replace("\n", "  \r\n")
    put_text(list_path, text.replace("Archery/", "Archery\\"))

    assert len(read_dataset(tmp_path)) == 4


def test_a_video_has_one_id_whatever_of_it_is_listed(tmp_path: Path) -> None:
    """Frames, flow images, features and single frames: fused results match by these ids."""
    names = {"Archery/v_Archery_g01_c01": 0, "HandstandPushups/v_HandStandPushups_g09_c01": 36}
    videos, pictures = tmp_path / "videos", tmp_path / "pictures"
    listed = "".join(f"{name} {label}\n" for name, label in names.items())
    put_text(videos / "ucf101_split1_trainVideos.txt", listed)
    lines = []
    for number, (name, label) in enumerate(names.items()):
        video = name.split("/")[1]
        for root in (videos, pictures):
            put_frames(root / "frames" / video, number, pattern=video + ".{:04d}.jpg")
        lines += [f"{video}/{video}.{k:04d}.jpg {label}\n" for k in (1, 2, 3)]
    put_text(pictures / "ucf101_singleFrame_RGB_train_split1.txt", "".join(lines))
    flow = paper_frames.add_flow(videos)
    add_features(videos)
    features = videos / "extracted_features_0.h5"

    found = [
        read_dataset(videos),
        read_dataset(videos, videos_root=flow),
        read_dataset(videos, videos_root=features),
        read_dataset(pictures),
    ]

    for video_list in found:
        assert {item.video_id for item in video_list.items} == set(names)
    item = found[2].items[1]
    assert (read_features(item.path, item.video_id) == 1).all()


def test_a_list_under_another_name_is_told_its_layout(tmp_path: Path) -> None:
    put_text(tmp_path / "mine.txt", "Archery/v_Archery_g01_c01 0\n")
    put_text(tmp_path / "other.txt", "something else\n")

    with pytest.raises(DataError, match="--layout paper_frames"):
        read_dataset(tmp_path / "mine.txt")
    with pytest.raises(DataError, match="Add a header"):
        read_dataset(tmp_path / "other.txt")
