"""Training in process: what is learnt, how slices and processes add up, the golden curve."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.fakes.worlds import write_feature_world, write_pixel_world

from lrcn.checkpoint import load_model
from lrcn.errors import ConfigError, DataError, OutputError
from lrcn.models.activity import ActivityConfig
from lrcn.structures import ClipBatch
from lrcn.tasks.activity import TaskConfig
from lrcn.train.config import DatasetConfig, Experiment, TrainConfig
from lrcn.train.loop import stages
from lrcn.train.session import train
from lrcn.train.step import split_batch, step_seed
from lrcn.video.sampling import SamplingConfig

GOLDEN = Path(__file__).parents[1] / "golden" / "loss_curve.txt"


def _experiment(data: Path, **train_settings) -> Experiment:
    return Experiment(
        dataset=DatasetConfig(data=str(data), sampling=SamplingConfig(clip_length=8)),
        model=ActivityConfig(backbone="none", hidden_size=12, output_dropout=0.0),
        train=TrainConfig(
            **{
                "epochs": 30,
                "batch_size": 6,
                "lr": 0.02,
                "weight_decay": 0.0,
                "precision": "float32",
            }
            | train_settings
        ),
    )


def _losses(run: Path) -> list[float]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if line["event"] == "epoch"]


def test_an_lrcn_learns_a_direction_that_no_single_step_tells(tmp_path):
    data = write_feature_world(tmp_path / "data", num_videos=40)

    lrcn = train(_experiment(data), tmp_path / "lrcn", threads=1, quiet=True)
    single = _experiment(data)
    single = replace(single, model=replace(single.model, kind="single_frame"))
    frame = train(single, tmp_path / "single", threads=1, quiet=True)

    assert lrcn.val_accuracy_top1 is not None
    assert frame.val_accuracy_top1 is not None
    assert lrcn.val_accuracy_top1 >= 0.85
    assert frame.val_accuracy_top1 <= 0.8
    assert lrcn.split == "by group"


def test_the_run_folder_holds_what_repeats_it(tmp_path):
    data = write_feature_world(tmp_path / "data")
    experiment = _experiment(data, epochs=2)
    train(experiment, tmp_path / "a", threads=1, quiet=True)

    names = {p.name for p in (tmp_path / "a").iterdir()}
    assert {
        "experiment.yaml",
        "environment.json",
        "split.csv",
        "log.jsonl",
        "best",
        "last",
    } <= names
    assert any(name.startswith("events.out.tfevents") for name in names)
    assert not any(name.startswith(".") for name in names)

    from lrcn.train.run import load_experiment

    assert experiment.dataset.layout is None
    assert load_experiment(tmp_path / "a").dataset.layout == "csv"
    train(load_experiment(tmp_path / "a"), tmp_path / "b", threads=1, quiet=True)
    a, b = (load_file(tmp_path / x / "last" / "model.safetensors") for x in "ab")
    assert all(a[k].equal(b[k]) for k in a)


def test_slices_of_a_batch_add_up_to_the_batch(tmp_path):
    data = write_feature_world(tmp_path / "data")
    whole = _experiment(data, epochs=2, batch_size=6)
    sliced = _experiment(data, epochs=2, batch_size=6, micro_batch_size=2)
    train(whole, tmp_path / "whole", threads=1, quiet=True)
    train(sliced, tmp_path / "sliced", threads=1, quiet=True)

    a, b = (load_file(tmp_path / x / "last" / "model.safetensors") for x in ("whole", "sliced"))
    for key in a:
        torch.testing.assert_close(a[key], b[key], rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_two_processes_give_the_result_of_one(tmp_path):
    data = write_feature_world(tmp_path / "data", num_videos=26)
    flags = [
        *("--backbone=none", "--clip-length=8", "--epochs=3", "--batch-size=5", "--quiet"),
        *("--model.hidden-size=8", "--model.output-dropout=0", "--model.feature-dropout=0"),
        "--precision=float32",
    ]
    command = [sys.executable, "-m", "lrcn", "train", "--data", str(data), *flags]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    one = subprocess.run(
        [*command, "--out", str(tmp_path / "one")],
        check=False,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert one.returncode == 0, one.stderr
    workers = [
        subprocess.Popen(
            [*command, "--out", str(tmp_path / "two")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "WORLD_SIZE": "2",
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port),
                "OMP_NUM_THREADS": "1",
            },
        )
        for rank in range(2)
    ]
    for worker in workers:
        _, err = worker.communicate(timeout=200)
        assert worker.returncode == 0, err

    a, b = (load_file(tmp_path / x / "last" / "model.safetensors") for x in ("one", "two"))
    for key in a:
        torch.testing.assert_close(a[key], b[key], rtol=1e-4, atol=1e-5)
    assert _losses(tmp_path / "one") == pytest.approx(_losses(tmp_path / "two"), rel=1e-4)


def test_the_loss_curve_is_the_stored_one(tmp_path):
    """Bit-stable to 1e-4 on any machine; regenerate on purpose with LRCN_WRITE_GOLDEN=1."""
    data = write_feature_world(tmp_path / "data")
    train(_experiment(data, epochs=6), tmp_path / "run", threads=1, quiet=True)
    losses = _losses(tmp_path / "run")

    if os.environ.get("LRCN_WRITE_GOLDEN"):
        GOLDEN.write_text("".join(f"{i} {x:.6f}\n" for i, x in enumerate(losses, 1)))
    expected = [float(line.split()[1]) for line in GOLDEN.read_text().splitlines()]
    assert losses == pytest.approx(expected, rel=1e-4)
    assert losses[-1] < losses[0]


@pytest.mark.slow
def test_staged_training_goes_from_features_to_pixels(tmp_path):
    data = write_pixel_world(tmp_path / "data", num_videos=12)
    experiment = Experiment(
        dataset=DatasetConfig(
            data=str(data), val_fraction=0.34, sampling=SamplingConfig(clip_length=6)
        ),
        model=ActivityConfig(
            backbone="small", weights="random", input_px=32, hidden_size=8, output_dropout=0.0
        ),
        train=TrainConfig(epochs=4, unfreeze_at=2, batch_size=4, lr=0.01),
    )
    before = {}
    train(
        replace(experiment, train=replace(experiment.train, epochs=2)),
        tmp_path / "frozen",
        threads=1,
        quiet=True,
    )
    before = load_file(tmp_path / "frozen" / "last" / "model.safetensors")
    train(experiment, tmp_path / "run", threads=1, quiet=True)
    after = load_file(tmp_path / "run" / "last" / "model.safetensors")

    moved = [k for k in after if k.startswith("backbone.") and not before[k].equal(after[k])]
    assert moved
    assert len(_losses(tmp_path / "run")) == 4


def test_starting_from_a_model_with_other_classes(tmp_path):
    data = write_feature_world(tmp_path / "data")
    train(_experiment(data, epochs=2), tmp_path / "first", threads=1, quiet=True)
    text = data.read_text().replace("down", "falling")
    (tmp_path / "data" / "other.csv").write_text(text)
    second = replace(
        _experiment(tmp_path / "data" / "other.csv", epochs=1, lr=1e-12),
        init=str(tmp_path / "first"),
    )
    train(second, tmp_path / "second", threads=1, quiet=True)

    a, b = load_model(tmp_path / "first" / "last"), load_model(tmp_path / "second" / "last")
    assert b.model.class_names == ("falling", "up")
    row = a.model.class_names.index("up"), b.model.class_names.index("up")
    torch.testing.assert_close(
        b.model.head.linear.weight[row[1]], a.model.head.linear.weight[row[0]]
    )
    for x, y in zip(a.model.recurrent.parameters(), b.model.recurrent.parameters(), strict=True):
        torch.testing.assert_close(x, y)


def test_early_stopping_and_update_limit(tmp_path):
    data = write_feature_world(tmp_path / "data")
    limited = train(_experiment(data, max_steps=5), tmp_path / "limited", threads=1, quiet=True)
    patient = train(
        _experiment(data, epochs=50, patience=2, lr=1e-9),
        tmp_path / "patient",
        threads=1,
        quiet=True,
    )

    assert limited.steps == 5
    assert patient.epochs < 50


def test_what_cannot_be_trained_is_refused(tmp_path):
    data = write_feature_world(tmp_path / "data")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "precious").write_text("x")

    with pytest.raises(OutputError, match="exists already"):
        train(_experiment(data), tmp_path / "run", quiet=True)
    with pytest.raises(ConfigError, match="no data to train on"):
        train(Experiment(), tmp_path / "other", quiet=True)


def test_a_mistake_leaves_everything_as_it_was(tmp_path):
    data = write_feature_world(tmp_path / "data")
    train(_experiment(data, epochs=1), tmp_path / "run", threads=1, quiet=True)
    before = sorted(p.name for p in (tmp_path / "run").iterdir())

    with pytest.raises(DataError):
        train(_experiment(tmp_path / "none"), tmp_path / "run", overwrite=True, quiet=True)
    with pytest.raises(DataError):
        train(_experiment(tmp_path / "none"), tmp_path / "new", quiet=True)

    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "run"]


def test_balanced_weights_smoothing_and_mean_weights_run(tmp_path):
    data = write_feature_world(tmp_path / "data")
    experiment = _experiment(data, epochs=2, ema_decay=0.9, optimizer="sgd", schedule="step")
    experiment = replace(
        experiment,
        dataset=replace(experiment.dataset, balanced=True, join_probability=0.5),
        task=TaskConfig(class_weights="balanced", label_smoothing=0.1),
    )

    summary = train(experiment, tmp_path / "run", threads=1, quiet=True)

    assert summary.steps > 0


def test_slices_cover_the_batch_in_order():
    batch = ClipBatch(
        frames_BTCHW=None,
        features_BTD=torch.arange(10.0).reshape(5, 2, 1),
        valid_mask_BT=torch.ones(5, 2, dtype=torch.bool),
        reset_mask_BT=torch.zeros(5, 2, dtype=torch.bool),
        targets_BTK=torch.zeros(5, 2, 3),
        video_ids=tuple("abcde"),
    )

    parts = list(split_batch(batch, 2))

    assert [p.video_ids for p in parts] == [("a", "b"), ("c", "d"), ("e",)]
    assert torch.cat([p.features_BTD for p in parts]).equal(batch.features_BTD)
    assert [len(p) for p in split_batch(batch, None)] == [5]


def test_stages_follow_the_one_setting():
    def spans(unfreeze_at):
        found = stages(TrainConfig(unfreeze_at=unfreeze_at), 10)
        return [(s.first_epoch, s.end_epoch, s.joint) for s in found]

    assert spans(None) == [(0, 10, False)]
    assert spans(0) == [(0, 10, True)]
    assert spans(4) == [(0, 4, False), (4, 10, True)]
    assert spans(12) == [(0, 10, False)]


def test_step_seeds_differ():
    seeds = {step_seed(a, b, c) for a in range(4) for b in range(50) for c in range(3)}

    assert len(seeds) == 600
