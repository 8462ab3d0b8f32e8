"""One function per experiment, returning it whole: data, network, loss, training, expected score.

Each docstring holds the command, the data, the time and the expected score.
"""

from __future__ import annotations

from collections.abc import Callable

from lrcn.errors import ConfigError
from lrcn.recipes import auto, events, motion, paper, pictures, shared
from lrcn.recipes.caption_rows import CAPTION_ROWS
from lrcn.recipes.captions import CAPTION_RECIPES
from lrcn.recipes.rows import ROWS, PaperRow
from lrcn.recipes.video_description import SEMANTIC_ROWS
from lrcn.settings import did_you_mean
from lrcn.train.caption_config import AnyExperiment
from lrcn.train.config import Experiment

RECIPES: dict[str, Callable[[], Experiment]] = {
    "auto": auto.auto,
    "finetune": auto.finetune,
    "motion_single_frame": motion.single_frame,
    "motion_lrcn": motion.lrcn,
    "events_recogniser": events.events_recogniser,
    "pictures_recogniser": pictures.pictures_recogniser,
    "ucf101_6": shared.ucf101_6,
    "weizmann_single_frame": shared.weizmann_single_frame,
    "weizmann_lrcn": shared.weizmann_lrcn,
    "ucf101_single_frame_rgb": paper.single_frame_rgb,
    "ucf101_single_frame_flow": paper.single_frame_flow,
    "ucf101_lrcn_fc6_rgb": paper.lrcn_fc6_rgb,
    "ucf101_lrcn_fc6_flow": paper.lrcn_fc6_flow,
    "ucf101_lrcn_fc6_flow_hidden256": paper.lrcn_fc6_flow_hidden256,
    "ucf101_lrcn_fc6_flow_hidden512": paper.lrcn_fc6_flow_hidden512,
    "ucf101_lrcn_fc7_rgb": paper.lrcn_fc7_rgb,
    "ucf101_lrcn_fc7_flow": paper.lrcn_fc7_flow,
    "ucf101_lrcn_fc6_rgb_hidden512": paper.lrcn_fc6_rgb_hidden512,
    "ucf101_lrcn_fc6_rgb_hidden1024": paper.lrcn_fc6_rgb_hidden1024,
    "ucf101_lrcn_fc6_rgb_stride2": paper.lrcn_fc6_rgb_stride2,
    "ucf101_lrcn_fc6_rgb_dropout05": paper.lrcn_fc6_rgb_dropout05,
}
"""Name of a recipe → the function that returns its experiment."""


def get(name: str) -> Experiment:
    """The experiment of a recipe.

    Raises:
        ConfigError: there is no recipe of that name.
    """
    if name in CAPTION_RECIPES:
        raise ConfigError(
            f"recipe {name!r} is one with sentences, and one with classes is needed here."
            f" Known: {', '.join(RECIPES)}"
        )
    experiment = get_any(name)
    assert isinstance(experiment, Experiment)
    return experiment


def get_any(name: str) -> AnyExperiment:
    """The experiment of a recipe, with classes or with sentences.

    Raises:
        ConfigError: there is no recipe of that name.
    """
    known = all_recipes()
    row = all_rows().get(name.upper())
    if name not in known and row is not None:
        raise ConfigError(
            f"{name!r} is a row of the paper, and one recipe is needed here; its recipes:"
            f" {', '.join(row.recipes) or 'none'}. `lrcn recipes {name}` shows its commands"
        )
    if name not in known:
        raise ConfigError(
            f"unknown recipe {name!r}.{did_you_mean(name, list(known))}"
            f" `lrcn recipes` lists them: {', '.join(known)}"
        )
    return known[name]()


def all_recipes() -> dict[str, Callable[[], AnyExperiment]]:
    """Name of every recipe, with classes and then with sentences → its function."""
    return {**RECIPES, **CAPTION_RECIPES}


def all_rows() -> dict[str, PaperRow]:
    """Name of every row of the paper's checklist → the row."""
    return {**ROWS, **CAPTION_ROWS, **SEMANTIC_ROWS}
