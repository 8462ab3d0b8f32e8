"""Caffe's equations in numpy (paper 1.4, 5.1), float64, from the blobs of a file: an oracle.

Written from the equations alone: nothing of `lrcn` and nothing of torch is used.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Blobs = list[np.ndarray]


def convolution(
    x: np.ndarray, blobs: Blobs, *, stride: int = 1, pad: int = 0, group: int = 1
) -> np.ndarray:
    """x N C H W; weight (out, C / group, kh, kw)."""
    weight, bias = (blob.astype("f8") for blob in blobs)
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    kernel = weight.shape[2]
    windows = sliding_window_view(x, (kernel, kernel), axis=(2, 3))[:, :, ::stride, ::stride]
    outputs = []
    for part, rows in zip(np.split(windows, group, 1), np.split(weight, group, 0), strict=True):
        outputs.append(np.tensordot(part, rows, ((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2))
    return np.concatenate(outputs, 1) + bias.reshape(1, -1, 1, 1)


def max_pool(x: np.ndarray, kernel: int, stride: int) -> np.ndarray:
    """The output's size is rounded up; a window may hang over the edge."""
    num, channels, height, width = x.shape
    rows, columns = (int(np.ceil((side - kernel) / stride)) + 1 for side in (height, width))
    out = np.empty((num, channels, rows, columns))
    for i in range(rows):
        for j in range(columns):
            top, left = i * stride, j * stride
            out[:, :, i, j] = x[:, :, top : top + kernel, left : left + kernel].max((2, 3))
    return out


def lrn(x: np.ndarray, *, n: int = 5, alpha: float = 1e-4, beta: float = 0.75) -> np.ndarray:
    """x / (1 + alpha / n * sum of squares over n channels) ** beta."""
    squares = np.pad(x**2, ((0, 0), (n // 2, n // 2), (0, 0), (0, 0)))
    total = sum(squares[:, k : k + x.shape[1]] for k in range(n))
    return x / (1 + alpha / n * total) ** beta


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def inner_product(x: np.ndarray, blobs: Blobs) -> np.ndarray:
    weight, bias = (blob.astype("f8") for blob in blobs)
    return x.reshape(*x.shape[:-1], -1) @ weight.reshape(weight.shape[-2:]).T + bias.reshape(-1)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def lstm(
    x: np.ndarray, cont: np.ndarray, blobs: Blobs, static: np.ndarray | None = None
) -> np.ndarray:
    """x T N D, cont T N (0 where a sequence starts), static N S; the outputs T N R."""
    blobs = [blob.astype("f8") for blob in blobs]
    w_x, b = blobs[0], blobs[1].reshape(-1)
    w_h = blobs[-1]
    h = c = np.zeros((x.shape[1], w_h.shape[1]))
    outputs = []
    for x_t, cont_t in zip(x, cont[:, :, None], strict=True):
        a = x_t @ w_x.T + b + (cont_t * h) @ w_h.T
        if static is not None:
            a = a + static @ blobs[2].T
        i, f, o, g = np.split(a, 4, axis=1)
        c = cont_t * (sigmoid(f) * c) + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs)


def rnn(
    x: np.ndarray, cont: np.ndarray, blobs: Blobs, static: np.ndarray | None = None
) -> np.ndarray:
    """Caffe's vanilla RNN layer (paper 1.2): its output is a layer of its own."""
    blobs = [blob.astype("f8") for blob in blobs]
    w_xh, b_h, w_hh, w_ho, b_o = blobs[0], blobs[1], *blobs[-3:]
    h = np.zeros((x.shape[1], w_hh.shape[1]))
    outputs = []
    for x_t, cont_t in zip(x, cont[:, :, None], strict=True):
        a = x_t @ w_xh.T + b_h + (cont_t * h) @ w_hh.T
        if static is not None:
            a = a + static @ blobs[2].T
        h = np.tanh(a)
        outputs.append(np.tanh(h @ w_ho.T + b_o))
    return np.stack(outputs)


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def caffenet_pool5(x: np.ndarray, layers: dict[str, Blobs], *, hybrid: bool) -> np.ndarray:
    """The convolutions of the paper's hybrid net, or of CaffeNet (paper 2.2, 3.2)."""
    x = relu(convolution(x, layers["conv1"], stride=2 if hybrid else 4))
    x = lrn(max_pool(x, 3, 2))
    stride, pad = (2, 0) if hybrid else (1, 2)
    x = relu(convolution(x, layers["conv2"], stride=stride, pad=pad, group=2))
    x = lrn(max_pool(x, 3, 2))
    x = relu(convolution(x, layers["conv3"], pad=1))
    x = relu(convolution(x, layers["conv4"], pad=1, group=2))
    return max_pool(relu(convolution(x, layers["conv5"], pad=1, group=2)), 3, 2)


def vgg_pool5(x: np.ndarray, layers: dict[str, Blobs]) -> np.ndarray:
    for block, num in enumerate((2, 2, 3, 3, 3), 1):
        for k in range(1, num + 1):
            x = relu(convolution(x, layers[f"conv{block}_{k}"], pad=1))
        x = max_pool(x, 2, 2)
    return x


def frames_to_bgr(frames_NCHW: np.ndarray, mean_bgr: tuple[float, float, float]) -> np.ndarray:
    """RGB 0...255 as Caffe's data layer gives them: BGR, mean subtracted."""
    return frames_NCHW[:, ::-1].astype("f8") - np.array(mean_bgr).reshape(1, 3, 1, 1)
