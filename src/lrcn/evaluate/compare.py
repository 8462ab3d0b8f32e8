"""Two models on the same videos: where they differ, and whether that could be chance."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lrcn.errors import ResultsError
from lrcn.evaluate.results import Interval, Results, VideoResult
from lrcn.metrics.intervals import bootstrap_interval, mcnemar_exact

MUST_AGREE = (
    "list_hash",
    "content_hash",
    "multi_label",
    "protocol",
    "clip_length",
    "clip_stride",
    "frame_stride",
    "sample_fps",
    "num_crops",
    "allow_leaks",
)
"""Protocol keys that make two scores comparable. Model, precision and machine may differ."""


@dataclass(frozen=True, kw_only=True)
class ClassDifference:
    """One class: accuracy of either model (recall, for several labels) and the second's gain."""

    class_name: str
    num_videos: int
    first: float
    second: float
    difference: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The second model against the first; a positive difference means that the second is better."""

    first: str
    second: str
    num_videos: int
    accuracy_key: str
    """"accuracy_top1", or "accuracy_exact" with several labels."""
    accuracy_first: float
    accuracy_second: float
    difference: float
    difference_interval: Interval
    num_only_first_right: int
    num_only_second_right: int
    p_value: float
    """Exact McNemar test, two-sided."""
    per_class: tuple[ClassDifference, ...]
    """The second's largest gain first, its largest loss last."""
    unlike: tuple[str, ...] = ()
    """In what the protocols differ, where that was allowed."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: plain numbers, fractions."""
        key = self.accuracy_key
        return {
            "first": self.first,
            "second": self.second,
            "num_videos": self.num_videos,
            f"{key}_first": self.accuracy_first,
            f"{key}_second": self.accuracy_second,
            f"{key}_difference": self.difference,
            f"{key}_difference_interval": list(self.difference_interval),
            "num_only_first_right": self.num_only_first_right,
            "num_only_second_right": self.num_only_second_right,
            "p_value": self.p_value,
            "per_class": [dataclasses.asdict(c) for c in self.per_class],
            "unlike": list(self.unlike),
        }

    def rows(self) -> list[tuple[str, str, str, str, str]]:
        """A table for people: class, videos, first, second, difference in points (+40.82)."""
        return [
            (
                c.class_name,
                str(c.num_videos),
                f"{100 * c.first:.2f}",
                f"{100 * c.second:.2f}",
                f"{100 * c.difference:+.2f}",
            )
            for c in self.per_class
        ]


def compare(
    first: Results,
    second: Results,
    *,
    names: tuple[str, str] = ("first", "second"),
    allow_unlike: bool = False,
    seed: int = 0,
) -> Comparison:
    """Pair two results video by video. Paper: tables 2 and 3 list `per_class` in points.

    Args:
        first: the baseline.
        second: the model that may be better.
        names: what to call them.
        allow_unlike: compare in spite of other videos or another protocol; then only videos that
            both have, with the same truth, are counted.
        seed: of the bootstrap.

    Raises:
        ResultsError: the protocols differ and that was not allowed, or no video is shared.
    """
    differences = protocol_differences(first, second)
    if differences and not allow_unlike:
        raise ResultsError(
            f"{names[0]} and {names[1]} were not measured alike: {'; '.join(differences)}."
            " Only results of the same videos and protocol can be compared; evaluate one of them"
            " again, or pass --allow-unlike"
        )
    pairs = _pairs(first, second)
    if not pairs:
        raise ResultsError(
            f"{names[0]} and {names[1]} share no video with the same truth (they have"
            f" {len(first.videos)} and {len(second.videos)}); evaluate both on the same data"
        )
    right_first = np.array([a.correct for a, _ in pairs], dtype=np.float64)
    right_second = np.array([b.correct for _, b in pairs], dtype=np.float64)
    change = right_second - right_first
    interval = bootstrap_interval(
        lambda places: float(change[places].mean()),
        # One feature file can hold several videos; intervals of one video share its id.
        [f"{a.path} {a.video_id}" for a, _ in pairs],
        generator=torch.Generator().manual_seed(seed),
    )
    only_first, only_second = int((change < 0).sum()), int((change > 0).sum())
    multi_label = first.protocol.multi_label
    return Comparison(
        first=names[0],
        second=names[1],
        num_videos=len(pairs),
        accuracy_key="accuracy_exact" if multi_label else "accuracy_top1",
        accuracy_first=float(right_first.mean()),
        accuracy_second=float(right_second.mean()),
        difference=float(change.mean()),
        difference_interval=interval,
        num_only_first_right=only_first,
        num_only_second_right=only_second,
        p_value=mcnemar_exact(only_first, only_second),
        per_class=_per_class(pairs, multi_label=multi_label),
        unlike=tuple(differences),
    )


def protocol_differences(first: Results, second: Results) -> list[str]:
    """In what two protocols differ, in words, with both values."""
    found = []
    for key in MUST_AGREE:
        a, b = getattr(first.protocol, key), getattr(second.protocol, key)
        if a == b:
            continue
        if key == "list_hash":
            found.append(_videos_difference(first, second))
        elif key == "content_hash":
            found.append("files (the same names, other bytes)")
        else:
            found.append(f"{key} ({a} and {b})")
    if first.protocol.list_hash != second.protocol.list_hash:
        # Other videos have other bytes: one reason is enough.
        found = [text for text in found if not text.startswith("files (")]
    if set(first.class_names) != set(second.class_names):
        found.append(f"classes ({_example(first.class_names, second.class_names)})")
    return found


def _videos_difference(first: Results, second: Results) -> str:
    keys = [[v.key for v in r.videos] for r in (first, second)]
    if set(keys[0]) == set(keys[1]):
        return "labels (the same videos, another truth)"
    return f"videos ({len(keys[0])} and {len(keys[1])}; {_example(*keys)})"


def _example(first: Sequence[str], second: Sequence[str]) -> str:
    only_first, only_second = set(first) - set(second), set(second) - set(first)
    place, names = ("first", only_first) if only_first else ("second", only_second)
    return f"only in the {place}: {len(names)}, for example {min(names, default='')!r}"


def _pairs(first: Results, second: Results) -> list[tuple[VideoResult, VideoResult]]:
    others = {video.key: video for video in second.videos}
    both = [(v, others[v.key]) for v in first.videos if v.key in others]
    return [(a, b) for a, b in both if a.class_name == b.class_name]


def _per_class(
    pairs: Sequence[tuple[VideoResult, VideoResult]], *, multi_label: bool
) -> tuple[ClassDifference, ...]:
    def labels(text: str) -> list[str]:
        return text.split(";") if multi_label else [text]

    def found(name: str, pick: Callable[[int], VideoResult], places: NDArray[np.int64]) -> float:
        return float(np.mean([name in labels(pick(i).predicted) for i in places]))

    result = []
    for name in sorted({n for a, _ in pairs for n in labels(a.class_name)}):
        places = np.flatnonzero([name in labels(a.class_name) for a, _ in pairs])
        one = found(name, lambda i: pairs[i][0], places)
        two = found(name, lambda i: pairs[i][1], places)
        result.append(
            ClassDifference(
                class_name=name,
                num_videos=len(places),
                first=one,
                second=two,
                difference=two - one,
            )
        )
    return tuple(sorted(result, key=lambda c: (-c.difference, c.class_name)))
