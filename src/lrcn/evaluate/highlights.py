"""The videos most often right and most wrong, kept with their frame by frame probabilities."""

from __future__ import annotations

import bisect
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lrcn.evaluate.results import Highlight, VideoResult

NUM_KEPT = 6
"""Of the right ones, and of the wrong ones."""
_NUM_FOLLOWED = 3
"""Classes whose curves are kept, besides true ones."""
_MAX_POINTS = 600
"""Points of a curve: more than a screen shows; of longer videos frames are kept at even steps."""


class Highlights:
    """Keeps the videos most often right, and the most wrong ones, of a pass of any length.

    Of the right videos those come first in which the most frames are right too, of the wrong ones
    those in which the fewest are; of equal ones the surest answer.
    """

    def __init__(self, class_names: tuple[str, ...]) -> None:
        self.class_names = class_names
        self._kept: dict[str, list[tuple[float, float, str, Highlight]]] = {
            "right": [],
            "wrong": [],
        }

    def offer(
        self,
        video: VideoResult,
        probs_TK: NDArray[np.float64],
        pts_seconds_T: NDArray[np.float64],
    ) -> None:
        """Keep the video if it is among the first of its kind."""
        kind: Literal["right", "wrong"] = "right" if video.correct else "wrong"
        kept = self._kept[kind]
        true = [k for k, name in enumerate(self.class_names) if name in video.class_name.split(";")]
        true += [k for k, name in enumerate(self.class_names) if name == video.class_name]
        share_right = float(np.isin(probs_TK.argmax(axis=1), true).mean())
        rank = (-share_right if video.correct else share_right, -video.prob, video.key)
        if len(kept) == NUM_KEPT and rank >= kept[-1][:3]:
            return
        followed = [int(k) for k in np.argsort(-probs_TK.mean(axis=0), kind="stable")]
        num_points = min(len(probs_TK), _MAX_POINTS)
        places = np.linspace(0, len(probs_TK) - 1, num_points).round().astype(int)
        chosen = list(dict.fromkeys(followed[:_NUM_FOLLOWED] + true))
        highlight = Highlight(
            key=video.key,
            kind=kind,
            pts_seconds=tuple(round(float(t), 4) for t in pts_seconds_T[places]),
            class_names=tuple(self.class_names[k] for k in chosen),
            probs=tuple(tuple(round(float(p), 4) for p in probs_TK[places, k]) for k in chosen),
            share_right=round(share_right, 4),
        )
        bisect.insort(kept, (*rank, highlight), key=lambda entry: entry[:3])
        del kept[NUM_KEPT:]

    def all(self) -> tuple[Highlight, ...]:
        """Right ones first."""
        return tuple(entry[3] for kind in ("right", "wrong") for entry in self._kept[kind])
