"""Results of made-up models: probabilities drawn around the truth, numbers really computed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from lrcn.evaluate.highlights import Highlights
from lrcn.evaluate.measure import INTERVAL_LEVEL, INTERVAL_METHOD, measure_labels
from lrcn.evaluate.results import EvaluationProtocol, Results, SourceResult, VideoResult
from lrcn.structures import Segment, SkippedFile

CLASS_NAMES = ("fall", "grow", "rise", "shrink", "slide_left", "slide_right", "spin", "turn")


def fake_protocol(**changes: Any) -> EvaluationProtocol:
    values: dict[str, Any] = {
        "data": "data/motion",
        "layout": "folder",
        "split": "test",
        "split_how": "by group",
        "warnings": (),
        "allow_leaks": False,
        "list_hash": "1" * 32,
        "content_hash": "2" * 32,
        "num_videos": 0,
        "num_skipped": 0,
        "num_truncated": 0,
        "multi_label": False,
        "protocol": "clips",
        "clip_length": 16,
        "clip_stride": 8,
        "frame_stride": 1,
        "sample_fps": None,
        "num_crops": 1,
        "num_clips": 640,
        "segments": False,
        "segment_options": None,
        "preprocessing": {"input_px": 64},
        "model": "runs/demo/best",
        "model_kind": "lrcn",
        "backbone": "small",
        "model_hash": "3" * 32,
        "temperature": 1.0,
        "thresholds": None,
        "precision": "float32",
        "engine": "eager, channels-last, float32",
        "device": "cpu",
        "threads": 2,
        "processor": "a processor",
        "seed": 0,
        "interval_level": INTERVAL_LEVEL,
        "interval_method": INTERVAL_METHOD,
        "versions": {"lrcn": "0.1.0", "torch": "2.14.1"},
        "seconds": 12.5,
    }
    return EvaluationProtocol(**{**values, **changes})


def fake_results(
    *,
    skill: float = 3.0,
    per_class: int = 10,
    seed: int = 0,
    class_names: Sequence[str] = CLASS_NAMES,
    paths: Sequence[str] | None = None,
    num_frames: int = 60,
    sources: bool = False,
    **changes: Any,
) -> Results:
    """Results of a model whose true logits stand `skill` above the others on average."""
    rng = np.random.default_rng(seed)
    names = tuple(class_names)
    labels_N = np.repeat(np.arange(len(names)), per_class)
    highlights = Highlights(names)
    probs, videos = [], []
    for i, label in enumerate(labels_N):
        logits_TK = rng.normal(size=(1, len(names))) + 0.6 * rng.normal(size=(num_frames, 1))
        logits_TK = logits_TK + np.cumsum(rng.normal(size=(num_frames, len(names))), axis=0) * 0.15
        logits_TK[:, label] += skill * np.linspace(0.1, 1.3, num_frames)
        powers = np.exp(logits_TK)
        probs_TK = powers / powers.sum(axis=1, keepdims=True)
        probs_K = probs_TK.mean(axis=0)
        best = int(probs_K.argmax())
        video_id = f"{names[label]}/clip_{i:04d}"
        video = VideoResult(
            video_id=video_id,
            path=paths[i] if paths else f"videos/{video_id}.mp4",
            class_name=names[label],
            predicted=names[best],
            correct=bool(best == label),
            prob=float(probs_K[best]),
            probs=tuple(float(p) for p in probs_K),
        )
        probs.append(probs_K)
        videos.append(video)
        highlights.offer(video, probs_TK, np.arange(num_frames) / 25)
    measured = measure_labels(
        np.stack(probs),
        labels_N,
        [v.path for v in videos],
        names,
        seed=0,
        num_resamples=200,
    )
    metrics = dict(measured.metrics)
    if sources:
        metrics |= {"frame_accuracy": 0.93, "segment_f1": 0.9}
    skipped = (SkippedFile(path="videos/broken.mp4", reason="not a video: moov atom not found"),)
    return Results(
        created="2026-01-31T12:00:00Z",
        metrics=metrics,
        intervals=measured.intervals,
        protocol=fake_protocol(
            num_videos=len(videos), num_skipped=1, num_truncated=1, segments=sources, **changes
        ),
        class_names=names,
        per_class=measured.per_class,
        confusion=measured.confusion,
        videos=tuple(videos),
        highlights=highlights.all(),
        sources=(_source(names),) if sources else (),
        skipped=skipped,
        truncated=(videos[0].path,),
    )


def _source(names: Sequence[str]) -> SourceResult:
    cuts = [0.0, 4.0, 9.0, 12.5, 18.0, 24.0]
    true = [
        Segment(start_seconds=a, end_seconds=b, class_name=names[(3 * i) % len(names)])
        for i, (a, b) in enumerate(itertools.pairwise(cuts))
    ]
    predicted = [
        Segment(
            start_seconds=s.start_seconds + (0.4 if i else 0.0),
            end_seconds=s.end_seconds + (0.4 if i < 4 else 0.0),
            class_name=s.class_name if i != 3 else names[1],
        )
        for i, s in enumerate(true)
    ]
    return SourceResult(
        path="long/tour.mp4",
        end_seconds=24.0,
        num_frames=600,
        num_labelled_frames=600,
        frame_accuracy=0.93,
        segment_f1=0.9,
        true_segments=tuple(true),
        predicted_segments=tuple(predicted),
    )
