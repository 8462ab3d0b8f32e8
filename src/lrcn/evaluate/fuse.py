"""Several results of the same videos as one: late fusion of video-level probabilities."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lrcn.errors import ResultsError
from lrcn.evaluate.compare import protocol_differences
from lrcn.evaluate.measure import Measured, measure_labels, measure_multi_label
from lrcn.evaluate.record import list_hash
from lrcn.evaluate.results import EvaluationProtocol, Results, VideoResult
from lrcn.evaluate.results_folder import now
from lrcn.evaluate.sources import source_key
from lrcn.models.fusion import (
    FoundWeights,
    class_columns,
    fuse_probs,
    normalised,
    search_weights,
)
from lrcn.structures import VideoItem

EQUAL, GIVEN = "equal", "given"
"""Where fusion weights can come from, besides validation data."""


@dataclass(frozen=True, kw_only=True)
class Matched:
    """The videos that all members answered, in the order of the first member's list."""

    class_names: tuple[str, ...]
    multi_label: bool
    videos: tuple[VideoResult, ...]
    """The first member's."""
    probs_MNK: torch.Tensor
    """float64; the classes in the first member's order."""
    unlike: tuple[str, ...]
    """In what the members' protocols differ, where that was allowed."""

    @property
    def items(self) -> tuple[VideoItem, ...]:
        """The videos as items of a list."""
        return tuple(
            VideoItem(
                video_id=v.video_id,
                path=v.path,
                class_names=self.labels(v),
                start_seconds=v.start_seconds,
                end_seconds=v.end_seconds,
            )
            for v in self.videos
        )

    @property
    def targets(self) -> NDArray[np.bool_]:
        """The truth, N x K."""
        return np.array(
            [[name in self.labels(v) for name in self.class_names] for v in self.videos]
        )

    def labels(self, video: VideoResult) -> tuple[str, ...]:
        """The true classes of a video."""
        if not self.multi_label:
            return (video.class_name,)
        return tuple(name for name in video.class_name.split(";") if name)


def match(
    members: Sequence[Results], *, names: Sequence[str], allow_unlike: bool = False
) -> Matched:
    """Bring several results to the same videos, by id, and the same order of classes, by name.

    Stored flow images are other files than the videos they were made of: between members of
    different modality the files' bytes need not agree.

    Args:
        members: Two or more.
        names: What to call them.
        allow_unlike: Match in spite of other videos or another protocol; then only videos that all
            have, with the same truth, are kept.

    Raises:
        ResultsError: fewer than two members, unlike protocols that were not allowed, no shared
            video, or an id that occurs twice.
        ModelError: the members know different classes.
    """
    if len(members) < 2:
        raise ResultsError(f"{len(members)} results cannot be fused; at least 2 are needed")
    first = members[0]
    columns = [
        class_columns(first.class_names, m.class_names, names=(names[0], name))
        for m, name in zip(members, names, strict=True)
    ]
    unlike: list[str] = []
    for member, name in zip(members[1:], names[1:], strict=True):
        if member.protocol.multi_label != first.protocol.multi_label:
            raise ResultsError(
                f"{names[0]} and {name} cannot be fused: one tells a single class per video, the"
                " other several. Fuse models of one kind"
            )
        unlike += [f"{names[0]} and {name}: {text}" for text in protocol_differences(first, member)]
    answers = [_by_key(m, name) for m, name in zip(members, names, strict=True)]
    videos = tuple(
        v
        for v in first.videos
        if all(v.key in a and a[v.key].class_name == v.class_name for a in answers)
    )
    dropped = len({key for answer in answers for key in answer}) - len(videos)
    if dropped and not unlike:
        unlike.append(f"videos that not all have, or with another truth: {dropped}")
    if not videos and (pair := _alike_names(answers[0], answers[1:])):
        raise ResultsError(
            f"{', '.join(names)} share no id, though videos are named alike: {pair[0]!r} and"
            f" {pair[1]!r}. Videos are matched by their whole id; evaluate all with lists that"
            " write them alike"
        )
    if unlike and not allow_unlike:
        raise ResultsError(
            f"the members were not measured alike: {'; '.join(unlike)}. Only results of the same"
            " videos and protocol can be fused; evaluate again, or pass --allow-unlike"
        )
    if not videos:
        raise ResultsError(
            f"{', '.join(names)} share no video with the same truth; evaluate all on the same data"
        )
    probs_MNK = [
        np.array([a[v.key].probs for v in videos], dtype=np.float64)[:, places]
        for a, places in zip(answers, columns, strict=True)
    ]
    return Matched(
        class_names=first.class_names,
        multi_label=first.protocol.multi_label,
        videos=videos,
        probs_MNK=torch.from_numpy(np.stack(probs_MNK)),
        unlike=tuple(unlike),
    )


def find_weights(matched: Matched) -> FoundWeights:
    """The weights that suit these videos best; they must be validation data."""
    return search_weights(
        matched.probs_MNK, torch.from_numpy(matched.targets), multi_label=matched.multi_label
    )


def fuse_results(
    members: Sequence[Results],
    weights: Sequence[float] | None = None,
    *,
    names: Sequence[str],
    weights_from: str | None = None,
    allow_unlike: bool = False,
    seed: int = 0,
    num_resamples: int = 2000,
) -> Results:
    """What the weighted mean of several models' probabilities answers, measured.

    Results files hold no frames: curves of single videos and segments of long ones are left out.

    Args:
        members: Results of the same videos, two or more.
        weights: One each, any numbers from 0; equal when left out.
        names: What to call the members, for the record.
        weights_from: Where the weights come from, for the record: "equal", "given", or the
            validation data that they were searched on.
        allow_unlike: As in `match`.
        seed: Of the bootstrap.
        num_resamples: Of the bootstrap.

    Raises:
        ConfigError: the weights do not fit.
        ResultsError: the results do not fit together; see `match`.
        ModelError: the members know different classes.
    """
    weights_from = weights_from or (EQUAL if weights is None else GIVEN)
    shares = normalised(weights, len(members))
    matched = match(members, names=names, allow_unlike=allow_unlike)
    probs_NK = fuse_probs(list(matched.probs_MNK), shares).numpy()
    thresholds = _thresholds(members, matched, shares)
    measured = _measure(matched, probs_NK, thresholds, seed=seed, num_resamples=num_resamples)
    rows = zip(matched.videos, probs_NK, strict=True)
    truncated = tuple(dict.fromkeys(path for m in members for path in m.truncated))
    skipped = tuple(dict.fromkeys(file for m in members for file in m.skipped))
    fusion = {
        "fusion_weights": list(shares),
        "weights_from": weights_from,
        "unlike": list(matched.unlike),
        "members": [_member(m, name, w) for m, name, w in zip(members, names, shares, strict=True)],
    }
    return Results(
        created=now(),
        metrics=measured.metrics,
        intervals=measured.intervals,
        protocol=replace(
            _protocol(members, matched, fusion),
            thresholds=thresholds if matched.multi_label else None,
            num_skipped=len(skipped),
            num_truncated=len(truncated),
            seed=seed,
        ),
        class_names=matched.class_names,
        per_class=measured.per_class,
        confusion=measured.confusion,
        videos=tuple(_answer(video, probs_K, matched, thresholds) for video, probs_K in rows),
        skipped=skipped,
        truncated=truncated,
    )


def _by_key(results: Results, name: str) -> dict[str, VideoResult]:
    found: dict[str, VideoResult] = {}
    for video in results.videos:
        if len(video.probs) != len(results.class_names) or not np.isfinite(video.probs).all():
            raise ResultsError(
                f"{name} is damaged: the probabilities of {video.key!r} are not"
                f" {len(results.class_names)} numbers, one for each class. Evaluate again"
            )
        if video.key in found:
            raise ResultsError(
                f"{name} has two videos of the id {video.key!r}; videos are matched by id, so"
                " ids must differ. Rename one, and evaluate again"
            )
        found[video.key] = video
    return found


def _alike_names(
    first: Mapping[str, VideoResult], others: Sequence[Mapping[str, VideoResult]]
) -> tuple[str, str] | None:
    """Two ids that differ in the folders before the name alone."""
    by_name = {key.rsplit("/", 1)[-1]: key for key in first}
    for key in (key for other in others for key in other if key not in first):
        if (own := by_name.get(key.rsplit("/", 1)[-1])) is not None:
            return own, key
    return None


def _thresholds(
    members: Sequence[Results], matched: Matched, weights: Sequence[float]
) -> tuple[float, ...]:
    """From which probability a class counts: the members' thresholds, fused as their answers."""
    total_K = np.zeros(len(matched.class_names))
    for member, weight in zip(members, weights, strict=True):
        own = dict(zip(member.class_names, member.protocol.thresholds or (), strict=False))
        total_K += weight * np.array([own.get(name, 0.5) for name in matched.class_names])
    return tuple(total_K.tolist())


def _measure(
    matched: Matched,
    probs_NK: NDArray[np.float64],
    thresholds: Sequence[float],
    *,
    seed: int,
    num_resamples: int,
) -> Measured:
    units = [source_key(item) for item in matched.items]
    names, targets_NK = matched.class_names, matched.targets
    if matched.multi_label:
        return measure_multi_label(
            probs_NK,
            targets_NK,
            units,
            names,
            thresholds=thresholds,
            seed=seed,
            num_resamples=num_resamples,
        )
    labels_N = targets_NK.argmax(axis=1)
    return measure_labels(probs_NK, labels_N, units, names, seed=seed, num_resamples=num_resamples)


def _answer(
    video: VideoResult,
    probs_K: NDArray[np.float64],
    matched: Matched,
    thresholds: Sequence[float],
) -> VideoResult:
    present = np.flatnonzero(probs_K >= np.asarray(thresholds))
    chosen = list(present) if matched.multi_label else [int(probs_K.argmax())]
    predicted = {matched.class_names[k] for k in chosen}
    return replace(
        video,
        predicted=";".join(sorted(predicted)),
        correct=predicted == set(matched.labels(video)),
        prob=float(probs_K.max()),
        probs=tuple(probs_K.tolist()),
    )


def _member(member: Results, name: str, weight: float) -> dict[str, Any]:
    """What is recorded of a member."""
    protocol = member.protocol
    main = "mean_average_precision" if protocol.multi_label else "accuracy_top1"
    return {
        "results": name,
        "fusion_weight": weight,
        "model": protocol.model,
        "model_hash": protocol.model_hash,
        "model_kind": protocol.model_kind,
        "backbone": protocol.backbone,
        "modality": protocol.preprocessing.get("modality", "rgb"),
        main: member.metrics.get(main),
    }


def _protocol(
    members: Sequence[Results], matched: Matched, fusion: dict[str, Any]
) -> EvaluationProtocol:
    """The first member's, with what is another in the fused one."""
    protocols = [m.protocol for m in members]
    first = protocols[0]
    whole = not matched.unlike
    warnings = list(dict.fromkeys(text for p in protocols for text in p.warnings))
    warnings += [f"fused, though not measured alike: {text}" for text in matched.unlike]
    hashes = [
        f"{p.model_hash}:{w!r}" for p, w in zip(protocols, fusion["fusion_weights"], strict=True)
    ]

    def joined(key: str) -> str:
        return " + ".join(dict.fromkeys(str(getattr(p, key)) for p in protocols))

    return replace(
        first,
        warnings=tuple(warnings),
        allow_leaks=any(p.allow_leaks for p in protocols),
        list_hash=first.list_hash if whole else list_hash(matched.items),
        content_hash=first.content_hash if whole else "",
        num_videos=len(matched.videos),
        segments=False,
        segment_options=None,
        preprocessing=first.preprocessing
        if all(p.preprocessing == first.preprocessing for p in protocols)
        else {},
        model=joined("model"),
        model_kind="fusion",
        backbone=joined("backbone"),
        model_hash=hashlib.sha256("\n".join(hashes).encode()).hexdigest()[:16],
        temperature=1.0,
        precision=joined("precision"),
        engine=joined("engine"),
        seconds=round(sum(p.seconds for p in protocols), 3),
        fusion=fusion,
    )
