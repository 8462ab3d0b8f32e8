"""Retrieval by sentences: recall at K and median rank, in both directions.

Paper: 3.7 (section 5.1.1 of the journal version). From caption to image all images are ranked for
each caption; from image to caption all captions are ranked for each image, and the best-ranked of
its own counts. Ranks begin at 1.

Ties are broken neither for nor against the model: recall is what a random order of equal scores
gives on average, and so is a rank. A model that scores everything alike is thus exactly as good as
chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from lrcn.errors import DataError, ModelError
from lrcn.metrics.intervals import bootstrap_interval
from lrcn.metrics.metric import require_some

RECALLS = (1, 5, 10)
_Reduce = Callable[[NDArray[np.float64]], Any]


@dataclass(frozen=True)
class Ranks:
    """Where the right answers stand, one row per query."""

    better_Q: NDArray[np.int64]
    """Wrong answers above the best right one."""
    tied_Q: NDArray[np.int64]
    """Wrong answers with the same score."""
    right_Q: NDArray[np.int64]
    """Right answers with that score, at least 1."""
    items_Q: NDArray[np.int64]
    """The image that each query belongs to: what a bootstrap draws."""

    def ranks(self) -> NDArray[np.float64]:
        """The rank of the best right answer, from 1; among ties the mean over their orders."""
        return self.better_Q + (self.tied_Q + self.right_Q + 1) / (self.right_Q + 1)

    def recalls(self, k: int) -> NDArray[np.float64]:
        """How surely a right answer is among the first k: 0 or 1, between them among ties."""
        # None of the right ones in the first n of the tied: C(tied, n) / C(tied + right, n).
        missed_Q = np.ones(len(self.better_Q))
        places_Q = k - self.better_Q
        for n in range(k):
            here_Q = n < places_Q
            left_Q = np.maximum(self.tied_Q - n, 0)
            all_Q = np.maximum(self.tied_Q + self.right_Q - n, 1)
            missed_Q = np.where(here_Q, missed_Q * left_Q / all_Q, missed_Q)
        return 1.0 - missed_Q

    def compute(self) -> dict[str, float]:
        """`recall_at_1`, `recall_at_5`, `recall_at_10` and `median_rank`."""
        return {key: float(reduce(values)) for key, (values, reduce) in self._parts().items()}

    def intervals(
        self, *, generator: torch.Generator, level: float = 0.95, num_resamples: int = 1000
    ) -> dict[str, tuple[float, float]]:
        """Bootstrap over images, whose captions stand or fall together; the gallery stays."""

        def interval(values: NDArray[np.float64], reduce: _Reduce) -> tuple[float, float]:
            return bootstrap_interval(
                lambda places: float(reduce(values[places])),
                self.items_Q,
                generator=generator,
                level=level,
                num_resamples=num_resamples,
            )

        return {key: interval(*part) for key, part in self._parts().items()}

    def _parts(self) -> dict[str, tuple[NDArray[np.float64], _Reduce]]:
        require_some(len(self.better_Q), "images with captions")
        found: dict[str, tuple[NDArray[np.float64], _Reduce]] = {
            f"recall_at_{k}": (self.recalls(k), np.mean) for k in RECALLS
        }
        return found | {"median_rank": (self.ranks(), np.median)}


def caption_to_image(scores_IC: ArrayLike, owners_C: ArrayLike) -> Ranks:
    """For every caption: where its image stands among all images.

    Args:
        scores_IC: Images x captions, higher is better.
        owners_C: For every caption the row of its image.

    Raises:
        DataError: there is no caption, or an owner is no row of the scores.
        ModelError: a score is not a number.
    """
    scores, owners = _checked(scores_IC, owners_C)
    own_C = scores[owners, np.arange(len(owners))]
    better_C = (scores > own_C).sum(axis=0)
    tied_C = (scores == own_C).sum(axis=0) - 1
    return Ranks(better_C, tied_C, np.ones_like(better_C), owners)


def image_to_caption(scores_IC: ArrayLike, owners_C: ArrayLike) -> Ranks:
    """For every image with captions: where the best of its own stands among all captions.

    Args:
        scores_IC: Images x captions, higher is better.
        owners_C: For every caption the row of its image.

    Raises:
        DataError: there is no caption, or an owner is no row of the scores.
        ModelError: a score is not a number.
    """
    scores, owners = _checked(scores_IC, owners_C)
    images = np.unique(owners)
    counts = np.zeros((3, len(images)), dtype=np.int64)
    for place, image in enumerate(images):
        row, mine = scores[image], owners == image
        best = row[mine].max()
        counts[:, place] = (row > best).sum(), (row[~mine] == best).sum(), (row[mine] == best).sum()
    return Ranks(counts[0], counts[1], counts[2], images)


def measure_retrieval(scores_IC: ArrayLike, owners_C: ArrayLike) -> dict[str, float]:
    """Both directions: `caption_to_image_recall_at_1`, ..., `image_to_caption_median_rank`."""
    found = {"caption_to_image": caption_to_image(scores_IC, owners_C)}
    found["image_to_caption"] = image_to_caption(scores_IC, owners_C)
    return {f"{way}_{key}": v for way, ranks in found.items() for key, v in ranks.compute().items()}


def chance_retrieval(num_images: int, owners_C: ArrayLike) -> dict[str, float]:
    """What equal scores for all pairs give: see `measure_retrieval`."""
    owners = np.asarray(owners_C, dtype=np.int64)
    return measure_retrieval(np.zeros((num_images, len(owners))), owners)


def normalised_scores(log_probs_IC: ArrayLike) -> NDArray[np.float64]:
    """What an image adds to a caption: log p(c|i) - log mean over all images j of p(c|j).

    Paper: only the code has it (3.7). It changes no ranking of images for a caption, and keeps
    captions that are likely everywhere from being every image's first.
    """
    log_probs = np.asarray(log_probs_IC, dtype=np.float64)
    highest_C = log_probs.max(axis=0)
    highest_C = np.where(np.isfinite(highest_C), highest_C, 0.0)
    with np.errstate(divide="ignore"):
        mean_C = np.log(np.exp(log_probs - highest_C).mean(axis=0)) + highest_C
    # A caption that no image makes possible stays impossible.
    return np.where(
        np.isneginf(log_probs), -np.inf, log_probs - np.where(np.isneginf(mean_C), 0.0, mean_C)
    )


def _checked(
    scores_IC: ArrayLike, owners_C: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    scores = np.asarray(scores_IC, dtype=np.float64)
    owners = np.asarray(owners_C, dtype=np.int64)
    if scores.ndim != 2 or owners.shape != scores.shape[1:]:
        raise DataError(
            f"scores have shape {scores.shape} and owners {owners.shape}; images x captions and one"
            " owner of each caption are needed. Transpose the scores, or complete the owners"
        )
    require_some(len(owners), "captions")
    if owners.min() < 0 or owners.max() >= len(scores):
        raise DataError(
            f"a caption belongs to image {owners.max()}, and there are {len(scores)}; rows from 0"
            f" to {len(scores) - 1} are allowed. Number the images as the scores do"
        )
    if np.isnan(scores).any():
        raise ModelError(
            "a score is not a number (NaN); scores must be comparable."
            " The model is damaged: load it again, or train again"
        )
    return scores, owners
