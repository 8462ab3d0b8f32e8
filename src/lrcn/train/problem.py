"""A problem ready to be learnt: what the session needs to know of recognisers and captioners."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

import torch

from lrcn.checkpoint import Saved
from lrcn.engine import Processes
from lrcn.structures import SkippedFile
from lrcn.tasks.task import BatchT, Task
from lrcn.train.caption_config import AnyExperiment
from lrcn.train.examples import Examples
from lrcn.train.log import RunLog


@dataclass(frozen=True, kw_only=True)
class Problem(Generic[BatchT]):
    """Data, model and task of a run, before its first step."""

    experiment: AnyExperiment
    """As resolved: what the data decides is written into it."""
    saved: Saved
    """The model, new or to be continued."""
    task: Task[BatchT]
    make_examples: Callable[[Processes, torch.device, RunLog], Examples[BatchT]]
    item_ids: tuple[str, ...]
    """What is trained on, for the fingerprint."""
    split: str
    """How the validation part was chosen."""
    num_train: int
    num_val: int
    warnings: tuple[str, ...]
    skipped: tuple[SkippedFile, ...]
    what: str
    """One line on what is trained on what."""
