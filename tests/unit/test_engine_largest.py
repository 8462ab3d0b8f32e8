"""The largest numbers of every row: as torch.topk finds them."""

from __future__ import annotations

import pytest
import torch

from lrcn.engine.largest import largest


@pytest.mark.parametrize("size", [7, 1024, 1500, 8801])
@pytest.mark.parametrize("num", [1, 6])
@pytest.mark.parametrize("levels", [0, 50])
def test_values_are_topks(size: int, num: int, levels: int) -> None:
    generator = torch.Generator().manual_seed(size + num)
    values = torch.randn(9, size, generator=generator)
    if levels:
        values = (values * levels / 10).round()
    values[0] = -torch.inf
    values[1, -1] = 100.0
    found, places = largest(values, num)
    assert torch.equal(found, values.topk(num, dim=1).values)
    assert torch.equal(values.gather(1, places), found)
    assert all(len(set(row)) == num for row in places.tolist())
