"""Settings of the rendered world: what moves, how, how fast, and how hard it is to see."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from lrcn.errors import ConfigError
from lrcn.settings import did_you_mean

SHAPES = ("disc", "square", "triangle", "cross", "bar")
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (225, 35, 35),
    "green": (40, 200, 60),
    "blue": (45, 75, 235),
    "yellow": (235, 220, 40),
    "purple": (190, 50, 215),
    "cyan": (40, 210, 220),
}
"""Name to RGB; the backgrounds are grey, so a saturated colour always belongs to a shape."""

DEFAULT_ACTIONS = (
    "grow",
    "rise",
    "shrink",
    "sink",
    "slide_left",
    "slide_right",
    "spin",
    "turn_back",
)
ACTIONS = (*DEFAULT_ACTIONS, "pulse", "rest", "spin_clockwise", "spin_anticlockwise")


@dataclass(frozen=True, kw_only=True)
class MotionConfig:
    """One rendered world. Lengths in space are fractions of the frame's short side."""

    width: int = 48
    """Pixels; any number from 16 on, odd ones too."""
    height: int = 48
    """Pixels; any number from 16 on, odd ones too."""
    num_frames: int = 16
    """Frames in a clip, at least 4."""
    fps: float = 25.0
    """Frames per second of the files; motion is set per frame, so this is only the clock."""
    actions: tuple[str, ...] = DEFAULT_ACTIONS
    """The classes: grow, rise, shrink, sink, slide_left, slide_right, spin, turn_back; also pulse,
    rest, spin_clockwise, spin_anticlockwise."""
    shape_names: tuple[str, ...] = SHAPES
    """Which shapes appear: disc, square, triangle, cross, bar."""
    two_shapes: float = 0.2
    """Share of clips (0 to 1) that show two shapes instead of one."""
    second_shape: Literal["same", "rests"] = "same"
    """What a second shape does: the same action on a path of its own, or nothing."""
    radius_max: float = 0.28
    """Largest radius of a shape's outer circle; smaller is harder."""
    growth: float = 3.0
    """How many times larger a shape is at the end of its size path than at the start."""
    loop_frames: tuple[int, int] = (10, 14)
    """Fewest and most frames of one run through a path, which then starts anew; more are slower
    and harder."""
    turn_frames: tuple[int, int] = (5, 7)
    """Fewest and most frames between two reversals of turn_back and pulse, so that a clip of 16
    frames holds at least one."""
    spin_degrees: tuple[float, float] = (12.0, 24.0)
    """Slowest and fastest spin, degrees per frame."""
    sway: float = 0.0
    """Height of a random waving of every shape, whatever it does; hides slow motion."""
    drift: float = 0.006
    """Fastest drift of the background per frame."""
    contrast: float = 12.0
    """Standard deviation of the background's texture, grey levels of 0 to 255."""
    noise: float = 4.0
    """Standard deviation of the noise in every pixel of every frame, grey levels of 0 to 255."""
    crf: int = 6
    """Constant rate factor of H.264: 0 is lossless, 51 the worst."""

    def __post_init__(self) -> None:
        problems = [*_size_problems(self), *_name_problems(self), *_motion_problems(self)]
        if problems:
            raise ConfigError("motion world: " + "; ".join(problems))

    @property
    def short_side(self) -> int:
        """Pixels of the smaller of width and height, the unit of every length."""
        return min(self.width, self.height)


def _size_problems(config: MotionConfig) -> list[str]:
    return [
        *(
            f"{name} is {value}; it takes 16 to 4096 pixels"
            for name, value in (("width", config.width), ("height", config.height))
            if not 16 <= value <= 4096
        ),
        *_range_problems("num_frames", config.num_frames, 4, 100_000),
        *_range_problems("fps", config.fps, 0.1, 1000.0),
        *_range_problems("crf", config.crf, 0, 51),
    ]


def _name_problems(config: MotionConfig) -> list[str]:
    problems = []
    for field, names, allowed in (
        ("actions", config.actions, ACTIONS),
        ("shape_names", config.shape_names, SHAPES),
    ):
        problems += [
            f"{field} has {name!r}, which is not one of {', '.join(allowed)}"
            f".{did_you_mean(name, allowed)}"
            for name in names
            if name not in allowed
        ]
        if not names or len(set(names)) != len(names):
            problems.append(f"{field} must name at least one, each once, not {list(names)}")
    return problems


def _motion_problems(config: MotionConfig) -> list[str]:
    problems = [
        *_range_problems("two_shapes", config.two_shapes, 0, 1),
        *_range_problems("radius_max", config.radius_max, 0.05, 0.3),
        *_range_problems("growth", config.growth, 1.2, 4),
        *_range_problems("sway", config.sway, 0, 0.1),
        *_range_problems("drift", config.drift, 0, 0.2),
        *_range_problems("contrast", config.contrast, 0, 80),
        *_range_problems("noise", config.noise, 0, 80),
    ]
    for field, (low, high), least, most in (
        ("loop_frames", config.loop_frames, 4, 100_000),
        ("turn_frames", config.turn_frames, 2, 1000),
        ("spin_degrees", config.spin_degrees, 1.0, 60.0),
    ):
        if not least <= low <= high <= most:
            problems.append(
                f"{field} is {low}, {high}; it takes two numbers from {least} to {most}, the"
                " smaller one first"
            )
    return problems


def _range_problems(name: str, value: float, low: float, high: float) -> list[str]:
    inside = math.isfinite(value) and low <= value <= high
    return [] if inside else [f"{name} is {value}; it takes {low} to {high}"]


DIFFICULTIES: dict[str, MotionConfig] = {
    "default": MotionConfig(),
    "hard": MotionConfig(
        width=64,
        height=64,
        two_shapes=0.5,
        radius_max=0.2,
        loop_frames=(14, 20),
        drift=0.015,
        contrast=24.0,
        noise=10.0,
        crf=20,
    ),
    "harder": MotionConfig(
        width=96,
        height=96,
        num_frames=32,
        two_shapes=0.5,
        second_shape="rests",
        radius_max=0.14,
        growth=2.0,
        loop_frames=(28, 40),
        turn_frames=(8, 12),
        spin_degrees=(6.0, 12.0),
        sway=0.03,
        drift=0.03,
        contrast=40.0,
        noise=20.0,
        crf=28,
    ),
}
"""Named worlds, from the one that a demo has time for to one that needs a larger model."""
