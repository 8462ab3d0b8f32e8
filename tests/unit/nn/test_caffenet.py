"""The paper's nets: counts and shapes of paper.md 2.2, LRN, pooling, fillers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lrcn.errors import ConfigError, WeightsError
from lrcn.nn.backbones import create_backbone
from lrcn.nn.backbones.caffenet import CaffeNet, LocalResponseNorm


@pytest.fixture(scope="module")
def hybrid() -> CaffeNet:
    net = create_backbone("caffenet_hybrid", feature_layer="fc7")
    assert isinstance(net, CaffeNet)
    return net.eval()


def counts(net: CaffeNet) -> dict[str, int]:
    return {
        name: sum(p.numel() for p in child.parameters())
        for name, child in net.named_children()
        if list(child.parameters())
    }


def test_hybrid_has_the_papers_parameter_counts(hybrid: CaffeNet) -> None:
    assert counts(hybrid) == {
        "conv1": 14_208,
        "conv2": 461_184,
        "conv3": 1_769_984,
        "conv4": 1_180_160,
        "conv5": 885_120,
        "fc6": 56_627_200,
        "fc7": 16_781_312,
    }
    fc8_ucf = nn.Linear(hybrid.feature_dim, 101)
    total = sum(p.numel() for p in (*hybrid.parameters(), *fc8_ucf.parameters()))
    assert total == 78_132_965  # the single-frame net


def test_hybrid_has_the_papers_shapes(hybrid: CaffeNet) -> None:
    shapes = {}
    for name, child in hybrid.named_children():
        child.register_forward_hook(
            lambda _m, _i, out, name=name: shapes.update({name: tuple(out.shape[1:])})
        )
    with torch.no_grad():
        features = hybrid(torch.zeros(1, 3, 227, 227))
    assert features.min() >= 0  # after ReLU
    assert shapes == {
        "conv1": (96, 111, 111),
        "norm1": (96, 55, 55),
        "conv2": (384, 26, 26),
        "norm2": (384, 13, 13),  # 12 x 12 if pooling rounded down
        "conv3": (512, 13, 13),
        "conv4": (512, 13, 13),
        "conv5": (384, 13, 13),
        "fc6": (4096,),
        "fc7": (4096,),
    }


def test_caffenet_has_the_reference_models_count() -> None:
    net = create_backbone("caffenet", feature_layer="fc8")
    assert sum(p.numel() for p in net.parameters()) == 60_965_224
    assert net.feature_dim == 1000


def test_fillers() -> None:
    hybrid = create_backbone("caffenet_hybrid", input_px=99)
    state = hybrid.state_dict()
    assert state["conv1.bias"].unique().tolist() == pytest.approx([0.1])
    assert state["fc6.bias"].unique().tolist() == pytest.approx([0.1])
    assert state["fc6.weight"].std().item() == pytest.approx(0.01, rel=0.02)
    caffenet = create_backbone("caffenet", input_px=99).state_dict()
    assert set(caffenet["conv1.bias"].tolist()) == {0.0}
    assert set(caffenet["conv2.bias"].tolist()) == {1.0}
    assert caffenet["fc6.weight"].std().item() == pytest.approx(0.005, rel=0.02)


def test_preprocessing_is_the_papers(hybrid: CaffeNet) -> None:
    found = hybrid.preprocessing
    assert (found.resize_mode, found.resize_height, found.resize_width) == ("squash", 240, 320)
    assert found.input_px == 227
    assert found.pixel_mean == (123.68, 116.779, 103.939)  # RGB; the paper's order is BGR
    assert found.pixel_std == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("channels", [3, 16])
def test_lrn_equals_torchs(channels: int) -> None:
    x = torch.randn(2, channels, 5, 6, generator=torch.Generator().manual_seed(0)) * 100
    x.requires_grad_()
    expected = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)(x)
    (wanted,) = torch.autograd.grad(expected.square().sum(), x)
    found = LocalResponseNorm(channels)(x)
    (gradient,) = torch.autograd.grad(found.square().sum(), x)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(gradient, wanted, rtol=1e-4, atol=1e-4)


def test_lrn_works_in_bfloat16_where_torchs_does_not() -> None:
    x = torch.randn(1, 8, 4, 4)
    low = LocalResponseNorm(8).to(torch.bfloat16)(x.bfloat16())
    torch.testing.assert_close(low.float(), LocalResponseNorm(8)(x), atol=0.03, rtol=0.02)


def test_fc6_of_a_longer_net_is_the_shorter_nets(tmp_path: object) -> None:
    long = create_backbone("caffenet", feature_layer="fc8", input_px=99).eval()
    path = f"{tmp_path}/net.pth"
    torch.save({"state_dict": {f"module.{k}": v for k, v in long.state_dict().items()}}, path)
    short = create_backbone("caffenet", weights=path, input_px=99).eval()
    frames = short.normalise(torch.randint(0, 256, (2, 3, 99, 99), dtype=torch.uint8))
    with torch.no_grad():
        by_hand = F.linear(
            F.relu(F.linear(short(frames), *long.get_submodule("fc7").parameters())),
            *long.get_submodule("fc8").parameters(),
        )
        torch.testing.assert_close(long(frames), by_hand)


def test_other_weights_and_taps_are_refused() -> None:
    with pytest.raises(WeightsError, match="no hub weights"):
        create_backbone("caffenet", weights="hub", input_px=99)
    with pytest.raises(WeightsError, match="no packaged weights"):
        create_backbone("caffenet", weights="packaged", input_px=99)
    with pytest.raises(ConfigError, match="fc6, fc7, fc8"):
        create_backbone("caffenet", feature_layer="fc5")
