"""Cores without recurrence: every frame for itself, and the mean of the frames so far."""

from __future__ import annotations

import torch
from torch import Tensor

from lrcn.nn.sequence import MeanState, NoState, SequenceCore, State, check_unroll


class PerFrame(SequenceCore):
    """Outputs are the inputs: the single-frame model (paper A1)."""

    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.output_size = input_size

    def initial_state(
        self,
        batch_size: int,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> NoState:
        """A state that only knows the number of rows."""
        return NoState(torch.zeros(batch_size, device=device, dtype=dtype))

    def step(
        self, inputs_ND: Tensor, state: State, *, reset_mask_N: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """See `SequenceCore.step`; nothing is remembered, so a reset changes nothing."""
        del reset_mask_N
        return inputs_ND, state

    def unroll(
        self,
        inputs_BTD: Tensor,
        state: State | None = None,
        *,
        valid_mask_BT: Tensor | None = None,
        reset_mask_BT: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """See `SequenceCore.unroll`."""
        masks = {"valid_mask_BT": valid_mask_BT, "reset_mask_BT": reset_mask_BT}
        batch, _ = check_unroll(inputs_BTD, self.input_size, masks)
        if state is None:
            state = self.initial_state(batch, device=inputs_BTD.device)
        if valid_mask_BT is not None:
            inputs_BTD = inputs_BTD.masked_fill(~valid_mask_BT[..., None], 0.0)
        return inputs_BTD, state


class MeanPool(SequenceCore):
    """Outputs are the mean of all inputs so far: after the last frame, the mean of the video."""

    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.output_size = input_size

    def initial_state(
        self,
        batch_size: int,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> MeanState:
        """No frame seen."""
        return MeanState(
            torch.zeros(batch_size, self.input_size, device=device, dtype=dtype),
            torch.zeros(batch_size, device=device, dtype=dtype),
        )

    def step(
        self, inputs_ND: Tensor, state: State, *, reset_mask_N: Tensor | None = None
    ) -> tuple[Tensor, MeanState]:
        """See `SequenceCore.step`.

        Raises:
            TypeError: the state is of another core.
        """
        total_ND, num_steps_N = _mean_state(state)
        if reset_mask_N is not None:
            total_ND = total_ND.masked_fill(reset_mask_N[:, None], 0.0)
            num_steps_N = num_steps_N.masked_fill(reset_mask_N, 0.0)
        total_ND, num_steps_N = total_ND + inputs_ND, num_steps_N + 1
        return total_ND / num_steps_N[:, None], MeanState(total_ND, num_steps_N)

    def unroll(
        self,
        inputs_BTD: Tensor,
        state: State | None = None,
        *,
        valid_mask_BT: Tensor | None = None,
        reset_mask_BT: Tensor | None = None,
    ) -> tuple[Tensor, MeanState]:
        """See `SequenceCore.unroll`.

        Raises:
            ValueError: shapes do not fit.
            TypeError: the state is of another core.
        """
        masks = {"valid_mask_BT": valid_mask_BT, "reset_mask_BT": reset_mask_BT}
        batch, time = check_unroll(inputs_BTD, self.input_size, masks)
        if state is None:
            state = self.initial_state(batch, device=inputs_BTD.device, dtype=inputs_BTD.dtype)
        now = _mean_state(state)
        outputs = []
        for t in range(time):
            reset_N = None if reset_mask_BT is None else reset_mask_BT[:, t]
            if valid_mask_BT is None:
                output_ND, now = self.step(inputs_BTD[:, t], now, reset_mask_N=reset_N)
            else:
                output_ND, now = self._masked_step(
                    inputs_BTD[:, t], now, reset_N, valid_mask_BT[:, t]
                )
            outputs.append(output_ND)
        outputs_BTD = torch.stack(outputs, 1) if outputs else inputs_BTD.new_zeros(inputs_BTD.shape)
        return outputs_BTD, now

    def _masked_step(
        self, inputs_ND: Tensor, state: MeanState, reset_mask_N: Tensor | None, valid_N: Tensor
    ) -> tuple[Tensor, MeanState]:
        """One step that rows without a valid frame do not take."""
        skipped_N1 = ~valid_N[:, None]
        inputs_ND = inputs_ND.masked_fill(skipped_N1, 0.0)
        output_ND, moved = self.step(inputs_ND, state, reset_mask_N=reset_mask_N)
        num_steps_N = moved.num_steps - skipped_N1[:, 0].to(moved.num_steps.dtype)
        return output_ND.masked_fill(skipped_N1, 0.0), MeanState(moved.total, num_steps_N)


def _mean_state(state: State) -> MeanState:
    if not isinstance(state, MeanState):
        raise TypeError(
            f"a mean over frames takes a MeanState, not a {type(state).__name__};"
            " start from initial_state()"
        )
    return state
