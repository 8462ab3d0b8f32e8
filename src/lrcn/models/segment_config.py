"""How segments are found; apart from the code that finds them, for who must not import torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lrcn.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class SegmentConfig:
    """What happens when: from the probabilities of every frame to intervals."""

    smoothing: Literal["mean", "exponential", "none"] = "mean"
    """Mean over a window around each frame; exponential, over the past alone; or none."""
    smooth_seconds: float = 0.4
    """Width of the window, or time constant of the exponential."""
    enter: float = 0.5
    """Probability from which a class begins; 0 takes the most probable one always."""
    leave: float = 0.3
    """Probability below which it ends; at most `enter`, so that it does not flicker."""
    min_seconds: float = 0.3
    """Shorter segments, and shorter gaps, are given to their neighbours."""

    def __post_init__(self) -> None:
        problems = [
            f"{name} must be between 0 and 1, not {getattr(self, name)}"
            for name in ("enter", "leave")
            if not 0 <= getattr(self, name) <= 1
        ]
        if self.leave > self.enter:
            problems.append(f"leave ({self.leave}) must not be above enter ({self.enter})")
        problems += [
            f"{name} must be 0 or more seconds, not {getattr(self, name)}"
            for name in ("smooth_seconds", "min_seconds")
            if not getattr(self, name) >= 0
        ]
        if problems:
            raise ConfigError("; ".join(problems))


DEFAULT_SEGMENTS = SegmentConfig()
"""What holds where nothing is given, in prediction and in evaluation."""
