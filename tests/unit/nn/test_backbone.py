"""What all backbones share: normalising, freezing, stages; and making one by name."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lrcn.errors import ConfigError
from lrcn.nn.backbone import Backbone, check_feature_layer, set_trainable
from lrcn.nn.backbones import create_backbone
from lrcn.structures import Preprocessing


class TinyBackbone(Backbone):
    """Two convolutions with batch-norm and dropout."""

    def __init__(self) -> None:
        preprocessing = Preprocessing(
            input_px=8,
            resize_px=8,
            pixel_mean=(123.68, 116.779, 103.939),
            pixel_std=(58.395, 57.12, 57.375),
        )
        super().__init__(
            name="tiny", feature_dim=4, feature_layer="pooled", preprocessing=preprocessing
        )
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5))
        self.second = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5))

    def forward(self, frames_NCHW: Tensor) -> Tensor:
        features: Tensor = self.second(self.first(frames_NCHW)).mean((2, 3))
        return features


def pixels(num: int = 2, side: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (num, 3, side, side), dtype=torch.uint8, generator=generator)


def test_normalise() -> None:
    backbone = TinyBackbone()
    frames = pixels()
    out = backbone.normalise(frames)
    mean = torch.tensor([123.68, 116.779, 103.939])[:, None, None]
    std = torch.tensor([58.395, 57.12, 57.375])[:, None, None]
    torch.testing.assert_close(out, (frames.float() - mean) / std)
    assert torch.equal(backbone.normalise(frames.float()), out)
    assert frames.dtype == torch.uint8  # untouched
    halves = frames.float() + 0.5
    kept = halves.clone()
    backbone.normalise(halves)
    assert torch.equal(halves, kept)


def test_normalise_in_bfloat16_rounds_once() -> None:
    backbone = TinyBackbone()
    exact = backbone.normalise(pixels())
    backbone.to(torch.bfloat16)
    assert torch.equal(backbone.normalise(pixels()), exact.bfloat16())


def test_normalise_keeps_channels_last() -> None:
    frames = pixels().to(memory_format=torch.channels_last)
    assert TinyBackbone().normalise(frames).is_contiguous(memory_format=torch.channels_last)


def test_frozen_backbone_stays_still_in_training() -> None:
    backbone = TinyBackbone()
    set_trainable(backbone, False)
    backbone.train()
    frames = backbone.normalise(pixels())
    before = {k: v.clone() for k, v in backbone.state_dict().items()}
    features = backbone(frames)
    assert torch.equal(features, backbone(frames))
    assert not features.requires_grad
    assert all(torch.equal(v, before[k]) for k, v in backbone.state_dict().items())
    set_trainable(backbone, True)
    backbone.train()
    assert backbone(frames).requires_grad
    assert not torch.equal(
        backbone.state_dict()["first.1.running_mean"], before["first.1.running_mean"]
    )


def test_part_frozen_part_free() -> None:
    backbone = TinyBackbone()
    set_trainable(backbone.first, False)
    backbone.train()
    modes = [module.training for module in (*backbone.first, *backbone.second)]
    assert modes == [False, False, False, True, True, True]
    assert backbone.training
    backbone(backbone.normalise(pixels())).sum().backward()
    assert backbone.first[0].weight.grad is None
    assert backbone.second[0].weight.grad is not None


def test_stages_cover_every_parameter_once() -> None:
    for backbone in (TinyBackbone(), create_backbone("torchvision/resnet18", weights="random")):
        inside = [p for stage in backbone.stages() for p in stage.parameters()]
        assert len(inside) == len({id(p) for p in inside})
        assert {id(p) for p in inside} == {id(p) for p in backbone.parameters()}
    names = {id(module): name for name, module in backbone.named_modules()}
    order = [names[id(stage)] for stage in backbone.stages()]
    assert order[0] == "net.conv1"
    assert order[-1] == "net.layer4.1"


def test_feature_layer_is_checked() -> None:
    assert check_feature_layer("x", None, ("fc6", "fc7")) == "fc6"
    assert check_feature_layer("x", "fc7", ("fc6", "fc7")) == "fc7"
    with pytest.raises(ConfigError, match=r"no feature_layer 'fc9'.*Did you mean.*fc6, fc7"):
        check_feature_layer("x", "fc9", ("fc6", "fc7"))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("efficientnet-lite0", "efficientnet_lite0"),
        ("caffenet_hybird", "caffenet_hybrid"),
        ("timm/resnet81", "Did you mean"),
        ("torchvision/resnet8", "Did you mean"),
        ("resnet18", "timm/resnet18"),
    ],
)
def test_unknown_names_are_refused_with_a_hint(name: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=hint):
        create_backbone(name)


def test_impossible_input_sizes_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1, not 0"):
        create_backbone("caffenet", input_px=0)
    with pytest.raises(ConfigError, match="too small"):
        create_backbone("caffenet", input_px=32)


def test_random_weights_follow_the_seed_only() -> None:
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    name = "timm/mobilenetv3_small_050"
    one, two = create_backbone(name, seed=5), create_backbone(name, seed=5)
    other = create_backbone(name, seed=6)
    assert torch.equal(torch.rand(3), expected)
    weights = [next(b.parameters()) for b in (one, two, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
