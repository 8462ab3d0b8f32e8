"""What a captioning network consists of, as settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lrcn.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class CaptionerConfig:
    """What the network consists of: LRCN-1u, 2u, 2f, 4f and everything between (paper 3.1)."""

    visual: Literal["static", "encoder", "shared", "none"] = "static"
    """static: the mean of the frames' features at every word (a photo is one frame); encoder: a
    stack of its own reads the frames in order and starts the one that speaks; shared: one stack
    reads, then speaks (S2VT); none: a language model, which sees nothing."""
    backbone: str = "efficientnet_lite0"
    """A name of the table, timm/<model>, torchvision/<model>, or none for precomputed features."""
    weights: str = "auto"
    """Of the backbone: auto, packaged, hub, random, or the path of a .safetensors or .pth file."""
    feature_layer: str | None = None
    """Where the backbone's features are taken (fc8, the paper's logits; fc7; pooled); its own when
    none."""
    input_px: int | None = None
    """Side in pixels of the square that the backbone sees; its own when none."""
    crop_fraction: float | None = None
    """Share of the picture's short side that the square covers, above 0 to 1, for backbones that
    cut it from the middle (usually 0.875); the backbone's own when none."""
    feature_dim: int | None = None
    """Width of precomputed features, for backbone none: as the files say when none is given."""
    embedding_size: int = 1000
    """Width of a word's vector (the paper's code: 1000)."""
    embeddings: str | None = None
    """Word vectors to start from: a text file as of GloVe, of this width; none = random ones."""
    hidden_size: int = 1000
    """Units per recurrent layer (paper: 1000)."""
    num_layers: int = 2
    """Recurrent layers, one above the other."""
    factored: bool | None = None
    """Whether the layers below the second are blind to the picture (paper: 2f against 2u); none =
    where there are two layers or more."""
    image_layer: int | None = None
    """The layer that the picture enters, from 1; none = 2 when factored, else 1."""
    unit: Literal["lstm", "rnn", "gru"] = "lstm"
    """The recurrent unit; rnn is the paper's, with an output layer of its own."""
    feature_dropout: float = 0.0
    """Share of the picture's features set to zero in training."""
    embedding_dropout: float = 0.0
    """Share of the word vectors set to zero in training (paper: 0.5 for the language model)."""
    output_dropout: float = 0.0
    """Share of the word predictor's inputs, and of outputs between layers, set to zero."""
    tied: bool = False
    """The word predictor uses the word vectors as its weights."""
    init: Literal["paper", "modern"] = "modern"
    """Initial weights: paper is uniform in 0.08 and zero biases; modern is Xavier, orthogonal."""

    def __post_init__(self) -> None:
        problems = [
            f"{name} must be at least 0 and below 1, not {value}"
            for name in ("feature_dropout", "embedding_dropout", "output_dropout")
            if not 0 <= (value := getattr(self, name)) < 1
        ]
        for name in ("num_layers", "hidden_size", "embedding_size", "input_px", "feature_dim"):
            value = getattr(self, name)
            if value is not None and value < 1:
                problems.append(f"{name} must be at least 1, not {value}")
        if self.crop_fraction is not None and not 0 < self.crop_fraction <= 1:
            problems.append(
                f"crop_fraction must be above 0 and at most 1, not {self.crop_fraction}"
            )
        if self.tied and self.embedding_size != self.hidden_size:
            problems.append(
                "tied needs word vectors as wide as the recurrent layers, but embedding_size is"
                f" {self.embedding_size} and hidden_size {self.hidden_size}: make them equal"
            )
        problems += self._contradictions()
        if problems:
            raise ConfigError("model: " + "; ".join(problems))

    def _contradictions(self) -> list[str]:
        """What is wrong about where the picture enters."""
        if self.reads_frames and (self.factored or self.image_layer is not None):
            return [
                "factored and image_layer say where a picture enters, but with visual"
                f" {self.visual} frames are read before the first word: leave both out"
            ]
        if self.visual == "shared" and self.num_layers < 2:
            return ["visual shared needs a layer for frames and one for words: set num_layers 2"]
        if self.image_layer is not None and not 1 <= self.image_layer <= self.num_layers:
            return [
                f"image_layer must be 1 to num_layers {self.num_layers}, not {self.image_layer}"
            ]
        if self.factored and self.num_layers < 2:
            return ["factored needs two layers or more: set num_layers 2, or leave factored out"]
        if None not in (self.factored, self.image_layer) and self.factored is (
            self.image_layer == 1
        ):
            return [
                f"factored {str(self.factored).lower()} and image_layer {self.image_layer}"
                " contradict each other: leave one of them out"
            ]
        return []

    @property
    def reads_frames(self) -> bool:
        """Whether frames are read one after the other, so that their order can matter."""
        return self.visual in ("encoder", "shared")

    @property
    def static_layer(self) -> int:
        """The layer that the picture enters, from 0."""
        if self.image_layer is not None:
            return self.image_layer - 1
        factored = self.num_layers > 1 if self.factored is None else self.factored
        return int(factored)

    @property
    def kind(self) -> str:
        """The paper's name of the form: "LRCN-2f", "LRCN-1u", "language model".

        >>> CaptionerConfig().kind, CaptionerConfig(factored=False).kind
        ('LRCN-2f', 'LRCN-2u')
        """
        if self.visual == "none":
            return "language model"
        if self.reads_frames:
            stacks = "one stack" if self.visual == "shared" else "two stacks"
            return f"LRCN encoder-decoder, {stacks} of {self.num_layers}"
        return f"LRCN-{self.num_layers}{'u' if self.static_layer == 0 else 'f'}"
