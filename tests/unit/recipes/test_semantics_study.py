"""The study of semantic forms: what it trains, and that a folder holds one study."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lrcn.errors import DataError
from lrcn.recipes import semantics
from lrcn.recipes.semantics import (
    TRIPLETS,
    StudySettings,
    find_triplets,
    main,
    run_study,
    study_experiment,
)
from lrcn.recipes.semantics_scores import Cell, markdown, score_cells, score_differences
from lrcn.recipes.video_description import SEMANTIC_RECIPES, SEMANTIC_ROWS
from lrcn.train.run import load_any_experiment


def test_rows_train_their_recipes_and_the_study_makes_them_smaller(tmp_path: Path) -> None:
    trained = [row.recipes for row in SEMANTIC_ROWS.values() if row.recipes]
    assert trained == [(name,) for name in SEMANTIC_RECIPES]
    assert SEMANTIC_ROWS["V4"].expected  # numbers only: others' systems
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / TRIPLETS).write_text("vid1\ta,b,c:1|\n")
    settings = StudySettings(steps=3, hidden_size=8, captions="one", train_noise=0.5)
    for name in SEMANTIC_RECIPES:
        experiment = study_experiment(name, tmp_path, seed=2, settings=settings)
        assert experiment.dataset.semantics == str(find_triplets(tmp_path))
        assert experiment.dataset.semantic_noise == 0.0
        assert (experiment.model.hidden_size, experiment.train.seed) == (8, 2)
        assert experiment.train.max_steps == 3
        noisy = study_experiment(name, tmp_path, seed=2, settings=settings, start=tmp_path / "run")
        assert noisy.init == str(tmp_path / "run")
        assert noisy.dataset.semantic_noise == 0.5
        assert noisy.train.max_steps == settings.noise_steps


def test_scores_are_means_over_seeds_and_differences_are_paired() -> None:
    references = {
        f"v{i}": [f"a man cuts the {word} now", f"he cuts a {word} here"]
        for i, word in enumerate(("carrot", "bread", "rope", "paper", "hair", "cake"))
    }
    right = {key: texts[0] for key, texts in references.items()}
    wrong = dict.fromkeys(references, "a dog runs in the snow")
    said = {
        Cell("semantic_max", 0.0): [right, wrong],
        Cell("semantic_prob", 0.0): [right, right],
    }
    scored = score_cells(references, said, keys=("bleu_4", "rouge_l"))
    first, second = (cell.to_dict() for cell in scored)
    assert second["bleu_4"] == pytest.approx(1.0)
    assert first["bleu_4_seeds"] == pytest.approx([1.0, 0.0], abs=1e-6)
    assert first["bleu_4"] == pytest.approx(0.5, abs=1e-6)
    assert first["distinct_sentences"] == [6, 1]
    assert first["num_items"] == 6
    gain = score_differences(scored, "semantic_max", "semantic_prob", noise=0.0)
    assert gain["bleu_4"] == pytest.approx(0.5, abs=1e-6)
    # Every video gains the same, so that no draw of videos changes the difference.
    assert gain["bleu_4_interval"] == pytest.approx([0.5, 0.5], abs=1e-6)
    table = markdown(
        {"keys": ["bleu_4", "rouge_l"], "cells": [first, second], "differences": [gain]}
    )
    assert "| semantic_prob - semantic_max | 0 | +0.500 (+0.500 to +0.500) |" in table


def test_other_settings_in_the_same_folder_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / TRIPLETS).write_text("vid1\ta,b,c:1|\n")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "settings.json").write_text('{"steps": 7}')
    assert main([str(tmp_path), str(tmp_path / "out")]) == 2
    assert "other settings" in capsys.readouterr().err


def test_a_folder_without_triplets_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DataError, match="no GTTriplets"):
        find_triplets(tmp_path)
    assert main([str(tmp_path), str(tmp_path / "out")]) == 2
    assert "Give the folder of MSVD" in capsys.readouterr().err


@pytest.mark.slow
def test_a_study_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three forms, one seed, two levels of noise; the second time nothing is trained or said."""
    msvd, out = tmp_path / "msvd", tmp_path / "out"
    videos = {f"vid{n}": ("dog", "run") if n % 2 else ("cat", "sleep") for n in range(1, 10)}
    (msvd / "text").mkdir(parents=True)
    parts = {"train": range(1, 6), "val": range(6, 8), "test": range(8, 10)}
    for part, numbers in parts.items():
        lines = [f"vid{n}\ta {' '.join(videos[f'vid{n}'])}s now\n" for n in numbers]
        (msvd / "text" / f"sents_{part}_lc_nopunc.txt").write_text("".join(lines))
    names = [f"clip_{n}_{n + 1} vid{n}\n" for n in range(1, 10)]
    (msvd / "text" / "youtube_video_to_id_mapping.txt").write_text("".join(names))
    counted = [f"{video}\t{a},{b},:3|\n" for video, (a, b) in videos.items()]
    (msvd / "text" / TRIPLETS).write_text("".join(counted))
    settings = StudySettings(
        steps=2,
        hidden_size=4,
        batch_size=4,
        min_count=1,
        min_label_count=1,
        train_noise=0.5,
        noise_steps=1,
    )
    given = {"num_seeds": 1, "noise": (0.0, 0.5), "keys": ("bleu_4", "cider_d"), "threads": 1}

    document = run_study(msvd, out, settings, **given)  # type: ignore[arg-type] # by name, of many types

    assert [(cell["form"], cell["noise"]) for cell in document["cells"]] == [
        (name, noise) for name in SEMANTIC_RECIPES for noise in (0.0, 0.5)
    ]
    assert all(cell["num_items"] == 2 for cell in document["cells"])
    assert len(document["differences"]) == 6
    kept = json.loads((out / "semantics.json").read_text())
    assert kept["settings"]["steps"] == 2
    runs = out / "runs"
    for name in SEMANTIC_RECIPES:
        noisy = load_any_experiment(runs / f"{name}-0-with-noise")
        assert noisy.init == str(runs / f"{name}-0")
        assert load_any_experiment(runs / f"{name}-0").init is None
    monkeypatch.setattr(semantics, "train", None)
    monkeypatch.setattr(semantics, "say", None)
    assert run_study(msvd, out, settings, **given)["cells"] == document["cells"]  # type: ignore[arg-type] # as above
