"""Matrix products with frozen weights, packed once in the form that the processor reads fastest.

For inputs between -1 and 1, which outputs of recurrent units are. In int8 they become whole numbers
of 1/127, the same for all rows, and products are added up exactly: a row's result does not depend
on the other rows of the batch, to the last bit.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from lrcn.engine.processor import Precision, processor_features
from lrcn.errors import ConfigError

Arithmetic = Literal["int8", "bfloat16", "float32"]

_LEVELS = 127
_ZERO = 128
"""The uint8 that stands for 0.0: the processors' instructions take one side unsigned."""


def choose_arithmetic(precision: Precision | Arithmetic) -> tuple[Arithmetic, ...]:
    """What to try, fastest first; it follows from the processor, never from a timing.

    Args:
        precision: "auto", or the one to use: then it alone, and float32 where it fails.

    Raises:
        ConfigError: the word is unknown.
    """
    if precision == "auto":
        return ("int8", "float32") if has_int8() else ("float32",)
    if precision == "float32":
        return ("float32",)
    if precision in ("int8", "bfloat16"):
        return (precision, "float32")
    raise ConfigError(
        f"precision is {precision!r}; it can be auto, float32, bfloat16 or int8. Leave it out to"
        " let the processor decide."
    )


def has_int8() -> bool:
    """Whether the processor adds up products of 8-bit numbers without overflow."""
    features = processor_features()
    return features["avx512_vnni"] or features["amx"]


class PackedLinear:
    """`torch.nn.functional.linear` with frozen weights: inputs_ND to float32 outputs_NO.

    Attributes:
        arithmetic: What products are computed in.
        num_bytes: Of the weights as packed.
    """

    def __init__(self, weight_OD: Tensor, bias_O: Tensor | None, arithmetic: Arithmetic) -> None:
        """Pack a copy of the weights.

        Raises:
            RuntimeError: torch was built without oneDNN here, or this processor lacks the type.
        """
        if arithmetic == "int8" and not has_int8():
            # Older instructions add pairs of products in 16 bits, which saturate.
            raise RuntimeError("the processor has neither AVX-512 VNNI nor AMX")
        self.arithmetic = arithmetic
        weight_OD = weight_OD.detach().float()
        size = weight_OD.numel()
        if arithmetic == "int8":
            self._scales_O = weight_OD.abs().amax(1).clamp_min(1e-12) / _LEVELS
            whole_OD = (weight_OD / self._scales_O[:, None]).round().to(torch.int8)
            self._packed = torch.ops.onednn.qlinear_prepack(whole_OD, None)
            self._zeros_O = torch.zeros(len(weight_OD), dtype=torch.int64)
            self._bias_O = None if bias_O is None else bias_O.detach().float().clone()
            self.num_bytes = size
        else:
            dtype = getattr(torch, arithmetic)
            self._packed = torch.ops.mkldnn._reorder_linear_weight(weight_OD.to(dtype), None)
            self._bias_O = None if bias_O is None else bias_O.detach().to(dtype, copy=True)
            self.num_bytes = size * dtype.itemsize

    @staticmethod
    def encode(values: Tensor, arithmetic: Arithmetic) -> Tensor:
        """Values from -1 to 1 in the type that `__call__` takes."""
        if arithmetic == "int8":
            # Adding a half before cutting off the fraction rounds to the nearest.
            return values.mul(_LEVELS).add_(_ZERO + 0.5).to(torch.uint8)
        return values.to(getattr(torch, arithmetic))

    def __call__(self, encoded_ND: Tensor) -> Tensor:
        """A fresh outputs_NO, float32, of encoded inputs."""
        if self.arithmetic == "int8":
            int8_NO: Tensor = torch.ops.onednn.qlinear_pointwise(
                encoded_ND,
                1.0 / _LEVELS,
                _ZERO,
                self._packed,
                self._scales_O,
                self._zeros_O,
                self._bias_O,
                1.0,
                0,
                torch.float32,
                "none",
                [],
                "",
            )  # fmt: skip - one argument a line would be thirteen lines
            return int8_NO
        outputs_NO: Tensor = torch.ops.mkldnn._linear_pointwise(
            encoded_ND, self._packed, self._bias_O, "none", [], ""
        )
        return outputs_NO.float()
