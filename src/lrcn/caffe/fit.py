"""How a `.caffemodel` fits a net of the table: layers found, missing, unknown, misshapen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import torch

from lrcn.caffe.blobs import Array
from lrcn.caffe.caffemodel import CaffeModel
from lrcn.caffe.nets import NETS, Net, Row
from lrcn.errors import ConfigError, WeightsError
from lrcn.models.activity import ActivityConfig, create_model
from lrcn.settings import did_you_mean

_MAX_WIDTH = 100_000
"""Classes, or units of the LSTM: more are no net, but bytes that happen to be read as one."""
_SHOWN = 6
"""How many layers a message names."""


@dataclass(frozen=True)
class Fit:
    """What of a file goes where in a net, and what does not.

    Attributes:
        name: Of the net in `NETS`.
        net: The net.
        config: Of the model, sizes as in the file; None when a size cannot be told.
        num_classes: Outputs of the classifier.
        layers: Row to the name of its layer in the file.
        missing: Layers of the net that the file lacks.
        unknown: Layers with weights that the net does not have.
        misfits: What is wrong with the blobs of a layer, one sentence each.
    """

    name: str
    net: Net
    config: ActivityConfig | None
    num_classes: int
    layers: Mapping[Row, str]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    misfits: tuple[str, ...]

    @property
    def num_problems(self) -> int:
        """How far the file is from the net."""
        return len(self.missing) + len(self.unknown) + len(self.misfits)

    def describe(self) -> str:
        """The problems in one sentence."""
        kinds = (
            ("missing", [repr(name) for name in self.missing]),
            ("unknown", [repr(name[:60]) for name in self.unknown]),
            ("misshapen", self.misfits),
        )
        return "; ".join(f"{what}: {listed(names)}" for what, names in kinds if names)


def choose_net(file: CaffeModel, *, name: str | None = None, input_px: int | None = None) -> Fit:
    """The net that a file holds.

    Args:
        file: As read.
        name: Of the net; recognised by the names and shapes of the layers when None. Unknown
            layers are then not allowed: they may be the better part of another kind of net.
        input_px: Side of the input; the net's own when None.

    Raises:
        ConfigError: no net is called so, or it cannot have such an input.
        WeightsError: the file does not hold that net, or none that is known.
    """
    if name is not None:
        if name not in NETS:
            raise ConfigError(
                f"unknown net {name!r}.{did_you_mean(name, list(NETS))} Known: {', '.join(NETS)}"
            )
        fit = fit_net(file, name, input_px=input_px)
        if fit.missing or fit.misfits:
            raise WeightsError(
                f"{file.path} does not hold the net {name}: {fit.describe()}."
                " Give the file's own net, or leave --net out to have it recognised"
            )
        return fit
    if holds_captioner(file):
        raise WeightsError(
            f"{file.path} holds a net that writes sentences: give its vocabulary.txt with"
            " --vocabulary; or take its CNN alone with --net"
        )
    nearest = min(_all_fits(file, input_px), key=lambda fit: fit.num_problems)
    if nearest.num_problems:
        only_more = not nearest.missing and not nearest.misfits
        advice = (
            f"Add --net {nearest.name} to take the rest without them"
            if only_more
            else "Layers are found by their names: rename them, or import another file"
        )
        raise WeightsError(
            f"{file.path} holds none of the known nets; the nearest is {nearest.name},"
            f" {nearest.describe()}. {advice}"
        )
    return nearest


def holds_captioner(file: CaffeModel) -> bool:
    """Whether a file holds a net that predicts words."""
    return "embedding" in file.layers and "predict" in file.layers


def fit_net(file: CaffeModel, name: str, *, input_px: int | None = None) -> Fit:
    """Compare a file with one net; nothing of its numbers is read.

    Raises:
        ConfigError: the net cannot have an input of `input_px`.
    """
    net = NETS[name]
    layers, missing, misfits = _find_layers(net, list(file.layers))
    misfits += _wrong_order(file.order)
    shapes: dict[str, tuple[int, ...]] = {}
    blamed: dict[str, str] = {}
    for row, layer in layers.items():
        try:
            found = row.transform([blob.empty_array() for blob in file.layers[layer]])
        except ValueError as error:
            misfits.append(f"{layer!r}: {error}")
            continue
        for part, array in found.items():
            shapes[f"{row.module}.{part}"] = array.shape
            blamed[f"{row.module}.{part}"] = layer
    config, num_classes = _sizes(net, shapes, input_px)
    if config is None and not (missing or misfits):
        misfits.append(f"more than {_MAX_WIDTH:,} classes or units")
    if config is not None:
        expected = expected_shapes(config, num_classes)
        misfits += [
            f"{blamed[key]!r} is {shown(shape)} instead of {shown(expected[key])}"
            for key, shape in shapes.items()
            if shape != expected[key]
        ]
    used = set(layers.values())
    return Fit(
        name=name,
        net=net,
        config=config,
        num_classes=num_classes,
        layers=layers,
        missing=tuple(missing),
        unknown=tuple(layer for layer in file.layers if layer not in used),
        misfits=tuple(misfits),
    )


def expected_shapes(config: ActivityConfig, num_classes: int) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter of a model, without making it."""
    with torch.device("meta"):
        model = create_model(config, [str(k) for k in range(num_classes)])
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def check_finite(arrays: Mapping[str, Array], layer: str, file: CaffeModel) -> None:
    """Refuse weights that are no numbers.

    Raises:
        WeightsError: one of them is infinite or no number.
    """
    for part, array in arrays.items():
        total = torch.from_numpy(array).sum(dtype=torch.float64)
        if not torch.isfinite(total):
            bad = int((~torch.isfinite(torch.from_numpy(array))).sum())
            raise WeightsError(
                f"{file.path} has {bad:,} weights that are infinite or no number in layer"
                f" {layer!r} ({part}): its training diverged, or the file is damaged."
                " Take an earlier snapshot"
            )


def _all_fits(file: CaffeModel, input_px: int | None) -> list[Fit]:
    """With every net that can have such an input.

    Raises:
        ConfigError: none can.
    """
    fits, refusals = [], []
    for name in NETS:
        try:
            fits.append(fit_net(file, name, input_px=input_px))
        except ConfigError as error:
            refusals.append(error)
    if not fits:
        raise refusals[0]
    return fits


def _find_layers(net: Net, names: Sequence[str]) -> tuple[dict[Row, str], list[str], list[str]]:
    """Row to layer; the layers not found; and rows for which several layers stand."""
    layers: dict[Row, str] = {}
    missing, several = [], []
    for row in net.rows:
        found = [name for name in names if fnmatchcase(name, row.layer)]
        if len(found) == 1:
            layers[row] = found[0]
        elif found:
            several.append(f"{listed([repr(f) for f in found])} may each be the classifier")
        else:
            missing.append(row.layer)
    return layers, missing, several


def _wrong_order(order: Sequence[str]) -> list[str]:
    """AlexNet has CaffeNet's names and shapes, but normalises before it pools."""
    return [
        f"'norm{k}' comes before 'pool{k}', as in AlexNet, not after it"
        for k in (1, 2)
        if f"norm{k}" in order
        and f"pool{k}" in order
        and order.index(f"norm{k}") < order.index(f"pool{k}")
    ]


def _sizes(
    net: Net, shapes: Mapping[str, tuple[int, ...]], input_px: int | None
) -> tuple[ActivityConfig | None, int]:
    """The model's settings with the sizes that the file's own blobs have."""
    config = replace(net.model, input_px=input_px)
    head = shapes.get("head.linear.weight")
    hidden = shapes.get("recurrent.layers.0.weight_hh")
    if head is None or head[0] > _MAX_WIDTH:
        return None, 0
    if config.kind == "lrcn":
        if hidden is None or hidden[1] > _MAX_WIDTH:
            return None, 0
        config = replace(config, hidden_size=hidden[1])
    return config, head[0]


def listed(names: Sequence[str]) -> str:
    """The first few of them, and how many more there are."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def shown(shape: tuple[int, ...]) -> str:
    """As in "512 x 384 x 3 x 3"."""
    return " x ".join(str(axis) for axis in shape)
