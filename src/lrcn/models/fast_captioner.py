"""A captioner frozen for speed: the same words, step by step, several times as fast.

- The words' share of the first layer's gates is a table, filled where words occur: no product.
- A layer's two products are one, over its input beside its hidden vector.
- Weights are packed once for the processor, in int8 where it has instructions for it: reading them
  is what one picture costs, multiplying them what many cost.
- In int8 the gates' weights have two parts of 8 bits, and so have inputs but those of the first of
  several layers: errors of the gates add up along a sentence. Logits have one part; those of the
  best few words, among which the choice falls, are computed anew in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from lrcn.engine.largest import largest
from lrcn.engine.linear import Arithmetic, PackedLinear, choose_arithmetic
from lrcn.engine.processor import Precision
from lrcn.models.image_captioner import Captioner, CaptionState
from lrcn.nn.recurrent import Recurrent
from lrcn.nn.units import LSTMUnit

_WORDS_AT_ONCE = 32
"""Rows of the table that are filled together, always the same ones: a word's gates do not depend
on the other words of a batch. Ids are by frequency, so that neighbours are needed together."""

_CHECK_ROWS, _CHECK_STEPS = 8, 6

_EXACT_WORDS = 8
"""How many of a row's best words get exact logits: more than the beams that are usual."""

_MAX_DISTANCE = 0.02
"""Largest share of probability that int8 may move from one next word to others, on average."""


class FastState(NamedTuple):
    """Everything that the next word depends on, one row per sentence under way."""

    hidden: tuple[Tensor, ...]
    """Layer by layer N x parts x R, encoded for the products."""
    cell: tuple[Tensor, ...]
    """Layer by layer N x R float32."""
    static_gates_NG: Tensor | None
    """What the picture adds to the gates of its layer."""


class FastCaptioner:
    """The `StepModel` of a captioner of LSTM layers, without gradients, on the processor.

    The captioner must not be changed while it is used.

    Attributes:
        vocabulary: The captioner's.
        arithmetic: "int8", "bfloat16" or "float32".
        description: What was chosen and why, one line for reports.
    """

    def __init__(
        self, captioner: Captioner, arithmetic: Arithmetic, notes: Sequence[str] = ()
    ) -> None:
        """Pack the weights.

        Raises:
            RuntimeError: this processor, or this build of torch, cannot compute so.
            ValueError: the layers are not LSTMs, or the model is not on the processor.
        """
        recurrent = captioner.recurrent
        stack = recurrent.layers if isinstance(recurrent, Recurrent) else ()
        layers = [unit for unit in stack if isinstance(unit, LSTMUnit)]
        if (
            not isinstance(recurrent, Recurrent)
            or not layers
            or captioner.embedding.weight.device.type != "cpu"
        ):
            raise ValueError("only LSTM layers on the processor are packed")
        self._captioner, self._first = captioner, layers[0]
        self.vocabulary = captioner.vocabulary
        self.arithmetic: Arithmetic = arithmetic
        self._static_layer = recurrent.static_layer if recurrent.static_size else None
        self._layers: list[PackedLinear] = []
        for k, unit in enumerate(layers):
            weight: Tensor = unit.weight_hh
            if k:
                weight = torch.cat([unit.weight_ih[:, : unit.input_size], weight], dim=1)
            weight = _with_doubled_g(weight)
            # The bias of the layer that the picture enters is in the picture's share, that of the
            # first layer otherwise in the words'.
            bias = _with_doubled_g(unit.bias) if k and not self._sees_picture(k) else None
            self._layers.append(PackedLinear(weight, bias, arithmetic, two_parts=True))
        tied = captioner.predictor.weight
        self._words_VR = (captioner.embedding.weight if tied is None else tied).detach().float()
        self._words = PackedLinear(self._words_VR, captioner.predictor.bias, arithmetic)
        vocab_size = len(self._words_VR)
        # Memory that is never touched is never taken from the machine.
        self._table_VG = torch.empty(vocab_size, len(layers[0].bias))
        self._filled = torch.zeros(-(-vocab_size // _WORDS_AT_ONCE), dtype=torch.bool)
        num_bytes = sum(part.num_bytes for part in (*self._layers, self._words))
        remark = f" ({'; '.join(notes)})" if notes else ""
        self.description = f"{arithmetic}, {num_bytes / 1e6:.0f} MB of weights a step{remark}"

    def __repr__(self) -> str:
        return f"FastCaptioner({self.description})"

    def start(self, features_BTD: Tensor, valid_mask_BT: Tensor | None = None) -> FastState:
        """The state before the first word; see `Captioner.start`."""
        with torch.no_grad():
            return self.pack(self._captioner.start(features_BTD, valid_mask_BT))

    def pack(self, state: CaptionState) -> FastState:
        """A captioner's state as this model's, such as one that a description was begun with."""
        hidden_LNR, cell_LNR = state.recurrent[0], state.recurrent[-1]
        gates_NG = state.static_gates_NG
        return FastState(
            tuple(self._encode(h.float()) for h in hidden_LNR),
            tuple(c.float() for c in cell_LNR),
            None if gates_NG is None else _with_doubled_g(gates_NG.float().t()).t().contiguous(),
        )

    def reorder(self, state: FastState, source_rows_N: Tensor) -> FastState:
        """See `StepModel.reorder`."""
        gates_NG = state.static_gates_NG
        return FastState(
            tuple(h.index_select(0, source_rows_N) for h in state.hidden),
            tuple(c.index_select(0, source_rows_N) for c in state.cell),
            None if gates_NG is None else gates_NG.index_select(0, source_rows_N),
        )

    @torch.no_grad()
    def step(self, token_ids_N: Tensor, state: FastState) -> tuple[Tensor, FastState]:
        """See `StepModel.step`; logits in float32."""
        hiddens: list[Tensor] = []
        cells: list[Tensor] = []
        gates_NG = self._words_share(token_ids_N)
        for k, layer in enumerate(self._layers):
            if k:
                gates_NG = layer(torch.cat([hiddens[-1], state.hidden[k]], dim=2))
            else:
                num_parts = 2 if len(self._layers) == 1 else 1
                gates_NG = layer(state.hidden[0][:, :num_parts], gates_NG)
            if self._sees_picture(k):
                assert state.static_gates_NG is not None
                gates_NG += state.static_gates_NG
            hidden_NR, cell_NR = _open_gates(gates_NG, state.cell[k])
            hiddens.append(self._encode(hidden_NR))
            cells.append(cell_NR)
        after = FastState(tuple(hiddens), tuple(cells), state.static_gates_NG)
        return self._logits(hiddens[-1], hidden_NR), after

    def _encode(self, hidden_NR: Tensor) -> Tensor:
        return PackedLinear.encode(hidden_NR, self.arithmetic, two_parts=True)

    def _logits(self, encoded_NPR: Tensor, hidden_NR: Tensor) -> Tensor:
        logits_NV = self._words(encoded_NPR)
        if self.arithmetic == "int8":
            _, best_NK = largest(logits_NV, min(_EXACT_WORDS, logits_NV.shape[1]))
            weights_NKR = self._words_VR.index_select(0, best_NK.flatten()).view(*best_NK.shape, -1)
            # Row by row, and not as a matrix product: independent of the batch to the last bit.
            exact_NK = weights_NKR.mul_(hidden_NR[:, None]).sum(2)
            exact_NK += self._captioner.predictor.bias[best_NK]
            logits_NV.scatter_(1, best_NK, exact_NK)
        return logits_NV

    def _sees_picture(self, layer: int) -> bool:
        return layer == self._static_layer

    def _words_share(self, token_ids_N: Tensor) -> Tensor:
        """What the words add to the first layer's gates, bias included."""
        blocks_N = token_ids_N // _WORDS_AT_ONCE
        if not bool(self._filled[blocks_N].all()):
            weight_GE = _with_doubled_g(self._first.weight_ih[:, : self._first.input_size]).float()
            bias_G = None if self._sees_picture(0) else _with_doubled_g(self._first.bias).float()
            for block in set(blocks_N[~self._filled[blocks_N]].tolist()):
                rows = slice(block * _WORDS_AT_ONCE, (block + 1) * _WORDS_AT_ONCE)
                embedded = self._captioner.embedding.weight[rows].float()
                self._table_VG[rows] = F.linear(embedded, weight_GE, bias_G)
                self._filled[block] = True
        return self._table_VG.index_select(0, token_ids_N)


def fast_captioner(
    captioner: Captioner, *, precision: Precision | Arithmetic = "auto"
) -> Captioner | FastCaptioner:
    """The fastest model of the same words here; both have `start`, `step` and `reorder`.

    What is chosen is compared with the captioner over a few made-up sentences: int8 that moves the
    probabilities too much gives way to float32.

    Args:
        captioner: It is not changed, but must not be changed while the result is used.
        precision: "auto", "float32", "bfloat16" or "int8".

    Raises:
        ConfigError: the precision is unknown.
    """
    notes: list[str] = []
    for arithmetic in choose_arithmetic(precision):
        try:
            fast = FastCaptioner(captioner, arithmetic, notes)
            distance = _distance(captioner, fast)
        except (RuntimeError, ValueError, AttributeError) as failure:
            notes.append(f"no {arithmetic}: {' '.join(str(failure).split())[:200]}")
            continue
        if distance <= _MAX_DISTANCE:
            return fast
        notes.append(f"{arithmetic} moves {100 * distance:.2g} % of the probability")
    return captioner


def _with_doubled_g(gates_first: Tensor) -> Tensor:
    """A copy of weights, biases or shares of gates (i, f, g, o along the first axis), g doubled.

    tanh(g) = 2 sigmoid(2 g) - 1: one pass opens all four gates.
    """
    doubled = gates_first.detach().clone()
    size = len(doubled) // 4
    doubled[2 * size : 3 * size] *= 2.0
    return doubled


def _open_gates(gates_NG: Tensor, cell_NR: Tensor) -> tuple[Tensor, Tensor]:
    """Hidden and cell of an LSTM from its gates (g doubled), which are overwritten (paper 1.3)."""
    i_NR, f_NR, g_NR, o_NR = gates_NG.sigmoid_().chunk(4, dim=1)
    cell_NR = torch.addcmul(f_NR * cell_NR, i_NR, g_NR, value=2.0).sub_(i_NR)
    return torch.tanh(cell_NR).mul_(o_NR), cell_NR


@torch.no_grad()
def _distance(captioner: Captioner, fast: FastCaptioner) -> float:
    """Mean total variation of the next word's probabilities along made-up sentences and pictures.

    The random pictures are as long as what the weights of the static input expect: unit variance.
    """
    generator = torch.Generator().manual_seed(0)
    vocab_size = len(captioner.embedding.weight)
    features = torch.randn(_CHECK_ROWS, 1, max(captioner.feature_dim, 1), generator=generator)
    words = torch.randint(vocab_size, (_CHECK_STEPS, _CHECK_ROWS), generator=generator)
    training = captioner.training
    captioner.eval()
    try:
        state = captioner.start(features.relu())
        quick, distances = fast.pack(state), []
        for words_N in words:
            logits_NV, state = captioner.step(words_N, state)
            quick_NV, quick = fast.step(words_N, quick)
            moved_NV = logits_NV.softmax(1) - quick_NV.softmax(1)
            distances.append(moved_NV.abs().sum(1) / 2)
    finally:
        captioner.train(training)
    return float(torch.stack(distances).mean())
