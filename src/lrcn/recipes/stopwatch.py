"""What an experiment costs: time on the clock, and of the processor, which load cannot stretch."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Spent:
    """Seconds of one or more sittings."""

    seconds: float = 0.0
    """On the clock; other work on the machine stretches them."""
    processor_seconds: float = 0.0
    """Of all threads of this process together."""

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            seconds=self.seconds + other.seconds,
            processor_seconds=self.processor_seconds + other.processor_seconds,
        )

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The keys of `to_dict`."""
        return tuple(field.name for field in fields(cls))

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Spent:
        """From what `to_dict` wrote, among other keys.

        Raises:
            KeyError: one is missing.
            ValueError, TypeError: one is no number.
        """
        return cls(**{name: float(found[name]) for name in cls.names()})

    def to_dict(self) -> dict[str, float]:
        """For a file; sums are rid of the noise of binary fractions."""
        return {name: round(value, 1) for name, value in asdict(self).items()}


class Stopwatch:
    """Runs from when it is made.

    Args:
        before: What earlier sittings took.
    """

    def __init__(self, before: Spent | None = None) -> None:
        self._before = before or Spent()
        self._clock, self._processor = time.monotonic(), time.process_time()

    def spent(self) -> Spent:
        """Up to now, to a tenth of a second: what is kept and what is told are the same."""
        return self._before + Spent(
            seconds=round(time.monotonic() - self._clock, 1),
            processor_seconds=round(time.process_time() - self._processor, 1),
        )
