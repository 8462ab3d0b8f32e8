"""The frame index: when packets may be trusted, how times are made, what contradicts it."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from tests.fakes.media import synthetic_frames

from lrcn.video.index import (
    Clock,
    FrameNote,
    PacketNote,
    index_from_frames,
    index_from_packets,
)
from lrcn.video.pixels import Orientation
from lrcn.video.reader import VideoReader
from lrcn.video.writer import VideoWriter


def clock(*, by_count: bool = False) -> Clock:
    return Clock(time_base=0.1, period_seconds=0.1, by_count=by_count)


def packets(*stamps: int | None, keys: tuple[int, ...] = (0,), size: int = 100):
    return [PacketNote(pts, i, i in keys, size, is_flawed=False) for i, pts in enumerate(stamps)]


def index_of(notes, codec="h264", *, can_seek=True):
    return index_from_packets(notes, codec=codec, clock=clock(), can_seek=can_seek)


def test_reordered_packets_are_put_in_the_order_of_their_times():
    index = index_of(packets(5, 8, 6, 7, 11, 9, 10, keys=(0, 4)))

    assert index is not None
    assert list(index.raw_pts) == [5, 6, 7, 8, 9, 10, 11]
    assert list(index.pts_seconds) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert [key.frame_index for key in index.keys] == [0, 6]
    assert index.find_key(11, None) == index.keys[1]
    assert index.find_key(9, 5) is None
    assert [index.key_number_before(i) for i in (0, 5, 6)] == [0, 0, 1]


@pytest.mark.parametrize(
    ("notes", "codec"),
    [
        ([], "h264"),
        (packets(0, 1, 2), "vp8"),  # hidden frames
        (packets(0, None, 2), "h264"),  # no time
        (packets(0, 1, 1), "h264"),  # one time twice
        (packets(2, 0, 1), "h264"),  # frames shown before the first key frame
        (packets(0, 1, 2, keys=(1,)), "h264"),  # starts in the middle of a group
        (packets(0, 1, 2, size=7), "mpeg4"),  # "not coded" beside packed B-frames
        (packets(0, 1, size=0), "h264"),
        ([*packets(0, 1), PacketNote(2, 2, False, 100, is_flawed=True)], "h264"),
    ],
)
def test_doubtful_packets_make_no_index(notes, codec):
    assert index_of(notes, codec) is None


def test_without_seeking_only_the_beginning_is_a_start():
    index = index_of(packets(0, 1, 2, 3, keys=(0, 2)), can_seek=False)

    assert [key.frame_index for key in index.keys] == [0]


def test_after_decoding_keys_are_paired_by_time_or_one_by_one():
    notes = packets(0, 3, 1, 2, 4, keys=(0, 4))
    times = [0.0, 0.1, 0.2, 0.3, 0.4]
    in_order = [FrameNote(i, i in (0, 4)) for i in range(5)]
    without_times = [FrameNote(None, i in (0, 4)) for i in range(5)]
    odd_number = [FrameNote(None, i == 0) for i in range(5)]

    by_time = index_from_frames(in_order, notes, pts_seconds=times, can_seek=True)
    by_order = index_from_frames(without_times, notes, pts_seconds=times, can_seek=True)
    none = index_from_frames(odd_number, notes, pts_seconds=times, can_seek=True)

    assert [k.frame_index for k in by_time.keys] == [0, 4]
    assert [k.frame_index for k in by_order.keys] == [0, 4]
    assert by_order.find_key(None, 4) == by_order.keys[1]
    assert [k.frame_index for k in none.keys] == [0]
    assert by_time.agrees(3, 3)
    assert not by_time.agrees(3, 4)
    assert not by_time.agrees(5, 5)
    assert by_order.agrees(3, 99)  # nothing to compare with


def test_intervals_hold_start_and_leave_out_end():
    index = index_of(packets(*range(10)))

    assert index.interval(None, None) == range(10)
    assert index.interval(index.pts_seconds[3], index.pts_seconds[6]) == range(3, 6)
    assert index.interval(0.31, 0.33) == range(4, 4)
    assert index.interval(50.0, None) == range(10, 10)


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        ([7, 8, 10], [0, 0.1, 0.3]),
        ([None, None, None], [0, 0.1, 0.2]),
        ([7, None, 9], [0, 0.1, 0.2]),
        ([7, 9, 8, 10], [0, 0.2, 0.2, 0.3]),  # out of order by a little: held back
        ([500, 501, 3, 4], [0, 0.1, 0.2, 0.3]),  # a new recording joined on
    ],
)
def test_the_clock_never_runs_back(stamps, expected):
    running = clock()

    assert [running.tick(pts) for pts in stamps] == pytest.approx(expected)


def test_the_clock_counts_where_stamps_are_guesses():
    counting = clock(by_count=True)

    assert [counting.tick(pts) for pts in (3, 4, 6, 5)] == pytest.approx([0, 0.1, 0.2, 0.3])


def test_a_contradicted_index_is_mended(tmp_path):
    """An index that is one frame off must not give a wrong frame."""
    frames = synthetic_frames(30, 32, 48)
    path = tmp_path / "a.mkv"
    with VideoWriter(path, fps=25, width=48, height=32, codec="ffv1", gop=8) as writer:
        for frame in frames:
            writer.write(frame)

    with VideoReader(path) as reader:
        true = reader._need_index()
        reader._index = dataclasses.replace(true, raw_pts=[pts + 40 for pts in true.raw_pts])
        clip = reader.read([20, 3])
        assert reader._index.is_exact

    expected = torch.from_numpy(frames[[20, 3]]).permute(0, 3, 1, 2)
    assert torch.equal(clip.frames_TCHW, expected)


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_orientation_reads_all_eight_display_matrices(turns, mirrored):
    """Against the definition: pixel (x, y) is shown at (a x + c y, b x + d y)."""
    import numpy as np

    one = 1 << 16
    a, b, c, d = [(one, 0, 0, one), (0, one, -one, 0), (-one, 0, 0, -one), (0, -one, one, 0)][turns]
    if mirrored:
        a, c = -a, -c
    picture = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)

    shown = Orientation.from_display_matrix((a, b, 0, c, d, 0, 0, 0, 1 << 30)).apply(picture)

    places = {(y, x): (a * x + c * y, b * x + d * y) for y in range(2) for x in range(3)}
    left = min(x for x, _ in places.values())
    top = min(y for _, y in places.values())
    for (y, x), (to_x, to_y) in places.items():
        row, column = (to_y - top) // one, (to_x - left) // one
        assert np.array_equal(shown[row, column], picture[y, x])
