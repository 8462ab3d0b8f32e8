"""When a video ends: every source says it, however few of its frames were asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from tests.fakes.media import run_ffmpeg, synthetic_frames

from lrcn.structures import FlowConfig
from lrcn.video.flow_video import FlowVideo
from lrcn.video.frames import FrameFolder
from lrcn.video.retimed import RetimedVideo
from lrcn.video.source import VideoSource, open_video
from lrcn.video.writer import VideoWriter

FRAMES = synthetic_frames(30, 32, 48)


def write(path: Path, times: list[float] | None = None) -> Path:
    variable = times is not None
    with VideoWriter(path, fps=10, width=48, height=32, codec="ffv1", variable_rate=variable) as w:
        for k, frame in enumerate(FRAMES[: len(times) if times else None]):
            w.write(frame, pts_seconds=times[k] if times else None)
    return path


def end_of(video: VideoSource, sample_fps: float | None) -> tuple[int, float]:
    """How many frames were given, and the end."""
    with video:
        given = sum(len(clip) for clip in video.iterate(sample_fps=sample_fps))
        return given, video.end_seconds


@pytest.mark.parametrize("sample_fps", [None, 1.0, 0.1])
def test_the_end_does_not_depend_on_the_frames_asked_for(
    tmp_path: Path, sample_fps: float | None
) -> None:
    file = write(tmp_path / "v.mkv")
    folder = tmp_path / "frames"
    folder.mkdir()
    for k, frame in enumerate(FRAMES):
        Image.fromarray(frame).save(folder / f"{k:03}.png")
    given = {None: 30, 1.0: 3, 0.1: 1}[sample_fps]

    assert end_of(open_video(file), sample_fps) == (given, pytest.approx(3.0))
    assert end_of(FrameFolder(folder, fps=10), sample_fps) == (given, pytest.approx(3.0))
    assert end_of(open_video(FRAMES), sample_fps)[1] == pytest.approx(1.2)  # 25 a second
    assert end_of(open_video(iter(FRAMES)), sample_fps)[1] == pytest.approx(1.2)
    flow = FlowVideo(open_video(file), FlowConfig(method="dis_ultrafast"))
    assert end_of(flow, sample_fps)[1] == pytest.approx(3.0)
    times = [2 * (k + 1) / 10 for k in range(30)]
    retimed = RetimedVideo(open_video(FRAMES), times, first_index=1, fps=5)
    assert end_of(retimed, sample_fps)[1] == pytest.approx(6.2)


def test_the_end_of_an_interval_is_that_of_its_last_frame(tmp_path: Path) -> None:
    file = write(tmp_path / "v.mkv")

    for source in (file, FRAMES, iter(FRAMES)):
        period = 0.1 if source is file else 0.04
        video = open_video(source, start_seconds=2.5 * period, end_seconds=9.5 * period)
        assert end_of(video, None) == (7, pytest.approx(10 * period))


def test_the_length_of_the_sound_is_not_the_end(tmp_path: Path) -> None:
    sound = ["-f", "lavfi", "-t", "9", "-i", "anullsrc"]
    mixed = tmp_path / "mixed.mkv"
    run_ffmpeg(*sound, "-i", write(tmp_path / "v.mkv"), "-c:v", "copy", "-y", mixed)

    with open_video(mixed) as video:
        assert video.info.duration_seconds == pytest.approx(9.0, abs=0.1)
    assert end_of(open_video(mixed), None)[1] == pytest.approx(3.0)
    assert end_of(open_video(mixed), 0.1)[1] == pytest.approx(3.0)


def test_a_recording_that_begins_late_is_as_long_as_what_it_shows(tmp_path: Path) -> None:
    """Matroska counts its length from zero, wherever the first frame is."""
    late = write(tmp_path / "late.mkv", [1.7 + t for t in (0.0, 0.04, 0.7, 2.4, 2.5)])

    with open_video(late) as video:
        assert video.info.duration_seconds == pytest.approx(2.6, abs=0.2)
    given, end = end_of(open_video(late), None)
    assert given == 5
    assert 2.5 < end < 3.2


def test_flow_begins_where_its_video_does(tmp_path: Path) -> None:
    sound = ["-f", "lavfi", "-t", "5", "-i", "anullsrc"]
    late = tmp_path / "late.mkv"
    streams = ["-map", "0", "-map", "1", "-c:v", "copy", "-y", late]
    run_ffmpeg(*sound, "-itsoffset", "2", "-i", write(tmp_path / "v.mkv"), *streams)

    with FlowVideo(open_video(late), FlowConfig(method="dis_ultrafast")) as video:
        assert video.info.start_seconds == pytest.approx(2.0, abs=0.01)
