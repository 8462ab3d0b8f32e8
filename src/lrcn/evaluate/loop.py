"""Measure a model on a list of videos."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from lrcn.data.cache import FeatureCache
from lrcn.engine import Precision
from lrcn.errors import DataError, LrcnError, MissingFilesError
from lrcn.evaluate.highlights import Highlights
from lrcn.evaluate.inference import Answer, Runner, Watch
from lrcn.evaluate.measure import (
    Measured,
    measure_labels,
    measure_multi_label,
)
from lrcn.evaluate.protocol import DataChoice, ProtocolConfig
from lrcn.evaluate.record import Tally, record
from lrcn.evaluate.results import Results, VideoResult
from lrcn.evaluate.results_folder import now
from lrcn.evaluate.sources import SourceScorer, cut, source_key, whole_sources
from lrcn.models.activity import ActivityModel
from lrcn.structures import SkippedFile, VideoFeatures, VideoItem, VideoList
from lrcn.video.features import is_feature_path, read_features
from lrcn.video.source import open_video

Missing = Literal["error", "skip"]


def evaluate_videos(
    model: ActivityModel,
    video_list: VideoList,
    protocol: ProtocolConfig | None = None,
    *,
    choice: DataChoice | None = None,
    thresholds: Sequence[float] | None = None,
    precision: Precision = "auto",
    cache: FeatureCache | None = None,
    decode_threads: int = 1,
    missing: Missing = "error",
    seed: int = 0,
    model_path: str = "",
    watch: Watch | None = None,
) -> Results:
    """Measure a model on every item of a list.

    Args:
        model: on the device to compute on; left in evaluation mode.
        video_list: every item with its label.
        protocol: how; the paper's when left out.
        choice: which part of the data the list is, for the record.
        thresholds: multi-label: the probability from which each class counts as present, fitted
            on validation data; 0.5 when left out.
        precision: of the backbone.
        cache: of features, used and filled.
        decode_threads: that read ahead.
        missing: what to do about files that cannot be read: refuse, or leave out and list.
        seed: of the bootstrap; no score depends on it.
        model_path: where the model came from, for the record.
        watch: called after each item.

    Raises:
        DataError: an item has no label, one that the model does not know, or too many of them.
        MissingFilesError: files cannot be read and `missing` is "error", or none can.
        ModelError: the model gives NaN.
    """
    started = time.monotonic()
    protocol = protocol or ProtocolConfig()
    check_labels(video_list, model.class_names, multi_label=model.multi_label)
    if thresholds is None:
        thresholds = (0.5,) * len(model.class_names)
    runner = Runner(
        model, protocol, precision=precision, cache=cache, decode_threads=decode_threads
    )
    evaluation = _Pass(model, video_list, runner, thresholds, missing=missing, watch=watch)
    evaluation.run()
    measured = evaluation.measure(seed=seed, num_resamples=protocol.num_resamples)
    return Results(
        created=now(),
        metrics={**measured.metrics, **evaluation.sources.compute()},
        intervals=measured.intervals,
        protocol=record(
            runner,
            video_list,
            evaluation.measured_items,
            choice or DataChoice(),
            Tally(
                num_skipped=len(video_list.skipped) + len(evaluation.skipped),
                num_truncated=len(evaluation.truncated),
                num_clips=evaluation.num_clips,
                segments=bool(evaluation.sources.results),
                thresholds=tuple(thresholds),
                seed=seed,
                model_path=model_path,
                seconds=time.monotonic() - started,
            ),
        ),
        class_names=model.class_names,
        per_class=measured.per_class,
        confusion=measured.confusion,
        videos=tuple(evaluation.videos),
        highlights=evaluation.highlights.all(),
        sources=tuple(evaluation.sources.results),
        skipped=(*video_list.skipped, *evaluation.skipped),
        truncated=tuple(evaluation.truncated),
    )


def check_labels(video_list: VideoList, class_names: Sequence[str], *, multi_label: bool) -> None:
    """Refuse items whose labels a model with these classes cannot be measured on.

    Raises:
        DataError: naming what is wrong, how often, and an example.
    """
    if not video_list.items:
        raise DataError(
            f"{video_list.source} holds no video to measure; at least 1 is needed."
            " Choose another part with --split, or check the data with `lrcn data check`"
        )
    bare = [item for item in video_list.items if not item.class_names]
    if bare:
        raise DataError(
            f"{len(bare)} of {len(video_list)} items have no label (first: {bare[0].path});"
            " every item needs one. Add labels, or use `lrcn predict`"
        )
    counts: dict[str, int] = {}
    for item in video_list.items:
        for name in item.class_names:
            if name not in class_names:
                counts[name] = counts.get(name, 0) + 1
    if counts:
        named = ", ".join(f"{name!r} ({num})" for name, num in sorted(counts.items())[:10])
        more = f" and {len(counts) - 10} more" if len(counts) > 10 else ""
        known = ", ".join(class_names[:20]) + (", ..." if len(class_names) > 20 else "")
        raise DataError(
            f"the model does not know these labels (videos): {named}{more}."
            f" It knows {len(class_names)}: {known}."
            " Rename or remove those items, or train a model on them"
        )
    several = [item for item in video_list.items if len(item.class_names) > 1]
    if several and not multi_label:
        raise DataError(
            f"{len(several)} items have several labels (first: {several[0].path});"
            " this model tells one class per video. Train a multi-label model on such data"
        )


class _Pass:
    """One pass over a list; what it gathers on the way."""

    def __init__(
        self,
        model: ActivityModel,
        video_list: VideoList,
        runner: Runner,
        thresholds: Sequence[float],
        *,
        missing: Missing,
        watch: Watch | None,
    ) -> None:
        self.class_names = model.class_names
        self.multi_label = model.multi_label
        self.runner = runner
        self.thresholds = tuple(thresholds)
        self.missing = missing
        self.watch = watch
        self.items = video_list.items
        self.measured_items: list[VideoItem] = []
        self.probs: list[np.ndarray] = []
        self.videos: list[VideoResult] = []
        self.skipped: list[SkippedFile] = []
        self.truncated: list[str] = []
        self.num_clips = 0
        self.highlights = Highlights(self.class_names)
        self.sources = SourceScorer(
            self.class_names,
            runner.protocol.segment_options,
            thresholds=self.thresholds if self.multi_label else None,
        )

    def run(self) -> None:
        """Measure every item."""
        for item, features in self._item_features():
            answer = self.runner.answer(features)
            self._take(item, answer)
        if not self.measured_items:
            raise MissingFilesError(self._skipped_message(len(self.items)))

    def _item_features(self) -> Iterator[tuple[VideoItem, VideoFeatures]]:
        """Every readable item with its features; intervals are cut from their whole video."""
        whole = self.runner.protocol.segments and any(item.is_segment for item in self.items)
        readings = whole_sources(self.items) if whole else list(self.items)
        of_source: dict[str, list[VideoItem]] = {}
        for item in self.items:
            of_source.setdefault(source_key(item), []).append(item)
        for i, (reading, features) in enumerate(
            zip(readings, self.runner.features(readings), strict=True)
        ):
            if isinstance(features, SkippedFile):
                self._skip(features, readings[i + 1 :])
            elif not whole:
                yield reading, features
            else:
                yield from self._cuts(of_source[source_key(reading)], features)
            if self.watch is not None:
                self.watch(i + 1, len(readings), reading.video_id)

    def _cuts(
        self, items: Sequence[VideoItem], features: VideoFeatures
    ) -> Iterator[tuple[VideoItem, VideoFeatures]]:
        for item in items:
            part = cut(features, item) if item.is_segment else features
            if part is not None:
                yield item, part
                continue
            last = float(features.pts_seconds_T[-1])
            reason = (
                f"no frame between {item.start_seconds} and {item.end_seconds} seconds;"
                f" the video ends at {last:.2f}"
            )
            self._skip(SkippedFile(path=item.path, reason=reason), [])
        intervals = [item for item in items if item.is_segment]
        if intervals:
            self.sources.add(
                items[0].path,
                intervals,
                self.runner.carried(features),
                features.pts_seconds_T,
                features.info.fps,
            )

    def _skip(self, skipped: SkippedFile, remaining: Sequence[VideoItem]) -> None:
        self.skipped.append(skipped)
        if self.missing == "error":
            self.skipped.extend(_unreadable(remaining))
            raise MissingFilesError(self._skipped_message(len(self.items)))

    def _skipped_message(self, num_items: int) -> str:
        first = self.skipped[0]
        return (
            f"{len(self.skipped)} of {num_items} items cannot be read, first {first.path}:"
            f" {first.reason}. Every item must be readable; mend the list with `lrcn data check`,"
            " or leave such files out with --missing skip"
        )

    def _take(self, item: VideoItem, answer: Answer) -> None:
        probs_K = answer.probs_K
        present = np.flatnonzero(probs_K >= np.asarray(self.thresholds))
        chosen = list(present) if self.multi_label else [int(probs_K.argmax())]
        predicted = [self.class_names[k] for k in chosen]
        video = VideoResult(
            video_id=item.video_id,
            path=item.path,
            class_name=";".join(sorted(item.class_names)),
            predicted=";".join(sorted(predicted)),
            correct=set(predicted) == set(item.class_names),
            prob=_digits(probs_K.max()),
            probs=tuple(_digits(p) for p in probs_K),
            start_seconds=item.start_seconds,
            end_seconds=item.end_seconds,
            truncated=answer.truncated,
        )
        self.measured_items.append(item)
        self.probs.append(probs_K)
        self.videos.append(video)
        self.num_clips += answer.num_clips
        if answer.truncated and item.path not in self.truncated:
            self.truncated.append(item.path)
        self.highlights.offer(video, answer.probs_TK, answer.pts_seconds_T)

    def measure(self, *, seed: int, num_resamples: int) -> Measured:
        """The numbers of everything that was read."""
        probs_NK = np.stack(self.probs)
        units = [source_key(item) for item in self.measured_items]
        index = {name: k for k, name in enumerate(self.class_names)}
        if not self.multi_label:
            labels_N = np.array([index[item.class_names[0]] for item in self.measured_items])
            return measure_labels(
                probs_NK,
                labels_N,
                units,
                self.class_names,
                seed=seed,
                num_resamples=num_resamples,
            )
        targets_NK = np.zeros(probs_NK.shape, dtype=bool)
        for row, item in enumerate(self.measured_items):
            targets_NK[row, [index[name] for name in item.class_names]] = True
        return measure_multi_label(
            probs_NK,
            targets_NK,
            units,
            self.class_names,
            thresholds=self.thresholds,
            seed=seed,
            num_resamples=num_resamples,
        )


def _digits(value: float) -> float:
    """Seven significant digits: all that float32 has."""
    return float(f"{value:.7g}")


def _unreadable(items: Sequence[VideoItem]) -> list[SkippedFile]:
    """Which of the items cannot even give a first frame."""
    found = []
    for item in items:
        try:
            if is_feature_path(item.path):
                read_features(item.path, item.video_id)
                continue
            with open_video(item.path) as video:
                next(iter(video.iterate(chunk=1)))
        except (LrcnError, OSError, StopIteration) as error:
            found.append(SkippedFile(path=item.path, reason=str(error) or "no frame"))
    return found
