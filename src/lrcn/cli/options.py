"""The options that several commands have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from lrcn.cli.parser import flattened
from lrcn.models.segment_config import SegmentConfig

if TYPE_CHECKING:
    import torch


@flattened("Computing")
@dataclass(frozen=True, kw_only=True)
class ComputeOptions:
    """Where and how to compute, and how much to say."""

    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps; auto = a GPU where there is one."""
    threads: int | None = None
    """Threads of the processor; default: OMP_NUM_THREADS, else every core that may be used."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Number format; auto = what this processor is fastest with at the same labels."""
    seed: int | None = None
    """Of everything random; default: the recipe's for training, 0 elsewhere."""
    quiet: bool = False
    """No progress and no messages on stderr, errors excepted."""

    def start(self) -> torch.device:
        """Set the threads and choose the device.

        Raises:
            ConfigError: the device is not here, or the number of threads is not positive.
        """
        from lrcn.engine import choose_device, set_threads

        set_threads(self.threads)
        return choose_device(self.device)

    @property
    def seed_or_zero(self) -> int:
        """The seed where one is needed."""
        return 0 if self.seed is None else self.seed


DEFAULTS = ComputeOptions()
"""What holds where nothing is given."""

SegmentOptions = Annotated[SegmentConfig, flattened("Segments")]
"""What happens when: how segments are found in the probabilities of every frame."""
