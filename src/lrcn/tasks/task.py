"""What every task offers the training loop: the loss of a batch, as sums that can be merged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

from torch import Tensor, nn


class Batch(Protocol):
    """What the loop needs of a batch, whatever is learnt from it: a frozen dataclass of rows."""

    @property
    def frames_BTCHW(self) -> Tensor | None:  # noqa: N802 - shape letters
        """Pixels; None where features are given."""
        ...

    @property
    def valid_mask_BT(self) -> Tensor:  # noqa: N802 - shape letters
        """bool, True where a frame is real."""
        ...

    def __len__(self) -> int: ...

    def to(self, device: Any, *, non_blocking: bool = False) -> Self:
        """The same batch on another device."""
        ...


BatchT = TypeVar("BatchT", bound=Batch)


@dataclass(frozen=True, kw_only=True)
class LossSums:
    """Sums over the steps that carry the loss; several batches or processes add up."""

    loss_sum: Tensor
    """Scalar with a gradient: the summed loss. Divided by the number of steps it is the mean."""
    num_correct: Tensor
    """Scalar: right answers, out of `Task.count_answers`."""


class Task(ABC, Generic[BatchT]):
    """What is learnt: the loss of one problem.

    Attributes:
        loss_weight: Factor on the mean loss before its gradient is taken (paper: 20 for captions).
    """

    loss_weight: float = 1.0

    @abstractmethod
    def losses(self, model: nn.Module, batch: BatchT) -> LossSums:
        """Forward one batch and sum its loss.

        Args:
            model: The network.
            batch: Pixels or features, with targets.

        Returns:
            Sums over valid steps only: padding never counts.
        """

    @abstractmethod
    def count_steps(self, model: nn.Module, batch: BatchT) -> int:
        """How many steps of the batch will carry the loss, known before the forward pass."""

    @abstractmethod
    def count_answers(self, batch: BatchT) -> int:
        """How many answers of the batch can be right: clips, or words."""
