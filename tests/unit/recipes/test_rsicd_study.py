"""The study of sentences: its cells, what it measures, and that it goes on where it stopped."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.fakes.caption_worlds import sentences, write_caption_pictures

from lrcn.data.captions import read_captions
from lrcn.recipes import rsicd_study
from lrcn.recipes.captions import rsicd
from lrcn.recipes.rsicd_cells import DEFAULT, CaptionCell, caption_cells, decoders
from lrcn.recipes.rsicd_measure import Photos, measure_neighbours
from lrcn.recipes.rsicd_study import STUDY_NAME, main
from lrcn.settings import to_dict
from lrcn.structures import CaptionItem, CaptionList
from lrcn.train.caption_config import CaptionExperiment


def _differences(one: object, other: object, name: str = "") -> set[str]:
    """Dotted names of the settings that differ."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return set() if one == other else {name}
    return set().union(*(_differences(one[k], other[k], f"{name}.{k}".lstrip(".")) for k in one))


def test_a_cell_differs_from_the_default_in_one_factor() -> None:
    cells = {cell.name: cell for cell in caption_cells()}
    base = to_dict(cells[DEFAULT].experiment)
    assert cells[DEFAULT].experiment == rsicd()
    changed = {
        name: _differences(to_dict(cell.experiment), base)
        for name, cell in cells.items()
        if cell.starts_from is None
    }
    assert len(cells) == 13
    assert changed.pop(DEFAULT) == set()
    assert all(changed.values())
    assert changed["lrcn_2u"] == {"model.factored"}
    assert changed["turned"] == {"dataset.transform.quarter_turns"}
    several = {name for name, what in changed.items() if len(what) > 1}
    assert several == {"dropout_0"}
    # What goes on from the default's run is the same network.
    for name in ("self_critical", "finetuned"):
        assert cells[name].starts_from == DEFAULT
        assert cells[name].experiment.model == cells[DEFAULT].experiment.model


def test_the_searches_are_those_of_the_paper_and_ours() -> None:
    found = decoders()
    assert len(found) == 1 + 10 + 12 + 4
    assert found["N 100, T 1.5"].temperature == pytest.approx(1 / 1.5)
    assert [found[f"beam {n}"].beam_size for n in range(1, 11)] == list(range(1, 11))
    assert found["beam 3"].length_penalty == 0


def _photos(names: list[tuple[str, str]], features: np.ndarray) -> Photos:
    items = tuple(
        CaptionItem(path=f"{k}.jpg", item_id=f"{k}", captions=sentences(*name), split=None)
        for k, name in enumerate(names)
    )
    captions = CaptionList(items=items, source="test", layout="csv", media="image")
    return Photos(captions=captions, features_ND=torch.from_numpy(features).float())


def test_a_neighbour_that_is_right_is_found() -> None:
    """Test photos that look like training photos of the same sentences, in another order."""
    names = [(colour, place) for colour in ("red", "green", "blue") for place in ("left", "top")]
    order = [3, 1, 5, 0, 4, 2]
    train = _photos(names, np.eye(6))
    test = _photos([names[k] for k in order], 0.9 * np.eye(6)[order])

    found = measure_neighbours(train, test)

    for way in ("caption_to_image", "image_to_caption"):
        assert found["retrieval"][f"{way}_recall_at_1"] == 1.0
        assert found["retrieval_chance"][f"{way}_recall_at_1"] < 0.4
    assert found["sentences"]["bleu_4"] == pytest.approx(1.0)
    turned = _photos([names[k] for k in order], np.roll(np.eye(6)[order], 1, axis=0))
    assert measure_neighbours(train, turned)["sentences"]["bleu_4"] < 0.9


def _small(cell: CaptionCell) -> CaptionCell:
    """On pictures of 32 pixels; the CNN is frozen where the cell says so."""
    experiment: CaptionExperiment = cell.experiment
    model = replace(
        experiment.model,
        backbone="small",
        weights="random",
        input_px=32,
        crop_fraction=None,
        hidden_size=8,
        embedding_size=8,
    )
    train = replace(
        experiment.train,
        epochs=1,
        unfreeze_at=experiment.train.epochs if experiment.train.unfreeze_at is None else 0,
        precision="float32",
    )
    small = replace(experiment, model=model, train=train)
    return replace(cell, experiment=small)


@pytest.mark.slow
def test_the_study_runs_and_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = read_captions(write_caption_pictures(tmp_path / "pictures", copies=3))
    rows = [
        {
            "path": item.path,
            "captions": list(item.captions),
            "split": ("train", "val", "test")[int(item.item_id.rpartition("_")[2][0])],
        }
        for item in listed.items
    ]
    data = tmp_path / "captions.jsonl"
    data.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")
    monkeypatch.setenv("LRCN_CACHE", str(tmp_path / "cache"))
    cells = [_small(cell) for cell in caption_cells()]
    monkeypatch.setattr(rsicd_study, "caption_cells", lambda: cells)
    chosen = {name: decoders()[name] for name in ("greedy", "beam 2", "N 10, T 2")}
    monkeypatch.setattr(rsicd_study, "decoders", lambda: chosen)
    arguments = [str(data), str(tmp_path / "out"), "--seeds", "1", "--threads", "1"]
    names = [DEFAULT, "rnn_2f", "self_critical", "finetuned"]

    assert main([*arguments, "--cells", *names]) == 0

    table = capsys.readouterr().out
    assert all(name in table for name in [*names, "N 10, T 2", "chance"])
    assert "Left out: lrcn_1u" in table
    found = json.loads((tmp_path / "out" / STUDY_NAME).read_text(encoding="utf-8"))
    assert [cell["name"] for cell in found["cells"]] == names
    assert {"bleu_4", "cider_d"} <= set(found["decoders"]["beam 2"])
    assert found["retrieval"]["num_captions"] == 2 * found["retrieval"]["num_images"] == 24
    assert found["cells"][1]["retrieval"]["num_captions"] == 12

    monkeypatch.setattr(rsicd_study, "train", lambda *_, **__: pytest.fail("trained again"))
    assert main([*arguments, "--cells", *names]) == 0
    assert capsys.readouterr().out == table


def test_bad_input_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "absent"), str(tmp_path / "out")]) == 2
    assert "absent" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    for wrong in (["--cells", "lrcn_3u"], ["--seeds", "0"]):
        with pytest.raises(SystemExit) as stopped:
            main([str(tmp_path), str(tmp_path / "out"), *wrong])
        assert stopped.value.code == 2
