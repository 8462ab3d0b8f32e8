"""The videos on which the model was most sure, kept with their frame by frame probabilities."""

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


class Highlights:
    """Keeps the surest right and the surest wrong videos of a pass, whatever its length."""

    def __init__(self, class_names: tuple[str, ...]) -> None:
        self.class_names = class_names
        self._kept: dict[str, list[tuple[float, str, Highlight]]] = {"right": [], "wrong": []}

    def offer(
        self,
        video: VideoResult,
        probs_TK: NDArray[np.float64],
        pts_seconds_T: NDArray[np.float64],
    ) -> None:
        """Keep the video if it is among the surest of its kind."""
        kind: Literal["right", "wrong"] = "right" if video.correct else "wrong"
        kept = self._kept[kind]
        rank = (-video.prob, video.key)
        if len(kept) == NUM_KEPT and rank >= kept[-1][:2]:
            return
        followed = [int(k) for k in np.argsort(-probs_TK.mean(axis=0), kind="stable")]
        true = [k for k, name in enumerate(self.class_names) if name in video.class_name.split(";")]
        true += [k for k, name in enumerate(self.class_names) if name == video.class_name]
        chosen = list(dict.fromkeys(followed[:_NUM_FOLLOWED] + true))
        highlight = Highlight(
            key=video.key,
            kind=kind,
            pts_seconds=tuple(round(float(t), 4) for t in pts_seconds_T),
            class_names=tuple(self.class_names[k] for k in chosen),
            probs=tuple(tuple(round(float(p), 4) for p in probs_TK[:, k]) for k in chosen),
        )
        bisect.insort(kept, (*rank, highlight), key=lambda entry: entry[:2])
        del kept[NUM_KEPT:]

    def all(self) -> tuple[Highlight, ...]:
        """Right ones first, the surest of each kind first."""
        return tuple(entry[2] for kind in ("right", "wrong") for entry in self._kept[kind])
