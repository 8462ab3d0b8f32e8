"""From a `.caffemodel` to a model that predicts, is measured and trained on like any other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from lrcn.caffe.blobs import convolution, first_convolution
from lrcn.caffe.caffemodel import CaffeModel, read_caffemodel
from lrcn.caffe.fit import Fit, check_finite, choose_net
from lrcn.caffe.labels import read_class_names
from lrcn.caffe.nets import Net
from lrcn.checkpoint import ModelCard, SavedModel
from lrcn.errors import ConfigError
from lrcn.models.activity import ActivityModel, create_model
from lrcn.structures import Modality, Preprocessing, Quirk, quirks_of

MeanPlace = Literal["preprocessing", "folded"]
ChannelOrder = Literal["rgb", "bgr"]


@dataclass(frozen=True)
class Imported:
    """What came of a file.

    Attributes:
        saved: The model, ready for `save_model`.
        net: Name of the net in the table.
        version: Generation of the file, "V0", "V1" or "V2".
        layers: (layer, module that holds its weights now), in the net's order.
        ignored: Layers with weights that the net has no use for.
    """

    saved: SavedModel
    net: str
    version: str
    layers: tuple[tuple[str, str], ...]
    ignored: tuple[str, ...]


def import_caffe(
    path: Path,
    *,
    net: str | None = None,
    labels: Path | None = None,
    modality: Modality | None = None,
    mean: MeanPlace = "preprocessing",
    channels: ChannelOrder = "rgb",
    input_px: int | None = None,
    original_quirks: tuple[Quirk, ...] = (),
) -> Imported:
    """Read a `.caffemodel` and make the model that it holds.

    Args:
        path: The file.
        net: Its name in `lrcn.caffe.nets.NETS`; recognised when None.
        labels: A file with the class names; "class_000" and so on when None.
        modality: What it was trained on; told by "flow" in the file's name when None.
        mean: Where the mean goes that Caffe subtracted: into the preprocessing, or folded into
            the bias of conv1 (exact only where conv1 does not pad).
        channels: "rgb" turns conv1's input channels round once; "bgr" keeps them and lets the
            preprocessing turn the pixels.
        input_px: Side of the input, for nets trained with another crop than usual.
        original_quirks: Faults of the original code that evaluation shall reproduce.

    Raises:
        WeightsError: the file is damaged, or holds no net that is known.
        DataError: the labels cannot be used.
        ConfigError: settings that contradict each other or the net.
    """
    file = read_caffemodel(path)
    fit = choose_net(file, name=net, input_px=input_px)
    if mean == "folded" and fit.net.padded_input:
        raise ConfigError(
            f"the mean cannot be folded into {fit.name}: its first layer pads with zeros after"
            " the mean is subtracted, so its border would change. Use --mean preprocessing"
        )
    names = _class_names(labels, fit.num_classes)
    if modality is None:
        modality = "flow" if "flow" in path.name.lower() else "rgb"
    model = _fill(file, fit, names, channels)
    assert model.backbone is not None  # every net of the table sees pixels
    px = model.backbone.preprocessing.input_px
    preprocessing = Preprocessing(
        input_px=px,
        resize_mode="squash",
        resize_height=max(px, fit.net.squash[0]),
        resize_width=max(px, fit.net.squash[1]),
        pixel_mean=fit.net.pixel_means[modality],
        channel_order=channels,
        modality=modality,
        original_quirks=quirks_of(model.config.kind, original_quirks),
    )
    if mean == "folded":
        preprocessing = _fold(model, fit.net, preprocessing)
    model.backbone.preprocessing = model.preprocessing = preprocessing
    card = ModelCard(
        data=f"imported from {path.name} ({file.version} format of Caffe)",
        notes=f"{fit.net.title}; weights of the original code, not measured here.",
    )
    return Imported(
        saved=SavedModel(model.eval(), fit.net.sampling, card),
        net=fit.name,
        version=file.version,
        layers=tuple((layer, row.module) for row, layer in fit.layers.items()),
        ignored=fit.unknown,
    )


def _class_names(labels: Path | None, num_classes: int) -> tuple[str, ...]:
    if labels is not None:
        return read_class_names(labels, num_classes)
    width = max(3, len(str(num_classes - 1)))
    return tuple(f"class_{k:0{width}}" for k in range(num_classes))


def _fill(
    file: CaffeModel, fit: Fit, class_names: tuple[str, ...], channels: ChannelOrder
) -> ActivityModel:
    """The model with the file's weights; one layer at a time is in memory twice."""
    assert fit.config is not None  # or the fit would have had problems
    model = create_model(replace(fit.config, weights="random"), class_names)
    model.config = fit.config
    with torch.no_grad():
        for row, layer in fit.layers.items():
            transform = row.transform
            if channels == "bgr" and transform is first_convolution:
                transform = convolution
            arrays = transform([blob.array() for blob in file.layers[layer]])
            arrays = {part: np.ascontiguousarray(array) for part, array in arrays.items()}
            check_finite(arrays, layer, file)
            module = model.get_submodule(row.module)
            for part, array in arrays.items():
                module.get_parameter(part).copy_(torch.from_numpy(array))
            del arrays
    return model


def _fold(model: ActivityModel, net: Net, preprocessing: Preprocessing) -> Preprocessing:
    """W (x - m) + b = W x + (b - W m), where every weight sees a real pixel; no mean is left."""
    first = next(row for row in net.rows if row.transform is first_convolution)
    conv = model.get_submodule(first.module)
    mean_C = torch.tensor(preprocessing.pixel_mean, dtype=torch.float64)
    if preprocessing.channel_order == "bgr":
        mean_C = mean_C.flip(0)
    weight, bias = conv.get_parameter("weight"), conv.get_parameter("bias")
    with torch.no_grad():
        bias.copy_(bias.double() - weight.double().sum((2, 3)) @ mean_C)
    return replace(preprocessing, pixel_mean=(0.0, 0.0, 0.0))
