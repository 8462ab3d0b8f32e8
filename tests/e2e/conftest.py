"""Fixtures of the end-to-end tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fakes.command_line import Run
from tests.fakes.worlds import write_feature_world

from lrcn.cli.main import main


@pytest.fixture
def lrcn(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line in this process: exit code, stdout, stderr."""
    monkeypatch.setenv("LRCN_DEBUG", "1")  # an unexpected error shows where it comes from
    capsys.readouterr()

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list of feature files in which the direction in time tells the class."""
    return write_feature_world(tmp_path_factory.mktemp("world"))
