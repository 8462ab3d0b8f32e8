"""Settings of the rendered clips in which several things happen, one after the other."""

from __future__ import annotations

from dataclasses import dataclass

from lrcn.data.motion_config import COLOURS, DIFFICULTIES, MotionConfig
from lrcn.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class EventConfig:
    """How many things happen in a clip, and how long each takes; `MotionConfig` says what."""

    num_events: tuple[int, int] = (2, 3)
    """Fewest and most events of a clip, 1 to 6; each shape has a colour of its own."""
    event_frames: tuple[int, int] = (12, 16)
    """Fewest and most frames of one event, from 8 on."""

    def __post_init__(self) -> None:
        problems = [
            f"{name} is {low}, {high}; it takes two numbers from {least} to {most}, the smaller"
            " one first"
            for name, (low, high), least, most in (
                ("num_events", self.num_events, 1, len(COLOURS)),
                ("event_frames", self.event_frames, 8, 10_000),
            )
            if not least <= low <= high <= most
        ]
        if problems:
            raise ConfigError("events: " + "; ".join(problems))


EVENT_DIFFICULTIES: dict[str, MotionConfig] = {
    **DIFFICULTIES,
    # A sentence is true only when every shape in it is told right: none is smaller than 7 pixels.
    "default": MotionConfig(radius_max=0.3, growth=2.0),
}
"""Named worlds in which events happen."""
