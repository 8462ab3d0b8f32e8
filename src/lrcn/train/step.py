"""What one update of the weights takes: its randomness, its batch mixed, its batch in slices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import torch

from lrcn.data.collate import cutmix_batch, mixup_batch
from lrcn.data.transform_config import TransformConfig
from lrcn.structures import ClipBatch
from lrcn.tasks.task import Batch, BatchT

_PIXELS_AT_ONCE = 64 * 227 * 227
"""Four clips of 16 frames, at CaffeNet's size too: every further slice casts all weights anew."""


def mixed_batch(batch: ClipBatch, transform: TransformConfig, seed: int) -> ClipBatch:
    """The batch with its clips mixed, where the transform says so."""
    generator = torch.Generator().manual_seed(seed)
    if transform.mixup_alpha > 0:
        batch = mixup_batch(batch, transform.mixup_alpha, generator)
    if transform.cutmix_alpha > 0 and batch.frames_BTCHW is not None:
        batch = cutmix_batch(batch, transform.cutmix_alpha, generator)
    return batch


def split_batch(batch: BatchT, size: int | None) -> Iterator[BatchT]:
    """The batch in slices of at most `size` rows, for gradient accumulation."""
    total = len(batch)
    made: Any = batch  # every field of a batch is None or has one entry per row
    for start in range(0, total, size or max(total, 1)):
        rows = slice(start, start + (size or total))
        parts = {f.name: getattr(made, f.name) for f in fields(made)}
        yield replace(made, **{k: None if v is None else v[rows] for k, v in parts.items()})


def fitting_rows(batch: Batch) -> int | None:
    """How many rows of pixels go through the CNN in one backward pass; None for features."""
    if batch.frames_BTCHW is None:
        return None
    _, num_steps, _, height, width = batch.frames_BTCHW.shape
    return max(1, _PIXELS_AT_ONCE // (num_steps * height * width))


def step_seed(seed: int, step: int, rank: int) -> int:
    """A seed for one step of one process, well apart from its neighbours."""
    mixed = seed * 0x9E3779B97F4A7C15 + step * 0xBF58476D1CE4E5B9 + rank * 0x94D049BB133111EB
    mixed &= 0xFFFFFFFFFFFFFFFF
    mixed ^= mixed >> 31
    return mixed & 0x7FFFFFFFFFFFFFFF


def seed_step(seed: int, step: int, rank: int) -> None:
    """Key the network's own randomness (dropout) to the step: nothing to save, exact resume."""
    torch.manual_seed(step_seed(seed, step, rank))
