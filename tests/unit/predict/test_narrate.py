"""What is said of a video, and from when to when, in one pass and bounded memory."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.fakes.media import run_ffmpeg
from tests.fakes.narrators import (
    CountedFrames,
    ShadeNarrator,
    shade_features,
    shade_recogniser,
)

from lrcn.errors import ConfigError, ModelError
from lrcn.models.segment_config import SegmentConfig
from lrcn.predict.annotate import burn_in
from lrcn.predict.narrate import Narration, Watching, narrate
from lrcn.predict.narration_config import NarrationConfig
from lrcn.predict.narrators import LabelNarrator, Narrator
from lrcn.predict.subtitles import Sentence
from lrcn.structures import Prediction
from lrcn.video.sampling import SamplingConfig
from lrcn.video.source import open_video
from lrcn.video.writer import VideoWriter

NO_MIN = SegmentConfig(smoothing="none", min_seconds=0.0)
EVENTS = SegmentConfig(smoothing="none", min_seconds=0.2)


def write(path: Path, shades: list[float], times: list[float] | None = None) -> Path:
    with VideoWriter(
        path, fps=10, width=16, height=16, codec="ffv1", variable_rate=times is not None
    ) as writer:
        for k, shade in enumerate(shades):
            pixels = np.full((16, 16, 3), round(255 * shade), np.uint8)
            writer.write(pixels, pts_seconds=times[k] if times else None)
    return path


def store(path: Path, shades: list[float]) -> Path:
    np.save(path, shade_features(torch.tensor(shades)).numpy())
    return path


def told(narration: Narration) -> list[tuple[float, float, str]]:
    assert narration.error is None
    return [
        (round(s.start_seconds, 3), round(s.end_seconds, 3), s.text) for s in narration.sentences
    ]


def windows(seconds: float, **more: float) -> NarrationConfig:
    return NarrationConfig(window=seconds, **more)


def test_windows_are_told_and_repeated_sentences_joined(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mkv", [0.5] * 20 + [1.0] * 10 + [0.0] * 10 + [1.0] * 5)
    narrator = ShadeNarrator()

    narration = narrate(narrator, str(path), config=windows(0.5), segments=NO_MIN)

    # Black goes without saying: the white before and after it stays apart.
    assert told(narration) == [(0.0, 2.0, "grey"), (2.0, 3.0, "white"), (4.0, 4.5, "white")]
    assert narrator.counts == [5] * 9
    assert narration.sentences[0].log_prob == pytest.approx(-5.0)
    assert narration.video_id == "v"
    assert narration.end_seconds == pytest.approx(4.5)


@pytest.mark.parametrize(("length", "ends"), [(11, [1.1]), (12, [1.0, 1.2]), (19, [1.0, 1.9])])
def test_a_last_window_that_is_too_short_belongs_to_the_one_before(
    tmp_path: Path, length: int, ends: list[float]
) -> None:
    path = write(tmp_path / "v.mkv", [0.5] * 10 + [1.0] * (length - 10))

    narration = narrate(ShadeNarrator(), path, config=windows(1.0), segments=EVENTS)

    assert [s.end_seconds for s in narration.sentences] == pytest.approx(ends)


def test_times_are_the_containers_own_at_a_variable_rate(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.7, 1.31, 1.35, 2.9, 3.0, 6.2, 6.25]
    shades = [0.5, 0.5, 0.5, 1.0, 1.0, 0.5, 0.5, 1.0, 1.0]
    path = write(tmp_path / "v.mkv", shades, times)

    narration = narrate(ShadeNarrator(), path, config=windows(1.0), segments=NO_MIN)

    found = told(narration)
    # Nothing is shown anew from 3.0 to 6.2: the frame at 3.0 stands until then.
    assert [row[:2] for row in found[:-1]] == [(0.0, 1.31), (1.31, 2.9), (2.9, 6.2)]
    assert [row[2] for row in found] == ["grey", "white", "grey", "white"]
    assert found[-1][0] == 6.2
    assert 6.25 < narration.end_seconds < 7.5


def test_times_count_from_where_the_file_begins_not_its_picture(tmp_path: Path) -> None:
    """Players show the first frame when its time has come, and the sound before it."""
    picture = write(tmp_path / "v.mkv", [0.5] * 10 + [1.0] * 10)
    late = tmp_path / "late.mkv"
    sound = ["-f", "lavfi", "-t", "5", "-i", "anullsrc"]
    codecs = ["-c:v", "copy", "-c:a", "pcm_s16le", "-y"]
    run_ffmpeg(*sound, "-itsoffset", "2", "-i", picture, "-map", "0", "-map", "1", *codecs, late)

    narration = narrate(ShadeNarrator(), late, config=windows(1.0))

    assert told(narration) == [(2.0, 3.0, "grey"), (3.0, 4.0, "white")]
    burn_in(late, narration.sentences[1:], tmp_path / "copy.mp4")
    with open_video(tmp_path / "copy.mp4") as copy:
        darkest_T = torch.cat([clip.frames_TCHW.amin((1, 2, 3)) for clip in copy.iterate()])
    assert (darkest_T < 110).tolist() == [False] * 10 + [True] * 10

    # Here the first time stamp is a guess of the demuxer, one frame late.
    run_ffmpeg("-i", picture, "-c:v", "libx264", "-bf", "0", "-y", tmp_path / "guessed.avi")
    narration = narrate(ShadeNarrator(), tmp_path / "guessed.avi", config=windows(1.0))
    assert told(narration)[0][0] == 0.0


@pytest.mark.parametrize("cut", ["windows", "features"])
def test_one_frame_is_a_video(tmp_path: Path, cut: str) -> None:
    path = write(tmp_path / "v.mkv", [1.0])

    narration = narrate(ShadeNarrator(), path, config=NarrationConfig(cut=cut))

    assert [s.text for s in narration.sentences] == ["white"]
    assert 0 < narration.end_seconds <= 0.2


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video", encoding="utf-8")

    for name in ("empty.mp4", "text.mp4", "absent.mp4"):
        narration = narrate(ShadeNarrator(), str(tmp_path / name))

        assert narration.error is not None
        assert narration.to_dict() == {"path": str(tmp_path / name), "error": narration.error}
    video = write(tmp_path / "v.mkv", [1.0])
    error = narrate(ShadeNarrator(stored=True), str(video)).error
    assert error is not None
    assert "takes features" in error
    np.save(tmp_path / "wide.npy", np.zeros((4, 7), np.float32))
    error = narrate(ShadeNarrator(stored=True), tmp_path / "wide.npy").error
    assert error is not None
    assert "7 wide, the model takes 3" in error


def test_a_model_of_images_sees_one_frame_a_window(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mkv", [0.5] * 10 + [1.0] * 15)
    narrator = ShadeNarrator(sampling=None)

    narration = narrate(narrator, path, config=windows(0.5))

    assert narrator.counts == [1] * 5
    # The last window's frame is at 2.0, and the video goes on to 2.5.
    assert told(narration) == [(0.0, 1.0, "grey"), (1.0, 2.5, "white")]


@pytest.mark.parametrize("kind", ["file", "array", "iterator", "folder"])
def test_a_sentence_about_one_frame_lasts_as_long_as_the_video(tmp_path: Path, kind: str) -> None:
    frames = np.full((30, 16, 16, 3), 128, np.uint8)
    source: object = {"array": frames, "iterator": iter(frames)}.get(kind)
    if kind == "file":
        source = write(tmp_path / "v.mkv", [0.5] * 30)
    elif kind == "folder":
        source = tmp_path
        for k, frame in enumerate(frames):
            Image.fromarray(frame).save(tmp_path / f"{k}.png")
    narrator = ShadeNarrator(sampling=None)

    narration = narrate(narrator, source, config=windows(4.0))

    assert narrator.counts == [1]
    assert told(narration) == [(0.0, 3.0 if kind == "file" else 1.2, "grey")]


def test_stop_is_asked_often_where_few_frames_are_used(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mkv", [0.5] * 600)
    until = _Until(1000)

    narrate(ShadeNarrator(sampling=None), path, config=windows(2.0), watching=until)

    done = [seconds for seconds, _ in until.progress]
    assert max(after - before for before, after in itertools.pairwise([0.0, *done])) <= 8.0


@pytest.mark.parametrize("most", [1.0, 1.2])
def test_no_sentence_stands_longer_than_allowed(tmp_path: Path, most: float) -> None:
    path = write(tmp_path / "v.mkv", [1.0] * 30)

    found = narrate(ShadeNarrator(), path, config=windows(0.5, max_seconds=most), segments=NO_MIN)

    assert told(found) == [(0.0, 1.0, "white"), (1.0, 2.0, "white"), (2.0, 3.0, "white")]


def test_changes_of_the_pictures_are_found_where_they_are(tmp_path: Path) -> None:
    shades = [0.5] * 23 + [1.0] * 18 + [0.5] * 30
    path = write(tmp_path / "v.mkv", [abs(s - 0.004 * (k % 5)) for k, s in enumerate(shades)])
    config = NarrationConfig(cut="features", change_seconds=0.8, change=0.3)

    narration = narrate(ShadeNarrator(), path, config=config)

    assert told(narration) == [(0.0, 2.3, "grey"), (2.3, 4.1, "white"), (4.1, 7.1, "grey")]


def test_an_interval_of_any_length_keeps_few_frames(tmp_path: Path) -> None:
    path = store(tmp_path / "v.npy", [1.0] * 20_000)
    narrator = ShadeNarrator(stored=True)

    found = narrate(narrator, path, config=windows(1e6))

    assert told(found) == [(0.0, 800.0, "white")]
    assert len(narrator.counts) == 1
    assert 2000 < narrator.counts[0] <= 4096


# A recogniser ------------------------------------------------------------------------------


def follow(path: Path, recogniser: LabelNarrator, **options: object) -> Narration:
    config = NarrationConfig(cut="state", **options)
    return narrate(recogniser, path, config=config, segments=EVENTS)


def test_a_change_of_mind_is_an_event_at_its_time(tmp_path: Path) -> None:
    # 25 a second; a flash of 3 frames is too short to be one.
    shades = [0.5] * 30 + [1.0] * 3 + [0.5] * 17 + [1.0] * 25 + [0.0] * 10
    path = store(tmp_path / "v.npy", shades)

    found = follow(path, shade_recogniser())

    assert told(found) == [(0.0, 2.0, "grey"), (2.0, 3.0, "white"), (3.0, 3.4, "black")]
    assert all(-0.5 < s.log_prob < 0 for s in found.sentences)


@pytest.mark.parametrize("num_last", [4, 5])
def test_a_short_end_belongs_to_the_event_before(tmp_path: Path, num_last: int) -> None:
    path = store(tmp_path / "v.npy", [0.5] * 20 + [1.0] * num_last)

    texts = [s.text for s in follow(path, shade_recogniser()).sentences]

    assert texts == (["grey", "white"] if num_last == 5 else ["grey"])


def test_a_short_beginning_belongs_to_the_event_after(tmp_path: Path) -> None:
    path = store(tmp_path / "v.npy", [0.0] * 3 + [1.0] * 30)

    assert told(follow(path, shade_recogniser())) == [(0.0, 1.32, "white")]


def test_where_no_class_is_probable_nothing_is_said(tmp_path: Path) -> None:
    # Between grey and white both have about a half.
    path = store(tmp_path / "v.npy", [0.5] * 25 + [0.25] * 25 + [1.0] * 25)
    segments = SegmentConfig(smoothing="none", enter=0.8, leave=0.7, min_seconds=0.2)
    config = NarrationConfig(cut="state")

    found = narrate(shade_recogniser(), path, config=config, segments=segments)

    assert told(found) == [(0.0, 1.0, "grey"), (2.0, 3.0, "white")]


def test_labels_that_hold_together_are_told_together(tmp_path: Path) -> None:
    features = torch.zeros(75, 3)
    features[:50, 0] = 1
    features[25:, 2] = 1
    np.save(tmp_path / "v.npy", features.numpy())
    expected = [(0.0, 1.0, "black"), (1.0, 2.0, "black, white"), (2.0, 3.0, "white")]
    recogniser = shade_recogniser(multi_label=True)

    assert told(follow(tmp_path / "v.npy", recogniser)) == expected
    assert told(narrate(recogniser, tmp_path / "v.npy", config=windows(1.0))) == expected


def test_a_long_event_is_told_again(tmp_path: Path) -> None:
    path = store(tmp_path / "v.npy", [0.5] * 100)

    found = follow(path, shade_recogniser(), max_seconds=1.5)

    assert told(found) == [(0.0, 1.52, "grey"), (1.52, 3.04, "grey"), (3.04, 4.0, "grey")]


def test_a_window_gets_the_label_that_prediction_gives_it(tmp_path: Path) -> None:
    from lrcn.predict.predictor import Predictor

    path = store(tmp_path / "v.npy", [0.3] * 25)
    recogniser = shade_recogniser()
    prediction = Predictor(recogniser._saved)(str(path))
    assert isinstance(prediction, Prediction)
    assert prediction.prob is not None

    (sentence,) = narrate(recogniser, path, config=windows(9.0)).sentences

    assert sentence.text == prediction.class_name == "grey"
    assert sentence.log_prob == pytest.approx(np.log(prediction.prob), abs=1e-6)
    silent = shade_recogniser(threshold=prediction.prob + 0.001)
    assert narrate(silent, path, config=windows(9.0)).sentences == ()


def test_a_model_without_state_cannot_be_followed(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mkv", [1.0])

    with pytest.raises(ConfigError, match='Take "windows", or "features"'):
        narrate(ShadeNarrator(), path, config=NarrationConfig(cut="state"))


@pytest.mark.parametrize("cut", ["windows", "state"])
def test_a_model_that_gives_no_numbers_is_told(tmp_path: Path, cut: str) -> None:
    recogniser = shade_recogniser()
    with torch.no_grad():
        recogniser._saved.model.head.linear.weight.fill_(float("nan"))
    path = store(tmp_path / "v.npy", [0.5] * 30)

    with pytest.raises(ModelError, match="NaN"):
        narrate(recogniser, path, config=NarrationConfig(cut=cut))


# In general --------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(
    lengths=st.lists(st.tuples(st.integers(1, 30), st.sampled_from([0.0, 0.5, 1.0])), min_size=1),
    cut=st.sampled_from(["windows", "state", "features"]),
    window=st.floats(0.05, 3.0),
    min_seconds=st.floats(0.0, 1.0),
    max_seconds=st.one_of(st.none(), st.floats(3.0, 5.0)),
)
def test_sentences_follow_each_other_and_stay_inside(
    tmp_path_factory: pytest.TempPathFactory,
    lengths: list[tuple[int, float]],
    cut: str,
    window: float,
    min_seconds: float,
    max_seconds: float | None,
) -> None:
    shades = [shade for count, shade in lengths for _ in range(count)]
    path = store(tmp_path_factory.mktemp("p") / "v.npy", shades)
    config = NarrationConfig(
        cut=cut, window=window, max_seconds=max_seconds, change_seconds=0.2, change=0.3
    )
    segments = SegmentConfig(smoothing="none", min_seconds=min_seconds)

    found = narrate(shade_recogniser(), path, config=config, segments=segments)

    sentences = found.sentences
    assert sentences[0].start_seconds == 0
    assert sentences[-1].end_seconds == found.end_seconds == pytest.approx(len(shades) / 25)
    for before, after in itertools.pairwise(sentences):
        assert before.end_seconds == after.start_seconds
        if max_seconds is None:
            assert before.text != after.text
    shortest = min(min_seconds, window) if cut == "windows" else min_seconds
    for sentence in sentences[1:-1] if max_seconds is None else ():
        assert sentence.end_seconds - sentence.start_seconds >= shortest - 1e-5
    if max_seconds is not None:
        longest = max(s.end_seconds - s.start_seconds for s in sentences)
        assert longest <= max_seconds + 1 / 25 + min_seconds + 1e-5


class _Until(Watching):
    """Stops after some sentences and remembers what it heard."""

    def __init__(self, num_sentences: int) -> None:
        self.num_sentences = num_sentences
        self.heard: list[Sentence] = []
        self.progress: list[tuple[float, float | None]] = []

    def on_sentence(self, sentence: Sentence) -> None:
        self.heard.append(sentence)

    def on_progress(self, done_seconds: float, total_seconds: float | None) -> None:
        self.progress.append((done_seconds, total_seconds))

    def stop(self) -> bool:
        return len(self.heard) >= self.num_sentences


def test_when_stopped_what_was_seen_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mkv", ([0.5] * 10 + [1.0] * 10) * 20)
    until = _Until(3)

    found = narrate(ShadeNarrator(), path, config=windows(1.0), watching=until)

    assert found.interrupted
    assert found.to_dict()["interrupted"] is True
    assert tuple(until.heard) == found.sentences
    assert 3 <= len(found.sentences) < 20
    assert found.end_seconds == found.sentences[-1].end_seconds
    done = [seconds for seconds, _ in until.progress]
    assert done == sorted(done)
    assert until.progress[0][1] == pytest.approx(40.0)


def test_sentences_are_heard_while_the_video_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mkv", ([0.5] * 10 + [1.0] * 10) * 10)
    until = _Until(1000)

    found = narrate(ShadeNarrator(), path, config=windows(1.0), watching=until)

    assert not found.interrupted
    assert tuple(until.heard) == found.sentences
    assert len(found.sentences) == 20


def _narrators() -> list[Narrator]:
    return [ShadeNarrator(), ShadeNarrator(sampling=None)]


@pytest.mark.parametrize("narrator", _narrators(), ids=["all frames", "one a window"])
def test_no_frame_is_kept(narrator: ShadeNarrator) -> None:
    frames = CountedFrames(3000)

    found = narrate(narrator, iter(frames), config=windows(0.5))

    assert found.error is None
    assert len(found.sentences) > 20
    # Some chunks of 32 wait between the thread that reads and the one that computes.
    assert frames.most_alive < 300
    assert narrator.most_frames <= 32


def test_thinned_frames_have_their_own_times(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mkv", [0.5] * 14 + [1.0] * 16)
    narrator = ShadeNarrator(SamplingConfig(sample_fps=5.0))

    found = narrate(narrator, path, config=windows(1.0), segments=NO_MIN)

    assert sum(narrator.counts) == 15
    assert told(found) == [(0.0, 1.0, "grey"), (1.0, 3.0, "white")]


@pytest.mark.parametrize(
    ("settings_", "reason"),
    [
        ({"window": 0.0}, "window is 0.0"),
        ({"window": float("nan")}, "window is nan"),
        ({"max_seconds": -1.0}, "max_seconds is -1.0"),
        ({"max_seconds": 1.0}, "less than one window of 2.0"),
        ({"change": 0.0}, "change is 0.0"),
        ({"change_seconds": float("inf")}, "change_seconds is inf"),
    ],
)
def test_impossible_settings_are_refused(settings_: dict[str, float], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        NarrationConfig(**settings_)
