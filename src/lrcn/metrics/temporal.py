"""Long videos whose truth has start and end: every frame, and every segment, right or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from lrcn.metrics.metric import Inputs, Metric, require_same, require_some
from lrcn.structures import IGNORE_INDEX, Segment


class FrameAccuracy(Metric[ArrayLike, ArrayLike]):
    """Share of labelled frames whose predicted class is the true one."""

    inputs: ClassVar[Inputs] = "frames"

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything taken in."""
        self._num_frames = 0
        self._num_right = 0

    def update(self, predictions: ArrayLike, targets: ArrayLike) -> None:
        """Take in predicted and true labels of the frames of one video.

        Frames whose true label is `IGNORE_INDEX` (outside every segment) are left out.

        Raises:
            ValueError: the two differ in length.
        """
        predicted_T, true_T = np.asarray(predictions), np.asarray(targets)
        if predicted_T.shape != true_T.shape or true_T.ndim != 1:
            raise ValueError(
                f"predicted labels have shape {predicted_T.shape} and true ones {true_T.shape};"
                " both must be one label per frame"
            )
        labelled_T = true_T != IGNORE_INDEX
        self._num_frames += int(labelled_T.sum())
        self._num_right += int((predicted_T == true_T)[labelled_T].sum())

    def merge(self, other: FrameAccuracy) -> None:
        """Take in everything that the other one took in."""
        self._num_frames += other._num_frames
        self._num_right += other._num_right

    def compute(self) -> dict[str, float]:
        """`frame_accuracy`.

        Raises:
            DataError: no labelled frame was taken in.
        """
        require_some(self._num_frames, "labelled frames")
        return {"frame_accuracy": self._num_right / self._num_frames}


class SegmentF1(Metric[Sequence[Segment], Sequence[Segment]]):
    """F1 of predicted segments; right means the true class and an IoU of at least `min_iou`.

    Every true segment can be found once: of two predictions on it, the one that overlaps less is
    wrong. As F1@50 of Lea et al., "Temporal Convolutional Networks for Action Segmentation and
    Detection", CVPR 2017.
    """

    inputs: ClassVar[Inputs] = "segments"

    def __init__(self, *, min_iou: float = 0.5) -> None:
        self.min_iou = min_iou
        self.reset()

    def reset(self) -> None:
        """Forget everything taken in."""
        self._num_true = 0
        self._num_predicted = 0
        self._num_right = 0

    def update(self, predictions: Sequence[Segment], targets: Sequence[Segment]) -> None:
        """Take in the predicted and the true segments of one video."""
        self._num_true += len(targets)
        self._num_predicted += len(predictions)
        self._num_right += len(match_segments(predictions, targets, min_iou=self.min_iou))

    def merge(self, other: SegmentF1) -> None:
        """Take in everything that the other one took in.

        Raises:
            ValueError: the other one asks for another overlap.
        """
        require_same("min_iou", self.min_iou, other.min_iou)
        self._num_true += other._num_true
        self._num_predicted += other._num_predicted
        self._num_right += other._num_right

    def compute(self) -> dict[str, float]:
        """`segment_f1`, `segment_precision` (0 without predictions), `segment_recall`.

        Raises:
            DataError: no true segment was taken in.
        """
        require_some(self._num_true, "labelled segments")
        precision = self._num_right / self._num_predicted if self._num_predicted else 0.0
        return {
            "segment_f1": 2 * self._num_right / (self._num_true + self._num_predicted),
            "segment_precision": precision,
            "segment_recall": self._num_right / self._num_true,
        }


def overlap(a: Segment, b: Segment) -> float:
    """Intersection over union of two intervals; 0 where both are empty."""
    shared = min(a.end_seconds, b.end_seconds) - max(a.start_seconds, b.start_seconds)
    whole = (a.end_seconds - a.start_seconds) + (b.end_seconds - b.start_seconds) - max(shared, 0)
    return max(shared, 0.0) / whole if whole > 0 else 0.0


def match_segments(
    predicted: Sequence[Segment], true: Sequence[Segment], *, min_iou: float = 0.5
) -> list[tuple[int, int]]:
    """Pairs (predicted, true) of one class and enough overlap, each used once, best first."""
    pairs = [
        (overlap(p, t), i, j)
        for i, p in enumerate(predicted)
        for j, t in enumerate(true)
        if p.class_name == t.class_name
    ]
    # Equal overlaps are taken in the order of time, whatever the order of the lists.
    pairs.sort(
        key=lambda pair: (-pair[0], predicted[pair[1]].start_seconds, true[pair[2]].start_seconds)
    )
    found: list[tuple[int, int]] = []
    used_predicted: set[int] = set()
    used_true: set[int] = set()
    for iou, i, j in pairs:
        if iou >= min_iou and i not in used_predicted and j not in used_true:
            found.append((i, j))
            used_predicted.add(i)
            used_true.add(j)
    return found
