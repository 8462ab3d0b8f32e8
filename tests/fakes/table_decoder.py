"""A model that is a table: the next word's log-probabilities after every prefix, from a hash."""

from __future__ import annotations

import functools
import hashlib
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from lrcn.decoding.interface import Candidate, SpecialIds
from lrcn.decoding.options import DecodingOptions

Prefix = tuple[int, ...]
Row = tuple[int, Prefix]
"""Which item, and the words fed so far (`<bos>` first)."""

IDS = SpecialIds(vocab_size=7)
WORDS = (4, 5, 6)


@functools.cache
def drawn_logits(seed: int, item: int, prefix: Prefix, *, size: int, levels: int = 0) -> np.ndarray:
    """Logits that depend on the seed, the item and the whole prefix; few levels make many ties."""
    digest = hashlib.blake2b(repr((seed, item, prefix)).encode(), digest_size=8).digest()
    rng = np.random.default_rng(int.from_bytes(digest, "big"))
    if levels:
        return np.log(rng.integers(1, levels + 1, size).astype(np.float64))
    return rng.normal(0.0, 2.0, size)


@dataclass
class TableDecoder:
    """A StepModel whose state is the list of its rows; counts the rows that it was asked for."""

    logits: Callable[[int, Prefix], np.ndarray]
    dtype: torch.dtype = torch.float64
    rows_stepped: list[int] = field(default_factory=list)
    _known: dict[Row, np.ndarray] = field(default_factory=dict)

    def start(self, *items: int) -> list[Row]:
        return [(item, ()) for item in items]

    def step(self, token_ids_N: Tensor, state: list[Row]) -> tuple[Tensor, list[Row]]:
        assert token_ids_N.dtype == torch.int64
        assert len(token_ids_N) == len(state)
        self.rows_stepped.append(len(state))
        after = [
            (item, (*prefix, token))
            for (item, prefix), token in zip(state, token_ids_N.tolist(), strict=True)
        ]
        rows = np.stack([self.logits(item, prefix) for item, prefix in after])
        return torch.from_numpy(rows).to(self.dtype), after

    def reorder(self, state: list[Row], source_rows_N: Tensor) -> list[Row]:
        return [state[row] for row in source_rows_N.tolist()]

    def log_probs(self, item: int, prefix: Prefix) -> np.ndarray:
        if (item, prefix) not in self._known:
            logits = torch.from_numpy(self.logits(item, prefix)).to(self.dtype)
            self._known[item, prefix] = torch.log_softmax(logits, 0).numpy()
        return self._known[item, prefix].copy()


def random_table(seed: int, *, size: int = IDS.vocab_size, levels: int = 0) -> TableDecoder:
    return TableDecoder(lambda item, p: drawn_logits(seed, item, p, size=size, levels=levels))


def sentences(options: DecodingOptions, ids: SpecialIds = IDS) -> Iterator[Prefix]:
    """Every sentence that the options allow, written down from their definitions."""
    words = [w for w in range(ids.vocab_size) if w not in (ids.pad_id, ids.bos_id, ids.eos_id)]
    if not options.allow_unk:
        words.remove(ids.unk_id)
    for length in range(options.max_tokens + 1):
        for said in itertools.product(words, repeat=length):
            ends = [(*said, ids.eos_id)] if options.min_tokens <= length else []
            ends = ends if length < options.max_tokens else [said]
            if set(options.forced_ids) <= set(said) and not repeats(said, options.no_repeat_ngram):
                yield from ends


def repeats(words: Prefix, size: int) -> bool:
    """Whether a run of `size` words occurs twice."""
    runs = [words[i : i + size] for i in range(len(words) - size + 1)] if size else []
    return len(set(runs)) < len(runs)


def log_prob(model: TableDecoder, item: int, sentence: Prefix, ids: SpecialIds = IDS) -> float:
    """Added word by word from the left, as a search does."""
    total = 0.0
    for i, word in enumerate(sentence):
        total += float(model.log_probs(item, (ids.bos_id, *sentence[:i]))[word])
    return total


def exhaustive(
    model: TableDecoder, item: int, options: DecodingOptions, ids: SpecialIds = IDS
) -> list[Candidate]:
    """All sentences, best first, equals in lexicographic order."""
    found = []
    for sentence in sentences(options, ids):
        total = log_prob(model, item, sentence, ids)
        if total > -math.inf:
            score = total / len(sentence) ** options.length_penalty
            found.append(Candidate(token_ids=sentence, log_prob=total, score=score))
    return sorted(found, key=lambda c: (-c.score, c.token_ids))
