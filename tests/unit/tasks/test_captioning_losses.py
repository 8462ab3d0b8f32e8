"""The losses of describing, against sums by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lrcn.data.caption_batches import CaptionKey, CaptionSampler, EncodedCaptions
from lrcn.errors import ConfigError
from lrcn.metrics.caption_scores import score_captions, splitter
from lrcn.metrics.document_frequencies import DocumentFrequencies
from lrcn.models.image_captioner import Captioner, CaptionerConfig, create_captioner
from lrcn.structures import IGNORE_INDEX, CaptionBatch, CaptionItem, CaptionList
from lrcn.tasks.captioning import CaptioningConfig, CaptioningTask
from lrcn.tasks.self_critical import SelfCriticalTask
from lrcn.text.vocabulary import SPECIAL_TOKENS, Vocabulary

WORDS = Vocabulary((*SPECIAL_TOKENS, "a", "dog", "cat", "runs", "sits"))
TEXTS = {"x": ("a dog runs", "a dog"), "y": ("a cat sits", "a cat sits and sits")}


def captions() -> CaptionList:
    items = tuple(CaptionItem(path=k, item_id=k, captions=v) for k, v in TEXTS.items())
    return CaptionList(items=items, layout="csv", source="here")


def model() -> Captioner:
    config = CaptionerConfig(backbone="none", feature_dim=3, hidden_size=5, embedding_size=4)
    return create_captioner(config, WORDS, seed=2)


def batch(*keys: CaptionKey, max_tokens: int = 20) -> CaptionBatch:
    encoded = EncodedCaptions(captions(), WORDS, max_tokens=max_tokens)
    inputs_BL, targets_BL = encoded.tensors(keys)
    generator = torch.Generator().manual_seed(0)
    return CaptionBatch(
        frames_BTCHW=None,
        features_BTD=torch.randn(len(keys), 1, 3, generator=generator),
        valid_mask_BT=torch.ones(len(keys), 1, dtype=torch.bool),
        inputs_BL=inputs_BL,
        targets_BL=targets_BL,
        item_ids=tuple("xy"[key.item] for key in keys),
    )


KEYS = (CaptionKey(0, 0, 0), CaptionKey(0, 0, 1), CaptionKey(0, 1, 1))


def test_words_are_shifted_padded_and_cut_as_in_the_paper() -> None:
    whole = batch(*KEYS)
    assert whole.inputs_BL.tolist() == [[1, 4, 5, 7, 0, 0], [1, 4, 5, 0, 0, 0], [1, 4, 6, 8, 3, 8]]
    ignored = IGNORE_INDEX
    assert whole.targets_BL.tolist() == [
        [4, 5, 7, 2, ignored, ignored],
        [4, 5, 2, ignored, ignored, ignored],
        [4, 6, 8, 3, 8, 2],
    ]
    # Paper 3.3: a longer caption loses its tail and its end.
    cut = batch(*KEYS, max_tokens=3)
    assert cut.targets_BL.tolist() == [[4, 5, 7], [4, 5, 2], [4, 6, 8]]


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_counts_words_and_no_padding(smoothing: float) -> None:
    network, task = model(), CaptioningTask(CaptioningConfig(label_smoothing=smoothing))
    whole = batch(*KEYS)
    sums = task.losses(network, whole)
    expected = torch.zeros(())
    for row in range(3):
        length = int((whole.targets_BL[row] != IGNORE_INDEX).sum())
        state = network.start(whole.features_BTD[row : row + 1])
        logits = network.unroll(whole.inputs_BL[row : row + 1, :length], state)[0]
        expected = expected + F.cross_entropy(
            logits, whole.targets_BL[row, :length], reduction="sum", label_smoothing=smoothing
        )
    torch.testing.assert_close(sums.loss_sum, expected)
    assert task.count_steps(network, whole) == task.count_answers(whole) == 4 + 3 + 6


def test_scheduled_sampling_feeds_the_models_own_words() -> None:
    network, whole = model(), batch(*KEYS)
    never = CaptioningTask(CaptioningConfig()).losses(network, whole).loss_sum
    task = CaptioningTask(CaptioningConfig(scheduled_sampling=1e-9))
    torch.testing.assert_close(task.losses(network, whole).loss_sum, never)
    often = CaptioningTask(CaptioningConfig(scheduled_sampling=0.9))
    torch.manual_seed(1)
    first = often.losses(network, whole).loss_sum
    assert not torch.isclose(first, never).item()
    torch.manual_seed(1)
    assert often.losses(network, whole).loss_sum.equal(first)


def test_self_critical_loss_is_the_advantage_times_the_log_probability() -> None:
    network = model().train()
    frequencies = DocumentFrequencies.count(splitter("ptb")(t) for t in TEXTS.values())
    task = SelfCriticalTask(CaptioningConfig(), TEXTS, frequencies, max_tokens=6)
    stand_in = batch(KEYS[0], KEYS[2], KEYS[2]._replace(counts=False))
    torch.manual_seed(4)
    sums = task.losses(network, stand_in)
    torch.manual_seed(4)
    greedy, drawn = task._say(network, stand_in.features_BTD, stand_in.valid_mask_BT)
    assert network.training

    def reward(texts: list[str]) -> Tensor:
        ids = ["0", "1", "2"]
        scores = score_captions(
            dict(zip(ids, (TEXTS["x"], TEXTS["y"], TEXTS["y"]), strict=True)),
            dict(zip(ids, texts, strict=True)),
            metrics=("cider_d",),
            frequencies=frequencies,
        )
        found = dict(zip(scores.ids, scores.per_item["cider_d"], strict=True))
        return torch.tensor([float(found[i]) for i in ids])

    advantage = reward([c.text for c in drawn]) - reward([c.text for c in greedy])
    expected = -sum(float(advantage[row]) * drawn[row].log_prob for row in range(2))
    assert sums.loss_sum.item() == pytest.approx(expected, abs=1e-4)
    assert task.count_steps(network, stand_in) == 2
    sums.loss_sum.backward()


def test_contradictions_are_refused() -> None:
    with pytest.raises(ConfigError, match="feeds its own words"):
        CaptioningConfig(objective="cider_d", label_smoothing=0.1)
    with pytest.raises(ConfigError, match="loss_weight must be positive"):
        CaptioningConfig(loss_weight=0)
    with pytest.raises(ConfigError, match="scheduled_sampling must lie"):
        CaptioningConfig(scheduled_sampling=1.0)


def _many() -> EncodedCaptions:
    items = tuple(
        CaptionItem(path=str(i), item_id=str(i), captions=(" ".join("a" * (1 + i % 7)), "dog"))
        for i in range(40)
    )
    listed = CaptionList(items=items, layout="csv", source="here")
    return EncodedCaptions(listed, WORDS, max_tokens=20)


@pytest.mark.parametrize(("bucket", "mode"), [(True, "each"), (False, "each"), (True, "all")])
def test_every_caption_comes_once_an_epoch_whatever_the_processes(bucket: bool, mode: str) -> None:
    encoded = _many()

    def epoch(number: int, rank: int = 0, size: int = 1, start: int = 0) -> list[list[CaptionKey]]:
        sampler = CaptionSampler(
            encoded, mode=mode, batch_size=6, seed=3, bucket=bucket, rank=rank, world_size=size
        )
        return list(sampler.batches(number, start))

    whole = epoch(0)
    assert sorted((k.item, k.caption) for b in whole for k in b) == [
        (i, c) for i in range(40) for c in range(2)
    ]
    assert whole == epoch(0)
    assert whole != epoch(1)
    assert epoch(0, start=5) == whole[5:]
    shares = [epoch(0, rank, 4) for rank in range(4)]
    for place, together in enumerate(whole):
        joined = [k for share in shares for k in share[place] if k.counts]
        assert sorted(joined) == sorted(together)


def test_buckets_save_padding_and_one_takes_a_random_caption() -> None:
    encoded = _many()

    def padding(bucket: bool) -> int:
        sampler = CaptionSampler(encoded, batch_size=6, seed=3, bucket=bucket)
        found = [encoded.tensors(keys)[1] for keys in sampler.batches(0)]
        return sum(int((t == IGNORE_INDEX).sum()) for t in found)

    assert padding(True) < 0.3 * padding(False)
    one = CaptionSampler(encoded, mode="one", batch_size=6, seed=3)
    drawn = [[k for b in one.batches(e) for k in b] for e in range(2)]
    assert [sorted(k.item for k in keys) for keys in drawn] == [list(range(40))] * 2
    assert {k.caption for k in drawn[0]} == {0, 1}
    together = CaptionSampler(encoded, mode="all", batch_size=6, seed=3).batches(0)
    assert all(len({k.item for k in keys}) <= 3 for keys in together)
    assert {(k.item, k.caption) for k in drawn[0]} != {(k.item, k.caption) for k in drawn[1]}
