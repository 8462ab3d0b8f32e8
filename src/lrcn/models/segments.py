"""From probabilities of every frame to what happens when: pure functions.

::

    probabilities ─ smooth ─► ─ hysteresis ─► one class (or none) per frame ─ runs ─► segments
                                                                     └ too short: to a neighbour

Prediction shows these segments and evaluation measures them: one rule for both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lrcn.models.segment_config import SegmentConfig
from lrcn.structures import Segment

NONE = -1
"""The label of frames in which no class is probable enough."""


def find_segments(
    probs_TK: Tensor,
    pts_seconds_T: Tensor,
    class_names: Sequence[str],
    config: SegmentConfig,
    *,
    multi_label: bool = False,
    end_seconds: float | None = None,
) -> tuple[Segment, ...]:
    """What happens when.

    Args:
        probs_TK: Of every frame.
        pts_seconds_T: Its time, not decreasing; a frame lasts until the next one.
        class_names: K names.
        config: Smoothing, thresholds, shortest length.
        multi_label: Classes begin and end independently, and segments of several may overlap.
        end_seconds: End of the last frame; by default it lasts as long as frames do on average.

    Returns:
        Segments by start. `prob` is the mean of the class's (not smoothed) probability.

    Raises:
        ValueError: the shapes do not fit together.
    """
    if probs_TK.shape != (len(pts_seconds_T), len(class_names)):
        raise ValueError(
            f"probs_TK is {tuple(probs_TK.shape)}; with {len(pts_seconds_T)} times and "
            f"{len(class_names)} classes it must be {len(pts_seconds_T)} x {len(class_names)}"
        )
    if len(probs_TK) == 0:
        return ()
    borders = _borders(pts_seconds_T, end_seconds)
    smooth_TK = smooth(probs_TK, pts_seconds_T, config)
    if multi_label:
        # Each class against its own absence.
        binary = [hysteresis(smooth_TK[:, k : k + 1], config) for k in range(len(class_names))]
        runs = [
            (start, end, k)
            for k, labels in enumerate(binary)
            for start, end, label in _runs_of(labels, smooth_TK[:, k : k + 1], borders, config)
            if label != NONE
        ]
    else:
        labels = hysteresis(smooth_TK, config)
        runs = [run for run in _runs_of(labels, smooth_TK, borders, config) if run[2] != NONE]
    return tuple(
        Segment(
            start_seconds=borders[start],
            end_seconds=borders[end],
            class_name=class_names[label],
            prob=float(probs_TK[start:end, label].double().mean()),
        )
        for start, end, label in sorted(runs)
    )


def end_of_frames(pts_seconds_T: Tensor, fps: float | None) -> float:
    """When the last of some frames (at least one) ends.

    It lasts as long as a frame of its source; where that has no rate, as long as the frames
    before it did on average.
    """
    last = float(pts_seconds_T[-1])
    if fps:
        return last + 1 / fps
    num_before = len(pts_seconds_T) - 1
    return last + (last - float(pts_seconds_T[0])) / num_before if num_before else last


def smooth(probs_TK: Tensor, pts_seconds_T: Tensor, config: SegmentConfig) -> Tensor:
    """Probabilities with less flicker, T x K; by time, so that the frame rate does not matter."""
    if config.smoothing == "none" or config.smooth_seconds == 0:
        return probs_TK
    times_T = pts_seconds_T.double().contiguous()
    if config.smoothing == "mean":
        # A hair more than half: 0.2 seconds away counts at both sides, whatever the rounding.
        half = config.smooth_seconds / 2 + 1e-6
        first_T = torch.searchsorted(times_T, times_T - half)
        stop_T = torch.searchsorted(times_T, times_T + half, right=True)
        zero_1K = torch.zeros(1, probs_TK.shape[1], dtype=torch.float64)
        total_TK = torch.cat([zero_1K, probs_TK.double().cumsum(0)])
        sums_TK = total_TK[stop_T] - total_TK[first_T]
        return (sums_TK / (stop_T - first_T)[:, None]).to(probs_TK.dtype)
    rows = [probs_TK[0]]
    for t in range(1, len(probs_TK)):
        rows.append(smooth_step(rows[-1], probs_TK[t], float(times_T[t] - times_T[t - 1]), config))
    return torch.stack(rows)


def smooth_step(before_K: Tensor, probs_K: Tensor, seconds: float, config: SegmentConfig) -> Tensor:
    """One step of exponential smoothing, `seconds` after the last one."""
    if config.smooth_seconds == 0:
        return probs_K
    keep = math.exp(-seconds / config.smooth_seconds)
    return keep * before_K + (1 - keep) * probs_K


def hysteresis(probs_TK: Tensor, config: SegmentConfig) -> list[int]:
    """A label (or `NONE`) for every frame; see `next_label`."""
    label = NONE
    labels = []
    for probs in probs_TK.tolist():
        label = next_label(label, probs, config)
        labels.append(label)
    return labels


def next_label(label: int, probs: Sequence[float], config: SegmentConfig) -> int:
    """The label of a frame, given the one before.

    A class holds until its probability is below `leave`, or another one is more probable and
    reaches `enter`. A new one needs `enter`.
    """
    best = max(range(len(probs)), key=probs.__getitem__)
    if probs[best] >= config.enter:
        holds = label != NONE and probs[label] >= probs[best]
        return label if holds else best
    return label if label != NONE and probs[label] >= config.leave else NONE


def _runs_of(
    labels: Sequence[int], probs_TK: Tensor, borders: Sequence[float], config: SegmentConfig
) -> list[tuple[int, int, int]]:
    """Runs (first frame, frame after the last, label); a lone one may be of any length."""
    done: list[tuple[int, int, int]] = []
    for t, label in enumerate(labels):
        _append(done, (t, t + 1, label))
        # The last but one is as long as it will be: the last has another label.
        if len(done) > 1 and _too_short(done[-2], borders, config):
            last, run = done.pop(), done.pop()
            around = [last[2]] if not done else [done[-1][2], last[2]]
            _append(done, (run[0], run[1], _likelier(around, probs_TK[run[0] : run[1]], config)))
            _append(done, last)
    if len(done) > 1 and _too_short(done[-1], borders, config):
        start, end, _ = done.pop()
        _append(done, (start, end, done[-1][2]))
    return done


def _append(runs: list[tuple[int, int, int]], run: tuple[int, int, int]) -> None:
    """Add a run, or make the last one longer where the label is the same."""
    if runs and runs[-1][2] == run[2]:
        runs[-1] = (runs[-1][0], run[1], run[2])
    else:
        runs.append(run)


def _too_short(run: tuple[int, int, int], borders: Sequence[float], config: SegmentConfig) -> bool:
    # Half a millisecond: times are sums of frame durations, and 0.3 may be 0.29999.
    return borders[run[1]] - borders[run[0]] < config.min_seconds - 5e-4


def _likelier(labels: Sequence[int], probs_TK: Tensor, config: SegmentConfig) -> int:
    """Which of the labels suits some frames best."""
    mean_K = probs_TK.mean(0).tolist()
    return max(labels, key=lambda k: mean_K[k] if k != NONE else config.leave)


def _borders(pts_seconds_T: Tensor, end_seconds: float | None) -> list[float]:
    """T + 1 times: where each frame begins, and where the last one ends."""
    times = [float(t) for t in pts_seconds_T]
    end = end_of_frames(pts_seconds_T, None) if end_seconds is None else end_seconds
    return [*times, max(end, times[-1])]
