"""Threads that compute side by side, each on data of its own.

Two threads that share every operation wait for each other after each of them; two threads with a
part of the batch each do not, and what a part needs stays in its core's cache.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Part = TypeVar("Part")
Result = TypeVar("Result")

_MAX_WORKERS = 8
"""Beyond, they would wait for Python's lock; each gets several cores instead."""


def run_parts(work: Callable[[Part], Result], parts: Iterable[Part]) -> list[Result]:
    """The work on every part, in order, on as many threads as torch has been given.

    Args:
        work: Runs torch operations; gradients are off.
        parts: One alone runs here, with all threads.
    """
    chosen = list(parts)
    threads = torch.get_num_threads()

    def without_gradients(part: Part) -> Result:
        with torch.no_grad():
            return work(part)

    if len(chosen) == 1 or threads == 1:
        return [without_gradients(part) for part in chosen]
    return list(_pool(threads).map(without_gradients, chosen))


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    workers = min(threads, _MAX_WORKERS)
    all_here = threading.Barrier(workers)

    def begin() -> None:
        torch.set_num_threads(threads // workers)
        all_here.wait()

    pool = ThreadPoolExecutor(workers, thread_name_prefix="lrcn-cnn", initializer=begin)
    list(pool.map(_nothing, range(workers)))
    # torch keeps one number for threads that are yet to come, and the workers have changed it.
    torch.set_num_threads(threads)
    return pool


def _nothing(_: int) -> None:
    """Make a thread start."""


os.register_at_fork(after_in_child=_pool.cache_clear)
