"""What may not be said: masks over the next word's log-probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lrcn.decoding.interface import SpecialIds
from lrcn.decoding.options import DecodingOptions
from lrcn.errors import ConfigError, ModelError

Words = NDArray[np.int64]


class Filters:
    """The filters of one search.

    They only take away; log-probabilities of what remains stay those of the model. Where nothing
    remains (every word would repeat, or has probability zero) the sentence ends, or goes on with a
    forced word that is missing.

    Attributes:
        forced_C: int64, ids of the words that must occur, each once.
    """

    def __init__(self, options: DecodingOptions, ids: SpecialIds) -> None:
        """Prepare the masks.

        Raises:
            ConfigError: a forced word is outside the vocabulary, special, or not allowed.
        """
        self._options = options
        self._eos_id = ids.eos_id
        self._never = [ids.pad_id, ids.bos_id] + [ids.unk_id] * (not options.allow_unk)
        self.forced_C = np.array(sorted(set(options.forced_ids)), dtype=np.int64)
        self._columns = np.array([ids.eos_id, *self.forced_C], dtype=np.int64)
        wrong = [
            f
            for f in options.forced_ids
            if f in (*self._never, ids.eos_id) or not 0 <= f < ids.vocab_size
        ]
        if wrong:
            raise ConfigError(
                f"forced_ids names {wrong[0]}, which cannot be said; it takes ids of words from 0"
                f" to {ids.vocab_size - 1}, without <pad>, <bos>, <eos> (and <unk> unless"
                " allow_unk). Choose another word."
            )

    def apply(self, log_probs_NV: Tensor, words_NT: Words, *, one_path: bool) -> None:
        """Set what may not come next to -inf, in place.

        Args:
            log_probs_NV: Of the next word, as the model gives them.
            words_NT: The T words said so far in each row.
            one_path: Whether rows are single paths (greedy, sampling): a forced word that is
                missing is then said where the sentence would rather end. Beams weigh that.

        Raises:
            ModelError: the log-probabilities are not numbers.
        """
        columns = torch.from_numpy(self._columns).to(log_probs_NV.device)
        last_NC = log_probs_NV.index_select(1, columns)
        for token_id in self._never:
            log_probs_NV[:, token_id] = -torch.inf
        self._ban_repeats(log_probs_NV, words_NT)
        missing_NC = (words_NT[:, :, None] != self.forced_C).all(1)
        if len(self.forced_C):
            self._hold_open(log_probs_NV, last_NC[:, 1:], missing_NC, words_NT.shape[1], one_path)
        if words_NT.shape[1] < self._options.min_tokens:
            log_probs_NV[:, self._eos_id] = -torch.inf
        best_N = log_probs_NV.amax(1).cpu().numpy()
        if np.isnan(best_N).any():
            raise ModelError(
                "the model's scores for the next word are not numbers (NaN); they must be finite."
                " Its weights or the features it was given are damaged: run `lrcn doctor`, or"
                " train again."
            )
        dead_N = best_N == -np.inf
        if dead_N.any():
            ways_NC = np.concatenate([~missing_NC.any(1, keepdims=True), missing_NC], axis=1)
            self._revive(log_probs_NV, columns, last_NC, dead_N[:, None] & ways_NC)

    def _ban_repeats(self, log_probs_NV: Tensor, words_NT: Words) -> None:
        """Words that would complete a run of words for the second time."""
        size, num_words = self._options.no_repeat_ngram, words_NT.shape[1]
        if not size or num_words < size:
            return
        if size == 1:
            rows, words = np.repeat(np.arange(len(words_NT)), num_words), words_NT.reshape(-1)
        else:
            runs = np.lib.stride_tricks.sliding_window_view(words_NT[:, :-1], size - 1, axis=1)
            rows, starts = np.nonzero((runs == words_NT[:, None, 1 - size :]).all(-1))
            words = words_NT[rows, starts + size - 1]
        log_probs_NV[torch.from_numpy(rows), torch.from_numpy(words)] = -torch.inf

    def _hold_open(
        self,
        log_probs_NV: Tensor,
        forced_NC: Tensor,
        missing_NC: NDArray[np.bool_],
        num_words: int,
        one_path: bool,
    ) -> None:
        """No end before all forced words; nothing but them when there is just room for them."""
        missing_N = missing_NC.sum(1)
        urgent_N = (missing_N > 0) & (missing_N >= self._options.max_tokens - num_words)
        if one_path and num_words >= self._options.min_tokens:
            ends_N = (log_probs_NV.argmax(1) == self._eos_id).cpu().numpy()
            urgent_N |= (missing_N > 0) & ends_N
        log_probs_NV[torch.from_numpy(missing_N > 0), self._eos_id] = -torch.inf
        if urgent_N.any():
            kept_NC = forced_NC.masked_fill(
                torch.from_numpy(~missing_NC).to(forced_NC.device), -torch.inf
            )
            rows = torch.from_numpy(np.flatnonzero(urgent_N)).to(log_probs_NV.device)
            log_probs_NV[rows] = -torch.inf
            log_probs_NV[rows[:, None], torch.from_numpy(self.forced_C)] = kept_NC[rows]

    def _revive(
        self,
        log_probs_NV: Tensor,
        columns: Tensor,
        last_NC: Tensor,
        ways_NC: NDArray[np.bool_],
    ) -> None:
        """Open the last ways out of rows in which nothing is allowed."""
        # A word of probability zero is chosen all the same: -inf could not be.
        rows, places = (torch.from_numpy(i) for i in np.nonzero(ways_NC))
        lowest = torch.finfo(log_probs_NV.dtype).min
        values = last_NC[rows, places].clamp(min=lowest)
        log_probs_NV[rows, columns[places]] = values


def next_log_probs(logits_NV: Tensor) -> Tensor:
    """Fresh log-probabilities, in float32 or (from float64) float64."""
    dtype = torch.float64 if logits_NV.dtype == torch.float64 else torch.float32
    return torch.log_softmax(logits_NV, dim=1, dtype=dtype)


def exact(values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Chosen log-probabilities as float64; what was opened as a last way out is -inf again."""
    floor = np.finfo(values.dtype).min
    return np.where(values <= floor, -np.inf, values).astype(np.float64)
