"""What the fixture `lrcn` of the end-to-end tests gives."""

from __future__ import annotations

from collections.abc import Callable

Run = Callable[..., tuple[int, str, str]]
"""Arguments of a command → exit code, stdout, stderr."""
