"""Frames that repeat the one before: they have no motion, and their flow images are blank.

A video of 25 frames per second that was extracted or encoded at 30 shows every fifth frame twice
(paper.md 6, row 7). Where frames are stored without loss, or as JPEG, the copies are equal. After
another pass through a video encoder they are only nearly equal: they then differ from the frame
before much less than their neighbours do, at regular distances. Both are found; a scene in which
little happens is not mistaken for it (its differences are small, but all alike).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_EQUAL_LEVELS = 1
"""Two frames are equal when no pixel differs by more (of 255)."""

_NEAR = 0.25
"""A nearly equal frame differs at most by this share of what both its neighbours differ by.
Re-encoded clips of UCF101: copies lie at 0.01 to 0.1, other frames rarely below 0.4."""

_REGULAR = 0.75
"""Share of the distances between copies that are the usual one, from which they are regular."""

_NOTABLE = 0.05

_LEAST = 3
"""Fewer nearly equal frames, or fewer distances, prove nothing."""


@dataclass(frozen=True, kw_only=True)
class Repeats:
    """What was found in one video."""

    num_frames: int
    num_repeated: int
    """Frames that show what the one before shows."""
    every: int | None = None
    """Distance between them where it is regular: 6 for 25 frames per second shown at 30."""

    @property
    def notable(self) -> bool:
        """Whether they are regular, or at least one frame in twenty."""
        return self.every is not None or self.num_repeated >= _NOTABLE * self.num_frames

    def __str__(self) -> str:
        text = f"{self.num_repeated} of {self.num_frames} frames repeat the one before"
        if self.every is None:
            return f"{text}: their flow is blank"
        rate = "twice" if self.every == 2 else f"{self.every}/{self.every - 1} of"
        return (
            f"{text}, one in {self.every}: their flow is blank. A video of a lower rate was taken"
            f" at {rate} its rate; take its frames at its own"
        )

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "num_frames": self.num_frames,
            "num_repeated": self.num_repeated,
            "every": self.every,
        }


class RepeatFinder:
    """Sees the frames of one video in order."""

    def __init__(self) -> None:
        self._before: NDArray[np.uint8] | None = None
        self._num_frames = 0
        self._equal: list[bool] = []
        self._means: list[float] = []

    def see(self, frame: NDArray[np.uint8]) -> None:
        """The next frame: grey H x W, or H x W x 3; all of one size."""
        before, self._before = self._before, frame
        self._num_frames += 1
        if before is None:
            return
        difference = np.maximum(before, frame) - np.minimum(before, frame)
        self._equal.append(int(difference.max(initial=0)) <= _EQUAL_LEVELS)
        self._means.append(float(difference.mean()))

    def result(self) -> Repeats | None:
        """What was found; None where no frame repeats another."""
        equal = [t for t, same in enumerate(self._equal, 1) if same]
        every = _usual_distance(equal)
        near = sorted({*equal, *self._near()})
        if every is None and len(near) > len(equal) and _usual_distance(near) is not None:
            equal, every = near, _usual_distance(near)
        if not equal:
            return None
        return Repeats(num_frames=self._num_frames, num_repeated=len(equal), every=every)

    def _near(self) -> list[int]:
        means = self._means
        return [
            t + 1
            for t in range(1, len(means) - 1)
            if means[t] < _NEAR * min(means[t - 1], means[t + 1])
        ]


def _usual_distance(places: Sequence[int]) -> int | None:
    """The distance between most neighbours; None where they are too few or irregular."""
    if len(places) <= _LEAST:
        return None
    distances = Counter(np.diff(places).tolist())
    distance, number = distances.most_common(1)[0]
    # Distance 1 is a picture that stands still, not a rate.
    regular = number >= _REGULAR * (len(places) - 1)
    return int(distance) if regular and distance > 1 else None


def count_blank(images_TCHW: Any, centre: float) -> int:
    """How many flow images (tensor or array, T x 3 x H x W) show no motion at all."""
    off = np.abs(np.asarray(images_TCHW).astype(np.float32) - np.float32(centre))
    return int((off.max(axis=(1, 2, 3)) <= 2).sum())
