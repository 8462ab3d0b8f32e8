"""What recognisers and captioners share: a backbone below, and parts with rates of their own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

from torch import Tensor, nn

from lrcn.errors import ConfigError, ModelError
from lrcn.nn.backbone import Backbone
from lrcn.nn.backbones import create_backbone
from lrcn.structures import Preprocessing

NO_BACKBONE = "none"
"""Name of the backbone of a model that works on precomputed features."""


class VisualModel(nn.Module, ABC):
    """A network over the features of frames.

    Attributes:
        backbone: None for a model on precomputed features.
        preprocessing: None where nothing is known of how the features were made.
        feature_dim: D.
    """

    def __init__(
        self,
        *,
        backbone: Backbone | None,
        feature_dim: int,
        preprocessing: Preprocessing | None = None,
    ) -> None:
        super().__init__()
        self.feature_dim = feature_dim
        self.preprocessing = preprocessing
        self.backbone = backbone

    def features(self, frames: Tensor) -> Tensor:
        """What the backbone says of every frame.

        Args:
            frames: B x T x 3 x H x W or N x 3 x H x W, RGB 0...255, uint8 or floating, at the
                backbone's input size.

        Returns:
            B x T x D or N x D.

        Raises:
            ModelError: the model works on precomputed features.
            ValueError: the shape is another one.
        """
        if self.backbone is None:
            raise ModelError(
                "this model was trained on precomputed features and has no backbone for frames;"
                " give it features (.npy, .npz, .h5), or train one with a backbone"
            )
        if frames.ndim not in (4, 5) or frames.shape[-3] != 3:
            raise ValueError(
                f"frames must be N x 3 x H x W or B x T x 3 x H x W, not {tuple(frames.shape)}"
            )
        features_ND: Tensor = self.backbone(self.backbone.normalise(frames.flatten(0, -4)))
        return features_ND.reshape(*frames.shape[:-3], self.feature_dim)

    @abstractmethod
    def parts(self) -> dict[str, nn.Module]:
        """The parts that can learn at rates of their own; a part without parameters is absent."""


def with_parameters(parts: dict[str, nn.Module | None]) -> dict[str, nn.Module]:
    """The parts that there are and that have something to learn."""
    return {
        name: part
        for name, part in parts.items()
        if part is not None and next(part.parameters(), None) is not None
    }


def make_backbone(
    name: str,
    *,
    weights: str,
    feature_layer: str | None,
    input_px: int | None,
    crop_fraction: float | None,
    feature_dim: int | None,
    seed: int,
    preprocessing: Preprocessing | None,
) -> Backbone:
    """A backbone that sees what the settings say.

    Args:
        name: See `create_backbone`; so `weights`, `feature_layer`, `input_px` and `seed`.
        weights: Where they come from.
        feature_layer: The tap.
        input_px: Side of its square.
        crop_fraction: Share of the short side that the square covers, for backbones that cut it
            from the middle.
        feature_dim: What its width must be; None for any.
        seed: Of weights that are drawn.
        preprocessing: In place of the backbone's own.

    Raises:
        ConfigError: the settings contradict each other, or one is unknown.
        WeightsError: the weights cannot be had.
    """
    backbone = create_backbone(
        name, weights=weights, feature_layer=feature_layer, input_px=input_px, seed=seed
    )
    if feature_dim not in (None, backbone.feature_dim):
        raise ConfigError(
            f"feature_dim is {feature_dim}, but backbone {name!r} gives"
            f" {backbone.feature_dim}; leave feature_dim out"
        )
    if preprocessing is not None:
        if preprocessing.input_px != backbone.preprocessing.input_px:
            raise ConfigError(
                f"preprocessing gives {preprocessing.input_px} pixels, but the backbone was made"
                f" for {backbone.preprocessing.input_px}; set input_px to the same number"
            )
        backbone.preprocessing = preprocessing
    elif crop_fraction is not None and backbone.preprocessing.resize_mode == "short_side":
        resize_px = round(backbone.preprocessing.input_px / crop_fraction)
        backbone.preprocessing = replace(backbone.preprocessing, resize_px=resize_px)
    return backbone
