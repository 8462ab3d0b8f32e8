"""`.caffemodel` files: the layers that have weights, with their blobs where they lie in the file.

Field numbers are those of the public `caffe.proto` (BVLC/caffe, `src/caffe/proto/caffe.proto`)::

    NetParameter      name 1, layers 2 (V1LayerParameter), layer 100 (LayerParameter)
    LayerParameter    name 1, type 2, blobs 7
    V1LayerParameter  layer 1 (V0LayerParameter), name 4, blobs 6
    V0LayerParameter  name 1, type 2, blobs 50
    BlobProto         num 1, channels 2, height 3, width 4, data 5, shape 7, double_data 8
    BlobShape         dim 1

`num` and its three companions go before `shape`, and `double_data` before `data`, as in Caffe's
`Blob::FromProto`. The file is mapped, not read: a blob costs memory when its `array` is taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lrcn.caffe.wire import EIGHT_BYTES, FOUR_BYTES, LENGTH, VARINT, Span, WireFile, signed
from lrcn.errors import WeightsError

_MAX_AXES = 32
"""Caffe's `kMaxBlobAxes`."""
_MAX_COUNT = 2**31 - 1
"""Numbers in one blob: Caffe counts them in an int."""
_MAX_NAME_BYTES = 1000

_NET_NAME, _NET_V1_LAYERS, _NET_LAYERS = 1, 2, 100
_BLOB_LEGACY: Final = {1: 0, 2: 1, 3: 2, 4: 3}
_BLOB_DATA, _BLOB_SHAPE, _BLOB_DOUBLES = 5, 7, 8


@dataclass(frozen=True)
class _LayerFields:
    """Where a message of one of the three generations keeps what is needed."""

    name: int
    blobs: int
    inner: int | None = None
    """Field of a message of the generation before, which then holds the layer."""


_V0: Final = _LayerFields(name=1, blobs=50)
_V1: Final = _LayerFields(name=4, blobs=6, inner=1)
_V2: Final = _LayerFields(name=1, blobs=7)

_OTHER_KINDS: Final[dict[bytes, str]] = {
    b"\x89HDF": "an HDF5 file (snapshot_format: HDF5); save it as binary proto with Caffe",
    b"PK\x03\x04": "an archive, perhaps of PyTorch; give it with --model.weights to lrcn train",
    b"\x80": "a Python pickle, which runs code when it is read and is therefore never opened",
    b"\x1f\x8b": "compressed; unpack it first",
}


@dataclass(frozen=True)
class Blob:
    """One array of numbers.

    Attributes:
        shape: As the file says; the product is the count of the numbers.
        chunks: The numbers, float32 or float64, views of the mapped file.
    """

    shape: tuple[int, ...]
    chunks: tuple[NDArray[np.floating], ...]

    def array(self) -> NDArray[np.float32]:
        """A copy of the numbers in their shape."""
        if len(self.chunks) == 1:
            flat = np.array(self.chunks[0], dtype=np.float32)
        else:
            flat = np.concatenate([*self.chunks, np.empty(0, np.float32)]).astype(np.float32)
        return flat.reshape(self.shape)

    def empty_array(self) -> NDArray[np.float32]:
        """Zeros of the shape that cost no memory: to see what a transform makes of them."""
        return np.broadcast_to(np.float32(0), self.shape)


@dataclass(frozen=True)
class CaffeModel:
    """What a `.caffemodel` holds.

    Attributes:
        path: The file.
        name: The net's own name.
        version: Generation of its layers: "V0" (2013), "V1" (2014) or "V2" (since 2015).
        layers: Name to blobs, of the layers that have any, in order.
        order: Names of all layers, those without blobs too, in order.
    """

    path: Path
    name: str
    version: str
    layers: dict[str, tuple[Blob, ...]]
    order: tuple[str, ...] = ()


def read_caffemodel(path: Path) -> CaffeModel:
    """Read a `.caffemodel` of any generation.

    Memory and time are bounded by what the file holds: lengths are checked before they are used,
    and nothing in it is trusted.

    Raises:
        WeightsError: it is absent, of another kind, damaged, or has no weights.
    """
    file = WireFile(path)
    _refuse_other_kinds(file)
    name, versions, order = "", set(), []
    layers: dict[str, tuple[Blob, ...]] = {}
    for field in file.fields(file.whole):
        if field.number == _NET_NAME and field.wire_type == VARINT:
            raise WeightsError(
                f"{path} is no .caffemodel but, by its first field, a .solverstate or a mean file."
                " Give the .caffemodel that was saved with it"
            )
        if field.wire_type != LENGTH:
            continue
        if field.number == _NET_NAME:
            name = _text(file, field.span)
        elif field.number in (_NET_V1_LAYERS, _NET_LAYERS):
            kind = _V1 if field.number == _NET_V1_LAYERS else _V2
            layer, blobs, version = _layer(file, field.span, kind)
            versions.add(version)
            order.append(layer)
            if blobs and layer in layers:
                raise WeightsError(
                    f"{path} has two layers {layer!r} with weights; names tell which is which."
                    " Save the net again with different names"
                )
            if blobs:
                layers[layer] = blobs
    if not layers:
        raise WeightsError(
            f"{path} holds no layer with weights. Give the .caffemodel of a trained net,"
            " not its prototxt"
        )
    return CaffeModel(path, name, "/".join(sorted(versions)), layers, tuple(order))


def _refuse_other_kinds(file: WireFile) -> None:
    head = file.head(512)
    for magic, what in _OTHER_KINDS.items():
        if head.startswith(magic):
            raise WeightsError(f"{file.path} is no .caffemodel but {what}")
    words = head.lstrip().split(None, 1)
    if words and words[0] in (b"name:", b"layer", b"layers", b"layer{", b"layers{", b"input:"):
        raise WeightsError(
            f"{file.path} is no .caffemodel but a prototxt: the net's form without its weights."
            " Give the .caffemodel file"
        )


def _layer(file: WireFile, message: Span, kind: _LayerFields) -> tuple[str, tuple[Blob, ...], str]:
    """Name, blobs and generation of one layer."""
    name, spans, inner = "", [], None
    for field in file.fields(message):
        if field.wire_type != LENGTH:
            continue
        if field.number == kind.name:
            name = _text(file, field.span)
        elif field.number == kind.blobs:
            spans.append(field.span)
        elif field.number == kind.inner:
            inner = field.span
    if inner is not None:
        return _layer(file, inner, _V0)
    version = "V0" if kind is _V0 else "V1" if kind is _V1 else "V2"
    blobs = tuple(_blob(file, span, f"blob {k} of layer {name!r}") for k, span in enumerate(spans))
    return name, blobs, version


def _blob(file: WireFile, message: Span, what: str) -> Blob:
    legacy: dict[int, int] = {}
    shape: list[int] = []
    floats: list[NDArray[np.floating]] = []
    doubles: list[NDArray[np.floating]] = []
    for field in file.fields(message):
        if field.number in _BLOB_LEGACY and field.wire_type == VARINT:
            legacy[_BLOB_LEGACY[field.number]] = signed(field.value)
        elif field.number == _BLOB_SHAPE and field.wire_type == LENGTH:
            shape += _dims(file, field.span)
        elif field.number == _BLOB_DATA and field.wire_type in (LENGTH, FOUR_BYTES):
            floats.append(file.numbers(field, "<f4"))
        elif field.number == _BLOB_DOUBLES and field.wire_type in (LENGTH, EIGHT_BYTES):
            doubles.append(file.numbers(field, "<f8"))
    axes = tuple(legacy.get(axis, 0) for axis in range(4)) if legacy else tuple(shape)
    chunks = tuple(doubles or floats)
    problem = _problem(axes, sum(len(chunk) for chunk in chunks))
    if problem:
        raise file.damaged(f"{what} {problem}", message.start)
    return Blob(axes, chunks)


def _dims(file: WireFile, message: Span) -> list[int]:
    """The axes of a BlobShape, packed or not."""
    dims: list[int] = []
    for field in file.fields(message):
        if field.number == 1 and field.wire_type == LENGTH:
            dims += file.integers(field.span)
        elif field.number == 1 and field.wire_type == VARINT:
            dims.append(signed(field.value))
    return dims


def _problem(axes: tuple[int, ...], num_values: int) -> str:
    """What cannot be right about a shape and the count of numbers, or ""."""
    if len(axes) > _MAX_AXES:
        return f"has {len(axes)} axes where at most {_MAX_AXES} are possible"
    shape = " x ".join(str(axis) for axis in axes)
    if any(axis < 1 for axis in axes) or math.prod(axes) > _MAX_COUNT:
        return f"has the impossible shape {shape}"
    if math.prod(axes) != num_values:
        return f"has the shape {shape or '()'} but {num_values:,} numbers"
    return ""


def _text(file: WireFile, span: Span) -> str:
    if span.end - span.start > _MAX_NAME_BYTES:
        raise file.damaged(f"a name of {span.end - span.start:,} bytes", span.start)
    return file.text(span)
