"""What a model takes over from another one: its CNN, its layers over frames, its words.

A recogniser's layers read frames, and so do those of a captioner; only a captioner projects the
frames' features first. That is a product of matrices, so both compute the same::

    recogniser   features_D ─ W ────────────────► gates         W  = W' P
    captioner    features_D ─ P ─► embedded_E ─ W' ─► gates     P = [1 0]ᵀ, W' = [W *] where E >= D
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lrcn.checkpoint import CAPTION_TASK, load_captioner, load_model, task_of
from lrcn.errors import ModelError
from lrcn.models.activity import ActivityModel
from lrcn.models.image_captioner import Captioner
from lrcn.models.video_captioner import FrameEncoder, SharedStack
from lrcn.models.visual import VisualModel
from lrcn.nn.recurrent import Recurrent
from lrcn.nn.units import RecurrentUnit

_HEAD = "head.linear."
_FC8 = "backbone.fc8."


def load_start(init: str) -> VisualModel:
    """The model of a folder or run, a recogniser or a captioner.

    Raises:
        ModelError: there is none, or it cannot be read.
    """
    if task_of(init) == CAPTION_TASK:
        return load_captioner(init).model
    return load_model(init).model


def start_captioner(model: Captioner, start: VisualModel, source: str) -> str:
    """Copy every weight that fits: a captioner's, a language model's, or a recogniser's.

    Words that enter a layer before the picture's share (weights to its left) fit a layer without a
    picture too (the paper's code: `train_lrcn.from_lm.sh`).

    Args:
        model: Changed in place.
        start: The other model.
        source: Its name, for messages.

    Returns:
        What was taken over, in words.

    Raises:
        ModelError: nothing fits.
    """
    if isinstance(start, Captioner):
        taken = _take_all(model, start)
    else:
        taken = _take_cnn(model, start)
        if _same_frames(model, start) and isinstance(start, ActivityModel):
            taken += _give_layers(model, start)
    if not taken:
        raise ModelError(
            f"{source} cannot start this model: not one of its weights fits."
            " Give a captioner of the same sizes, or a recogniser with the same backbone"
        )
    return f"started from {source}: {', '.join(taken)}"


def start_recogniser(model: ActivityModel, start: Captioner, source: str) -> str:
    """Copy a captioner's CNN and, where their units and widths agree, its layers over frames.

    Args:
        model: Changed in place.
        start: The captioner.
        source: Its name, for messages.

    Returns:
        What was taken over, in words.

    Raises:
        ModelError: nothing fits.
    """
    taken = _take_cnn(model, start) if model.backbone is not None else []
    if _same_frames(model, start):
        taken += _take_layers(model, start)
    if not taken:
        backbone = start.config.backbone
        raise ModelError(
            f"{source} cannot start this model: it is a captioner ({start.config.kind}) with"
            f" backbone {backbone!r}, and not one of its weights fits {model.config.kind} with"
            f" {model.config.backbone!r}. Give the same backbone (--model.backbone {backbone}), or"
            " start from another model"
        )
    return f"started from {source}: {', '.join(taken)}"


def _take_all(model: Captioner, start: Captioner) -> list[str]:
    """Every weight of another captioner that fits, whole or in the part for words."""
    own, copied = model.state_dict(), 0
    for name, theirs in start.state_dict().items():
        if name not in own:
            continue
        mine = own[name]
        if mine.shape == theirs.shape:
            mine.copy_(theirs)
            copied += mine.ndim > 1  # a bias alone is no start
        elif name.endswith("weight_ih") and len(mine) == len(theirs) and theirs.ndim == 2:
            shared = min(mine.shape[1], theirs.shape[1])
            mine[:, :shared] = theirs[:, :shared]
            copied += 1
    model.load_state_dict(own)
    return [f"{copied} of its weights"] if copied else []


def _take_cnn(model: VisualModel, start: VisualModel) -> list[str]:
    """The weights of the backbone."""
    weights, own = start.state_dict(), model.state_dict()
    if isinstance(model, Captioner):
        # What tells classes is the layer that captions see (paper 3.2): ImageNet's logits.
        for part in ("weight", "bias"):
            if _HEAD + part in weights:
                weights[_FC8 + part] = weights[_HEAD + part]
    copied = 0
    for name, mine in own.items():
        if name.startswith("backbone.") and name in weights:
            theirs = weights[name]
            if mine.shape == theirs.shape:
                mine.copy_(theirs)
                copied += mine.ndim > 1
    model.load_state_dict(own)
    return ["CNN"] if copied else []


def _same_frames(model: VisualModel, start: VisualModel) -> bool:
    """Whether both say the same of a frame: the layers above then mean the same, too."""
    if model.feature_dim != start.feature_dim:
        return False
    if model.backbone is None:
        return True
    if start.backbone is None:
        return False
    own, theirs = model.backbone.state_dict(), start.backbone.state_dict()
    return own.keys() == theirs.keys() and all(torch.equal(own[k], theirs[k]) for k in own)


@torch.no_grad()
def _give_layers(model: Captioner, start: ActivityModel) -> list[str]:
    """A recogniser's layers to those of a captioner that read frames."""
    reader = _reader(model)
    if reader is None or not isinstance(start.recurrent, Recurrent):
        return []
    layers, theirs = _layers(reader), list(start.recurrent.layers)
    width, embedded = start.feature_dim, reader.projection.out_features
    if not _alike(layers[0], theirs[0]) or embedded < width:
        return []
    nn.init.eye_(reader.projection.weight)
    nn.init.zeros_(reader.projection.bias)
    # In a shared stack a layer takes the outputs of the one below, then a word: these go left.
    pairs = list(zip(layers, theirs, strict=False))
    for own, other in pairs:
        for name, value in other.named_parameters():
            mine = own.get_parameter(name)
            if name == "weight_ih":
                mine[:, : value.shape[1]] = value
            else:
                mine.copy_(value)
    return [_layers_in_words(len(pairs))]


@torch.no_grad()
def _take_layers(model: ActivityModel, start: Captioner) -> list[str]:
    """The layers of a captioner that read frames to those of a recogniser."""
    reader = _reader(start)
    if reader is None or not isinstance(model.recurrent, Recurrent):
        return []
    layers, own_layers = _layers(reader), list(model.recurrent.layers)
    if not _alike(own_layers[0], layers[0]):
        return []
    pairs = list(zip(own_layers, layers, strict=False))
    for place, (own, other) in enumerate(pairs):
        for name, value in other.named_parameters():
            mine = own.get_parameter(name)
            if name == "weight_ih":
                projected: Tensor = value @ reader.projection.weight if place == 0 else value
                mine.copy_(projected[:, : mine.shape[1]])
            elif name == "bias" and place == 0:
                mine.copy_(value + other.get_parameter("weight_ih") @ reader.projection.bias)
            else:
                mine.copy_(value)
    return [_layers_in_words(len(pairs))]


def _reader(model: Captioner) -> FrameEncoder | SharedStack | None:
    """The part of a captioner that reads frames one after the other."""
    return model.recurrent if isinstance(model.recurrent, SharedStack) else model.encoder


def _layers(reader: FrameEncoder | SharedStack) -> list[nn.Module]:
    """Its layers, from the frames upwards."""
    if isinstance(reader, SharedStack):
        return [*reader.frames.layers, *reader.words.layers]
    return list(reader.recurrent.layers)


def _alike(one: nn.Module, other: nn.Module) -> bool:
    """Whether two layers are of one kind and width."""
    assert isinstance(one, RecurrentUnit)
    assert isinstance(other, RecurrentUnit)
    return type(one) is type(other) and one.weight_hh.shape == other.weight_hh.shape


def _layers_in_words(number: int) -> str:
    return "the layer over frames" if number == 1 else f"{number} layers over frames"
