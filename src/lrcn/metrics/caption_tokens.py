"""References and hypotheses as tokens, item by item: what every caption scorer reads."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lrcn.errors import DataError
from lrcn.metrics.metric import require_some
from lrcn.metrics.ngrams import NGramRows, count_ngrams

SplitAll = Callable[[Sequence[str]], list[list[str]]]
"""From captions to the tokens of each."""

References = Mapping[str, Sequence[str]]
"""By item id the captions that people wrote."""

Hypotheses = Mapping[str, str]
"""By item id the one caption that a system submits."""


@dataclass(frozen=True)
class Score:
    """One number of a set of captions, of each item alone and of any choice of items."""

    key: str
    """The result key: "bleu_4", "cider_d", ..."""
    per_item_N: NDArray[np.float64]
    of_items: Callable[[NDArray[np.int64]], float]
    """From the places of items (with repetitions) to the number of all of them together."""


def mean_score(key: str, per_item_N: NDArray[np.float64]) -> Score:
    """A score that is the mean of its items' scores."""
    return Score(key, per_item_N, lambda places: float(per_item_N[places].mean()))


@dataclass(frozen=True)
class TokenizedCaptions:
    """The same items in the same order: ids, the references of each, one hypothesis of each."""

    ids: tuple[str, ...]
    references: tuple[tuple[tuple[str, ...], ...], ...]
    """Per item (at least one), per reference: its tokens."""
    hypotheses: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def reference_counts(self) -> NDArray[np.int64]:
        """How many references each item has."""
        return np.array([len(refs) for refs in self.references], dtype=np.int64)

    @cached_property
    def ngrams(self) -> tuple[NGramRows, ...]:
        """Counted n-grams of 1 to 4 words: sentences are the references in order, then hypotheses.

        As in the original scorers, an unbreakable space inside of a token divides it here.
        """
        sentences = [ref for refs in self.references for ref in refs]
        sentences += self.hypotheses
        return count_ngrams(sentences)


def tokenize_pairs(
    references: References, hypotheses: Hypotheses, split_all: SplitAll
) -> TokenizedCaptions:
    """Cut the captions of all items into tokens.

    Args:
        references: By item id; every item needs one or more.
        hypotheses: By item id; the same ids, in any order.
        split_all: The tokenizer; it gets all references, item by item, then all hypotheses.

    Raises:
        DataError: there are no items, an item has no reference, or the ids differ.
    """
    require_some(len(references), "items with references")
    _require_same_ids(references, hypotheses)
    for item, captions in references.items():
        if isinstance(captions, str) or not captions:
            raise DataError(
                f"item {item!r} has {captions!r} as references; a list of one or more captions"
                " is needed. Remove the item, or give its captions as a list"
            )
    flat = iter(split_all([text for captions in references.values() for text in captions]))
    own = split_all([hypotheses[item] for item in references])
    return TokenizedCaptions(
        ids=tuple(references),
        references=tuple(
            tuple(tuple(next(flat)) for _ in captions) for captions in references.values()
        ),
        hypotheses=tuple(map(tuple, own)),
    )


def _require_same_ids(references: References, hypotheses: Hypotheses) -> None:
    without = [item for item in references if item not in hypotheses]
    unknown = [item for item in hypotheses if item not in references]
    if not without and not unknown:
        return
    parts = []
    if without:
        parts.append(f"{len(without)} items have references but no hypothesis ({_some(without)})")
    if unknown:
        parts.append(f"{len(unknown)} hypotheses have no references ({_some(unknown)})")
    raise DataError(
        f"the ids do not match: {'; '.join(parts)}; every item needs both."
        " Check that both belong to the same split and name items alike, or leave such items out"
        ' (missing="skip", on the command line --missing skip)'
    )


def _some(items: Sequence[Hashable]) -> str:
    shown = ", ".join(repr(item) for item in items[:3])
    return shown + (", ..." if len(items) > 3 else "")
