"""Models of every kind as narrators: what they see of an interval, and which options they take."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.fakes.narrators import shade_features, shade_recogniser
from torch import Tensor

from lrcn.checkpoint import SavedCaptioner, save_model
from lrcn.decoding.describe import describe
from lrcn.decoding.options import DecodingOptions
from lrcn.errors import ConfigError, ModelError
from lrcn.models.image_captioner import CaptionerConfig, create_captioner
from lrcn.predict.narrate import narrate
from lrcn.predict.narration_config import NarrationConfig
from lrcn.predict.narrators import load_narrator
from lrcn.structures import Media
from lrcn.text.vocabulary import SPECIAL_TOKENS, Vocabulary


def saved_captioner(media: Media = "image", **changes: object) -> SavedCaptioner:
    """An untrained one on features, in whose sentences every frame counts."""
    given = {"backbone": "none", "feature_dim": 3, "hidden_size": 6, "embedding_size": 4}
    words = Vocabulary((*SPECIAL_TOKENS, "a", "dog", "runs", "far"), "words")
    model = create_captioner(CaptionerConfig(**given | changes), words, seed=3).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(12.0)
    decoding = DecodingOptions(min_tokens=2, max_tokens=5)
    return SavedCaptioner(model, media=media, decoding=decoding)


def described(saved: SavedCaptioner, features_TD: Tensor) -> tuple[str, float]:
    caption = describe(saved.model, features_TD[None], options=saved.decoding)[0][0]
    return caption.text, caption.log_prob


@pytest.mark.parametrize("media", ["image", "video"])
def test_a_captioner_describes_every_window(tmp_path: Path, media: Media) -> None:
    saved = saved_captioner(media)
    save_model(tmp_path / "model", saved)
    narrator = load_narrator(tmp_path / "model", precision="float32")
    features = shade_features(torch.linspace(0, 1, 100))
    np.save(tmp_path / "v.npy", features.numpy())

    found = narrate(
        narrator, tmp_path / "v.npy", config=NarrationConfig(window=1.0, max_seconds=1.0)
    )

    assert len(found.sentences) == 4
    for k, sentence in enumerate(found.sentences):
        window_TD = features[25 * k : 25 * (k + 1)]
        seen_TD = window_TD[12:13] if media == "image" else window_TD
        text, log_prob = described(saved, seen_TD)
        assert sentence.text == text
        assert sentence.log_prob == pytest.approx(log_prob, abs=1e-4)
    assert (narrator.sampling is None) == (media == "image")


def test_a_captioner_takes_its_own_options_only(tmp_path: Path) -> None:
    save_model(tmp_path / "words", saved_captioner())
    save_model(tmp_path / "classes", shade_recogniser()._saved)
    shorter = partial(replace, max_tokens=3)

    narrator = load_narrator(tmp_path / "words", decoding=shorter)
    said = narrator.describe(torch.ones(1, 3))

    assert said is not None
    assert len(said.text.split()) <= 3
    with pytest.raises(ConfigError, match="a threshold goes with a model that recognises"):
        load_narrator(tmp_path / "words", threshold=0.5)
    with pytest.raises(ConfigError, match="Leave the options of sentences out"):
        load_narrator(tmp_path / "classes", decoding=shorter)
    save_model(tmp_path / "language", saved_captioner(visual="none"))
    with pytest.raises(ModelError, match="sees no picture"):
        load_narrator(tmp_path / "language")
    with pytest.raises(ConfigError, match="no state between"):
        narrate(narrator, tmp_path / "v.npy", config=NarrationConfig(cut="state"))
