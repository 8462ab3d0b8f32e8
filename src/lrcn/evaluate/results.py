"""The results file: the numbers, what they were measured on and how, and every video's answer.

One JSON document. Metrics stand at the top level under their glossary keys (`accuracy_top1`),
each a plain number with its interval beside it (`accuracy_top1_interval: [low, high]`); the rest
stands under `protocol`, `per_class`, `confusion`, `videos`, `highlights`, `sources`, `skipped`,
`truncated`. What is undefined is null, never NaN.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lrcn.errors import ResultsError
from lrcn.evaluate.results_folder import results_path, save_results
from lrcn.structures import Segment, SkippedFile

FORMAT = 1
"""Raised when the meaning of a key changes."""

Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class EvaluationProtocol:
    """Everything that a score depends on."""

    data: str
    """The data as given."""
    layout: str
    split: str
    """Which part was measured: "test", "val", "all", ..."""
    split_how: str
    """How that part was chosen: "official", "column", "by group", "by file", "everything"."""
    warnings: tuple[str, ...]
    """What a reader should know: "split: by file", leaks that were allowed, small data."""
    allow_leaks: bool
    """Whether the same group or file was allowed on both sides of the split."""
    list_hash: str
    """Of the measured items: ids, labels, intervals."""
    content_hash: str
    """Of the measured files' bytes."""
    num_videos: int
    """Items that were measured."""
    num_skipped: int
    num_truncated: int
    multi_label: bool
    protocol: str
    """"clips", "whole_video", "classify_video" or "lrcn_evaluate"."""
    clip_length: int
    clip_stride: int
    frame_stride: int
    sample_fps: float | None
    num_crops: int
    num_clips: int
    """Clips of all videos together; of one crop."""
    segments: bool
    """Whether frames and segments of whole source videos were measured too: of every frame's
    probability with the state carried through the video."""
    preprocessing: Mapping[str, Any]
    model: str
    """Where the model was loaded from, or its kind."""
    model_kind: str
    backbone: str
    model_hash: str
    temperature: float
    thresholds: tuple[float, ...] | None
    """Multi-label: the probability from which a class counts as present."""
    precision: str
    engine: str
    """How the backbone was run, and why."""
    device: str
    threads: int
    processor: str
    seed: int
    interval_level: float
    interval_method: str
    versions: Mapping[str, str]
    seconds: float
    """Wall clock of the evaluation."""
    segment_options: Mapping[str, Any] | None = None
    """How segments were found, where they were measured (`models.segment_config`)."""
    fusion: Mapping[str, Any] | None = None
    """Of several models together: `members`, `fusion_weights`, and `weights_from`, how the weights
    were chosen (`evaluate.fuse`)."""


@dataclass(frozen=True, kw_only=True)
class ClassResult:
    """One class."""

    class_name: str
    num_videos: int
    """Items that truly are of this class."""
    num_predicted: int
    recall: float | None
    """Share of its items that were found; with one label per item, the class's accuracy."""
    recall_interval: Interval | None
    """Wilson's: classes have few items."""
    precision: float | None
    f1: float | None
    average_precision: float | None = None
    """Multi-label only."""


@dataclass(frozen=True, kw_only=True)
class VideoResult:
    """What was said of one item; several labels are joined by ";", as in a list."""

    video_id: str
    path: str
    class_name: str
    """The truth."""
    predicted: str
    correct: bool
    """With several labels: whether the whole set is right."""
    prob: float
    """Of the most probable class."""
    probs: tuple[float, ...]
    start_seconds: float | None = None
    end_seconds: float | None = None
    truncated: bool = False

    @property
    def key(self) -> str:
        """What names the item in its list, an interval of a video too."""
        if self.start_seconds is None and self.end_seconds is None:
            return self.video_id
        return f"{self.video_id} [{self.start_seconds}, {self.end_seconds}]"


@dataclass(frozen=True, kw_only=True)
class Highlight:
    """A video most often right, or most wrong, with its probabilities frame by frame."""

    key: str
    kind: Literal["right", "wrong"]
    pts_seconds: tuple[float, ...]
    class_names: tuple[str, ...]
    """The classes that are followed: the predicted one, the true ones, runners-up."""
    probs: tuple[tuple[float, ...], ...]
    """One row per followed class, one value per frame; of long videos at even steps."""
    share_right: float | None = None
    """Of the video's frames: how many have a true class as their most probable one."""


@dataclass(frozen=True, kw_only=True)
class SourceResult:
    """A long video whose truth has start and end."""

    path: str
    end_seconds: float
    num_frames: int
    num_labelled_frames: int
    frame_accuracy: float | None
    segment_f1: float | None
    true_segments: tuple[Segment, ...]
    predicted_segments: tuple[Segment, ...]


@dataclass(frozen=True, kw_only=True)
class Results:
    """One evaluation of one model."""

    created: str
    """UTC, "2026-01-31T12:00:00Z"."""
    metrics: Mapping[str, float | None]
    intervals: Mapping[str, Interval]
    protocol: EvaluationProtocol
    class_names: tuple[str, ...]
    per_class: tuple[ClassResult, ...]
    confusion: tuple[tuple[int, ...], ...] | None
    """Rows truth, columns predicted; None for multi-label."""
    videos: tuple[VideoResult, ...]
    highlights: tuple[Highlight, ...] = ()
    sources: tuple[SourceResult, ...] = ()
    skipped: tuple[SkippedFile, ...] = ()
    truncated: tuple[str, ...] = ()
    """Paths of files that end before they should; used as far as they go."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON document."""
        document: dict[str, Any] = {"format": FORMAT, "created": self.created}
        for key, value in self.metrics.items():
            document[key] = value
            if key in self.intervals:
                document[f"{key}_interval"] = self.intervals[key]
        for name in _PARTS:
            value = getattr(self, name)
            if isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
                document[name] = [_fields(v) for v in value]
            else:
                document[name] = _fields(value) if dataclasses.is_dataclass(value) else value
        clean: dict[str, Any] = _without_nan(document)
        return clean

    def to_json(self) -> str:
        """The document as text, ending in a newline."""
        return json.dumps(self.to_dict(), allow_nan=False, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, *, where: str = "results") -> Results:
        """Read a document back.

        Args:
            text: what `to_json` wrote.
            where: its name, for messages.

        Raises:
            ResultsError: it is damaged, or of another kind.
        """
        try:
            document = json.loads(text)
            if document["format"] != FORMAT:
                raise ResultsError(
                    f"{where} has format {document['format']!r}; this version reads {FORMAT}."
                    " Evaluate again, or use the version that wrote it"
                )
            return _read(document)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ResultsError(
                f"{where} is not a results file, or is damaged: {type(error).__name__}: {error}."
                " A JSON document as written by `lrcn evaluate` is needed; evaluate again"
            ) from error

    def save(self, run_dir: Path) -> Path:
        """Write `results/<UTC time>.json` below a run folder, whole or not at all.

        Raises:
            OutputError: the folder cannot be written.
        """
        return save_results(run_dir, self.created, self.to_json())


_PARTS = (
    "protocol",
    "class_names",
    "per_class",
    "confusion",
    "videos",
    "highlights",
    "sources",
    "skipped",
    "truncated",
)


def load_results(place: Path) -> Results:
    """Read a results file, or the newest one of a run folder.

    Raises:
        ResultsError: there is none, or it is damaged.
    """
    path = results_path(place)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ResultsError(
            f"{path} cannot be read: {error}. A results file is needed; evaluate again"
        ) from error
    return Results.from_json(text, where=str(path))


def _fields(value: Any) -> dict[str, Any]:
    """The fields of a dataclass, one level deep, dataclasses in tuples too."""

    def plain(item: Any) -> Any:
        if isinstance(item, tuple) and item and dataclasses.is_dataclass(item[0]):
            return [_fields(i) for i in item]
        return item

    return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): _without_nan(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_without_nan(v) for v in value]
    return value


def _frozen(value: Any) -> Any:
    """JSON lists as tuples."""
    return tuple(_frozen(v) for v in value) if isinstance(value, list) else value


def _made(cls: Any, raw: Mapping[str, Any]) -> Any:
    known = {f.name for f in dataclasses.fields(cls)}
    return cls(**{k: _frozen(v) for k, v in raw.items() if k in known})


def _read(document: Mapping[str, Any]) -> Results:
    metrics: dict[str, float | None] = {}
    intervals: dict[str, Interval] = {}
    for key, value in document.items():
        if key in _PARTS or key in ("format", "created"):
            continue
        if key.endswith("_interval"):
            low, high = value
            intervals[key.removesuffix("_interval")] = (float(low), float(high))
        elif value is None or isinstance(value, int | float):
            metrics[key] = value
    sources = [
        {
            **raw,
            "true_segments": [_made(Segment, s) for s in raw["true_segments"]],
            "predicted_segments": [_made(Segment, s) for s in raw["predicted_segments"]],
        }
        for raw in document["sources"]
    ]
    return Results(
        created=str(document["created"]),
        metrics=metrics,
        intervals=intervals,
        protocol=_made(EvaluationProtocol, document["protocol"]),
        class_names=tuple(document["class_names"]),
        per_class=tuple(_made(ClassResult, raw) for raw in document["per_class"]),
        confusion=_frozen(document["confusion"]),
        videos=tuple(_video(raw) for raw in document["videos"]),
        highlights=tuple(_made(Highlight, raw) for raw in document["highlights"]),
        sources=tuple(_made(SourceResult, raw) for raw in sources),
        skipped=tuple(_made(SkippedFile, raw) for raw in document["skipped"]),
        truncated=tuple(document["truncated"]),
    )


def _video(raw: Mapping[str, Any]) -> VideoResult:
    """A video's answer; JSON has no word for a probability that is no number but null."""
    probs = [math.nan if prob is None else float(prob) for prob in raw["probs"]]
    answer: VideoResult = _made(VideoResult, {**raw, "probs": probs})
    return answer
