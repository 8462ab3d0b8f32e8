"""What the training loop asks of the data, whatever is learnt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from lrcn.structures import SkippedFile
from lrcn.tasks.task import BatchT
from lrcn.train.validate import Score


class Examples(Protocol[BatchT]):
    """Batches and validation for one run."""

    @property
    def skipped(self) -> list[SkippedFile]:
        """Files that could not be read and were left out."""
        ...

    @property
    def truncated(self) -> list[str]:
        """Paths of videos that end early and are used as far as they go; of cached features."""
        ...

    @property
    def num_batches(self) -> int:
        """Batches of an epoch over all processes; the same in every epoch and stage."""
        ...

    def begin_stage(self, model: Any, *, joint: bool) -> None:
        """Prepare the data of a stage: features where the CNN stays as it is, pixels otherwise.

        Args:
            model: Of the run's task, on its device.
            joint: Whether the CNN learns too.
        """
        ...

    def batches(self, epoch: int, start_batch: int) -> Iterator[BatchT]:
        """The batches of an epoch from `start_batch` on: this process's share of each."""
        ...

    def mix(self, batch: BatchT, seed: int) -> BatchT:
        """The batch as it is learnt from, where its rows are mixed with each other."""
        ...

    def validate(self, model: Any) -> Score | None:
        """Score the model on the held-out items; None when there are none."""
        ...
