"""What every task offers the training loop: the loss of a batch, as sums that can be merged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from lrcn.structures import ClipBatch


@dataclass(frozen=True, kw_only=True)
class LossSums:
    """Sums over the steps that carry the loss; several batches or processes add up."""

    loss_sum: Tensor
    """Scalar with a gradient: the summed loss. Divided by the count it is the mean."""
    num_steps: Tensor
    """Scalar: how many steps carried the loss."""
    num_correct: Tensor
    """Scalar: clips whose mean probability was highest at a right class."""
    num_clips: int


class Task(ABC):
    """What is learnt: the loss of one problem."""

    @abstractmethod
    def losses(self, model: nn.Module, batch: ClipBatch) -> LossSums:
        """Forward one batch and sum its loss.

        Args:
            model: The network.
            batch: Clips of pixels or of features, with a target at every step.

        Returns:
            Sums over valid steps only: padding never counts.
        """

    @abstractmethod
    def count_steps(self, model: nn.Module, batch: ClipBatch) -> int:
        """How many steps of the batch will carry the loss, known before the forward pass."""
