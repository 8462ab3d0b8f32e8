"""The fastest exact-enough way through a frozen backbone on this machine."""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from lrcn.engine.fuse import fuse
from lrcn.engine.tape import Player, Tape, record
from lrcn.engine.workers import run_parts
from lrcn.structures import Preprocessing

_RECORDED_FRAMES = 2
_CHECK_FRAMES = 3
"""Not the number that was recorded: a batch size baked into the tape would show."""

_MAX_ROUNDING = 1e-4
"""Error of float32 in another order of operations; seen: 1e-6."""

_CACHE_BYTES = 10 * 2**20
"""Largest layer output that is kept in a core's share of the cache."""


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
        weights_hash: 16 hexadecimal digits that stand for the weights.
        arithmetic: How it computes, "float32 fused": part of the name of cached features.
        description: What was chosen and why, one line for reports.
        batch_size: Frames per call that suit it; any number is allowed.
    """

    def __init__(
        self,
        backbone: PixelBackbone,
        way: Way,
        notes: Sequence[str] = (),
        *,
        batch_size: int,
    ) -> None:
        self.name = backbone.name
        self.feature_layer = backbone.feature_layer
        self.weights_hash = _weights_hash(backbone)
        self.arithmetic = way.arithmetic
        remark = f" ({'; '.join(notes)})" if notes else ""
        self.description = f"{way.arithmetic}, {way.details}{remark}"
        self.batch_size = batch_size
        self._compute = way.compute

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


def fast_backbone(
    backbone: PixelBackbone,
    *,
    device: torch.device,
    precision: torch.dtype,
    batch_size: int = 32,
    max_error: float = 0.01,
) -> FastBackbone:
    """A frozen copy of `backbone` arranged for speed on `device`.

    On a processor its operations are recorded, batch norms and activations folded into oneDNN
    convolutions, and frames go through it a few at a time on every thread. Whatever is chosen is
    compared with the plain float32 network on a few pictures: bfloat16 that changes the features
    too much gives way to float32, a network that cannot be fused runs as it is, and `description`
    says why.

    Args:
        backbone: It is not changed, and later changes of it are not seen.
        device: Where to run.
        precision: From `choose_precision(...)`.
        batch_size: Frames per call.
        max_error: Length of the worst frame's error in bfloat16, as a share of the length of its
            features. EfficientNet-Lite0 comes to 0.075, and probabilities of uncertain videos
            then move by up to 0.1; with 0.01 they stay within 0.01.
    """
    ways = (_plain,) if device.type != "cpu" else (_fused, _plain)
    notes: list[str] = []
    with _evaluating(backbone), _one_thread(), torch.no_grad():
        check_NCHW = _check_frames(backbone.preprocessing.input_px)
        expected_ND = _expected(backbone, check_NCHW)
        for dtype in dict.fromkeys((precision, torch.float32)):
            for way in ways:
                try:
                    chosen = way(backbone, device, dtype, batch_size)
                    error = _error(chosen.compute(check_NCHW).float().cpu(), expected_ND)
                except (RuntimeError, ValueError, NotImplementedError, AttributeError) as failure:
                    notes.append(f"cannot be fused: {' '.join(str(failure).split())[:200]}")
                    continue
                if error <= (_MAX_ROUNDING if dtype == torch.float32 else max_error):
                    return FastBackbone(backbone, chosen, notes, batch_size=batch_size)
                notes.append(f"{chosen.arithmetic} is off by {100 * error:.2g} %")
                if dtype != torch.float32:
                    break
        chosen = _plain(backbone, device, torch.float32, batch_size)
        return FastBackbone(backbone, chosen, notes, batch_size=batch_size)


@dataclass(frozen=True)
class Way:
    """One way to compute the features."""

    compute: Callable[[Tensor], Tensor]
    arithmetic: str
    """"float32 fused"."""
    details: str


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _plain(
    backbone: PixelBackbone, device: torch.device, dtype: torch.dtype, batch_size: int
) -> Way:
    """The network as it is, channels-last."""
    del batch_size
    network = copy.deepcopy(backbone)
    assert isinstance(network, nn.Module)
    network.to(device, dtype).to(memory_format=torch.channels_last)

    def compute(frames_NCHW: Tensor) -> Tensor:
        frames = frames_NCHW.to(device).contiguous(memory_format=torch.channels_last)
        result: Tensor = network(network.normalise(frames))
        return result

    return Way(compute, f"{_name(dtype)} plain", f"channels-last on {device.type}")


def _fused(
    backbone: PixelBackbone, device: torch.device, dtype: torch.dtype, batch_size: int
) -> Way:
    """The recorded and fused network behind its normalisation.

    Raises:
        RuntimeError: it cannot be recorded, or nothing in it can be fused.
    """
    del device
    example = backbone.normalise(_check_frames(backbone.preprocessing.input_px))
    tape = record(backbone, example[:_RECORDED_FRAMES].contiguous())
    fused, num_fused = fuse(tape, dtype, _RECORDED_FRAMES)
    if not num_fused:
        raise RuntimeError("it has no convolution that could be")
    at_once = _frames_at_once(fused, dtype, batch_size)
    network, normalise = Player(fused), _Normaliser(backbone.preprocessing, dtype)

    def part(frames_NCHW: Tensor) -> Tensor:
        return network(normalise(frames_NCHW))

    def compute(frames_NCHW: Tensor) -> Tensor:
        return torch.cat(run_parts(part, torch.split(frames_NCHW, at_once)))

    details = f"{num_fused} oneDNN convolutions, {at_once} frames at a time"
    return Way(compute, f"{_name(dtype)} fused", details)


def _frames_at_once(tape: Tape, dtype: torch.dtype, batch_size: int) -> int:
    """So many that layers fit the cache, but enough that reading the weights does not dominate.

    EfficientNet-Lite0: 2 (its largest layer has 4.8 MB a frame; 64 frames at once take twice as
    long). CaffeNet: 32 (230 MB of weights).
    """
    layers = [math.prod(out.size) // _RECORDED_FRAMES for s in tape.steps for out in s.outputs]
    fitting = _CACHE_BYTES // (max(layers) * dtype.itemsize)
    weights = sum(constant.numel() for constant in tape.constants())
    return max(1, min(batch_size, max(fitting, weights // sum(layers))))


@contextmanager
def _evaluating(backbone: PixelBackbone) -> Iterator[None]:
    """In evaluation mode, and afterwards as it was before."""
    before = [(module, module.training) for module in backbone.modules()]
    try:
        for module, _ in before:
            module.training = False
        yield
    finally:
        for module, training in before:
            module.training = training


@contextmanager
def _one_thread() -> Iterator[None]:
    """Preparing is many small operations: where others compute too, threads would wait in each."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _expected(backbone: PixelBackbone, frames_NCHW: Tensor) -> Tensor:
    """The plain network's features, where its weights are."""
    device = next((tensor.device for tensor in backbone.state_dict().values()), None)
    return backbone(backbone.normalise(frames_NCHW.to(device))).float().cpu()


def _error(features_ND: Tensor, expected_ND: Tensor) -> float:
    """Length of the worst frame's error, as a share of the length of its features."""
    lengths_N = expected_ND.norm(dim=1).clamp_min(1e-12)
    return float(((features_ND - expected_ND).norm(dim=1) / lengths_N).max())


def _check_frames(size_px: int) -> Tensor:
    """Smooth pictures with all grey levels, always the same."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(_CHECK_FRAMES, 3, 8, 8, generator=generator)
    smooth = nn.functional.interpolate(coarse, size=(size_px, size_px), mode="bilinear")
    return smooth.mul(255).round().to(torch.uint8)


def _weights_hash(backbone: PixelBackbone) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(backbone.state_dict().items()):
        data = tensor.detach().cpu().contiguous()
        digest.update(f"{name}:{data.dtype}:{tuple(data.shape)};".encode())
        digest.update(data.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


class _Normaliser:
    """(pixels - mean) / std in float32, as rows of a picture: 10 times as fast as by channels.

    Three numbers that repeat would keep the processor from computing 16 at once, so they are
    repeated over the width: frames are N x H rows of W x 3 numbers.
    """

    def __init__(self, preprocessing: Preprocessing, dtype: torch.dtype) -> None:
        self._dtype = dtype
        self._mean = torch.tensor(preprocessing.pixel_mean)
        self._std = torch.tensor(preprocessing.pixel_std)
        self._reversed = preprocessing.channel_order == "bgr"

    def __call__(self, frames_NCHW: Tensor) -> Tensor:
        num, _, height, width = frames_NCHW.shape
        rows = frames_NCHW.permute(0, 2, 3, 1).reshape(num * height, width * 3)
        values = rows.to(torch.float32, copy=True)
        values.sub_(self._mean.repeat(width)).div_(self._std.repeat(width))
        normalised_NCHW = values.to(self._dtype).view(num, height, width, 3).permute(0, 3, 1, 2)
        return normalised_NCHW.flip(1) if self._reversed else normalised_NCHW
