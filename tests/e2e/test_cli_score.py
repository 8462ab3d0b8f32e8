"""`lrcn score`: from files to scores, intervals and a comparison."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.fakes.command_line import Run

REFERENCES = [
    ("a dog runs over grass", "the dog is running"),
    ("two cats sleep on a couch", "a pair of cats"),
    ("a red car on the street", "the car is red"),
]
CAPTIONS = ["a dog runs on grass", "two cats on a couch", "a man"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [
        {"image_id": i, "caption": text} for i, texts in enumerate(REFERENCES) for text in texts
    ]
    (tmp_path / "refs.json").write_text(json.dumps({"images": [], "annotations": rows}))
    results = [{"image_id": i, "caption": text} for i, text in enumerate(CAPTIONS)]
    (tmp_path / "hyps.json").write_text(json.dumps(results))
    for j in (0, 1):
        (tmp_path / f"refs{j}.txt").write_text("\n".join(r[j] for r in REFERENCES) + "\n")
    (tmp_path / "hyps.txt").write_text("\n".join(CAPTIONS) + "\n")
    (tmp_path / "other.txt").write_text("a dog\na cat\n\n")
    return tmp_path


def test_text_and_coco_files_give_the_same_scores(lrcn: Run, folder: Path) -> None:
    refs, hyps = folder / "refs.json", folder / "hyps.json"
    code, out, err = lrcn("score", "--references", refs, "--hypotheses", hyps, "--json", "--quiet")
    assert (code, err) == (0, "")
    coco = json.loads(out)
    code, out, _ = lrcn(
        *("score", "--references", folder / "refs0.txt", folder / "refs1.txt"),
        *("--hypotheses", folder / "hyps.txt", "--json"),
    )
    text = json.loads(out)
    repeated = ("--references", folder / "refs0.txt", "--references", folder / "refs1.txt")
    some = ("--metrics", "bleu", "rouge_l", "--json")
    code, out, _ = lrcn("score", *repeated, "--hypotheses", folder / "hyps.txt", *some)
    assert json.loads(out)["rouge_l"] == text["rouge_l"]
    assert "cider_d" not in json.loads(out)
    for key in ("bleu_1", "bleu_4", "rouge_l", "cider", "cider_d", "distinct_1"):
        assert coco[key] == text[key]
        if key != "distinct_1":
            low, high = coco[f"{key}_interval"]
            assert low <= coco[key] <= high
    assert coco["num_items"] == 3
    assert set(coco["per_item"]) == {"0", "1", "2"}
    assert coco["per_item"]["0"]["rouge_l"] > coco["per_item"]["2"]["rouge_l"]


def test_two_systems_are_compared_and_tables_are_printed(lrcn: Run, folder: Path) -> None:
    arguments = ("score", "--references", folder / "refs0.txt", "--hypotheses", folder / "hyps.txt")
    other = ("--hypotheses2", folder / "other.txt")
    code, out, err = lrcn(*arguments, *other)
    assert code == 0
    assert "95 % interval" in out
    assert "second against first" in out
    assert "1 hypotheses without a word" in err
    _, out, _ = lrcn(*arguments, *other, "--json")
    found = json.loads(out)
    gain = found["differences"]["cider_d"]
    assert gain["difference"] == found["second"]["cider_d"] - found["first"]["cider_d"]
    assert 0 < gain["p_value"] <= 1


def test_document_frequencies_are_saved_and_used(lrcn: Run, folder: Path) -> None:
    arguments = ("score", "--references", folder / "refs.json", "--hypotheses")
    own, frequencies = folder / "hyps.json", folder / "df.json"
    save = ("--save-document-frequencies", frequencies)
    code, out, _ = lrcn(*arguments, own, "--json", "--no-intervals", *save)
    assert code == 0
    first = json.loads(out)
    assert "cider_d_interval" not in first
    assert lrcn(*arguments, own, *save)[0] == 2
    _, out, _ = lrcn(*arguments, own, "--json", "--document-frequencies", frequencies)
    assert json.loads(out)["cider_d"] == pytest.approx(first["cider_d"])
    _, out, _ = lrcn(*arguments, own, "--json", "--document-frequencies", folder / "refs0.txt")
    assert json.loads(out)["cider_d"] != pytest.approx(first["cider_d"])


def test_novelty_counts_the_captions_that_were_not_copied(lrcn: Run, folder: Path) -> None:
    (folder / "train.txt").write_text("A dog runs on grass.\nsomething else\n")
    _, out, _ = lrcn(
        *("score", "--references", folder / "refs.json", "--hypotheses", folder / "hyps.json"),
        *("--train-captions", folder / "train.txt", "--json", "--no-intervals"),
    )
    assert json.loads(out)["novelty"] == pytest.approx(2 / 3)


def test_ids_that_do_not_match_stop_unless_skipped(lrcn: Run, folder: Path) -> None:
    arguments = ("score", "--references", folder / "refs.json", "--hypotheses", folder / "hyps.txt")
    code, out, err = lrcn(*arguments)
    assert (code, out) == (2, "")
    assert "1 items have references but no hypothesis ('0')" in err
    assert "--missing skip" in err
    code, out, err = lrcn(*arguments, "--missing", "skip", "--json", "--no-intervals")
    assert code == 0
    assert json.loads(out)["num_without_hypothesis"] == 1
    assert "warning: 1 hypotheses without references, left out" in err
