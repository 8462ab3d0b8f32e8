"""Stochastic gradient descent as Caffe's solver does it, for the paper's settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class CaffeSGD(torch.optim.Optimizer):
    """Momentum with the learning rate inside its buffer (paper 5.1).

    ::

        v <- momentum * v + lr * (g + weight_decay * w)
        w <- w - v

    PyTorch keeps the rate outside (w <- w - lr * v), so that a falling rate acts on what was
    gathered before as well: the two are the same while the rate stays, and differ for some steps
    after each fall. Gradients are clipped before (`clip_gradients`), so decay is not.

    Args:
        groups: Parameter groups, each with its own `lr` and `weight_decay`.
        lr: Where a group has none.
        momentum: Share of the buffer that stays.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], *, lr: float, momentum: float) -> None:
        super().__init__(groups, {"lr": lr, "momentum": momentum, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override] # torch has overloads
        """One update of every parameter that has a gradient.

        Raises:
            ValueError: a closure is given; it would be called for nothing.
        """
        if closure is not None:
            raise ValueError("CaffeSGD takes no closure: compute the gradients before step()")
        for group in self.param_groups:
            weights = [p for p in group["params"] if p.grad is not None]
            if not weights:
                continue
            gradients = [p.grad for p in weights]
            buffers = [self._buffer(p) for p in weights]
            if group["weight_decay"]:
                decayed = torch._foreach_add(gradients, weights, alpha=group["weight_decay"])
                gradients = list(decayed)
            torch._foreach_mul_(buffers, group["momentum"])
            torch._foreach_add_(buffers, gradients, alpha=group["lr"])
            torch._foreach_sub_(weights, buffers)

    def _buffer(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        buffer: Tensor = state["momentum_buffer"]
        return buffer
