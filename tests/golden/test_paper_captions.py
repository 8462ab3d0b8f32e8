"""Golden values of paper.md 3.1, 3.4 and 3.5 that need no weights of the authors."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lrcn.models.image_captioner import CaptionerConfig, create_captioner
from lrcn.text.vocabulary import SPECIAL_TOKENS, Vocabulary

V = 8801
VOCABULARY = Vocabulary((*SPECIAL_TOKENS, *(f"word{k}" for k in range(V - len(SPECIAL_TOKENS)))))


def config(**changes: object) -> CaptionerConfig:
    """fc8 of a CNN: 1,000 logits."""
    return CaptionerConfig(
        **{"backbone": "none", "feature_dim": 1000, "init": "paper"} | changes  # type: ignore[arg-type]
    )


def count(*parts: nn.Module) -> int:
    return sum(p.numel() for part in parts for p in part.parameters())


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"num_layers": 1}, 29_614_801),
        ({"factored": False}, 37_618_801),
        ({"factored": True}, 37_618_801),
    ],
)
def test_parameters_of_the_papers_forms(changes: dict[str, object], number: int) -> None:
    with torch.device("meta"):
        model = create_captioner(config(**changes), VOCABULARY)

    assert count(model) == number
    assert count(model.embedding) == 8_801_000
    assert count(model.predictor) == 8_809_801
    assert count(model.recurrent) == number - 8_801_000 - 8_809_801


def test_untrained_loss_and_initial_weights() -> None:
    """ln 8801 is 9.083; the log has 9.31 per word, times 20 = 186.2."""
    model = create_captioner(config(), VOCABULARY).eval()
    generator = torch.Generator().manual_seed(0)
    # Of the size of ImageNet's logits before the softmax.
    features_BTD = torch.randn(2, 1, 1000, generator=generator).mul(2.5)
    inputs_BL = torch.randint(4, V, (2, 20), generator=generator)

    with torch.no_grad():
        logits_BLV = model.unroll(inputs_BL, model.start(features_BTD))
    targets = torch.randint(4, V, (40,), generator=generator)
    loss = F.cross_entropy(logits_BLV.flatten(0, 1), targets).item()

    assert math.log(V) - 0.1 < loss < 9.6
    for part in (model.embedding, model.recurrent, model.predictor):
        for parameter in part.parameters():
            if parameter.ndim == 1:
                assert not parameter.any()
            else:
                assert parameter.abs().max().item() <= 0.08
                assert parameter.std().item() == pytest.approx(0.08 / math.sqrt(3), rel=0.01)
