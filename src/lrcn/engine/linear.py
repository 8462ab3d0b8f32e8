"""Matrix products with frozen weights, packed once in the form that the processor reads fastest.

For inputs between -1 and 1, which outputs of recurrent units are. In int8 they become whole numbers
of 1/127, the same for all rows, and products are added up exactly: a row's result does not depend
on the other rows of the batch, to the last bit. Where 8 bits are too few, inputs and weights are
written in two parts, the second 254 times as fine, and three products give nearly 16 bits.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from lrcn.engine.processor import Precision, processor_features
from lrcn.errors import ConfigError

Arithmetic = Literal["int8", "bfloat16", "float32"]

_LEVELS = 127
_FINER = 254
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
    """`torch.nn.functional.linear` with frozen weights: encoded inputs to float32 outputs_NO.

    Attributes:
        arithmetic: What products are computed in.
        num_bytes: Of the weights as packed.
    """

    def __init__(
        self,
        weight_OD: Tensor,
        bias_O: Tensor | None,
        arithmetic: Arithmetic,
        *,
        two_parts: bool = False,
    ) -> None:
        """Pack a copy of the weights.

        Args:
            weight_OD: As of `torch.nn.Linear`.
            bias_O: The same; None for none.
            arithmetic: In what to compute.
            two_parts: For int8: nearly 16 bits, from three products.

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
            self._bias_O = None if bias_O is None else bias_O.detach().float().clone()
            self._scales_O = weight_OD.abs().amax(1).clamp_min(1e-12) / _LEVELS
            self._zeros_O = torch.zeros(len(weight_OD), dtype=torch.int64)
            levels_OD = weight_OD / self._scales_O[:, None]
            parts = _parts(levels_OD) if two_parts else (levels_OD.round(),)
            self._packed = [
                torch.ops.onednn.qlinear_prepack(part.to(torch.int8), None) for part in parts
            ]
            self.num_bytes = size * len(parts)
        else:
            dtype = getattr(torch, arithmetic)
            self._bias_O = None if bias_O is None else bias_O.detach().to(dtype, copy=True)
            self._packed = [torch.ops.mkldnn._reorder_linear_weight(weight_OD.to(dtype), None)]
            self.num_bytes = size * dtype.itemsize

    @staticmethod
    def encode(values_ND: Tensor, arithmetic: Arithmetic, *, two_parts: bool = False) -> Tensor:
        """Values from -1 to 1 as `__call__` takes them: N x parts x D."""
        if arithmetic != "int8":
            return values_ND.to(getattr(torch, arithmetic))[:, None]
        levels_ND = values_ND * _LEVELS
        parts = _parts(levels_ND) if two_parts else (levels_ND.round(),)
        return torch.stack([part + _ZERO for part in parts], dim=1).to(torch.uint8)

    def __call__(self, encoded_NPD: Tensor, onto_NO: Tensor | None = None) -> Tensor:
        """The outputs of encoded inputs.

        Args:
            encoded_NPD: From `encode`. A second part counts only with weights of two parts, and may
                be left out: then inputs have 8 bits, and there are two products.
            onto_NO: float32, to which the outputs are added in place (without bias only).
        """
        if self.arithmetic != "int8":
            outputs_NO: Tensor = torch.ops.mkldnn._linear_pointwise(
                encoded_NPD[:, 0], self._packed[0], self._bias_O, "none", [], ""
            )
            return outputs_NO.float() if onto_NO is None else onto_NO.add_(outputs_NO)
        assert onto_NO is None or self._bias_O is None
        first_ND = encoded_NPD[:, 0].contiguous()
        outputs_NO = self._product(first_ND, 0, 1.0, onto_NO)
        if len(self._packed) > 1:
            outputs_NO = self._product(first_ND, 1, 1.0 / _FINER, outputs_NO)
        if len(self._packed) > 1 and encoded_NPD.shape[1] > 1:
            # What the product of the two second parts would add is below the rounding of both.
            second_ND = encoded_NPD[:, 1].contiguous()
            outputs_NO = self._product(second_ND, 0, 1.0 / _FINER, outputs_NO)
        return outputs_NO

    def _product(self, inputs_ND: Tensor, part: int, unit: float, onto_NO: Tensor | None) -> Tensor:
        """One exact product of whole numbers, times `unit`; added in place to `onto_NO`."""
        inputs = (inputs_ND, unit / _LEVELS, _ZERO)
        weights = (self._packed[part], self._scales_O, self._zeros_O)
        output = (1.0, 0, torch.float32)
        qlinear = torch.ops.onednn.qlinear_pointwise
        found_NO: Tensor
        if onto_NO is None:
            found_NO = qlinear(*inputs, *weights, self._bias_O, *output, "none", [], "")
        else:
            found_NO = qlinear.binary(
                *inputs, *weights, onto_NO, None, *output, 1.0, 0, "sum", 1.0, "none", [], ""
            )
        return found_NO


def _parts(levels: Tensor) -> tuple[Tensor, Tensor]:
    """Whole numbers, and what they leave over in units of 1/254: levels = first + second / 254."""
    first = levels.round()
    return first, ((levels - first) * _FINER).round()
