"""The networks of the paper: CaffeNet, and its hybrid with Zeiler and Fergus' (paper 2.2).

Pooling rounds up and comes before normalisation; convolutions have groups. Both end at the layer
the features are taken from, after its ReLU: LRCN-fc6 has no fc7 (paper 2.3).

Paper: its pictures are BGR; here they are RGB everywhere. Caffe weights need the channels of
conv1 turned round, once, when they are imported. Its data layer's red mean 128.68 is a typing
error for 123.68 (paper 2.4).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lrcn.errors import ConfigError
from lrcn.nn.backbone import Backbone, check_feature_layer
from lrcn.nn.weights import CUT_OFF, load_own
from lrcn.structures import Preprocessing

_FEATURE_LAYERS = ("fc6", "fc7", "fc8")


class LocalResponseNorm(nn.Module):
    """Caffe's LRN across channels: x / (1 + α/n Σ x²)^0.75 over n neighbouring channels.

    The sum is a 1x1 convolution of x² with a banded matrix of ones, and d^-0.75 is
    rsqrt(d) · sqrt(rsqrt(d)): equal to `nn.LocalResponseNorm`, faster, and it works in bfloat16,
    for which that one has no kernel.
    """

    band_CC11: Tensor

    def __init__(self, num_channels: int, *, size: int = 5, alpha: float = 1e-4) -> None:
        super().__init__()
        places = torch.arange(num_channels)
        near = (places[:, None] - places[None, :]).abs() <= size // 2
        band = near.float().mul(alpha / size)[..., None, None]
        self.register_buffer("band_CC11", band, persistent=False)

    def forward(self, inputs_NCHW: Tensor) -> Tensor:
        """Normalised, same shape."""
        scale = F.conv2d(inputs_NCHW.square(), self.band_CC11).add(1.0)
        root = scale.rsqrt()
        return inputs_NCHW * (root * root.sqrt())


@dataclass(frozen=True)
class _Conv:
    """One convolution as in the prototxt; Caffe's fillers."""

    out_channels: int
    kernel: int
    stride: int
    pad: int
    groups: int
    bias: float
    norm: bool = False
    pool: bool = False


@dataclass(frozen=True)
class _Plan:
    convs: tuple[_Conv, ...]
    fc_std: float
    fc_bias: float


_HYBRID = _Plan(
    convs=(
        _Conv(96, 7, 2, 0, 1, 0.1, norm=True, pool=True),
        _Conv(384, 5, 2, 0, 2, 0.1, norm=True, pool=True),
        _Conv(512, 3, 1, 1, 1, 0.1),
        _Conv(512, 3, 1, 1, 2, 0.1),
        _Conv(384, 3, 1, 1, 2, 0.1, pool=True),
    ),
    fc_std=0.01,
    fc_bias=0.1,
)

_CAFFENET = _Plan(
    convs=(
        _Conv(96, 11, 4, 0, 1, 0.0, norm=True, pool=True),
        _Conv(256, 5, 1, 2, 2, 1.0, norm=True, pool=True),
        _Conv(384, 3, 1, 1, 1, 0.0),
        _Conv(384, 3, 1, 1, 2, 1.0),
        _Conv(256, 3, 1, 1, 2, 1.0, pool=True),
    ),
    fc_std=0.005,
    fc_bias=1.0,
)


class CaffeNet(Backbone):
    """conv1 ... conv5, then fc6, fc7, fc8 as far as the feature layer.

    Layers are named as in the prototxt (`conv1.weight`, `fc6.bias`).
    Paper: dropout 0.5 stands between fc6 and fc7; the one after the feature layer is the model's
    `feature_dropout` (0.9 after fc6).
    """

    def __init__(self, name: str, plan: _Plan, feature_layer: str, input_px: int) -> None:
        """Make the layers, weights drawn by Caffe's fillers from torch's current generator.

        Raises:
            ConfigError: the input is too small for the network.
        """
        depth = _FEATURE_LAYERS.index(feature_layer) + 1
        widths = (4096, 4096, 1000)[:depth]
        preprocessing = Preprocessing(
            input_px=input_px,
            resize_mode="squash",
            resize_height=max(240, input_px),
            resize_width=max(320, input_px),
            pixel_mean=(123.68, 116.779, 103.939),
        )
        super().__init__(
            name=name,
            feature_dim=widths[-1],
            feature_layer=feature_layer,
            preprocessing=preprocessing,
        )
        self._plan = plan
        channels = 3
        for k, conv in enumerate(plan.convs, 1):
            layer = nn.Conv2d(
                channels, conv.out_channels, conv.kernel, conv.stride, conv.pad, groups=conv.groups
            )
            _fill(layer, 0.01, conv.bias)
            self.add_module(f"conv{k}", layer)
            if conv.norm:
                self.add_module(f"norm{k}", LocalResponseNorm(conv.out_channels))
            channels = conv.out_channels
        width = channels * _final_side(name, plan, input_px) ** 2
        for k, out in enumerate(widths, 6):
            linear = nn.Linear(width, out)
            last = k == 8
            _fill(linear, 0.01 if last else plan.fc_std, 0.0 if last else plan.fc_bias)
            self.add_module(f"fc{k}", linear)
            width = out

    def forward(self, frames_NCHW: Tensor) -> Tensor:
        """See `Backbone.forward`; fc6 and fc7 after ReLU, fc8 without."""
        x = frames_NCHW
        for k, conv in enumerate(self._plan.convs, 1):
            x = F.relu(self.get_submodule(f"conv{k}")(x))
            if conv.pool:
                x = F.max_pool2d(x, 3, 2, ceil_mode=True)
            if conv.norm:
                x = self.get_submodule(f"norm{k}")(x)
        return fully_connected(self, x)

    def stages(self) -> list[nn.Module]:
        """conv1 ... conv5, fc6, ...: in this order."""
        return [child for child in self.children() if next(child.parameters(), None) is not None]


def fully_connected(net: Backbone, maps_NCHW: Tensor) -> Tensor:
    """fc6, fc7, fc8 of a network with Caffe's layer names, as far as its feature layer."""
    x = F.relu(net.get_submodule("fc6")(maps_NCHW.flatten(1)))
    if net.feature_layer != "fc6":
        x = F.relu(net.get_submodule("fc7")(F.dropout(x, 0.5, net.training)))
    if net.feature_layer == "fc8":
        x = net.get_submodule("fc8")(F.dropout(x, 0.5, net.training))
    return x


def build_caffenet(weights: str, feature_layer: str | None, input_px: int | None) -> CaffeNet:
    """The CaffeNet reference model (AlexNet with pooling before normalisation); 57.4 % top-1."""
    return _build("caffenet", _CAFFENET, weights, feature_layer, input_px)


def build_caffenet_hybrid(
    weights: str, feature_layer: str | None, input_px: int | None
) -> CaffeNet:
    """The paper's "CaffeNet / Zeiler-Fergus hybrid" (paper 2.2); 60.2 % top-1."""
    return _build("caffenet_hybrid", _HYBRID, weights, feature_layer, input_px)


def _build(
    name: str, plan: _Plan, weights: str, feature_layer: str | None, input_px: int | None
) -> CaffeNet:
    layer = check_feature_layer(name, feature_layer, _FEATURE_LAYERS)
    net = CaffeNet(name, plan, layer, 227 if input_px is None else input_px)
    load_own(net, name, weights, ignorable=CUT_OFF)
    return net


def _final_side(name: str, plan: _Plan, input_px: int) -> int:
    """Side of pool5's maps."""
    side = input_px
    for conv in plan.convs:
        side = (side + 2 * conv.pad - conv.kernel) // conv.stride + 1
        if conv.pool:
            side = -(-(side - 3) // 2) + 1
        if side < 1:
            raise ConfigError(
                f"input_px {input_px} is too small for {name}; it takes 227, and at least about 80"
            )
    return side


def _fill(layer: nn.Conv2d | nn.Linear, std: float, bias: float) -> None:
    """Caffe's fillers: gaussian weights, constant bias."""
    nn.init.normal_(layer.weight, std=std)
    assert layer.bias is not None
    nn.init.constant_(layer.bias, bias)
