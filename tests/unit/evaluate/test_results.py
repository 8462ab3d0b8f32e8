"""Results files: what is written can be read, is plain JSON, and damage is named."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest
from tests.fakes.results import fake_protocol, fake_results

from lrcn.errors import OutputError, ResultsError
from lrcn.evaluate.results import Results, load_results
from lrcn.evaluate.results_folder import results_path


def test_round_trip() -> None:
    results = fake_results(sources=True)

    assert Results.from_json(results.to_json()) == results


def test_metrics_stand_at_the_top_as_plain_numbers_with_intervals_beside_them() -> None:
    results = fake_results()
    document = json.loads(results.to_json())

    assert document["accuracy_top1"] == results.metrics["accuracy_top1"]
    low, high = document["accuracy_top1_interval"]
    assert 0 <= low <= document["accuracy_top1"] <= high <= 1
    right = [v["class_name"] == v["predicted"] for v in document["videos"]]
    assert document["accuracy_top1"] == pytest.approx(sum(right) / len(right))
    assert document["protocol"]["clip_stride"] == 8
    for key in ("accuracy_top5", "mean_class_accuracy", "ece", "nll"):
        assert isinstance(document[key], float)


def test_what_is_no_number_becomes_null() -> None:
    results = fake_results()
    odd = dataclasses.replace(results, metrics={"accuracy_top1": float("nan"), "ece": 0.5})

    assert "NaN" not in odd.to_json()
    again = Results.from_json(odd.to_json())
    assert again.metrics == {"accuracy_top1": None, "ece": 0.5}


def test_saving_names_by_time_and_never_overwrites(tmp_path: Path) -> None:
    results = fake_results()
    first, second = results.save(tmp_path), results.save(tmp_path)

    assert first == tmp_path / "results" / "2026-01-31T12-00-00Z.json"
    assert second.name == "2026-01-31T12-00-00Z-2.json"
    assert sorted(p.name for p in first.parent.iterdir()) == sorted([first.name, second.name])


def test_the_newest_of_a_run_is_loaded(tmp_path: Path) -> None:
    old = fake_results(skill=0.0).save(tmp_path)
    new = fake_results(skill=5.0).save(tmp_path)
    os.utime(old, (1, 1))

    assert results_path(tmp_path) == new
    assert load_results(tmp_path).metrics == fake_results(skill=5.0).metrics
    assert load_results(old).metrics == fake_results(skill=0.0).metrics
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "config.json").write_text("{}")
    assert results_path(tmp_path / "best") == new


def test_a_misspelt_name_beside_results_is_not_taken_for_them(tmp_path: Path) -> None:
    new = fake_results().save(tmp_path)
    with pytest.raises(ResultsError, match="bset does not exist"):
        results_path(tmp_path / "bset")
    assert results_path(new.parent) == new


def test_the_folder_one_is_in_is_a_run_or_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = fake_results().save(tmp_path)
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "config.json").write_text("{}")
    for place in (tmp_path, tmp_path / "best"):
        monkeypatch.chdir(place)
        assert results_path(Path()).resolve() == new


def test_saving_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(OutputError, match="results cannot be written below"):
        fake_results().save(tmp_path / "run")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", "{}", '{"format": 1}', '{"format": 1, "created": "x", "videos": []}'],
)
def test_damage_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ResultsError, match=r"a\.json is not a results file, or is damaged"):
        load_results(path)


def test_every_truncation_is_refused_not_crashed_on() -> None:
    text = fake_results(per_class=1).to_json()
    for length in range(0, len(text) - 2, 997):
        with pytest.raises(ResultsError, match="damaged"):
            Results.from_json(text[:length])


@pytest.mark.parametrize("probs", ["abc", [None, "x"], 3, None])
def test_probabilities_that_are_no_numbers_are_refused(probs: object) -> None:
    document = fake_results(per_class=1).to_dict()
    document["videos"][0]["probs"] = probs

    with pytest.raises(ResultsError, match="damaged"):
        Results.from_json(json.dumps(document))


def test_missing_parts_and_other_formats_are_named(tmp_path: Path) -> None:
    document = fake_results(per_class=1).to_dict()
    for part in ("protocol", "videos", "per_class"):
        less = {k: v for k, v in document.items() if k != part}
        with pytest.raises(ResultsError, match=part):
            Results.from_json(json.dumps(less))
    with pytest.raises(ResultsError, match="format 99; this version reads 1"):
        Results.from_json(json.dumps({**document, "format": 99}))
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ResultsError, match="cannot be read"):
        load_results(tmp_path / "b.json")


def test_absent_results_say_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"does not exist.*lrcn evaluate"):
        load_results(tmp_path / "no")
    with pytest.raises(ResultsError, match="holds no results"):
        load_results(tmp_path)


def test_protocols_of_a_later_version_can_be_read() -> None:
    document = fake_results(per_class=1).to_dict()
    document["protocol"]["added_later"] = 3

    again = Results.from_json(json.dumps(document))
    assert again.protocol == fake_protocol(num_videos=8, num_skipped=1, num_truncated=1)
