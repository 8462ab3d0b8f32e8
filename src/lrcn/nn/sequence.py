"""What is carried from frame to frame: states as plain values, and the interface that uses them.

A state is a NamedTuple of tensors. It can be saved, restored, forked, batched with others and
sent to another process; no module hides one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn


class LSTMState(NamedTuple):
    """State of a stack of LSTM layers."""

    hidden: Tensor
    """num_layers x N x R."""
    cell: Tensor
    """num_layers x N x R."""


class HiddenState(NamedTuple):
    """State of a stack of vanilla RNN or GRU layers."""

    hidden: Tensor
    """num_layers x N x R."""


class MeanState(NamedTuple):
    """State of a running mean."""

    total: Tensor
    """N x D, sum of the features so far."""
    num_steps: Tensor
    """N, how many."""


class NoState(NamedTuple):
    """State of what remembers nothing; it only knows the number of rows."""

    batch: Tensor
    """N, zeros."""


State = LSTMState | HiddenState | MeanState | NoState
StateT = TypeVar("StateT", LSTMState, HiddenState, MeanState, NoState, State)


def state_select(state: StateT, rows: Tensor | Sequence[int]) -> StateT:
    """The state of some rows of the batch, in the order given; a row may be repeated (fork)."""
    rows = torch.as_tensor(rows, dtype=torch.int64, device=state[0].device)
    return _like(state, [tensor.index_select(_batch_axis(state), rows) for tensor in state])


def state_cat(states: Sequence[StateT]) -> StateT:
    """One state of all rows, in order: streams that are to advance together.

    Raises:
        ValueError: there are none, or they are of different kinds.
    """
    if not states:
        raise ValueError("state_cat needs at least one state, got none")
    first = states[0]
    kinds = {type(state).__name__ for state in states}
    if len(kinds) > 1:
        raise ValueError(f"states of different kinds cannot be joined: {', '.join(sorted(kinds))}")
    return _like(
        first, [torch.cat(parts, _batch_axis(first)) for parts in zip(*states, strict=True)]
    )


def state_detach(state: StateT) -> StateT:
    """The same values, with no gradient through them: the border of truncated back-propagation."""
    return _like(state, [tensor.detach() for tensor in state])


def state_to(
    state: StateT, device: torch.device | str | None = None, dtype: torch.dtype | None = None
) -> StateT:
    """The same state on another device, or in another floating type."""
    return _like(state, [tensor.to(device=device, dtype=dtype) for tensor in state])


class SequenceCore(nn.Module, ABC):
    """Features in time order in, outputs in time order out, with a state that is a value.

    `step` is one instant, `unroll` many; both give the same numbers, and any cutting of a
    sequence into pieces, with the state carried, gives the same outputs.

    Attributes:
        output_size: Width of the outputs.
    """

    output_size: int

    @abstractmethod
    def initial_state(
        self,
        batch_size: int,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> State:
        """The state before the first frame: zeros."""

    @abstractmethod
    def step(
        self, inputs_ND: Tensor, state: State, *, reset_mask_N: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """One instant.

        Args:
            inputs_ND: Features of one frame per row.
            state: From `initial_state`, `step` or `unroll`.
            reset_mask_N: bool, True where the state is set to zero before this step.

        Returns:
            Outputs (N x output_size) and the state after the step.
        """

    @abstractmethod
    def unroll(
        self,
        inputs_BTD: Tensor,
        state: State | None = None,
        *,
        valid_mask_BT: Tensor | None = None,
        reset_mask_BT: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Many instants.

        Args:
            inputs_BTD: Features, batch first.
            state: The state to start from; zeros when None.
            valid_mask_BT: bool, False where padded: the state passes unchanged, the output is
                zero, and what the input holds there (even NaN) does not matter.
            reset_mask_BT: bool, True where the state is set to zero before that step.

        Returns:
            Outputs (B x T x output_size) and the state after the last valid step.
        """


def check_unroll(
    inputs_BTD: Tensor, input_size: int, masks: dict[str, Tensor | None]
) -> tuple[int, int]:
    """B and T, after checking the shapes of the inputs and of the masks that are given.

    Raises:
        ValueError: a shape or a mask's type is not as `unroll` documents.
    """
    if inputs_BTD.ndim != 3 or inputs_BTD.shape[2] != input_size:
        raise ValueError(
            f"inputs_BTD must be B x T x {input_size}, not {tuple(inputs_BTD.shape)};"
            " features of one backbone do not fit a model made for another"
        )
    batch, time = inputs_BTD.shape[0], inputs_BTD.shape[1]
    for name, mask in masks.items():
        if mask is not None and (tuple(mask.shape) != (batch, time) or mask.dtype != torch.bool):
            raise ValueError(
                f"{name} must be bool of shape {(batch, time)},"
                f" not {mask.dtype} of {tuple(mask.shape)}"
            )
    return batch, time


def _batch_axis(state: State) -> int:
    return 1 if isinstance(state, LSTMState | HiddenState) else 0


def _like(state: StateT, tensors: list[Tensor]) -> StateT:
    return type(state)(*tensors)
