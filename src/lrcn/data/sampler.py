"""Which examples make up which batch: a pure function of (seed, epoch).

The batches are those of the whole run; each process takes its share of every batch. So one process
and several see the same batches, and a run that stops in an epoch goes on at any batch of it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch

from lrcn.errors import ConfigError
from lrcn.structures import VideoItem


class ItemKey(NamedTuple):
    """Everything that an example's randomness depends on, besides the seed."""

    epoch: int
    item: int
    """Place in the dataset."""
    repeat: int = 0
    """How often the same index came before in the epoch (balanced sampling repeats)."""
    counts: bool = True
    """False for a stand-in of a process without a share of the batch: no step of it is valid."""


def keyed_generator(seed: int, *key: int | str) -> torch.Generator:
    """A generator whose stream depends on the seed and the key alone.

    >>> a, b = keyed_generator(0, 3, 14), keyed_generator(0, 3, 14)
    >>> bool(torch.equal(torch.rand(2, generator=a), torch.rand(2, generator=b)))
    True
    """
    digest = hashlib.blake2b(repr((seed, *key)).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)


class EpochSampler:
    """Batches of keys for one epoch; iterate it once for each epoch.

    Args:
        num_items: Examples in the dataset.
        batch_size: Examples per batch over all processes.
        seed: The run's.
        epoch: Which epoch, from 0.
        start_batch: First batch given out; those before it were used before an interruption.
        rank: This process, from 0.
        world_size: How many processes share every batch.
        weights: One for each item: draw with replacement in these proportions
            (`class_balanced_weights`). None takes every item once.
        shuffle: False keeps the order (without weights).
        drop_last: Leave out a last batch that is not full.

    Raises:
        ConfigError: If a number makes no sense.
    """

    def __init__(
        self,
        num_items: int,
        *,
        batch_size: int,
        seed: int,
        epoch: int = 0,
        start_batch: int = 0,
        rank: int = 0,
        world_size: int = 1,
        weights: Sequence[float] | None = None,
        shuffle: bool = True,
        drop_last: bool = False,
    ) -> None:
        if num_items < 1 or batch_size < 1:
            raise ConfigError(
                f"{num_items} items in batches of {batch_size} give no batch; both must be at "
                "least 1. Give more data, or set batch_size."
            )
        if not 0 <= rank < world_size:
            raise ConfigError(
                f"rank {rank} does not exist among {world_size} processes; ranks go from 0 to "
                f"{world_size - 1}. Start the processes with torchrun."
            )
        if weights is not None and (len(weights) != num_items or not sum(weights) > 0):
            raise ConfigError(
                f"{len(weights)} weights for {num_items} items cannot be drawn from; there must "
                "be one for each, at least one of them positive. Check the sampling weights."
            )
        self.num_items = num_items
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.weights = None if weights is None else torch.tensor(weights, dtype=torch.float64)
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.num_batches = num_items // batch_size if drop_last else -(-num_items // batch_size)
        if self.num_batches == 0:
            raise ConfigError(
                f"drop_last leaves no batch of {batch_size} from {num_items} items; a batch may "
                "be at most as large as the data. Lower batch_size."
            )
        self.set_epoch(epoch, start_batch)

    def set_epoch(self, epoch: int, start_batch: int = 0) -> None:
        """Choose the epoch, and the first of its batches that is given out.

        Raises:
            ConfigError: If the epoch has no such batch.
        """
        if epoch < 0 or not 0 <= start_batch <= self.num_batches:
            raise ConfigError(
                f"epoch {epoch} has no batch {start_batch}; batches go from 0 to "
                f"{self.num_batches}. The data or batch_size differ from the interrupted run's."
            )
        self.epoch = epoch
        self.start_batch = start_batch

    def __len__(self) -> int:
        """Batches that iterating gives."""
        return self.num_batches - self.start_batch

    def __iter__(self) -> Iterator[list[ItemKey]]:
        keys = self._keys()
        for batch in range(self.start_batch, self.num_batches):
            whole = keys[batch * self.batch_size : (batch + 1) * self.batch_size]
            own = whole[self.rank :: self.world_size]
            # Every process takes part in every step, or the others would wait for it for ever.
            yield own or [whole[0]._replace(counts=False)]

    def _keys(self) -> list[ItemKey]:
        generator = keyed_generator(self.seed, "order", self.epoch)
        if self.weights is not None:
            drawn = torch.multinomial(
                self.weights, self.num_items, replacement=True, generator=generator
            ).tolist()
        elif self.shuffle:
            drawn = torch.randperm(self.num_items, generator=generator).tolist()
        else:
            drawn = list(range(self.num_items))
        seen: Counter[int] = Counter()
        keys = []
        for index in drawn:
            keys.append(ItemKey(self.epoch, index, seen[index]))
            seen[index] += 1
        return keys


def class_balanced_weights(items: Sequence[VideoItem]) -> list[float]:
    """Weights with which every class is drawn equally often.

    An item with several labels takes the weight of its rarest.
    """
    counts = Counter(name for item in items for name in item.class_names)
    return [max((1 / counts[name] for name in item.class_names), default=0.0) for item in items]
