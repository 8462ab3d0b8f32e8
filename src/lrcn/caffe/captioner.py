"""From a captioning `.caffemodel` and its `vocabulary.txt` to a captioner (paper 3, 5.2, 5.4).

The original has one index, 0, for start and end; here they are two, with the same weights. The
file's line k (from 0, `<unk>` first, no line for the end) is the net's index k + 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from lrcn.caffe.blobs import (
    Array,
    Transform,
    convolution,
    first_convolution,
    inner_product,
    lstm,
    matrix,
)
from lrcn.caffe.caffemodel import CaffeModel, read_caffemodel
from lrcn.caffe.fit import check_finite
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


def holds_captioner(file: CaffeModel) -> bool:
    """Whether a file holds a net that predicts words."""
    return "embedding" in file.layers and "predict" in file.layers


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
    blobs = {name: [blob.empty_array() for blob in found] for name, found in file.layers.items()}
    rows = _rows(blobs, channels)
    config = replace(_config(path, blobs, rows), input_px=input_px)
    size = blobs["embedding"][0].shape[-2]
    if size != len(words) - len(SPECIAL_TOKENS) + 2:
        raise DataError(
            f"{vocabulary} has {len(words) - 3} lines, and {path.name} numbers {size} words:"
            f" {size - 1} lines and the end are needed. Give the vocabulary.txt of this net"
        )
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


def _rows(blobs: Mapping[str, Sequence[Array]], channels: ChannelOrder) -> list[_Row]:
    """Layers of the file that are used, with their modules."""
    rows = []
    for name in blobs:
        if name.startswith("conv"):
            first = name in _CONV1 and channels == "rgb"
            transform = first_convolution if first else convolution
            rows.append(_Row(name, f"backbone.{name}", transform))
        elif name in ("fc6", "fc7", "fc8"):
            rows.append(_Row(name, f"backbone.{name}", inner_product))
        elif name.startswith("lstm") and name[4:].isdigit():
            rows.append(_Row(name, f"recurrent.layers.{int(name[4:]) - 1}", lstm))
    return [
        *rows,
        _Row("embedding", "embedding", _word_rows),
        _Row("predict", "predictor", _word_outputs),
    ]


def _config(
    path: Path, blobs: Mapping[str, Sequence[Array]], rows: Sequence[_Row]
) -> CaptionerConfig:
    """The form that the layers have.

    Raises:
        WeightsError: they have none that is known.
    """
    places = sorted(int(row.module.rpartition(".")[2]) for row in rows if row.transform is lstm)
    seeing = [k for k in places if len(blobs[f"lstm{k + 1}"]) == 4]
    backbone = next((net for layer, net in _CONV1.items() if layer in blobs), None)
    if places != list(range(len(places))) or not places or len(seeing) > 1:
        raise WeightsError(
            f"{path} has layers {', '.join(blobs)}: lstm1, lstm2, ... are needed, and at most"
            " one of them may see the picture. Give a captioning net of the original"
        )
    if bool(seeing) != (backbone is not None):
        has, lacks = ("an LSTM that sees", "a CNN") if seeing else ("a CNN", "an LSTM that sees")
        raise WeightsError(
            f"{path} has {has}, but not {lacks}. Give the whole net, as `caffe train` saves it"
        )
    return CaptionerConfig(
        visual="static" if seeing else "none",
        backbone=backbone or "none",
        feature_layer="fc8" if backbone else None,
        embedding_size=blobs["embedding"][0].shape[-1],
        hidden_size=blobs["lstm1"][-1].shape[-1],
        num_layers=len(places),
        image_layer=seeing[0] + 1 if seeing else None,
        init="paper",
    )


def _word_rows(blobs: Sequence[Array]) -> dict[str, Array]:
    """The rows of the embedding by our ids: `<bos>` and `<eos>` are both the original's 0."""
    return {"weight": _by_our_ids(matrix(blobs[0]), 0.0, bos=True)}


def _word_outputs(blobs: Sequence[Array]) -> dict[str, Array]:
    """Weights and bias of "predict" by our ids; `<pad>` and `<bos>` are never said."""
    weight, bias = blobs
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
    """The model with the file's weights.

    Raises:
        WeightsError: a layer is missing or has another shape than the net.
    """
    try:
        model = create_captioner(replace(config, weights="random"), words)
    except LrcnError as error:
        raise WeightsError(f"{file.path} holds no captioner that can be made: {error}") from error
    model.config = config
    filled: set[str] = set()
    with torch.no_grad():
        for row in rows:
            try:
                arrays = row.transform([blob.array() for blob in file.layers[row.layer]])
                module = model.get_submodule(row.module)
                parameters = {part: module.get_parameter(part) for part in arrays}
            except (ValueError, AttributeError) as error:
                raise WeightsError(
                    f"{file.path}, layer {row.layer!r}: {error}. Give a captioning net of the"
                    " original"
                ) from error
            arrays = {part: np.ascontiguousarray(array) for part, array in arrays.items()}
            check_finite(arrays, row.layer, file)
            for part, array in arrays.items():
                if tuple(array.shape) != tuple(parameters[part].shape):
                    raise WeightsError(
                        f"{file.path}, layer {row.layer!r} ({part}) is {array.shape} instead of"
                        f" {tuple(parameters[part].shape)}. Give --input-px when the net was"
                        " trained with another crop"
                    )
                parameters[part].copy_(torch.from_numpy(array))
                filled.add(f"{row.module}.{part}")
    missing = [name for name, _ in model.named_parameters() if name not in filled]
    if missing:
        raise WeightsError(
            f"{file.path} lacks weights of {', '.join(missing[:6])}. Give the whole net"
        )
    return model
