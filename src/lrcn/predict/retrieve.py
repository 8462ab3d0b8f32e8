"""A sentence, and the photos that it fits best.

::

    retriever = Retriever(load_captioner("runs/captions"))
    retriever.add(paths)
    retriever("a dog runs on grass")[0].path
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lrcn.checkpoint import SavedCaptioner
from lrcn.decoding.pairs import pair_log_probs
from lrcn.errors import ConfigError, DataError
from lrcn.metrics.retrieval import normalised_scores
from lrcn.predict.describe import Describer
from lrcn.structures import SkippedFile

Watch = Callable[[int, int, str], None]


@dataclass(frozen=True, kw_only=True)
class Match:
    """One photo as an answer to a sentence."""

    rank: int
    """From 1."""
    path: str
    log_prob: float
    """Of the sentence's words given the photo."""
    score: float
    """`log_prob` minus the log of the mean probability over all photos: above 0 where the photo
    makes the sentence likelier than the photos do on average."""


class Retriever:
    """Photos seen once by the CNN, ranked for any number of sentences.

    A sentence costs its words times the photos in steps of the recurrent part, in float32; the CNN
    is not needed again.
    """

    def __init__(self, saved: SavedCaptioner, **how: Any) -> None:
        """Take a captioner.

        Args:
            saved: From `lrcn.checkpoint.load_captioner`.
            **how: Further arguments of `Describer`.

        Raises:
            ModelError: the model is a language model, which sees nothing.
        """
        self._describer = Describer(saved, **how)
        self.paths: list[str] = []
        self._features: list[Tensor] = []

    def add(self, paths: Iterable[str], *, watch: Watch | None = None) -> list[SkippedFile]:
        """Look at photos.

        Args:
            paths: Files; videos for a captioner of videos, features for one without a CNN.
            watch: Called after each: how many are done, of how many, which.

        Returns:
            Those that cannot be read.
        """
        given = list(paths)
        skipped: list[SkippedFile] = []
        for number, (path, found) in enumerate(
            zip(given, self._describer.look(given), strict=True), 1
        ):
            if isinstance(found, SkippedFile):
                skipped.append(found)
            else:
                self.paths.append(path)
                self._features.append(found)
            if watch is not None:
                watch(number, len(given), path)
        return skipped

    def __call__(self, sentence: str, *, count_eos: bool = False) -> list[Match]:
        """All photos, the best first; equal ones in the order in which they were given.

        Args:
            sentence: In the words of the model; others count as unknown.
            count_eos: Whether the end of the sentence is scored. Paper 3.7: the words only.

        Raises:
            ConfigError: the sentence has no word.
            DataError: no photo was added.
        """
        model = self._describer.model
        words = model.vocabulary.encode(sentence)
        if not words:
            raise ConfigError(f"the sentence {sentence!r} has no word; give at least one")
        if not self.paths:
            raise DataError("no photo to rank; at least one that can be read is needed. Add some")
        device = self._describer.device
        longest = max(map(len, self._features))
        mask_IT = torch.arange(longest) < torch.tensor([[len(one)] for one in self._features])
        features_ITD = torch.nn.utils.rnn.pad_sequence(self._features, batch_first=True)
        log_probs_IC = pair_log_probs(
            model,
            features_ITD.to(device),
            [words],
            valid_mask_IT=mask_IT.to(device),
            count_eos=count_eos,
        )
        scores_I = normalised_scores(log_probs_IC)[:, 0]
        order = np.argsort(-log_probs_IC[:, 0], kind="stable")
        return [
            Match(
                rank=rank,
                path=self.paths[place],
                log_prob=float(log_probs_IC[place, 0]),
                score=float(scores_I[place]),
            )
            for rank, place in enumerate(order, 1)
        ]

    def unknown_words(self, sentence: str) -> int:
        """How many words of a sentence the model does not know."""
        vocabulary = self._describer.vocabulary
        return vocabulary.encode(sentence).count(vocabulary.unk_id)
