"""A captioner of semantic predictions: its folder keeps the labels, and it is measured by them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lrcn.checkpoint import SavedCaptioner, load_captioner, save_model
from lrcn.cli.main import main
from lrcn.data.semantics import LabelSpace, SemanticSource
from lrcn.decoding.describe import describe
from lrcn.errors import ConfigError, MissingFilesError, ModelError
from lrcn.evaluate.captions import evaluate_captions
from lrcn.models.image_captioner import CaptionerConfig, create_captioner
from lrcn.predict.narrators import load_narrator
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


def test_sentences_of_predictions_without_references(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Any file of predictions, also of other recognisers, is described item by item."""
    saved = saved_captioner("prob", tmp_path / "model")
    (tmp_path / "p.jsonl").write_text('{"id": "new", "verb": {"cut": 3, "peel": 1}}\n')
    code = main(["caption", str(tmp_path / "model"), str(tmp_path / "p.jsonl"), "--json"])
    assert code == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["item_id"] == "new"
    assert saved.semantics is not None
    vector_1D = saved.semantics.features({"verb": {"cut": 0.75, "peel": 0.25}})
    (expected,) = describe(saved.model.eval(), vector_1D[None], options=saved.decoding)
    assert found["caption"] == expected[0].text

    (tmp_path / "p.jsonl").write_text('{"id": "new", "tool": "knife"}\n')
    assert main(["caption", str(tmp_path / "model"), str(tmp_path / "p.jsonl")]) == 2
    assert "nodes tool; the model was trained with verb" in capsys.readouterr().err


def test_pictures_are_refused_by_a_narration(tmp_path: Path) -> None:
    saved_captioner("max", tmp_path / "model")
    with pytest.raises(ModelError, match="semantic predictions, not from pictures"):
        load_narrator(tmp_path / "model")
