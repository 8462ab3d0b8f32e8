"""The per-frame CNN: one interface for every network that turns a frame into a vector."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import torch
from torch import Tensor, nn

from lrcn.errors import ConfigError
from lrcn.settings import did_you_mean
from lrcn.structures import Preprocessing


class Backbone(nn.Module, ABC):
    """Frames in, one feature vector per frame out.

    Pixels reach it as 0...255 RGB: `backbone(backbone.normalise(frames))`. A part whose
    parameters are all frozen stays in evaluation mode even while the rest trains, so that frozen
    batch-norm statistics do not drift and frozen layers see no dropout (`set_trainable`).

    Attributes:
        name: What `create_backbone` was asked for.
        feature_dim: D, width of the features.
        feature_layer: The tap the features come from.
        preprocessing: How a frame of any size becomes the network's input.
    """

    def __init__(
        self, *, name: str, feature_dim: int, feature_layer: str, preprocessing: Preprocessing
    ) -> None:
        super().__init__()
        self.name = name
        self.feature_dim = feature_dim
        self.feature_layer = feature_layer
        self.preprocessing = preprocessing

    @abstractmethod
    def forward(self, frames_NCHW: Tensor) -> Tensor:
        """The features of normalised frames.

        Args:
            frames_NCHW: N x 3 x input_px x input_px, floating, from `normalise`.

        Returns:
            features_ND, N x feature_dim.
        """

    def normalise(self, frames_NCHW: Tensor) -> Tensor:
        """(pixels - mean) / std per channel, computed in float32, in the parameters' type.

        The channels come out in the order that the first layer wants: RGB, unless the
        preprocessing says BGR.

        Args:
            frames_NCHW: RGB pixels, uint8 or floating, 0...255.
        """
        device = frames_NCHW.device
        mean = torch.tensor(self.preprocessing.pixel_mean, device=device).view(3, 1, 1)
        std = torch.tensor(self.preprocessing.pixel_std, device=device).view(3, 1, 1)
        normalised_NCHW = frames_NCHW.sub(mean).div_(std).to(next(self.parameters()).dtype)
        if self.preprocessing.channel_order == "bgr":
            normalised_NCHW = normalised_NCHW.flip(1)
        return normalised_NCHW

    def stages(self) -> list[nn.Module]:
        """The parts that have parameters, from the input to the features, for staged unfreezing."""
        return _stages(self)

    def train(self, mode: bool = True) -> Self:
        """Set training mode; parts that are frozen stay in evaluation mode."""
        super().train(mode)
        if mode:
            _keep_frozen_parts_still(self)
        return self


def set_trainable(module: nn.Module, trainable: bool) -> None:
    """Freeze or free a backbone, or a part of one.

    Frozen: no gradients, batch-norm statistics fixed, dropout off, also after a later
    `model.train()`. After freeing, call `model.train()` to set the mode of the freed part.

    Args:
        module: A `Backbone` or one of its `stages()`.
        trainable: Whether it learns.
    """
    for parameter in module.parameters():
        parameter.requires_grad_(trainable)
    if not trainable:
        module.eval()


def find_layer(backbone: Backbone, name: str) -> nn.Module:
    """A layer of a backbone by its name, "fc8" or "blocks.5".

    Raises:
        ConfigError: there is no such layer.
    """
    known: dict[str, nn.Module] = {path: part for path, part in backbone.named_modules() if path}
    if name not in known:
        top = [path for path in known if "." not in path]
        raise ConfigError(
            f"backbone {backbone.name!r} has no layer {name!r}.{did_you_mean(name, list(known))}"
            f" At the top it has: {', '.join(top)}"
        )
    return known[name]


def freeze_batch_norm(module: nn.Module) -> None:
    """Freeze only the batch-norm layers: statistics and scales stay as pretrained.

    Frames of one clip are alike, so the statistics of a small batch of clips mislead.
    """
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            set_trainable(part, False)


def check_feature_layer(name: str, feature_layer: str | None, allowed: tuple[str, ...]) -> str:
    """The asked-for tap, or the first allowed one when none was asked for.

    Raises:
        ConfigError: the network has no such tap.
    """
    if feature_layer is None:
        return allowed[0]
    if feature_layer not in allowed:
        raise ConfigError(
            f"backbone {name!r} has no feature_layer {feature_layer!r}."
            f"{did_you_mean(feature_layer, allowed)} It offers: {', '.join(allowed)}"
        )
    return feature_layer


def _keep_frozen_parts_still(module: nn.Module) -> None:
    parameters = list(module.parameters())
    if parameters and not any(p.requires_grad for p in parameters):
        module.eval()
        return
    for child in module.children():
        _keep_frozen_parts_still(child)


def _stages(module: nn.Module) -> list[nn.Module]:
    """Children with parameters; containers that only hold or wrap others are opened."""
    found: list[nn.Module] = []
    children = [c for c in module.children() if next(c.parameters(), None) is not None]
    for child in children:
        if len(children) == 1 or isinstance(child, nn.Sequential):
            found.extend(_stages(child) or [child])
        else:
            found.append(child)
    return found
