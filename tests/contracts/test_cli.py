"""What holds for every command: help, documentation, exit codes, messages in one line."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from lrcn.cli.main import COMMANDS, main

ROOT = Path(__file__).resolve().parents[2]


def _all_commands() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, entry in COMMANDS.items():
        if isinstance(entry, Mapping):
            found += [(name, inner) for inner in entry]
        else:
            found.append((name,))
    return found


NESTED = {"segment_options", "flow_options", "narration_options", "decoding"}
"""Parameters whose fields are the options."""

ALL = _all_commands()
COMPUTING = [command for command in ALL if command != ("recipes",)]
NEEDS_ARGUMENT = {
    command
    for command in ALL
    if command not in {("recipes",), ("demo",), ("doctor",), ("benchmark",)}
}


def test_the_table_is_the_one_that_users_were_promised() -> None:
    promised = {"train", "evaluate", "predict", "report", "compare", "recipes", "benchmark"}
    promised |= {"import-caffe", "flow", "fuse", "narrate"}
    promised |= {"demo", "doctor", "data make", "data check", "data split"}

    promised |= {"score", "caption", "retrieve", "neighbours", "rank"}

    assert promised == {" ".join(command) for command in ALL}


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_help_names_every_option(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--help"]) == 0

    shown = capsys.readouterr()
    assert shown.err == ""
    assert f"lrcn {' '.join(command)}" in shown.out
    entry = COMMANDS[command[0]]
    function = entry[command[1]] if isinstance(entry, Mapping) else entry
    names = set(inspect.signature(function).parameters) - {"compute", "settings"} - NESTED
    assert names
    for name in names - {"as_json", "as_csv"}:
        written = name.replace("_", "-")
        assert re.search(rf"(--{written}|\b{written.upper()})\b", shown.out), name


@pytest.mark.parametrize("command", COMPUTING, ids=" ".join)
def test_what_computes_takes_the_same_five_options(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    main([*command, "--help"])

    shown = capsys.readouterr().out
    for option in ("--device", "--threads", "--precision", "--seed", "--quiet"):
        assert option in shown


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_every_command_is_documented(command: tuple[str, ...]) -> None:
    reference = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert f"\n## lrcn {command[0]}\n" in reference
    assert re.search(rf"^#+ lrcn {' '.join(command)}$", reference, re.MULTILINE)
    assert re.search(rf"`(lrcn )?({command[0]} )?{command[-1]}\b", readme)


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_a_misspelt_option_is_refused_in_one_line_with_a_hint(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    option = "--jso" if command == ("recipes",) else "--quite"
    meant = "--json" if command == ("recipes",) else "--quiet"

    code = main([*command, option])

    shown = capsys.readouterr()
    assert code == 2
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert shown.err.startswith("lrcn: error: unknown option")
    assert f"Did you mean {meant}?" in shown.err
    assert f"See `lrcn {' '.join(command)} --help`" in shown.err


@pytest.mark.parametrize("command", sorted(NEEDS_ARGUMENT), ids=" ".join)
def test_without_what_it_needs_a_command_says_what_is_missing(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(list(command))

    shown = capsys.readouterr()
    assert code == 2
    assert shown.out == ""
    assert re.fullmatch(r"lrcn: error: \S+ is missing.*\n", shown.err)


@pytest.mark.parametrize("command", sorted(NEEDS_ARGUMENT), ids=" ".join)
def test_absent_input_is_exit_code_2_and_one_line_that_names_it(
    command: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = str(tmp_path / "absent")
    arguments = {
        ("train",): ["--data", absent, "--out", str(tmp_path / "run")],
        ("evaluate",): [absent, "--data", absent],
        ("predict",): [absent, "video.mp4"],
        ("caption",): [absent, "photo.jpg"],
        ("retrieve",): [absent, "a sentence", "--images", absent],
        ("narrate",): [absent, "video.mp4"],
        ("report",): [absent],
        ("compare",): [absent, absent],
        ("score",): ["--references", absent, "--hypotheses", absent],
        ("fuse",): [absent, absent, "--out", str(tmp_path / "fused")],
        ("neighbours",): ["--data", absent],
        ("rank",): [absent],
        ("import-caffe",): [absent, "--out", str(tmp_path / "model")],
        ("flow",): [absent, str(tmp_path / "flow")],
        ("data", "make"): ["moton", str(tmp_path / "out")],
        ("data", "check"): [absent],
        ("data", "split"): [absent, "--out", str(tmp_path / "split.csv")],
    }[command]

    code = main([*command, *arguments])

    shown = capsys.readouterr()
    assert code == 2
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert shown.err.startswith("lrcn: error: ")
    assert ("moton" if command == ("data", "make") else absent) in shown.err
