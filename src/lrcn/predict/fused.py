"""Several models answering as one: the weighted mean of their probabilities.

Each member looks at the video in its own way (frames or flow, its own rate). A video's
probabilities are the weighted mean of those that the members give to the whole video; those of a
frame take of every member the frame nearest in time to the first member's.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from typing import Any

from lrcn.errors import ModelError
from lrcn.fusion_folder import SavedFusion
from lrcn.models.fusion import class_columns, fuse_probs, nearest_in_time
from lrcn.models.segment_config import DEFAULT_SEGMENTS, SegmentConfig
from lrcn.models.segments import end_of_frames, find_segments
from lrcn.predict.predictor import Predictor, check_options, decide, only_answer
from lrcn.predict.stream import Stream
from lrcn.structures import Prediction, Segment, VideoItem


class FusedPredictor:
    """A fused model ready to answer; used like a `Predictor`.

    Every member reads the videos for itself.
    """

    def __init__(self, saved: SavedFusion, **options: Any) -> None:
        """Take a fused model.

        Args:
            saved: From `lrcn.fusion_folder.load_any`.
            **options: As of `Predictor`, for every member.
        """
        self.saved = saved
        self.members = tuple(Predictor(member, **options) for member in saved.members)
        self._columns = [
            class_columns(saved.class_names, m.class_names, names=("the first model", "another"))
            for m in self.members
        ]

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, in the order of `Prediction.probs_K`: the first member's."""
        return self.saved.class_names

    @property
    def description(self) -> str:
        """How the members' backbones are computed, for reports."""
        return " + ".join(dict.fromkeys(member.description for member in self.members))

    def __call__(
        self,
        source: Any,
        *,
        video_id: str | None = None,
        top_k: int = 5,
        threshold: float | None = None,
        segments: SegmentConfig | None = DEFAULT_SEGMENTS,
    ) -> Prediction:
        """What happens in one video; see `Predictor.__call__`."""
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
        """What happens in many videos, in order; see `Predictor.predict_many`.

        Frames that come from an iterator are held in memory: every member needs them.
        """
        check_options(top_k, threshold)
        copies = itertools.tee(map(_held, sources), len(self.members))
        with ExitStack() as stack:
            answers = [
                stack.enter_context(closing(member.predict_many(copy, segments=None)))
                for member, copy in zip(self.members, copies, strict=True)
            ]
            for found in zip(*answers, strict=True):
                failed = next((p for p in found if p.error is not None), None)
                yield failed or self._fused(found, top_k, threshold, segments)

    def stream(self, *, segments: SegmentConfig = DEFAULT_SEGMENTS) -> Stream:
        """A live answer cannot be had of several models.

        Raises:
            ModelError: always.
        """
        del segments  # a Predictor's
        raise ModelError(
            "a live stream takes one model, and this folder holds several fused ones."
            f" Load one of its members, for example {self.saved.source}/member_1"
        )

    def _fused(
        self,
        found: tuple[Prediction, ...],
        top_k: int,
        threshold: float | None,
        segments: SegmentConfig | None,
    ) -> Prediction:
        first = found[0]
        times_T = first.pts_seconds_T
        assert times_T is not None
        of_video, of_frames = [], []
        for prediction, columns in zip(found, self._columns, strict=True):
            assert prediction.probs_K is not None
            assert prediction.probs_TK is not None
            assert prediction.pts_seconds_T is not None
            rows = nearest_in_time(prediction.pts_seconds_T, times_T)
            of_video.append(prediction.probs_K[columns])
            of_frames.append(prediction.probs_TK[rows][:, columns])
        weights = self.saved.fusion_weights
        probs_K, probs_TK = fuse_probs(of_video, weights), fuse_probs(of_frames, weights)
        class_name, prob, ranked = decide(
            probs_K,
            self.class_names,
            multi_label=self.saved.multi_label,
            thresholds=self.saved.thresholds,
            top_k=top_k,
            threshold=threshold,
        )
        when: tuple[Segment, ...] = ()
        if segments is not None:
            when = find_segments(
                probs_TK,
                times_T,
                self.class_names,
                segments,
                multi_label=self.saved.multi_label,
                end_seconds=end_of_frames(times_T, None),
            )
        return Prediction(
            path=first.path,
            video_id=first.video_id,
            class_name=class_name,
            prob=prob,
            top_k=ranked,
            probs_K=probs_K,
            probs_TK=probs_TK,
            pts_seconds_T=times_T,
            segments=when,
            class_names=self.class_names,
            truncated=any(p.truncated for p in found),
        )


def _held(source: Any) -> Any:
    """A source that can be read several times."""
    if isinstance(source, VideoItem):
        return source
    if isinstance(source, tuple) and len(source) == 2 and isinstance(source[0], str):
        return source[0], _held(source[1])
    if isinstance(source, io.IOBase):
        return source.read()
    return list(source) if isinstance(source, Iterator) else source
