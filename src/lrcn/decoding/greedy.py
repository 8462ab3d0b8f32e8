"""One path per row: at every step one word is chosen, the likeliest (greedy) or a drawn one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lrcn.decoding.filters import Filters, exact, next_log_probs
from lrcn.decoding.interface import Candidate, SpecialIds, StateT, StepModel, penalised
from lrcn.decoding.options import DecodingOptions

Choose = Callable[[Tensor, NDArray[np.int64], int], Tensor]
"""(log_probs_NV after the filters, which paths the rows are, step) to one word for each row."""


def greedy(
    model: StepModel[StateT],
    state: StateT,
    num_rows: int,
    options: DecodingOptions,
    ids: SpecialIds,
    *,
    device: torch.device | str = "cpu",
) -> list[tuple[Candidate, ...]]:
    """The likeliest word at every step, the one of lower id where two are equal."""

    def likeliest(log_probs_NV: Tensor, paths_N: NDArray[np.int64], step: int) -> Tensor:
        del paths_N, step
        return log_probs_NV.argmax(1)

    found = follow(
        model, state, num_rows, options, ids, num_paths=1, choose=likeliest, device=device
    )
    return [tuple(paths) for paths in found]


def follow(
    model: StepModel[StateT],
    state: StateT,
    num_rows: int,
    options: DecodingOptions,
    ids: SpecialIds,
    *,
    num_paths: int,
    choose: Choose,
    device: torch.device | str = "cpu",
) -> list[list[Candidate]]:
    """Walk `num_paths` paths from every row; what has ended leaves the batch.

    The first step is computed once per row and shared by its paths.

    Returns:
        For each row its paths, in order.
    """
    filters = Filters(options, ids)
    num = num_rows * num_paths
    words_NT = np.full((num, options.max_tokens), ids.pad_id, dtype=np.int64)
    log_probs_N, lengths_N = np.zeros(num), np.zeros(num, dtype=np.int64)
    live = np.arange(num)
    source = np.repeat(np.arange(num_rows), num_paths)
    tokens = torch.full((num_rows,), ids.bos_id, dtype=torch.int64, device=device)
    for step in range(options.max_tokens):
        logits_NV, state = model.step(tokens, state)
        log_probs_NV = next_log_probs(logits_NV)
        if step == 0 and num_paths > 1:
            rows = torch.from_numpy(source).to(device)
            log_probs_NV, state = log_probs_NV[rows], model.reorder(state, rows)
        filters.apply(log_probs_NV, words_NT[live, :step], one_path=True)
        chosen = choose(log_probs_NV, live, step)
        values = exact(log_probs_NV.gather(1, chosen[:, None])[:, 0].cpu().numpy())
        words = chosen.cpu().numpy()
        words_NT[live, step] = words
        log_probs_N[live] += values
        lengths_N[live] = step + 1
        going = words != ids.eos_id
        if not going.any():
            break
        if not going.all():
            rows = torch.from_numpy(np.flatnonzero(going)).to(device)
            live, chosen, state = live[going], chosen[rows], model.reorder(state, rows)
        tokens = chosen
    found = [
        Candidate(
            token_ids=tuple(words_NT[n, :length].tolist()),
            log_prob=float(log_probs_N[n]),
            score=penalised(log_probs_N[n], length, options.length_penalty),
        )
        for n, length in enumerate(lengths_N.tolist())
    ]
    return [found[n : n + num_paths] for n in range(0, num, num_paths)]
