"""A model folder, a video, an answer.

::

    predictor = lrcn.load("runs/mine")  # of a captioner: a `Describer`
    predictor("clip.mp4").class_name
    for prediction in predictor.predict_many(paths):
        ...
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lrcn.checkpoint import CAPTION_TASK, SavedModel, load_captioner, task_of
from lrcn.data.datasets.walk import strip_media_extension
from lrcn.data.extract import extract_features
from lrcn.data.modality import FlowSource, holds_flow
from lrcn.engine import (
    FastBackbone,
    Precision,
    choose_device,
    choose_precision,
    fast_backbone,
    set_threads,
)
from lrcn.errors import ConfigError, MediaError, ModelError
from lrcn.fusion_folder import SavedFusion, load_any
from lrcn.models.segment_config import DEFAULT_SEGMENTS, SegmentConfig
from lrcn.models.segments import end_of_frames, find_segments
from lrcn.models.views import clip_probs, frame_probs, video_probs, whole_probs
from lrcn.predict.stream import Stream
from lrcn.structures import Prediction, Segment, SkippedFile, VideoFeatures, VideoItem

if TYPE_CHECKING:
    from lrcn.predict.describe import Describer
    from lrcn.predict.fused import FusedPredictor

DEFAULT_LABEL_THRESHOLD = 0.5
"""From which a label counts in a multi-label model that has no fitted thresholds."""


def load(
    model: str | os.PathLike[str],
    *,
    device: str = "auto",
    threads: int | None = None,
    precision: Precision = "auto",
) -> Predictor | FusedPredictor | Describer:
    """Make what answers of a saved model: called with a video or photo, it gives the answer.

    A recogniser or several fused ones become a predictor, which gives a `Prediction`; a captioner
    becomes a `Describer`, which gives a `Description`.

    Args:
        model: A run folder of `lrcn train`, or a model folder; of `lrcn fuse` too.
        device: "auto", "cpu", "cuda", ...
        threads: Of the processor, for the whole process; None leaves them as they are.
        precision: Of the backbone; "auto" takes bfloat16 where the processor is fast in it and
            the probabilities stay within 0.01 or so. Of a captioner's words too.

    Raises:
        ModelError: there is no model, or it is damaged.
        ConfigError: the device, number of threads or precision cannot be had.
    """
    chosen = choose_device(device)
    if threads is not None:
        set_threads(threads)
    if task_of(model) == CAPTION_TASK:
        from lrcn.predict.describe import Describer

        return Describer(load_captioner(model), device=chosen, precision=precision)
    return predictor_of(load_any(model), device=chosen, precision=precision)


def predictor_of(saved: SavedModel | SavedFusion, **options: Any) -> Predictor | FusedPredictor:
    """The predictor of a loaded model, or of several fused ones; options as of `Predictor`."""
    if isinstance(saved, SavedFusion):
        from lrcn.predict.fused import FusedPredictor

        return FusedPredictor(saved, **options)
    return Predictor(saved, **options)


class Predictor:
    """A model ready to answer.

    Every frame goes once through the CNN, in batches that span videos, while the next videos are
    decoded; the backbone is prepared at the first frame (`lrcn.engine.fast_backbone`).
    """

    def __init__(
        self,
        saved: SavedModel,
        *,
        device: torch.device | None = None,
        precision: Precision = "auto",
        num_crops: int = 1,
        whole_video: bool = False,
        batch_size: int = 64,
        decode_threads: int = 1,
        flow_source: FlowSource = "auto",
    ) -> None:
        """Take a model; it is moved to the device and put into evaluation mode.

        Args:
            saved: From `lrcn.checkpoint.load_model`.
            device: Where to compute; the processor when None.
            precision: Of the backbone. "auto" takes bfloat16 only where it is fast and keeps
                the probabilities within 0.01 or so.
            num_crops: Views of every frame, 1 or 10.
            whole_video: Unroll once from the first frame to the last in place of clips.
            batch_size: Frames per call of the CNN.
            decode_threads: Videos decoded at the same time.
            flow_source: For models of modality flow: "computed" from the videos, "stored" where
                the inputs are flow images already, or "auto" to recognise those that `lrcn flow`
                made.
        """
        self.saved = saved
        self.device = device or torch.device("cpu")
        self.precision = choose_precision(precision, self.device)
        # Who asks for bfloat16 gets it, unless the features would be useless.
        self._max_error = 0.1 if precision == "bfloat16" else 0.01
        self.model = saved.model.to(self.device).eval()
        self.num_crops = num_crops
        self.whole_video = whole_video
        self.batch_size = batch_size
        self.decode_threads = decode_threads
        self.holds_flow = holds_flow(flow_source)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The model's classes, in the order of `Prediction.probs_K`."""
        return self.model.class_names

    @property
    def description(self) -> str:
        """How the backbone is computed, for reports."""
        return "features are given" if self.model.backbone is None else self.backbone.description

    @cached_property
    def backbone(self) -> FastBackbone:
        """The CNN as it runs here.

        Raises:
            ModelError: the model takes features.
        """
        if self.model.backbone is None:
            raise ModelError(
                "this model takes features and has no CNN; give it .npy, .npz or .h5 files"
            )
        return fast_backbone(
            self.model.backbone,
            device=self.device,
            precision=self.precision,
            batch_size=self.batch_size,
            max_error=self._max_error,
        )

    def __call__(
        self,
        source: Any,
        *,
        video_id: str | None = None,
        top_k: int = 5,
        threshold: float | None = None,
        segments: SegmentConfig | None = DEFAULT_SEGMENTS,
    ) -> Prediction:
        """What happens in one video.

        Args:
            source: Path of a video, a folder of numbered images or a feature file; an array or
                tensor of frames (T x H x W x 3 or T x 3 x H x W); an iterator of frames.
            video_id: For the result, and to find the video in an `.h5` of several.
            top_k: How many classes to list.
            threshold: Below this probability the answer is none of the classes.
            segments: How to find what happens when; None to leave it out.

        Raises:
            MediaError: it cannot be read.
            TypeError: it is nothing of the above.
        """
        item = source if video_id is None else (video_id, source)
        return only_answer(
            self.predict_many([item], top_k=top_k, threshold=threshold, segments=segments)
        )

    def predict_many(
        self,
        sources: Iterable[Any],
        *,
        top_k: int = 5,
        threshold: float | None = None,
        segments: SegmentConfig | None = DEFAULT_SEGMENTS,
    ) -> Generator[Prediction, None, None]:
        """What happens in many videos, in order; they are taken a few ahead.

        Args:
            sources: Each as for a single call, or a pair (video_id, source), or a `VideoItem`.
            top_k: How many classes to list.
            threshold: Below this probability the answer is none of the classes.
            segments: How to find what happens when; None to leave it out.

        Yields:
            One `Prediction` per source; where it could not be read with `error` alone.
        """
        check_options(top_k, threshold)
        names: deque[tuple[str, str]] = deque()

        def items() -> Iterator[VideoItem | tuple[str, Any]]:
            for source in sources:
                item = _item(source)
                names.append(_names(item))
                yield item

        with closing(
            extract_features(
                items(),
                self._features if self.model.backbone is not None else None,
                self.model.preprocessing if self.model.backbone is not None else None,
                sampling=self.saved.sampling,
                num_crops=self.num_crops,
                batch_size=self.batch_size,
                decode_threads=self.decode_threads,
                feature_dim=self.model.feature_dim,
                holds_flow=self.holds_flow,
            )
        ) as found:
            for features in found:
                path, video_id = names.popleft()
                if isinstance(features, SkippedFile):
                    yield Prediction(path=path, video_id=video_id, error=features.reason)
                else:
                    yield self._answer(path, features, top_k, threshold, segments)

    def stream(self, *, segments: SegmentConfig = DEFAULT_SEGMENTS) -> Stream:
        """A live answer, frame after frame, from now on."""
        backbone = self.backbone if self.model.backbone is not None else None
        return Stream(self.model, backbone, sampling=self.saved.sampling, segments=segments)

    def _features(self, frames_NCHW: Tensor) -> Tensor:
        return self.backbone(frames_NCHW)

    def _answer(
        self,
        path: str,
        features: VideoFeatures,
        top_k: int,
        threshold: float | None,
        segments: SegmentConfig | None,
    ) -> Prediction:
        sampling = self.saved.sampling
        if self.whole_video:
            views = whole_probs(self.model, features.features_VTD)
        else:
            views = clip_probs(
                self.model,
                features.features_VTD,
                clip_length=sampling.clip_length,
                clip_stride=sampling.clip_stride,
            )
        probs_K, probs_TK = video_probs(views), frame_probs(views)
        if not bool(torch.isfinite(probs_TK).all()):
            raise ModelError(
                f"the model gives NaN or infinity for {path}: its weights are damaged, or its"
                " training diverged. Train again with a lower learning rate"
            )
        class_name, prob, ranked = decide(
            probs_K,
            self.class_names,
            multi_label=self.model.multi_label,
            thresholds=self.saved.thresholds,
            top_k=top_k,
            threshold=threshold,
        )
        found: tuple[Segment, ...] = ()
        if segments is not None:
            found = find_segments(
                probs_TK,
                features.pts_seconds_T,
                self.class_names,
                segments,
                multi_label=self.model.multi_label,
                end_seconds=end_of_frames(features.pts_seconds_T, features.info.fps),
            )
        return Prediction(
            path=path,
            video_id=features.video_id,
            class_name=class_name,
            prob=prob,
            top_k=ranked,
            probs_K=probs_K,
            probs_TK=probs_TK,
            pts_seconds_T=features.pts_seconds_T,
            segments=found,
            class_names=self.class_names,
            truncated=features.truncated,
        )


def only_answer(predictions: Generator[Prediction, None, None]) -> Prediction:
    """The answer to a single video.

    Raises:
        MediaError: it could not be read.
    """
    with closing(predictions):
        prediction = next(predictions)
    if prediction.error is not None:
        raise MediaError(f"{prediction.path}: {prediction.error}")
    return prediction


def check_options(top_k: int, threshold: float | None) -> None:
    """Refuse impossible options of a prediction.

    Raises:
        ConfigError: one of them is.
    """
    if top_k < 1 or (threshold is not None and not 0 <= threshold <= 1):
        raise ConfigError(
            f"top_k is {top_k} and threshold {threshold}; top_k must be 1 or more, a threshold"
            " lies between 0 and 1"
        )


def decide(
    probs_K: Tensor,
    names: Sequence[str],
    *,
    multi_label: bool,
    thresholds: Sequence[float] | None,
    top_k: int,
    threshold: float | None,
) -> tuple[str | None, float, tuple[tuple[str, float], ...]]:
    """The class (None where none reaches the threshold), its probability, and the ranking.

    One label: the `top_k` most probable classes are ranked. Several: those that hold.
    """
    probs = probs_K.tolist()
    order = sorted(range(len(probs)), key=lambda k: (-probs[k], k))
    if multi_label:
        fitted = thresholds or (DEFAULT_LABEL_THRESHOLD,) * len(probs)
        limits = fitted if threshold is None else (threshold,) * len(probs)
        ranked = [k for k in order if probs[k] >= limits[k]]
        best = ranked[0] if ranked else None
    else:
        ranked = order[:top_k]
        best = order[0] if threshold is None or probs[order[0]] >= threshold else None
    return (
        None if best is None else names[best],
        probs[order[0] if best is None else best],
        tuple((names[k], probs[k]) for k in ranked),
    )


def _item(source: Any) -> VideoItem | tuple[str, Any]:
    if isinstance(source, VideoItem):
        return source
    if isinstance(source, tuple) and len(source) == 2 and isinstance(source[0], str):
        return source
    if isinstance(source, str | os.PathLike):
        return strip_media_extension(Path(source).name) or os.fspath(source), source
    return type(source).__name__, source


def _names(item: VideoItem | tuple[str, Any]) -> tuple[str, str]:
    """Path (or what stands for it) and id, for results."""
    if isinstance(item, VideoItem):
        return item.path, item.video_id
    video_id, source = item
    is_path = isinstance(source, str | os.PathLike)
    return os.fspath(source) if is_path else video_id, video_id
