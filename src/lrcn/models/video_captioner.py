"""Encoders of videos that are to be described: frames first, words after (paper 1.6, shape 3).

::

    encoder   frames ─► projection ─► stack 1 ─ final state ─► stack 2 ◄─ words ─► outputs_BLR
    shared    frames, then nothing ─► projection ─► layer 1 ─┐
              nothing, then words ───────────────────────────┴► layers 2.. ─► outputs_BLR

Two separate stacks are those of Sutskever et al. (arXiv 1409.3215). One stack for both is S2VT
(arXiv 1505.00487): its first layer goes on without frames while the others speak, and those listen
without words while the first one reads. Both take any number of frames; what stands at padded
places does not matter. The state is a value, as of every recurrent core here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lrcn.nn.recurrent import Recurrent, State, Unit
from lrcn.nn.sequence import HiddenState, LSTMState
from lrcn.nn.units import Init


class FrameEncoder(nn.Module):
    """A stack of its own over the frames, whose final state starts the words' stack.

    Args:
        feature_dim: D, width of a frame's features.
        embedding_size: Width to which they are projected.
        hidden_size: R; the words' stack has the same.
        num_layers: So has it.
        unit: And the same unit.
        dropout: Between layers.
        init: Of the recurrent weights; see `Recurrent`.
    """

    def __init__(
        self,
        feature_dim: int,
        embedding_size: int,
        hidden_size: int,
        num_layers: int,
        *,
        unit: Unit = "lstm",
        dropout: float = 0.0,
        init: Init = "modern",
    ) -> None:
        super().__init__()
        self.projection = nn.Linear(feature_dim, embedding_size)
        self.recurrent = Recurrent(
            embedding_size, hidden_size, num_layers, unit=unit, dropout=dropout, init=init
        )

    def read(self, features_BTD: Tensor, valid_mask_BT: Tensor | None) -> State:
        """The state after the last valid frame of every row.

        Args:
            features_BTD: Of the frames.
            valid_mask_BT: bool, True where a frame is real; None when all are.
        """
        embedded_BTE = self.projection(without_padding(features_BTD, valid_mask_BT))
        _, state = self.recurrent.unroll(embedded_BTE, valid_mask_BT=valid_mask_BT)
        return state


class SharedStack(nn.Module):
    """One stack that reads the frames and then says the words (S2VT).

    Args:
        feature_dim: D, width of a frame's features.
        embedding_size: E, width of a word's vector and of the projected features.
        hidden_size: R.
        num_layers: All layers, two at least: the first one sees frames, the others words.
        unit: The recurrent unit.
        dropout: Between layers.
        init: Of the recurrent weights; see `Recurrent`.
    """

    def __init__(
        self,
        feature_dim: int,
        embedding_size: int,
        hidden_size: int,
        num_layers: int,
        *,
        unit: Unit = "lstm",
        dropout: float = 0.0,
        init: Init = "modern",
    ) -> None:
        super().__init__()
        self.embedding_size = embedding_size
        self.projection = nn.Linear(feature_dim, embedding_size)
        self.dropout = nn.Dropout(dropout)
        self.frames = Recurrent(embedding_size, hidden_size, 1, unit=unit, init=init)
        self.words = Recurrent(
            hidden_size + embedding_size,
            hidden_size,
            num_layers - 1,
            unit=unit,
            dropout=dropout,
            init=init,
        )

    def read(self, features_BTD: Tensor, valid_mask_BT: Tensor | None) -> State:
        """The state of all layers after the last valid frame; no word has been said.

        Args:
            features_BTD: Of the frames.
            valid_mask_BT: bool, True where a frame is real; None when all are.
        """
        embedded_BTE = self.projection(without_padding(features_BTD, valid_mask_BT))
        outputs_BTR, first = self.frames.unroll(embedded_BTE, valid_mask_BT=valid_mask_BT)
        silent_BTE = torch.zeros_like(embedded_BTE)
        joined = torch.cat([self.dropout(outputs_BTR), silent_BTE], dim=2)
        _, others = self.words.unroll(joined, valid_mask_BT=valid_mask_BT)
        return _above(first, others)

    def step(self, embedded_NE: Tensor, state: State) -> tuple[Tensor, State]:
        """outputs_NR after one more word per row, and the state after it."""
        first, others = _apart(state)
        outputs_NR, first = self.frames.step(torch.zeros_like(embedded_NE), first)
        joined = torch.cat([self.dropout(outputs_NR), embedded_NE], dim=1)
        outputs_NR, others = self.words.step(joined, others)
        return outputs_NR, _above(first, others)

    def unroll(self, embedded_BLE: Tensor, state: State) -> Tensor:
        """outputs_BLR after every word, as `step` would give them."""
        first, others = _apart(state)
        outputs_BLR, _ = self.frames.unroll(torch.zeros_like(embedded_BLE), first)
        joined = torch.cat([self.dropout(outputs_BLR), embedded_BLE], dim=2)
        outputs_BLR, _ = self.words.unroll(joined, others)
        return outputs_BLR


def without_padding(features_BTD: Tensor, valid_mask_BT: Tensor | None) -> Tensor:
    """The features with zeros where no frame is, so that nothing there can spread.

    Raises:
        ValueError: a row has no frame.
    """
    if valid_mask_BT is None:
        return features_BTD
    if not bool(valid_mask_BT.any(dim=1).all()):
        raise ValueError("every row needs a valid frame; one has none")
    return features_BTD.masked_fill(~valid_mask_BT[..., None], 0.0)


def _apart(state: State) -> tuple[State, State]:
    """The state of the first layer, and of those above it."""
    if isinstance(state, LSTMState):
        hidden, cell = state
        return LSTMState(hidden[:1], cell[:1]), LSTMState(hidden[1:], cell[1:])
    return HiddenState(state[0][:1]), HiddenState(state[0][1:])


def _above(first: State, others: State) -> State:
    """One state of all layers."""
    parts = [torch.cat(pair) for pair in zip(first, others, strict=True)]
    return LSTMState(*parts) if isinstance(first, LSTMState) else HiddenState(*parts)
