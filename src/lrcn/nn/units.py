"""One recurrent layer: the LSTM of the paper, its vanilla RNN, and a GRU.

Each unit splits its work the same way: `project` is the inputs' share of the gates, one matrix
product for all time steps at once; `advance` adds the share of the previous hidden vector and
moves one step; `instant` is the two together for a stream; `fused` runs a packed sequence through
the library's kernel.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Init = Literal["paper", "modern"]
Memory = tuple[Tensor, ...]
"""What a unit remembers: (hidden_NR, cell_NR) for an LSTM, (hidden_NR,) for the others."""


class RecurrentUnit(nn.Module, ABC):
    """One layer. Weights of a static input stand to the right of the others in `weight_ih`.

    Attributes:
        weight_ih: num_gates*R x (D + S).
        weight_hh: num_gates*R x R.
        bias: num_gates*R. One bias per gate, as in the paper (`torch.nn.LSTM` has two).
    """

    num_gates: int

    def __init__(self, input_size: int, hidden_size: int, static_size: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        rows = self.num_gates * hidden_size
        self.weight_ih = nn.Parameter(torch.empty(rows, input_size + static_size))
        self.weight_hh = nn.Parameter(torch.empty(rows, hidden_size))
        self.bias = nn.Parameter(torch.empty(rows))

    @abstractmethod
    def advance(self, projected_NG: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
        """One step from the inputs' share of the gates: outputs_NR and the new memory."""

    @abstractmethod
    def fused(
        self, data_MD: Tensor, batch_sizes_T: Tensor, memory: Memory
    ) -> tuple[Tensor, Memory]:
        """A packed sequence through the library's kernel.

        Args:
            data_MD: The valid inputs, time-major: `batch_sizes_T[0]` rows of step 0, and so on.
            batch_sizes_T: int64 on the CPU, not increasing.
            memory: N x R each, longest sequence first.
        """

    def project(self, inputs: Tensor, static_NS: Tensor | None = None) -> Tensor:
        """The share of the inputs (... x N x D) in the gates, biases included.

        The static input is projected once and added at every step: equal to concatenating it to
        every input, as Caffe's recurrent layers do (paper 1.4).
        """
        if static_NS is None:
            return F.linear(inputs, self.weight_ih, self.bias)
        return self.add_to_gates(inputs, self.static_gates(static_NS))

    def static_gates(self, static_NS: Tensor) -> Tensor:
        """static_NG, the static input's share in the gates, biases included."""
        return F.linear(static_NS, self.weight_ih[:, self.input_size :], self.bias)

    def add_to_gates(self, inputs: Tensor, static_NG: Tensor) -> Tensor:
        """The share of the inputs (... x N x D) in the gates beside that of the static input."""
        return F.linear(inputs, self.weight_ih[:, : self.input_size]) + static_NG

    def instant(
        self, inputs_ND: Tensor, static_NS: Tensor | None, memory: Memory
    ) -> tuple[Tensor, Memory]:
        """One step from the inputs themselves: outputs_NR and the new memory."""
        return self.advance(self.project(inputs_ND, static_NS), memory)

    def reset_parameters(self, init: Init) -> None:
        """Draw the weights: "paper" uniform in ±0.01; "modern" Xavier and orthogonal per gate.

        Biases are zero; "modern" sets an LSTM's forget bias to 1. Paper: the forget bias is 0 too.
        """
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if parameter.ndim == 1:
                    parameter.zero_()
                elif init == "paper":
                    parameter.uniform_(-0.01, 0.01)
                else:
                    draw = nn.init.xavier_uniform_ if name == "weight_ih" else nn.init.orthogonal_
                    for gate in parameter.view(-1, self.hidden_size, parameter.shape[1]):
                        draw(gate)


class LSTMUnit(RecurrentUnit):
    """The LSTM of Zaremba and Sutskever (paper 1.3): no peepholes, no projection.

    Gate order in memory is torch's: input, forget, modulation (g), output. Caffe's is i, f, o, g.
    """

    num_gates = 4

    def advance(self, projected_NG: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
        """See `RecurrentUnit.advance`."""
        hidden_NR, cell_NR = memory
        gates_NG = torch.addmm(projected_NG, hidden_NR, self.weight_hh.t())
        i_NR, f_NR, g_NR, o_NR = gates_NG.chunk(4, dim=1)
        return self._open(i_NR, f_NR, g_NR, o_NR, cell_NR)

    def instant(
        self, inputs_ND: Tensor, static_NS: Tensor | None, memory: Memory
    ) -> tuple[Tensor, Memory]:
        """See `RecurrentUnit.instant`.

        Few rows make the step a matter of reading the weights. With every gate an entry of a
        batched product the gates are read by all threads at once; one product of a row with
        the whole matrix keeps one thread busy.
        """
        hidden_NR, cell_NR = memory
        weight_ih = self.weight_ih[:, : self.input_size]
        gates_4NR = self._add_share(self.bias.view(4, 1, -1), inputs_ND, weight_ih)
        gates_4NR = self._add_share(gates_4NR, hidden_NR, self.weight_hh)
        if static_NS is not None:
            weight_is = self.weight_ih[:, self.input_size :]
            gates_4NR = self._add_share(gates_4NR, static_NS, weight_is)
        i_NR, f_NR, g_NR, o_NR = gates_4NR.unbind(0)
        return self._open(i_NR, f_NR, g_NR, o_NR, cell_NR)

    def _add_share(self, gates: Tensor, inputs_NX: Tensor, weight: Tensor) -> Tensor:
        """gates_4NR plus what the inputs add to them."""
        weight_4RX = torch.unflatten(weight, 0, (4, self.hidden_size))
        return torch.baddbmm(gates, inputs_NX.expand(4, -1, -1), weight_4RX.transpose(1, 2))

    @staticmethod
    def _open(
        i_NR: Tensor, f_NR: Tensor, g_NR: Tensor, o_NR: Tensor, cell_NR: Tensor
    ) -> tuple[Tensor, Memory]:
        """What passes the gates: outputs_NR and the new memory."""
        cell_NR = torch.addcmul(
            torch.sigmoid(f_NR) * cell_NR, torch.sigmoid(i_NR), torch.tanh(g_NR)
        )
        hidden_NR = torch.sigmoid(o_NR) * torch.tanh(cell_NR)
        return hidden_NR, (hidden_NR, cell_NR)

    def fused(
        self, data_MD: Tensor, batch_sizes_T: Tensor, memory: Memory
    ) -> tuple[Tensor, Memory]:
        """See `RecurrentUnit.fused`."""
        hidden_NR, cell_NR = memory
        weights = [self.weight_ih, self.weight_hh, self.bias, torch.zeros_like(self.bias)]
        start = [hidden_NR[None], cell_NR[None]]
        outputs_MR, hidden_1NR, cell_1NR = torch.lstm(
            data_MD, batch_sizes_T, start, weights, True, 1, 0.0, self.training, False
        )
        return outputs_MR, (hidden_1NR[0], cell_1NR[0])

    def reset_parameters(self, init: Init) -> None:
        """See `RecurrentUnit.reset_parameters`."""
        super().reset_parameters(init)
        if init == "modern":
            with torch.no_grad():
                self.bias[self.hidden_size : 2 * self.hidden_size] = 1.0


class RNNUnit(RecurrentUnit):
    """The vanilla RNN of the paper (1.2) as Caffe has it: tanh, with an output layer of its own.

    h_t = tanh(W_xh x_t + W_hh h_{t-1} + b_h);  z_t = tanh(W_ho h_t + b_o). The output is z.

    Attributes:
        weight_ho: R x R.
        bias_o: R.
    """

    num_gates = 1

    def __init__(self, input_size: int, hidden_size: int, static_size: int) -> None:
        super().__init__(input_size, hidden_size, static_size)
        self.weight_ho = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.bias_o = nn.Parameter(torch.empty(hidden_size))

    def advance(self, projected_NG: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
        """See `RecurrentUnit.advance`."""
        hidden_NR = torch.tanh(torch.addmm(projected_NG, memory[0], self.weight_hh.t()))
        return self._read_out(hidden_NR), (hidden_NR,)

    def fused(
        self, data_MD: Tensor, batch_sizes_T: Tensor, memory: Memory
    ) -> tuple[Tensor, Memory]:
        """See `RecurrentUnit.fused`."""
        weights = [self.weight_ih, self.weight_hh, self.bias, torch.zeros_like(self.bias)]
        hidden_MR, hidden_1NR = torch.rnn_tanh(
            data_MD, batch_sizes_T, memory[0][None], weights, True, 1, 0.0, self.training, False
        )
        return self._read_out(hidden_MR), (hidden_1NR[0],)

    def _read_out(self, hidden: Tensor) -> Tensor:
        return torch.tanh(F.linear(hidden, self.weight_ho, self.bias_o))


class GRUUnit(RecurrentUnit):
    """The gated recurrent unit in torch's form (reset applied after the matrix product).

    Not in the paper: a cheaper alternative to the LSTM. Gate order: reset, update, new.

    Attributes:
        bias_hn: R, the second bias of the new gate, which the reset gate scales.
    """

    num_gates = 3

    def __init__(self, input_size: int, hidden_size: int, static_size: int) -> None:
        super().__init__(input_size, hidden_size, static_size)
        self.bias_hn = nn.Parameter(torch.empty(hidden_size))

    def advance(self, projected_NG: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
        """See `RecurrentUnit.advance`."""
        hidden_NR = memory[0]
        xr_NR, xz_NR, xn_NR = projected_NG.chunk(3, dim=1)
        hr_NR, hz_NR, hn_NR = F.linear(hidden_NR, self.weight_hh).chunk(3, dim=1)
        reset_NR = torch.sigmoid(xr_NR + hr_NR)
        update_NR = torch.sigmoid(xz_NR + hz_NR)
        new_NR = torch.tanh(xn_NR + reset_NR * (hn_NR + self.bias_hn))
        hidden_NR = new_NR + update_NR * (hidden_NR - new_NR)
        return hidden_NR, (hidden_NR,)

    def fused(
        self, data_MD: Tensor, batch_sizes_T: Tensor, memory: Memory
    ) -> tuple[Tensor, Memory]:
        """See `RecurrentUnit.fused`."""
        bias_hh = torch.cat([torch.zeros_like(self.bias[: 2 * self.hidden_size]), self.bias_hn])
        weights = [self.weight_ih, self.weight_hh, self.bias, bias_hh]
        outputs_MR, hidden_1NR = torch.gru(
            data_MD, batch_sizes_T, memory[0][None], weights, True, 1, 0.0, self.training, False
        )
        return outputs_MR, (hidden_1NR[0],)
