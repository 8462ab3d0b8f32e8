"""Backbones by name: the table, the two zoos, and `create_backbone`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lrcn.errors import ConfigError
from lrcn.nn.backbone import Backbone
from lrcn.nn.backbones.caffenet import build_caffenet, build_caffenet_hybrid
from lrcn.nn.backbones.timm import build_efficientnet_lite, build_timm
from lrcn.nn.backbones.torchvision import build_torchvision
from lrcn.nn.backbones.vgg import build_vgg16
from lrcn.nn.seeding import seeded
from lrcn.settings import did_you_mean

Builder = Callable[[str, str | None, int | None], Backbone]
"""(weights, feature_layer, input_px) to a backbone."""


def _lite0(weights: str, feature_layer: str | None, input_px: int | None) -> Backbone:
    return build_efficientnet_lite(0, weights, feature_layer, input_px)


def _lite1(weights: str, feature_layer: str | None, input_px: int | None) -> Backbone:
    return build_efficientnet_lite(1, weights, feature_layer, input_px)


def _lite2(weights: str, feature_layer: str | None, input_px: int | None) -> Backbone:
    return build_efficientnet_lite(2, weights, feature_layer, input_px)


def _small(weights: str, feature_layer: str | None, input_px: int | None) -> Backbone:
    from lrcn.nn.backbones.small import build_small

    return build_small(weights, feature_layer, input_px)


BACKBONES: Final[dict[str, Builder]] = {
    "efficientnet_lite0": _lite0,
    "efficientnet_lite1": _lite1,
    "efficientnet_lite2": _lite2,
    "caffenet": build_caffenet,
    "caffenet_hybrid": build_caffenet_hybrid,
    "vgg16": build_vgg16,
    "small": _small,
}

_ZOOS: Final = {"timm/": build_timm, "torchvision/": build_torchvision}


def list_backbones() -> list[str]:
    """The names of the table; `timm/<model>` and `torchvision/<model>` reach the zoos besides."""
    return sorted(BACKBONES)


def starts_random(name: str, weights: str) -> bool:
    """Whether `create_backbone` draws the weights: a network that must learn before it is of use.

    >>> starts_random("efficientnet_lite0", "auto"), starts_random("small", "auto")
    (False, True)
    """
    family = name.removeprefix("timm/").partition(".")[0]
    packaged = family.removeprefix("tf_").startswith("efficientnet_lite")
    return weights == "random" or (weights == "auto" and not packaged)


def create_backbone(
    name: str,
    *,
    weights: str = "auto",
    feature_layer: str | None = None,
    input_px: int | None = None,
    seed: int = 0,
) -> Backbone:
    """Make a backbone.

    Args:
        name: One of `list_backbones()`, `timm/<model>` or `torchvision/<model>`.
        weights: "auto" (packaged where the network has packaged ones, random otherwise),
            "packaged", "hub", "random", or the path of a `.safetensors` or `.pth` file.
        feature_layer: Where the features are taken; the network's usual place when None.
        input_px: Side of the square input; the network's own when None.
        seed: For weights that are drawn; the global generator is not touched.

    Raises:
        ConfigError: the name, the tap or the input size is not one of the network's.
        WeightsError: the weights cannot be had.
    """
    if input_px is not None and input_px < 1:
        raise ConfigError(f"input_px must be at least 1, not {input_px}")
    with seeded(seed):
        for prefix, build_from_zoo in _ZOOS.items():
            if name.startswith(prefix):
                return build_from_zoo(name.removeprefix(prefix), weights, feature_layer, input_px)
        if name not in BACKBONES:
            raise ConfigError(
                f"unknown backbone {name!r}.{did_you_mean(name, list_backbones())}"
                f" Known: {', '.join(list_backbones())}; besides timm/<model> and"
                " torchvision/<model>, for example timm/resnet18"
            )
        return BACKBONES[name](weights, feature_layer, input_px)
