"""Padding under a mask, mixup and CutMix."""

from __future__ import annotations

import pytest
import torch

from lrcn.data.collate import collate, cutmix_batch, mixup_batch
from lrcn.structures import ClipBatch, Example


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def example(steps: int, label: int, *, pixels: bool = True) -> Example:
    frames = torch.full((steps, 3, 8, 8), 10 * label + 1, dtype=torch.uint8)
    frames = frames.contiguous(memory_format=torch.channels_last)
    return Example(
        frames_TCHW=frames if pixels else None,
        features_TD=None if pixels else torch.full((steps, 4), float(label)),
        valid_mask_T=torch.ones(steps, dtype=torch.bool),
        reset_mask_T=torch.arange(steps) == 0,
        targets_TK=torch.eye(4)[label].expand(steps, 4),
        video_id=f"video{label}",
    )


@pytest.mark.parametrize("pixels", [True, False])
def test_shorter_examples_are_padded_under_the_mask(pixels):
    batch = collate([example(3, 0, pixels=pixels), example(5, 1, pixels=pixels)])
    assert batch.valid_mask_BT.tolist() == [[True] * 3 + [False] * 2, [True] * 5]
    assert batch.reset_mask_BT.tolist() == [[True] + [False] * 4] * 2
    assert batch.video_ids == ("video0", "video1")
    inputs = batch.frames_BTCHW if pixels else batch.features_BTD
    assert inputs is not None
    assert (inputs[0, 3:] == 0).all()
    assert (inputs[1] == (11 if pixels else 1)).all()
    assert (batch.targets_BTK[0, :3] == torch.eye(4)[0]).all()
    assert (batch.targets_BTK[0, 3:] == 0).all()


def test_frames_stay_uint8_and_channels_last():
    frames = collate([example(3, 0), example(2, 1)]).frames_BTCHW
    assert frames is not None
    assert frames.dtype == torch.uint8
    assert frames.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)


def test_what_cannot_form_a_batch_is_refused():
    with pytest.raises(ValueError, match="no example"):
        collate([])
    with pytest.raises(ValueError, match="one kind"):
        collate([example(2, 0), example(2, 0, pixels=False)])


def batch_of(lengths: list[int]) -> ClipBatch:
    return collate([example(steps, label % 4) for label, steps in enumerate(lengths)])


def test_mixup_keeps_distributions_and_mixes_pixels_in_the_same_shares():
    batch = batch_of([6, 6, 6, 6])
    mixed = mixup_batch(batch, 0.8, generator(1))
    assert mixed.frames_BTCHW is not None
    assert mixed.frames_BTCHW.dtype == torch.float32
    assert torch.allclose(mixed.targets_BTK.sum(-1), torch.ones(4, 6))
    assert (mixed.targets_BTK.max(-1).values < 0.999).any()
    # Frames were 10 * label + 1 everywhere, so the mixed pixel tells the mixed label.
    labels = mixed.targets_BTK @ torch.arange(4.0)
    assert torch.allclose(mixed.frames_BTCHW[:, :, 0, 0, 0], 10 * labels + 1, atol=1e-4)


def test_mixup_leaves_steps_alone_where_one_of_the_two_is_padding():
    batch = batch_of([6, 2, 6, 3])
    mixed = mixup_batch(batch, 5.0, generator(2))
    assert torch.equal(mixed.valid_mask_BT, batch.valid_mask_BT)
    assert torch.equal(mixed.targets_BTK.sum(-1) > 0.5, batch.valid_mask_BT)
    assert torch.allclose(mixed.targets_BTK.sum(-1)[batch.valid_mask_BT], torch.tensor(1.0))
    assert mixed.frames_BTCHW is not None
    labels = mixed.targets_BTK @ torch.arange(4.0)
    expected = (10 * labels + 1)[batch.valid_mask_BT]
    assert torch.allclose(mixed.frames_BTCHW[:, :, 0, 0, 0][batch.valid_mask_BT], expected)


def test_mixup_is_a_function_of_the_generator_and_off_at_zero():
    batch = batch_of([4, 4, 4])
    first, second = (mixup_batch(batch, 0.4, generator(3)) for _ in range(2))
    assert torch.equal(first.targets_BTK, second.targets_BTK)
    other = mixup_batch(batch, 0.4, generator(4))
    assert not torch.equal(first.targets_BTK, other.targets_BTK)
    assert mixup_batch(batch, 0.0, generator()) is batch
    assert mixup_batch(batch_of([4]), 1.0, generator()) is not None


def test_cutmix_pastes_one_rectangle_per_clip_and_mixes_targets_by_area():
    batch = batch_of([4, 4, 4, 2])
    mixed = cutmix_batch(batch, 1.0, generator(5))
    assert mixed.frames_BTCHW is not None
    assert batch.frames_BTCHW is not None
    assert mixed.frames_BTCHW.dtype == torch.uint8
    assert torch.allclose(mixed.targets_BTK.sum(-1)[batch.valid_mask_BT], torch.tensor(1.0))
    changed = (mixed.frames_BTCHW != batch.frames_BTCHW)[:, :, 0]
    assert changed.any()
    share = changed.float().mean((-1, -2))
    own = (mixed.targets_BTK * batch.targets_BTK).sum(-1)
    assert torch.allclose(share[batch.valid_mask_BT], 1 - own[batch.valid_mask_BT], atol=1e-6)
    assert torch.equal(changed[0, 0], changed[0, 1])
    assert not changed[~batch.valid_mask_BT].any()


def test_cutmix_refuses_features():
    batch = collate([example(2, 0, pixels=False), example(2, 1, pixels=False)])
    with pytest.raises(ValueError, match="mixup"):
        cutmix_batch(batch, 1.0, generator())
    assert mixup_batch(batch, 1.0, generator()).features_BTD is not None
