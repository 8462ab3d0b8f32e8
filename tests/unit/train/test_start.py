"""A recogniser starts a captioner and the other way round: what fits computes the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from lrcn.checkpoint import ModelCard, SavedCaptioner, SavedModel, save_model
from lrcn.errors import ModelError
from lrcn.models.activity import ActivityConfig, ActivityModel, create_model
from lrcn.models.captioner_config import CaptionerConfig
from lrcn.models.image_captioner import Captioner, create_captioner
from lrcn.settings import from_dict
from lrcn.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from lrcn.train.start import load_start, start_captioner, start_recogniser
from lrcn.video.sampling import SamplingConfig

WORDS = Vocabulary((*SPECIAL_TOKENS, "a", "disc", "rises"))
D = 128  # of the small backbone


def recogniser(seed: int = 0, **changes: object) -> ActivityModel:
    given = {"kind": "lrcn", "backbone": "small", "input_px": 32, "hidden_size": 6}
    config = from_dict(ActivityConfig, given | {"weights": "random"} | changes)
    model = create_model(config, ("grow", "rise"), seed=seed)
    _disturb(model, seed)
    return model.eval()


def captioner(seed: int = 1, **changes: object) -> Captioner:
    given = {"visual": "encoder", "backbone": "small", "input_px": 32, "hidden_size": 6}
    more = {"weights": "random", "embedding_size": D, "num_layers": 2}
    config = from_dict(CaptionerConfig, given | more | changes)
    model = create_captioner(config, WORDS, seed=seed)
    _disturb(model, seed)
    return model.eval()


def _disturb(model: torch.nn.Module, seed: int) -> None:
    """Biases and statistics of new models are all alike: make them differ."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point() and name != "temperature":
                tensor.add_(torch.rand(tensor.shape, generator=generator) * 0.2)


def frames(num_frames: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(9)
    return torch.randint(0, 256, (2, num_frames, 3, 32, 32), generator=generator).to(torch.uint8)


@torch.no_grad()
def states(model: Captioner | ActivityModel) -> tuple[Tensor, Tensor]:
    """Hidden and cell of all layers over frames after the last frame, layers first."""
    features_BTD = model.features(frames())
    if isinstance(model, Captioner):
        state = model.start(features_BTD).recurrent
    else:
        _, state = model.unroll(features_BTD)
    return state[0], state[1]


def assert_same_states(one: torch.nn.Module, other: torch.nn.Module, layers: int) -> None:
    for mine, theirs in zip(states(one), states(other), strict=True):
        torch.testing.assert_close(mine[:layers], theirs[:layers], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("visual", "layers"), [("encoder", 2), ("encoder", 3), ("shared", 3)])
@pytest.mark.parametrize("embedding_size", [D, D + 5])
def test_a_recogniser_starts_a_captioner(visual: str, layers: int, embedding_size: int) -> None:
    start = recogniser(num_layers=2)
    model = captioner(visual=visual, num_layers=layers, embedding_size=embedding_size)

    assert start_captioner(model, start, "RUN") == "started from RUN: CNN, 2 layers over frames"
    assert_same_states(model, start, layers=2)


@pytest.mark.parametrize(("visual", "layers"), [("encoder", 2), ("shared", 2)])
@pytest.mark.parametrize("embedding_size", [D, 7])
def test_a_captioner_starts_a_recogniser(visual: str, layers: int, embedding_size: int) -> None:
    start = captioner(visual=visual, num_layers=layers, embedding_size=embedding_size)
    model = recogniser(num_layers=2)
    head = model.head.linear.weight.clone()

    assert start_recogniser(model, start, "RUN") == "started from RUN: CNN, 2 layers over frames"
    assert_same_states(model, start, layers=2)
    assert torch.equal(model.head.linear.weight, head)  # words are no classes


@pytest.mark.parametrize("unit", ["rnn", "gru"])
def test_there_and_back_with_other_units(unit: str) -> None:
    start = recogniser(unit=unit, num_layers=1)
    middle = captioner(unit=unit, num_layers=1)
    end = recogniser(seed=5, unit=unit, num_layers=1)
    start_captioner(middle, start, "RUN")
    start_recogniser(end, middle, "RUN")
    features_BTD = start.features(frames())
    with torch.no_grad():
        torch.testing.assert_close(end.unroll(features_BTD)[1], start.unroll(features_BTD)[1])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"hidden_size": 7}, {}),  # another width
        ({"unit": "gru"}, {}),
        ({"kind": "mean_pool"}, {}),  # nothing recurrent
        ({}, {"visual": "static"}),  # frames are averaged
        ({}, {"embedding_size": 100}),  # too narrow for what the frames say
    ],
)
def test_only_the_cnn_where_layers_do_not_fit(
    one: dict[str, object], other: dict[str, object]
) -> None:
    start, model = recogniser(**one), captioner(**other)
    before = {k: v.clone() for k, v in model.state_dict().items()}

    assert start_captioner(model, start, "RUN") == "started from RUN: CNN"
    for name, weights in model.state_dict().items():
        if name.startswith("backbone."):
            assert torch.equal(weights, start.state_dict()[name])
        else:
            assert torch.equal(weights, before[name])


def test_layers_over_another_cnn_mean_nothing() -> None:
    """The frames' features must be the same, not only as wide."""
    features = {"backbone": "none", "feature_dim": D, "input_px": None, "weights": "auto"}
    start = recogniser(**features)
    with pytest.raises(ModelError, match="RUN cannot start this model: not one of its weights"):
        start_captioner(captioner(), start, "RUN")
    with pytest.raises(ModelError, match=r"captioner .* with backbone 'none'.*--model.backbone"):
        start_recogniser(recogniser(), captioner(**features), "RUN")
    words = captioner(**features)
    assert "the layer over frames" in start_captioner(words, start, "RUN")


def test_a_language_model_has_nothing_for_a_recogniser() -> None:
    blind = captioner(visual="none", backbone="none", weights="auto")
    with pytest.raises(ModelError, match="RUN cannot start this model: it is a captioner"):
        start_recogniser(recogniser(), blind, "RUN")


def test_folders_of_both_kinds_are_loaded(tmp_path: Path) -> None:
    one, other = recogniser(), captioner()
    save_model(tmp_path / "a", SavedModel(one, SamplingConfig(), ModelCard()))
    save_model(tmp_path / "b", SavedCaptioner(other, media="video"))

    assert isinstance(load_start(str(tmp_path / "a")), ActivityModel)
    assert isinstance(load_start(str(tmp_path / "b")), Captioner)
    with pytest.raises(ModelError, match="nothing"):
        load_start(str(tmp_path / "nothing"))
