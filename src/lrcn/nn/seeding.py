"""Draw initial weights from a seed without touching anybody's random state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Inside, torch's CPU generator is seeded; afterwards it is as before.

    For code that can only draw from the global generator: `torch.nn` and the zoos' initialisers.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
