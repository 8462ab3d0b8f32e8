"""The recurrent core against torch's own modules and an independent evaluation of Caffe's rule."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrcn.nn.recurrent import (
    HiddenState,
    LSTMState,
    Recurrent,
    state_cat,
    state_detach,
    state_select,
    state_to,
)
from lrcn.nn.seeding import seeded

UNITS = ["lstm", "rnn", "gru"]


def make(unit: str = "lstm", **changes: object) -> Recurrent:
    settings: dict[str, object] = {"init": "modern", "num_layers": 2} | changes
    with seeded(3):
        module = Recurrent(5, 4, unit=unit, **settings)  # type: ignore[arg-type]
        for name, parameter in module.named_parameters():
            if "bias" in name:
                nn.init.uniform_(parameter, -0.5, 0.5)
    return module.eval()


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def torch_twin(module: Recurrent) -> nn.RNNBase:
    """torch's own LSTM or GRU with the same weights (its second bias is zero)."""
    kind = {"lstm": nn.LSTM, "gru": nn.GRU}[module.unit]
    first = module.layers[0]
    width = first.weight_ih.shape[1]
    twin = kind(width, module.hidden_size, len(module.layers), batch_first=True)
    with torch.no_grad():
        for k, layer in enumerate(module.layers):
            getattr(twin, f"weight_ih_l{k}").copy_(layer.weight_ih)
            getattr(twin, f"weight_hh_l{k}").copy_(layer.weight_hh)
            getattr(twin, f"bias_ih_l{k}").copy_(layer.bias)
            getattr(twin, f"bias_hh_l{k}").zero_()
            if module.unit == "gru":
                getattr(twin, f"bias_hh_l{k}")[-module.hidden_size :] = layer.bias_hn
    return twin


def step_through(module: Recurrent, inputs_BTD: Tensor, **kwargs: Tensor) -> tuple[Tensor, object]:
    state = module.initial_state(len(inputs_BTD))
    outputs = []
    for t in range(inputs_BTD.shape[1]):
        output, state = module.step(inputs_BTD[:, t], state, **kwargs)
        outputs.append(output)
    return torch.stack(outputs, 1), state


@pytest.mark.parametrize("unit", ["lstm", "gru"])
def test_unroll_and_step_equal_torch(unit: str) -> None:
    module = make(unit)
    inputs = draw(3, 7, 5)
    expected, last = torch_twin(module)(inputs)
    for outputs, state in (module.unroll(inputs), step_through(module, inputs)):
        torch.testing.assert_close(outputs, expected, atol=1e-6, rtol=0)
        final = last if unit == "lstm" else (last,)
        for found, wanted in zip(state, final, strict=True):
            torch.testing.assert_close(found, wanted, atol=1e-6, rtol=0)


def test_step_equals_lstm_cell() -> None:
    module = make(num_layers=1)
    layer = module.layers[0]
    cell = nn.LSTMCell(5, 4)
    with torch.no_grad():
        for name, value in (("ih", layer.weight_ih), ("hh", layer.weight_hh)):
            getattr(cell, f"weight_{name}").copy_(value)
        cell.bias_ih.copy_(layer.bias)
        cell.bias_hh.zero_()
    hidden, memory = draw(1, 3, 4, seed=1), draw(1, 3, 4, seed=2)
    inputs = draw(3, 5)
    outputs, state = module.step(inputs, LSTMState(hidden, memory))
    wanted_hidden, wanted_cell = cell(inputs, (hidden[0], memory[0]))
    torch.testing.assert_close(outputs, wanted_hidden, atol=1e-6, rtol=0)
    torch.testing.assert_close(state[1][0], wanted_cell, atol=1e-6, rtol=0)


def caffe_lstm(
    x: np.ndarray, cont: np.ndarray, static: np.ndarray, w: dict[str, np.ndarray]
) -> np.ndarray:
    """Caffe's LSTM layer as the paper's code has it (paper 1.4): T x N x D, gates i, f, o, g."""

    def sigmoid(a: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-a))

    size = w["W_hc"].shape[1]
    h = np.zeros((x.shape[1], size))
    c = np.zeros((x.shape[1], size))
    out = []
    for x_t, cont_t in zip(x, cont, strict=True):
        h_flushed = cont_t[:, None] * h
        a = x_t @ w["W_xc"].T + w["b_c"] + h_flushed @ w["W_hc"].T + static @ w["W_static"].T
        i, f, o, g = np.split(a, 4, axis=1)
        c = cont_t[:, None] * (sigmoid(f) * c) + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        out.append(h)
    return np.stack(out)


def test_equals_the_caffe_equations() -> None:
    rng = np.random.default_rng(0)
    time, num, size, dim, static_size = 9, 3, 4, 5, 2
    w = {
        "W_xc": rng.normal(size=(4 * size, dim)),
        "b_c": rng.normal(size=4 * size),
        "W_hc": rng.normal(size=(4 * size, size)),
        "W_static": rng.normal(size=(4 * size, static_size)),
    }
    x = rng.normal(size=(time, num, dim))
    static = rng.normal(size=(num, static_size))
    cont = (rng.random((time, num)) > 0.3).astype(float)
    cont[0] = 0
    expected = caffe_lstm(x, cont, static, w)

    module = Recurrent(dim, size, static_size=static_size).double()
    swap = np.r_[0 : 2 * size, 3 * size : 4 * size, 2 * size : 3 * size]  # i f o g to i f g o
    with torch.no_grad():
        layer = module.layers[0]
        both = np.concatenate([w["W_xc"], w["W_static"]], 1)
        layer.weight_ih.copy_(torch.from_numpy(both[swap]))
        layer.weight_hh.copy_(torch.from_numpy(w["W_hc"][swap]))
        layer.bias.copy_(torch.from_numpy(w["b_c"][swap]))
    outputs, _ = module.unroll(
        torch.from_numpy(x).transpose(0, 1),
        reset_mask_BT=torch.from_numpy(cont == 0).T,
        static_BS=torch.from_numpy(static),
    )
    np.testing.assert_allclose(outputs.detach().transpose(0, 1).numpy(), expected, atol=1e-12)


def test_vanilla_rnn_is_the_papers() -> None:
    module = make("rnn", num_layers=1).double()
    w = {name: p.detach().numpy() for name, p in module.layers[0].named_parameters()}
    inputs = draw(2, 6, 5).double()
    h = np.zeros((2, 4))
    expected = []
    for x in inputs.numpy().transpose(1, 0, 2):
        h = np.tanh(x @ w["weight_ih"].T + h @ w["weight_hh"].T + w["bias"])
        expected.append(np.tanh(h @ w["weight_ho"].T + w["bias_o"]))
    for outputs, _ in (module.unroll(inputs), step_through(module, inputs)):
        np.testing.assert_allclose(
            outputs.detach().numpy().transpose(1, 0, 2), np.stack(expected), atol=1e-12
        )


@pytest.mark.parametrize("unit", UNITS)
def test_static_input_equals_concatenation(unit: str) -> None:
    module = make(unit, static_size=3)
    with seeded(0):
        plain = Recurrent(8, 4, 2, unit=unit)  # type: ignore[arg-type]
    plain.load_state_dict(module.state_dict())
    inputs, static = draw(3, 6, 5), draw(3, 3, seed=1)
    together = torch.cat([inputs, static[:, None].expand(3, 6, 3)], 2)
    expected, _ = plain.unroll(together)
    for outputs, _ in (
        module.unroll(inputs, static_BS=static),
        step_through(module, inputs, static_NS=static),
    ):
        torch.testing.assert_close(outputs, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("unit", UNITS)
def test_stepping_and_fused_paths_agree_with_gradients(unit: str) -> None:
    inputs = draw(3, 6, 5)
    gradients = []
    for reset_somewhere in (False, True):
        module = make(unit).train()
        reset = torch.zeros(3, 6, dtype=torch.bool)
        valid = torch.ones(3, 6, dtype=torch.bool)
        valid[1, 4:] = False
        if reset_somewhere:  # in a row's padding: same numbers, but not the kernel's path
            reset[1, 5] = True
        outputs, _ = module.unroll(inputs, valid_mask_BT=valid, reset_mask_BT=reset)
        outputs.square().sum().backward()
        gradients.append([outputs.detach(), *(p.grad for p in module.parameters())])
    for fused, stepped in zip(*gradients, strict=True):
        assert fused is not None
        assert fused.abs().sum() > 0
        torch.testing.assert_close(fused, stepped, atol=1e-5, rtol=1e-5)


def test_every_parameter_of_every_unit_learns() -> None:
    for unit in UNITS:
        module = make(unit, static_size=2)
        outputs, _ = module.unroll(draw(2, 3, 5), static_BS=draw(2, 2))
        outputs.sum().backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())


def test_row_without_a_valid_step_keeps_its_state() -> None:
    module = make()
    state = LSTMState(draw(2, 2, 4), draw(2, 2, 4, seed=1))
    valid = torch.tensor([[True, True, False], [False, False, False]])
    outputs, after = module.unroll(draw(2, 3, 5), state, valid_mask_BT=valid)
    assert outputs[~valid].abs().max() == 0
    for found, before in zip(after, state, strict=True):
        torch.testing.assert_close(found[:, 1], before[:, 1], atol=0, rtol=0)
        assert not torch.equal(found[:, 0], before[:, 0])


def test_gap_in_the_middle_passes_the_state() -> None:
    module = make()
    inputs = draw(1, 4, 5)
    valid = torch.tensor([[True, False, True, True]])
    outputs, _ = module.unroll(inputs, valid_mask_BT=valid)
    expected, _ = module.unroll(inputs[:, [0, 2, 3]])
    torch.testing.assert_close(outputs[:, [0, 2, 3]], expected, atol=1e-6, rtol=0)
    assert outputs[:, 1].abs().max() == 0


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("reset_inside", [False, True])
def test_nan_in_padding_reaches_nothing(unit: str, reset_inside: bool) -> None:
    module = make(unit)
    inputs = draw(2, 4, 5)
    valid = torch.tensor([[True, True, False, False], [True] * 4])
    inputs[~valid] = torch.nan
    reset = torch.zeros(2, 4, dtype=torch.bool)
    reset[1, 2] = reset_inside
    outputs, state = module.unroll(inputs, valid_mask_BT=valid, reset_mask_BT=reset)
    outputs.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in module.parameters() if p.grad is not None)
    assert all(torch.isfinite(part).all() for part in (outputs, *state))


def test_dropout_is_between_layers_only() -> None:
    one = make(num_layers=1, dropout=0.5).train()
    inputs = draw(2, 3, 5)
    assert torch.equal(one.unroll(inputs)[0], one.unroll(inputs)[0])
    two = make(num_layers=2, dropout=0.5).train()
    assert not torch.equal(two.unroll(inputs)[0], two.unroll(inputs)[0])
    two.eval()
    assert torch.equal(two.unroll(inputs)[0], two.unroll(inputs)[0])


def test_paper_init() -> None:
    module = Recurrent(50, 40, 2, init="paper")
    for name, parameter in module.named_parameters():
        if "bias" in name:
            assert parameter.abs().max() == 0  # the forget bias too
        else:
            assert 0.0099 < parameter.abs().max() <= 0.01
            assert abs(parameter.mean().item()) < 5e-4


def test_modern_init() -> None:
    module = Recurrent(5, 4, init="modern")
    layer = module.layers[0]
    assert layer.bias.tolist() == [0.0] * 4 + [1.0] * 4 + [0.0] * 8
    for gate in layer.weight_hh.view(4, 4, 4):
        torch.testing.assert_close(gate @ gate.T, torch.eye(4), atol=1e-5, rtol=0)


@pytest.mark.parametrize("unit", UNITS)
def test_bfloat16_and_autocast(unit: str) -> None:
    module = make(unit)
    inputs = draw(2, 6, 5)
    expected, _ = module.unroll(inputs)
    with torch.autocast("cpu", torch.bfloat16):
        outputs, state = module.unroll(inputs)
        outputs.float().sum().backward()
    assert state[0].dtype == torch.float32
    torch.testing.assert_close(outputs.float(), expected, atol=0.05, rtol=0)
    low = make(unit).to(torch.bfloat16)
    outputs, state = low.unroll(inputs.bfloat16())
    assert outputs.dtype == state[0].dtype == torch.bfloat16
    torch.testing.assert_close(outputs.float(), expected, atol=0.05, rtol=0)
    stepped, _ = low.step(inputs[:, 0].bfloat16(), low.initial_state(2))
    torch.testing.assert_close(stepped.float(), expected[:, 0], atol=0.05, rtol=0)


def test_streaming_step_exports() -> None:
    module = make()

    class Step(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, x: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            outputs, state = self.module.step(x, LSTMState(hidden, cell))
            return outputs, state[0], state[1]

    inputs = (draw(1, 5), draw(2, 1, 4, seed=1), draw(2, 1, 4, seed=2))
    program = torch.export.export(Step(), inputs)
    for found, wanted in zip(program.module()(*inputs), Step()(*inputs), strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-6, rtol=0)


def test_state_helpers() -> None:
    module = make()
    _, state = module.unroll(draw(3, 2, 5))
    assert state_select(state, [2, 0, 0]).hidden.shape == (2, 3, 4)
    torch.testing.assert_close(state_select(state, [2]).hidden[:, 0], state.hidden[:, 2])
    back = state_cat([state_select(state, [0]), state_select(state, torch.tensor([1, 2]))])
    assert isinstance(back, LSTMState)
    assert torch.equal(back.cell, state[1])
    assert state.hidden.requires_grad
    assert not state_detach(state).hidden.requires_grad
    assert state_to(state, "cpu", torch.float64).hidden.dtype == torch.float64
    with pytest.raises(ValueError, match="different kinds"):
        state_cat([state, HiddenState(state.hidden)])
    with pytest.raises(ValueError, match="at least one"):
        state_cat([])


def test_a_forked_state_goes_two_ways() -> None:
    module = make()
    inputs = draw(1, 6, 5)
    _, state = module.unroll(inputs[:, :3])
    kept = [part.clone() for part in state]
    module.unroll(inputs[:, 3:], state)
    assert all(torch.equal(a, b) for a, b in zip(kept, state, strict=True))


def test_empty_sequences() -> None:
    module = make()
    outputs, state = module.unroll(draw(2, 0, 5))
    assert outputs.shape == (2, 0, 4)
    assert state.hidden.abs().max() == 0


def test_wrong_use_is_explained() -> None:
    module = make()
    with pytest.raises(ValueError, match="B x T x 5"):
        module.unroll(draw(2, 3, 6))
    with pytest.raises(ValueError, match="valid_mask_BT must be bool"):
        module.unroll(draw(2, 3, 5), valid_mask_BT=torch.ones(2, 3))
    with pytest.raises(ValueError, match="static input of width 0"):
        module.unroll(draw(2, 3, 5), static_BS=draw(2, 1))
    with pytest.raises(TypeError, match="LSTMState, not a HiddenState"):
        module.step(draw(2, 5), HiddenState(draw(2, 2, 4)))
    for bad in ({"input_size": 0}, {"hidden_size": 0}, {"num_layers": 0}, {"unit": "transformer"}):
        with pytest.raises(ValueError, match=r"at least|unknown unit"):
            Recurrent(**({"input_size": 3, "hidden_size": 3} | bad))  # type: ignore[arg-type]
