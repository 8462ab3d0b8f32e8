"""VGG-16 with Caffe's layout: layer names, pooling and preprocessing of the published prototxt.

The paper uses it for image description (3.2). `torchvision/vgg16` is the same arithmetic behind
another normalisation, with a pooling layer for other input sizes and weights from a hub.

Source: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition" (arXiv 1409.1556), configuration D; the authors' `VGG_ILSVRC_16_layers`.
"""

from __future__ import annotations

from typing import Final

import torch.nn.functional as F
from torch import Tensor, nn

from lrcn.errors import ConfigError
from lrcn.nn.backbone import Backbone, check_feature_layer
from lrcn.nn.backbones.caffenet import fully_connected
from lrcn.nn.weights import CUT_OFF, load_own
from lrcn.structures import Preprocessing

_FEATURE_LAYERS = ("fc6", "fc7", "fc8")
_BLOCKS: Final = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
"""Convolutions (3x3, pad 1) and their channels, before each pooling of 2x2."""


class VGG16(Backbone):
    """conv1_1 ... conv5_3, then fc6, fc7, fc8 as far as the feature layer.

    Layers are named as in the prototxt (`conv1_1.weight`, `fc6.bias`). Pooling rounds up, as in
    Caffe: at 224 pixels every size is even and rounding does not matter.
    Paper: dropout 0.5 stands between fc6 and fc7; the one after the feature layer is the model's
    `feature_dropout`.
    """

    def __init__(self, feature_layer: str, input_px: int) -> None:
        """Make the layers, weights drawn from torch's current generator.

        Raises:
            ConfigError: the input is too small for the network.
        """
        if input_px < 16:
            raise ConfigError(f"input_px {input_px} is too small for vgg16; it takes 16 and more")
        widths = (4096, 4096, 1000)[: _FEATURE_LAYERS.index(feature_layer) + 1]
        resized_px = max(256, input_px)
        super().__init__(
            name="vgg16",
            feature_dim=widths[-1],
            feature_layer=feature_layer,
            preprocessing=Preprocessing(
                input_px=input_px,
                resize_mode="squash",
                resize_height=resized_px,
                resize_width=resized_px,
                pixel_mean=(123.68, 116.779, 103.939),
            ),
        )
        channels = 3
        for block, (num_convs, out_channels) in enumerate(_BLOCKS, 1):
            for k in range(1, num_convs + 1):
                layer = nn.Conv2d(channels, out_channels, 3, padding=1)
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                self._add(f"conv{block}_{k}", layer)
                channels = out_channels
        side = -(-input_px // 32)  # five poolings that round up
        width = channels * side**2
        for k, out in enumerate(widths, 6):
            linear = nn.Linear(width, out)
            nn.init.normal_(linear.weight, std=0.01)
            self._add(f"fc{k}", linear)
            width = out

    def forward(self, frames_NCHW: Tensor) -> Tensor:
        """See `Backbone.forward`; fc6 and fc7 after ReLU, fc8 without."""
        x = frames_NCHW
        for block, (num_convs, _) in enumerate(_BLOCKS, 1):
            for k in range(1, num_convs + 1):
                x = F.relu(self.get_submodule(f"conv{block}_{k}")(x))
            x = F.max_pool2d(x, 2, 2, ceil_mode=True)
        return fully_connected(self, x)

    def stages(self) -> list[nn.Module]:
        """conv1_1 ... conv5_3, fc6, ...: in this order."""
        return list(self.children())

    def _add(self, name: str, layer: nn.Conv2d | nn.Linear) -> None:
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
        self.add_module(name, layer)


def build_vgg16(weights: str, feature_layer: str | None, input_px: int | None) -> VGG16:
    """VGG-16 (configuration D); weights from a file, for example of `lrcn import-caffe`."""
    layer = check_feature_layer("vgg16", feature_layer, _FEATURE_LAYERS)
    net = VGG16(layer, 224 if input_px is None else input_px)
    load_own(net, "vgg16", weights, ignorable=CUT_OFF)
    return net
