"""Folders of captioners: what is written comes back, and what is damaged is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from lrcn.checkpoint import (
    ModelCard,
    SavedCaptioner,
    load_captioner,
    load_model,
    save_model,
    task_of,
    weights_hash,
)
from lrcn.errors import ModelError
from lrcn.models.image_captioner import CaptionerConfig, create_captioner
from lrcn.text.vocabulary import SPECIAL_TOKENS, Vocabulary

WORDS = Vocabulary((*SPECIAL_TOKENS, "ein", "Straße".lower(), "狗"), "words")


def saved(**changes: object) -> SavedCaptioner:
    given = {"backbone": "none", "feature_dim": 6, "hidden_size": 5, "embedding_size": 5}
    model = create_captioner(CaptionerConfig(**given | changes), WORDS, seed=1)
    return SavedCaptioner(model, ModelCard(data="here", results={"cider_d": 0.7}))


@pytest.mark.parametrize("changes", [{}, {"tied": True}, {"visual": "none"}, {"unit": "gru"}])
def test_what_is_written_comes_back(tmp_path: Path, changes: dict[str, object]) -> None:
    given = saved(**changes)
    save_model(tmp_path / "model", given)
    found = load_captioner(tmp_path / "model")

    assert task_of(tmp_path / "model") == "caption"
    assert found.model.config == given.model.config
    assert found.model.vocabulary == WORDS
    assert weights_hash(found.model) == weights_hash(given.model)
    assert found.card.results == {"cider_d": 0.7}
    assert found.media == "image"
    assert not found.model.training
    inputs, features = torch.tensor([[1, 4, 6]]), torch.ones(1, 1, 6)
    for one, other in ((given.model.eval(), found.model),):
        a = one.unroll(inputs, one.start(features))
        b = other.unroll(inputs, other.start(features))
        assert a.equal(b)
    text = (tmp_path / "model" / "vocabulary.json").read_text(encoding="utf-8")
    assert "狗" in text
    assert "lrcn caption" in (tmp_path / "model" / "README.md").read_text(encoding="utf-8")


def test_pretrained_names_are_folders_too(tmp_path: Path) -> None:
    saved().save_pretrained(tmp_path / "model")
    assert SavedCaptioner.from_pretrained(str(tmp_path / "model")).model.vocabulary == WORDS


def test_word_vectors_and_backbone_weights_are_not_fetched_again(tmp_path: Path) -> None:
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("ein 1 2 3 4 5\n")
    given = saved(embeddings=str(vectors))
    save_model(tmp_path / "model", given)
    vectors.unlink()
    assert load_captioner(tmp_path / "model").model.config.embeddings == str(vectors)


def test_other_kinds_and_damage_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    save_model(folder, saved())
    with pytest.raises(ModelError, match="describes pictures in sentences"):
        load_model(folder)
    vocabulary = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
    other = Vocabulary((*SPECIAL_TOKENS, "ein", "zwei", "狗"), "words")
    (folder / "vocabulary.json").write_text(json.dumps(other.to_dict()), encoding="utf-8")
    with pytest.raises(ModelError, match="not the vocabulary"):
        load_captioner(folder)
    (folder / "vocabulary.json").write_text("[]", encoding="utf-8")
    with pytest.raises(ModelError, match="is no vocabulary"):
        load_captioner(folder)
    (folder / "vocabulary.json").unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        load_captioner(folder)
    (folder / "vocabulary.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"task": "activity"}))
    with pytest.raises(ModelError, match="one that writes sentences"):
        load_captioner(folder)
    (folder / "config.json").write_text(
        json.dumps({k: v for k, v in config.items() if k != "media"})
    )
    with pytest.raises(ModelError, match="does not describe a captioner"):
        load_captioner(folder)
