"""Every kind of file: all frames, by index as in sequence, as the ffmpeg program shows them."""

from __future__ import annotations

import io
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from tests.fakes.media import (
    FPS,
    HEIGHT,
    KINDS,
    NUM_FRAMES,
    WIDTH,
    Kind,
    decoded_by_ffmpeg,
    make,
    make_base,
    real_clip,
    run_ffmpeg,
)

from lrcn.errors import MediaError
from lrcn.video.decoder import Pass
from lrcn.video.reader import VideoReader

QUICK_KINDS = ("xvid_packed_b", "xvid_b", "h264_gop12", "edit_list", "rotated_90", "vp9_no_counts")
"""In `make check`; the others are slow only by their number."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("videos")


@pytest.fixture(scope="module")
def base(folder: Path) -> Path:
    return make_base(folder, real_clip())


def read_all(path: Path | bytes, **settings):
    """Frames, times, indices, and whether the file was found truncated."""
    with VideoReader(path, **settings) as reader:
        clips = list(reader.iterate(chunk=7))
        return (
            torch.cat([clip.frames_TCHW for clip in clips]),
            torch.cat([clip.pts_seconds_T for clip in clips]),
            torch.cat([clip.frame_indices_T for clip in clips]),
            reader.truncated,
        )


def check_random_access(path: Path, frames, times, *, draws: int = 40) -> None:
    rng = random.Random(0)
    with VideoReader(path) as reader:
        assert reader.count() == len(frames)
        assert torch.equal(reader.pts_seconds(), times)
        for _ in range(draws // 4):
            wanted = [rng.randrange(len(frames)) for _ in range(4)]
            clip = reader.read(wanted)
            assert clip.frame_indices_T.tolist() == wanted
            assert torch.equal(clip.frames_TCHW, frames[wanted]), f"wrong frames among {wanted}"
            assert torch.equal(clip.pts_seconds_T, times[wanted])
        backwards = list(range(len(frames)))[::-1][:12]
        assert torch.equal(reader.read(backwards).frames_TCHW, frames[backwards])
        assert not reader.truncated


def check_kind(kind: Kind, base: Path, folder: Path) -> None:
    path = make(kind, base, folder)
    frames, times, indices, truncated = read_all(path)

    assert not truncated
    assert indices.tolist() == list(range(len(frames)))
    assert times[0] == 0
    assert (times[1:] > times[:-1]).all()
    assert len(frames) == (kind.num_frames or len(frames))
    oracle = decoded_by_ffmpeg(path, *frames.shape[2:])
    assert len(frames) == len(oracle)
    difference = frames.permute(0, 2, 3, 1).float() - torch.from_numpy(oracle.copy()).float()
    assert difference.abs().mean(dim=(1, 2, 3)).max() <= kind.rgb_tolerance
    # Chroma scaling has no bias and leaves grey alone, so grey shows a wrong frame clearly.
    grey = (difference * torch.tensor([0.299, 0.587, 0.114])).sum(-1)
    assert grey.abs().mean(dim=(1, 2)).max() <= 1.0
    check_random_access(path, frames, times)


@pytest.mark.parametrize("name", QUICK_KINDS)
def test_kind(name, base, folder):
    check_kind(KINDS[name], base, folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(KINDS.keys() - set(QUICK_KINDS)))
def test_further_kind(name, base, folder):
    check_kind(KINDS[name], base, folder)


def test_the_kinds_are_many():
    assert len(KINDS) >= 40
    assert set(QUICK_KINDS) <= set(KINDS)


@pytest.mark.parametrize(
    "name", ["h264_gop12", "h264_open_gop", "xvid_packed_b", "xvid_b", "transport_stream", "flv1"]
)
def test_a_late_frame_costs_one_group_and_not_the_file(base, folder, monkeypatch, name):
    """Wrong landings are mended by decoding from the beginning: right, but slow."""
    path = make(KINDS[name], base, folder)
    decoded = []
    advance = Pass.advance

    def counted(run):
        decoded.append(1)
        return advance(run)

    with VideoReader(path) as reader:
        last = reader.count() - 1
        monkeypatch.setattr(Pass, "advance", counted)
        reader.read([last])

    assert 1 <= len(decoded) <= 12


@pytest.mark.slow
@pytest.mark.real_data
def test_real_clips(real_data):
    """One clip per UCF101 class, and one of MSVD's H.264 in AVI."""
    clips = [sorted(d.iterdir())[3] for d in sorted((real_data / "ucf101-6/videos").iterdir())]
    clips = [*clips[:3], real_data / "msvd/clips/WTf5EgVY5uU_124_128.avi"]
    for path in clips:
        frames, times, _, truncated = read_all(path)
        assert not truncated
        assert len(frames) == len(decoded_by_ffmpeg(path, *frames.shape[2:]))
        check_random_access(path, frames, times, draws=12)


def test_times_follow_a_variable_rate(base, folder):
    path = make(KINDS["variable_rate"], base, folder)

    _, times, _, _ = read_all(path)

    expected = [i for i in range(NUM_FRAMES) if i % 3 == 0 or i > 20]
    assert times.tolist() == pytest.approx([i / FPS for i in expected], abs=1e-3)


def test_times_start_at_zero_where_the_video_starts_late(base, folder):
    path = folder / "late.mp4"
    run_ffmpeg(
        *("-itsoffset", "0.7", "-i", base, "-f", "lavfi", "-i", "sine=d=4"),
        *("-c:v", "libx264", "-bf", "2", "-c:a", "aac", path),
    )

    frames, times, _, truncated = read_all(path)

    assert len(frames) == NUM_FRAMES
    assert not truncated  # the audio track is longer: no loss
    assert times.tolist() == pytest.approx([i / FPS for i in range(NUM_FRAMES)], abs=1e-3)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_turns_the_pixels(base, folder, degrees):
    upright, *_ = read_all(make(KINDS["h264_gop12"], base, folder))

    turned, *_ = read_all(make(KINDS[f"rotated_{degrees}"], base, folder))

    # The display matrix says by how much the stored picture is to be turned counterclockwise.
    assert torch.equal(turned, torch.rot90(upright, degrees // 90, (2, 3)))


def test_info_without_reading_on(base, folder):
    path = make(KINDS["h264_gop12"], base, folder)

    with VideoReader(path) as reader:
        info = reader.info

    assert (info.height, info.width, info.codec, info.container) == (HEIGHT, WIDTH, "h264", "mov")
    assert info.fps == FPS
    assert info.num_frames is None
    assert info.duration_seconds == pytest.approx(NUM_FRAMES / FPS, abs=0.01)


def test_bytes_and_odd_names_read_like_files(base, folder):
    path = make(KINDS["h264_gop12"], base, folder)
    odd = folder / "pipe:1 http:%03d é.mp4"
    odd.write_bytes(path.read_bytes())
    expected, *_ = read_all(path)

    assert torch.equal(read_all(path.read_bytes())[0], expected)
    assert torch.equal(read_all(odd)[0], expected)
    with VideoReader(path.read_bytes()) as reader:
        assert torch.equal(reader.read([30, 2]).frames_TCHW, expected[[30, 2]])


def test_threads_change_nothing(base, folder):
    path = make(KINDS["h264_pyramid"], base, folder)

    assert torch.equal(read_all(path, threads=3)[0], read_all(path)[0])


def test_thinned_frames_are_the_frames_themselves(base, folder):
    path = make(KINDS["h264_gop12"], base, folder)
    frames, times, *_ = read_all(path)

    with VideoReader(path) as reader:
        strided = torch.cat([c.frame_indices_T for c in reader.iterate(chunk=3, frame_stride=6)])
        clips = list(reader.iterate(chunk=3, sample_fps=10))
    kept = torch.cat([c.frame_indices_T for c in clips])

    assert strided.tolist() == list(range(0, NUM_FRAMES, 6))
    assert kept.tolist()[:4] == [0, 3, 5, 8]
    assert torch.equal(torch.cat([c.frames_TCHW for c in clips]), frames[kept])
    assert torch.equal(torch.cat([c.pts_seconds_T for c in clips]), times[kept])


@pytest.mark.parametrize("name", ["h264_gop12", "xvid_packed_b", "variable_rate"])
@pytest.mark.parametrize("interval", [(None, 0.5), (0.42, 1.0), (0.7, None), (0.0, 9.0)])
def test_an_interval_keeps_the_numbering_of_the_file(base, folder, name, interval):
    path = make(KINDS[name], base, folder)
    frames, times, *_ = read_all(path)
    start, end = interval
    expected = [
        i for i, t in enumerate(times.tolist()) if (start or 0) <= t < (end or float("inf"))
    ]

    part, part_times, indices, _ = read_all(path, start_seconds=start, end_seconds=end)
    with VideoReader(path, start_seconds=start, end_seconds=end) as reader:
        assert list(reader.frame_range()) == expected
        assert torch.equal(reader.pts_seconds(), times[expected])
        assert torch.equal(reader.read(expected[-2:]).frames_TCHW, frames[expected[-2:]])

    assert indices.tolist() == expected
    assert torch.equal(part, frames[expected])
    assert torch.equal(part_times, times[expected])


def test_iterations_and_reads_do_not_disturb_each_other(base, folder):
    path = make(KINDS["h264_gop12"], base, folder)
    frames, *_ = read_all(path)

    with VideoReader(path) as reader:
        one, two = reader.iterate(chunk=5), reader.iterate(chunk=5)
        parts = []
        for clip in one:
            parts.append(clip.frames_TCHW)
            assert torch.equal(next(two).frames_TCHW, clip.frames_TCHW)
            assert torch.equal(reader.read([33]).frames_TCHW, frames[[33]])

    assert torch.equal(torch.cat(parts), frames)


def test_an_index_outside_is_refused(base, folder):
    with VideoReader(make(KINDS["h264_gop12"], base, folder)) as reader:
        with pytest.raises(ValueError, match="frame 40 was asked for; the video has frames 0 to 3"):
            reader.read([0, NUM_FRAMES])
        with pytest.raises(ValueError, match="frame -1"):
            reader.read([-1])
        with pytest.raises(ValueError, match="chunk is 0"):
            next(reader.iterate(chunk=0))


def test_a_change_of_size_is_scaled_to_the_first(base, folder):
    small, large, both = (folder / f"{name}.264" for name in ("small", "large", "both"))
    run_ffmpeg("-i", base, "-c:v", "libx264", small)
    run_ffmpeg("-i", base, "-vf", "scale=192:144", "-c:v", "libx264", large)
    both.write_bytes(small.read_bytes() + large.read_bytes())

    frames, *_ = read_all(both)

    assert frames.shape == (2 * NUM_FRAMES, 3, HEIGHT, WIDTH)
    difference = (frames[:NUM_FRAMES].float() - frames[NUM_FRAMES:].float()).abs().mean()
    assert difference < 12  # the same pictures, encoded at twice the size and scaled back


def test_transparency_lies_over_white(folder):
    path = folder / "transparent.gif"
    red = np.zeros((2, 16, 16, 4), np.uint8)
    red[:, :, :8] = (255, 0, 0, 255)
    raw = folder / "red.rgba"
    raw.write_bytes(red.tobytes())
    run_ffmpeg(
        *("-f", "rawvideo", "-pix_fmt", "rgba", "-s", "16x16", "-r", "10", "-i", raw),
        *("-vf", "split[a][b];[a]palettegen=reserve_transparent=1[p];[b][p]paletteuse", path),
    )

    frames, times, _, truncated = read_all(path)

    assert frames.shape == (2, 3, 16, 16)
    assert frames[1, :, 3, 3].tolist() == pytest.approx([255, 0, 0], abs=4)
    assert frames[1, :, 3, 12].tolist() == [255, 255, 255]
    assert times.tolist() == [0, pytest.approx(0.1)]
    assert not truncated


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_side_data_of_a_kind_that_pyav_does_not_know(orientation):
    """EXIF, as every phone writes it: PyAV then hides the display matrix too."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.zeros((16, 24, 3), np.uint8)
    pixels[:8, :12] = 255
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "JPEG", exif=exif, quality=95)

    with VideoReader(encoded.getvalue()) as video:
        shown = video.read([0]).frames_TCHW[0].permute(1, 2, 0).numpy()

    upright = np.asarray(ImageOps.exif_transpose(Image.open(encoded)))
    assert shown.shape == upright.shape
    assert np.abs(shown.astype(int) - upright).mean() < 3


def test_a_cover_picture_is_no_video(base, folder):
    cover, song, film = folder / "cover.png", folder / "song.mp3", folder / "covered.mp4"
    run_ffmpeg("-i", base, "-frames:v", "1", "-vf", "scale=32:32", cover)
    run_ffmpeg(
        *("-f", "lavfi", "-i", "sine=d=1", "-i", cover, "-map", "0", "-map", "1"),
        *("-c:a", "libmp3lame", "-c:v", "copy", "-disposition:v", "attached_pic", song),
    )
    path = make(KINDS["h264_gop12"], base, folder)
    run_ffmpeg(
        *("-i", cover, "-i", path, "-map", "0", "-map", "1", "-c", "copy"),
        *("-disposition:v:0", "attached_pic", film),
    )

    with pytest.raises(MediaError, match="holds no video stream"):
        VideoReader(song)
    assert read_all(film)[0].shape == (NUM_FRAMES, 3, HEIGHT, WIDTH)
