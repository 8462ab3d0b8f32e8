"""One process or several, behind one interface; `torchrun` starts several.

The single process is the trivial case: nothing of `torch.distributed` is initialised.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from lrcn.errors import ConfigError

T = TypeVar("T")

COLLECTIVE_TIMEOUT_SECONDS = 600.0
"""Longer than any rank works between two collectives; without it a dead rank hangs the rest."""


class Processes:
    """The processes of one run, as one of them sees them."""

    def __init__(self, rank: int = 0, world_size: int = 1, local_rank: int = 0) -> None:
        self.rank = rank
        """Number of this process, from 0."""
        self.world_size = world_size
        """How many there are."""
        self.local_rank = local_rank
        """Number of this process on its machine: which GPU is its own."""

    def __repr__(self) -> str:
        return f"Processes(rank {self.rank} of {self.world_size})"

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and messages."""
        return self.rank == 0

    @property
    def several(self) -> bool:
        """Whether there is more than this one."""
        return self.world_size > 1

    def device(self, device: torch.device) -> torch.device:
        """The given device, or this process's own GPU where "cuda" was given."""
        if self.several and device == torch.device("cuda"):
            return torch.device("cuda", self.local_rank)
        return device

    def barrier(self) -> None:
        """Wait for all."""
        if self.several:
            dist.barrier()

    def all_reduce_sum(self, tensor: Tensor) -> Tensor:
        """Sum over the processes, a new tensor."""
        result = tensor.detach().clone()
        if self.several:
            dist.all_reduce(result, op=dist.ReduceOp.SUM)
        return result

    def all_reduce_mean(self, tensor: Tensor) -> Tensor:
        """Mean over the processes, a new tensor."""
        return self.all_reduce_sum(tensor) / self.world_size

    def gather_objects(self, value: T) -> list[T]:
        """Every process's value, in the order of ranks, on every process."""
        if not self.several:
            return [value]
        gathered: list[Any] = [None] * self.world_size
        dist.all_gather_object(gathered, value)
        return gathered

    def broadcast(self, value: T) -> T:
        """The main process's value, on every process."""
        if not self.several:
            return value
        holder: list[Any] = [value]
        dist.broadcast_object_list(holder, src=0)
        result: T = holder[0]
        return result

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Add up every gradient over the processes, in place, in one exchange.

        The loss is divided by a count over all processes, so the sum is the gradient of one
        process with the whole batch. Every process must hold gradients for the same parameters.
        """
        gradients = [p.grad for p in parameters if p.grad is not None]
        if not self.several or not gradients:
            return
        flat = torch.cat([g.reshape(-1) for g in gradients])
        dist.all_reduce(flat, op=dist.ReduceOp.SUM)
        start = 0
        for gradient in gradients:
            gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
            start += gradient.numel()

    def close(self) -> None:
        """Leave the group, all together: a gloo thread that loses its peer ends the process."""
        if self.several and dist.is_initialized():
            dist.barrier()
            dist.destroy_process_group()


def init_processes(*, timeout_seconds: float = COLLECTIVE_TIMEOUT_SECONDS) -> Processes:
    """Join the group that `torchrun` announces in the environment, or be the only process.

    Uses nccl where each process of this machine has a GPU, gloo otherwise.

    Args:
        timeout_seconds: a collective that takes longer ends the run with an error.

    Raises:
        ConfigError: the environment names a group but not this process's place in it.
    """
    world_size = _from_environment("WORLD_SIZE", 1)
    if world_size == 1:
        return Processes()
    missing = [n for n in ("RANK", "MASTER_ADDR", "MASTER_PORT") if n not in os.environ]
    if missing:
        raise ConfigError(
            f"WORLD_SIZE is {world_size}, but {', '.join(missing)} is not set; "
            "several processes are started with `torchrun --nproc-per-node N -m lrcn train ...`."
        )
    rank, local_rank = _from_environment("RANK", 0), _from_environment("LOCAL_RANK", 0)
    on_gpu = torch.cuda.is_available() and torch.cuda.device_count() > local_rank
    if on_gpu:
        torch.cuda.set_device(local_rank)
    dist.init_process_group(
        "nccl" if on_gpu else "gloo",
        rank=rank,
        world_size=world_size,
        timeout=timedelta(seconds=timeout_seconds),
    )
    return Processes(rank, world_size, local_rank)


def _from_environment(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isdigit():
        raise ConfigError(
            f"{name} is {text!r}; torchrun sets it to a number. Unset it to run alone."
        )
    return int(text)
