"""From the blobs of one Caffe layer to the parameters of one of our modules.

Each function takes the blobs of a layer in their order and gives arrays by parameter name. Only
views are used where that is possible, so that a function can also be run on empty arrays to see
which shapes come out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Transform = Callable[[Sequence[Array]], dict[str, Array]]


def convolution(blobs: Sequence[Array]) -> dict[str, Array]:
    """Out x in/groups x height x width, as in PyTorch; the bias may be 1 x 1 x 1 x out."""
    weight, bias = expect(blobs, 2)
    return {"weight": weight, "bias": bias.reshape(-1)}


def first_convolution(blobs: Sequence[Array]) -> dict[str, Array]:
    """A convolution on pictures whose input channels are turned round: BGR to RGB."""
    weight, bias = expect(blobs, 2)
    if weight.ndim != 4:
        raise ValueError(f"a blob of shape {_shown(weight)} is no convolution")
    return {"weight": weight[:, ::-1], "bias": bias.reshape(-1)}


def inner_product(blobs: Sequence[Array]) -> dict[str, Array]:
    """Out x in, which old files store as 1 x 1 x out x in.

    fc6 flattens channels, then height, then width in both.
    """
    weight, bias = expect(blobs, 2)
    return {"weight": matrix(weight), "bias": bias.reshape(-1)}


def lstm(blobs: Sequence[Array]) -> dict[str, Array]:
    """W_xc, b_c, W_xc_static where there is a static input, and W_hc (paper 1.4).

    Caffe's blocks are input, forget, output, modulation; ours input, forget, modulation, output.
    The weights of a static input stand to the right of the others.
    """
    if len(blobs) == 4:
        inputs, bias, static, hidden = blobs
        inputs = np.concatenate([matrix(inputs), matrix(static)], axis=1)
    else:
        inputs, bias, hidden = expect(blobs, 3)
    return {
        "weight_ih": _gates(matrix(inputs)),
        "weight_hh": _gates(matrix(hidden)),
        "bias": _gates(bias.reshape(-1)),
    }


def rnn(blobs: Sequence[Array]) -> dict[str, Array]:
    """W_xh, b_h, W_xh_static where there is a static input, W_hh, W_ho and b_o (paper 1.2)."""
    inputs, bias, *static, hidden, output, output_bias = (
        blobs if len(blobs) == 6 else expect(blobs, 5)
    )
    return {
        "weight_ih": np.concatenate([matrix(part) for part in (inputs, *static)], axis=1),
        "weight_hh": matrix(hidden),
        "bias": bias.reshape(-1),
        "weight_ho": matrix(output),
        "bias_o": output_bias.reshape(-1),
    }


def _gates(rows: Array) -> Array:
    """Blocks i, f, o, g as i, f, g, o.

    >>> _gates(np.arange(8, dtype=np.float32)).tolist()
    [0.0, 1.0, 2.0, 3.0, 6.0, 7.0, 4.0, 5.0]
    """
    if len(rows) % 4:
        raise ValueError(f"{len(rows)} rows are no four gates")
    i, f, o, g = np.split(rows, 4)
    return np.concatenate([i, f, g, o])


def matrix(weight: Array) -> Array:
    """Without the leading ones of an old file.

    Raises:
        ValueError: it is no matrix.
    """
    if weight.ndim < 2 or any(axis != 1 for axis in weight.shape[:-2]):
        raise ValueError(f"a blob of shape {_shown(weight)} is no matrix")
    return weight.reshape(weight.shape[-2:])


def expect(blobs: Sequence[Array], num: int) -> Sequence[Array]:
    """The blobs, when there are so many.

    Raises:
        ValueError: there are more, or fewer.
    """
    if len(blobs) != num:
        shapes = ", ".join(_shown(blob) for blob in blobs)
        raise ValueError(f"{len(blobs)} blobs ({shapes}) where {num} are expected")
    return blobs


def _shown(array: Array) -> str:
    return " x ".join(str(axis) for axis in array.shape)
