"""A sentence, and the photos that it fits best.

::

    retriever = Retriever(load_captioner("runs/captions"))
    retriever.add(paths)
    retriever("a dog runs on grass")[0].path
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lrcn.checkpoint import SavedCaptioner
from lrcn.decoding.describe import CaptionModel
from lrcn.decoding.pairs import pair_log_probs
from lrcn.errors import ConfigError, DataError, MediaError
from lrcn.metrics.retrieval import normalised_scores
from lrcn.models.fast_captioner import fast_captioner
from lrcn.predict.describe import Describer
from lrcn.predict.photo_index import IndexedPhoto, PhotoIndex, indexed
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
    is not needed again, and with an index not even in another process.

    Attributes:
        paths: The photos that can be read.
        index: What was seen before; None where nothing is kept.
        num_new: How many the CNN has looked at.
    """

    def __init__(
        self, saved: SavedCaptioner, *, index: PhotoIndex | None = None, **how: Any
    ) -> None:
        """Take a captioner.

        Args:
            saved: From `lrcn.checkpoint.load_captioner`.
            index: Photos that this captioner has looked at before; an empty one to begin with.
            **how: Further arguments of `Describer`.

        Raises:
            ModelError: the model is a language model, which sees nothing.
        """
        self._describer = Describer(saved, **how)
        self.index = index
        self.num_new = 0
        self._photos: list[IndexedPhoto] = []

    @property
    def paths(self) -> list[str]:
        """The photos that are ranked."""
        return [photo.path for photo in self._photos]

    def add(self, paths: Iterable[str], *, watch: Watch | None = None) -> list[SkippedFile]:
        """Look at photos, or remember them from the index.

        Args:
            paths: Files; videos for a captioner of videos, features for one without a CNN.
            watch: Called after each: how many are done, of how many, which.

        Returns:
            Those that cannot be read.
        """
        given = list(paths)
        known = [_known(self.index, path) for path in given]
        fresh = self._describer.look(p for p, k in zip(given, known, strict=True) if k is None)
        skipped: list[SkippedFile] = []
        with closing(fresh):
            for number, (path, photo) in enumerate(zip(given, known, strict=True), 1):
                found = next(fresh) if photo is None else photo
                if isinstance(found, Tensor):
                    self.num_new += 1
                    found = _remembered(path, found, hashed=self.index is not None)
                if isinstance(found, SkippedFile):
                    skipped.append(found)
                else:
                    self._photos.append(found)
                if watch is not None:
                    watch(number, len(given), path)
        return skipped

    def add_indexed(self) -> None:
        """Rank what the index holds; no photo is opened, and none need be there."""
        self._photos += [] if self.index is None else self.index.photos

    def save_index(self, file: Path) -> None:
        """Write the photos that are ranked as an index, unless it has just these.

        Raises:
            OutputError: it cannot be written.
        """
        assert self.index is not None  # it began with one
        if not self.num_new and file.exists() and self.index.lists(self._photos):
            return
        self.index = PhotoIndex(self.index.key, self._photos)
        self.index.save(file)

    def __call__(
        self, sentence: str, *, count_eos: bool = False, watch: Watch | None = None
    ) -> list[Match]:
        """All photos, the best first; equal ones in the order in which they were given.

        Args:
            sentence: In the words of the model; others count as unknown.
            count_eos: Whether the end of the sentence is scored. Paper 3.7: the words only.
            watch: Called after each chunk of photos.

        Raises:
            ConfigError: the sentence has no word.
            DataError: no photo was added.
        """
        model = self._describer.model
        words = model.vocabulary.encode(sentence)
        if not words:
            raise ConfigError(f"the sentence {sentence!r} has no word; give at least one")
        if not self._photos:
            raise DataError("no photo to rank; at least one that can be read is needed. Add some")
        device = self._describer.device
        features = [photo.features_TD for photo in self._photos]
        longest = max(map(len, features))
        mask_IT = torch.arange(longest) < torch.tensor([[len(one)] for one in features])
        features_ITD = torch.nn.utils.rnn.pad_sequence(features, batch_first=True)
        log_probs_IC = pair_log_probs(
            self._words,
            features_ITD.to(device),
            [words],
            valid_mask_IT=mask_IT.to(device),
            count_eos=count_eos,
            watch=watch,
        )
        scores_I = normalised_scores(log_probs_IC)[:, 0]
        order = np.argsort(-log_probs_IC[:, 0], kind="stable")
        return [
            Match(
                rank=rank,
                path=self._photos[place].path,
                log_prob=float(log_probs_IC[place, 0]),
                score=float(scores_I[place]),
            )
            for rank, place in enumerate(order, 1)
        ]

    @cached_property
    def _words(self) -> CaptionModel[Any]:
        """The recurrent part: packed float32 has the same scores as plain, in half the time."""
        return fast_captioner(self._describer.model, precision="float32")

    def unknown_words(self, sentence: str) -> int:
        """How many words of a sentence the model does not know."""
        vocabulary = self._describer.vocabulary
        return vocabulary.encode(sentence).count(vocabulary.unk_id)


def _known(index: PhotoIndex | None, path: str) -> IndexedPhoto | None:
    """What the index has of a photo; what cannot be read is left to the one who looks at it."""
    try:
        return index.find(path) if index is not None and index.photos else None
    except MediaError:
        return None


def _remembered(path: str, features_TD: Tensor, *, hashed: bool) -> IndexedPhoto:
    if hashed:
        return indexed(path, features_TD)
    return IndexedPhoto(path=path, stamp=None, content="", features_TD=features_TD)
