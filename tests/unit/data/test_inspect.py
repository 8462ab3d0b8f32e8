"""`inspect` finds every fault in a data set that has them all, and none in a good one."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.fakes.dataset import put_text

from lrcn.data.datasets import check_readable, read_dataset
from lrcn.data.inspect import Inspection, inspect
from lrcn.data.scan import FileReport, bits_apart, difference_hash
from lrcn.data.suspects import find_look_alikes
from lrcn.errors import DataError, MissingFilesError
from lrcn.structures import VideoItem
from lrcn.video.source import open_video
from lrcn.video.writer import VideoWriter


def film(path: Path, source: int, *, num_frames: int = 70, crf: int = 20, size: int = 64) -> Path:
    """A film of one source: a textured picture that moves; other settings, other bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = torch.from_numpy(np.random.default_rng(source).uniform(0, 255, (1, 3, 6, 6)))
    picture = torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic")[0]
    frames = picture.clamp(0, 255).to(torch.uint8)
    with VideoWriter(path, fps=10, width=size, height=size, crf=crf) as writer:
        for i in range(num_frames):
            writer.write(torch.roll(frames, i, 2).permute(1, 2, 0).contiguous().numpy())
    return path


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Inspection:
    """Four good films, and one of every fault."""
    root = tmp_path_factory.mktemp("faulty")
    for number, name in enumerate(("jump/jump_1", "jump/jump_2", "walk/walk_1", "walk/walk_2")):
        film(root / f"{name}.mp4", number)
    shutil.copy(root / "jump/jump_1.mp4", root / "jump/jump_3.mp4")
    shutil.copy(root / "jump/jump_2.mp4", root / "walk/walk_3.mp4")
    film(root / "walk/walk_4.mp4", 2, crf=35)
    film(root / "jump/jump_4.mp4", 2, crf=30, num_frames=60)
    for number in range(5, 25):
        film(root / f"walk/walk_{number}.mp4", number, num_frames=3)
    film(root / "walk/jump_30.mp4", 30, num_frames=3)
    film(root / "cut.mp4", 31)
    data = (root / "cut.mp4").read_bytes()
    (root / "cut.mp4").unlink()
    film(root / "walk/walk_cut.mkv", 31)
    data = (root / "walk/walk_cut.mkv").read_bytes()
    (root / "walk/walk_cut.mkv").write_bytes(data[: len(data) * 2 // 3])
    put_text(root / "walk/walk_text.mp4", "no video at all")
    (root / "jump" / "jump_empty.mp4").touch()
    (root / "jump" / "jump_gone.mp4").symlink_to(root / "nowhere.mp4")
    return inspect(root, threads=2)


def names(paths: object) -> set[str]:
    return {Path(path).name for path in paths}  # type: ignore[attr-defined]


def test_finds_every_fault(faulty: Inspection) -> None:
    assert names(s.path for s in faulty.video_list.skipped) == {"jump_gone.mp4"}
    assert names(r.path for r in faulty.with_status("unreadable")) == {
        "walk_text.mp4",
        "jump_empty.mp4",
    }
    assert names(r.path for r in faulty.with_status("truncated")) == {"walk_cut.mkv"}
    assert {frozenset(names(i.path for i in same)) for same in faulty.duplicates} == {
        frozenset({"jump_1.mp4", "jump_3.mp4"}),
        frozenset({"jump_2.mp4", "walk_3.mp4"}),
    }


def test_mislabelled_looking_files_with_the_sign(faulty: Inspection) -> None:
    found = {(Path(s.path).name, s.kind) for s in faulty.suspects}

    assert found == {
        ("walk_3.mp4", "content"),
        ("jump_30.mp4", "name"),
        ("walk_1.mp4", "look-alike"),
        ("walk_4.mp4", "look-alike"),
    }
    assert any(s.reason == "labelled walk, but its name says jump" for s in faulty.suspects)


def test_look_alikes_of_one_class(faulty: Inspection) -> None:
    pairs = [{Path(p.first).name, Path(p.second).name} for p in faulty.look_alikes if p.same_class]

    assert pairs == [{"walk_1.mp4", "walk_4.mp4"}]


def test_lengths_are_counted(faulty: Inspection) -> None:
    by_name = {Path(r.path).name: r for r in faulty.files}

    assert (by_name["walk_1.mp4"].num_frames, by_name["walk_1.mp4"].fps) == (70, 10.0)
    assert by_name["walk_1.mp4"].duration_seconds == pytest.approx(7.0)
    assert 0 < (by_name["walk_cut.mkv"].num_frames or 0) < 70
    assert by_name["walk_text.mp4"].num_frames is None


def test_clean_list_is_a_data_set_of_the_good(faulty: Inspection, tmp_path: Path) -> None:
    number = faulty.clean_list(tmp_path / "clean.csv")

    cleaned = inspect(tmp_path / "clean.csv")
    assert len(cleaned.video_list) == number
    gone = names(i.path for i in faulty.video_list.items) - names(
        i.path for i in cleaned.video_list.items
    )
    # Of a contradicting pair neither can be trusted; a truncated file is used as far as it goes.
    assert gone == {
        "walk_text.mp4", "jump_empty.mp4", "jump_3.mp4", "jump_2.mp4", "walk_3.mp4",
    }  # fmt: skip
    assert cleaned.duplicates == ()
    assert cleaned.with_status("unreadable") == ()


def test_text_and_json(faulty: Inspection) -> None:
    text = str(faulty)
    for line in ("unreadable: 2", "truncated: 1", "duplicates (equal content): 2", "missing: 1"):
        assert f"\n{line}\n" in text
    assert "groups: none found" in text
    assert re.search(r"^\d+ problems: \d+ items usable", text.splitlines()[-1])
    found = json.loads(json.dumps(faulty.to_dict(), allow_nan=False))
    assert found["num_items"] == len(faulty.video_list)
    assert len(found["files"]) == found["num_files"] == len(faulty.reports)
    assert found["class_counts"]["jump"] == 5
    assert len(found["left_out"]) == 5
    assert str(Path(found["unreadable"][0]["path"]).name) in found["unreadable"][0]["reason"]


@pytest.fixture
def good(tmp_path: Path) -> Path:
    for number, name in enumerate(("a/1", "a/2", "b/3", "b/4")):
        film(tmp_path / "good" / f"{name}.mp4", number, num_frames=40)
    return tmp_path / "good"


def test_nothing_wrong(good: Path) -> None:
    done: list[tuple[int, int]] = []

    found = inspect(good, progress=lambda *counts: done.append(counts))

    assert found.num_problems == 0
    assert done == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert str(found).endswith("nothing wrong was found: 4 items usable")


def test_leaks_between_given_parts(good: Path, tmp_path: Path) -> None:
    rows = ["path,label,group,split"]
    rows += ["a/1.mp4,a,g1,train", "a/2.mp4,a,g1,test", "b/3.mp4,b,g2,train", "b/4.mp4,b,g3,test"]
    put_text(good / "list.csv", "\n".join(rows))

    found = inspect(good / "list.csv")

    ((first, second, leak),) = found.leaks
    assert (first, second, leak.name) == ("train", "test", "g1")
    assert "group g1 (a/1 and a/2) in train and test" in str(found)
    assert {i.video_id for i in found.left_out()} == {"a/1"}


def test_intervals_after_the_end(good: Path) -> None:
    rows = ["path,label,start,end", "a/1.mp4,a,0,2", "a/1.mp4,b,9,12", "b/3.mp4,b,,"]
    put_text(good / "list.csv", "\n".join(rows))

    found = inspect(good / "list.csv")

    assert len(found.reports) == 2
    (suspect,) = found.suspects
    assert suspect.reason == "its interval begins at 9 seconds, the video ends at 4"
    assert [i.start_seconds for i in found.left_out()] == [9.0]


def test_features_are_inspected(tmp_path: Path) -> None:
    for name in ("a/1", "a/2", "b/3"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        np.save(tmp_path / f"{name}.npy", np.full((5, 7), int(name[-1]), np.float32))
    (tmp_path / "b" / "4.npy").write_bytes(b"nothing")

    found = inspect(tmp_path)

    assert "feature_dim: 7 (3)" in str(found)
    assert names(r.path for r in found.with_status("unreadable")) == {"4.npy"}


def test_clean_list_of_nothing(tmp_path: Path) -> None:
    for name in ("a/1.mp4", "b/2.mp4"):
        put_text(tmp_path / name, "no video")

    with pytest.raises(DataError, match="none of the 2 items"):
        inspect(tmp_path).clean_list(tmp_path / "clean.csv")


def test_readable_files_pass_the_probe_unchanged(good: Path) -> None:
    video_list = read_dataset(good)

    assert check_readable(video_list) is video_list


def test_probe_names_what_cannot_be_read(good: Path) -> None:
    put_text(good / "a" / "bad.mp4", "no video")
    (good / "b" / "empty.avi").touch()
    video_list = read_dataset(good)

    with pytest.raises(MissingFilesError, match=r"2 of 6 files cannot be read: .*bad\.mp4"):
        check_readable(video_list)
    left = check_readable(video_list, missing="skip", threads=1)
    assert len(left) == 4
    assert names(s.path for s in left.skipped) == {"bad.mp4", "empty.avi"}
    assert left.notes[-1] == "2 unreadable files left out"
    assert left.class_names == ("a", "b")


def test_probe_with_nothing_left(good: Path) -> None:
    video_list = read_dataset(good)
    bad = put_text(good / "a" / "bad.mp4", "no video")
    items = [replace(video_list.items[0], path=str(bad))]

    with pytest.raises(MissingFilesError, match="1 of 1 file cannot be read"):
        check_readable(replace(video_list, items=tuple(items)), missing="skip")


def test_difference_hash_survives_scaling_and_tells_pictures_apart() -> None:
    generator = torch.Generator().manual_seed(1)
    pictures = [
        torch.nn.functional.interpolate(
            torch.rand(1, 3, 8, 9, generator=generator) * 255, (96, 108), mode="bilinear"
        )[0]
        for _ in range(2)
    ]
    smaller = torch.nn.functional.interpolate(pictures[0][None], (48, 54), mode="area")[0]

    left, other, small = (difference_hash(p) for p in (*pictures, smaller))

    assert bits_apart((left,), (small,))[0] <= 4
    assert bits_apart((left,), (other,))[0] >= 16
    assert difference_hash(torch.full((3, 32, 32), 7.0)) is None
    assert bits_apart((left, None), (None, other)) == []


def test_one_like_frame_among_many_is_not_enough() -> None:
    marks = {"a": (1, 2, 4), "b": (1, ~2 & (2**64 - 1), ~4 & (2**64 - 1)), "c": (3, 2, 4)}
    items = [VideoItem(path=name, video_id=name, class_names=("x",)) for name in marks]
    reports = {
        (name, ""): FileReport(path=name, video_id=name, status="ok", fingerprint=found)
        for name, found in marks.items()
    }

    (pair,) = find_look_alikes(items, reports, [])

    assert (pair.first, pair.second, pair.bits) == ("a", "c", pytest.approx(1 / 3))


@pytest.mark.real_data
def test_real_clips_of_one_source_look_alike(real_data: Path) -> None:
    root = real_data / "ucf101-6" / "videos" / "Archery"
    marks = {}
    for name in ("v_Archery_g13_c01", "v_Archery_g13_c02", "v_Archery_g01_c04"):
        with open_video(root / f"{name}.avi") as video:
            marks[name] = tuple(
                difference_hash(clip.frames_TCHW[0]) for clip in video.iterate(chunk=32)
            )
    first, twin, other = marks.values()

    assert max(bits_apart(first, twin)) <= 8
    assert min(bits_apart(first, other)) > 8
