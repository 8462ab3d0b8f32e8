"""Two captioners on the same items: the numbers of `lrcn score`, and what cannot be compared."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from tests.fakes.tiny_captioner import picture, tiny_captioner

from lrcn.cli.main import main
from lrcn.evaluate.captions import CaptionResult, CaptionResults, evaluate_captions
from lrcn.metrics.caption_scores import compare_captions, score_captions
from lrcn.structures import CaptionItem, CaptionList

TRUTH = ("a red dog runs on the grass", "two men cook rice in a pan", "a cat plays the piano")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> CaptionResults:
    """Of an untrained captioner; tests put other sentences into it."""
    folder = tmp_path_factory.mktemp("photos")
    items = []
    for seed, sentence in enumerate(TRUTH * 4):
        picture(seed).save(folder / f"{seed}.png")
        path = str(folder / f"{seed}.png")
        items.append(CaptionItem(path=path, item_id=f"{seed}", captions=(sentence, "a dog")))
    captions = CaptionList(items=tuple(items), layout="csv", source="captions.csv")
    return evaluate_captions(tiny_captioner(), captions, precision="float32")


def saying(results: CaptionResults, sentences: list[str]) -> CaptionResults:
    said = zip(results.captions, sentences, strict=True)
    captions = tuple(dataclasses.replace(one, caption=text) for one, text in said)
    return dataclasses.replace(results, captions=captions)


def write(path: Path, results: CaptionResults) -> str:
    path.write_text(results.to_json(), encoding="utf-8")
    return str(path)


def texts(captions: tuple[CaptionResult, ...]) -> dict[str, str]:
    return {one.item_id: one.caption for one in captions}


def test_the_differences_are_those_of_two_systems_scored(
    results: CaptionResults, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worse = saying(results, ["a dog", "a cat in a pan", "the grass runs"] * 4)
    better = saying(results, ["a red dog runs", "two men cook rice", "a cat plays"] * 4)
    paths = [write(tmp_path / "a.json", worse), write(tmp_path / "b.json", better)]

    assert main(["compare", *paths, "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert (found["task"], found["num_items"], found["unlike"]) == ("caption", 12, [])
    references = {one.item_id: list(one.references) for one in results.captions}
    scores = [score_captions(references, texts(one.captions)) for one in (worse, better)]
    expected = compare_captions(*scores)
    assert found["differences"] == {key: one.to_dict() for key, one in expected.items()}
    assert found["differences"]["cider_d"]["difference_interval"][0] > 0
    assert main(["compare", *paths]) == 0
    shown = capsys.readouterr().out
    assert "12 items" in shown
    assert "cider_d" in shown


def test_only_what_was_measured_alike_is_compared(
    results: CaptionResults, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    protocol = dataclasses.replace(results.protocol, list_hash="other", num_items=9)
    fewer = dataclasses.replace(results, captions=results.captions[:9], protocol=protocol)
    words = dataclasses.replace(results.protocol, tokenizer="words")
    paths = [
        write(tmp_path / "a.json", results),
        write(tmp_path / "b.json", fewer),
        write(tmp_path / "c.json", dataclasses.replace(results, protocol=words)),
    ]

    assert main(["compare", *paths[:2]]) == 2
    assert "items (3 only in the first, 0 only in the second)" in capsys.readouterr().err
    assert main(["compare", paths[0], paths[2]]) == 2
    assert "tokenizer (ptb and words)" in capsys.readouterr().err
    assert main(["compare", *paths[:2], "--allow-unlike", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["num_items"] == 9
    assert "not measured alike" in captured.err

    none = dataclasses.replace(fewer, captions=())
    write(tmp_path / "d.json", none)
    assert main(["compare", paths[0], str(tmp_path / "d.json"), "--allow-unlike"]) == 2
    assert "share no item" in capsys.readouterr().err


def test_other_results_are_named(
    results: CaptionResults, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    own = str(results.save(run))
    (tmp_path / "classes.json").write_text("{}")
    retrieval = run / "results" / "9.json"
    retrieval.write_text('{"task": "retrieval"}')

    assert main(["compare", own, str(tmp_path / "classes.json")]) == 2
    assert f"{own} holds sentences and" in capsys.readouterr().err
    assert main(["compare", own, str(retrieval)]) == 2
    assert "holds a retrieval" in capsys.readouterr().err
    assert main(["compare", own, str(run)]) == 0  # a run's sentences, though a retrieval is newer
    assert "12 items" in capsys.readouterr().out
