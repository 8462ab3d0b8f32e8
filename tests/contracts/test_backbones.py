"""What every backbone promises: tested for each name of the table, and for some of the zoos."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from lrcn.errors import ConfigError
from lrcn.nn.backbone import Backbone, set_trainable
from lrcn.nn.backbones import BACKBONES, create_backbone, list_backbones

TABLE = list_backbones()
SMALLER = {"caffenet": 99, "caffenet_hybrid": 99, "small": 32}
"""Input sizes that keep this quick; 64 for the others."""

ZOO = [
    ("timm/mobilenetv3_small_050", None, 1024),
    ("timm/mobilenetv3_small_050", "pooled", 288),
    ("timm/mobilenetv3_small_050", "grid", 1152),
    ("efficientnet_lite0", "grid", 5120),
    ("small", "grid", 864),
    ("timm/resnet10t", None, 512),
    ("timm/vit_tiny_patch16_224", None, 192),
    ("torchvision/resnet18", None, 512),
    ("torchvision/mobilenet_v3_small", None, 1024),
    ("torchvision/mobilenet_v3_small", "pooled", 576),
    ("torchvision/squeezenet1_1", None, 512),
    ("torchvision/efficientnet_b0", None, 1280),
]


def make(name: str, feature_layer: str | None = None, seed: int = 0) -> Backbone:
    return create_backbone(
        name,
        weights="random",
        feature_layer=feature_layer,
        input_px=SMALLER.get(name, 64),
        seed=seed,
    ).eval()


def pixels(backbone: Backbone, num: int = 2) -> Tensor:
    side = backbone.preprocessing.input_px
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (num, 3, side, side), dtype=torch.uint8, generator=generator)


def check(backbone: Backbone, twin: Backbone, path: Path) -> None:
    frames = pixels(backbone)

    # normalisation: mean and deviation of the preprocessing, float32, pixels untouched
    normalised = backbone.normalise(frames)
    described = backbone.preprocessing
    for channel in range(3):
        by_hand = (frames[:, channel].double() - described.pixel_mean[channel]) / (
            described.pixel_std[channel]
        )
        torch.testing.assert_close(normalised[:, channel].double(), by_hand, atol=1e-4, rtol=1e-5)
    assert normalised.dtype == torch.float32

    # shape, and each frame for itself
    features = backbone(normalised)
    assert features.shape == (2, backbone.feature_dim)
    assert features.dtype == torch.float32
    with torch.no_grad():
        alone = backbone(normalised[:1])
        torch.testing.assert_close(alone, features[:1], atol=1e-3, rtol=1e-3)

    # gradient: every parameter learns, none when frozen
    features.square().sum().backward()
    without = [name for name, p in backbone.named_parameters() if p.grad is None]
    assert without == []
    set_trainable(backbone, False)
    assert not backbone.train()(normalised).requires_grad
    backbone.eval()

    # save and load: another draw, the same features
    safetensors.torch.save_file(backbone.state_dict(), path)
    with torch.no_grad():
        expected = backbone(normalised)
        assert not torch.equal(twin(normalised), expected)
        twin.load_state_dict(safetensors.torch.load_file(path))
        assert torch.equal(twin(normalised), expected)

    # parts for staged unfreezing
    assert all(next(stage.parameters(), None) is not None for stage in backbone.stages())
    assert len(backbone.stages()) > 1


@pytest.mark.parametrize("name", TABLE)
def test_backbone(name: str, tmp_path: Path) -> None:
    backbone = make(name)
    assert backbone.name == name
    check(backbone, make(name, seed=1), tmp_path / "w.safetensors")
    with pytest.raises(ConfigError, match="feature_layer"):
        make(name, "no_such_layer")


@pytest.mark.parametrize(("name", "feature_layer", "feature_dim"), ZOO)
def test_zoo(name: str, feature_layer: str | None, feature_dim: int, tmp_path: Path) -> None:
    backbone = make(name, feature_layer)
    assert backbone.name == name
    assert backbone.feature_dim == feature_dim
    assert backbone.feature_layer == (feature_layer or "pre_logits")
    check(backbone, make(name, feature_layer, seed=1), tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    ("name", "dims"),
    [
        ("torchvision/alexnet", {"fc6": 4096, "fc7": 4096, "pooled": 9216, "pre_logits": 4096}),
        ("torchvision/vgg11", {"fc6": 4096, "fc7": 4096, "pooled": 25088, "pre_logits": 4096}),
    ],
)
def test_taps_of_old_nets(name: str, dims: dict[str, int]) -> None:
    with torch.device("meta"):  # 130 million weights: shapes only
        nets = {layer: make(name, layer) for layer in dims}
        frames = torch.zeros(1, 3, 64, 64)
        found = {layer: net(frames) for layer, net in nets.items()}
    assert {layer: features.shape[1] for layer, features in found.items()} == dims
    assert {layer: net.feature_dim for layer, net in nets.items()} == dims


def test_packaged_weights_fit_every_tap() -> None:
    frames = torch.zeros(1, 3, 64, 64)
    taps = {
        layer: create_backbone("efficientnet_lite0", feature_layer=layer, input_px=64).eval()
        for layer in ("pre_logits", "grid")
    }
    with torch.no_grad():
        pooled = taps["pre_logits"](frames)
        grid = taps["grid"](frames)
    torch.testing.assert_close(grid.view(1, -1, 4).mean(2), pooled, atol=1e-5, rtol=1e-5)


def test_every_name_of_the_table_is_covered() -> None:
    marks = test_backbone.pytestmark  # type: ignore[attr-defined]
    (covered,) = [mark.args[1] for mark in marks if mark.name == "parametrize"]
    assert sorted(covered) == sorted(BACKBONES)
    assert len(covered) == len(BACKBONES) >= 7
