"""Random weights in the shapes of the original nets, as `.caffemodel` files hold them."""

from __future__ import annotations

import dataclasses

import numpy as np

from lrcn.caffe.fit import expected_shapes
from lrcn.caffe.nets import NETS


def blobs_of(name: str, px: int = 99, classes: int = 7, hidden: int = 12) -> dict[str, list]:
    """Random blobs of every layer of a net, in Caffe's shapes.

    With an input of 99 pixels fc6 is 1,536 or 2,304 wide in place of 13,824 and 9,216.
    """
    config = dataclasses.replace(NETS[name].model, input_px=px, hidden_size=hidden)
    shapes = expected_shapes(config, classes)
    rng = np.random.default_rng(3)
    layers: dict[str, list[np.ndarray]] = {}
    for row in NETS[name].rows:
        layer = {"fc8*": "fc8-final" if config.kind == "lrcn" else "fc8-ucf"}.get(
            row.layer, row.layer
        )
        parts = ("weight", "bias") if layer != "lstm1" else ("weight_ih", "bias", "weight_hh")
        layers[layer] = []
        for part in parts:
            shape = shapes[f"{row.module}.{part}"]
            fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 1
            scale = (2 / fan_in) ** 0.5 if len(shape) > 1 else 0.1
            layers[layer].append(rng.standard_normal(shape, "f4") * np.float32(scale))
    layers[next(iter(layers))][0] /= 50  # pixels are up to 255
    return layers
