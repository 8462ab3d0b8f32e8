"""What becomes of errors: one line, an exit code, and never a traceback."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import lrcn.cli.main as cli
from lrcn.errors import LrcnError
from lrcn.version import __version__


@pytest.fixture
def run_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], int]:
    """Run `lrcn recipes` with a body that raises."""

    def run(error: BaseException) -> int:
        def recipes() -> int:
            raise error

        monkeypatch.setattr(cli, "COMMANDS", {"recipes": recipes})
        return cli.main(["recipes"])

    return run


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (LrcnError("first\nsecond"), 2, "lrcn: error: first second\n"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/x"),
            2,
            "lrcn: error: Permission denied: /x. Check the path, its rights and the free space\n",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "No space left on device"),
        (KeyboardInterrupt(), 130, "lrcn: interrupted\n"),
        (KeyboardInterrupt("go on with x"), 130, "lrcn: go on with x\n"),
        (RuntimeError("odd"), 3, "unexpected RuntimeError: odd. This is a fault of lrcn"),
        (MemoryError(), 2, "out of memory"),
    ],
)
def test_errors_become_one_line_and_an_exit_code(
    error: BaseException,
    code: int,
    text: str,
    run_with: Callable[[BaseException], int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("LRCN_DEBUG", raising=False)

    assert run_with(error) == code

    shown = capsys.readouterr()
    assert shown.out == ""
    assert text in shown.err
    assert shown.err.count("\n") == 1


def test_debugging_shows_the_traceback(
    run_with: Callable[[BaseException], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LRCN_DEBUG", "1")

    with pytest.raises(RuntimeError, match="odd"):
        run_with(RuntimeError("odd"))


def test_a_reader_that_has_enough_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -m lrcn evaluate --help | head -1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: ")


def test_the_module_is_the_program(tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "lrcn", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )

    assert run("--version").stdout == f"lrcn {__version__}\n"
    wrong = run("compare", "a", "b")
    assert wrong.returncode == 2
    assert wrong.stdout == ""
    assert wrong.stderr.startswith("lrcn: error: a does not exist")


def test_help_and_import_load_nothing_heavy(tmp_path: Path) -> None:
    # What costs time is what is imported; timings themselves live in benchmarks/.
    program = (
        "import sys, lrcn, lrcn.cli.main as cli; cli.main(['--help']);"
        "heavy = {'torch', 'numpy', 'av', 'timm', 'matplotlib', 'h5py'} & set(sys.modules);"
        "assert not heavy, heavy"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "80"},
    )

    assert done.returncode == 0, done.stderr
