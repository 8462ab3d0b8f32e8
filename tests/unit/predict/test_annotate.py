"""The annotated copy has the source's frames at their times, and shows the answer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.fakes.tiny import CLASSES, moving_frames

from lrcn.errors import OutputError
from lrcn.predict.annotate import annotate_video, burn_in
from lrcn.predict.subtitles import Sentence
from lrcn.structures import Prediction, Segment
from lrcn.video.reader import VideoReader
from lrcn.video.writer import VideoWriter


def answer(path: Path, times: list[float], *, first: int = 0, stride: int = 1) -> Prediction:
    probs_TK = torch.full((len(times[::stride]), 3), 0.1)
    probs_TK[:, first] = 0.8
    return Prediction(
        path=str(path),
        video_id="v",
        probs_TK=probs_TK,
        pts_seconds_T=torch.tensor(times[::stride], dtype=torch.float64),
        segments=(
            Segment(start_seconds=0.2, end_seconds=0.6, class_name=CLASSES[first], prob=0.8),
        ),
        class_names=CLASSES,
    )


def write(path: Path, times: list[float], size: tuple[int, int], variable: bool = False) -> None:
    height, width = size
    frames = moving_frames(len(times), height=height, width=width)[:, :1].repeat(1, 3, 1, 1)
    with VideoWriter(
        path, fps=10, width=width, height=height, codec="ffv1", variable_rate=variable
    ) as writer:
        for frame, seconds in zip(frames, times, strict=True):
            writer.write(frame, pts_seconds=seconds if variable else None)


def times_and_frames(path: Path) -> tuple[list[float], torch.Tensor]:
    with VideoReader(path) as video:
        clips = list(video.iterate())
    times = [float(t) for clip in clips for t in clip.pts_seconds_T]
    return times, torch.cat([clip.frames_TCHW for clip in clips])


@pytest.mark.parametrize(
    ("size", "large"),
    [((20, 30), (240, 360)), ((65, 31), (520, 248)), ((240, 320), (240, 320))],
)
def test_frames_keep_their_times_and_small_ones_are_enlarged(
    tmp_path: Path, size: tuple[int, int], large: tuple[int, int]
) -> None:
    times = [i / 10 for i in range(8)]
    write(tmp_path / "in.mkv", times, size)
    annotate_video(tmp_path / "in.mkv", answer(tmp_path, times, stride=3), tmp_path / "out.mp4")
    found, frames = times_and_frames(tmp_path / "out.mp4")
    assert found == pytest.approx(times, abs=1e-3)
    assert tuple(frames.shape[2:]) == large


def test_variable_rates_stay_variable(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.5, 0.55, 1.2]
    write(tmp_path / "in.mkv", times, (48, 64), variable=True)
    annotate_video(tmp_path / "in.mkv", answer(tmp_path, times), tmp_path / "out.mp4")
    assert times_and_frames(tmp_path / "out.mp4")[0] == pytest.approx(times, abs=2e-3)


def test_the_picture_above_stays_and_the_band_tells(tmp_path: Path) -> None:
    times = [i / 10 for i in range(8)]
    write(tmp_path / "in.mkv", times, (240, 320))
    outputs = []
    for first in (0, 1):
        prediction = answer(tmp_path, times, first=first)
        annotate_video(tmp_path / "in.mkv", prediction, tmp_path / f"{first}.mp4")
        outputs.append(times_and_frames(tmp_path / f"{first}.mp4")[1].float())
    source = times_and_frames(tmp_path / "in.mkv")[1].float()
    upper = (outputs[0] - source)[:, :, :140].abs().mean()
    assert upper < 6
    # Another class is named, and the segment is named only while it lasts.
    assert (outputs[0] - outputs[1])[:, :, 160:].abs().max() > 60
    green = outputs[0][:, 1] - outputs[0][:, [0, 2]].amax(1) > 60
    inside = [bool(g.any()) for g in green]
    assert inside == [0.2 <= t < 0.6 for t in times]


def test_the_source_is_never_overwritten(tmp_path: Path) -> None:
    times = [0.0, 0.1]
    write(tmp_path / "in.mkv", times, (48, 64))
    before = (tmp_path / "in.mkv").read_bytes()
    with pytest.raises(OutputError, match="the video itself"):
        annotate_video(tmp_path / "in.mkv", answer(tmp_path, times), tmp_path / "in.mkv")
    with pytest.raises(ValueError, match="nothing was predicted"):
        annotate_video(
            tmp_path / "in.mkv",
            Prediction(path="x", video_id="x", error="broken"),
            tmp_path / "out.mp4",
        )
    assert (tmp_path / "in.mkv").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.mkv"]


def test_sentences_are_burnt_in_while_they_last(tmp_path: Path) -> None:
    times = [i / 10 for i in range(8)]
    write(tmp_path / "in.mkv", times, (240, 320))
    sentences = [
        Sentence(start_seconds=0.2, end_seconds=0.4, text="a dog", log_prob=-1.0),
        Sentence(start_seconds=0.4, end_seconds=0.6, text="a dog runs " * 40, log_prob=-1.0),
    ]
    burn_in(tmp_path / "in.mkv", sentences, tmp_path / "out.mp4")
    found, frames = times_and_frames(tmp_path / "out.mp4")
    source = times_and_frames(tmp_path / "in.mkv")[1].float()
    changed_TH = (frames.float() - source).abs().amax((1, 3)) > 60
    assert found == pytest.approx(times, abs=1e-3)
    assert changed_TH.any(1).tolist() == [0.2 <= t < 0.6 for t in times]
    heights = changed_TH.sum(1)
    assert 20 <= int(heights[2]) <= 30
    assert int(heights[4]) < 140
    assert not changed_TH[:, :90].any()


def test_burning_in_is_stopped_without_a_trace(tmp_path: Path) -> None:
    write(tmp_path / "in.mkv", [0.0, 0.1], (48, 64))
    with pytest.raises(KeyboardInterrupt):
        burn_in(tmp_path / "in.mkv", [], tmp_path / "out.mp4", stop=lambda: True)
    with pytest.raises(OutputError, match="the video itself"):
        burn_in(tmp_path / "in.mkv", [], tmp_path / "in.mkv")
    assert [p.name for p in tmp_path.iterdir()] == ["in.mkv"]
