"""What must hold for any sequence: padding, batch mates, chunking and resets."""

from __future__ import annotations

import functools
import itertools

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from lrcn.nn.pooling import MeanPool, PerFrame
from lrcn.nn.recurrent import Recurrent, state_select
from lrcn.nn.seeding import seeded
from lrcn.nn.sequence import SequenceCore

DIM = 4
CORES = ["lstm", "rnn", "gru", "mean_pool", "per_frame"]
few = settings(max_examples=12, deadline=None)


@functools.cache
def make(core: str) -> SequenceCore:
    if core == "mean_pool":
        return MeanPool(DIM)
    if core == "per_frame":
        return PerFrame(DIM)
    with seeded(0):
        return Recurrent(DIM, 5, 2, unit=core, init="modern").eval()  # type: ignore[arg-type]


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def close(found: Tensor, wanted: Tensor, tolerance: float) -> None:
    torch.testing.assert_close(found, wanted, atol=tolerance, rtol=0)


lengths = st.lists(st.integers(1, 7), min_size=1, max_size=4)


@pytest.mark.parametrize("core", CORES)
@example(lengths=[2, 3, 4, 1], padding=1, seed=0, wild=True)  # sorting and back differ
@given(lengths=lengths, padding=st.integers(0, 3), seed=st.integers(0, 99), wild=st.booleans())
@few
@torch.no_grad()
def test_padding_and_batch_mates_change_nothing(
    core: str, lengths: list[int], padding: int, seed: int, wild: bool
) -> None:
    module = make(core)
    time = max(lengths) + padding
    inputs = draw(seed, len(lengths), time, DIM)
    valid = torch.arange(time) < torch.tensor(lengths)[:, None]
    inputs[~valid] = torch.nan if wild else 1e4
    _, before = module.unroll(draw(seed + 1, len(lengths), 2, DIM))
    outputs, state = module.unroll(inputs, before, valid_mask_BT=valid)
    for row, length in enumerate(lengths):
        alone, alone_state = module.unroll(
            inputs[row : row + 1, :length], state_select(before, [row])
        )
        close(outputs[row, :length], alone[0], 1e-6)
        assert bool((outputs[row, length:] == 0).all())
        for found, wanted in zip(state_select(state, [row]), alone_state, strict=True):
            close(found, wanted, 1e-6)


@pytest.mark.parametrize("core", CORES)
@given(time=st.integers(1, 12), cuts=st.sets(st.integers(1, 11)), seed=st.integers(0, 99))
@few
@torch.no_grad()
def test_any_chunking_equals_one_pass(core: str, time: int, cuts: set[int], seed: int) -> None:
    module = make(core)
    inputs = draw(seed, 2, time, DIM)
    expected, last = module.unroll(inputs)
    borders = [0, *sorted(c for c in cuts if c < time), time]
    state = module.initial_state(2)
    pieces = []
    for start, end in itertools.pairwise(borders):
        if end - start == 1:
            output, state = module.step(inputs[:, start], state)
            pieces.append(output[:, None])
        else:
            output, state = module.unroll(inputs[:, start:end], state)
            pieces.append(output)
    close(torch.cat(pieces, 1), expected, 1e-5)
    for found, wanted in zip(state, last, strict=True):
        close(found, wanted, 1e-5)


@pytest.mark.parametrize("core", CORES)
@given(
    resets=st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=1, max_size=3),
    seed=st.integers(0, 99),
)
@few
@torch.no_grad()
def test_a_reset_starts_a_new_sequence(core: str, resets: list[list[bool]], seed: int) -> None:
    module = make(core)
    reset = torch.tensor(resets)
    inputs = draw(seed, len(resets), 6, DIM)
    _, before = module.unroll(draw(seed + 1, len(resets), 3, DIM))
    outputs, _ = module.unroll(inputs, before, reset_mask_BT=reset)
    state = before
    for t in range(6):
        stepped, state = module.step(inputs[:, t], state, reset_mask_N=reset[:, t])
        close(outputs[:, t], stepped, 1e-5)
    for row, marks in enumerate(resets):
        starts = [t for t, mark in enumerate(marks) if mark]
        for start, end in itertools.pairwise([*starts, 6]):
            alone, _ = module.unroll(inputs[row : row + 1, start:end])
            close(outputs[row, start:end], alone[0], 1e-5)


@given(seed=st.integers(0, 99), time=st.integers(1, 6))
@few
def test_mean_pool_is_the_mean_so_far(seed: int, time: int) -> None:
    inputs = draw(seed, 2, time, DIM)
    outputs, state = MeanPool(DIM).unroll(inputs)
    for t in range(time):
        close(outputs[:, t], inputs[:, : t + 1].mean(1), 1e-6)
    assert state.num_steps.tolist() == [time, time]
