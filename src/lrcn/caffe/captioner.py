"""From a captioning `.caffemodel` and its `vocabulary.txt` to a captioner (paper 3, 5.2, 5.4).

The original has one index, 0, for start and end; here they are two, with the same weights. The
file's line k (from 0, `<unk>` first, no line for the end) is the net's index k + 1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from lrcn.caffe.blobs import (
    Array,
    Transform,
    convolution,
    expect,
    first_convolution,
    inner_product,
    lstm,
    matrix,
    rnn,
)
from lrcn.caffe.caffemodel import CaffeModel, read_caffemodel
from lrcn.caffe.fit import check_finite, holds_captioner, listed, shown
from lrcn.caffe.importer import ChannelOrder
from lrcn.caffe.nets import CAPTION_MEAN
from lrcn.checkpoint import ModelCard, SavedCaptioner
from lrcn.decoding.options import DecodingOptions
from lrcn.errors import DataError, LrcnError, ModelError, WeightsError
from lrcn.models.captioner_config import CaptionerConfig
from lrcn.models.image_captioner import Captioner, create_captioner
from lrcn.structures import Preprocessing
from lrcn.text.vocabulary import SPECIAL_TOKENS, Vocabulary

_NEVER = -1e4
"""Bias of `<pad>` and `<bos>`, which the original does not have: a probability of exactly 0."""
_CONV1 = {"conv1": "caffenet", "conv1_1": "vgg16"}
_RECURRENT = re.compile(r"(?:lstm|rnn)([1-9][0-9]?)")
_LAYERS = "recurrent.layers."
_SQUASH_PX = 256


@dataclass(frozen=True)
class ImportedCaptioner:
    """What came of a file.

    Attributes:
        saved: The model, ready for `save_model`.
        version: Generation of the file, "V0", "V1" or "V2".
        layers: (layer, module that holds its weights now).
        ignored: Layers with weights that the net has no use for.
    """

    saved: SavedCaptioner
    version: str
    layers: tuple[tuple[str, str], ...]
    ignored: tuple[str, ...]


def import_captioner(
    path: Path,
    vocabulary: Path,
    *,
    channels: ChannelOrder = "rgb",
    input_px: int | None = None,
) -> ImportedCaptioner:
    """Read a captioning `.caffemodel`: LRCN on CaffeNet or VGG-16, or a language model alone.

    Args:
        path: The file.
        vocabulary: `vocabulary.txt`: one word a line, `<unk>` first.
        channels: "rgb" turns conv1's input channels round once; "bgr" keeps them and lets the
            preprocessing turn the pixels.
        input_px: Side of the input, for nets trained with another crop than usual.

    Raises:
        WeightsError: the file is damaged, or holds no captioner.
        DataError: the vocabulary is not the file's.
    """
    file = read_caffemodel(path)
    if not holds_captioner(file):
        raise WeightsError(
            f"{path} holds no captioner: it lacks the layers 'embedding' and 'predict'."
            " For nets that tell classes leave --vocabulary out"
        )
    words = read_words(vocabulary)
    rows = _rows(file, channels)
    shapes = _shapes(file, rows)
    config = replace(_config(file, rows, shapes), input_px=input_px)
    if shapes["embedding.weight"][0] != len(words):
        size = shapes["embedding.weight"][0] - 2  # without `<pad>`; `<bos>` and `<eos>` are one
        raise DataError(
            f"{vocabulary} has {len(words) - 3} lines, and {path.name} numbers {size} words:"
            f" {size - 1} lines and the end are needed. Give the vocabulary.txt of this net"
        )
    _check(file, config, words, shapes)
    model = _fill(file, rows, config, words)
    if model.backbone is not None:
        px = model.backbone.preprocessing.input_px
        preprocessing = Preprocessing(
            input_px=px,
            resize_mode="squash",
            resize_height=max(px, _SQUASH_PX),
            resize_width=max(px, _SQUASH_PX),
            pixel_mean=CAPTION_MEAN,
            channel_order=channels,
        )
        model.backbone.preprocessing = model.preprocessing = preprocessing
    card = ModelCard(
        data=f"imported from {path.name} ({file.version} format of Caffe)",
        notes=f"{config.kind}; weights of the original code, not measured here.",
    )
    # Paper: a beam of 5 for its figures, no normalisation, <unk> allowed, at most 50 words.
    saved = SavedCaptioner(model.eval(), card, decoding=DecodingOptions(allow_unk=True))
    return ImportedCaptioner(
        saved=saved,
        version=file.version,
        layers=tuple((row.layer, row.module) for row in rows),
        ignored=tuple(name for name in file.layers if name not in {row.layer for row in rows}),
    )


def read_words(path: Path) -> Vocabulary:
    """The vocabulary of a `vocabulary.txt` of the original.

    Raises:
        DataError: it cannot be read, or is none.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read: {error}. One word a line, UTF-8, is needed"
        ) from error
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines or lines[0].strip() != "<unk>":
        first = lines[0] if lines else "nothing"
        raise DataError(
            f"{path} starts with {first!r}; a vocabulary.txt of the original starts with <unk>"
            " and has one word a line. Give that file"
        )
    try:
        return Vocabulary((*SPECIAL_TOKENS, *(line.strip() for line in lines[1:])), "paper")
    except ModelError as error:
        raise DataError(f"{path}: {error}") from error


@dataclass(frozen=True)
class _Row:
    layer: str
    module: str
    transform: Transform


def _rows(file: CaffeModel, channels: ChannelOrder) -> list[_Row]:
    """Layers of the file that are used, with their modules."""
    rows = []
    for name, blobs in file.layers.items():
        recurrent = _RECURRENT.fullmatch(name)
        if name.startswith("conv"):
            first = name in _CONV1 and channels == "rgb"
            transform = first_convolution if first else convolution
            rows.append(_Row(name, f"backbone.{name}", transform))
        elif name in ("fc6", "fc7", "fc8"):
            rows.append(_Row(name, f"backbone.{name}", inner_product))
        elif recurrent is not None:
            unit = rnn if len(blobs) > 4 else lstm
            rows.append(_Row(name, f"{_LAYERS}{int(recurrent[1]) - 1}", unit))
    return [
        *rows,
        _Row("embedding", "embedding", _word_rows),
        _Row("predict", "predictor", _word_outputs),
    ]


def _shapes(file: CaffeModel, rows: Sequence[_Row]) -> dict[str, tuple[int, ...]]:
    """Parameter to the shape that the file gives it; nothing of its numbers is read.

    Raises:
        WeightsError: the blobs of a layer cannot be what they should be.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for row in rows:
        try:
            arrays = row.transform([blob.empty_array() for blob in file.layers[row.layer]])
        except ValueError as error:
            raise WeightsError(
                f"{file.path}, layer {row.layer!r}: {error}. Give a captioning net of the original"
            ) from error
        shapes |= {f"{row.module}.{part}": array.shape for part, array in arrays.items()}
    return shapes


def _config(
    file: CaffeModel, rows: Sequence[_Row], shapes: Mapping[str, tuple[int, ...]]
) -> CaptionerConfig:
    """The form that the layers have.

    Raises:
        WeightsError: they have none that is known.
    """
    path = file.path
    layers = [row for row in rows if row.module.startswith(_LAYERS)]
    layers.sort(key=lambda row: int(row.module.removeprefix(_LAYERS)))
    seeing = [k for k, row in enumerate(layers) if len(file.layers[row.layer]) in (4, 6)]
    backbone = next((net for layer, net in _CONV1.items() if layer in file.layers), None)
    in_order = [row.module for row in layers] == [f"{_LAYERS}{k}" for k in range(len(layers))]
    alike = len({row.transform for row in layers}) == 1
    if not (in_order and alike) or len(seeing) > 1:
        raise WeightsError(
            f"{path} has layers {listed(list(file.layers))}: lstm1, lstm2, ... (or rnn1, rnn2, ...)"
            " are needed, and at most one of them may see the picture. Give a captioning net of"
            " the original"
        )
    if bool(seeing) != (backbone is not None):
        has, lacks = ("a recurrent layer that sees", "a CNN")
        if not seeing:
            has, lacks = lacks, has
        raise WeightsError(
            f"{path} has {has}, but not {lacks}. Give the whole net, as `caffe train` saves it"
        )
    return CaptionerConfig(
        visual="static" if seeing else "none",
        backbone=backbone or "none",
        feature_layer="fc8" if backbone else None,
        unit="rnn" if layers[0].transform is rnn else "lstm",
        embedding_size=shapes["embedding.weight"][1],
        hidden_size=shapes[f"{_LAYERS}0.weight_hh"][1],
        num_layers=len(layers),
        image_layer=seeing[0] + 1 if seeing else None,
        init="paper",
    )


def _check(
    file: CaffeModel,
    config: CaptionerConfig,
    words: Vocabulary,
    shapes: Mapping[str, tuple[int, ...]],
) -> None:
    """See that the file's layers are those of the net, before memory is taken for it.

    Raises:
        WeightsError: a layer is missing, unknown, or has another shape than the net's.
    """
    try:
        with torch.device("meta"):
            model = create_captioner(replace(config, weights="random"), words)
    except (LrcnError, RuntimeError) as error:  # torch's, where sizes exceed what it can count
        raise WeightsError(f"{file.path} holds no captioner that can be made: {error}") from error
    wanted = {name: tuple(tensor.shape) for name, tensor in model.named_parameters()}
    problems = [
        f"{name} is {shown(shape)} instead of {shown(wanted[name])}"
        if name in wanted
        else f"{name} belongs to no net that is known"
        for name, shape in shapes.items()
        if shape != wanted.get(name)
    ]
    problems += [f"{name} is missing" for name in wanted if name not in shapes]
    if problems:
        raise WeightsError(
            f"{file.path} does not fit {config.kind}: {listed(problems)}. Give the whole net, and"
            " --input-px when it was trained with another crop"
        )


def _word_rows(blobs: Sequence[Array]) -> dict[str, Array]:
    """The rows of the embedding by our ids: `<bos>` and `<eos>` are both the original's 0."""
    (weight,) = expect(blobs, 1)
    return {"weight": _by_our_ids(matrix(weight), 0.0, bos=True)}


def _word_outputs(blobs: Sequence[Array]) -> dict[str, Array]:
    """Weights and bias of "predict" by our ids; `<pad>` and `<bos>` are never said."""
    weight, bias = expect(blobs, 2)
    return {
        "weight": _by_our_ids(matrix(weight), 0.0, bos=False),
        "bias": _by_our_ids(bias.reshape(-1), _NEVER, bos=False),
    }


def _by_our_ids(rows: Array, absent: float, *, bos: bool) -> Array:
    """`<pad>`, `<bos>`, `<eos>`, `<unk>` and the words, from end, `<unk>` and the words.

    >>> _by_our_ids(np.array([7, 8, 9], np.float32), 0.0, bos=True).tolist()
    [0.0, 7.0, 7.0, 8.0, 9.0]
    """
    none = np.full_like(rows[:1], absent)
    return np.concatenate([none, rows[:1] if bos else none, rows])


def _fill(
    file: CaffeModel, rows: Sequence[_Row], config: CaptionerConfig, words: Vocabulary
) -> Captioner:
    """The model with the file's weights; one layer at a time is in memory twice."""
    model = create_captioner(replace(config, weights="random"), words)
    model.config = config
    with torch.no_grad():
        for row in rows:
            arrays = row.transform([blob.array() for blob in file.layers[row.layer]])
            arrays = {part: np.ascontiguousarray(array) for part, array in arrays.items()}
            check_finite(arrays, row.layer, file)
            module = model.get_submodule(row.module)
            for part, array in arrays.items():
                module.get_parameter(part).copy_(torch.from_numpy(array))
    return model
