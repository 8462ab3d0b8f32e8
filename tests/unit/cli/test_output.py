"""Results on stdout, and files that are never lost by accident."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lrcn.cli.output import (
    print_json,
    print_table,
    refuse_existing_file,
    refuse_existing_folder,
    report_skipped,
    write_file,
)
from lrcn.errors import OutputError
from lrcn.structures import SkippedFile


def test_json_has_null_where_a_number_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": float("nan"), "b": (1, float("inf")), "c": Path("x"), "d": {"é": 0.5}})

    assert json.loads(capsys.readouterr().out) == {
        "a": None,
        "b": [1, None],
        "c": "x",
        "d": {"é": 0.5},
    }


def test_names_to_be_copied_stay_whole_in_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    name = "ucf101_lrcn_fc6_flow_hidden256"

    print_table(("recipe", "is", "expected"), [(name, "so " * 40, "x " * 40)], whole_names=True)

    shown = capsys.readouterr().out.splitlines()
    assert shown[1].startswith(f"{name} ")
    assert max(map(len, shown[1:])) <= 80


def test_a_table_cuts_nothing_off_and_reads_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 120

    print_table(("name", "value"), [(long, 0.5), ("[red]", None)])

    shown = capsys.readouterr().out
    assert long in shown
    assert "0.5000" in shown
    assert "[red]" in shown


def test_an_existing_file_is_replaced_only_when_told(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    refuse_existing_file(path, overwrite=False)
    path.touch()

    with pytest.raises(OutputError, match=r"exists already\. Add --overwrite"):
        refuse_existing_file(path, overwrite=False)
    refuse_existing_file(path, overwrite=True)
    with pytest.raises(OutputError, match="is a folder"):
        refuse_existing_file(tmp_path, overwrite=True)


def test_a_folder_of_somebody_else_is_never_replaced(tmp_path: Path) -> None:
    def check(*, overwrite: bool, ours: bool) -> None:
        refuse_existing_folder(tmp_path, overwrite=overwrite, is_ours=lambda _: ours, what="a demo")

    check(overwrite=False, ours=False)
    (tmp_path / "thesis.txt").touch()

    with pytest.raises(OutputError, match="exists already"):
        check(overwrite=False, ours=True)
    with pytest.raises(OutputError, match="does not look like a demo"):
        check(overwrite=True, ours=False)
    check(overwrite=True, ours=True)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    write_file(tmp_path / "new" / "a.txt", "text")
    assert (tmp_path / "new" / "a.txt").read_text() == "text"

    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        write_file(tmp_path / "file" / "a.txt", "text")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.txt", "file", "new"]


def test_broken_files_are_failures_and_absent_ones_are_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.touch()
    absent = [SkippedFile(path=f"/absent/{i}", reason="file not found") for i in range(7)]

    assert report_skipped(absent) == 0
    shown = capsys.readouterr().err
    assert "/absent/4" in shown
    assert "2 more absent files" in shown
    assert report_skipped([*absent, SkippedFile(path=str(broken), reason="empty")], quiet=True) == 1
    assert capsys.readouterr().err == (
        f"left out {broken}: empty\n8 left out, 1 of them because they cannot be used\n"
    )
