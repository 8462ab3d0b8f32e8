"""The frozen captioner: the same words as the plain one, whatever shares its batch."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lrcn.decoding.interface import SpecialIds
from lrcn.decoding.options import get_decoder
from lrcn.decoding.search import decode
from lrcn.engine.linear import has_int8
from lrcn.models.captioner_config import CaptionerConfig
from lrcn.models.fast_captioner import FastCaptioner, fast_captioner
from lrcn.models.image_captioner import Captioner, create_captioner
from lrcn.text.vocabulary import SPECIAL_TOKENS, Vocabulary

VOCABULARY = Vocabulary((*SPECIAL_TOKENS, *(f"w{i}" for i in range(67))))
IDS = SpecialIds(vocab_size=len(VOCABULARY))
needs_int8 = pytest.mark.skipif(not has_int8(), reason="the processor has no int8 products")
FORMS: dict[str, dict[str, Any]] = {
    "1u": {"num_layers": 1},
    "2u": {"num_layers": 2, "factored": False},
    "2f": {"num_layers": 2},
    "3f": {"num_layers": 3},
    "language model": {"visual": "none", "backbone": "efficientnet_lite0"},
    "tied": {"tied": True, "embedding_size": 24},
}


def _captioner(**settings: Any) -> Captioner:
    known = {"backbone": "none", "feature_dim": 10, "embedding_size": 16, "hidden_size": 24}
    if settings.get("visual") == "none":
        del known["feature_dim"]
    captioner = create_captioner(CaptionerConfig(**{**known, **settings}), VOCABULARY, seed=1)
    with torch.no_grad():
        for parameter in captioner.parameters():
            parameter.mul_(2.0)
    return captioner.eval()


def _features(num: int) -> torch.Tensor:
    return torch.randn(num, 1, 10, generator=torch.Generator().manual_seed(3)).relu()


@torch.no_grad()
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("arithmetic", "error"),
    [("float32", 1e-5), ("bfloat16", 0.1), pytest.param("int8", 0.05, marks=needs_int8)],
)
def test_steps_are_the_captioners(form: str, arithmetic: str, error: float) -> None:
    captioner = _captioner(**FORMS[form])
    fast = FastCaptioner(captioner, arithmetic)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(4)
    features, words = _features(5), torch.randint(len(VOCABULARY), (4, 5), generator=generator)
    state, quick = captioner.start(features), fast.start(features)
    rows = torch.tensor([3, 3, 0, 1, 4])
    for words_N in words:
        logits, state = captioner.step(words_N, state)
        found, quick = fast.step(words_N, quick)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, logits, rtol=0, atol=error)
        state, quick = captioner.reorder(state, rows), fast.reorder(quick, rows)


@torch.no_grad()
def test_a_description_can_go_on_where_the_captioner_stopped() -> None:
    captioner = _captioner()
    fast = FastCaptioner(captioner, "float32")
    words = torch.tensor([[1, 1], [7, 9], [30, 5]])
    state = captioner.start(_features(2))
    for words_N in words[:2]:
        _, state = captioner.step(words_N, state)
    expected, _ = captioner.step(words[2], state)
    found, _ = fast.step(words[2], fast.pack(state))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["greedy", "beam-3", "best-of-10-t1.5"])
def test_sentences_are_the_captioners(name: str) -> None:
    captioner, features = _captioner(), _features(4)
    fast = FastCaptioner(captioner, "float32")
    with torch.no_grad():
        expected = decode(captioner, captioner.start(features), 4, get_decoder(name), IDS)
    found = decode(fast, fast.start(features), 4, get_decoder(name), IDS)
    for one, other in zip(found, expected, strict=True):
        assert one[0].token_ids == other[0].token_ids
        assert one[0].log_prob == pytest.approx(other[0].log_prob, abs=1e-4)


@needs_int8
def test_int8_sentences_do_not_depend_on_the_batch() -> None:
    """To the last bit: whole numbers are added exactly."""
    captioner, features = _captioner(), _features(5)
    fast = FastCaptioner(captioner, "int8")
    options = get_decoder("beam-4")
    together = decode(fast, fast.start(features), 5, options, IDS)
    alone = FastCaptioner(captioner, "int8")
    # The picture's share is the captioner's own product, in float32: taken from one batch.
    whole = fast.start(features)
    for row in (4, 0):
        state = alone.reorder(whole, torch.tensor([row]))
        assert decode(alone, state, 1, options, IDS) == [together[row]]


@torch.no_grad()
@needs_int8
def test_the_best_words_of_int8_are_nearly_exact() -> None:
    captioner = _captioner()
    fast, words = FastCaptioner(captioner, "int8"), torch.tensor([1, 9, 30, 66])
    logits, _ = captioner.step(words, captioner.start(_features(4)))
    found, _ = fast.step(words, fast.start(_features(4)))
    best = logits.topk(5).indices
    torch.testing.assert_close(found.gather(1, best), logits.gather(1, best), rtol=0, atol=1e-3)


def test_other_units_stay_as_they_are() -> None:
    captioner = _captioner(unit="gru")
    assert fast_captioner(captioner) is captioner
    assert isinstance(fast_captioner(_captioner(), precision="float32"), FastCaptioner)


@needs_int8
def test_int8_that_moves_too_much_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    captioner = _captioner()
    monkeypatch.setattr("lrcn.models.fast_captioner._MAX_DISTANCE", 1e-6)
    fast = fast_captioner(captioner, precision="int8")
    assert isinstance(fast, FastCaptioner)
    assert fast.arithmetic == "float32"
    assert "int8 moves" in fast.description
    captioner.train()
    fast_captioner(captioner, precision="float32")
    assert captioner.training
