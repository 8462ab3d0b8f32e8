"""Recipes with sentences: they hold together, say what to type, and are the paper's numbers."""

from __future__ import annotations

import inspect
import shlex

import pytest

from lrcn.errors import ConfigError
from lrcn.recipes import all_recipes, get, get_any
from lrcn.recipes.caption_rows import CAPTION_ROWS
from lrcn.recipes.captions import CAPTION_RECIPES
from lrcn.settings import from_dict, to_dict
from lrcn.train.caption_config import CaptionExperiment

PAPER = sorted(name for name in CAPTION_RECIPES if name.startswith(("coco_", "flickr30k_")))


@pytest.mark.parametrize("name", CAPTION_RECIPES)
def test_a_recipe_is_whole_and_says_what_to_type(name: str) -> None:
    experiment = get_any(name)
    assert isinstance(experiment, CaptionExperiment)
    assert experiment.name == name
    assert from_dict(CaptionExperiment, to_dict(experiment)) == experiment
    text = inspect.getdoc(CAPTION_RECIPES[name]) or ""
    for part in ("Command: lrcn train", "Data:", "Time:", "Expected:"):
        assert part in text


def test_tables_do_not_overlap() -> None:
    assert len(all_recipes()) == 21 + len(CAPTION_RECIPES) == 21 + 23
    with pytest.raises(ConfigError, match="is one with sentences"):
        get("coco_2f")
    with pytest.raises(ConfigError, match="Did you mean 'coco_2"):
        get_any("coco_2g")


@pytest.mark.parametrize("name", PAPER)
def test_the_papers_solver(name: str) -> None:
    """Paper 3.4: SGD of Caffe, step 20k by a half, loss x20, uniform 0.08."""
    experiment = get_any(name)
    train = experiment.train
    assert (train.optimizer, train.momentum, train.weight_decay) == ("caffe_sgd", 0.9, 0.0)
    trainval = name.endswith("trainval")
    assert (train.schedule, train.schedule_gamma) == ("step", 0.5)
    assert train.schedule_steps == (40_000 if trainval else 20_000)
    assert (train.batch_size, experiment.dataset.max_tokens) == (100, 20)
    assert experiment.task.loss_weight == 20
    assert (experiment.model.init, experiment.dataset.min_count) == ("paper", 5)
    if name.endswith("finetune") or trainval:
        assert (train.lr, train.backbone_lr) == (0.001, 0.0001)
        assert train.max_steps == (100_000 if trainval else 50_000)
        assert (train.unfreeze_at, train.clip_norm) == (0, 12.5 if "vgg" in name else 25.0)
    elif experiment.model.visual != "none":
        # fc8 learns at a tenth of the rate although the row says frozen.
        assert (train.lr, train.backbone_lr, train.clip_norm) == (0.01, 0.001, 10.0)
        assert (train.unfreeze_at, train.always_trained) == (None, ("fc8",))


def test_passes_over_the_training_captions() -> None:
    """110,000 updates of 100 captions are 26.6 passes over 414,113 (paper 3.5)."""
    train = get_any("coco_2f").train
    assert round((train.max_steps or 0) * train.batch_size / 414_113, 1) == 26.6


def test_every_command_of_the_rows_names_what_exists() -> None:
    commands = [shlex.split(c) for row in CAPTION_ROWS.values() for c in row.commands]
    assert len(commands) >= 25
    trained = set()
    for words in commands:
        if "--recipe" in words:
            assert words[words.index("--recipe") + 1] in CAPTION_RECIPES
            trained.add(words[words.index("--out") + 1])
        if words[1] == "evaluate":
            assert words[2] in trained
        if words[1] == "caption":
            assert words[2] in trained
    assert {name for row in CAPTION_ROWS.values() for name in row.recipes} == set(PAPER)
    assert list(CAPTION_ROWS) == [f"C{k}" for k in range(1, 17)]
    for row in CAPTION_ROWS.values():
        assert row.commands
        assert row.here
        assert row.not_here
        assert row.expected or row.published
