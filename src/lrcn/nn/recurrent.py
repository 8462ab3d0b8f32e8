"""The recurrent core: a stack of LSTM, RNN or GRU layers with its state as a value (paper 1)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from lrcn.nn.sequence import (
    HiddenState,
    LSTMState,
    MeanState,
    NoState,
    SequenceCore,
    State,
    check_unroll,
    state_cat,
    state_detach,
    state_select,
    state_to,
)
from lrcn.nn.units import GRUUnit, Init, LSTMUnit, Memory, RecurrentUnit, RNNUnit

__all__ = [
    "HiddenState",
    "LSTMState",
    "MeanState",
    "NoState",
    "Recurrent",
    "State",
    "Unit",
    "state_cat",
    "state_detach",
    "state_select",
    "state_to",
]

Unit = Literal["lstm", "rnn", "gru"]

_UNITS: dict[str, type[RecurrentUnit]] = {"lstm": LSTMUnit, "rnn": RNNUnit, "gru": GRUUnit}


class Recurrent(SequenceCore):
    """A stack of recurrent layers; layer k+1 takes layer k's outputs (paper 1.1).

    `step` costs one pass over the weights: `nn.LSTM` with T = 1 re-packs them on every call.
    `unroll` uses the library's packed kernel where nothing happens inside the sequence but
    padding on the right, and the units' own steps (after one matrix product for all inputs)
    otherwise.

    Paper: dropout after the stack belongs to the head; the one between layers is this module's.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        unit: Unit = "lstm",
        dropout: float = 0.0,
        static_size: int = 0,
        static_layer: int = 0,
        init: Init = "paper",
    ) -> None:
        """Make the stack; weights are drawn from torch's current generator.

        Args:
            input_size: D.
            hidden_size: R.
            num_layers: How many layers, at least one.
            unit: "lstm", "rnn" (the paper's, with an output layer) or "gru".
            dropout: Between layers, 0...1.
            static_size: S, width of an input that is the same at all steps; 0 for none.
            static_layer: The layer that it goes into, from 0 (paper 3.1: "factored" is 1).
            init: "paper": weights uniform in ±0.01, all biases 0 (the forget bias too);
                "modern": Xavier, orthogonal, forget bias 1.

        Raises:
            ValueError: a size is not positive, or the unit is unknown.
        """
        super().__init__()
        for name, value in (("input_size", input_size), ("hidden_size", hidden_size)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        if num_layers < 1 or static_size < 0:
            raise ValueError(
                f"num_layers must be at least 1 and static_size at least 0,"
                f" not {num_layers} and {static_size}"
            )
        if not 0 <= static_layer < num_layers:
            raise ValueError(
                f"static_layer must be a layer of the stack, 0 to {num_layers - 1},"
                f" not {static_layer}"
            )
        if unit not in _UNITS:
            raise ValueError(f"unknown unit {unit!r}; it takes: {', '.join(_UNITS)}")
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.output_size = hidden_size
        self.static_size = static_size
        self.static_layer = static_layer
        self.dropout = dropout
        self.unit = unit
        kind = _UNITS[unit]
        self.layers = nn.ModuleList(
            kind(
                hidden_size if k else input_size,
                hidden_size,
                static_size if k == static_layer else 0,
            )
            for k in range(num_layers)
        )
        for layer in self._units():
            layer.reset_parameters(init)

    def initial_state(
        self,
        batch_size: int,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> LSTMState | HiddenState:
        """Zeros, on the device and in the type of the weights unless said otherwise."""
        like = self._units()[0].bias
        zeros_LNR = torch.zeros(
            (len(self.layers), batch_size, self.hidden_size),
            device=device if device is not None else like.device,
            dtype=dtype if dtype is not None else like.dtype,
        )
        if self.unit == "lstm":
            return LSTMState(zeros_LNR, zeros_LNR.clone())
        return HiddenState(zeros_LNR)

    def static_gates(self, static_NS: Tensor) -> Tensor:
        """static_NG, the static input's share of the gates of its layer, biases included.

        Computed once for a sequence and given to every `step`.

        Raises:
            ValueError: the module has no static input, or one of another width.
        """
        self._check_static(static_NS)
        return self._units()[self.static_layer].static_gates(static_NS)

    def step(
        self,
        inputs_ND: Tensor,
        state: State,
        *,
        static_NS: Tensor | None = None,
        static_gates_NG: Tensor | None = None,
        reset_mask_N: Tensor | None = None,
    ) -> tuple[Tensor, LSTMState | HiddenState]:
        """One instant; see `SequenceCore.step`.

        Args:
            inputs_ND: N x input_size.
            state: Of N rows.
            static_NS: N x static_size; None when the module has none.
            static_gates_NG: In place of `static_NS`, what `static_gates` made of it.
            reset_mask_N: bool, True where the state is set to zero before this step.

        Raises:
            ValueError: the static input is missing, or given to a module without one.
            TypeError: the state is of another unit.
        """
        if static_gates_NG is None:
            self._check_static(static_NS)
        memories = self._memories(state)
        after: list[Memory] = []
        outputs_NX = inputs_ND
        for k, (layer, memory) in enumerate(zip(self._units(), memories, strict=True)):
            if reset_mask_N is not None:
                memory = _zero_where(reset_mask_N, memory)
            if k and self.training:
                outputs_NX = F.dropout(outputs_NX, self.dropout)
            if k == self.static_layer and static_gates_NG is not None:
                projected_NG = layer.add_to_gates(outputs_NX, static_gates_NG)
                outputs_NX, memory = layer.advance(projected_NG, memory)
            else:
                static = static_NS if k == self.static_layer else None
                outputs_NX, memory = layer.instant(outputs_NX, static, memory)
            after.append(memory)
        return outputs_NX, self._state(after, state)

    def unroll(
        self,
        inputs_BTD: Tensor,
        state: State | None = None,
        *,
        valid_mask_BT: Tensor | None = None,
        reset_mask_BT: Tensor | None = None,
        static_BS: Tensor | None = None,
        static_gates_BG: Tensor | None = None,
    ) -> tuple[Tensor, LSTMState | HiddenState]:
        """Many instants; see `SequenceCore.unroll`.

        Args:
            inputs_BTD: B x T x input_size.
            state: Of B rows; zeros when None.
            valid_mask_BT: bool, False where padded.
            reset_mask_BT: bool, True where the state is set to zero before that step.
            static_BS: B x static_size; None when the module has none.
            static_gates_BG: In place of `static_BS`, what `static_gates` made of it.

        Raises:
            ValueError: shapes do not fit, or the static input is missing or not expected.
            TypeError: the state is of another unit.
        """
        masks = {"valid_mask_BT": valid_mask_BT, "reset_mask_BT": reset_mask_BT}
        batch, time = check_unroll(inputs_BTD, self.input_size, masks)
        if static_gates_BG is None:
            self._check_static(static_BS)
            static_gates_BG = None if static_BS is None else self.static_gates(static_BS)
        if state is None:
            state = self.initial_state(batch)
        memories = self._memories(state)
        if batch == 0 or time == 0:
            return inputs_BTD.new_zeros(batch, time, self.hidden_size), self._state(memories, state)
        if reset_mask_BT is not None:
            memories = [_zero_where(reset_mask_BT[:, 0], memory) for memory in memories]
            reset_mask_BT = reset_mask_BT if bool(reset_mask_BT[:, 1:].any()) else None
        if valid_mask_BT is not None and bool(valid_mask_BT.all()):
            valid_mask_BT = None
        if reset_mask_BT is None and static_gates_BG is None and _padded_right(valid_mask_BT):
            outputs_BTR, after = self._unroll_fused(inputs_BTD, memories, valid_mask_BT)
        else:
            outputs_BTR, after = self._unroll_stepping(
                inputs_BTD, memories, valid_mask_BT, reset_mask_BT, static_gates_BG
            )
        return outputs_BTR, self._state(after, state)

    def _unroll_fused(
        self, inputs_BTD: Tensor, memories: list[Memory], valid_mask_BT: Tensor | None
    ) -> tuple[Tensor, list[Memory]]:
        """The library's kernel over the packed valid steps, layer after layer."""
        batch, time = inputs_BTD.shape[:2]
        if valid_mask_BT is None:
            lengths_B = torch.full((batch,), time)
        else:
            # A row without any valid step goes along for one step and is put back below.
            lengths_B = valid_mask_BT.sum(1).clamp(min=1).cpu()
            inputs_BTD = inputs_BTD.masked_fill(~valid_mask_BT[..., None], 0.0)
        packed = pack_padded_sequence(inputs_BTD, lengths_B, batch_first=True, enforce_sorted=False)
        order_B, back_B = packed.sorted_indices, packed.unsorted_indices
        assert order_B is not None  # because the lengths were not sorted
        assert back_B is not None
        data, after = packed.data, []
        for k, (layer, memory) in enumerate(zip(self._units(), memories, strict=True)):
            if k:
                data = F.dropout(data, self.dropout, self.training)
            memory = tuple(part.index_select(0, order_B) for part in memory)
            data, memory = layer.fused(data, packed.batch_sizes, memory)
            after.append(tuple(part.index_select(0, back_B) for part in memory))
        outputs = PackedSequence(data, packed.batch_sizes, order_B, back_B)
        outputs_BTR, _ = pad_packed_sequence(outputs, batch_first=True, total_length=time)
        if valid_mask_BT is not None and not bool(valid_mask_BT[:, 0].all()):
            outputs_BTR = outputs_BTR.masked_fill(~valid_mask_BT[..., None], 0.0)
            after = [
                _choose(valid_mask_BT[:, 0], new, old)
                for new, old in zip(after, memories, strict=True)
            ]
        return outputs_BTR, after

    def _unroll_stepping(
        self,
        inputs_BTD: Tensor,
        memories: list[Memory],
        valid_mask_BT: Tensor | None,
        reset_mask_BT: Tensor | None,
        static_gates_BG: Tensor | None,
    ) -> tuple[Tensor, list[Memory]]:
        """Step by step, layer after layer, after one matrix product for all inputs of a layer."""
        if valid_mask_BT is not None:
            inputs_BTD = inputs_BTD.masked_fill(~valid_mask_BT[..., None], 0.0)
        data_TNX, after = inputs_BTD.transpose(0, 1), []
        for k, (layer, memory) in enumerate(zip(self._units(), memories, strict=True)):
            if k:
                data_TNX = F.dropout(data_TNX, self.dropout, self.training)
            outputs = []
            projected_TNG = (
                layer.add_to_gates(data_TNX, static_gates_BG)
                if k == self.static_layer and static_gates_BG is not None
                else layer.project(data_TNX)
            )
            for t, projected_NG in enumerate(projected_TNG):
                if reset_mask_BT is not None:
                    memory = _zero_where(reset_mask_BT[:, t], memory)
                output_NR, moved = layer.advance(projected_NG, memory)
                if valid_mask_BT is not None:
                    valid_N = valid_mask_BT[:, t]
                    output_NR = output_NR.masked_fill(~valid_N[:, None], 0.0)
                    moved = _choose(valid_N, moved, memory)
                memory = moved
                outputs.append(output_NR)
            data_TNX = torch.stack(outputs)
            after.append(memory)
        return data_TNX.transpose(0, 1), after

    def _units(self) -> list[RecurrentUnit]:
        return [layer for layer in self.layers if isinstance(layer, RecurrentUnit)]

    def _memories(self, state: State) -> list[Memory]:
        """The state, layer by layer."""
        expected = LSTMState if self.unit == "lstm" else HiddenState
        if not isinstance(state, expected):
            raise TypeError(
                f"a {self.unit} takes a {expected.__name__}, not a {type(state).__name__};"
                " start from initial_state()"
            )
        dtype = self._units()[0].bias.dtype
        return list(zip(*(part.to(dtype).unbind(0) for part in state), strict=True))

    def _state(self, memories: list[Memory], like: State) -> LSTMState | HiddenState:
        """One state from the layers', in the type of `like` (autocast must not change it)."""
        dtype = like[0].dtype
        parts = [
            (torch.stack(part) if len(part) > 1 else part[0][None]).to(dtype)
            for part in zip(*memories, strict=True)
        ]
        return LSTMState(*parts) if self.unit == "lstm" else HiddenState(*parts)

    def _check_static(self, static: Tensor | None) -> None:
        given = 0 if static is None else int(static.shape[-1])
        if given != self.static_size:
            raise ValueError(
                f"this recurrent core takes a static input of width {self.static_size},"
                f" got width {given}; static_size is set when it is made"
            )


def _padded_right(valid_mask_BT: Tensor | None) -> bool:
    """Whether every row is valid up to some step and padded after it."""
    return valid_mask_BT is None or not bool((valid_mask_BT[:, 1:] & ~valid_mask_BT[:, :-1]).any())


def _zero_where(mask_N: Tensor, memory: Memory) -> Memory:
    return tuple(part.masked_fill(mask_N[:, None], 0.0) for part in memory)


def _choose(mask_N: Tensor, new: Memory, old: Memory) -> Memory:
    pairs = zip(new, old, strict=True)
    return tuple(torch.where(mask_N[:, None], a, b.to(a.dtype)) for a, b in pairs)
