"""Rendered pictures with exact sentences: a set of captions in which each has a true answer.

::

    OUT/
    ├── train/00000.png ...   val/ and test/ likewise
    ├── captions.jsonl        one line a picture: its sentence and the facts behind it
    ├── labels.csv            what stands at each place: size, colour and shape, for a recogniser
    └── pictures.json         settings and seed: enough to make the very same bytes again

One or two shapes stand in two of nine places. Sizes keep a gap and centres a margin, so that every
sentence can be seen to be true or false; shapes do not cover each other. Two are named from the
top to the bottom, then from left to right. Every picture is a function of (seed, part, number).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lrcn.data.motion_config import COLOURS, MotionConfig
from lrcn.data.motion_render import render
from lrcn.data.motion_scene import Actor, FloatArray, Scene
from lrcn.data.motion_words import place_words
from lrcn.data.pictures_config import PictureConfig
from lrcn.data.world_folder import LABELS_NAME, PICTURES_ABOUT_NAME, make_world, numbered, write_csv
from lrcn.video.frames import write_picture

_KEY = 7
"""Of pictures' random numbers, so that they are not those of clips."""

_TRIES = 10_000


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One shape of a picture, as a sentence tells it."""

    size: str
    colour: str
    shape: str
    row: int
    column: int

    @property
    def place(self) -> str:
        """Its place in words: "at the top left"."""
        return place_words(self.row, self.column)

    def __str__(self) -> str:
        return f"a {self.size} {self.colour} {self.shape} {self.place}"


def make_pictures(
    out: Path,
    config: PictureConfig,
    *,
    num_train: int,
    num_val: int,
    num_test: int,
    seed: int = 0,
    threads: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Render pictures into a new folder; written beside it first, then renamed.

    Args:
        out: Must not exist.
        config: What is seen.
        num_train: Pictures to train on.
        num_val: Pictures to choose a model by.
        num_test: Pictures to measure on.
        seed: The same seed and settings give the same bytes.
        threads: Pictures rendered at the same time.
        progress: Called with (pictures done, pictures in all).

    Raises:
        ConfigError: a number of pictures is negative, or all are 0.
        OutputError: the folder exists or cannot be written.
    """
    counts = (num_train, num_val, num_test)

    def make(path: Path, key: tuple[int, int]) -> dict[str, Any]:
        return _make_one(path, config, [seed, _KEY, *key])

    make_world(
        out,
        config,
        counts,
        numbered(counts, ".png"),
        make,
        what="pictures",
        about_name=PICTURES_ABOUT_NAME,
        seed=seed,
        threads=threads,
        progress=progress,
        lists=lambda lines: {LABELS_NAME: _labels(lines)},
    )


def picture_caption(standing: Sequence[Standing]) -> str:
    """The sentence of a picture: "a small red disc at the top and a large blue bar on the left"."""
    return " and ".join(map(str, sorted(standing, key=lambda one: (one.row, one.column))))


def _make_one(path: Path, config: PictureConfig, key: Sequence[int]) -> dict[str, Any]:
    rng = np.random.default_rng(key)
    scene, standing = draw_picture(config, rng)
    seen = MotionConfig(
        width=config.width, height=config.height, contrast=config.contrast, noise=config.noise
    )
    write_picture(path, render(scene, seen, rng)[0])
    return {
        "path": f"{path.parent.name}/{path.name}",
        "split": path.parent.name,
        "captions": [picture_caption(standing)],
        "facts": [
            {"size": one.size, "colour": one.colour, "shape": one.shape, "place": one.place}
            for one in standing
        ],
    }


def _labels(lines: Sequence[dict[str, Any]]) -> str:
    """Every picture with three labels for each of its shapes, as CSV: "red at the top"."""
    rows = [
        (
            line["path"],
            ";".join(
                f"{one[what]} {one['place']}"
                for one in line["facts"]
                for what in ("size", "colour", "shape")
            ),
            line["split"],
        )
        for line in lines
    ]
    return write_csv(("path", "label", "split"), rows)


def draw_picture(
    config: PictureConfig, rng: np.random.Generator
) -> tuple[Scene, tuple[Standing, ...]]:
    """Draw one or two shapes that do not cover each other, and the background."""
    num_shapes = 2 if rng.random() < config.two_shapes else 1
    colours = [str(colour) for colour in rng.permutation(list(COLOURS))[:num_shapes]]
    grey, texture_seed = float(rng.uniform(85, 165)), int(rng.integers(2**31))
    for _ in range(_TRIES):
        drawn = [_draw_one(config, colour, rng) for colour in colours]
        if _are_apart([actor for actor, _ in drawn], [one for _, one in drawn]):
            break
    else:
        raise AssertionError(f"two shapes of {config} never stand apart")
    actors, standing = zip(*drawn, strict=True)
    scene = Scene(actors=actors, grey=grey, drift_yx=(0.0, 0.0), texture_seed=texture_seed)
    return scene, standing


def _draw_one(
    config: PictureConfig, colour: str, rng: np.random.Generator
) -> tuple[Actor, Standing]:
    shape = str(rng.choice(list(config.shape_names)))
    size = str(rng.choice(["small", "large"]))
    least, most = config.small if size == "small" else config.large
    radius = config.short_side * rng.uniform(least, most)
    row, column = (int(cell) for cell in rng.integers(3, size=2))
    standing = Standing(size=size, colour=colour, shape=shape, row=row, column=column)
    actor = Actor(
        shape_name=shape,
        colour=colour,
        action="rest",
        x_T=_at(_centre(config, config.width, column, radius, rng)),
        y_T=_at(_centre(config, config.height, row, radius, rng)),
        radius_T=_at(radius),
        angle_T=_at(rng.uniform(0, 2 * np.pi)),
    )
    return actor, standing


def _centre(
    config: PictureConfig, extent: int, cell: int, radius: float, rng: np.random.Generator
) -> float:
    """A place in a third of the extent, away from its lines and inside the picture."""
    margin = config.margin * config.short_side
    low, high = extent * cell / 3 + margin, extent * (cell + 1) / 3 - margin
    return float(rng.uniform(max(low, radius + 1), min(high, extent - radius - 1)))


def _are_apart(actors: Sequence[Actor], standing: Sequence[Standing]) -> bool:
    if len(actors) < 2:
        return True
    one, other = actors
    distance = np.hypot(one.x_T[0] - other.x_T[0], one.y_T[0] - other.y_T[0])
    places = {(each.row, each.column) for each in standing}
    return len(places) == 2 and bool(distance > one.radius_T[0] + other.radius_T[0] + 1)


def _at(value: float) -> FloatArray:
    """A path of one moment."""
    return np.array([value], dtype=np.float32)
