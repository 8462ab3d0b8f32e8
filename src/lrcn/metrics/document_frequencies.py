"""In how many documents each n-gram stands: counted in captions, or kept in a file.

A document is an item: all of its captions together.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lrcn.errors import DataError, OutputError
from lrcn.metrics.metric import require_some
from lrcn.metrics.ngrams import MAX_ORDER, plain_words

_FORMAT = "lrcn document frequencies 1"


@dataclass(frozen=True)
class DocumentFrequencies:
    """Counts of documents by n-gram, for CIDEr and CIDEr-D."""

    num_documents: int
    counts: Mapping[str, int]
    """By n-gram of 1 to 4 words, joined by spaces."""
    tokenizer: str = "ptb"
    """What cut the captions into words: frequencies serve captions cut alike."""

    @classmethod
    def count(
        cls, documents: Iterable[Sequence[Sequence[str]]], *, tokenizer: str = "ptb"
    ) -> DocumentFrequencies:
        """Count in tokenized captions.

        Args:
            documents: Per item its captions, each a list of tokens.
            tokenizer: The name of what made the tokens.

        Raises:
            DataError: there are no documents.
        """
        counts: Counter[str] = Counter()
        num_documents = 0
        for captions in documents:
            num_documents += 1
            counts.update({gram for tokens in captions for gram in _grams(plain_words(tokens))})
        require_some(num_documents, "documents to count in")
        return cls(num_documents, counts, tokenizer)

    def of(self, grams: Sequence[str]) -> NDArray[np.float64]:
        """The counts of n-grams, 0 for unknown ones."""
        counts = self.counts
        return np.array([counts.get(gram, 0) for gram in grams], dtype=np.float64)

    def save(self, path: Path) -> None:
        """Write them as a JSON file, atomically.

        Raises:
            OutputError: it cannot be written.
        """
        document = {
            "format": _FORMAT,
            "tokenizer": self.tokenizer,
            "num_documents": self.num_documents,
            "counts": dict(sorted(self.counts.items())),
        }
        draft = path.with_name(f".{path.name}.draft-{os.getpid()}")
        try:
            draft.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
            draft.replace(path)
        except OSError as error:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            raise OutputError(
                f"cannot write {path}: {error.strerror or error}."
                " Check the place and its free space"
            ) from error

    @classmethod
    def load(cls, path: Path) -> DocumentFrequencies:
        """Read a file that `save` wrote.

        Raises:
            DataError: it is another kind of file.
            OSError: it cannot be read.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise _not_ours(path) from error
        if not isinstance(document, dict) or document.get("format") != _FORMAT:
            raise _not_ours(path)
        return cls(int(document["num_documents"]), document["counts"], document["tokenizer"])

    @staticmethod
    def is_saved(path: Path) -> bool:
        """Whether a file looks as if `save` wrote it."""
        with path.open("rb") as file:
            return _FORMAT.encode() in file.read(100)


def _not_ours(path: Path) -> DataError:
    return DataError(
        f"{path} holds no document frequencies; a file of {_FORMAT!r} is expected."
        " Make one from captions (lrcn score --save-document-frequencies FILE)"
    )


def _grams(words: Sequence[str]) -> Iterable[str]:
    for order in range(1, MAX_ORDER + 1):
        for start in range(len(words) - order + 1):
            yield " ".join(words[start : start + order])
