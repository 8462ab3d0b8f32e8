"""The fastest exact-enough way through a frozen backbone on this machine."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor, nn

from lrcn.engine.fuse import fuse
from lrcn.engine.tape import Player, record
from lrcn.structures import Preprocessing

_TRACE_FRAMES = 2
_CHECK_FRAMES = 3
"""Not the number that was recorded: a batch size baked into the tape would show."""

_TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.05}
"""Largest error of a check frame's features against the plain float32 network, relative to their
length. bfloat16 has 8 bits: 49 layers of EfficientNet-Lite0 give 0.01 to 0.02."""


class PixelBackbone(Protocol):
    """What is needed of a backbone (`lrcn.nn.backbone.Backbone` has it)."""

    name: str
    feature_layer: str
    preprocessing: Preprocessing

    def normalise(self, frames_NCHW: Tensor) -> Tensor:
        """Pixels 0...255 to what a call expects."""

    def __call__(self, frames_NCHW: Tensor) -> Tensor:
        """Normalised frames to features_ND."""

    def state_dict(self) -> Mapping[str, Tensor]:
        """All weights."""

    def modules(self) -> Iterator[nn.Module]:
        """Itself and its parts."""


class FastBackbone:
    """A frozen copy of a backbone: uint8 frames in, float32 features out.

    Attributes:
        name: The backbone's.
        feature_layer: The tap.
        arithmetic: How it computes, "bfloat16 fused": what names cached features.
        description: What was chosen and why, one line for reports.
        batch_size: Frames per call that suit it; any number is allowed.
    """

    def __init__(
        self,
        frozen: PixelBackbone,
        compute: Callable[[Tensor], Tensor],
        *,
        arithmetic: str,
        description: str,
        batch_size: int,
    ) -> None:
        self.name = frozen.name
        self.feature_layer = frozen.feature_layer
        self.arithmetic = arithmetic
        self.description = description
        self.batch_size = batch_size
        self._frozen = frozen
        self._compute = compute

    def __repr__(self) -> str:
        return f"FastBackbone({self.name}, {self.description})"

    def __call__(self, frames_NCHW: Tensor) -> Tensor:
        """Features of frames at the backbone's input size.

        Args:
            frames_NCHW: uint8 or float, 0...255.

        Returns:
            features_ND, float32, on the processor.
        """
        with torch.no_grad():
            return self._compute(frames_NCHW).float().cpu()

    @cached_property
    def weights_hash(self) -> str:
        """16 hexadecimal digits that stand for the weights, as the original has them."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self._frozen.state_dict().items()):
            data = tensor.detach().cpu().contiguous()
            digest.update(f"{name}:{data.dtype}:{tuple(data.shape)};".encode())
            digest.update(data.reshape(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()[:16]


def fast_backbone(
    backbone: PixelBackbone,
    *,
    device: torch.device,
    precision: torch.dtype,
    batch_size: int = 32,
) -> FastBackbone:
    """A frozen copy of `backbone` arranged for speed on `device`.

    On a processor its operations are recorded, batch norms and activations folded into oneDNN
    convolutions, and the result compared with the plain network on a few pictures; where that
    fails the plain network runs, channels-last, and `description` says why.

    Args:
        backbone: It is not changed, and later changes of it are not seen.
        device: Where to run.
        precision: From `choose_precision(..., purpose="inference")`.
        batch_size: Frames per call that the weights are laid out for.
    """
    frozen = copy.deepcopy(backbone)
    for module in frozen.modules():
        module.train(mode=False).requires_grad_(requires_grad=False)
    type_name = str(precision).removeprefix("torch.")
    reason = f"on {device.type}"
    if device.type == "cpu":
        try:
            compute, num_fused = _fused(frozen, precision, batch_size)
        except (RuntimeError, ValueError, NotImplementedError, AttributeError) as error:
            reason = f"not fused: {' '.join(str(error).split())[:200]}"
        else:
            return FastBackbone(
                frozen,
                compute,
                arithmetic=f"{type_name} fused",
                description=f"{type_name}, {num_fused} fused convolutions, channels-last",
                batch_size=batch_size,
            )
    return FastBackbone(
        frozen,
        _plain(frozen, device, precision),
        arithmetic=f"{type_name} plain",
        description=f"{type_name}, plain operations, channels-last ({reason})",
        batch_size=batch_size,
    )


def _plain(
    frozen: PixelBackbone, device: torch.device, precision: torch.dtype
) -> Callable[[Tensor], Tensor]:
    network = copy.deepcopy(frozen)
    assert isinstance(network, nn.Module)
    network.to(device, precision).to(memory_format=torch.channels_last)

    def compute(frames_NCHW: Tensor) -> Tensor:
        frames = frames_NCHW.to(device).contiguous(memory_format=torch.channels_last)
        result: Tensor = network(network.normalise(frames))
        return result

    return compute


def _fused(
    frozen: PixelBackbone, precision: torch.dtype, batch_size: int
) -> tuple[Callable[[Tensor], Tensor], int]:
    """The fused network behind its normalisation, checked.

    Raises:
        RuntimeError: it cannot be recorded or run, or its features are wrong.
    """
    check_NCHW = _check_frames(frozen.preprocessing.input_px)
    with torch.no_grad():
        expected_ND = frozen(frozen.normalise(check_NCHW))
        tape, num_fused = fuse(
            record(frozen, frozen.normalise(check_NCHW[:_TRACE_FRAMES])), precision, batch_size
        )
        if not num_fused:
            raise RuntimeError("it has no convolution that could be fused")
        network, normalise = Player(tape), _Normaliser(frozen.preprocessing, precision)

        def compute(frames_NCHW: Tensor) -> Tensor:
            return network(normalise(frames_NCHW))

        error_ND = compute(check_NCHW).float() - expected_ND
    worst = float((error_ND.norm(dim=1) / expected_ND.norm(dim=1).clamp_min(1e-12)).max())
    if not worst <= _TOLERANCE[precision]:
        raise RuntimeError(f"the fused network is wrong by {worst:.3g}")
    return compute, num_fused


def _check_frames(size_px: int) -> Tensor:
    """Smooth pictures with all grey levels, always the same."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(_CHECK_FRAMES, 3, 8, 8, generator=generator)
    smooth = nn.functional.interpolate(coarse, size=(size_px, size_px), mode="bilinear")
    return smooth.mul(255).round().to(torch.uint8)


class _Normaliser:
    """(pixels - mean) / std in float32, as rows of a picture: 10 times as fast as by channels.

    Three numbers that repeat would keep the processor from computing 16 at once, so they are
    repeated over the width: frames are N x H rows of W x 3 numbers.
    """

    def __init__(self, preprocessing: Preprocessing, dtype: torch.dtype) -> None:
        self._dtype = dtype
        self._mean = torch.tensor(preprocessing.pixel_mean)
        self._std = torch.tensor(preprocessing.pixel_std)

    def __call__(self, frames_NCHW: Tensor) -> Tensor:
        num, _, height, width = frames_NCHW.shape
        rows = frames_NCHW.permute(0, 2, 3, 1).reshape(num * height, width * 3)
        values = rows.to(torch.float32, copy=True)
        values.sub_(self._mean.repeat(width)).div_(self._std.repeat(width))
        return values.to(self._dtype).view(num, height, width, 3).permute(0, 3, 1, 2)
