"""Rendered clips of several events, one after the other: the order decides whether one is true.

::

    OUT/
    ├── train/00000.mp4 ...   val/ and test/ likewise
    ├── captions.jsonl        one line a clip: its sentence, and its events with their times
    ├── labels.csv            one line an event: colour, shape and action, for a recogniser
    └── events.json           settings and seed: enough to make the very same bytes again

One shape appears, does something and is gone; then comes the next, in another colour, in front of
the same background: "a red square slides left, then a blue disc spins". Actions are drawn freely,
so the first event tells nothing of the second. Every clip is a function of (seed, part, number).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lrcn.data.events_config import EventConfig
from lrcn.data.motion import clip_writer
from lrcn.data.motion_config import MotionConfig
from lrcn.data.motion_render import render
from lrcn.data.motion_scene import Scene, draw_sequence
from lrcn.data.motion_words import clip_sentence, events
from lrcn.data.world_folder import EVENTS_ABOUT_NAME, LABELS_NAME, make_world, numbered, write_csv

_KEY = 11
"""Of these clips' random numbers, so that they are not those of the motion world."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _About:
    """What is written down."""

    events: EventConfig
    world: MotionConfig


def make_events(
    out: Path,
    config: EventConfig,
    world: MotionConfig,
    *,
    num_train: int,
    num_val: int,
    num_test: int,
    seed: int = 0,
    threads: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Render clips into a new folder; written beside it first, then renamed.

    Args:
        out: Must not exist.
        config: How many events, and how long.
        world: What is seen; of its settings `num_frames`, `two_shapes` and `second_shape` do not
            count, since one shape acts at a time.
        num_train: Clips to train on.
        num_val: Clips to choose a model by.
        num_test: Clips to measure on.
        seed: The same seed and settings give the same bytes.
        threads: Clips rendered at the same time.
        progress: Called with (clips done, clips in all).

    Raises:
        ConfigError: a number of clips is negative, or all are 0.
        OutputError: the folder exists or cannot be written.
    """
    counts = (num_train, num_val, num_test)

    def make(path: Path, key: tuple[int, int]) -> dict[str, Any]:
        return _make_clip(path, config, world, np.random.default_rng([seed, _KEY, *key]))

    make_world(
        out,
        _About(events=config, world=world),
        counts,
        numbered(counts, ".mp4"),
        make,
        what="clips",
        about_name=EVENTS_ABOUT_NAME,
        seed=seed,
        threads=threads,
        progress=progress,
        lists=lambda lines: {LABELS_NAME: _labels(lines)},
    )


def draw_events(config: EventConfig, world: MotionConfig, rng: np.random.Generator) -> Scene:
    """What happens in one clip."""
    number = int(rng.integers(config.num_events[0], config.num_events[1] + 1))
    actions = [str(action) for action in rng.choice(list(world.actions), number)]
    least, most = config.event_frames
    lengths = [int(length) for length in rng.integers(least, most + 1, number)]
    return draw_sequence(world, actions, lengths, rng)


def _make_clip(
    path: Path, config: EventConfig, world: MotionConfig, rng: np.random.Generator
) -> dict[str, Any]:
    """Render and write one clip; its line of captions."""
    scene = draw_events(config, world, rng)
    with clip_writer(path, world) as writer:
        for frame_HWC in render(scene, world, rng):
            writer.write(frame_HWC)
    return {
        "path": f"{path.parent.name}/{path.name}",
        "split": path.parent.name,
        "captions": [clip_sentence(scene)],
        "events": events(scene, world),
    }


def _labels(lines: Sequence[dict[str, Any]]) -> str:
    """Every event as an interval with three labels, as CSV."""
    rows = [
        (
            line["path"],
            ";".join((event["colour"], event["shape"], event["action"])),
            event["start_seconds"],
            event["end_seconds"],
            line["split"],
        )
        for line in lines
        for event in line["events"]
    ]
    return write_csv(("path", "label", "start_seconds", "end_seconds", "split"), rows)
