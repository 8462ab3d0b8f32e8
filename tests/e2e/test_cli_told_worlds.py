"""The recipes of rendered events and pictures as they stand, a recogniser first, two steps each."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

import pytest
from tests.fakes.command_line import Run

from lrcn.checkpoint import load_captioner, load_model
from lrcn.data.motion_config import COLOURS, DEFAULT_ACTIONS, SHAPES
from lrcn.recipes import get_any
from lrcn.recipes.events import EVENT_RECIPES, events, events_mean
from lrcn.recipes.pictures import PICTURE_RECIPES
from lrcn.train.caption_config import CaptionExperiment

QUICK = ["--train.max-steps", "2", "--batch-size", "4", "--threads", "1", "--quiet"]


@pytest.mark.parametrize(
    ("world", "recipes"), [("events", EVENT_RECIPES), ("pictures", PICTURE_RECIPES)]
)
def test_from_a_recogniser_to_sentences(
    world: str, recipes: Collection[str], lrcn: Run, tmp_path: Path
) -> None:
    data, rec = tmp_path / world, tmp_path / "rec"
    few = ["--num-train", "6", "--num-val", "2", "--num-test", "3", "--quiet"]
    assert lrcn("data", "make", world, data, *few)[0] == 0
    # Sentences and labels lie there; without a word it is the sentences that are looked at.
    code, out, err = lrcn("data", "check", data)
    assert code == 0, err
    assert "11 captions" in out
    assert " classes" not in out
    command = ["train", "--recipe", f"{world}_recogniser", "--data", data / "labels.csv"]
    code, _, err = lrcn(*command, "--out", rec, *QUICK)
    assert code == 0, err
    recogniser = load_model(rec)
    assert recogniser.model.multi_label
    what = {label.split()[0] for label in recogniser.model.class_names}
    assert what <= {*COLOURS, *SHAPES, *DEFAULT_ACTIONS, "small", "large"}

    for name in recipes:
        run = tmp_path / "runs" / name
        command = ["train", "--recipe", name, "--data", data, "--init", rec, "--out", run]
        code, _, err = lrcn(*command, *QUICK)
        assert code == 0, err
        own, theirs = load_captioner(run / "last").model.backbone, recogniser.model.backbone
        assert own is not None
        assert theirs is not None
        assert own.state_dict()["convs.2.0.weight"].equal(theirs.state_dict()["convs.2.0.weight"])
        code, out, err = lrcn("evaluate", run, "--data", data, "--json", "--quiet")
        assert code == 0, err
        found = json.loads(out)
        assert found["protocol"]["split"] == "test"
        low, high = found["accuracy_exact_interval"]
        assert low <= found["accuracy_exact"] <= high


def test_the_layer_of_the_recogniser_fits_the_captioner() -> None:
    """What `train.start` asks for: the same width, and a projection that can pass features on."""
    model = events().model
    recogniser = get_any("events_recogniser")
    assert not isinstance(recogniser, CaptionExperiment)
    assert model.hidden_size == recogniser.model.hidden_size
    assert model.embedding_size >= 128
    assert events_mean().model.visual == "static"
