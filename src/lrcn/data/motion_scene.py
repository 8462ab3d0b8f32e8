"""What happens in a rendered clip: shapes on paths, such that no single frame tells the action.

Every shape gets a *path* in three coordinates: across, down and size (its logarithm). A place on
a path is a number from 0 to 1. An action runs through one coordinate from end to end, turn_back
and pulse shuttle between the ends; the other coordinates rest at a random place. Seen at a random
time, all three places are uniform and independent of one another and of the action; so are angle,
shape, colour and background, which are drawn before the action is looked at. Only the change from
frame to frame tells the class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from lrcn.data.motion_config import COLOURS, MotionConfig

FloatArray = NDArray[np.float32]

_MOVES: dict[str, tuple[str, bool]] = {
    "slide_right": ("across", True),
    "slide_left": ("across", False),
    "sink": ("down", True),
    "rise": ("down", False),
    "grow": ("size", True),
    "shrink": ("size", False),
}
"""Action to the coordinate that it runs through, and whether upwards."""


@dataclass(frozen=True, kw_only=True)
class Actor:
    """One shape and where it is in every frame; pixels from the top left corner, radians."""

    shape_name: str
    colour: str
    action: str
    x_T: FloatArray
    y_T: FloatArray
    radius_T: FloatArray
    """Radius of the circle around the shape, pixels."""
    angle_T: FloatArray
    """Clockwise as seen."""
    first_frame: int = 0
    """Frame of the clip in which it appears; it is there as long as its arrays are."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Everything that is in a clip before it is drawn; the first actor is in front."""

    actors: tuple[Actor, ...]
    grey: float
    """Mean of the background, 0...255."""
    drift_yx: tuple[float, float]
    """Background's motion, pixels per frame."""
    texture_seed: int

    @property
    def num_frames(self) -> int:
        """Until the last actor has left."""
        return max(actor.first_frame + len(actor.x_T) for actor in self.actors)


def draw_scene(
    config: MotionConfig, action: str, num_frames: int, rng: np.random.Generator
) -> Scene:
    """Draw shapes, places and background, then let the first shape do `action`."""
    num_shapes = 2 if rng.random() < config.two_shapes else 1
    colours = rng.permutation(list(COLOURS))[:num_shapes]
    setting = _draw_setting(config, rng)
    actors = []
    for place in range(num_shapes):
        rests = place > 0 and config.second_shape == "rests"
        actors.append(
            _draw_actor(config, "rest" if rests else action, str(colours[place]), num_frames, rng)
        )
    return Scene(actors=tuple(actors), **setting)


def draw_sequence(
    config: MotionConfig, actions: Sequence[str], lengths: Sequence[int], rng: np.random.Generator
) -> Scene:
    """One shape after the other in front of one background, each in a colour of its own.

    Args:
        config: What is seen.
        actions: What each does, in order; as many as there are colours at most.
        lengths: Frames of each.
        rng: Draws all else.
    """
    colours = rng.permutation(list(COLOURS))[: len(actions)]
    setting = _draw_setting(config, rng)
    starts = np.cumsum([0, *lengths]).tolist()
    actors = [
        replace(_draw_actor(config, action, str(colour), length, rng), first_frame=start)
        for action, colour, length, start in zip(actions, colours, lengths, starts, strict=False)
    ]
    return Scene(actors=tuple(actors), **setting)


class _Setting(TypedDict):
    grey: float
    drift_yx: tuple[float, float]
    texture_seed: int


def _draw_setting(config: MotionConfig, rng: np.random.Generator) -> _Setting:
    """Where it all happens: the background and its drift."""
    heading = rng.uniform(0, 2 * np.pi)
    speed = config.drift * config.short_side * np.sqrt(rng.random())
    return {
        "grey": float(rng.uniform(85, 165)),
        "drift_yx": (float(speed * np.sin(heading)), float(speed * np.cos(heading))),
        "texture_seed": int(rng.integers(2**31)),
    }


def _draw_actor(
    config: MotionConfig, action: str, colour: str, num_frames: int, rng: np.random.Generator
) -> Actor:
    shape_name = str(rng.choice(list(config.shape_names)))
    largest = config.radius_max * config.short_side * rng.uniform(0.85, 1.0)
    angle = rng.uniform(0, 2 * np.pi)
    ends = {"size": (np.log(largest / config.growth), np.log(largest))}
    margin = largest + 1.0 + config.sway * config.short_side
    for name, extent in (("across", config.width), ("down", config.height)):
        room = extent - 2 * margin
        length = room * rng.uniform(0.7, 1.0)
        start = margin + rng.uniform(0, room - length)
        ends[name] = (start, start + length)
    places = _places(config, action, num_frames, rng)
    at = {name: low + (high - low) * places[name] for name, (low, high) in ends.items()}
    return Actor(
        shape_name=shape_name,
        colour=colour,
        action=action,
        x_T=(at["across"] + _sway(config, num_frames, rng)).astype(np.float32),
        y_T=(at["down"] + _sway(config, num_frames, rng)).astype(np.float32),
        radius_T=np.exp(at["size"]).astype(np.float32),
        angle_T=(angle + _turned(config, action, num_frames, rng)).astype(np.float32),
    )


def _places(
    config: MotionConfig, action: str, num_frames: int, rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Where on its paths the shape is in every frame, 0...1, by coordinate."""
    places = {name: np.full(num_frames, rng.random()) for name in ("across", "down", "size")}
    if action in _MOVES:
        name, upwards = _MOVES[action]
        run = _run(config, num_frames, rng)
        places[name] = run if upwards else 1 - run
    elif action == "turn_back":
        places[str(rng.choice(["across", "down"]))] = _shuttle(config, num_frames, rng)
    elif action == "pulse":
        places["size"] = _shuttle(config, num_frames, rng)
    return places


def _run(config: MotionConfig, num_frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Steadily upwards, and anew from the start: a saw of any phase."""
    return (np.arange(num_frames) / rng.uniform(*config.loop_frames) + rng.random()) % 1


def _shuttle(
    config: MotionConfig, num_frames: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """To and fro: a triangle wave of any phase."""
    low, high = config.turn_frames
    half_period = min(rng.uniform(low, high), (num_frames - 1) / 2)
    phase = np.arange(num_frames) / half_period + rng.uniform(0, 2)
    place: NDArray[np.float64] = 1 - np.abs(phase % 2 - 1)
    return place


def _turned(
    config: MotionConfig, action: str, num_frames: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Angle against the first frame, radians."""
    step = np.deg2rad(rng.uniform(*config.spin_degrees))
    sign = {"spin_clockwise": 1, "spin_anticlockwise": -1, "spin": rng.choice([-1, 1])}
    turned: NDArray[np.float64] = np.arange(num_frames) * step * sign.get(action, 0)
    return turned


def _sway(config: MotionConfig, num_frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """A random wave, pixels."""
    periods = rng.uniform(9, 31, 2)
    phases = rng.uniform(0, 2 * np.pi, 2)
    waves = np.sin(2 * np.pi * np.arange(num_frames)[:, None] / periods + phases)
    swayed: NDArray[np.float64] = config.sway * config.short_side * waves.mean(axis=1)
    return swayed
