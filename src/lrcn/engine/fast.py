"""The fastest exact-enough way through a frozen backbone on this machine."""

from __future__ import annotations

import copy
from typing import Protocol, cast

import torch
from torch import Tensor, nn


class NormalisingBackbone(Protocol):
    """What is needed of a backbone: pixels to floats, floats to features."""

    def normalise(self, frames_NCHW: Tensor) -> Tensor:
        """Pixels 0...255 to what `forward` expects."""

    def __call__(self, frames_NCHW: Tensor) -> Tensor:
        """Normalised frames to features_ND."""


class FastBackbone:
    """A frozen copy of a backbone: uint8 frames in, float32 features out.

    Attributes:
        description: what was chosen and why, one line for reports.
        precision: the type of the arithmetic.
        batch_size: frames per call that suit it best; any number is allowed.
    """

    def __init__(
        self,
        network: NormalisingBackbone,
        *,
        device: torch.device,
        precision: torch.dtype,
        batch_size: int,
        description: str,
    ) -> None:
        self._network = network
        self.device = device
        self.precision = precision
        self.batch_size = batch_size
        self.description = description

    def __call__(self, frames_NCHW: Tensor) -> Tensor:
        """Features of frames at the backbone's input size.

        Args:
            frames_NCHW: uint8 or float, 0...255.

        Returns:
            features_ND, float32, on the processor.
        """
        with torch.no_grad():
            frames = frames_NCHW.to(self.device).contiguous(memory_format=torch.channels_last)
            return self._network(self._network.normalise(frames)).float().cpu()


def fast_backbone(
    backbone: nn.Module,
    *,
    device: torch.device,
    precision: torch.dtype,
    num_frames_hint: int | None = None,
    batch_size: int = 32,
) -> FastBackbone:
    """A frozen copy of `backbone` arranged for speed on `device`.

    Args:
        backbone: a `Backbone`; it is not changed, later changes of it are not seen.
        device: where to run.
        precision: from `choose_precision(..., purpose="inference")`.
        num_frames_hint: how many frames are to come, if known: long jobs pay for compiling.
        batch_size: frames per call.
    """
    del num_frames_hint
    frozen = copy.deepcopy(backbone).eval().requires_grad_(requires_grad=False)
    frozen = frozen.to(device, precision).to(memory_format=torch.channels_last)
    name = str(precision).removeprefix("torch.")
    return FastBackbone(
        cast("NormalisingBackbone", frozen),
        device=device,
        precision=precision,
        batch_size=batch_size,
        description=f"eager, channels-last, {name}",
    )
