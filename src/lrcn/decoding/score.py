"""The log-probability of given captions under a model, for retrieval and for ranking."""

from __future__ import annotations

import torch
from torch import Tensor

from lrcn.decoding.filters import next_log_probs
from lrcn.decoding.interface import StateT, StepModel


@torch.no_grad()
def token_log_probs(
    model: StepModel[StateT],
    state: StateT,
    inputs_BL: Tensor,
    targets_BL: Tensor,
    *,
    ignore_index: int = -100,
) -> Tensor:
    """The log-probability of every word of given captions; captions that are over leave the batch.

    Args:
        model: What is stepped.
        state: Of B rows, before the first word. To score many captions of one image, repeat its
            row: `model.reorder(state, torch.zeros(num_captions, dtype=torch.int64))`.
        inputs_BL: int64: `<bos>` and the words.
        targets_BL: int64: the words and `<eos>`; `ignore_index` after the end.
        ignore_index: What `targets_BL` holds where there is nothing to score.

    Returns:
        B x L float64, 0 where the target is ignored. Its gradient is not kept.

    Raises:
        ValueError: the two have not the same shape.
    """
    if inputs_BL.shape != targets_BL.shape or inputs_BL.ndim != 2:
        raise ValueError(
            f"inputs_BL {tuple(inputs_BL.shape)} and targets_BL {tuple(targets_BL.shape)} must have"
            " the same shape, captions x words"
        )
    counts_BL = targets_BL != ignore_index
    log_probs_BL = torch.zeros(targets_BL.shape, dtype=torch.float64, device=targets_BL.device)
    places_L = torch.arange(1, targets_BL.shape[1] + 1, device=targets_BL.device)
    lengths_B = (counts_BL * places_L).amax(1) if targets_BL.numel() else counts_BL.sum(1)
    live_N = torch.arange(len(inputs_BL), device=inputs_BL.device)
    for step in range(int(lengths_B.max()) if len(lengths_B) else 0):
        going_N = lengths_B[live_N] > step
        if not bool(going_N.all()):
            kept_N = torch.nonzero(going_N)[:, 0]
            live_N, state = live_N[kept_N], model.reorder(state, kept_N)
        logits_NV, state = model.step(inputs_BL[live_N, step], state)
        targets_N, counts_N = targets_BL[live_N, step], counts_BL[live_N, step]
        chosen_N1 = torch.where(counts_N, targets_N, 0)[:, None]
        values_N = next_log_probs(logits_NV).gather(1, chosen_N1)[:, 0].double()
        log_probs_BL[live_N, step] = torch.where(counts_N, values_N, 0.0)
    return log_probs_BL


def caption_log_probs(
    model: StepModel[StateT],
    state: StateT,
    inputs_BL: Tensor,
    targets_BL: Tensor,
    *,
    eos_id: int,
    count_eos: bool = True,
    ignore_index: int = -100,
) -> Tensor:
    """The log-probability of given captions; see `token_log_probs`.

    Args:
        model: What is stepped.
        state: Of B rows.
        inputs_BL: int64: `<bos>` and the words.
        targets_BL: int64: the words and `<eos>`; `ignore_index` after the end.
        eos_id: The id of `<eos>`.
        count_eos: Whether the end is scored. Paper: its retrieval scores the words only.
        ignore_index: What `targets_BL` holds where there is nothing to score.

    Returns:
        B float64.
    """
    if not count_eos:
        targets_BL = targets_BL.masked_fill(targets_BL == eos_id, ignore_index)
    log_probs_BL = token_log_probs(model, state, inputs_BL, targets_BL, ignore_index=ignore_index)
    return log_probs_BL.sum(1)
