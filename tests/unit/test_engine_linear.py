"""Packed weights: the same products as torch's, row by row independent of the batch."""

from __future__ import annotations

import pytest
import torch

from lrcn.engine.linear import PackedLinear, choose_arithmetic, has_int8
from lrcn.engine.processor import processor_features
from lrcn.errors import ConfigError

ERRORS = {"float32": 1e-6, "bfloat16": 1e-2, **({"int8": 1e-2} if has_int8() else {})}

needs_int8 = pytest.mark.skipif(not has_int8(), reason="the processor has no int8 products")


def _case(*, bias: bool = True) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.rand(37, 50, generator=generator) * 2 - 1
    weight = torch.randn(71, 50, generator=generator)
    weight[3] = 0.0
    return inputs, weight, torch.randn(71, generator=generator) if bias else None


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("arithmetic", ERRORS)
def test_products_are_torchs(arithmetic: str, bias: bool) -> None:
    inputs, weight, bias_O = _case(bias=bias)
    packed = PackedLinear(weight, bias_O, arithmetic)  # type: ignore[arg-type]
    found = packed(PackedLinear.encode(inputs, arithmetic))  # type: ignore[arg-type]
    expected = torch.nn.functional.linear(inputs, weight, bias_O)
    assert found.dtype == torch.float32
    assert float((found - expected).norm() / expected.norm()) < ERRORS[arithmetic]
    sizes = {"int8": 1, "bfloat16": 2, "float32": 4}
    assert packed.num_bytes == weight.numel() * sizes[arithmetic]


def test_later_changes_of_the_weights_are_not_seen() -> None:
    inputs, weight, bias = _case()
    for arithmetic in ERRORS:
        packed = PackedLinear(weight, bias, arithmetic)  # type: ignore[arg-type]
        encoded = PackedLinear.encode(inputs, arithmetic)  # type: ignore[arg-type]
        before = packed(encoded)
        assert bias is not None
        weight.add_(1.0)
        bias.add_(1.0)
        assert torch.equal(packed(encoded), before)


@needs_int8
def test_two_parts_are_nearly_sixteen_bits() -> None:
    inputs, weight, bias = _case()
    packed = PackedLinear(weight, bias, "int8", two_parts=True)
    expected = torch.nn.functional.linear(inputs, weight, bias)
    errors = [
        float((packed(encoded) - expected).norm() / expected.norm())
        for encoded in (
            PackedLinear.encode(inputs, "int8", two_parts=True),
            PackedLinear.encode(inputs, "int8"),
        )
    ]
    assert errors[0] < 5e-5 < errors[1] < 5e-3
    assert packed.num_bytes == 2 * weight.numel()


@pytest.mark.parametrize("arithmetic", ERRORS)
def test_outputs_can_be_added_in_place(arithmetic: str) -> None:
    inputs, weight, _ = _case()
    packed = PackedLinear(weight, None, arithmetic, two_parts=True)  # type: ignore[arg-type]
    encoded = PackedLinear.encode(inputs, arithmetic, two_parts=True)  # type: ignore[arg-type]
    onto = torch.ones(37, 71)
    found = packed(encoded, onto)
    assert found.data_ptr() == onto.data_ptr()
    torch.testing.assert_close(found, packed(encoded) + 1.0, rtol=1e-6, atol=1e-5)


@needs_int8
def test_int8_rows_do_not_depend_on_the_batch() -> None:
    inputs, weight, bias = _case()
    packed = PackedLinear(weight, bias, "int8", two_parts=True)
    encoded = PackedLinear.encode(inputs, "int8", two_parts=True)
    together = packed(encoded)
    for row in range(0, 37, 6):
        assert torch.equal(packed(encoded[row : row + 1])[0], together[row])


@needs_int8
def test_int8_holds_the_whole_range_exactly() -> None:
    """-1, 0 and 1 and every step of 1/127 between come back as they are."""
    levels = torch.arange(-127, 128) / 127
    packed = PackedLinear(torch.ones(1, 1), None, "int8")
    found = packed(PackedLinear.encode(levels[:, None], "int8"))[:, 0]
    torch.testing.assert_close(found, levels, rtol=0, atol=1e-6)


def test_what_is_tried_follows_from_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    features = dict.fromkeys(processor_features(), False)
    monkeypatch.setattr("lrcn.engine.linear.processor_features", lambda: features)
    assert choose_arithmetic("auto") == ("float32",)
    features["avx512_vnni"] = True
    assert choose_arithmetic("auto") == ("int8", "float32")
    assert choose_arithmetic("float32") == ("float32",)
    assert choose_arithmetic("bfloat16") == ("bfloat16", "float32")
    features["avx512_vnni"] = False
    with pytest.raises(RuntimeError, match="VNNI"):
        PackedLinear(torch.ones(1, 1), None, "int8")
    with pytest.raises(ConfigError, match="int4"):
        choose_arithmetic("int4")  # type: ignore[arg-type]
