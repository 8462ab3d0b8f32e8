"""A writer of `.caffemodel` files: protobuf by hand, in the three generations of `caffe.proto`."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

Version = Literal["V0", "V1", "V2"]
Layers = Mapping[str, Sequence[np.ndarray]]
"""Name to blobs."""


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def integer(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def message(number: int, content: bytes | str) -> bytes:
    content = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(content)) + content


def blob(
    array: np.ndarray,
    *,
    legacy: bool = False,
    double: bool = False,
    packed: bool = True,
    shape: Sequence[int] | None = None,
) -> bytes:
    """A BlobProto; `legacy`: num, channels, height, width, filled up with ones from the left."""
    axes = list(array.shape if shape is None else shape)
    if legacy:
        axes = [1] * (4 - len(axes)) + axes
        head = b"".join(integer(k, axis) for k, axis in enumerate(axes, 1))
    else:
        head = message(7, message(1, b"".join(varint(axis) for axis in axes)))
    number, dtype = (8, "<f8") if double else (5, "<f4")
    raw = np.ascontiguousarray(array, dtype).tobytes()
    if packed:
        return head + message(number, raw)
    width = np.dtype(dtype).itemsize
    tag = varint(number << 3 | (1 if double else 5))
    return head + b"".join(tag + raw[k : k + width] for k in range(0, len(raw), width))


def layer(name: str, blobs: Sequence[bytes], version: Version = "V2") -> bytes:
    """A layer with a few of the other fields around, to be skipped."""
    if version == "V2":
        top = message(1, name) + message(2, "Some") + message(3, "below") + message(4, name)
        lr = message(6, struct.pack("<Bf", 3 << 3 | 5, 2.0))  # ParamSpec.lr_mult
        return message(100, top + lr + b"".join(message(7, b) for b in blobs) + integer(10, 0))
    if version == "V1":
        top = message(2, "below") + message(3, name) + message(4, name) + integer(5, 14)
        lr = varint(7 << 3 | 5) + struct.pack("<f", 2.0)
        return message(2, top + b"".join(message(6, b) for b in blobs) + lr)
    inner = message(1, name) + message(2, "conv") + b"".join(message(50, b) for b in blobs)
    return message(2, message(1, inner) + message(2, "below"))


def net(layers: Layers, version: Version = "V2", **options: bool) -> bytes:
    """The bytes of a whole file, with layers that have no weights in between."""
    options = {"legacy": version != "V2", **options}
    parts = [message(1, "fake net"), message(3, "data"), *(integer(4, n) for n in (1, 3, 9, 9))]
    for name, blobs in layers.items():
        parts.append(layer(name, [blob(array, **options) for array in blobs], version))
        parts.append(layer(f"relu_{name}", [], version))
    return b"".join(parts)


def write_caffemodel(path: Path, layers: Layers, version: Version = "V2", **options: bool) -> Path:
    path.write_bytes(net(layers, version, **options))
    return path
