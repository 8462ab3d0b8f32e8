"""Ctrl-C during a training: the loop is told, and decides itself when to stop."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_on_signal(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at Ctrl-C and at SIGTERM while the block runs; in other threads do nothing."""

    def request(number: int, frame: FrameType | None) -> None:
        del number, frame
        stop()

    try:
        before = {s: signal.signal(s, request) for s in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: signals belong to somebody else
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
