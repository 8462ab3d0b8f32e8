"""Words drawn at random: temperature, top-k, top-p, and the best of several sentences.

Paper: draws N sentences from softmax(T x logits) and keeps the one of highest log-likelihood at
T = 1 (its section 5.1.2). Its T is the inverse of the temperature here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lrcn.decoding.greedy import follow
from lrcn.decoding.interface import Candidate, SpecialIds, StateT, StepModel
from lrcn.decoding.options import DecodingOptions

RowKey = int | str

_ROWS_AT_ONCE = 256
"""Rows whose cumulative probabilities are held in float64 at a time."""


def draw(
    model: StepModel[StateT],
    state: StateT,
    num_rows: int,
    options: DecodingOptions,
    ids: SpecialIds,
    *,
    seed: int,
    row_keys: Sequence[RowKey],
    device: torch.device | str = "cpu",
) -> list[list[Candidate]]:
    """`num_samples` sentences for each row, in the order drawn.

    The k-th sentence of a row depends on the seed, the row's key, k and the model alone: not on the
    batch, its order, or how many more are drawn.

    Args:
        model: What is stepped.
        state: Of `num_rows` rows.
        num_rows: B.
        options: Temperature, top_k, top_p, num_samples, and the filters.
        ids: The special tokens.
        seed: Of the whole run.
        row_keys: One per row: equal keys draw with equal chances.
        device: Of the model.
    """
    chances_NT = np.concatenate([_chances(seed, key, options) for key in row_keys], axis=0)

    def drawn(log_probs_NV: Tensor, paths_N: NDArray[np.int64], step: int) -> Tensor:
        chances_N = torch.from_numpy(chances_NT[paths_N, step]).to(log_probs_NV.device)
        rows_parts = torch.split(log_probs_NV, _ROWS_AT_ONCE)
        parts = zip(rows_parts, torch.split(chances_N, _ROWS_AT_ONCE), strict=True)
        return torch.cat([pick(rows, chances, options) for rows, chances in parts])

    return follow(
        model,
        state,
        num_rows,
        options,
        ids,
        num_paths=options.num_samples,
        choose=drawn,
        device=device,
    )


def pick(log_probs_NV: Tensor, chances_N: Tensor, options: DecodingOptions) -> Tensor:
    """One word per row: where its chance falls among the cumulative probabilities.

    Args:
        log_probs_NV: After the filters; -inf is never picked.
        chances_N: float64, 0 <= c < 1.
        options: Temperature, top_k, top_p.
    """
    if options.temperature == 0.0:
        return log_probs_NV.argmax(1)
    relative_NV = (log_probs_NV - log_probs_NV.amax(1, keepdim=True)).double()
    weights_NV = (relative_NV / options.temperature).exp()
    weights_NV = weights_NV.masked_fill(log_probs_NV == -torch.inf, 0.0)
    if options.top_k or options.top_p < 1.0:
        weights_NV = _truncated(weights_NV, options)
    cumulative_NV = weights_NV.cumsum(1)
    totals_N1 = cumulative_NV[:, -1:]
    # Rounding must not carry a chance beyond the last word (the original code said <unk> then).
    below_N1 = torch.nextafter(totals_N1, torch.zeros_like(totals_N1))
    thresholds_N1 = torch.minimum(chances_N[:, None] * totals_N1, below_N1)
    return torch.searchsorted(cumulative_NV, thresholds_N1, right=True)[:, 0]


def _truncated(weights_NV: Tensor, options: DecodingOptions) -> Tensor:
    """Zero outside the likeliest words: the first `top_k`, then of these the first of `top_p`."""
    sorted_NV, order_NV = weights_NV.sort(dim=1, descending=True, stable=True)
    if options.top_k:
        sorted_NV[:, options.top_k :] = 0.0
    before_NV = sorted_NV.cumsum(1) - sorted_NV
    total_N1 = sorted_NV.sum(1, keepdim=True)
    if options.top_p < 1.0:
        sorted_NV = sorted_NV.masked_fill(before_NV >= options.top_p * total_N1, 0.0)
    return torch.zeros_like(weights_NV).scatter_(1, order_NV, sorted_NV)


def _chances(seed: int, key: RowKey, options: DecodingOptions) -> NDArray[np.float64]:
    """num_samples x max_tokens numbers from 0 to 1; one generator per sentence."""
    rows = []
    for sample in range(options.num_samples):
        digest = hashlib.blake2b(repr((seed, key, sample)).encode(), digest_size=8).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)
        rows.append(torch.rand(options.max_tokens, dtype=torch.float64, generator=generator))
    return torch.stack(rows).numpy()
