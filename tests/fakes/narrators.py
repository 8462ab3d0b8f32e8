"""Narrators whose sentences can be worked out by hand, and a source that counts its frames."""

from __future__ import annotations

import weakref
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lrcn.checkpoint import SavedModel
from lrcn.models.activity import ActivityConfig, create_model
from lrcn.predict.narrators import LabelNarrator, Said
from lrcn.structures import Preprocessing
from lrcn.video.sampling import SamplingConfig

EVERY_FRAME = SamplingConfig()
NAMES = ("black", "grey", "white")


class ShadeNarrator:
    """Says how bright an interval is; remembers how many frames each of its intervals had."""

    def __init__(
        self, sampling: SamplingConfig | None = EVERY_FRAME, *, stored: bool = False
    ) -> None:
        self.preprocessing = None if stored else Preprocessing(input_px=4, resize_px=4)
        self.feature_dim = 3
        self.sampling = sampling
        self.counts: list[int] = []
        self.most_frames = 0

    def features(self, frames_NCHW: Tensor) -> Tensor:
        """Nearness to black, grey and white."""
        self.most_frames = max(self.most_frames, len(frames_NCHW))
        shades_N = frames_NCHW.float().mean((1, 2, 3)) / 255
        return shade_features(shades_N)

    def describe(self, features_TD: Tensor) -> Said | None:
        """The shade of the mean; black goes without saying."""
        self.counts.append(len(features_TD))
        name = NAMES[int(features_TD.mean(0).argmax())]
        return None if name == "black" else Said(text=name, log_prob=-float(len(features_TD)))


def shade_features(shades_N: Tensor) -> Tensor:
    """N x 3: 1 where a shade of 0...1 is black, grey, white, falling to 0."""
    centres_3 = torch.tensor([0.0, 0.5, 1.0])
    return (1 - 2 * (shades_N[:, None] - centres_3).abs()).clamp(min=0.0)


def shade_recogniser(*, threshold: float | None = None, multi_label: bool = False) -> LabelNarrator:
    """A recogniser of shades on features, sure of itself."""
    config = ActivityConfig(kind="single_frame", backbone="none", feature_dim=3)
    model = create_model(config, NAMES, multi_label=multi_label)
    with torch.no_grad():
        model.head.linear.weight.copy_(12 * torch.eye(3))
        model.head.linear.bias.fill_(-6.0 if multi_label else 0.0)
    saved = SavedModel(model.eval(), SamplingConfig(clip_length=4, clip_stride=2))
    return LabelNarrator(saved, threshold=threshold)


class CountedFrames:
    """An iterator of frames that knows how many of them are alive."""

    def __init__(self, num_frames: int, *, side: int = 8) -> None:
        self.num_frames = num_frames
        self.side = side
        self.most_alive = 0
        self._alive: weakref.WeakSet[NDArray[np.uint8]] = weakref.WeakSet()

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        for number in range(self.num_frames):
            frame = _Frame((self.side, self.side, 3), np.uint8)
            frame[:] = 255 * (number // 50 % 2)
            self._alive.add(frame)
            if number % 16 == 0:
                self.most_alive = max(self.most_alive, len(self._alive))
            yield frame
            del frame


class _Frame(np.ndarray):
    """An array that weak references can point at and sets can hold."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other
