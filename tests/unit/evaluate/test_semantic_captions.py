"""A captioner of semantic predictions: its folder keeps the labels, and it is measured by them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrcn.checkpoint import SavedCaptioner, load_captioner, save_model
from lrcn.data.semantics import LabelSpace, SemanticSource
from lrcn.errors import ConfigError, MissingFilesError
from lrcn.evaluate.captions import evaluate_captions
from lrcn.models.image_captioner import CaptionerConfig, create_captioner
from lrcn.structures import CaptionItem, CaptionList
from lrcn.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from lrcn.train.caption_config import CaptionDataConfig, CaptionExperiment

BELIEFS = {"1": {"verb": {"cut": 0.5, "peel": 0.5}}, "2": {"verb": {"peel": 1.0}}}
WORDS = Vocabulary((*SPECIAL_TOKENS, "a", "man", "cuts", "peels"))


def saved_captioner(form: str, folder: Path) -> SavedCaptioner:
    space = LabelSpace.build(BELIEFS.values(), form=form)  # type: ignore[arg-type]
    config = CaptionerConfig(
        visual="shared" if form == "words" else "static",
        backbone="none",
        feature_dim=space.feature_dim,
        hidden_size=5,
        embedding_size=4,
    )
    save_model(folder, SavedCaptioner(create_captioner(config, WORDS), semantics=space))
    return load_captioner(folder)


def items(*ids: str) -> CaptionList:
    made = tuple(CaptionItem(path=f"{i}.avi", item_id=i, captions=("a man cuts",)) for i in ids)
    return CaptionList(items=made, layout="csv", source="x.csv", media="video")


@pytest.mark.parametrize("form", ["words", "max", "prob"])
def test_a_saved_model_is_measured_by_predictions(form: str, tmp_path: Path) -> None:
    saved = saved_captioner(form, tmp_path / "model")
    assert saved.semantics is not None
    assert saved.semantics.nodes == {"verb": ("peel", "cut")}
    source = SemanticSource(files="x.jsonl", space=saved.semantics, semantics=BELIEFS, noise=0.2)
    results = evaluate_captions(saved, items("1", "2"), metrics=("bleu",), semantics=source)
    assert [one.item_id for one in results.captions] == ["1", "2"]
    assert "noise 0.2" in results.protocol.engine
    with pytest.raises(MissingFilesError, match="says nothing of 3"):
        evaluate_captions(saved, items("1", "3"), metrics=("bleu",), semantics=source)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match="visual encoder or shared"):
        CaptionExperiment(dataset=CaptionDataConfig(semantics="x.csv", semantic_form="words"))
    with pytest.raises(ConfigError, match="semantic_noise"):
        CaptionDataConfig(semantic_noise=2.0)
    space = LabelSpace.build(BELIEFS.values())
    with pytest.raises(ConfigError, match="from 0 to 1"):
        SemanticSource(files="x", space=space, semantics=BELIEFS, noise=1.5)
