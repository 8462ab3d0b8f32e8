"""Written files: whole or absent, the same bytes each time, the frames that were given."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.fakes.media import decoded_by_ffmpeg, synthetic_frames

from lrcn.errors import OutputError
from lrcn.video.reader import VideoReader
from lrcn.video.writer import VideoWriter


def write(path, frames, **settings):
    height, width = frames.shape[1:3]
    settings = {"fps": 25, **settings}
    with VideoWriter(path, width=width, height=height, **settings) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def read(path):
    with VideoReader(path) as reader:
        clip = next(reader.iterate(chunk=100))
        assert reader.count() == len(clip)
        assert not reader.truncated
    return clip.frames_TCHW.permute(0, 2, 3, 1).numpy(), clip.pts_seconds_T


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("a.mp4", {"crf": 12}),
        ("a.mkv", {"gop": 4, "crf": 12, "pix_fmt": "yuv444p"}),
        ("a.avi", {"codec": "mpeg4", "bitrate": 4_000_000, "options": {"bf": "2"}}),
        ("a.webm", {"codec": "libvpx-vp9", "bitrate": 4_000_000, "options": {"cpu-used": "8"}}),
        ("a.mov", {"codec": "mjpeg", "options": {"qmin": "2", "qmax": "2"}}),
    ],
)
def test_frames_come_back_and_bytes_repeat(tmp_path, name, settings):
    frames = synthetic_frames(9, 48, 64)

    first = write(tmp_path / name, frames, **settings)
    content = first.read_bytes()
    again = write(tmp_path / name, frames, **settings).read_bytes()

    back, times = read(first)
    assert content == again
    assert back.shape == frames.shape
    assert np.abs(back.astype(int) - frames).mean() < 9  # chroma at half size
    assert abs((back.astype(int) - frames).mean()) < 2  # no shift of colours or range
    assert times.tolist() == pytest.approx([i / 25 for i in range(9)], abs=1e-3)
    assert len(decoded_by_ffmpeg(first, 48, 64)) == 9


def test_h264_bytes_do_not_depend_on_what_was_in_memory(tmp_path):
    """x264's macroblock tree reads memory that it never wrote; noise in freed memory shows it."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (11, 13, 3), dtype=np.uint8)
    texture = np.repeat(np.repeat(coarse, 8, 0), 8, 1)
    frames = np.stack([np.roll(texture, 3 * i, 1)[:80, :102] for i in range(12)])
    found = set()
    noise: list[bytes] = []
    for _ in range(6):
        noise = [rng.bytes(int(rng.integers(1_000, 60_000))) for _ in range(20)]
        found.add(write(tmp_path / "a.mkv", frames, fps=29.97).read_bytes())

    assert len(noise) == 20
    assert len(found) == 1


def test_lossless_is_lossless(tmp_path):
    frames = synthetic_frames(5, 45, 61)

    assert np.array_equal(read(write(tmp_path / "a.mkv", frames, codec="ffv1"))[0], frames)


@pytest.mark.parametrize(("height", "width"), [(45, 64), (48, 61), (45, 61)])
def test_odd_sizes_repeat_the_edge(tmp_path, height, width):
    back, _ = read(write(tmp_path / "a.mp4", synthetic_frames(3, height, width), crf=10))

    assert back.shape[1:3] == (height + height % 2, width + width % 2)
    kept = read(write(tmp_path / "b.mp4", synthetic_frames(3, height, width), pix_fmt="yuv444p"))
    assert kept[0].shape[1:3] == (height, width)


def test_tensors_and_arrays_write_the_same(tmp_path):
    frames = synthetic_frames(4, 32, 32)
    write(tmp_path / "arrays.mp4", frames)
    with VideoWriter(tmp_path / "tensors.mp4", fps=25, width=32, height=32) as writer:
        for frame in torch.from_numpy(frames).permute(0, 3, 1, 2):
            writer.write(frame)

    assert (tmp_path / "tensors.mp4").read_bytes() == (tmp_path / "arrays.mp4").read_bytes()


def test_times_of_ones_own(tmp_path):
    path, times = tmp_path / "a.mp4", [0.0, 0.1, 0.35, 2.0]
    with VideoWriter(path, fps=10, width=32, height=32, variable_rate=True) as writer:
        for frame, seconds in zip(synthetic_frames(4, 32, 32), times, strict=True):
            writer.write(frame, pts_seconds=seconds)
        with pytest.raises(ValueError, match="variable_rate"):
            writer.write(frame)

    assert read(path)[1].tolist() == pytest.approx(times, abs=1e-3)


def test_a_file_of_variable_rate_is_as_long_as_its_last_time(tmp_path):
    path = tmp_path / "a.mp4"
    times = [0.0, 0.1, 0.15, 0.9, 2.6, 2.62, 2.7, 4.4, 4.5, 6.2, 6.3]
    with VideoWriter(path, fps=10, width=64, height=48, variable_rate=True) as writer:
        for frame, seconds in zip(synthetic_frames(11, 48, 64), times, strict=True):
            writer.write(frame, pts_seconds=seconds)

    with VideoReader(path) as reader:
        assert 6.3 <= reader.info.duration_seconds < 6.5


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_leaves_what_was_there(tmp_path, error):
    path = tmp_path / "a.mp4"
    path.write_text("before")

    def interrupted():
        with VideoWriter(path, fps=25, width=32, height=32) as writer:
            writer.write(synthetic_frames(1, 32, 32)[0])
            raise error

    with pytest.raises(error):
        interrupted()

    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_what_cannot_be_written_is_refused(tmp_path):
    def open_writer(name="a.mp4", **settings):
        return VideoWriter(tmp_path / name, **{"fps": 25, "width": 32, "height": 32, **settings})

    with pytest.raises(OutputError, match="cannot be written with nonsense"):
        open_writer(codec="nonsense")
    with pytest.raises(OutputError, match=r"a\.unknown"):
        open_writer("a.unknown")
    with pytest.raises(OutputError, match="cannot be written with aac"):
        open_writer(codec="aac")
    with pytest.raises(OutputError, match="cannot be written with libx264"):
        open_writer(pix_fmt="nonsense")
    with pytest.raises(ValueError, match="must be positive"):
        open_writer(width=0)
    with pytest.raises(OutputError, match="not one frame was written"), open_writer():
        pass
    with pytest.raises(ValueError, match="expected uint8, 32 x 32 x 3"), open_writer() as writer:
        writer.write(np.zeros((32, 33, 3), np.uint8))
    with pytest.raises(ValueError, match="a frame is float64"), open_writer() as writer:
        writer.write(np.zeros((32, 32, 3)))
    assert list(tmp_path.iterdir()) == []


def test_folders_are_made(tmp_path):
    assert write(tmp_path / "new/deep/a.mp4", synthetic_frames(2, 32, 32)).is_file()
