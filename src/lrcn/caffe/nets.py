"""The table of nets: which layer of a `.caffemodel` goes where, and what belongs to the weights.

A net is a tuple of rows, one per layer, in the order of the prototxt. Layers are found by name,
as Caffe does it; the name of a classifier is a pattern, because users rename what they train
anew ("fc8-ucf", "fc8-final", "fc8_mydata").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lrcn.caffe.blobs import Transform, convolution, first_convolution, inner_product, lstm
from lrcn.models.activity import ActivityConfig
from lrcn.structures import Modality
from lrcn.video.sampling import SamplingConfig

Colour = tuple[float, float, float]

ILSVRC_MEAN: Final[Colour] = (123.68, 116.779, 103.939)
"""RGB; in Caffe's files BGR, 103.939, 116.779, 123.68."""
CAPTION_MEAN: Final[Colour] = (123.0, 117.0, 104.0)
"""RGB, as `captioner.py` subtracts it before CaffeNet (paper 3.2)."""
LRCN_RGB_MEAN: Final[Colour] = (128.68, 116.779, 103.939)
"""With the typing error in red that the published RGB LRCN was trained with (paper 2.4, 2.9)."""
FLOW_MEAN: Final[Colour] = (128.0, 128.0, 128.0)

_HYBRID_MEANS: Final[Mapping[Modality, Colour]] = {"rgb": ILSVRC_MEAN, "flow": FLOW_MEAN}
_LRCN_MEANS: Final[Mapping[Modality, Colour]] = {"rgb": LRCN_RGB_MEAN, "flow": FLOW_MEAN}


@dataclass(frozen=True)
class Row:
    """One layer with weights.

    Attributes:
        layer: Its name in the file; "*" stands for any ending.
        module: Where its weights go in an `ActivityModel`.
        transform: From its blobs to the module's parameters.
    """

    layer: str
    module: str
    transform: Transform


@dataclass(frozen=True, kw_only=True)
class Net:
    """One network of the original code."""

    title: str
    """For people."""
    rows: tuple[Row, ...]
    model: ActivityConfig
    """What it becomes; `hidden_size` follows from the file."""
    pixel_means: Mapping[Modality, Colour] = field(default_factory=lambda: _HYBRID_MEANS)
    """What was subtracted when the published weights were trained, per modality."""
    squash: tuple[int, int] = (240, 320)
    """Height and width of a frame before its crop."""
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    padded_input: bool = False
    """Whether conv1 pads: then no mean can be folded into its bias, for padding is zero after
    the mean is subtracted."""


def _convs(*names: str) -> tuple[Row, ...]:
    first, *others = names
    return (
        Row(first, f"backbone.{first}", first_convolution),
        *(Row(name, f"backbone.{name}", convolution) for name in others),
    )


_FC6 = Row("fc6", "backbone.fc6", inner_product)
_FC7 = Row("fc7", "backbone.fc7", inner_product)
_LSTM = Row("lstm1", "recurrent.layers.0", lstm)
_CLASSIFIER = Row("fc8*", "head.linear", inner_product)
_CONVS = _convs("conv1", "conv2", "conv3", "conv4", "conv5")
_VGG_CONVS = _convs(
    *("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv3_3"),
    *("conv4_1", "conv4_2", "conv4_3", "conv5_1", "conv5_2", "conv5_3"),
)
_EACH_FRAME = SamplingConfig(clip_length=1, clip_stride=1)
_CLIPS = SamplingConfig(clip_length=16, clip_stride=8)


def _classifier(backbone: str) -> ActivityConfig:
    """Every frame for itself; dropout 0.5 after fc6 and fc7."""
    return ActivityConfig(
        kind="single_frame",
        backbone=backbone,
        feature_layer="fc7",
        feature_dropout=0.5,
        output_dropout=0.0,
        init="paper",
    )


def _lrcn(backbone: str, feature_layer: str) -> ActivityConfig:
    """Dropout 0.9 before the LSTM, 0.5 behind it."""
    return ActivityConfig(
        kind="lrcn",
        backbone=backbone,
        feature_layer=feature_layer,
        feature_dropout=0.9,
        output_dropout=0.5,
        init="paper",
    )


NETS: Final[Mapping[str, Net]] = {
    "caffenet": Net(
        title="CaffeNet, every frame for itself",
        rows=(*_CONVS, _FC6, _FC7, _CLASSIFIER),
        model=_classifier("caffenet"),
        pixel_means={"rgb": CAPTION_MEAN, "flow": FLOW_MEAN},
        squash=(256, 256),
        sampling=_EACH_FRAME,
    ),
    "hybrid": Net(
        title="the paper's CaffeNet / Zeiler-Fergus hybrid, every frame for itself",
        rows=(*_CONVS, _FC6, _FC7, _CLASSIFIER),
        model=_classifier("caffenet_hybrid"),
        sampling=_EACH_FRAME,
    ),
    "vgg16": Net(
        title="VGG-16, every frame for itself",
        rows=(*_VGG_CONVS, _FC6, _FC7, _CLASSIFIER),
        model=_classifier("vgg16"),
        squash=(256, 256),
        sampling=_EACH_FRAME,
        padded_input=True,
    ),
    "lrcn_fc6": Net(
        title="LRCN-fc6 on the hybrid net",
        rows=(*_CONVS, _FC6, _LSTM, _CLASSIFIER),
        model=_lrcn("caffenet_hybrid", "fc6"),
        pixel_means=_LRCN_MEANS,
        sampling=_CLIPS,
    ),
    "lrcn_fc7": Net(
        title="LRCN-fc7 on the hybrid net",
        rows=(*_CONVS, _FC6, _FC7, _LSTM, _CLASSIFIER),
        model=_lrcn("caffenet_hybrid", "fc7"),
        pixel_means=_LRCN_MEANS,
        sampling=_CLIPS,
    ),
    "caffenet_lrcn_fc6": Net(
        title="LRCN-fc6 on CaffeNet",
        rows=(*_CONVS, _FC6, _LSTM, _CLASSIFIER),
        model=_lrcn("caffenet", "fc6"),
        sampling=_CLIPS,
    ),
    "vgg16_lrcn_fc6": Net(
        title="LRCN-fc6 on VGG-16",
        rows=(*_VGG_CONVS, _FC6, _LSTM, _CLASSIFIER),
        model=_lrcn("vgg16", "fc6"),
        squash=(256, 256),
        sampling=_CLIPS,
        padded_input=True,
    ),
}
"""Name to net. The names are those of `lrcn import-caffe --net`."""
