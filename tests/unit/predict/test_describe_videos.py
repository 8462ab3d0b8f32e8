"""A captioner of videos takes any video: one frame, any clock, folders; what breaks is an error."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from tests.fakes.tiny_captioner import tiny_captioner

from lrcn.checkpoint import SavedCaptioner
from lrcn.errors import MediaError
from lrcn.predict.describe import Describer
from lrcn.video.frames import write_picture
from lrcn.video.sampling import SamplingConfig, thin

TIMES_MS = (0, 40, 500, 520, 2000, 2040, 5000)


def frame(number: int) -> np.ndarray:
    """Coarse coloured noise, another one for each number."""
    cells = np.random.default_rng(number).integers(0, 256, (6, 8, 3)).astype(np.uint8)
    return cells.repeat(8, 0).repeat(8, 1)


FRAMES = [frame(number) for number in range(len(TIMES_MS))]


def write_video(path: Path, times_ms: tuple[int, ...]) -> None:
    """Without loss, each frame at its own time."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "bgr0"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for picture, time in zip(FRAMES, times_ms, strict=False):
            made = av.VideoFrame.from_ndarray(picture, format="rgb24")
            made.pts, made.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(made))
        container.mux(stream.encode(None))


def describer(*, sample_fps: float | None = None) -> Describer:
    saved = tiny_captioner(media="video", visual="encoder")
    sampled = SavedCaptioner(
        saved.model,
        media="video",
        decoding=saved.decoding,
        sampling=SamplingConfig(sample_fps=sample_fps),
    )
    return Describer(sampled, precision="float32")


def test_files_folders_and_arrays_of_the_same_frames_are_told_alike(tmp_path: Path) -> None:
    tell = describer()
    write_video(tmp_path / "any.mkv", TIMES_MS)
    for number, picture in enumerate(FRAMES):
        (tmp_path / "frames").mkdir(exist_ok=True)
        write_picture(tmp_path / "frames" / f"{number + 1:04d}.png", picture)

    told = tell(np.stack(FRAMES)).captions[0]
    for source in ("any.mkv", "frames"):
        found = tell(tmp_path / source).captions[0]
        assert found.text == told.text
        assert found.log_prob == pytest.approx(told.log_prob, abs=1e-4)
    other = tell(np.stack(FRAMES[::-1])).captions[0]
    assert other.log_prob != pytest.approx(told.log_prob, abs=1e-4)  # order counts


def test_a_rate_is_kept_by_the_clock_of_the_file(tmp_path: Path) -> None:
    """At one frame a second: those nearest after 0, 1, 2, ... that there are."""
    tell = describer(sample_fps=1.0)
    write_video(tmp_path / "any.mkv", TIMES_MS)
    kept = thin([t / 1000 for t in TIMES_MS], sample_fps=1.0)
    assert 1 < len(kept) < len(TIMES_MS)
    found = tell(tmp_path / "any.mkv").captions[0]
    whole = describer()
    wanted = whole(np.stack([FRAMES[i] for i in kept])).captions[0]
    assert found.log_prob == pytest.approx(wanted.log_prob, abs=1e-4)


def test_a_video_of_one_frame(tmp_path: Path) -> None:
    tell = describer()
    write_video(tmp_path / "one.mkv", TIMES_MS[:1])
    found = tell(tmp_path / "one.mkv").captions[0]
    assert found.log_prob == pytest.approx(tell(FRAMES[0]).captions[0].log_prob, abs=1e-4)


def test_what_breaks_is_named(tmp_path: Path) -> None:
    tell = describer()
    (tmp_path / "broken.mp4").write_bytes(b"no video at all")
    (tmp_path / "empty.avi").write_bytes(b"")
    for name, reason in (
        ("broken.mp4", "cannot be read as a video"),
        ("empty.avi", "it is empty"),
        ("absent.mp4", "cannot be opened"),
    ):
        with pytest.raises(MediaError, match=reason) as caught:
            tell(tmp_path / name)
        assert name in str(caught.value)
