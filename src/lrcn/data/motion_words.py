"""Sentences about rendered clips and pictures; each has one true answer, known from the scene."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lrcn.data.motion_config import MotionConfig
from lrcn.data.motion_scene import Actor, Scene

VERBS = {
    "slide_left": ("slides left", "slide left"),
    "slide_right": ("slides right", "slide right"),
    "rise": ("rises", "rise"),
    "sink": ("sinks", "sink"),
    "spin": ("spins", "spin"),
    "spin_clockwise": ("spins clockwise", "spin clockwise"),
    "spin_anticlockwise": ("spins anticlockwise", "spin anticlockwise"),
    "grow": ("grows", "grow"),
    "shrink": ("shrinks", "shrink"),
    "turn_back": ("turns back", "turn back"),
    "pulse": ("pulses", "pulse"),
    "rest": ("rests", "rest"),
}
"""Action to what one shape does, and what two do."""

_ROWS = ("top", "", "bottom")
_COLUMNS = ("left", "", "right")


def clip_sentence(scene: Scene) -> str:
    """What happens: "a red square slides left"; with two shapes at once, what each does.

    What happens later follows: "a red square slides left, then a blue disc spins".
    """
    starts = sorted({actor.first_frame for actor in scene.actors})
    return ", then ".join(
        _at_once([actor for actor in scene.actors if actor.first_frame == start])
        for start in starts
    )


def _at_once(actors: Sequence[Actor]) -> str:
    first, *others = actors
    if not others:
        return f"{_name(first)} {VERBS[first.action][0]}"
    other = others[0]
    if first.action == other.action:
        return f"{_name(first)} and {_name(other)} {VERBS[first.action][1]}"
    return f"{_name(first)} {VERBS[first.action][0]}, {_name(other)} {VERBS[other.action][0]}"


def picture_sentence(scene: Scene, config: MotionConfig, frame_index: int) -> str:
    """What one frame shows: "a small red square at the top left"; nearest shape first."""
    return " and ".join(_seen(actor, config, frame_index) for actor in scene.actors)


def events(scene: Scene, config: MotionConfig) -> list[dict[str, Any]]:
    """The facts behind the sentences: who does what from when to when."""
    return [
        {
            "shape": actor.shape_name,
            "colour": actor.colour,
            "action": actor.action,
            "start_seconds": actor.first_frame / config.fps,
            "end_seconds": (actor.first_frame + len(actor.x_T)) / config.fps,
        }
        for actor in scene.actors
    ]


def place_words(row: int, column: int) -> str:
    """A cell of a grid of three by three: "at the top left", "on the right", "in the middle"."""
    down, across = _ROWS[row], _COLUMNS[column]
    if down and across:
        return f"at the {down} {across}"
    if down:
        return f"at the {down}"
    return f"on the {across}" if across else "in the middle"


def _name(actor: Actor) -> str:
    return f"a {actor.colour} {actor.shape_name}"


def _seen(actor: Actor, config: MotionConfig, t: int) -> str:
    return (
        f"a {_size(actor, config, t)} {actor.colour} {actor.shape_name} {_place(actor, config, t)}"
    )


def _size(actor: Actor, config: MotionConfig, t: int) -> str:
    """Small below the middle (in ratio) of the smallest and the largest possible radius."""
    largest = config.radius_max * config.short_side
    middle = largest / config.growth**0.5 * 0.925
    return "large" if actor.radius_T[t] > middle else "small"


def _place(actor: Actor, config: MotionConfig, t: int) -> str:
    """Where its centre lies in a grid of three by three."""
    row = min(2, int(3 * actor.y_T[t] / config.height))
    return place_words(row, min(2, int(3 * actor.x_T[t] / config.width)))
