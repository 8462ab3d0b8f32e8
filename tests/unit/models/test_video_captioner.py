"""Captioners that read frames in order: masks, order, state, learning."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lrcn.errors import ConfigError
from lrcn.models.fast_captioner import fast_captioner
from lrcn.models.image_captioner import Captioner, CaptionerConfig, create_captioner
from lrcn.settings import from_dict
from lrcn.text.vocabulary import SPECIAL_TOKENS, Vocabulary

WORDS = Vocabulary((*SPECIAL_TOKENS, "a", "square", "disc", "slides", "spins"))
D = 6
FORMS = ("encoder", "shared")


def make(**changes: object) -> Captioner:
    given = {"backbone": "none", "feature_dim": D, "hidden_size": 5, "embedding_size": 4}
    config = from_dict(CaptionerConfig, given | changes)
    return create_captioner(config, WORDS, seed=3).double().eval()


def draw(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def tokens(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(1, len(WORDS), shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("unit", ["lstm", "rnn", "gru"])
@pytest.mark.parametrize(("form", "layers"), [("encoder", 1), ("encoder", 2), ("shared", 3)])
@torch.no_grad()
def test_step_equals_unroll(form: str, layers: int, unit: str) -> None:
    model = make(visual=form, num_layers=layers, unit=unit)
    inputs = tokens(3, 6)
    state = model.start(draw(3, 4, D))
    expected = model.unroll(inputs, state)
    assert expected.shape == (3, 6, len(WORDS))
    for t in range(6):
        logits, state = model.step(inputs[:, t], state)
        torch.testing.assert_close(logits, expected[:, t], atol=1e-12, rtol=0)


@pytest.mark.parametrize("form", FORMS)
@torch.no_grad()
def test_padding_and_companions_change_nothing(form: str) -> None:
    model = make(visual=form)
    inputs = tokens(1, 5)
    alone = model.unroll(inputs, model.start(draw(1, 3, D)))
    features = torch.full((2, 7, D), torch.nan, dtype=torch.float64)
    features[0, :3], features[1] = draw(1, 3, D)[0], draw(7, D, seed=1)
    mask = torch.ones(2, 7, dtype=torch.bool)
    mask[0, 3:] = False
    together = model.unroll(inputs.expand(2, -1), model.start(features, mask))
    torch.testing.assert_close(together[0], alone[0], atol=1e-12, rtol=0)


@pytest.mark.parametrize(("form", "matters"), [*((f, True) for f in FORMS), ("static", False)])
@torch.no_grad()
def test_the_order_of_frames_matters_where_they_are_read(form: str, matters: bool) -> None:
    model = make(visual=form)
    features, inputs = draw(1, 4, D), tokens(1, 5)
    forward = model.unroll(inputs, model.start(features))
    backward = model.unroll(inputs, model.start(features.flip(1)))
    assert (not torch.allclose(forward, backward, atol=1e-9)) is matters


@pytest.mark.parametrize("form", FORMS)
@torch.no_grad()
def test_reordered_rows_go_on_as_they_were(form: str) -> None:
    model = make(visual=form)
    _, state = model.step(tokens(3), model.start(draw(3, 4, D)))
    rows = torch.tensor([2, 0, 0])
    logits, _ = model.step(tokens(3, seed=5), state)
    moved, _ = model.step(tokens(3, seed=5)[rows], model.reorder(state, rows))
    torch.testing.assert_close(moved, logits[rows], atol=1e-12, rtol=0)


@pytest.mark.parametrize("form", FORMS)
def test_it_learns_four_videos_that_differ_in_order_alone(form: str) -> None:
    model = make(visual=form, hidden_size=16, embedding_size=8).train()
    first, second = draw(2, 3, D, seed=1), draw(2, 3, D, seed=2)
    features = torch.cat([torch.cat([first, second], 1), torch.cat([second, first], 1)])
    targets = torch.tensor([[5, 6, 2], [6, 5, 2], [7, 8, 2], [8, 7, 2]])
    inputs = torch.cat([torch.full((4, 1), 1), targets[:, :-1]], dim=1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    for _ in range(80):
        optimizer.zero_grad()
        logits = model.unroll(inputs, model.start(features))
        F.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
        optimizer.step()
    assert all(p.grad is not None for p in model.parameters())
    assert torch.equal(model.unroll(inputs, model.start(features)).argmax(2), targets)


@torch.no_grad()
def test_the_fast_captioner_speaks_after_an_encoder() -> None:
    model = make(visual="encoder").float()
    fast = fast_captioner(model, precision="float32")
    features, words = draw(2, 3, D).float(), tokens(2)
    expected, _ = model.step(words, model.start(features))
    found, _ = fast.step(words, fast.start(features))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("form", FORMS)
def test_a_row_without_frames_is_refused(form: str) -> None:
    with pytest.raises(ValueError, match="valid frame"):
        make(visual=form).start(draw(1, 2, D), torch.zeros(1, 2, dtype=torch.bool))


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ConfigError, match="leave both out"):
        CaptionerConfig(visual="encoder", factored=True)
    with pytest.raises(ConfigError, match="num_layers 2"):
        CaptionerConfig(visual="shared", num_layers=1)
    assert "one stack of 2" in CaptionerConfig(visual="shared").kind
