"""Captions become batches: each once, by length, the same for all processes and on resuming."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch

from lrcn.data.caption_batches import CaptionKey, CaptionMode, CaptionSampler, EncodedCaptions
from lrcn.data.captions import read_captions
from lrcn.errors import ConfigError
from lrcn.structures import IGNORE_INDEX, CaptionItem, CaptionList
from lrcn.text.vocabulary import Vocabulary

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def encoded(*numbers: int, max_tokens: int = 20) -> EncodedCaptions:
    """One item for each number of captions; the n-th caption of all has n % 10 + 1 words."""
    items, length = [], 0
    for place, number in enumerate(numbers):
        captions = tuple(" ".join(WORDS[: (length + n) % 10 + 1]) for n in range(number))
        length += number
        items.append(CaptionItem(path=f"{place}.png", item_id=str(place), captions=captions))
    captions_list = CaptionList(items=tuple(items), layout="csv", source="x")
    vocabulary = Vocabulary.build([" ".join(WORDS)], min_count=1)
    return EncodedCaptions(captions_list, vocabulary, max_tokens=max_tokens)


def places(batches: list[list[CaptionKey]]) -> list[tuple[int, int]]:
    return [(key.item, key.caption) for batch in batches for key in batch if key.counts]


def test_rows_are_shifted_and_padded() -> None:
    captions = encoded(3)
    keys = [CaptionKey(0, 0, 2), CaptionKey(0, 0, 0), CaptionKey(0, 0, 1, counts=False)]
    inputs_BL, targets_BL = captions.tensors(keys)
    one, two, three = captions.vocabulary.encode("one two three")

    assert inputs_BL.tolist() == [[1, one, two, three], [1, one, 0, 0], [1, one, two, 0]]
    assert targets_BL.tolist() == [
        [one, two, three, 2],
        [one, 2, IGNORE_INDEX, IGNORE_INDEX],
        [IGNORE_INDEX] * 4,
    ]


def test_long_captions_lose_their_tail_and_their_end() -> None:
    """As the paper's data: at most 19 words and the end, in 20 steps (paper.md 3.3)."""
    vocabulary = Vocabulary.build(["w"], min_count=1)
    items = [CaptionItem(path="a", item_id=str(n), captions=("w " * n,)) for n in (19, 20, 25)]
    captions = EncodedCaptions(
        CaptionList(items=tuple(items), layout="csv", source="x"), vocabulary, max_tokens=20
    )
    inputs_BL, targets_BL = captions.tensors([CaptionKey(0, n, 0) for n in range(3)])
    word = vocabulary.encode("w")[0]

    assert inputs_BL.tolist() == [[1] + [word] * 19] * 3
    assert targets_BL.tolist() == [[word] * 19 + [2], [word] * 20, [word] * 20]


@pytest.mark.parametrize("bucket", [True, False])
def test_every_caption_once_an_epoch(bucket: bool) -> None:
    captions = encoded(5, 1, 3, 4)
    sampler = CaptionSampler(captions, batch_size=4, seed=1, bucket=bucket)
    epochs = [list(sampler.batches(epoch)) for epoch in (0, 1)]

    for batches in epochs:
        assert len(batches) == sampler.num_batches == 4
        assert sorted(map(len, batches)) == [1, 4, 4, 4]
        assert Counter(places(batches)) == Counter(
            (item, n) for item, number in enumerate((5, 1, 3, 4)) for n in range(number)
        )
    assert places(epochs[0]) != places(epochs[1])
    assert epochs[0] == list(
        CaptionSampler(captions, batch_size=4, seed=1, bucket=bucket).batches(0)
    )
    assert epochs[0] != list(
        CaptionSampler(captions, batch_size=4, seed=2, bucket=bucket).batches(0)
    )


def test_one_caption_of_every_item() -> None:
    captions = encoded(5, 1, 3)
    sampler = CaptionSampler(captions, mode="one", batch_size=2, seed=0)
    drawn: Counter[tuple[int, int]] = Counter()
    for epoch in range(60):
        chosen = places(list(sampler.batches(epoch)))
        assert sorted(item for item, _ in chosen) == [0, 1, 2]
        drawn.update(chosen)
    assert len(drawn) == 9  # each caption has its turn
    assert sampler.num_batches == 2


@pytest.mark.parametrize("mode", ["each", "one"])
@pytest.mark.parametrize("start", [0, 1, 3])
def test_goes_on_at_any_batch(mode: CaptionMode, start: int) -> None:
    sampler = CaptionSampler(encoded(*[3] * 10), mode=mode, batch_size=3, seed=5)

    assert list(sampler.batches(2, start)) == list(sampler.batches(2))[start:]


@pytest.mark.parametrize("world_size", [2, 3, 5])
def test_processes_share_the_same_batches(world_size: int) -> None:
    captions = encoded(5, 1, 3, 4)
    whole = list(CaptionSampler(captions, batch_size=4, seed=1).batches(0))
    shares = [
        list(
            CaptionSampler(captions, batch_size=4, seed=1, rank=r, world_size=world_size).batches(0)
        )
        for r in range(world_size)
    ]
    for place, batch in enumerate(whole):
        parts = [share[place] for share in shares]
        assert all(parts)  # every process takes part in every step
        assert sorted(key for part in parts for key in part if key.counts) == sorted(batch)


def padding(captions: EncodedCaptions, *, bucket: bool, batch_size: int) -> float:
    """Share of computed steps that are padding."""
    real = computed = 0
    sampler = CaptionSampler(captions, batch_size=batch_size, seed=0, bucket=bucket)
    for batch in sampler.batches(0):
        _, targets_BL = captions.tensors(batch)
        real += int(targets_BL.ne(IGNORE_INDEX).sum())
        computed += targets_BL.numel()
    return 1 - real / computed


def test_buckets_leave_little_padding() -> None:
    captions = encoded(*[5] * 200)

    assert padding(captions, bucket=True, batch_size=10) < 0.02
    assert padding(captions, bucket=False, batch_size=10) > 0.3


@pytest.mark.real_data
def test_buckets_on_rsicd(real_data: Path) -> None:
    train = read_captions(real_data / "rsicd", split="train", need_media=False)
    texts = [text for item in train.items for text in item.captions]
    captions = EncodedCaptions(train, Vocabulary.build(texts), max_tokens=30)

    assert captions.num_captions == 7500
    assert padding(captions, bucket=True, batch_size=100) < 0.05
    assert padding(captions, bucket=False, batch_size=100) > 0.3


def test_nothing_to_learn_from() -> None:
    with pytest.raises(ConfigError, match="0 captions in batches of 4"):
        CaptionSampler(encoded(), batch_size=4, seed=0)
    with pytest.raises(ConfigError, match="2 captions in batches of 0"):
        CaptionSampler(encoded(2), batch_size=0, seed=0)


def test_tensors_are_integers() -> None:
    inputs_BL, targets_BL = encoded(2).tensors([CaptionKey(0, 0, 0)])

    assert inputs_BL.dtype == targets_BL.dtype == torch.int64
