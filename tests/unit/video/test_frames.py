"""Folders of numbered images as videos."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from tests.fakes.media import synthetic_frames

from lrcn.errors import MediaError
from lrcn.video.frames import FrameFolder, is_frame_folder, read_picture


def fill(folder, names):
    folder.mkdir(exist_ok=True)
    frames = synthetic_frames(max(len(names), 1), 24, 32)[: len(names)]
    for name, frame in zip(names, frames, strict=True):
        Image.fromarray(frame).save(folder / name)
    return frames


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm", "webp"])
def test_frames_come_in_the_order_of_their_numbers(tmp_path, suffix):
    numbers = [10, 2, 1, 100]
    options = [f"frame_{n}.{suffix}" for n in numbers]
    frames = fill(tmp_path / "v", options)

    with FrameFolder(tmp_path / "v", fps=10) as video:
        clip = next(video.iterate())
        picked = video.read([3, 0, 3])

    order = [2, 1, 0, 3]
    if suffix != "webp":  # lossy
        assert np.array_equal(clip.frames_TCHW.permute(0, 2, 3, 1).numpy(), frames[order])
        assert np.array_equal(picked.frames_TCHW[0].permute(1, 2, 0).numpy(), frames[3])
    assert video.frame_numbers == (1, 2, 10, 100)
    assert clip.frame_indices_T.tolist() == [0, 1, 2, 3]
    assert clip.pts_seconds_T.tolist() == pytest.approx([0, 0.1, 0.2, 0.3])
    assert (video.info.num_frames, video.info.fps, video.count()) == (4, 10, 4)
    assert not video.truncated


def test_without_a_clock_times_count_25_per_second(tmp_path):
    fill(tmp_path / "v", [f"{i:06d}.png" for i in range(60)])

    with FrameFolder(tmp_path / "v", start_seconds=1.0, end_seconds=2.0) as video:
        assert video.info.fps is None
        assert video.frame_range() == range(25, 50)
        assert video.pts_seconds()[0] == 1.0
        clips = list(video.iterate(chunk=10, frame_stride=2))
        with pytest.raises(ValueError, match="frame 3 was asked for; the video has frames 25 to 4"):
            video.read([3])

    assert [len(clip) for clip in clips] == [10, 3]
    assert clips[0].frame_indices_T.tolist() == list(range(25, 45, 2))


@pytest.mark.parametrize(
    ("names", "is_video", "reason"),
    [
        (["f1.png", "f2.png"], True, ""),
        (["image_0001.png"], True, ""),
        (["a.0001.x.png", "a.0002.x.png"], True, ""),
        (["f1.png", "g2.png"], False, "g2.png, which is named unlike the others"),
        (["f1.png", "cover.png"], False, "cover.png, which has no number"),
        (["f1.png", "f01.png"], False, "number 1 twice"),
        ([], False, "holds no images"),
    ],
)
def test_which_folders_are_videos(tmp_path, names, is_video, reason):
    fill(tmp_path / "v", names)
    (tmp_path / "v" / ".DS_Store").write_text("hidden")
    (tmp_path / "v" / "Thumbs.db").write_text("hidden")

    assert is_frame_folder(tmp_path / "v") is is_video
    if reason:
        with pytest.raises(MediaError, match=reason):
            FrameFolder(tmp_path / "v")


def test_folders_with_other_things_are_no_videos(tmp_path):
    fill(tmp_path / "text", ["f1.png"])
    (tmp_path / "text" / "notes1.txt").write_text("")
    fill(tmp_path / "nested", ["f1.png"])
    (tmp_path / "nested" / "more").mkdir()

    assert not is_frame_folder(tmp_path / "text")
    assert not is_frame_folder(tmp_path / "nested")
    assert not is_frame_folder(tmp_path / "absent")
    assert not is_frame_folder(tmp_path / "text" / "f1.png")
    with pytest.raises(MediaError, match=r"notes1\.txt, which is no image"):
        FrameFolder(tmp_path / "text")
    with pytest.raises(MediaError, match="cannot be opened"):
        FrameFolder(tmp_path / "absent")


def test_a_broken_picture_is_named(tmp_path):
    fill(tmp_path / "v", [f"f{i}.png" for i in range(5)])
    broken = tmp_path / "v" / "f3.png"
    broken.write_bytes(broken.read_bytes()[:-60])

    with FrameFolder(tmp_path / "v") as video, pytest.raises(MediaError, match=r"f3\.png"):
        list(video.iterate(chunk=2))


def test_another_size_is_named(tmp_path):
    fill(tmp_path / "v", [f"f{i}.png" for i in range(3)])
    Image.new("RGB", (10, 10)).save(tmp_path / "v" / "f1.png")

    with (
        FrameFolder(tmp_path / "v") as video,
        pytest.raises(MediaError, match=r"f1\.png: is 10x10"),
    ):
        video.read([0, 1])


@pytest.mark.parametrize(
    ("mode", "value", "expected"),
    [
        ("L", 128, (128, 128, 128)),
        ("1", 1, (255, 255, 255)),
        ("RGBA", (255, 0, 0, 0), (255, 255, 255)),
        ("RGBA", (255, 0, 0, 255), (255, 0, 0)),
        ("LA", (0, 51), (204, 204, 204)),
        ("I;16", 128 * 257, (128, 128, 128)),
        ("CMYK", (0, 255, 255, 0), (255, 0, 0)),
        ("P", 7, None),
    ],
)
def test_modes_become_rgb(tmp_path, mode, value, expected):
    path = tmp_path / ("p.tif" if mode == "CMYK" else "p.png")
    image = Image.new(mode, (4, 3), value)
    if mode == "P":
        image.putpalette([i for n in range(256) for i in (n, 255 - n, 9)])
        expected = (7, 248, 9)
    image.save(path)

    picture = read_picture(path)

    assert picture.shape == (3, 4, 3)
    assert tuple(picture[1, 1].tolist()) == expected


def test_exif_rotation_is_applied(tmp_path):
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise by 90 degrees to see it upright
    Image.fromarray(pixels).save(tmp_path / "p.jpg", exif=exif, quality=95)

    picture = read_picture(tmp_path / "p.jpg")

    assert picture.shape == (16, 8, 3)
    assert picture[:7].min() > 240
    assert picture[9:].max() < 15
