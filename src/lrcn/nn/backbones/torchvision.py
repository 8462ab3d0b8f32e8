"""Any classifier of torchvision.models, cut before its last linear layer.

The only file that imports torchvision, and only when a network of it is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from lrcn.errors import ConfigError, WeightsError
from lrcn.nn.backbone import Backbone, check_feature_layer
from lrcn.nn.weights import fetch, load_named, read_weights
from lrcn.settings import did_you_mean
from lrcn.structures import Preprocessing

_HEADS: Final = ("classifier", "fc", "heads", "head")
"""Where torchvision's classifiers keep their last layers."""


class TorchvisionBackbone(Backbone):
    """A torchvision classifier that ends at one of its last layers.

    Feature layers: "pre_logits", what the last linear layer reads; "pooled", what the first one
    of several reads (VGG, AlexNet, MobileNetV3); "fc6", "fc7" of VGG and AlexNet, after ReLU.
    """

    def __init__(
        self,
        name: str,
        net: nn.Module,
        *,
        feature_dim: int,
        feature_layer: str,
        preprocessing: Preprocessing,
    ) -> None:
        super().__init__(
            name=name,
            feature_dim=feature_dim,
            feature_layer=feature_layer,
            preprocessing=preprocessing,
        )
        self.net = net

    def forward(self, frames_NCHW: torch.Tensor) -> torch.Tensor:
        """See `Backbone.forward`."""
        features: torch.Tensor = self.net(frames_NCHW)
        return features


def build_torchvision(
    model_name: str, weights: str, feature_layer: str | None, input_px: int | None
) -> TorchvisionBackbone:
    """`torchvision/<model_name>`; see `create_backbone`.

    Raises:
        ConfigError: torchvision has no such classifier, or the classifier no such tap.
        WeightsError: the weights cannot be had.
    """
    from torchvision import models

    names = models.list_models(module=models)
    if model_name not in names:
        raise ConfigError(
            f"torchvision has no classifier {model_name!r}.{did_you_mean(model_name, names)}"
            " torchvision.models.list_models(torchvision.models) in Python lists them all"
        )
    name = f"torchvision/{model_name}"
    published: Any = models.get_model_weights(model_name).DEFAULT
    arguments = _arguments(model_name, weights, input_px)
    try:
        net = models.get_model(model_name, weights=None, **arguments)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(f"{name} cannot be made with input_px={input_px}: {error}") from error
    whole = list(net.state_dict())
    taps = _taps(model_name, net)
    layer = check_feature_layer(name, feature_layer, tuple(taps))
    feature_dim = _cut(net, taps[layer])
    _load(name, net, weights, published, whole)
    return TorchvisionBackbone(
        name,
        net,
        feature_dim=feature_dim,
        feature_layer=layer,
        preprocessing=_preprocessing(published.transforms(), input_px),
    )


def _arguments(model_name: str, weights: str, input_px: int | None) -> dict[str, Any]:
    if model_name in ("googlenet", "inception_v3"):
        # The published weights were ported from TensorFlow and expect its normalisation.
        ported = weights not in ("auto", "random")
        return {"aux_logits": False, "init_weights": True, "transform_input": ported}
    if model_name.startswith("vit_") and input_px is not None:
        return {"image_size": input_px}
    return {}


def _head(net: nn.Module) -> tuple[str, list[nn.Module]]:
    """Name of the head, and its layers in order."""
    children = dict(net.named_children())
    name = next(name for name in _HEADS if name in children)
    head = children[name]
    return name, list(head) if isinstance(head, nn.Sequential) else [head]


def _taps(model_name: str, net: nn.Module) -> dict[str, tuple[int, int]]:
    """Tap to (number of head layers kept, width); the usual tap first."""
    _, layers = _head(net)
    places = [k for k, layer in enumerate(layers) if isinstance(layer, nn.Linear)]
    if not places:  # SqueezeNet classifies by a convolution: nothing of its head is kept
        conv = next(layer for layer in layers if isinstance(layer, nn.Conv2d))
        return {"pre_logits": (0, conv.in_channels)}
    widths = [layer.in_features for layer in layers if isinstance(layer, nn.Linear)]
    taps = {"pre_logits": (places[-1], widths[-1])}
    if len(places) > 1:
        taps["pooled"] = (places[0], widths[0])
    if model_name == "alexnet" or model_name.startswith("vgg"):
        taps["fc6"] = (places[0] + 2, widths[1])
        taps["fc7"] = (places[1] + 2, widths[2])
    return taps


def _cut(net: nn.Module, tap: tuple[int, int]) -> int:
    """Keep the first layers of the head, without dropout at their end; the feature width."""
    kept, width = tap
    name, layers = _head(net)
    layers = layers[:kept]
    while layers and isinstance(layers[-1], nn.Dropout):
        layers.pop()
    if not layers and kept == 0 and _is_squeezenet(net):
        layers = [nn.AdaptiveAvgPool2d(1)]
    setattr(net, name, nn.Sequential(*layers))
    return width


def _is_squeezenet(net: nn.Module) -> bool:
    from torchvision.models import SqueezeNet

    return isinstance(net, SqueezeNet)


def _preprocessing(transforms: Any, input_px: int | None) -> Preprocessing:
    """The evaluation transform of torchvision in our words."""
    side, resize_px = int(transforms.crop_size[0]), int(transforms.resize_size[0])
    if input_px is not None:
        side, resize_px = input_px, round(input_px * resize_px / side)
    mean: Sequence[float] = transforms.mean
    std: Sequence[float] = transforms.std
    return Preprocessing(
        input_px=side,
        resize_px=max(side, resize_px),
        interpolation="bilinear" if transforms.interpolation.value == "bilinear" else "bicubic",
        pixel_mean=(255 * mean[0], 255 * mean[1], 255 * mean[2]),
        pixel_std=(255 * std[0], 255 * std[1], 255 * std[2]),
    )


def _load(name: str, net: nn.Module, weights: str, published: Any, whole: list[str]) -> None:
    """Load into the cut net; the classifier's names may be in the file."""
    if weights in ("auto", "random"):
        return
    if weights == "packaged":
        raise WeightsError(
            f"no package carries weights of {name}; use weights=hub, or a local file,"
            " or the backbone efficientnet_lite0"
        )
    if weights != "hub":
        load_named(net, read_weights(weights), source=weights, ignorable=whole)
        return
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    cached = folder / Path(published.url).name

    def download() -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(published.url, str(cached), progress=False)
        return cached

    path = fetch(cached, published.url, download, what=f"the weights of {name}")
    tensors = read_weights(path)
    auxiliary = [key for key in tensors if key.lower().startswith("aux")]
    load_named(net, tensors, source=str(path), ignorable=[*whole, *auxiliary])
