"""Parameter groups, schedules, clipping and mean weights against hand computations."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from lrcn.train.config import TrainConfig
from lrcn.train.optim import MeanWeights, clip_gradients, lr_factor, make_optimizer, set_lr


def _parts():
    return {"backbone": nn.Linear(2, 3), "recurrent": nn.Linear(3, 4), "head": nn.Linear(4, 2)}


def test_paper_rates_for_every_part_and_kind():
    """Paper: last layer x10 (bias x20), other biases x2 without decay, the LSTM plain."""
    config = TrainConfig(
        optimizer="sgd",
        lr=0.001,
        backbone_lr=0.001,
        head_lr_multiplier=10,
        bias_lr_multiplier=2,
        weight_decay=0.005,
    )

    groups = make_optimizer(_parts(), config).param_groups

    rates = [(g["part"], round(g["base_lr"], 6), g["weight_decay"]) for g in groups]
    assert rates == [
        ("backbone", 0.001, 0.005),
        ("backbone", 0.002, 0.0),
        ("recurrent", 0.001, 0.005),
        ("recurrent", 0.001, 0.0),
        ("head", 0.01, 0.005),
        ("head", 0.02, 0.0),
    ]
    assert all(g["momentum"] == 0.9 for g in groups)


def test_biases_of_the_lstm_decay_in_the_papers_code():
    """Its blobs have Caffe's defaults, lr_mult 1 and decay_mult 1; all other biases 2 and 0."""
    config = TrainConfig(weight_decay=0.005, decay_recurrent_biases=True)

    groups = make_optimizer(_parts(), config).param_groups

    assert [g["weight_decay"] for g in groups] == [0.005, 0, 0.005, 0.005, 0.005, 0]


@pytest.mark.parametrize("clip_norm", [None, 1.0])
def test_caffe_sgd_against_a_hand_computation(clip_norm):
    """v <- 0.9 v + lr (g + wd w); w <- w - v; clipped before decay; the rate falls at step 2."""
    part = nn.Linear(2, 1)
    part.weight.data = torch.tensor([[0.5, -1.0]])
    part.bias.data = torch.tensor([0.25])
    config = TrainConfig(
        optimizer="caffe_sgd",
        lr=0.1,
        bias_lr_multiplier=2.0,
        weight_decay=0.05,
        schedule="step",
        schedule_steps=2,
        schedule_gamma=0.1,
    )
    optimizer = make_optimizer({"head": part}, config)
    gradients = [(3.0, 0.0, 4.0), (-1.0, 2.0, 0.5), (0.3, 0.4, 0.0), (0.0, 1.0, 1.0)]
    w, v = [0.5, -1.0, 0.25], [0.0, 0.0, 0.0]  # by hand, in plain numbers

    for step, gradient in enumerate(gradients):
        part.weight.grad = torch.tensor([gradient[:2]])
        part.bias.grad = torch.tensor(gradient[2:])
        clip_gradients(part.parameters(), clip_norm)
        set_lr(optimizer, lr_factor(step, len(gradients), config))
        optimizer.step()

        rate = 0.1 * 0.1 ** (step // 2)
        norm = math.sqrt(sum(g * g for g in gradient))
        scale = clip_norm / norm if clip_norm is not None and norm > clip_norm else 1.0
        for k, (lr_mult, decay_mult) in enumerate([(1, 1), (1, 1), (2, 0)]):
            g = gradient[k] * scale + 0.05 * decay_mult * w[k]
            v[k] = 0.9 * v[k] + rate * lr_mult * g
            w[k] -= v[k]
        found = [*part.weight.flatten().tolist(), *part.bias.tolist()]
        assert found == pytest.approx(w, rel=1e-5), step


def test_caffe_sgd_and_torchs_differ_only_once_the_rate_has_fallen():
    weights = []
    for optimizer in ("caffe_sgd", "sgd"):
        part = nn.Linear(1, 1, bias=False)
        part.weight.data.fill_(1.0)
        config = TrainConfig(optimizer=optimizer, lr=0.1, schedule="step", schedule_steps=3)
        solver = make_optimizer({"head": part}, config)
        for step in range(5):
            part.weight.grad = torch.ones(1, 1)
            set_lr(solver, lr_factor(step, 5, config))
            solver.step()
            weights.append(part.weight.item())
    caffe, torchs = weights[:5], weights[5:]

    assert caffe[:3] == pytest.approx(torchs[:3])
    assert caffe[3] < torchs[3] - 0.1  # what was gathered before the fall keeps its speed


def test_caffe_sgd_leaves_frozen_parameters_alone_and_takes_no_closure():
    part = nn.Linear(1, 1)
    part.weight.grad = torch.ones(1, 1)
    before = part.bias.item()
    optimizer = make_optimizer({"head": part}, TrainConfig(optimizer="caffe_sgd"))

    optimizer.step()

    assert part.bias.item() == before
    with pytest.raises(ValueError, match="no closure"):
        optimizer.step(lambda: 0.0)


def test_every_parameter_is_in_one_group():
    parts = _parts()

    optimizer = make_optimizer(parts, TrainConfig())

    inside = [id(p) for g in optimizer.param_groups for p in g["params"]]
    assert sorted(inside) == sorted(id(p) for m in parts.values() for p in m.parameters())


def test_adamw_is_fused_outside_of_the_cnn_and_moves_weights_as_the_plain_one():
    """The CNN's weights may lie channels last, which the fused kernel would not notice."""
    parts = {"backbone": nn.Conv2d(3, 4, 3), "recurrent": nn.Linear(3, 4)}
    plain = copy.deepcopy(parts["recurrent"])
    ours = make_optimizer(parts, TrainConfig(optimizer="adamw", lr=0.01, weight_decay=0.1))
    assert [(g["part"], g["fused"]) for g in ours.param_groups] == [
        ("backbone", False),
        ("backbone", False),
        ("recurrent", True),
        ("recurrent", True),
    ]
    torchs = torch.optim.AdamW(
        [
            {"params": [plain.weight], "weight_decay": 0.1},
            {"params": [plain.bias], "weight_decay": 0.0},
        ],
        lr=0.01,
    )
    for step in range(5):
        inputs_ND = torch.randn(6, 3, generator=torch.Generator().manual_seed(step))
        for optimizer, module in ((ours, parts["recurrent"]), (torchs, plain)):
            optimizer.zero_grad()
            module(inputs_ND).square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(parts["recurrent"].weight, plain.weight)
    torch.testing.assert_close(parts["recurrent"].bias, plain.bias)


def test_step_schedule_of_the_paper():
    config = TrainConfig(schedule="step", schedule_steps=10_000, schedule_gamma=0.1)

    factors = [lr_factor(s, 30_000, config) for s in (0, 9_999, 10_000, 29_999)]

    assert factors == pytest.approx([1.0, 1.0, 0.1, 0.01])


def test_cosine_schedule_with_warmup():
    config = TrainConfig(schedule="cosine", warmup_steps=4)

    factors = [lr_factor(s, 14, config) for s in range(14)]

    assert factors[:4] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert factors[4] == pytest.approx(1.0)
    assert factors[9] == pytest.approx(0.5)
    assert factors[13] == pytest.approx(0.5 * (1 + math.cos(math.pi * 0.9)))


def test_set_lr_scales_every_group_from_its_base():
    optimizer = make_optimizer(_parts(), TrainConfig(lr=0.01, backbone_lr=0.001))

    set_lr(optimizer, 0.5)
    set_lr(optimizer, 0.1)

    assert [g["lr"] for g in optimizer.param_groups][::2] == pytest.approx([1e-4, 1e-3, 1e-3])


def test_clipping_is_by_the_joint_norm():
    a, b = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    a.grad, b.grad = torch.tensor([3.0]), torch.tensor([4.0])

    norm = clip_gradients([a, b], 1.0)

    assert float(norm) == pytest.approx(5.0)
    assert (float(a.grad), float(b.grad)) == pytest.approx((0.6, 0.8), rel=1e-4)
    assert clip_gradients([a, b], None) is None


def test_mean_weights_follow_and_swap_back():
    model = nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(0.0)
    mean = MeanWeights(model, 0.5)
    model.weight.data.fill_(1.0)

    mean.update(model)  # decay min(0.5, 2/11): 0 * 2/11 + 1 * 9/11
    mean.swap(model)

    assert model.weight.item() == pytest.approx(9 / 11)
    mean.swap(model)
    assert model.weight.item() == 1.0
