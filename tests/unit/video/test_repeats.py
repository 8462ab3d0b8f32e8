"""Repeated frames: exact copies, copies after another encoding, and what is none."""

from __future__ import annotations

import numpy as np
import pytest
from tests.fakes.flow import sliding_frames
from tests.fakes.media import run_ffmpeg

from lrcn.video.repeats import RepeatFinder, count_blank
from lrcn.video.source import open_video
from lrcn.video.writer import VideoWriter


def _found(frames):
    finder = RepeatFinder()
    for frame in frames:
        finder.see(frame)
    return finder.result()


def _read(path):
    with open_video(path) as video:
        return [f.permute(1, 2, 0).numpy() for c in video.iterate() for f in c.frames_TCHW]


@pytest.fixture(scope="module")
def frames():
    return sliding_frames(50, 1.0, 0.5)


def test_moving_frames_repeat_nothing(frames):
    assert _found(frames) is None


@pytest.mark.parametrize(("every", "rate"), [(2, "twice"), (5, "5/4 of"), (6, "6/5 of")])
def test_regular_copies_tell_the_rate(frames, every, rate):
    shown = [t - t // every for t in range(50)]

    found = _found(frames[shown])

    assert found is not None
    assert (found.num_frames, found.num_repeated, found.every) == (50, 49 // every, every)
    assert f"one in {every}" in str(found)
    assert f"taken at {rate} its rate" in str(found)


def test_irregular_copies_are_counted(frames):
    found = _found(frames[[0, 1, 1, 2, 3, 3, 4]])

    assert found is not None
    assert (found.num_repeated, found.every) == (2, None)


def test_a_picture_that_stands_still_has_no_rate(frames):
    found = _found(frames[[0] * 10])

    assert found is not None
    assert (found.num_repeated, found.every) == (9, None)


@pytest.mark.parametrize("encoding", ["-c:v libx264 -crf 23", "-c:v mpeg4 -q:v 4"])
def test_copies_are_found_after_another_encoding(frames, tmp_path, encoding):
    source, taken = tmp_path / "source.mkv", tmp_path / "taken.mkv"
    with VideoWriter(source, fps=25, width=64, height=48, codec="ffv1") as writer:
        for frame in frames:
            writer.write(frame)
    run_ffmpeg("-i", source, "-r", "30", *encoding.split(), taken)

    found = _found(_read(taken))

    assert _found(_read(source)) is None
    assert found is not None
    assert found.every == 6
    assert 7 <= found.num_repeated <= 10


def test_little_motion_is_not_none():
    rng = np.random.default_rng(0)
    quiet = 100 + rng.integers(0, 3, (40, 20, 20)).astype(np.uint8)

    assert _found(quiet) is None


def test_blank_flow_images():
    images = np.full((4, 3, 6, 6), 128, np.uint8)
    images[2, 0, 1, 1] = 160
    images[3, 1] = 130

    assert count_blank(images, 128.0) == 3
