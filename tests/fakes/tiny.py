"""A real model small enough for a test: a CNN of one layer under any of the three kinds."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lrcn.checkpoint import SavedModel
from lrcn.data.modality import flow_preprocessing
from lrcn.models.activity import ActivityConfig, ActivityModel, create_model
from lrcn.nn.backbone import Backbone
from lrcn.structures import FlowConfig, Preprocessing
from lrcn.video.sampling import SamplingConfig

CLASSES = ("down", "left", "up")
FEATURE_DIM = 6


class TinyBackbone(Backbone):
    """Six channels of one convolution, averaged; `num_calls` and `num_frames` count."""

    def __init__(self) -> None:
        super().__init__(
            name="tiny",
            feature_dim=FEATURE_DIM,
            feature_layer="pooled",
            preprocessing=Preprocessing(
                input_px=16,
                resize_px=18,
                pixel_mean=(120.0, 110.0, 100.0),
                pixel_std=(60.0, 61.0, 62.0),
            ),
        )
        self.convolution = nn.Conv2d(3, FEATURE_DIM, 3, stride=2, padding=1)

    def forward(self, frames_NCHW: Tensor) -> Tensor:
        return self.convolution(frames_NCHW).relu().mean((2, 3))


def tiny_model(
    kind: str = "lrcn", *, seed: int = 0, multi_label: bool = False, unit: str = "lstm"
) -> ActivityModel:
    """An untrained model whose answers differ clearly from frame to frame."""
    config = ActivityConfig(
        kind=kind, backbone="none", feature_dim=FEATURE_DIM, hidden_size=8, unit=unit
    )
    model = create_model(config, CLASSES, multi_label=multi_label, seed=seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model.backbone = TinyBackbone()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(3.0)
    model.preprocessing = model.backbone.preprocessing
    return model.eval()


def tiny_saved(kind: str = "lrcn", *, multi_label: bool = False, **sampling: float) -> SavedModel:
    """The model with a sampling (by default clips of 4 frames every 2)."""
    settings = {"clip_length": 4, "clip_stride": 2, **sampling}
    return SavedModel(tiny_model(kind, multi_label=multi_label), SamplingConfig(**settings))


def tiny_flow_saved(kind: str = "lrcn", **sampling: float) -> SavedModel:
    """The same model on flow images."""
    saved = tiny_saved(kind, **sampling)
    backbone = saved.model.backbone
    assert backbone is not None
    own = flow_preprocessing(backbone.preprocessing, FlowConfig(method="dis_fast"))
    backbone.preprocessing = saved.model.preprocessing = own
    return saved


def moving_frames(num_frames: int, seed: int = 0, height: int = 20, width: int = 30) -> Tensor:
    """uint8 T x 3 x H x W: blurred noise that changes slowly."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(num_frames, 3, 4, 5, generator=generator)
    drift = torch.linspace(0, 1, num_frames)[:, None, None, None]
    smooth = nn.functional.interpolate(0.5 * coarse + 0.5 * drift, size=(height, width))
    return smooth.mul(255).round().to(torch.uint8)
