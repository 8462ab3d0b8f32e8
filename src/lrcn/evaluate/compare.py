"""Two models on the same videos: where they differ, and whether that could be chance."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lrcn.errors import ResultsError
from lrcn.evaluate.results import Interval, Results, VideoResult
from lrcn.metrics.intervals import (
    Statistic,
    mcnemar_exact,
    paired_bootstrap,
    paired_permutation,
)
from lrcn.metrics.multilabel import average_precision, mean_average_precision_of_draws

_NUM_RESAMPLES = 2000

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
class MetricDifference:
    """One number of either model, and whether they could differ by chance."""

    key: str
    first: float
    second: float
    difference: float
    interval: Interval
    """95 %, paired bootstrap by video."""
    p_value: float
    """Two-sided."""
    test: str
    """"exact McNemar", "paired permutation by video" or "paired bootstrap by video"."""


@dataclass(frozen=True, kw_only=True)
class ClassDifference:
    """One class: accuracy of either model (average precision, for several labels), and the gain."""

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
    metrics: tuple[MetricDifference, ...]
    """The main one first: accuracy_top1; with several labels mean_average_precision, then
    f1_micro and accuracy_exact."""
    num_only_first_right: int
    """Videos; with several labels the whole set must be right."""
    num_only_second_right: int
    per_class: tuple[ClassDifference, ...]
    """The second's largest gain first, its largest loss last."""
    unlike: tuple[str, ...] = ()
    """In what the protocols differ, where that was allowed."""

    @property
    def main(self) -> MetricDifference:
        """What decides."""
        return self.metrics[0]

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: plain numbers, fractions; `p_value` and `test` are the main metric's."""
        values: dict[str, Any] = {}
        for m in self.metrics:
            values |= {
                f"{m.key}_first": m.first,
                f"{m.key}_second": m.second,
                f"{m.key}_difference": m.difference,
                f"{m.key}_difference_interval": list(m.interval),
                f"{m.key}_p_value": m.p_value,
                f"{m.key}_test": m.test,
            }
        return {
            "first": self.first,
            "second": self.second,
            "num_videos": self.num_videos,
            **values,
            "num_only_first_right": self.num_only_first_right,
            "num_only_second_right": self.num_only_second_right,
            "p_value": self.main.p_value,
            "test": self.main.test,
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
    paired = _Paired(pairs, seed=seed)
    if first.protocol.multi_label:
        shared = tuple(name for name in first.class_names if name in second.class_names)
        metrics, per_class = _of_labels(paired, first.class_names, second.class_names, shared)
    else:
        metrics, per_class = (paired.accuracy("accuracy_top1"),), _recalls(pairs)
    return Comparison(
        first=names[0],
        second=names[1],
        num_videos=len(pairs),
        metrics=metrics,
        num_only_first_right=int((paired.change_N < 0).sum()),
        num_only_second_right=int((paired.change_N > 0).sum()),
        per_class=tuple(sorted(per_class, key=lambda c: (-c.difference, c.class_name))),
        unlike=tuple(differences),
    )


class _Paired:
    """Two models' answers to the same items, and the tests that pair them."""

    def __init__(self, pairs: Sequence[tuple[VideoResult, VideoResult]], *, seed: int) -> None:
        self.pairs = pairs
        self.seed = seed
        self.right_N = [np.array([pair[i].correct for pair in pairs], float) for i in (0, 1)]
        self.change_N = self.right_N[1] - self.right_N[0]
        # One feature file can hold several videos; intervals of one video share its id.
        self.units = [f"{a.path} {a.video_id}" for a, _ in pairs]

    def accuracy(self, key: str) -> MetricDifference:
        """The share of right items.

        McNemar's test takes items as independent: where several are intervals of one video, the
        signs of whole videos are drawn instead.
        """
        unit_of_N = np.unique(self.units, return_inverse=True)[1]
        if unit_of_N.max() + 1 == len(self.pairs):
            counts = int((self.change_N < 0).sum()), int((self.change_N > 0).sum())
            test, p_value = "exact McNemar", mcnemar_exact(*counts)
        else:
            test = "paired permutation by video"
            changes = np.bincount(unit_of_N, weights=self.change_N)
            p_value = paired_permutation(changes, generator=self._generator())
        one_N, two_N = self.right_N
        found = self.by_bootstrap(
            key,
            lambda places: float(one_N[places].mean()),
            lambda places: float(two_N[places].mean()),
        )
        return dataclasses.replace(found, test=test, p_value=p_value)

    def by_bootstrap(self, key: str, first: Statistic, second: Statistic) -> MetricDifference:
        """Any number of a set of items."""
        interval, p_value = paired_bootstrap(
            lambda places: second(places) - first(places),
            self.units,
            generator=self._generator(),
            num_resamples=_NUM_RESAMPLES,
        )
        everything = np.arange(len(self.pairs))
        one, two = first(everything), second(everything)
        return MetricDifference(
            key=key,
            first=one,
            second=two,
            difference=two - one,
            interval=interval,
            p_value=p_value,
            test="paired bootstrap by video",
        )

    def _generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed)


def _of_labels(
    paired: _Paired,
    first_classes: Sequence[str],
    second_classes: Sequence[str],
    class_names: Sequence[str],
) -> tuple[tuple[MetricDifference, ...], list[ClassDifference]]:
    """Several labels per video: ranking and decisions over the classes that both models have."""
    targets_NK = _decisions([a.class_name for a, _ in paired.pairs], class_names)
    probs, rankings, f1s = [], [], []
    for i, own in enumerate((first_classes, second_classes)):
        columns = [list(own).index(name) for name in class_names]
        probs.append(np.array([pair[i].probs for pair in paired.pairs])[:, columns])
        predicted_NK = _decisions([pair[i].predicted for pair in paired.pairs], class_names)
        rankings.append(mean_average_precision_of_draws(probs[i], targets_NK))
        f1s.append(_f1_micro(predicted_NK, targets_NK))
    metrics = (
        paired.by_bootstrap("mean_average_precision", *rankings),
        paired.by_bootstrap("f1_micro", *f1s),
        paired.accuracy("accuracy_exact"),
    )
    per_class = []
    for k, name in enumerate(class_names):
        one, two = (average_precision(p[:, k], targets_NK[:, k]) for p in probs)
        if one is not None and two is not None:
            num = int(targets_NK[:, k].sum())
            per_class.append(_class_difference(name, num, one, two))
    return metrics, per_class


def _decisions(answers: Sequence[str], class_names: Sequence[str]) -> NDArray[np.bool_]:
    """Which labels stand in answers such as "run;jump"."""
    labels = [set(answer.split(";")) for answer in answers]
    return np.array([[name in found for name in class_names] for found in labels], dtype=bool)


def _f1_micro(predicted_NK: NDArray[np.bool_], targets_NK: NDArray[np.bool_]) -> Statistic:
    right_N = (predicted_NK & targets_NK).sum(axis=1)
    size_N = predicted_NK.sum(axis=1) + targets_NK.sum(axis=1)

    def measure(places: NDArray[np.int64]) -> float:
        size = int(size_N[places].sum())
        return 2 * int(right_N[places].sum()) / size if size else float("nan")

    return measure


def _recalls(pairs: Sequence[tuple[VideoResult, VideoResult]]) -> list[ClassDifference]:
    """One label per video: the share of every class that was found."""
    found = []
    for name in sorted({a.class_name for a, _ in pairs}):
        own = [(a.correct, b.correct) for a, b in pairs if a.class_name == name]
        one, two = np.mean(own, axis=0).tolist()
        found.append(_class_difference(name, len(own), one, two))
    return found


def _class_difference(name: str, num_videos: int, first: float, second: float) -> ClassDifference:
    return ClassDifference(
        class_name=name,
        num_videos=num_videos,
        first=first,
        second=second,
        difference=second - first,
    )


def protocol_differences(first: Results, second: Results) -> list[str]:
    """In what two protocols differ, in words, with both values.

    A single-frame model that saw every frame once has no clips, and is measured like any other
    model that saw all frames: the paper's own tables compare the two. Stored flow images are other
    files than the videos they were made of: between modalities the files' bytes need not agree.
    """
    found = []
    without_clips = any(_has_no_clips(r) for r in (first, second))
    for key in MUST_AGREE:
        if without_clips and key in ("clip_length", "clip_stride"):
            continue
        a, b = getattr(first.protocol, key), getattr(second.protocol, key)
        if a == b:
            continue
        if key == "list_hash":
            found.append(_videos_difference(first, second))
        elif key == "content_hash":
            found.append("files (the same names, other bytes)")
        else:
            found.append(f"{key} ({a} and {b})")
    modalities = {r.protocol.preprocessing.get("modality") for r in (first, second)}
    if first.protocol.list_hash != second.protocol.list_hash or len(modalities) > 1:
        # Other videos have other bytes: one reason is enough.
        found = [text for text in found if not text.startswith("files (")]
    if set(first.class_names) != set(second.class_names):
        found.append(f"classes ({_example(first.class_names, second.class_names)})")
    return found


def _has_no_clips(results: Results) -> bool:
    """Whether single-frame models, one or several fused, saw every frame exactly once."""
    p = results.protocol
    members = p.fusion["members"] if p.fusion is not None else ()
    kinds = {member["model_kind"] for member in members} or {p.model_kind}
    return kinds == {"single_frame"} and p.clip_length == p.clip_stride == 1


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
