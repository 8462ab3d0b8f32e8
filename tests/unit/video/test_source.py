"""`open_video`: one interface over files, folders, arrays, tensors, lists and iterators."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from tests.fakes.media import synthetic_frames

from lrcn.errors import MediaError
from lrcn.video.arrays import ArrayVideo, IteratorVideo
from lrcn.video.frames import IMAGE_EXTENSIONS, read_picture
from lrcn.video.source import VIDEO_EXTENSIONS, is_video_path, open_video
from lrcn.video.writer import VideoWriter

FRAMES = synthetic_frames(10, 24, 32)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """The same ten frames as a lossless file and as a folder."""
    folder = tmp_path_factory.mktemp("sources")
    with VideoWriter(folder / "v.mkv", fps=25, width=32, height=24, codec="ffv1") as writer:
        for frame in FRAMES:
            writer.write(frame)
    (folder / "frames").mkdir()
    for i, frame in enumerate(FRAMES):
        Image.fromarray(frame).save(folder / "frames" / f"{i + 1:03d}.png")
    return folder


def sources(places):
    tensor = torch.from_numpy(FRAMES)
    pictures = [Image.fromarray(frame) for frame in FRAMES]
    return {
        "path": places / "v.mkv",
        "text": str(places / "v.mkv"),
        "bytes": (places / "v.mkv").read_bytes(),
        "file object": io.BytesIO((places / "v.mkv").read_bytes()),
        "folder": places / "frames",
        "THWC array": FRAMES,
        "TCHW array": FRAMES.transpose(0, 3, 1, 2),
        "TCHW tensor": tensor.permute(0, 3, 1, 2),
        "THWC tensor": tensor,
        "int64 tensor": tensor.long(),
        "float tensor": tensor.double().permute(0, 3, 1, 2) / 255,
        "float array": FRAMES.astype(np.float32) / 255,
        "list of arrays": list(FRAMES),
        "list of tensors": list(tensor.permute(0, 3, 1, 2)),
        "list of pictures": pictures,
        "tuple, mixed": (*pictures[:4], *FRAMES[4:7], *tensor.permute(0, 3, 1, 2)[7:]),
        "generator": (frame for frame in FRAMES),
        "iterator of pictures": iter(pictures),
    }


SOURCE_NAMES = (
    "path", "text", "bytes", "file object", "folder", "THWC array", "TCHW array", "TCHW tensor",
    "THWC tensor", "int64 tensor", "float tensor", "float array", "list of arrays",
    "list of tensors", "list of pictures", "tuple, mixed", "generator", "iterator of pictures",
)  # fmt: skip


@pytest.mark.parametrize("name", SOURCE_NAMES)
def test_all_sources_give_the_same_frames(places, name):
    with open_video(sources(places)[name]) as video:
        clips = list(video.iterate(chunk=4))
        frames = torch.cat([clip.frames_TCHW for clip in clips])
        times = torch.cat([clip.pts_seconds_T for clip in clips])
        indices = torch.cat([clip.frame_indices_T for clip in clips])

    assert frames.dtype == torch.uint8
    assert np.array_equal(frames.permute(0, 2, 3, 1).numpy(), FRAMES)
    assert times.tolist() == pytest.approx([i / 25 for i in range(10)], abs=1e-3)
    assert indices.tolist() == list(range(10))
    assert [len(clip) for clip in clips] == [4, 4, 2]
    assert (video.info.height, video.info.width) == (24, 32)
    assert not video.truncated


@pytest.mark.parametrize("ending", sorted({*IMAGE_EXTENSIONS, ".JPG"}))
def test_a_picture_is_a_video_of_one_frame(tmp_path, ending):
    """A photo of some size: FFmpeg would take the name of a JPEG file for a pattern of names."""
    path = tmp_path / f"photo{ending}"
    pixels = np.random.default_rng(0).integers(0, 256, (239, 321, 3), np.uint8)
    Image.fromarray(pixels).save(path)

    with open_video(path) as video:
        (clip,) = video.iterate()

    assert np.array_equal(clip.frames_TCHW[0].permute(1, 2, 0).numpy(), read_picture(path))
    assert clip.pts_seconds_T.tolist() == [0.0]
    path.write_bytes(b"no picture")
    with pytest.raises(MediaError, match=r"photo\.\w+: the image cannot be read"):
        open_video(path)


def test_a_picture_that_moves_is_a_video(tmp_path):
    first, *others = (Image.fromarray(frame) for frame in FRAMES)
    first.save(tmp_path / "moving.png", save_all=True, append_images=others, duration=40)

    with open_video(tmp_path / "moving.png") as video:
        assert video.count() == len(FRAMES)


def test_the_names_are_all_sources(places):
    assert set(SOURCE_NAMES) == set(sources(places))


@pytest.mark.parametrize("name", SOURCE_NAMES)
def test_all_sources_take_intervals_and_thinning(places, name):
    with open_video(sources(places)[name], start_seconds=0.12, end_seconds=0.32) as video:
        clips = list(video.iterate(chunk=4, frame_stride=2))

    indices = [i for clip in clips for i in clip.frame_indices_T.tolist()]
    assert indices == [3, 5, 7]
    first = clips[0].frames_TCHW[0].permute(1, 2, 0).numpy()
    assert np.array_equal(first, FRAMES[3])


@pytest.mark.parametrize("name", SOURCE_NAMES)
def test_random_access_equals_the_sequence(places, name):
    with open_video(sources(places)[name]) as video:
        if "iterator" in name or name == "generator":
            for forbidden in (lambda: video.read([3]), video.count, video.pts_seconds):
                with pytest.raises(MediaError, match="cannot be had from an iterator"):
                    forbidden()
            return
        clip = video.read([7, 1, 7])
        assert video.count() == 10
        assert video.pts_seconds().tolist() == pytest.approx([i / 25 for i in range(10)], abs=1e-3)
        with pytest.raises(ValueError, match="frame 10 was asked for"):
            video.read([10])

    assert np.array_equal(clip.frames_TCHW.permute(0, 2, 3, 1).numpy(), FRAMES[[7, 1, 7]])


def test_grey_and_single_pictures():
    grey = FRAMES[..., 0]

    for source in (grey, torch.from_numpy(grey), grey[..., None], list(grey)):
        with open_video(source) as video:
            clip = video.read([2])
            assert video.count() == 10
        assert np.array_equal(clip.frames_TCHW[0, 1].numpy(), grey[2])
    for picture in (FRAMES[0], torch.from_numpy(FRAMES[0]).permute(2, 0, 1), [FRAMES[0]]):
        with open_video(picture) as video:
            assert video.count() == 1
            assert np.array_equal(video.read([0]).frames_TCHW[0].permute(1, 2, 0), FRAMES[0])


def test_transparent_arrays_lie_over_white():
    clear = np.zeros((2, 8, 8, 4), np.uint8)

    assert ArrayVideo(clear).read([0]).frames_TCHW.min() == 255


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (np.zeros((0, 8, 8, 3), np.uint8), "at least one is needed"),
        (np.zeros((2, 3, 8, 8, 3), np.uint8), r"shape \(2, 3, 8, 8, 3\) is no video"),
        (np.zeros((4, 7, 9, 5), np.uint8), r"shape \(4, 7, 9, 5\) is no video"),
        (np.full((2, 8, 8, 3), 200.0), "values from 200.0 to 200.0"),
        (np.full((2, 8, 8, 3), -1), "values from -1 to -1"),
        (np.full((2, 8, 8, 3), np.nan), "values from nan"),
        ([], "has no frames"),
        (["a.png"], "picture 0 is a str"),
        ([np.zeros((8, 8, 3), np.uint8), np.zeros((9, 8, 3), np.uint8)], "picture 1 is 8x9"),
        (iter([]), "gives no pictures"),
        (iter([np.zeros((8, 8, 3), np.uint8), np.zeros((9, 8, 3), np.uint8)]), "picture 1 is 8x9"),
    ],
)
def test_what_is_no_video_in_memory_is_refused(source, reason):
    with pytest.raises(MediaError, match=reason):
        list(open_video(source).iterate())


def test_iterators_are_read_once_and_no_further_than_needed():
    taken = []

    def endless():
        while True:
            taken.append(len(taken))
            yield FRAMES[0]

    video = IteratorVideo(endless(), fps=10)
    stream = video.iterate(chunk=5)
    next(stream)
    next(stream)

    assert len(taken) == 10
    with pytest.raises(MediaError, match="only once"):
        next(video.iterate())
    assert video.info.fps == 10


def test_other_things_and_empty_intervals_are_refused():
    with pytest.raises(TypeError, match="a int is no video"):
        open_video(3)
    with pytest.raises(ValueError, match=r"from 2\.0 to 1\.0 seconds is empty"):
        open_video(FRAMES, start_seconds=2.0, end_seconds=1.0)
    with pytest.raises(ValueError, match="start_seconds is -1"):
        open_video(FRAMES, start_seconds=-1)
    with pytest.raises(ValueError, match="fps is 0"):
        ArrayVideo(FRAMES, fps=0)


def test_video_names():
    assert is_video_path("a/B.MP4")
    assert is_video_path("x.gif")
    assert not is_video_path("x.jpg")
    assert not is_video_path("mp4")
    assert all(ending == ending.lower() and ending[0] == "." for ending in VIDEO_EXTENSIONS)
