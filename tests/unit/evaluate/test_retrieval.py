"""Retrieval of a captioner: against ranking by hand; the subset; what is refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.fakes.tiny_captioner import tiny_captioner

from lrcn.errors import ConfigError, MissingFilesError, ModelError
from lrcn.evaluate.caption_results import newest_caption_results, newest_retrieval_results
from lrcn.evaluate.captions import evaluate_captions
from lrcn.evaluate.retrieval import RetrievalConfig, evaluate_retrieval
from lrcn.structures import CaptionItem, CaptionList

SENTENCES = (
    ("a red dog runs", "a dog"),
    ("green grass",),
    ("a blue dog on grass", "a blue dog", "blue"),
    ("runs on grass", "a dog"),
    ("red on green",),
)


@pytest.fixture
def captions(tmp_path: Path) -> CaptionList:
    generator = np.random.default_rng(0)
    items = []
    for place, sentences in enumerate(SENTENCES):
        path = tmp_path / f"{place}.npy"
        np.save(path, 3 * generator.standard_normal((1, 6)).astype(np.float32))
        items.append(CaptionItem(path=str(path), item_id=f"item {place}", captions=sentences))
    return CaptionList(items=tuple(items), layout="csv", source="captions.csv")


def log_probs_by_hand(captions: CaptionList, *, eos: bool) -> np.ndarray:
    """Word by word through the plain model, each pair for itself."""
    model = tiny_captioner(backbone="none").model
    rows = []
    for item in captions.items:
        features_BTD = torch.from_numpy(np.load(item.path))[None]
        row = []
        for text in (text for other in captions.items for text in other.captions):
            ids = [*model.vocabulary.encode(text), *([model.vocabulary.eos_id] if eos else [])]
            state, total = model.start(features_BTD), 0.0
            for before, word in zip([model.vocabulary.bos_id, *ids], ids, strict=False):
                with torch.no_grad():
                    logits_NV, state = model.step(torch.tensor([before]), state)
                total += float(logits_NV.log_softmax(1)[0, word])
            row.append(total)
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("count_eos", [True, False])
def test_equal_to_ranking_by_hand(captions: CaptionList, normalise: bool, count_eos: bool) -> None:
    scores = log_probs_by_hand(captions, eos=count_eos)
    if normalise:
        scores = scores - np.log(np.exp(scores).mean(axis=0))
    owners = [place for place, texts in enumerate(SENTENCES) for _ in texts]
    # No two different captions score alike; the two "a dog" do, and either may come first.
    ranks_C = [1 + (scores[:, c] > scores[o, c]).sum() for c, o in enumerate(owners)]
    config = RetrievalConfig(normalise=normalise, count_eos=count_eos)
    found = evaluate_retrieval(tiny_captioner(backbone="none"), captions, config)

    assert found.metrics["caption_to_image_recall_at_1"] == np.mean(np.array(ranks_C) == 1)
    assert found.metrics["caption_to_image_median_rank"] == np.median(ranks_C)
    best_I = [max(scores[i, c] for c, o in enumerate(owners) if o == i) for i in range(5)]
    wrong_I = [
        sum(scores[i, c] > best_I[i] + 1e-9 for c, o in enumerate(owners) if o != i)
        for i in range(5)
    ]
    recall = found.metrics["image_to_caption_recall_at_5"]
    assert recall == pytest.approx(np.mean([wrong < 5 for wrong in wrong_I]), abs=0.11)
    for key, value in found.metrics.items():
        low, high = found.intervals[key]
        assert low <= value <= high
    assert found.chance["caption_to_image_recall_at_1"] == pytest.approx(1 / 5)
    assert found.chance["caption_to_image_median_rank"] == 3


def test_the_record_and_the_results_file(captions: CaptionList, tmp_path: Path) -> None:
    saved = tiny_captioner(backbone="none")
    drawn = evaluate_retrieval(saved, captions, RetrievalConfig(num_images=3), seed=4)
    assert drawn.protocol.retrieval == {
        "num_images": 3,
        "num_captions": drawn.protocol.num_references,
        "drawn_from": 5,
        "normalised": True,
        "count_eos": False,
    }
    turned = dataclasses.replace(captions, items=captions.items[::-1])
    same = evaluate_retrieval(saved, turned, RetrievalConfig(num_images=3), seed=4)
    assert same.metrics == pytest.approx(drawn.metrics)
    assert same.protocol.list_hash == drawn.protocol.list_hash
    hashes = {
        evaluate_retrieval(
            saved, captions, RetrievalConfig(num_images=3), seed=seed
        ).protocol.list_hash
        for seed in range(4)
    }
    assert len(hashes) > 1

    drawn.save(tmp_path)
    evaluate_captions(saved, captions, metrics=("bleu",)).save(tmp_path)
    read = newest_retrieval_results(tmp_path)
    assert read is not None
    assert json.loads(read.to_json()) == json.loads(drawn.to_json())
    assert newest_caption_results(tmp_path) is not None


def test_what_cannot_be_ranked_is_refused(captions: CaptionList) -> None:
    saved = tiny_captioner(backbone="none")
    with pytest.raises(ConfigError, match="the data has 5"):
        evaluate_retrieval(saved, captions, RetrievalConfig(num_images=6))
    with pytest.raises(ConfigError, match="at least 2"):
        RetrievalConfig(num_images=1)
    many = dataclasses.replace(captions, items=captions.items * 8000)
    with pytest.raises(ConfigError, match="--num-images 1000"):
        evaluate_retrieval(saved, many)
    with pytest.raises(ModelError, match="sees no picture"):
        evaluate_retrieval(tiny_captioner(backbone="none", visual="none"), captions)
    Path(captions.items[1].path).write_bytes(b"")
    with pytest.raises(MissingFilesError, match="--missing skip"):
        evaluate_retrieval(saved, captions)
    assert len(evaluate_retrieval(saved, captions, missing="skip").skipped) == 1
