"""How a video is narrated; apart from the code that does it, for who must not import torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from lrcn.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class NarrationConfig:
    """Which intervals of a video get a sentence."""

    cut: Literal["windows", "state", "features"] = "windows"
    """Equal windows; where a recogniser changes its mind; or where the pictures change."""
    window: float = 2.0
    """With --cut windows: seconds that one sentence is about."""
    max_seconds: float | None = None
    """Longest time that one sentence stands; a longer one is said anew. Unset: no limit."""
    change_seconds: float = 1.0
    """With --cut features: how much before and after a moment is compared."""
    change: float = 0.1
    """With --cut features: cosine distance from which two moments differ; lower finds more."""

    def __post_init__(self) -> None:
        problems = [
            f"{name} is {value}; it must be a positive number of seconds"
            for name, value in (
                ("window", self.window),
                ("max_seconds", self.max_seconds),
                ("change_seconds", self.change_seconds),
            )
            if value is not None and not 0 < value < math.inf
        ]
        if not 0 < self.change <= 2:
            problems.append(f"change is {self.change}; a cosine distance lies between 0 and 2")
        if (
            self.max_seconds is not None
            and self.cut == "windows"
            and not (self.window <= self.max_seconds)
        ):
            problems.append(
                f"max_seconds is {self.max_seconds}, less than one window of {self.window};"
                " choose shorter windows"
            )
        if problems:
            raise ConfigError("; ".join(problems))


DEFAULT_NARRATION = NarrationConfig()
"""What holds where nothing is given."""
