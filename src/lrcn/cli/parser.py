"""The seam to the command-line library (cyclopts): nothing else here imports it.

A command is a function: its signature is the grammar, its docstring the help. Two things are
added: dotted settings (`--model.hidden-size 512`) are taken out of the arguments before the
library sees them, and a lone `-` stands for a list of paths on stdin.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cyclopts import App, CycloptsError, Parameter
from cyclopts.exceptions import MissingArgumentError, UnknownOptionError, UnusedCliTokensError

from lrcn.errors import ConfigError

Command = Callable[..., int | None]

STDIN = "/dev/stdin"
"""What a lone `-` on the command line becomes."""

_FRACTION = re.compile(r"[+-]?(\d+\.\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
"""A number with a decimal point."""


def flattened(group: str) -> Parameter:
    """Decorates a dataclass of options: its fields become options of the command itself."""
    return Parameter(name="*", group=group)


hidden_from_parser = Parameter(parse=False)
"""Marks a parameter that `run` fills, not the parser."""


def option(*names: str, group: str | None = None) -> Parameter:
    """Other names for a parameter than its own, for example `--json`."""
    return Parameter(name=names, group=group) if group else Parameter(name=names)


several = Parameter(consume_multiple=True)
"""Marks an option that takes all values up to the next option: `--references a.txt b.txt`."""


class UsageError(ConfigError):
    """The command line itself is wrong: an unknown command or option, a value of a wrong kind."""


@dataclass(frozen=True)
class Call:
    """A command with its arguments, ready to run."""

    function: Command
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def run(self) -> int:
        """Run the command; its exit code."""
        return int(self.function(*self.args, **self.kwargs) or 0)


def make_app(
    commands: Mapping[str, Command | Mapping[str, Command]],
    *,
    group_help: Mapping[str, str],
    help_text: str,
    version: str,
) -> App:
    """The parser of a table of commands.

    Args:
        commands: Name → function, or name → table of its sub-commands.
        group_help: The help of each name that has sub-commands.
        help_text: Shown by `lrcn --help`.
        version: Shown by `lrcn --version`.
    """
    app = App(
        name="lrcn",
        help=_reflowed(help_text),
        version=f"lrcn {version}",
        default_parameter=Parameter(negative=(), show_default=_shown_default),
        help_format="plaintext",
        result_action="return_value",
        print_error=False,
        exit_on_error=False,
        suppress_keyboard_interrupt=False,
    )
    for place, (name, entry) in enumerate(commands.items()):
        if isinstance(entry, Mapping):
            below = App(name=name, help=group_help[name], sort_key=place)
            for inner, function in entry.items():
                below.command(function, name=inner, help=_description(function))
            app.command(below)
        else:
            app.command(entry, name=name, help=_description(entry), sort_key=place)
    return app


def _description(function: Command) -> str:
    """What stands in a docstring before its arguments."""
    text, _, _ = (inspect.getdoc(function) or "").partition("\nArgs:")
    return _reflowed(text)


def _reflowed(text: str) -> str:
    """Paragraphs as one line each; the terminal breaks them where it must."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n")).strip()


def _shown_default(value: Any) -> Any:
    """None where nothing need be said: switches are off, options are absent."""
    return None if value is None or value is False else str(value)


def parse(
    app: App,
    tokens: Sequence[str],
    filled: Mapping[str, Any],
    suggest: Callable[[str], str | None] = lambda _: None,
) -> Call:
    """Understand a command line.

    Args:
        app: From `make_app`.
        tokens: The arguments, without the program's name.
        filled: Values of the parameters that are hidden from the parser.
        suggest: What an option that the parser does not know may have meant.

    Raises:
        UsageError: with a hint what was meant, and where the help is.
    """
    try:
        function, bound, ignored = app.parse_args(
            [STDIN if word == "-" else word for word in tokens],
            print_error=False,
            exit_on_error=False,
        )
    except CycloptsError as error:
        raise UsageError(_message(error, tokens, app, suggest)) from error
    _refuse_fractions(tokens, app)
    kwargs = dict(bound.kwargs) | {name: filled[name] for name in ignored}
    return Call(function, bound.args, kwargs)


def _refuse_fractions(tokens: Sequence[str], app: App) -> None:
    """Whole numbers are not rounded from others, as the library does.

    Raises:
        UsageError: an option that counts got a fraction.
    """
    fractions: dict[str, str] = {}
    for token, following in zip(tokens, [*tokens[1:], ""], strict=True):
        name, equals, value = token.partition("=")
        value = value if equals else following
        if name.startswith("--") and _FRACTION.fullmatch(value) and not float(value).is_integer():
            fractions[name] = value
    if not fractions:
        return
    words, place = _words(tokens, app), app
    for word in words.split():
        place = place[word]
    for argument in place.assemble_argument_collection():
        for name in argument.names:
            if name in fractions and argument.hint in (int, int | None):
                raise UsageError(
                    f"{name} is {fractions[name]}; it takes a whole number."
                    f" See `lrcn {words}--help`"
                )


def command_of(tokens: Sequence[str], commands: Mapping[str, Any]) -> str:
    """The command that the tokens name, sub-command included; "" where there is none."""
    words = [token for token in tokens[:2] if not token.startswith("-")]
    if not words or tokens[0] not in commands:
        return ""
    table = commands[words[0]]
    if isinstance(table, Mapping) and len(words) > 1 and words[1] in table:
        return f"{words[0]} {words[1]}"
    return words[0]


def take_settings(tokens: Sequence[str]) -> tuple[list[str], dict[str, str | None]]:
    """Separate dotted settings from the other arguments.

    >>> take_settings(["--out", "run", "--model.hidden-size", "512", "--train.lr=1e-3"])
    (['--out', 'run'], {'model.hidden_size': '512', 'train.lr': '1e-3'})

    Returns:
        The other tokens; key → value, None where no value follows (a switch).

    Raises:
        UsageError: a setting is given twice.
    """
    rest: list[str] = []
    found: dict[str, str | None] = {}
    position = 0
    while position < len(tokens):
        token = tokens[position]
        position += 1
        name, equals, value = token.partition("=")
        if not (name.startswith("--") and "." in name):
            rest.append(token)
            continue
        key = name[2:].replace("-", "_")
        if key in found:
            raise UsageError(f"setting {name} is given twice; give it once")
        if equals:
            found[key] = value
        elif position < len(tokens) and not tokens[position].startswith("--"):
            found[key] = tokens[position]
            position += 1
        else:
            found[key] = None
    return rest, found


def _message(
    error: CycloptsError,
    tokens: Sequence[str],
    app: App,
    suggest: Callable[[str], str | None],
) -> str:
    """One line: what was wrong, what was meant, where the help is."""
    if isinstance(error, UnusedCliTokensError):
        text = f"unexpected argument {' '.join(error.unused_tokens or [])!r}."
    elif isinstance(error, MissingArgumentError) and error.argument is not None:
        name = error.argument.name
        text = f"{name} needs a value." if name in tokens else f"{name} is missing."
    elif isinstance(error, UnknownOptionError):
        name = (error.token.keyword or error.token.value).partition("=")[0]
        meant = suggest(name)
        text = f"unknown option {name}. Did you mean {meant}?" if meant else str(error)
        text = text.replace("Unknown option: ", "unknown option ")
    else:
        text = " ".join(str(error).split())
        text = text[:1].lower() + text[1:]
    command = _words(tokens, app)
    return f"{text} See `lrcn {command}--help`"


def _words(tokens: Sequence[str], app: App) -> str:
    """The command words at the start of the tokens, each with a space behind."""
    found, place = "", app
    for token in tokens:
        if token.startswith("-") or token not in place:
            break
        found, place = f"{found}{token} ", place[token]
    return found


def help_page(app: App, command: Sequence[str] = ()) -> None:
    """Print the help of a command on stdout."""
    app.help_print(list(command))


def reference(app: App) -> str:
    """All commands with their options, as Markdown."""
    text = app.generate_docs(heading_level=1, usage_name="lrcn")
    # The library names the module that this process was started with: no part of a usage.
    return re.sub(r"^(lrcn[ \w-]*?) -m [\w.]+", r"\1", text, flags=re.MULTILINE)
