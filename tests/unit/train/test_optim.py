"""Parameter groups, schedules, clipping and mean weights against hand computations."""

from __future__ import annotations

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


def test_every_parameter_is_in_one_group():
    parts = _parts()

    optimizer = make_optimizer(parts, TrainConfig())

    inside = [id(p) for g in optimizer.param_groups for p in g["params"]]
    assert sorted(inside) == sorted(id(p) for m in parts.values() for p in m.parameters())


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
