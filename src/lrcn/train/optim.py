"""The optimizer of an experiment: groups with their own rates, the schedule, the mean weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lrcn.train.caffe_sgd import CaffeSGD
from lrcn.train.config import TrainConfig


def make_optimizer(parts: Mapping[str, nn.Module], config: TrainConfig) -> torch.optim.Optimizer:
    """SGD with momentum, Caffe's form of it, or AdamW; one parameter group per part and kind.

    Args:
        parts: "backbone", "recurrent", "head": the modules, each with its own rate.
        config: Rates, multipliers and decay.

    Returns:
        An optimizer whose groups carry `base_lr`, from which the schedule makes `lr`.
    """
    groups = [
        group
        for name, module in parts.items()
        for group in _part_groups(name, module, config)
        if group["params"]
    ]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum)
    if config.optimizer == "caffe_sgd":
        return CaffeSGD(groups, lr=config.lr, momentum=config.momentum)
    for group in groups:
        # One pass over the memory in place of a dozen. The fused kernel takes every tensor as it
        # lies, so not where a CNN's weights lie channels last and a loaded state does not.
        group["fused"] = group["part"] != "backbone"
    return torch.optim.AdamW(groups, lr=config.lr)


def _part_groups(name: str, module: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """Weights and biases of one part; vectors (biases, norms) decay only when told."""
    lr = config.lr
    if name == "backbone":
        lr = config.lr / 10 if config.backbone_lr is None else config.backbone_lr
    if name == "head":
        lr *= config.head_lr_multiplier
    weights = [p for p in module.parameters() if p.ndim > 1]
    vectors = [p for p in module.parameters() if p.ndim <= 1]
    # Paper: biases do not decay, but those of the LSTM do: its blobs have Caffe's defaults.
    decays = config.decay_biases or (name == "recurrent" and config.decay_recurrent_biases)
    vector_decay = config.weight_decay if decays else 0.0
    # Paper: biases learn twice as fast in the CNN and in the last layer, not in the LSTM.
    factor = 1.0 if name == "recurrent" else config.bias_lr_multiplier
    return [
        {"params": weights, "base_lr": lr, "weight_decay": config.weight_decay, "part": name},
        {"params": vectors, "base_lr": lr * factor, "weight_decay": vector_decay, "part": name},
    ]


def lr_factor(step: int, total_steps: int, config: TrainConfig) -> float:
    """What the base rates are multiplied with at update `step` (0-based).

    >>> [lr_factor(s, 90, TrainConfig(schedule="step")) for s in (0, 29, 30, 60)]
    [1.0, 1.0, 0.1, 0.010000000000000002]
    """
    if step < config.warmup_steps:
        return (step + 1) / (config.warmup_steps + 1)
    if config.schedule == "step":
        every = config.schedule_steps or max(1, total_steps // 3)
        return config.schedule_gamma ** (step // every)
    if config.schedule == "cosine":
        span = max(1, total_steps - config.warmup_steps)
        done = min(1.0, (step - config.warmup_steps) / span)
        return 0.5 * (1.0 + math.cos(math.pi * done))
    return 1.0


def set_lr(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Give every group its rate for the coming update."""
    for group in optimizer.param_groups:
        group["lr"] = group["base_lr"] * factor


def clip_gradients(parameters: Iterable[Tensor], max_norm: float | None) -> Tensor | None:
    """Scale all gradients so that their joint L2 norm is at most `max_norm`.

    Paper: the global norm over all parameters, before weight decay.

    Returns:
        The norm before clipping; None when clipping is off.
    """
    if max_norm is None:
        return None
    return nn.utils.clip_grad_norm_(list(parameters), max_norm)


class MeanWeights:
    """An exponential mean of all floating-point weights and buffers, updated after each step.

    Args:
        model: Whose weights are followed.
        decay: Share of the old mean that stays; early on less, so that it starts quickly.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.num_updates = 0
        self.shadow = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the weights as they are now."""
        self.num_updates += 1
        decay = min(self.decay, (1 + self.num_updates) / (10 + self.num_updates))
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                self.shadow[name].lerp_(value.detach(), 1 - decay)
            else:
                self.shadow[name].copy_(value)

    def swap(self, model: nn.Module) -> None:
        """Exchange the model's weights with the mean; calling it again puts them back."""
        current = {k: v.detach().clone() for k, v in model.state_dict().items()}
        model.load_state_dict(self.shadow)
        self.shadow = current
