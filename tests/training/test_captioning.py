"""Training captioners in process: what is learnt, what survives an interruption, what is told."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.fakes.caption_worlds import sentences, write_caption_features, write_caption_pictures

from lrcn.checkpoint import load_captioner
from lrcn.data.caption_batches import CaptionKey
from lrcn.data.captions import read_captions
from lrcn.data.transform_config import TransformConfig
from lrcn.data.visual_features import visual_features
from lrcn.decoding.describe import describe
from lrcn.decoding.options import DecodingOptions
from lrcn.errors import ConfigError, ModelError
from lrcn.models.activity import ActivityConfig, create_model
from lrcn.models.captioner_config import CaptionerConfig
from lrcn.models.image_captioner import create_captioner
from lrcn.structures import CaptionBatch, VideoFeatures
from lrcn.tasks.captioning import CaptioningConfig
from lrcn.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from lrcn.train.caption_config import CaptionDataConfig, CaptionExperiment, WatchConfig
from lrcn.train.caption_examples import CaptionExamples
from lrcn.train.config import TrainConfig
from lrcn.train.loop import Trainer
from lrcn.train.run import load_any_experiment, load_experiment
from lrcn.train.session import train
from lrcn.train.start import start_captioner


def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", text.lower()))


TRUTH = {
    _words(text): (colour, place)
    for colour in ("red", "green", "blue")
    for place in ("left", "right", "top", "bottom")
    for text in sentences(colour, place)
}


def _experiment(data: Path, **changes: dict[str, object]) -> CaptionExperiment:
    parts = {"dataset": {}, "model": {}, "task": {}, "train": {}} | changes
    return CaptionExperiment(
        dataset=CaptionDataConfig(
            **{"data": str(data), "min_count": 1, "val_fraction": 0.25} | parts["dataset"]
        ),
        model=CaptionerConfig(
            **{"backbone": "none", "hidden_size": 24, "embedding_size": 16} | parts["model"]
        ),
        task=CaptioningConfig(**parts["task"]),
        train=TrainConfig(
            **{
                "epochs": 30,
                "batch_size": 12,
                "lr": 0.02,
                "weight_decay": 0.0,
                "precision": "float32",
                "select_by": "cider_d",
            }
            | parts["train"]
        ),
        watch=WatchConfig(),
    )


def _epochs(run: Path) -> list[dict]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == "epoch"]


def test_a_captioner_learns_sentences_that_are_true(tmp_path: Path) -> None:
    data = write_caption_features(tmp_path / "data")
    summary = train(_experiment(data), tmp_path / "run", threads=1, quiet=True)

    assert summary.val_cider_d is not None
    assert summary.val_cider_d > 5
    assert summary.val_accuracy_top1 is None
    assert summary.split == "by video"
    saved = load_captioner(tmp_path / "run")
    captions = read_captions(data)
    found = list(visual_features(captions.items, None, None))
    features = torch.cat([f.features_VTD for f in found if isinstance(f, VideoFeatures)])
    said = describe(saved.model, features, options=DecodingOptions(max_tokens=12))
    right = [
        TRUTH.get(_words(captions_[0].text)) == tuple(item.item_id.split("_")[:2])
        for item, captions_ in zip(captions.items, said, strict=True)
    ]
    assert sum(right) >= 0.9 * len(right)
    last = _epochs(tmp_path / "run")[-1]["val"]
    assert last["distinct_sentences"] > 0.5
    assert last["mean_words"] > 4
    assert last["unk_rate"] == 0
    assert 0 <= last["copied_sentences"] <= 1


def test_four_examples_are_learnt_by_heart(tmp_path: Path) -> None:
    data = write_caption_features(tmp_path / "data", copies=1)
    experiment = _experiment(
        data,
        dataset={"max_examples": 4, "val_fraction": 0.0, "captions": "each"},
        train={"epochs": 100, "batch_size": 8, "select_by": "last", "schedule": "constant"},
    )
    train(experiment, tmp_path / "run", threads=1, quiet=True)

    # Two sentences about each: one bit at the first word, none afterwards.
    assert _epochs(tmp_path / "run")[-1]["loss"] < 0.15


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {"output_dropout": 0.3, "feature_dropout": 0.2}, "train": {"ema_decay": 0.9}},
        {"task": {"scheduled_sampling": 0.3, "label_smoothing": 0.1}},
    ],
)
def test_an_interrupted_run_ends_with_the_very_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict
) -> None:
    data = write_caption_features(tmp_path / "data", copies=2)
    more = {"epochs": 3, "checkpoint_every": 2} | changes.get("train", {})
    experiment = _experiment(data, **changes | {"train": more})
    train(experiment, tmp_path / "whole", threads=1, quiet=True)

    update = Trainer._update

    def interrupted(self: Trainer, batch: object) -> None:
        if self.progress.step == 5:
            raise RuntimeError("power cut")
        update(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_update", interrupted)
        with pytest.raises(RuntimeError, match="power cut"):
            train(experiment, tmp_path / "broken", threads=1, quiet=True)
    train(experiment, tmp_path / "broken", resume=True, threads=1, quiet=True)

    for folder, name in (("last", "model"), ("last", "training"), ("best", "model")):
        a, b = (
            load_file(tmp_path / r / folder / f"{name}.safetensors") for r in ("whole", "broken")
        )
        assert [k for k in a if not a[k].equal(b[k])] == []


def test_slices_of_a_batch_add_up_to_the_batch(tmp_path: Path) -> None:
    data = write_caption_features(tmp_path / "data", copies=1)
    for name, size in (("whole", None), ("sliced", 5)):
        settings = {"epochs": 2, "micro_batch_size": size}
        train(_experiment(data, train=settings), tmp_path / name, threads=1, quiet=True)

    a, b = (load_file(tmp_path / x / "last" / "model.safetensors") for x in ("whole", "sliced"))
    for key in a:
        torch.testing.assert_close(a[key], b[key], rtol=1e-4, atol=1e-5)


def test_the_run_is_repeated_from_its_experiment(tmp_path: Path) -> None:
    data = write_caption_features(tmp_path / "data", copies=1)
    train(_experiment(data, train={"epochs": 1}), tmp_path / "a", threads=1, quiet=True)
    again = load_any_experiment(tmp_path / "a")
    assert isinstance(again, CaptionExperiment)
    with pytest.raises(ConfigError, match="an experiment with sentences"):
        load_experiment(tmp_path / "a")
    train(again, tmp_path / "b", threads=1, quiet=True)
    a, b = (load_file(tmp_path / x / "last" / "model.safetensors") for x in "ab")
    assert all(a[k].equal(b[k]) for k in a)
    rows = (tmp_path / "a" / "split.csv").read_text().splitlines()
    assert len(rows) == 1 + 12
    assert (tmp_path / "a" / "best" / "vocabulary.json").is_file()


def test_frozen_pictures_are_cached_and_then_learnt_through(tmp_path: Path) -> None:
    data = write_caption_pictures(tmp_path / "data", copies=1)
    experiment = _experiment(
        data,
        model={"backbone": "small", "input_px": 32, "weights": "random", "feature_dim": None},
        train={"epochs": 3, "unfreeze_at": 2, "batch_size": 6},
    )
    train(experiment, tmp_path / "run", threads=1, quiet=True)
    frozen = replace(experiment, train=replace(experiment.train, epochs=2))
    train(frozen, tmp_path / "frozen", threads=1, quiet=True)

    a, b = (load_file(tmp_path / x / "last" / "model.safetensors") for x in ("run", "frozen"))
    assert [k for k in a if k.startswith("backbone.") and not a[k].equal(b[k])]
    assert len(_epochs(tmp_path / "run")) == 3


def test_a_language_model_starts_a_captioner(tmp_path: Path) -> None:
    data = write_caption_features(tmp_path / "data", copies=1)
    alone = _experiment(
        data,
        model={"visual": "none", "num_layers": 1},
        train={"epochs": 2, "select_by": "loss"},
    )
    train(alone, tmp_path / "lm", threads=1, quiet=True)
    experiment = _experiment(data, train={"epochs": 1, "lr": 1e-12})
    train(replace(experiment, init=str(tmp_path / "lm")), tmp_path / "run", threads=1, quiet=True)

    a, b = load_captioner(tmp_path / "lm").model, load_captioner(tmp_path / "run").model
    torch.testing.assert_close(a.embedding.weight, b.embedding.weight)
    torch.testing.assert_close(a.recurrent.layers[0].weight_ih, b.recurrent.layers[0].weight_ih)
    torch.testing.assert_close(a.predictor.weight, b.predictor.weight)

    other = _experiment(
        data, model={"hidden_size": 7, "embedding_size": 5, "unit": "gru"}, train={"epochs": 1}
    )
    with pytest.raises(ModelError, match="not one of its weights fits"):
        train(replace(other, init=str(tmp_path / "lm")), tmp_path / "no", threads=1, quiet=True)
    assert not (tmp_path / "no").exists()


def test_a_collapse_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_caption_features(tmp_path / "data", copies=4)
    for k, path in enumerate(data.parent.glob("*.npy")):
        np.save(path, np.full((1, 12), 1e-9 * k, np.float32))
    blind = _experiment(data, train={"epochs": 1})
    train(blind, tmp_path / "run", threads=1)

    assert "the captioner collapses" in _epochs(tmp_path / "run")[-1]["warning"]
    assert "the captioner collapses" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": {"select_by": "accuracy_top1"}}, "captions have cider_d"),
        ({"train": {"unfreeze_at": 1}}, "needs a CNN"),
        ({"model": {"visual": "none"}}, "select_by loss"),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _experiment(tmp_path, **changes)


@pytest.mark.slow
def test_sentences_that_score_well_become_likelier(tmp_path: Path) -> None:
    """Self-critical training from a half-trained model raises the score it is rewarded with."""
    data = write_caption_features(tmp_path / "data")
    words = train(_experiment(data, train={"epochs": 8}), tmp_path / "words", threads=1, quiet=True)
    critical = _experiment(
        data,
        dataset={"captions": "one"},
        task={"objective": "cider_d"},
        train={"epochs": 60, "lr": 0.002, "schedule": "constant"},
    )
    with pytest.raises(ConfigError, match="refines a captioner"):
        train(critical, tmp_path / "no", threads=1, quiet=True)
    critical = replace(critical, init=str(tmp_path / "words"))
    scored = train(critical, tmp_path / "critical", threads=1, quiet=True)

    assert words.val_cider_d is not None
    assert scored.val_cider_d is not None
    assert scored.val_cider_d > words.val_cider_d + 0.5


@pytest.mark.slow
def test_two_processes_give_the_result_of_one(tmp_path: Path) -> None:
    data = write_caption_features(tmp_path / "data", copies=2)
    command = [
        *(sys.executable, "-m", "lrcn", "train", "--data", str(data), "--quiet", "--epochs=2"),
        *("--model.hidden-size=8", "--model.embedding-size=8", "--batch-size=5", "--threads=1"),
        *("--model.feature-dropout=0", "--model.embedding-dropout=0", "--model.output-dropout=0"),
        *("--precision=float32", "--dataset.min-count=1", "--dataset.val-fraction=0.25"),
    ]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for size in (1, 2):
        own = {**os.environ, "OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1"}
        several = {"WORLD_SIZE": str(size), "MASTER_PORT": str(port)} if size > 1 else {}
        workers = [
            subprocess.Popen(
                [*command, "--out", str(tmp_path / str(size))],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**own, **several, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            )
            for rank in range(size)
        ]
        for worker in workers:
            _, err = worker.communicate(timeout=280)
            assert worker.returncode == 0, err

    a, b = (load_file(tmp_path / x / "last" / "model.safetensors") for x in "12")
    for key in a:
        torch.testing.assert_close(a[key], b[key], rtol=1e-4, atol=1e-5)
    one, two = (_epochs(tmp_path / x) for x in "12")
    assert [e["val"]["loss"] for e in one] == pytest.approx(
        [e["val"]["loss"] for e in two], rel=1e-4
    )


@pytest.mark.slow
def test_an_imagenet_classifier_gives_the_logits_that_captions_see() -> None:
    settings = {"backbone": "caffenet", "input_px": 99, "weights": "random"}
    start = create_model(
        ActivityConfig(kind="single_frame", feature_layer="fc7", **settings),
        [str(k) for k in range(1000)],
    )
    words = Vocabulary((*SPECIAL_TOKENS, "a"))
    model = create_captioner(
        CaptionerConfig(feature_layer="fc8", hidden_size=4, embedding_size=4, **settings),
        words,
        seed=7,
    )

    start_captioner(model, start, "imagenet")

    assert model.backbone.fc8.weight.equal(start.head.linear.weight)
    assert model.backbone.conv1.weight.equal(start.backbone.conv1.weight)


def test_cached_features_are_drawn_from_all_views(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_caption_pictures(tmp_path / "data", copies=1)
    seen: dict[str, set[bytes]] = {}
    make = CaptionExamples._feature_batch

    def recorded(self: CaptionExamples, keys: Sequence[CaptionKey]) -> CaptionBatch:
        batch = make(self, keys)
        assert batch.features_BTD is not None
        for item_id, features_TD in zip(batch.item_ids, batch.features_BTD, strict=True):
            seen.setdefault(item_id, set()).add(features_TD.numpy().tobytes())
        return batch

    monkeypatch.setattr(CaptionExamples, "_feature_batch", recorded)
    for turns, mirror_prob, num_views in ((True, 0.5, 8), (True, 0.0, 4), (False, 0.5, 2)):
        seen.clear()
        transform = TransformConfig(quarter_turns=turns, mirror_prob=mirror_prob)
        experiment = _experiment(
            data,
            dataset={"transform": transform, "max_examples": 3},
            model={"backbone": "small", "input_px": 32, "weights": "random"},
            train={"epochs": 60, "unfreeze_at": 60, "validate_every": 60},
        )
        train(experiment, tmp_path / f"run{num_views}", threads=1, quiet=True)
        assert {len(views) for views in seen.values()} == {num_views}
