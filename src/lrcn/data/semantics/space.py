"""From beliefs to the vectors of paper 4: words of the best labels, one-hots, or probabilities."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean
from typing import Any, Literal

import torch
from torch import Tensor

from lrcn.data.sampler import keyed_generator
from lrcn.data.semantics.read import Beliefs
from lrcn.errors import DataError

SemanticForm = Literal["words", "max", "prob"]
"""Rows (a), (b) and (c) of the paper's table 9."""

_NOISE_DRAWS = 3
"""Labels that the noise of a node consists of: false beliefs are as peaked as true ones."""


@dataclass(frozen=True)
class LabelSpace:
    """The nodes and labels seen in training, and how beliefs become vectors.

    Args:
        nodes: Node to labels, the most frequent first.
        counts: Node to the number of training items per label, in the same order.
        form: "words", "max" or "prob".
        reversed_words: Whether "words" come last node first, as the paper draws them.
        scale: What every vector is multiplied with. The network's first weights are drawn for
            numbers of mean square 1; one-hots of thousands are far below, probabilities further.
    """

    nodes: Mapping[str, tuple[str, ...]]
    counts: Mapping[str, tuple[int, ...]]
    form: SemanticForm = "prob"
    reversed_words: bool = False
    scale: float = 1.0

    @classmethod
    def build(
        cls,
        training: Iterable[Beliefs],
        *,
        form: SemanticForm = "prob",
        reversed_words: bool = False,
        min_count: int = 1,
    ) -> LabelSpace:
        """The labels of training items; nodes in the order in which they are first seen.

        Args:
            training: Beliefs of the training items, of no others.
            form: How they become vectors.
            reversed_words: Of the form words.
            min_count: Leave out labels that fewer training items have.

        Raises:
            DataError: no label is left.
        """
        training = list(training)
        seen: dict[str, Counter[str]] = {}
        for beliefs in training:
            for node, labels in beliefs.items():
                seen.setdefault(node, Counter()).update(list(labels))
        kept = {
            node: sorted(
                ((label, n) for label, n in found.items() if n >= min_count),
                key=lambda pair: (-pair[1], pair[0]),
            )
            for node, found in seen.items()
        }
        kept = {node: pairs for node, pairs in kept.items() if pairs}
        if not kept:
            raise DataError(
                f"no label occurs in {min_count} training items or more; at least one is needed."
                " Lower dataset.semantic_min_count, or check the file"
            )
        space = cls(
            nodes={node: tuple(label for label, _ in pairs) for node, pairs in kept.items()},
            counts={node: tuple(n for _, n in pairs) for node, pairs in kept.items()},
            form=form,
            reversed_words=reversed_words,
        )
        return replace(space, scale=space._scale(training))

    def _scale(self, training: Sequence[Beliefs]) -> float:
        """What makes the vectors of training items of mean square 1."""
        squares = 1.0 if self.form == "words" else float(len(self.nodes))
        if self.form == "prob":
            squares = fmean(float(self.features(b).square().sum()) for b in training)
        return math.sqrt(self.feature_dim / squares)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The input vocabulary of the form words."""
        labels = (label for labels in self.nodes.values() for label in labels)
        return tuple(sorted({word for label in labels for word in label.split()}))

    @cached_property
    def _places(self) -> dict[str, dict[str, int]]:
        return {n: {label: k for k, label in enumerate(own)} for n, own in self.nodes.items()}

    @cached_property
    def _word_ids(self) -> dict[str, int]:
        return {word: k for k, word in enumerate(self.words)}

    @property
    def feature_dim(self) -> int:
        """D of the vectors."""
        return len(self.words) if self.form == "words" else sum(map(len, self.nodes.values()))

    def features(
        self, beliefs: Beliefs, *, noise: float = 0.0, seed: int = 0, key: str = ""
    ) -> Tensor:
        """features_TD of one item: T = 1, in the form words one row per word.

        Labels that training did not have are left out, and the others of the node normalised; a
        node without a known label is all zeros.

        Args:
            beliefs: By node.
            noise: Share 0...1 of every distribution that goes to false labels, drawn as often as
                they are in training.
            seed: Of the noise.
            key: What the draw depends on besides the seed: the item's id.
        """
        probs = {
            node: self._probs(node, beliefs.get(node, {}), noise, seed, key) for node in self.nodes
        }
        if self.form == "words":
            return self._words_of(probs)
        if self.form == "max":
            probs = {node: _one_hot(probs_K) for node, probs_K in probs.items()}
        return self.scale * torch.cat(list(probs.values()))[None]

    def _probs(
        self, node: str, labels: Mapping[str, float], noise: float, seed: int, key: str
    ) -> Tensor:
        probs_K = torch.zeros(len(self.nodes[node]))
        places = self._places[node]
        for label, prob in labels.items():
            if label in places:
                probs_K[places[label]] = prob
        total = float(probs_K.sum())
        if total <= 0:
            return probs_K
        probs_K /= total
        if noise > 0:
            generator = keyed_generator(seed, "semantic noise", key, node)
            counts_K = torch.tensor(self.counts[node], dtype=torch.float32)
            drawn = torch.multinomial(counts_K, _NOISE_DRAWS, replacement=True, generator=generator)
            false_K = torch.zeros_like(probs_K)
            false_K.index_add_(0, drawn, torch.full((_NOISE_DRAWS,), 1 / _NOISE_DRAWS))
            probs_K = (1 - noise) * probs_K + noise * false_K
        return probs_K

    def _words_of(self, probs: Mapping[str, Tensor]) -> Tensor:
        nodes = [node for node in self.nodes if float(probs[node].sum()) > 0]
        said = [w for n in nodes for w in self.nodes[n][int(probs[n].argmax())].split()]
        rows_TD = torch.zeros(max(len(said), 1), self.feature_dim)
        for row, word in enumerate(reversed(said) if self.reversed_words else said):
            rows_TD[row, self._word_ids[word]] = self.scale
        return rows_TD

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "form": self.form,
            "reversed_words": self.reversed_words,
            "scale": self.scale,
            "nodes": {node: list(labels) for node, labels in self.nodes.items()},
            "counts": {node: list(counts) for node, counts in self.counts.items()},
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> LabelSpace:
        """What `to_dict` gave.

        Raises:
            KeyError, TypeError: it is something else.
        """
        return cls(
            nodes={node: tuple(labels) for node, labels in raw["nodes"].items()},
            counts={node: tuple(counts) for node, counts in raw["counts"].items()},
            form=raw["form"],
            reversed_words=raw["reversed_words"],
            scale=raw.get("scale", 1.0),  # folders of before had none
        )


def _one_hot(probs_K: Tensor) -> Tensor:
    """1 at the most probable label (the first of equals); zeros where nothing is known."""
    hot_K = torch.zeros_like(probs_K)
    if float(probs_K.sum()) > 0:
        hot_K[int(probs_K.argmax())] = 1.0
    return hot_K
