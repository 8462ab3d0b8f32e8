"""`lrcn rank`: sheets hide whose sentence is whose, and mean ranks find it again."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from tests.fakes.command_line import Run

from lrcn.evaluate.ranking import CRITERIA


@pytest.fixture
def systems(tmp_path: Path) -> tuple[str, ...]:
    flags: list[str] = []
    for name in ("good", "fair", "poor"):
        said = {str(k): f"{name} sentence {k}" for k in range(8)}
        (tmp_path / f"{name}.json").write_text(json.dumps(said))
        flags += ["--systems", f"{name}={tmp_path / name}.json"]
    return tuple(flags)


def fill(sheet: Path) -> list[dict[str, str]]:
    """As a person would who always ranks good, fair, poor; by grammar all are alike."""
    with sheet.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        place = ("good", "fair", "poor").index(row["caption"].split()[0])
        row |= {"correctness": str(place + 1), "grammar": "1", "relevance": str(3 - place)}
    write(sheet, rows)
    return rows


def write(sheet: Path, rows: list[dict[str, str]]) -> None:
    with sheet.open("w", newline="") as file:
        writer = csv.DictWriter(file, ("item_id", "letter", "caption", *CRITERIA))
        writer.writeheader()
        writer.writerows(rows)


def test_from_sentences_to_mean_ranks(lrcn: Run, tmp_path: Path, systems: tuple[str, ...]) -> None:
    sheet = tmp_path / "sheet.csv"
    code, _, err = lrcn("rank", sheet, *systems, "--num-items", "6")
    assert code == 0, err
    rows = fill(sheet)
    assert len(rows) == 18
    assert len({row["item_id"] for row in rows}) == 6
    # A letter tells nothing: every system stands under several.
    letters = {row["letter"] for row in rows if row["caption"].startswith("good")}
    assert len(letters) > 1
    code, out, _ = lrcn("rank", sheet, "--json")
    assert code == 0
    found = {(one["criterion"], one["system"]): one["mean_rank"] for one in json.loads(out)}
    assert [found["correctness", name] for name in ("good", "fair", "poor")] == [1, 2, 3]
    assert [found["relevance", name] for name in ("good", "fair", "poor")] == [3, 2, 1]
    assert {found["grammar", name] for name in ("good", "fair", "poor")} == {1}

    rows[0] |= dict.fromkeys(CRITERIA, "")  # not ranked
    write(sheet, rows)
    code, out, _ = lrcn("rank", sheet, "--json")
    assert sorted({one["num_items"] for one in json.loads(out)}) == [5, 6]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"grammar": "4"}, "line 2 of the sheet: grammar is '4'"),
        ({"grammar": ""}, "grammar is ''"),
        ({"letter": "Z"}, "not in its key"),
    ],
)
def test_a_sheet_that_makes_no_sense(
    lrcn: Run, tmp_path: Path, systems: tuple[str, ...], change: dict[str, str], message: str
) -> None:
    sheet = tmp_path / "sheet.csv"
    assert lrcn("rank", sheet, *systems)[0] == 0
    rows = fill(sheet)
    rows[0] |= change
    write(sheet, rows)
    code, _, err = lrcn("rank", sheet)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


def test_wrong_usage(lrcn: Run, tmp_path: Path, systems: tuple[str, ...]) -> None:
    sheet = tmp_path / "sheet.csv"
    for flags, message in (
        ((), "cannot be read"),
        (("--num-items", "3"), "go with --systems"),
        (systems[:2], "2 to 26"),
        ((*systems, "--num-items", "9"), "1 to 8"),
        ((*systems, "--systems", "more"), "NAME=FILE"),
    ):
        code, _, err = lrcn("rank", sheet, *flags)
        assert code == 2
        assert message in err
        assert not sheet.exists()
    (tmp_path / "fair.json").write_text('{"0": "a"}')
    code, _, err = lrcn("rank", sheet, *systems)
    assert code == 2
    assert "same items" in err
