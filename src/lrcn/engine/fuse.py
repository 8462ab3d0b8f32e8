"""Convolution, batch norm and activation as one oneDNN operation, with no compiler and no waiting.

What `torch.compile` with frozen weights gains on a processor comes mostly from here: batch norms
are folded into the weights (exactly), activations run while a result is still in a register, and
weights lie in the order that the kernel reads. The operation is the one that inductor itself calls.

Padding that differs between the sides ("same" padding of stride 2) becomes part of the kernel::

    x: zeros 0 left, 1 right; kernel  a b c     ->     zeros 1 and 1; kernel  0 a b c
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lrcn.engine.tape import Slot, Step, Tape, mapped

_aten = torch.ops.aten

_ACTIVATIONS: dict[Callable[..., Any], str] = {
    _aten.relu.default: "relu",
    _aten.relu_.default: "relu",
    _aten.hardtanh.default: "hardtanh",
    _aten.hardtanh_.default: "hardtanh",
    _aten.hardswish.default: "hardswish",
    _aten.hardswish_.default: "hardswish",
    _aten.silu.default: "swish",
    _aten.silu_.default: "swish",
}
"""Activations that the oneDNN operation can carry out on its result; only hardtanh has numbers."""


_POINTWISE = torch.ops.mkldnn._convolution_pointwise.default


def fuse(tape: Tape, dtype: torch.dtype, batch_size: int) -> tuple[Tape, int]:
    """The same computation with fused convolutions, all constants in `dtype`.

    Args:
        tape: Recorded in float32.
        dtype: Of weights and activations; the tape's input must come in it.
        batch_size: For which the layout of the weights is chosen; others work too.

    Returns:
        The new tape, and how many convolutions are fused.
    """
    fuser = _Fuser(tape)
    steps: list[Step] = []
    num_fused = 0
    for step in tape.steps:
        if step in fuser.absorbed:
            continue
        convolution = fuser.convolution(step)
        if convolution is None:
            steps.append(_with_constants(step, dtype))
        else:
            steps.append(convolution.step(dtype, batch_size))
            num_fused += 1
    return Tape(tuple(steps), tape.input, tape.output), num_fused


@dataclass(frozen=True)
class _Convolution:
    """A convolution with everything folded in."""

    source: Slot
    weight: Tensor
    """float64, as is the bias."""
    bias: Tensor
    stride: list[int]
    padding: list[int]
    dilation: list[int]
    groups: int
    output: Slot
    activation: str = "none"
    scalars: tuple[float, ...] = ()

    def step(self, dtype: torch.dtype, batch_size: int) -> Step:
        geometry = (self.padding, self.stride, self.dilation, self.groups)
        weight = self.weight.to(dtype).contiguous(memory_format=torch.channels_last)
        packed = _aten.mkldnn_reorder_conv2d_weight.default(
            weight.to_mkldnn(), *geometry, [batch_size, *self.source.size[1:]]
        )
        args = (self.source, packed, self.bias.to(dtype), *geometry)
        return Step(
            _POINTWISE, (*args, self.activation, list(self.scalars), ""), {}, (self.output,)
        )

    def normalised(self, norm: Step) -> _Convolution:
        """With the batch norm that follows."""
        _, scale, shift, mean, variance, _, _, eps = norm.args
        factor = (variance.double() + eps).rsqrt()
        if scale is not None:
            factor = factor * scale.double()
        bias = (self.bias - mean.double()) * factor
        return replace(
            self,
            weight=self.weight * factor[:, None, None, None],
            bias=bias if shift is None else bias + shift.double(),
            output=norm.outputs[0],
        )

    def activated(self, activation: Step) -> _Convolution:
        """With the activation that follows."""
        name = _ACTIVATIONS[activation.function]
        low, high = (*activation.args[1:], -1.0, 1.0)[:2]
        return replace(
            self,
            activation=name,
            scalars=(float(low), float(high)) if name == "hardtanh" else (),
            output=activation.outputs[0],
        )

    def padded(self, pad: Step) -> _Convolution:
        """With the zeros that an earlier operation put around the input."""
        left, right, top, bottom = pad.args[1]
        (down, across) = self.padding
        weight = F.pad(
            self.weight,
            (
                max(0, right - left),
                max(0, left - right),
                max(0, bottom - top),
                max(0, top - bottom),
            ),
        )
        return replace(
            self,
            source=pad.args[0],
            weight=weight,
            padding=[down + max(top, bottom), across + max(left, right)],
        )


class _Fuser:
    """Finds what belongs together: operations whose result goes to one other operation only."""

    def __init__(self, tape: Tape) -> None:
        self.absorbed: set[Step] = set()
        uses = tape.uses()
        self._next = {
            slot: step for step in tape.steps for slot in step.inputs() if uses[slot] == 1
        }
        self._pads: dict[Step, Step] = {}
        for step in tape.steps:
            follower = self._next.get(step.outputs[0])
            if follower is not None and _is_zero_pad(step) and _takes_padding(follower, step):
                self._pads[follower] = step
                self.absorbed.add(step)

    def convolution(self, step: Step) -> _Convolution | None:
        """The step with all that can be folded into it; None where it is no 2-D convolution."""
        if not _is_convolution(step):
            return None
        source, weight, bias, stride, padding, dilation, _, _, groups = step.args
        found = _Convolution(
            source=source,
            weight=weight.detach().double(),
            bias=torch.zeros(len(weight)).double() if bias is None else bias.detach().double(),
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            output=step.outputs[0],
        )
        if step in self._pads:
            found = found.padded(self._pads[step])
        follower = self._next.get(found.output)
        if follower is not None and _is_fixed_norm(follower, found.output):
            found = found.normalised(follower)
            self.absorbed.add(follower)
            follower = self._next.get(found.output)
        if follower is not None and follower.function in _ACTIVATIONS:
            found = found.activated(follower)
            self.absorbed.add(follower)
        return found


def _is_convolution(step: Step) -> bool:
    if step.function is not _aten.convolution.default:
        return False
    source, weight, bias, *_, transposed, _, _ = step.args
    constant = isinstance(weight, Tensor) and not isinstance(bias, Slot)
    return constant and weight.dim() == 4 and isinstance(source, Slot) and not transposed


def _is_zero_pad(step: Step) -> bool:
    if step.function is not _aten.constant_pad_nd.default or not isinstance(step.args[0], Slot):
        return False
    pads, value = step.args[1], (*step.args[2:], 0)[0]
    return value == 0 and len(pads) == 4 and min(pads) >= 0


def _takes_padding(step: Step, pad: Step) -> bool:
    even = pad.args[1][0] == pad.args[1][1] and pad.args[1][2] == pad.args[1][3]
    return (
        _is_convolution(step)
        and step.args[0] == pad.outputs[0]
        and (even or list(step.args[5]) == [1, 1])
    )


def _is_fixed_norm(step: Step, source: Slot) -> bool:
    if step.function is not _aten.native_batch_norm.default or step.args[0] != source:
        return False
    training, statistics = step.args[5], step.args[3:5]
    return not training and all(isinstance(t, Tensor) for t in statistics)


def _with_constants(step: Step, dtype: torch.dtype) -> Step:
    def convert(tensor: Tensor) -> Tensor:
        # A copy in any case: the network may be trained further.
        return tensor.detach().to(dtype if tensor.is_floating_point() else tensor.dtype, copy=True)

    args, kwargs = mapped((step.args, dict(step.kwargs)), Tensor, convert)
    return replace(step, args=args, kwargs=kwargs)
