"""From examples to a batch, and mixing the clips of a batch.

Shorter examples are padded at the end with zeros, under a `valid_mask_BT` of False. Whoever uses a
batch looks at valid steps only, so that the padding changes no result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from lrcn.structures import ClipBatch, Example


def collate(examples: Sequence[Example]) -> ClipBatch:
    """Stack examples, padded to the longest.

    Args:
        examples: At least one; all with frames of one size, or all with features of one width.

    Returns:
        The batch. Frames keep their dtype, and are channels-last in memory if the examples' are.

    Raises:
        ValueError: If there is no example, or they do not fit together.
    """
    if not examples:
        raise ValueError("there is no example to collate; a batch needs at least one.")
    frames = [e.frames_TCHW for e in examples if e.frames_TCHW is not None]
    features = [e.features_TD for e in examples if e.features_TD is not None]
    if frames and features:
        raise ValueError("some examples hold frames and some features; a batch takes one kind.")
    length = max(len(e.valid_mask_T) for e in examples)
    return ClipBatch(
        frames_BTCHW=_stack_frames(frames, length) if frames else None,
        features_BTD=_stack(features, length) if features else None,
        valid_mask_BT=_stack([e.valid_mask_T for e in examples], length),
        reset_mask_BT=_stack([e.reset_mask_T for e in examples], length),
        targets_BTK=_stack([e.targets_TK for e in examples], length),
        video_ids=tuple(e.video_id for e in examples),
    )


def mixup_batch(batch: ClipBatch, alpha: float, generator: torch.Generator) -> ClipBatch:
    """Mix every clip with another one of the batch, step by step (mixup, 1710.09412).

    A step is mixed where both clips have it; elsewhere it stays. Masks and ids stay.

    Args:
        batch: Frames or features.
        alpha: The share kept is drawn from Beta(alpha, alpha), one for each clip; 0 mixes nothing.
        generator: Source of the shares and the partners, on the CPU.

    Returns:
        A batch with float32 frames 0...255 (or features), and targets mixed in the same shares.
    """
    if alpha <= 0 or len(batch) < 2:
        return batch
    device = batch.valid_mask_BT.device
    partners_B = torch.randperm(len(batch), generator=generator).to(device)
    share_B = _beta(alpha, len(batch), generator).to(device)
    share_BT = share_B[:, None].expand(batch.valid_mask_BT.shape)
    share_BT = share_BT.masked_fill(~_both_valid(batch, partners_B), 1.0)
    return _mix(batch, partners_B, share_BT)


def cutmix_batch(batch: ClipBatch, alpha: float, generator: torch.Generator) -> ClipBatch:
    """Replace a rectangle of every clip by that of another one (CutMix, 1905.04899).

    The rectangle is the same in all frames of a clip. Features have no place and are refused.

    Args:
        batch: Frames.
        alpha: The share of the area kept is drawn from Beta(alpha, alpha); 0 cuts nothing.
        generator: Source of the shares, the places and the partners, on the CPU.

    Returns:
        A batch with frames of the same dtype and targets mixed by area.

    Raises:
        ValueError: If the batch holds features.
    """
    if alpha <= 0 or len(batch) < 2:
        return batch
    if batch.frames_BTCHW is None:
        raise ValueError("CutMix needs pixels, and this batch holds features; use mixup instead.")
    device = batch.valid_mask_BT.device
    partners_B = torch.randperm(len(batch), generator=generator).to(device)
    both_BT = _both_valid(batch, partners_B)
    shares_B = _beta(alpha, len(batch), generator)
    height, width = batch.frames_BTCHW.shape[3:]
    frames_BTCHW = batch.frames_BTCHW.clone()
    share_BT = torch.ones(batch.valid_mask_BT.shape, device=device)
    for row, partner in enumerate(partners_B.tolist()):
        side = float((1 - shares_B[row]).sqrt())
        tall, wide = round(height * side), round(width * side)
        top = int(torch.randint(height - tall + 1, (), generator=generator))
        left = int(torch.randint(width - wide + 1, (), generator=generator))
        steps = both_BT[row].nonzero().flatten()
        area = (slice(None), slice(top, top + tall), slice(left, left + wide))
        for step in steps.tolist():
            frames_BTCHW[row, step][area] = batch.frames_BTCHW[partner, step][area]
        share_BT[row, steps] = 1 - tall * wide / (height * width)
    targets_BTK = torch.lerp(batch.targets_BTK[partners_B], batch.targets_BTK, share_BT[..., None])
    return replace(batch, frames_BTCHW=frames_BTCHW, targets_BTK=targets_BTK)


def _mix(batch: ClipBatch, partners_B: Tensor, share_BT: Tensor) -> ClipBatch:
    def mix(values: Tensor | None) -> Tensor | None:
        if values is None:
            return None
        share = share_BT.reshape(*share_BT.shape, *[1] * (values.ndim - 2))
        floats = values.float()
        return torch.lerp(floats[partners_B], floats, share)

    targets_BTK = mix(batch.targets_BTK)
    assert targets_BTK is not None
    return replace(
        batch,
        frames_BTCHW=mix(batch.frames_BTCHW),
        features_BTD=mix(batch.features_BTD),
        targets_BTK=targets_BTK,
    )


def _both_valid(batch: ClipBatch, partners_B: Tensor) -> Tensor:
    return batch.valid_mask_BT & batch.valid_mask_BT[partners_B]


def _beta(alpha: float, count: int, generator: torch.Generator) -> Tensor:
    # torch's Beta draws from the global generator only; numpy's takes a seed.
    seed = int(torch.randint(2**62, (), generator=generator))
    drawn = np.random.Generator(np.random.PCG64(seed)).beta(alpha, alpha, size=count)
    return torch.from_numpy(drawn).float()


def _stack(rows: Sequence[Tensor], length: int) -> Tensor:
    shapes = {tuple(row.shape[1:]) for row in rows}
    if len(shapes) > 1:
        raise ValueError(f"examples of shapes {sorted(shapes)} per step cannot form one batch.")
    out = rows[0].new_zeros((len(rows), length, *rows[0].shape[1:]))
    for place, row in zip(out, rows, strict=True):
        place[: len(row)] = row
    return out


def _stack_frames(rows: Sequence[Tensor], length: int) -> Tensor:
    """As `_stack`; in memory B T H W C, which channels-last convolutions take without a copy."""
    return _stack([row.permute(0, 2, 3, 1) for row in rows], length).permute(0, 1, 4, 2, 3)
