"""Sentences on the command line: train, continue, measure; and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.fakes.caption_worlds import write_caption_features, write_caption_pictures
from tests.fakes.command_line import Run

SMALL = [
    *("--model.hidden-size", "16", "--model.embedding-size", "16"),
    *("--dataset.min-count", "1", "--dataset.val-fraction", "0.25", "--batch-size", "12"),
    *("--train.warmup-steps", "0", "--lr", "0.02", "--threads", "1", "--precision", "float32"),
]


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def command(lrcn: Run) -> Callable[..., Done]:
    """What a command line gives, by name."""
    return lambda *arguments: Done(*lrcn(*arguments))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A captioner of feature files, trained by the command."""
    from lrcn.cli.main import main

    root = tmp_path_factory.mktemp("captions")
    data = write_caption_features(root / "data", copies=2)
    code = main(
        [
            "train",
            "--data",
            str(data),
            "--out",
            str(root / "run"),
            "--epochs",
            "12",
            "--quiet",
            *SMALL,
        ]
    )
    assert code == 0
    return root / "run"


def test_the_task_follows_from_the_columns(command, run: Path) -> None:
    assert (run / "best" / "vocabulary.json").is_file()
    assert (run / "best" / "config.json").read_text().count('"task": "caption"') == 1
    # No CNN for feature files, as with classes.
    assert "backbone: none" in (run / "experiment.yaml").read_text()


def test_evaluate_gives_the_fields_scores_with_intervals_and_protocol(command, run: Path) -> None:
    test = write_caption_features(run.parent / "test", copies=1)
    done = command("evaluate", run, "--data", test, "--json", "--quiet")

    assert done.code == 0, done.err
    found = json.loads(done.out)
    for key in ("bleu_1", "bleu_4", "rouge_l", "cider", "cider_d"):
        low, high = found[f"{key}_interval"]
        assert low <= found[key] <= high
    assert found["protocol"]["decoding"]["beam_size"] == 5
    assert found["protocol"]["decoding"]["length_penalty"] == 0.7
    assert found["protocol"]["split"] == "all"
    assert len(found["captions"]) == found["protocol"]["num_items"] == 12
    assert all(c["caption"] and len(c["references"]) == 2 for c in found["captions"])
    kept = sorted((run / "results").glob("*.json"))
    assert json.loads(kept[-1].read_text())["cider_d"] == found["cider_d"]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--decoder", "best-of-10-t1.5"], {"method": "sample", "num_samples": 10}),
        (["--method", "greedy"], {"method": "greedy", "beam_size": 5}),
        (["--beam-size", "7", "--length-penalty", "0"], {"beam_size": 7, "length_penalty": 0.0}),
    ],
)
def test_the_search_can_be_chosen(command, run: Path, flags: list[str], expected: dict) -> None:
    test = write_caption_features(run.parent / "test", copies=1)
    done = command("evaluate", run, "--data", test, "--json", "--quiet", *flags)

    assert done.code == 0, done.err
    decoding = json.loads(done.out)["protocol"]["decoding"]
    assert {key: decoding[key] for key in expected} == expected


def test_retrieval_is_measured_kept_and_reported(command, run: Path) -> None:
    test = write_caption_features(run.parent / "test", copies=1)
    ask = ("evaluate", run, "--data", test, "--retrieval", "--quiet")
    done = command(*ask, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["task"] == "retrieval"
    for way in ("caption_to_image", "image_to_caption"):
        for key in ("recall_at_1", "recall_at_5", "recall_at_10", "median_rank"):
            low, high = found[f"{way}_{key}_interval"]
            assert low <= found[f"{way}_{key}"] <= high
        assert found[f"{way}_recall_at_1"] > 0.5 > found["chance"][f"{way}_recall_at_1"]
    assert found["protocol"]["retrieval"]["num_images"] == 12
    assert found["protocol"]["seed"] == 0
    done = command(*ask, "--num-images", "4", "--no-normalise", "--count-eos")
    assert done.code == 0, done.err
    assert "4 videos and 8 captions" in done.out
    done = command("evaluate", run, "--data", test, "--quiet")
    assert "vocabulary_use" in done.out
    assert "novelty" in done.out
    assert command("report", run).code == 0
    page = (run / "report.html").read_text()
    assert "Recall@10" in page
    assert page.count("chance") == 2

    for flags, message in (
        (("--num-images", "4"), "go with --retrieval"),
        (("--retrieval", "--beam-size", "2"), "has no effect"),
        (("--retrieval", "--num-images", "99"), "the data has 12"),
    ):
        done = command("evaluate", run, "--data", test, *flags)
        assert done.code == 2
        assert message in done.err


def test_what_was_trained_on_is_not_measured(command, run: Path) -> None:
    data = run.parent / "data" / "captions.csv"
    done = command("evaluate", run, "--data", data, "--json", "--quiet")
    assert done.code == 0, done.err
    protocol = json.loads(done.out)["protocol"]
    assert protocol["split_how"] == "held out by the run"
    assert protocol["num_items"] == 6

    done = command("evaluate", run, "--data", data, "--split", "all", "--quiet")
    assert done.code == 2
    assert "were trained on" in done.err
    done = command("evaluate", run, "--json", "--quiet")
    assert json.loads(done.out)["protocol"]["num_items"] == 6


def test_a_finished_run_can_be_resumed_without_saying_anything(command, run: Path) -> None:
    done = command("train", "--resume", "--out", run, "--json", "--quiet", "--threads", "1")
    assert done.code == 0, done.err
    assert json.loads(done.out)["val_cider_d"] is not None


def test_photos_and_images_folder(command, tmp_path: Path) -> None:
    data = write_caption_pictures(tmp_path / "photos", copies=1)
    listed = tmp_path / "captions.csv"
    listed.write_text(data.read_text())
    flags = ["--images", tmp_path / "photos", "--backbone", "small", "--model.input-px", "32"]
    done = command(
        *("train", "--data", listed, "--out", tmp_path / "run", "--epochs", "1", "--quiet"),
        *(*flags, *SMALL),
    )
    assert done.code == 0, done.err
    done = command(
        "evaluate", tmp_path / "run", "--data", listed, "--allow-leaks", "--split", "all"
    )
    assert done.code == 0, done.err
    assert "cider_d" in done.out
    assert "novelty" in done.out  # photos lie elsewhere than the list
    assert "scores look too good" in done.err


@pytest.mark.parametrize(
    ("header", "flags", "message"),
    [
        ("path,caption", ["--task", "activity"], "sentences and no labels"),
        ("path,label,caption", [], "--task activity or --task caption"),
        ("path,caption", ["--recipe", "motion_lrcn"], "sentences and no labels"),
        ("path,caption", ["--recipe", "captions", "--task", "activity"], "Leave one of them out"),
        ("path,caption", ["--modality", "flow"], "--modality belong to classes"),
        ("path,label", ["--images", "."], "--images belongs to sentences"),
        ("foo,bar", ["--images", "."], "one for the caption"),
        ("path,caption", ["--lr", "nan"], "train.lr"),
        ("path,caption", ["--lr", "inf"], "train.lr"),
    ],
)
def test_contradictions_are_errors(
    command, tmp_path: Path, header: str, flags: list[str], message: str
) -> None:
    data = tmp_path / "data.csv"
    cells = ["a.jpg", *("dog" for _ in header.split(",")[1:])]
    data.write_text(f"{header}\n{','.join(cells)}\n")
    done = command("train", "--data", data, "--out", tmp_path / "run", *flags)

    assert done.code == 2
    assert message in " ".join(done.err.split())
    assert not (tmp_path / "run").exists()


def test_settings_of_sentences_are_settings(command, tmp_path: Path) -> None:
    data = write_caption_features(tmp_path / "data", copies=1)
    done = command(
        *("train", "--data", data, "--print-config", "--task.scheduled-sampling", "0.2"),
        *("--decoding.beam-size", "4", "--dataset.tokenizer", "words"),
    )
    assert done.code == 0, done.err
    assert "scheduled_sampling: 0.2" in done.out
    assert "problem: caption" in done.out
    done = command("train", "--data", data, "--print-config", "--dataset.tokeniser", "words")
    assert done.code == 2
    assert "Did you mean" in done.err
