"""Work done ahead in threads: in order, bounded, and stopped at once."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")
Piece = TypeVar("Piece")

_DEPTH = 4
"""Pieces of one item that wait to be taken."""

_POLL_SECONDS = 0.1
"""How soon a thread that waits for room notices that nobody wants its work any more."""


class _StoppedError(Exception):
    """The consumer has gone."""


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


class _End:
    pass


class _Job(Generic[Item, Piece]):
    """One item and the pieces that were made of it so far."""

    def __init__(self, item: Item) -> None:
        self.item = item
        self.pieces: queue.Queue[Piece | _Failure | _End] = queue.Queue(_DEPTH)

    def __iter__(self) -> Iterator[Piece]:
        while True:
            piece = self.pieces.get()
            if isinstance(piece, _End):
                return
            if isinstance(piece, _Failure):
                raise piece.error
            yield piece


def run_ahead(
    items: Iterable[Item],
    work: Callable[[Item], Iterator[Piece]],
    *,
    threads: int = 1,
    window: int | None = None,
) -> Generator[Iterator[Piece], None, None]:
    """Run a generator over every item in threads, ahead of the consumer.

    Memory is bounded by `window` items of four waiting pieces each. What `work` raises is raised
    where the consumer stands. When the consumer leaves, also by Ctrl-C, the threads end after the
    piece that they are at; `contextlib.closing` makes sure of it when an error passes by.

    Args:
        items: Taken in the consumer's thread, `window` ahead.
        work: Called in a thread, once per item.
        threads: How many items are worked on at the same time.
        window: Items begun and not yet consumed; at least `threads`.

    Yields:
        For each item in turn an iterator over its pieces; use it up before asking for the next.
    """
    window = max(threads, window if window is not None else threads + 3)
    jobs: queue.SimpleQueue[_Job[Item, Piece] | None] = queue.SimpleQueue()
    stop = threading.Event()
    workers = [
        threading.Thread(target=_work, args=(jobs, work, stop), daemon=True, name=f"lrcn-ahead-{i}")
        for i in range(threads)
    ]
    for worker in workers:
        worker.start()
    begun: deque[_Job[Item, Piece]] = deque()
    try:
        for item in items:
            job: _Job[Item, Piece] = _Job(item)
            begun.append(job)
            jobs.put(job)
            if len(begun) == window:
                yield iter(begun.popleft())
        while begun:
            yield iter(begun.popleft())
    finally:
        stop.set()
        for _ in workers:
            jobs.put(None)
        for worker in workers:
            # A source that blocks for ever (a camera that is off) must not hold the program.
            worker.join(timeout=2.0)


def _work(
    jobs: queue.SimpleQueue[_Job[Item, Piece] | None],
    work: Callable[[Item], Iterator[Piece]],
    stop: threading.Event,
) -> None:
    while (job := jobs.get()) is not None and not stop.is_set():
        try:
            pieces = work(job.item)
            try:
                for piece in pieces:
                    _put(job, piece, stop)
            except _StoppedError:
                return
            except BaseException as error:  # raised again where the consumer stands
                _put(job, _Failure(error), stop)
            else:
                _put(job, _End(), stop)
        except _StoppedError:
            return


def _put(job: _Job[Item, Piece], piece: Piece | _Failure | _End, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            job.pieces.put(piece, timeout=_POLL_SECONDS)
        except queue.Full:
            continue
        return
    raise _StoppedError
