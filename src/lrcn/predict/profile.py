"""Where the time of a prediction goes: decoding, resizing, the CNN, the LSTM.

Every part is measured alone on the same frames, then all together as `Predictor` does it, and
against a plain loop: decode, resize, eager float32, clip probabilities, one video after the other.
The rounds are interleaved, so that a busy machine slows all alike, and medians are reported.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lrcn.checkpoint import SavedModel
from lrcn.data.modality import open_item
from lrcn.data.transforms import EvalTransform
from lrcn.engine import Precision
from lrcn.errors import ModelError
from lrcn.models.views import clip_probs, video_probs
from lrcn.predict.predictor import Predictor
from lrcn.structures import Clip, VideoItem
from lrcn.video.source import open_video

_PLAIN_BATCH = 16
"""Frames per call of the plain loop: the paper's clip, and the fastest for eager networks here."""

WHOLE, PLAIN = "all, pipelined", "all, plain loop"


@dataclass(frozen=True, kw_only=True)
class PartTime:
    """One line of the table."""

    part: str
    frames_per_second: float
    ms_per_frame: float
    speed_ratio: float | None
    """How many times as fast as the plain loop; None for a part of the whole."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Where the time goes."""

    parts: tuple[PartTime, ...]
    num_videos: int
    num_frames: int
    engine: str
    """How the CNN runs."""


def profile(
    saved: SavedModel,
    paths: Sequence[str | os.PathLike[str]],
    *,
    device: torch.device | None = None,
    precision: Precision = "auto",
    rounds: int = 3,
    max_frames: int = 150,
    decode_threads: int = 1,
) -> Profile:
    """Measure a model on videos.

    Args:
        saved: With a CNN.
        paths: Videos.
        device: Where to compute; the processor when None.
        precision: Of the CNN.
        rounds: How often everything is measured, after one round to warm up.
        max_frames: Of every video; they are held in memory.
        decode_threads: Of the pipeline.

    Raises:
        ModelError: the model has no CNN.
        MediaError: a video cannot be read.
    """
    if saved.model.backbone is None:
        raise ModelError("this model takes features, not videos: it has no CNN to be measured")
    predictor = Predictor(saved, device=device, precision=precision, decode_threads=decode_threads)
    parts = _Parts(predictor, [_head_of(path, max_frames) for path in paths])
    measured: dict[str, list[float]] = {}
    for turn in range(rounds + 1):
        for name, run in parts.table().items():
            started = time.perf_counter()
            run()
            if turn > 0:
                measured.setdefault(name, []).append(time.perf_counter() - started)
    seconds = {name: statistics.median(values) for name, values in measured.items()}
    return Profile(
        parts=tuple(
            PartTime(
                part=name,
                frames_per_second=parts.num_frames / value,
                ms_per_frame=1000 * value / parts.num_frames,
                speed_ratio=seconds[PLAIN] / value if name in (WHOLE, PLAIN) else None,
            )
            for name, value in seconds.items()
        ),
        num_videos=len(paths),
        num_frames=parts.num_frames,
        engine=predictor.description,
    )


def _head_of(path: str | os.PathLike[str], max_frames: int) -> VideoItem:
    """The first frames of a video, as an interval."""
    end_seconds = None
    with open_video(path) as video:
        times_T = video.pts_seconds()
        if len(times_T) > max_frames:
            end_seconds = float(times_T[max_frames])
    return VideoItem(
        path=os.fspath(path), video_id=os.fspath(path), class_names=(), end_seconds=end_seconds
    )


class _Parts:
    """The parts of a prediction as functions without arguments, with their inputs at hand."""

    def __init__(self, predictor: Predictor, items: Sequence[VideoItem]) -> None:
        self._predictor = predictor
        self._model = predictor.model
        assert self._model.preprocessing is not None
        self._transform = EvalTransform(self._model.preprocessing)
        self._items = items
        self._raw = [self._decode(item) for item in items]
        self._resized = [self._transform(frames)[0] for frames in self._raw]
        self._features = [self._fast(frames) for frames in self._resized]
        self.num_frames = sum(len(frames) for frames in self._raw)

    def table(self) -> dict[str, Callable[[], object]]:
        """Name of each part, and what to time."""
        return {
            # Of a model that sees flow: with the flow.
            "decode": lambda: [self._decode(item) for item in self._items],
            "resize": lambda: [self._transform(frames) for frames in self._raw],
            "CNN": lambda: [self._fast(frames) for frames in self._resized],
            "LSTM": lambda: [self._probs(features) for features in self._features],
            WHOLE: lambda: list(self._predictor.predict_many(self._items, segments=None)),
            PLAIN: self._plain_loop,
        }

    def _decode(self, item: VideoItem) -> Tensor:
        with open_item(item, self._transform.preprocessing) as video:
            clips: list[Clip] = list(video.iterate())
        return torch.cat([clip.frames_TCHW for clip in clips])

    def _fast(self, frames_TCHW: Tensor) -> Tensor:
        batches = torch.split(frames_TCHW, self._predictor.batch_size)
        return torch.cat([self._predictor.backbone(batch) for batch in batches])

    def _probs(self, features_TD: Tensor) -> Tensor:
        sampling = self._predictor.saved.sampling
        views = clip_probs(
            self._model,
            features_TD[None],
            clip_length=sampling.clip_length,
            clip_stride=sampling.clip_stride,
        )
        return video_probs(views)

    def _plain_loop(self) -> None:
        for item in self._items:
            frames_TCHW = self._transform(self._decode(item))[0]
            with torch.no_grad():
                features = [
                    self._model.features(batch.contiguous().to(self._predictor.device)).cpu()
                    for batch in torch.split(frames_TCHW, _PLAIN_BATCH)
                ]
            self._probs(torch.cat(features))
