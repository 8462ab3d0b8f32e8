"""The study of semantic forms: what it trains, and that a folder holds one study."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrcn.errors import DataError
from lrcn.recipes.semantics import TRIPLETS, find_triplets, main, study_experiment
from lrcn.recipes.video_description import SEMANTIC_RECIPES, SEMANTIC_ROWS


def test_rows_train_their_recipes_and_the_study_makes_them_smaller(tmp_path: Path) -> None:
    assert [row.recipes for row in SEMANTIC_ROWS.values()] == [(name,) for name in SEMANTIC_RECIPES]
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / TRIPLETS).write_text("vid1\ta,b,c:1|\n")
    for name in SEMANTIC_RECIPES:
        experiment = study_experiment(
            name, tmp_path, seed=2, epochs=3, hidden_size=8, captions="one"
        )
        assert experiment.dataset.semantics == str(find_triplets(tmp_path))
        assert (experiment.model.hidden_size, experiment.train.seed) == (8, 2)


def test_a_folder_without_triplets_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DataError, match="no GTTriplets"):
        find_triplets(tmp_path)
    assert main([str(tmp_path), str(tmp_path / "out")]) == 2
    assert "Give the folder of MSVD" in capsys.readouterr().err
