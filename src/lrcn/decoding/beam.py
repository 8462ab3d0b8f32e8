"""Beam search, batched over items and beams; the state is reordered, no prefix is run again.

Paper (its section 5.1.2 and the original `captioner.py`): the `beam_size` likeliest partial
sentences are kept; finished ones stay in the pool and compete; the score is the sum of the
log-probabilities.

Two things keep the result and change the cost or the guarantee:

- An unfinished beam is dropped as soon as it cannot enter the answer any more: its score if all
  further words were certain, `log_prob / max_tokens ** length_penalty`, is below the finished
  sentences asked for. An item without beams leaves the batch.
- The greedy path is kept outside the pool when it falls out of it (standard beam search can lose
  it). It costs a row only then, takes no place from a beam, and makes the answer never less likely
  than the greedy one.

With forced words the pool has one bank of `beam_size` for each number of them already said (grid
beam search, Hokamp and Liu 2017, arXiv 1704.07138): otherwise sentences on their way to an unlikely
word would always lose against those that put it off.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lrcn.decoding.filters import Filters, exact, next_log_probs
from lrcn.decoding.greedy import greedy
from lrcn.decoding.interface import Candidate, SpecialIds, StateT, StepModel, penalised, ranked
from lrcn.decoding.options import DecodingOptions
from lrcn.engine.largest import largest

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class _Proposals(NamedTuple):
    """The best next words of every live row, in the order of their ids."""

    token_ids_NK: Ints
    log_probs_NK: Floats
    """-inf: no proposal."""
    greedy_N: Ints
    """Which of the K is the row's best."""


def beam_search(
    model: StepModel[StateT],
    state: StateT,
    num_rows: int,
    options: DecodingOptions,
    ids: SpecialIds,
    *,
    device: torch.device | str = "cpu",
) -> list[tuple[Candidate, ...]]:
    """The best sentences of each row, best first.

    Args:
        model: What is stepped.
        state: Of `num_rows` rows.
        num_rows: B.
        options: beam_size, length_penalty, num_candidates, and the filters.
        ids: The special tokens.
        device: Of the model.
    """
    filters = Filters(options, ids)
    pool = _Pool(num_rows, options, ids, filters.forced_C)
    tokens = torch.full((num_rows,), ids.bos_id, dtype=torch.int64, device=device)
    start = state
    for step in range(options.max_tokens):
        logits_NV, state = model.step(tokens, state)
        log_probs_NV = next_log_probs(logits_NV)
        filters.apply(log_probs_NV, pool.words_of_live(step), one_path=False)
        proposals = propose(log_probs_NV, options.beam_size, filters.forced_C)
        pool.extend(step, proposals)
        source_N, words_N = pool.continuations(step)
        if not len(source_N):
            break
        tokens = torch.from_numpy(words_N).to(device)
        if not np.array_equal(source_N, np.arange(len(log_probs_NV))):
            state = model.reorder(state, torch.from_numpy(source_N).to(device))
    found = pool.candidates()
    if len(filters.forced_C):
        paths = greedy(model, start, num_rows, options, ids, device=device)
        found = [[*beams, *path] for beams, path in zip(found, paths, strict=True)]
    return [ranked(candidates, options.num_candidates) for candidates in found]


def propose(log_probs_NV: Tensor, num_best: int, forced_C: Ints) -> _Proposals:
    """The `num_best` best words of each row (lower ids first among equals), and forced ones."""
    size = log_probs_NV.shape[1]
    num = min(num_best + len(forced_C), size)
    values_NK, ids_NK = largest(log_probs_NV, min(num + 1, size))
    values = values_NK.cpu().numpy()
    token_ids = ids_NK.cpu().numpy()
    if size > num:
        last_N = values[:, num - 1]
        for row in np.flatnonzero((last_N == values[:, num]) & (last_N > -np.inf)):
            # Equals on both sides of the border: topk takes any of them.
            above = values[row] > last_N[row]
            equal = torch.nonzero(log_probs_NV[row] == values_NK[row, num])[:, 0].cpu().numpy()
            token_ids[row, :num] = [*token_ids[row, above], *equal[: num - above.sum()]]
        values, token_ids = values[:, :num], token_ids[:, :num]
    if len(forced_C):
        forced_NC = log_probs_NV[:, torch.from_numpy(forced_C)].cpu().numpy()
        already_NC = (token_ids[:, :, None] == forced_C).any(1)
        values = np.concatenate([values, np.where(already_NC, -np.inf, forced_NC)], axis=1)
        token_ids = np.concatenate(
            [token_ids, np.broadcast_to(forced_C, forced_NC.shape)], axis=1, dtype=np.int64
        )
    order = token_ids.argsort(axis=1, kind="stable")
    values = np.take_along_axis(values, order, 1)
    return _Proposals(np.take_along_axis(token_ids, order, 1), exact(values), values.argmax(1))


class _Pool:
    """Finished and unfinished sentences of every item, in numpy: tiny arrays, many operations.

    Slots 0 to P-1 are the pool, in lexicographic order of their words, empty ones last; extending
    it keeps that order, so that a stable sort breaks every tie towards lower token ids. Slot P
    holds the greedy path while it is outside the pool.
    """

    def __init__(
        self, num_items: int, options: DecodingOptions, ids: SpecialIds, forced_C: Ints
    ) -> None:
        self._options, self._ids, self._forced_C = options, ids, forced_C
        self.num_slots = options.beam_size * (len(forced_C) + 1)
        shape = (num_items, self.num_slots + 1)
        self.words_BPT = np.full((*shape, options.max_tokens), ids.pad_id, dtype=np.int64)
        self.log_probs_BP = np.full(shape, -np.inf)
        self.log_probs_BP[:, 0] = 0.0
        self.lengths_BP = np.zeros(shape, dtype=np.int64)
        self.greedy_B = np.zeros(num_items, dtype=np.int64)
        self.row_BP = np.full(shape, -1, dtype=np.int64)
        self.row_BP[:, 0] = np.arange(num_items)
        self._live = np.nonzero(self.row_BP >= 0)

    def words_of_live(self, step: int) -> Ints:
        """The words of the rows that are stepped, in the order of the rows."""
        items, slots = self._live
        return self.words_BPT[items, slots, :step]

    def extend(self, step: int, proposals: _Proposals) -> None:
        """Replace every unfinished sentence by its continuations and keep the best of the pool."""
        num_words, num_items = proposals.token_ids_NK.shape[1], len(self.greedy_B)
        shape = (num_items, self.num_slots + 1, num_words)
        log_probs_BPK, words_BPK = np.full(shape, -np.inf), np.full(shape, -1)
        finished_BP = (self.row_BP < 0) & (self.lengths_BP > 0)
        log_probs_BPK[finished_BP, 0] = self.log_probs_BP[finished_BP]
        before_N1 = self.log_probs_BP[self._live][:, None]
        log_probs_BPK[self._live] = before_N1 + proposals.log_probs_NK
        words_BPK[self._live] = proposals.token_ids_NK
        lengths_BP = np.where(finished_BP, self.lengths_BP, step + 1)

        # A greedy path that has ended stays, at place 0; one that was hopeless is gone.
        greedy_BP = np.where(finished_BP, 0, -1)
        greedy_BP[self._live] = proposals.greedy_N
        choice_B = greedy_BP[np.arange(num_items), self.greedy_B]
        greedy_B = np.where(choice_B < 0, -2, self.greedy_B * num_words + choice_B)

        flat = (num_items, self.num_slots * num_words)
        ranks_BPK = log_probs_BPK / lengths_BP[:, :, None] ** self._options.length_penalty
        ranks_BF = ranks_BPK[:, : self.num_slots].reshape(flat)
        kept_BP = self._best(ranks_BF, self._banks(words_BPK, flat))
        is_greedy_BP = kept_BP == greedy_B[:, None]
        inside_B = is_greedy_BP.any(1)
        last_B = np.where(inside_B | (len(self._forced_C) > 0), -1, greedy_B)
        self.greedy_B = np.where(inside_B, is_greedy_BP.argmax(1), self.num_slots)
        self._move(step, np.column_stack([kept_BP, last_B]), log_probs_BPK, words_BPK, lengths_BP)

    def _banks(self, words_BPK: Ints, flat: tuple[int, int]) -> Ints:
        """How many different forced words each continuation holds."""
        if not len(self._forced_C):
            return np.zeros(flat, dtype=np.int64)
        said_BPC = (self.words_BPT[:, :, :, None] == self._forced_C).any(2)
        adds_BPKC = (words_BPK[..., None] == self._forced_C) & ~said_BPC[:, :, None]
        banks_BPK = said_BPC.sum(2)[:, :, None] + adds_BPKC.sum(3)
        banks_BF: Ints = banks_BPK[:, : self.num_slots].reshape(flat).astype(np.int64)
        return banks_BF

    def _best(self, ranks_BF: Floats, banks_BF: Ints) -> Ints:
        """Places of the best of every bank, ascending; -1, at the end, where there are too few."""
        size, end = self._options.beam_size, ranks_BF.shape[1]
        parts = []
        for bank in range(len(self._forced_C) + 1):
            inside_BF = np.where(banks_BF == bank, ranks_BF, -np.inf)
            places = np.argsort(-inside_BF, axis=1, kind="stable")[:, :size]
            exists = np.take_along_axis(inside_BF, places, 1) > -np.inf
            parts.append(np.where(exists, places, end))
        kept_BP = np.full((len(ranks_BF), self.num_slots), end)
        found = np.sort(np.concatenate(parts, axis=1), axis=1)
        kept_BP[:, : found.shape[1]] = found
        return np.where(kept_BP == end, -1, kept_BP)

    def _move(
        self, step: int, places_BP: Ints, log_probs_BPK: Floats, words_BPK: Ints, lengths_BP: Ints
    ) -> None:
        """Take over the chosen continuations and mark which of them go on."""
        empty = places_BP < 0
        parents_BP, words_index = np.divmod(np.where(empty, 0, places_BP), words_BPK.shape[2])
        items_B1 = np.arange(len(places_BP))[:, None]
        words_BP = words_BPK[items_B1, parents_BP, words_index]
        extended = (words_BP >= 0) & ~empty
        self.log_probs_BP = log_probs_BPK[items_B1, parents_BP, words_index]
        self.log_probs_BP[empty] = -np.inf
        self.lengths_BP = np.where(empty, 0, lengths_BP[items_B1, parents_BP])
        self.words_BPT = self.words_BPT[items_B1, parents_BP]
        self.words_BPT[extended, step] = words_BP[extended]
        going = extended & (words_BP != self._ids.eos_id) & (step + 1 < self._options.max_tokens)
        self.row_BP = np.where(going, self.row_BP[items_B1, parents_BP], -1)
        self._drop_hopeless()

    def _drop_hopeless(self) -> None:
        """End beams that cannot enter the answer even if all their further words were certain."""
        options = self._options
        finished_BP = (self.row_BP < 0) & (self.lengths_BP > 0)
        divisors_BP = np.maximum(self.lengths_BP, 1) ** options.length_penalty
        scores_BP = np.where(finished_BP, self.log_probs_BP / divisors_BP, -np.inf)
        needed_B = np.sort(scores_BP, axis=1)[:, -options.num_candidates]
        reach_BP = self.log_probs_BP / options.max_tokens**options.length_penalty
        hopeless_BP = (self.row_BP >= 0) & (reach_BP < needed_B[:, None])
        self.row_BP[hopeless_BP] = -1
        self.log_probs_BP[hopeless_BP] = -np.inf
        self.lengths_BP[hopeless_BP] = 0
        self._live = np.nonzero(self.row_BP >= 0)

    def continuations(self, step: int) -> tuple[Ints, Ints]:
        """For every row that goes on: the row it continues, and its last word; renumbers them."""
        items, slots = self._live
        source_N, words_N = self.row_BP[self._live], self.words_BPT[items, slots, step]
        self.row_BP[self._live] = np.arange(len(source_N))
        return source_N, words_N

    def candidates(self) -> list[list[Candidate]]:
        """The sentences of each item."""
        return [
            [
                Candidate(
                    token_ids=tuple(words_T[:length].tolist()),
                    log_prob=float(log_prob),
                    score=penalised(log_prob, int(length), self._options.length_penalty),
                )
                for words_T, length, log_prob in zip(*item, strict=True)
                if length
            ]
            for item in zip(self.words_BPT, self.lengths_BP, self.log_probs_BP, strict=True)
        ]
