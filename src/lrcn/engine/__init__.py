"""Devices, threads, precision, fast inference and several processes.

The only room that touches `torch.compile` and `torch.distributed`.
"""

from __future__ import annotations

from lrcn.engine.fast import FastBackbone, fast_backbone
from lrcn.engine.processes import Processes, init_processes
from lrcn.engine.processor import (
    Precision,
    autocast_train,
    choose_device,
    choose_precision,
    describe_processor,
    keep_memory,
    set_threads,
)

__all__ = [
    "FastBackbone",
    "Precision",
    "Processes",
    "autocast_train",
    "choose_device",
    "choose_precision",
    "describe_processor",
    "fast_backbone",
    "init_processes",
    "keep_memory",
    "set_threads",
]
