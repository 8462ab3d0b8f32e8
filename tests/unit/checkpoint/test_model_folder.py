"""Finding a model folder by whatever name the user gives it, and what its card says."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrcn.checkpoint import ModelCard, find_model_folder, new_folder
from lrcn.checkpoint.folder import result_lines
from lrcn.errors import ModelError


def _model_folder(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def test_the_folder_one_is_in_can_be_the_run_or_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    best = _model_folder(tmp_path / "run" / "best")
    for place, name in ((best.parent, "."), (best, "."), (best, ".."), (best.parent, "best/..")):
        monkeypatch.chdir(place)
        assert find_model_folder(name).resolve() == best


def test_folders_without_a_name_are_no_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (".", "/"):
        with pytest.raises(ModelError, match="no model at"):
            find_model_folder(name)


def test_a_folder_can_be_written_over_the_one_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "model" / "inside"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    with new_folder(Path("..")) as draft:
        (draft / "config.json").write_text("{}")
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    assert [p.name for p in (tmp_path / "model").iterdir()] == ["config.json"]


def test_counts_on_a_card_are_whole_numbers() -> None:
    card = ModelCard(
        data="here", results={"accuracy_top1": 0.5, "val_num_videos": 8, "num_skipped": 0.0}
    )
    lines = result_lines(card)
    assert "| val_num_videos | 8 |  |" in lines
    assert "| num_skipped | 0 |  |" in lines
    assert "| accuracy_top1 | 0.5000 |  |" in lines
