"""`lrcn`: the table of commands, and what becomes of their errors.

Exit codes: 0 done; 1 some inputs failed and the rest was done; 2 wrong usage, or input that
stops the command; 3 a fault of this program; 130 interrupted.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial

from lrcn.cli.benchmark import benchmark
from lrcn.cli.caption import caption
from lrcn.cli.compare import compare
from lrcn.cli.data import data_check, data_make, data_split
from lrcn.cli.demo import demo
from lrcn.cli.doctor import doctor
from lrcn.cli.evaluate import evaluate
from lrcn.cli.flow import flow
from lrcn.cli.fuse import fuse
from lrcn.cli.import_caffe import import_caffe
from lrcn.cli.narrate import narrate
from lrcn.cli.neighbours import neighbours
from lrcn.cli.parser import (
    Command,
    command_of,
    help_page,
    make_app,
    parse,
    take_settings,
)
from lrcn.cli.predict import predict
from lrcn.cli.rank import rank
from lrcn.cli.recipes import recipes
from lrcn.cli.report import report
from lrcn.cli.retrieve import retrieve
from lrcn.cli.score import score
from lrcn.cli.settings import WITH_SETTINGS, print_settings, suggest
from lrcn.cli.train import train
from lrcn.errors import LrcnError
from lrcn.version import __version__

COMMANDS: Mapping[str, Command | Mapping[str, Command]] = {
    "demo": demo,
    "train": train,
    "evaluate": evaluate,
    "predict": predict,
    "caption": caption,
    "retrieve": retrieve,
    "narrate": narrate,
    "report": report,
    "compare": compare,
    "score": score,
    "neighbours": neighbours,
    "rank": rank,
    "fuse": fuse,
    "data": {"make": data_make, "check": data_check, "split": data_split},
    "import-caffe": import_caffe,
    "flow": flow,
    "recipes": recipes,
    "benchmark": benchmark,
    "doctor": doctor,
}

GROUP_HELP = {"data": "Make, check and divide data sets."}

HELP = """Software that watches: learn activities from labelled videos, then name them in others.

DATA is a folder or a list file with labelled videos; MODEL is a run folder of `lrcn train`,
or a model folder. Results go to stdout, messages to stderr. First steps: `lrcn demo`."""

EXIT_DONE, EXIT_SOME_FAILED, EXIT_STOPPED, EXIT_FAULT, EXIT_INTERRUPTED = 0, 1, 2, 3, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; never a traceback, unless LRCN_DEBUG is set.

    Args:
        arguments: Without the program's name; default: those of this process.

    Returns:
        The exit code.
    """
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    _accept_any_name()
    try:
        code = _run(tokens)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (`| head`) has enough. Nothing more may be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE
    except KeyboardInterrupt as stop:
        return _complain(str(stop) or "interrupted", EXIT_INTERRUPTED, label="lrcn")
    except LrcnError as error:
        return _complain(str(error), EXIT_STOPPED)
    except OSError as error:
        return _complain(_os_message(error), EXIT_STOPPED)
    except MemoryError:
        return _complain(
            "out of memory. Try a smaller --batch-size or a smaller input", EXIT_STOPPED
        )
    except Exception as error:
        return _fault(error)
    return code


def _accept_any_name() -> None:
    """File names need not be valid text; they are shown escaped rather than refused."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _run(tokens: list[str]) -> int:
    app = make_app(COMMANDS, group_help=GROUP_HELP, help_text=HELP, version=__version__)
    command = command_of(tokens, COMMANDS)
    if command not in WITH_SETTINGS:
        return parse(app, tokens, {}).run()
    if "--help" in tokens or "-h" in tokens:
        help_page(app, command.split())
        print_settings(WITH_SETTINGS[command]())
        return EXIT_DONE
    rest, settings = take_settings(tokens)
    return parse(app, rest, {"settings": settings}, partial(suggest, command)).run()


def _complain(message: str, code: int, *, label: str = "lrcn: error") -> int:
    """One line on stderr."""
    sys.stderr.write(f"{label}: {' '.join(message.split())}\n")
    return code


def _os_message(error: OSError) -> str:
    """What the system refused, and where."""
    where = f": {error.filename}" if error.filename else ""
    return f"{error.strerror or error}{where}. Check the path, its rights and the free space"


def _fault(error: Exception) -> int:
    if os.environ.get("LRCN_DEBUG"):
        raise error
    return _complain(
        f"unexpected {type(error).__name__}: {error}. This is a fault of lrcn: please report it"
        " with the traceback that the same command gives after `export LRCN_DEBUG=1`",
        EXIT_FAULT,
    )
