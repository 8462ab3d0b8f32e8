"""Which captions make up which batch, and their words as tensors: a pure function of the epoch.

Sentences of like length go into one batch, so that little padding is computed; batches come in
random order, and any process sees its share of the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from lrcn.data.sampler import keyed_generator
from lrcn.errors import ConfigError
from lrcn.structures import IGNORE_INDEX, CaptionList
from lrcn.text.vocabulary import Vocabulary

CaptionMode = Literal["each", "all", "one"]
_POOL_BATCHES = 50
"""Batches among which sentences are sorted by length."""


class CaptionKey(NamedTuple):
    """One caption of one item, in one epoch."""

    epoch: int
    item: int
    caption: int
    counts: bool = True
    """False for a stand-in of a process without a share of the batch."""


class EncodedCaptions:
    """The captions of a list as token ids.

    Args:
        captions: The items.
        vocabulary: Words to ids.
        max_tokens: Longest sentence, its end counted. Paper: longer ones lose their tail, and
            their end with it.
    """

    def __init__(self, captions: CaptionList, vocabulary: Vocabulary, *, max_tokens: int) -> None:
        self.vocabulary = vocabulary
        self.max_tokens = max_tokens
        self.ids = [
            [vocabulary.encode(caption) for caption in item.captions] for item in captions.items
        ]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def num_captions(self) -> int:
        """Of all items together."""
        return sum(len(ids) for ids in self.ids)

    def length(self, item: int, caption: int) -> int:
        """Tokens of a sentence, its end counted, as far as it is learnt."""
        return min(len(self.ids[item][caption]) + 1, self.max_tokens)

    def tensors(self, keys: Sequence[CaptionKey]) -> tuple[Tensor, Tensor]:
        """inputs_BL and targets_BL int64, padded to the longest of these."""
        longest = max(self.length(key.item, key.caption) for key in keys)
        inputs_BL = torch.full((len(keys), longest), self.vocabulary.pad_id)
        targets_BL = torch.full((len(keys), longest), IGNORE_INDEX)
        for row, key in enumerate(keys):
            words = self.ids[key.item][key.caption]
            length = self.length(key.item, key.caption)
            inputs_BL[row, :length] = torch.tensor([self.vocabulary.bos_id, *words][:length])
            if key.counts:
                targets_BL[row, :length] = torch.tensor([*words, self.vocabulary.eos_id][:length])
        return inputs_BL, targets_BL


class CaptionSampler:
    """Batches of keys for every epoch.

    Args:
        captions: The sentences.
        mode: "each": every caption once an epoch; "all": likewise, those of an item together;
            "one": a random one of every item.
        batch_size: Captions per batch over all processes.
        seed: The run's.
        bucket: Whether sentences of like length come together; not in mode "all".
        rank: This process, from 0.
        world_size: How many processes share every batch.

    Raises:
        ConfigError: there is no caption, or no room in a batch.
    """

    def __init__(
        self,
        captions: EncodedCaptions,
        *,
        mode: CaptionMode = "each",
        batch_size: int,
        seed: int,
        bucket: bool = True,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        number = len(captions) if mode == "one" else captions.num_captions
        if number < 1 or batch_size < 1:
            raise ConfigError(
                f"{number} captions in batches of {batch_size} give no batch; both must be at"
                " least 1. Give more data, or set train.batch_size"
            )
        self.captions = captions
        self.mode = mode
        self.batch_size = batch_size
        self.seed = seed
        self.bucket = bucket and mode != "all"
        self.rank = rank
        self.world_size = world_size
        self.num_batches = -(-number // batch_size)

    def batches(self, epoch: int, start_batch: int = 0) -> Iterator[list[CaptionKey]]:
        """This process's share of the batches from `start_batch` on."""
        generator = keyed_generator(self.seed, "captions", epoch)
        keys = self._keys(epoch, generator)
        size = self.batch_size
        if self.bucket:
            pool = _POOL_BATCHES * size
            keys = [
                key
                for start in range(0, len(keys), pool)
                for key in sorted(keys[start : start + pool], key=self._length)
            ]
        whole = [keys[start : start + size] for start in range(0, len(keys), size)]
        if self.bucket:
            order = torch.randperm(len(whole), generator=generator).tolist()
            whole = [whole[place] for place in order]
        for batch in whole[start_batch:]:
            own = batch[self.rank :: self.world_size]
            # Every process takes part in every step, or the others would wait for it for ever.
            yield own or [batch[0]._replace(counts=False)]

    def _length(self, key: CaptionKey) -> int:
        return self.captions.length(key.item, key.caption)

    def _keys(self, epoch: int, generator: torch.Generator) -> list[CaptionKey]:
        """Every example of the epoch, in random order."""
        if self.mode == "all":
            order = torch.randperm(len(self.captions), generator=generator).tolist()
            return [
                CaptionKey(epoch, item, caption)
                for item in order
                for caption in range(len(self.captions.ids[item]))
            ]
        if self.mode == "each":
            keys = [
                CaptionKey(epoch, item, caption)
                for item, ids in enumerate(self.captions.ids)
                for caption in range(len(ids))
            ]
        else:
            share_N = torch.rand(len(self.captions), generator=generator)
            keys = [
                CaptionKey(epoch, item, int(share * len(ids)))
                for item, (ids, share) in enumerate(
                    zip(self.captions.ids, share_N.tolist(), strict=True)
                )
            ]
        return [keys[i] for i in torch.randperm(len(keys), generator=generator).tolist()]
