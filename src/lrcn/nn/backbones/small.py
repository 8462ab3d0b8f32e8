"""A small CNN for frames of 32 to 128 pixels, trained from random weights, that keeps places.

Averaging a feature map over the picture throws away where things are, and motion is a change of
place. So each of the last maps is read as a spot: its centre of mass, its spread, its strength
("soft arg-max", Finn et al., arXiv 1509.06113). What moves, grows or turns changes these numbers
smoothly, and an LSTM on top learns from their change. They vary by very different amounts, sizes
far less than places, so every number is standardised: without that an LSTM never learns sizes.

A spot blends all that its map sees. To tell what stands where, several things at once, the tap
"grid" looks closer, with two further convolutions, and keeps the strongest answer in each of nine
places.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lrcn.errors import ConfigError, WeightsError
from lrcn.nn.backbone import Backbone, check_feature_layer
from lrcn.nn.weights import load_named, read_weights
from lrcn.structures import Preprocessing

_WIDTHS = (16, 32, 48)
_NUM_SPOTS = 32
_GRID, _GRID_WIDTH = 3, 96
_DIMS = {"spots": 4 * _NUM_SPOTS, "grid": _GRID**2 * _GRID_WIDTH}
FEATURE_DIM = _DIMS["spots"]
_LEAST_PX, _MOST_PX = 32, 128


class SmallBackbone(Backbone):
    """Three convolutions and 32 spots, or five and nine places.

    Args:
        input_px: Side of the square input.
        feature_layer: "spots" or "grid".
    """

    def __init__(self, input_px: int, feature_layer: str) -> None:
        super().__init__(
            name="small",
            feature_dim=_DIMS[feature_layer],
            feature_layer=feature_layer,
            preprocessing=Preprocessing(
                input_px=input_px,
                resize_mode="exact",
                pixel_mean=(127.5, 127.5, 127.5),
                pixel_std=(64.0, 64.0, 64.0),
            ),
        )
        first, second, third = _WIDTHS
        self.convs = nn.Sequential(
            _conv(3, first, kernel=5, stride=2),
            _conv(first, second, kernel=3, stride=2),
            _conv(second, third, kernel=3, stride=1),
        )
        if feature_layer == "spots":
            self.spots = nn.Conv2d(third, _NUM_SPOTS, 1)
            nn.init.normal_(self.spots.weight, std=1.0)
        else:
            self.closer = nn.Sequential(
                _conv(third, _GRID_WIDTH, kernel=3, stride=2),
                _conv(_GRID_WIDTH, _GRID_WIDTH, kernel=3, stride=1),
            )
        self.standardise = nn.BatchNorm1d(_DIMS[feature_layer], affine=False)

    def forward(self, frames_NCHW: Tensor) -> Tensor:
        """See `Backbone.forward`."""
        maps_NCHW = self.convs(frames_NCHW)
        if self.feature_layer == "spots":
            found_ND = _read_spots(self.spots(maps_NCHW))
        else:
            found_ND = F.adaptive_max_pool2d(self.closer(maps_NCHW), _GRID).flatten(1)
        features_ND: Tensor = self.standardise(found_ND)
        return features_ND


def _read_spots(maps_NCHW: Tensor) -> Tensor:
    """Centre across and down, spread and strength of every map, N x 4C."""
    height, width = maps_NCHW.shape[2:]
    values_NCP = maps_NCHW.flatten(2).float()
    down = torch.linspace(-1, 1, height, device=maps_NCHW.device)
    across = torch.linspace(-1, 1, width, device=maps_NCHW.device)
    y_P = down.repeat_interleave(width)
    x_P = across.repeat(height)
    basis_P3 = torch.stack([x_P, y_P, x_P.square() + y_P.square()], dim=1)
    moments_NC3 = values_NCP.softmax(-1) @ basis_P3
    centre_NC2 = moments_NC3[..., :2]
    variance_NC = moments_NC3[..., 2] - centre_NC2.square().sum(-1)
    spread_NC1 = (variance_NC.clamp(min=0) + 1e-3).sqrt().unsqueeze(-1)
    strength_NC1 = (values_NCP.relu().mean(-1, keepdim=True) + 1e-3).sqrt()
    spots_NC4 = torch.cat([2 * centre_NC2, 2 * spread_NC1, strength_NC1], dim=-1)
    return spots_NC4.flatten(1).to(maps_NCHW.dtype)


def _conv(inputs: int, outputs: int, *, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def build_small(weights: str, feature_layer: str | None, input_px: int | None) -> SmallBackbone:
    """Make the small backbone.

    Args:
        weights: "auto" and "random" draw them; otherwise a file of ours.
        feature_layer: "spots" or "grid"; spots when None.
        input_px: 32 to 128; 64 when None.

    Raises:
        ConfigError: another tap, or a size outside 32 to 128.
        WeightsError: weights that are packaged or on a hub do not exist; or the file does not fit.
    """
    px = 64 if input_px is None else input_px
    if not _LEAST_PX <= px <= _MOST_PX:
        raise ConfigError(
            f"backbone 'small' takes input_px from {_LEAST_PX} to {_MOST_PX}, not {px}."
            " For larger frames choose another backbone, efficientnet_lite0 for example"
        )
    backbone = SmallBackbone(px, check_feature_layer("small", feature_layer, ("spots", "grid")))
    if weights in ("packaged", "hub"):
        raise WeightsError(
            f"backbone 'small' has no {weights} weights; it is trained from random ones."
            " Leave --model.weights out, or give a file"
        )
    if weights not in ("auto", "random"):
        load_named(backbone, read_weights(weights), source=weights)
    return backbone
