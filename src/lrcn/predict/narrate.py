"""A video of any length in, sentences with times out, while it is read.

::

    thread ahead: open, decode, thin, resize ─► chunks of frames ─► CNN ─► features, frame by frame
                                        ─► teller: borders, sentences ─► repeated ones joined

One pass, and nothing that grows with the video but the sentences: no frame is kept, and of features
only those of the interval under way.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from lrcn.data.ahead import run_ahead
from lrcn.data.datasets.walk import strip_media_extension
from lrcn.data.modality import FlowSource, holds_flow, open_pictures
from lrcn.data.transforms import EvalTransform
from lrcn.errors import MediaError
from lrcn.models.segment_config import DEFAULT_SEGMENTS, SegmentConfig
from lrcn.predict.events import Teller, make_teller
from lrcn.predict.narration_config import DEFAULT_NARRATION, NarrationConfig
from lrcn.predict.narrators import Narrator
from lrcn.predict.subtitles import Sentence
from lrcn.structures import Preprocessing, VideoInfo
from lrcn.video.features import is_feature_path, read_features
from lrcn.video.sampling import SamplingConfig
from lrcn.video.source import VideoSource
from lrcn.video.stills import DEFAULT_FPS

_CHUNK_FRAMES = 32
_CHUNK_SECONDS = 8.0
"""Most of a video in one chunk: between two of them sentences are told, and Ctrl-C is heard."""

_CHUNK_BYTES = 24 * 2**20
"""Decoded frames of one chunk; about six chunks exist at a time."""

_LOOKS_PER_SECOND = 4.0
"""How often the pictures are compared for a model that needs only one frame of an interval."""


@dataclass(frozen=True, kw_only=True)
class Narration:
    """What was said of one video, or why nothing could be (`error`)."""

    path: str
    video_id: str
    sentences: tuple[Sentence, ...] = ()
    """In order, without overlap."""
    end_seconds: float = 0.0
    """How far it was narrated: to its end, unless `interrupted`."""
    truncated: bool = False
    """The file is cut off or damaged."""
    interrupted: bool = False
    """Stopped before the end, as asked."""
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of `lrcn narrate --json`."""
        if self.error is not None:
            return {"path": self.path, "error": self.error}
        result: dict[str, Any] = {
            "path": self.path,
            "video_id": self.video_id,
            "end_seconds": self.end_seconds,
            "sentences": [sentence.to_dict() for sentence in self.sentences],
        }
        notes = {"truncated": self.truncated, "interrupted": self.interrupted}
        return result | {name: True for name, holds in notes.items() if holds}


class Watching:
    """What a caller hears while a video is narrated, and may say. By itself it does nothing."""

    def on_sentence(self, sentence: Sentence) -> None:
        """A sentence is final."""

    def on_progress(self, done_seconds: float, total_seconds: float | None) -> None:
        """So much of the video is done; its length where that is known."""

    def stop(self) -> bool:
        """Asked between chunks of frames: True ends the narration with what was seen."""
        return False


_ALONE = Watching()


def narrate(
    narrator: Narrator,
    source: Any,
    *,
    config: NarrationConfig = DEFAULT_NARRATION,
    segments: SegmentConfig = DEFAULT_SEGMENTS,
    flow_source: FlowSource = "auto",
    watching: Watching = _ALONE,
) -> Narration:
    """Say what happens in a video, and when.

    Args:
        narrator: From `load_narrator`.
        source: Path of a video, a folder of numbered images or a feature file; an array or tensor
            of frames; an iterator of frames.
        config: Where sentences begin and end.
        segments: Of a recogniser's changes: smoothing, thresholds; its `min_seconds` is the
            shortest interval of every kind.
        flow_source: For models of modality flow, as of `Predictor`.
        watching: What the caller wants to hear meanwhile.

    Returns:
        All that was said. A source that cannot be read has an `error`.

    Raises:
        ConfigError: the settings do not suit the model.
        ModelError: the model gives NaN.
        TypeError: the source is nothing of the above.
    """
    is_path = isinstance(source, str | os.PathLike)
    path = os.fspath(source) if is_path else type(source).__name__
    video_id = strip_media_extension(Path(path).name) or path
    teller = make_teller(narrator, config, segments)
    reading = _Reading(
        narrator.preprocessing,
        _sampling(narrator, config),
        narrator.feature_dim,
        holds_flow(flow_source),
    )
    clock = _Clock()
    joiner = _Joiner(config.max_seconds, watching)
    try:
        with closing(run_ahead([source], reading, window=1)) as videos:
            interrupted = _follow(
                next(videos),
                narrator,
                teller=teller,
                clock=clock,
                joiner=joiner,
                watching=watching,
            )
    except MediaError as error:
        return Narration(path=path, video_id=video_id, error=str(error))
    end_seconds = clock.after_last() if clock.end_seconds is None else clock.end_seconds
    for sentence in teller.finish(end_seconds):
        joiner.add(sentence)
    joiner.close()
    return Narration(
        path=path,
        video_id=video_id,
        sentences=tuple(joiner.told),
        end_seconds=end_seconds,
        truncated=clock.truncated,
        interrupted=interrupted,
    )


def _follow(
    pieces: Iterator[_Piece],
    narrator: Narrator,
    *,
    teller: Teller,
    clock: _Clock,
    joiner: _Joiner,
    watching: Watching,
) -> bool:
    """See all frames in order; whether that was stopped."""
    for piece in pieces:
        if isinstance(piece, _Opened):
            clock.info = piece.info
            continue
        if isinstance(piece, _Ended):
            clock.end_seconds = piece.end_seconds
            clock.truncated |= piece.truncated
            continue
        clock.truncated |= piece.truncated
        for seconds, features_D in zip(piece.seconds, piece.features(narrator), strict=True):
            clock.now = seconds
            joiner.add(teller.push(seconds, features_D))
        watching.on_progress(clock.now, clock.info.duration_seconds)
        if watching.stop():
            return True
    return False


def _sampling(narrator: Narrator, config: NarrationConfig) -> SamplingConfig:
    """Which frames are used."""
    if narrator.sampling is not None:
        return narrator.sampling
    looks = 1 / config.window if config.cut == "windows" else _LOOKS_PER_SECOND
    return SamplingConfig(sample_fps=looks)


class _Clock:
    """True times: where the video stands, and when it ends."""

    def __init__(self) -> None:
        self.info = VideoInfo(height=0, width=0)
        self.truncated = False
        self.now = 0.0
        self.end_seconds: float | None = None
        """Of the video; None until it was seen whole."""

    def after_last(self) -> float:
        """When the last frame seen ends, if frames last as long as they do on average."""
        return self.now + 1 / (self.info.fps or DEFAULT_FPS)


class _Joiner:
    """Makes one sentence of those that repeat without a gap, and passes on what is final."""

    def __init__(self, max_seconds: float | None, watching: Watching) -> None:
        self.told: list[Sentence] = []
        self._max_seconds = float("inf") if max_seconds is None else max_seconds
        self._watching = watching
        self._last: Sentence | None = None

    def add(self, sentence: Sentence | None) -> None:
        """Take the next one."""
        if sentence is None:
            return
        last, self._last = self._last, sentence
        if last is None:
            return
        if self._same(last, sentence):
            self._last = _joined(last, sentence)
        else:
            self._pass_on(last)

    def close(self) -> None:
        """Pass on the last one."""
        last, self._last = self._last, None
        if last is not None:
            self._pass_on(last)

    def _same(self, last: Sentence, sentence: Sentence) -> bool:
        total = sentence.end_seconds - last.start_seconds
        return (
            last.text == sentence.text
            and sentence.start_seconds == last.end_seconds
            and total <= self._max_seconds + 1e-6
        )

    def _pass_on(self, sentence: Sentence) -> None:
        self.told.append(sentence)
        self._watching.on_sentence(sentence)


def _joined(first: Sentence, second: Sentence) -> Sentence:
    lengths = [one.end_seconds - one.start_seconds for one in (first, second)]
    weighted = lengths[0] * first.log_prob + lengths[1] * second.log_prob
    return replace(first, end_seconds=second.end_seconds, log_prob=weighted / sum(lengths))


# Reading -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Opened:
    info: VideoInfo


@dataclass(frozen=True)
class _Ended:
    end_seconds: float
    truncated: bool = False


@dataclass(frozen=True)
class _Some:
    """Some frames ready for the CNN, or their features."""

    seconds: list[float]
    frames_TCHW: Tensor | None
    features_TD: Tensor | None
    truncated: bool

    def features(self, narrator: Narrator) -> Tensor:
        if self.features_TD is not None:
            return self.features_TD
        assert self.frames_TCHW is not None
        return narrator.features(self.frames_TCHW)


_Piece = _Opened | _Some | _Ended
"""What comes from the thread, in this order."""


@dataclass(frozen=True)
class _Reading:
    """The work of the thread: from a source to its pieces."""

    preprocessing: Preprocessing | None
    sampling: SamplingConfig
    feature_dim: int
    holds_flow: bool | None

    def __call__(self, source: Any) -> Iterator[_Piece]:
        try:
            yield from self._pieces(source)
        except OSError as error:
            raise MediaError(f"cannot be read: {error.strerror or error}") from error

    def _pieces(self, source: Any) -> Iterator[_Piece]:
        if isinstance(source, str | os.PathLike) and is_feature_path(source):
            yield from self._stored(os.fspath(source))
            return
        if self.preprocessing is None:
            raise MediaError(
                f"{source if isinstance(source, str) else 'the input'}: is a video, and this model"
                " takes features of frames (it has no CNN). Give it .npy, .npz or .h5 files"
            )
        with open_pictures(source, self.preprocessing, holds_flow=self.holds_flow) as video:
            yield from self._video(video, EvalTransform(self.preprocessing))

    def _video(self, video: VideoSource, transform: EvalTransform) -> Iterator[_Piece]:
        yield _Opened(video.info)
        fitting = _CHUNK_BYTES // max(1, 3 * video.info.height * video.info.width)
        heard = _CHUNK_SECONDS * (self.sampling.sample_fps or _CHUNK_FRAMES)
        num_frames = 0
        for clip in video.iterate(
            chunk=max(1, min(_CHUNK_FRAMES, fitting, math.ceil(heard))),
            frame_stride=self.sampling.frame_stride,
            sample_fps=self.sampling.sample_fps,
        ):
            frames_TCHW = transform(clip.frames_TCHW, first=num_frames)[0]
            num_frames += len(clip)
            seconds_T = clip.pts_seconds_T + video.info.start_seconds
            yield _Some(seconds_T.tolist(), frames_TCHW, None, clip.truncated)
        if num_frames == 0:
            raise MediaError(f"{video.name}: holds no frame. Leave it out or get it anew")
        yield _Ended(video.info.start_seconds + video.end_seconds, video.truncated)

    def _stored(self, path: str) -> Iterator[_Piece]:
        features_TD = read_features(path, strip_media_extension(Path(path).name))
        if features_TD.shape[1] != self.feature_dim:
            raise MediaError(
                f"{path}: its features are {features_TD.shape[1]} wide, the model takes"
                f" {self.feature_dim}. Compute them with the model's own backbone"
            )
        yield _Opened(VideoInfo(height=0, width=0, container="features"))
        for start in range(0, len(features_TD), _CHUNK_FRAMES):
            rows_TD = features_TD[start : start + _CHUNK_FRAMES]
            seconds = [(start + t) / DEFAULT_FPS for t in range(len(rows_TD))]
            yield _Some(seconds, None, rows_TD, truncated=False)
        yield _Ended(len(features_TD) / DEFAULT_FPS)
