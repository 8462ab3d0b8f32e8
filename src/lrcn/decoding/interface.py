"""What a search needs of a model, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

from torch import Tensor

from lrcn.errors import ConfigError

StateT = TypeVar("StateT")


class StepModel(Protocol[StateT]):
    """Whatever can be stepped can be searched: a captioner, or a table of probabilities.

    The state is a value of any type, made by the model (`start`); row n of it belongs to row n of
    the token ids. The search looks into neither the state nor the model.
    """

    def step(self, token_ids_N: Tensor, state: StateT) -> tuple[Tensor, StateT]:
        """One word further.

        Args:
            token_ids_N: int64, the word before; `<bos>` at the first step.
            state: Of N rows.

        Returns:
            logits_NV (or log-probabilities) of the next word, any floating type, and the new state.
        """

    def reorder(self, state: StateT, source_rows_N: Tensor) -> StateT:
        """The state of some rows, in the order given: a row may be repeated or left out.

        Args:
            state: Of any number of rows.
            source_rows_N: int64, the row of `state` that each new row continues.
        """


@dataclass(frozen=True, kw_only=True)
class SpecialIds:
    """The token ids that the search treats apart, and how many ids there are."""

    pad_id: int = 0
    """Never generated."""
    bos_id: int = 1
    """Fed first, never generated."""
    eos_id: int = 2
    """Ends a sentence."""
    unk_id: int = 3
    """Stands for words outside the vocabulary; generated only where options allow it."""
    vocab_size: int
    """V, the four included."""

    def __post_init__(self) -> None:
        special = (self.pad_id, self.bos_id, self.eos_id, self.unk_id)
        if len(set(special)) < 4 or not all(0 <= i < self.vocab_size for i in special):
            raise ConfigError(
                f"the special ids are {special} in a vocabulary of {self.vocab_size};"
                f" they must be four different numbers from 0 to {self.vocab_size - 1}."
                " Take them from the model's own vocabulary."
            )


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One finished sentence."""

    token_ids: tuple[int, ...]
    """Without `<bos>`; with `<eos>` where the sentence ended by itself."""
    log_prob: float
    """Sum of the tokens' log-probabilities under the model, `<eos>` included, at temperature 1 and
    before any filter: what filters take away is not handed to the words that remain."""
    score: float
    """What candidates are ranked by: `log_prob` over `len(token_ids) ** length_penalty`."""


def ranked(candidates: list[Candidate], num_candidates: int) -> tuple[Candidate, ...]:
    """The best different candidates, best first; of equals the one with lower token ids."""
    best = sorted(set(candidates), key=lambda c: (-c.score, c.token_ids))
    return tuple(best[:num_candidates])


def penalised(log_prob: float, length: int, length_penalty: float) -> float:
    """The score of a sentence of `length` tokens, `<eos>` counted."""
    return float(log_prob / length**length_penalty)
