"""The seam to the command-line library, and the way of dotted settings around it."""

from __future__ import annotations

import pytest

from lrcn.cli.parser import STDIN, UsageError, command_of, make_app, parse, take_settings


def _greet(name: str, /, *others: str, times: int = 1, loud: bool = False) -> int:
    """Greet.

    Args:
        name: Whom.
        others: Whom too.
        times: How often.
        loud: Louder.
    """
    return times


APP = make_app(
    {"greet": _greet, "group": {"inner": _greet}},
    group_help={"group": "A group."},
    help_text="Test.",
    version="1",
)


def test_settings_are_taken_out_wherever_they_stand() -> None:
    tokens = ["--out", "run", "--a.b-c", "512", "--train.lr=1e-3", "--x.y", "-3", "--quiet"]

    rest, settings = take_settings(tokens)

    assert rest == ["--out", "run", "--quiet"]
    assert settings == {"a.b_c": "512", "train.lr": "1e-3", "x.y": "-3"}


def test_a_dot_in_a_value_is_no_setting() -> None:
    tokens = ["--config=a.yaml", "--data", "x.csv", "--lr", "0.1", "--lr=0.1", "a.mp4"]

    assert take_settings(tokens) == (tokens, {})


def test_a_setting_without_value_is_a_switch() -> None:
    assert take_settings(["--a.b", "--quiet", "--c.d"]) == (["--quiet"], {"a.b": None, "c.d": None})


def test_a_setting_given_twice_is_refused_however_it_is_written() -> None:
    with pytest.raises(UsageError, match=r"--a\.b-c is given twice"):
        take_settings(["--a.b_c", "1", "--a.b-c=2"])


def test_a_lone_dash_is_a_list_on_stdin() -> None:
    call = parse(APP, ["greet", "you", "-", "--times", "2"], {})

    assert call.args == ("you", STDIN)
    assert call.run() == 2


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (["gret"], 'unknown command "gret". Did you mean "greet"?'),
        (["group", "iner"], 'unknown command "iner". Did you mean "inner"?'),
        (["greet", "a", "--time", "3"], "unknown option --time. Did you mean --times?"),
        (["greet", "a", "--times", "often"], 'unable to convert "often" into int'),
        (["greet", "a", "--times", "2.7"], "--times is 2.7; it takes a whole number"),
        (["group", "inner", "a", "--times=.5"], "--times is .5; it takes a whole number"),
        (["greet", "a", "--times"], "--times needs a value"),
        (["greet"], "NAME is missing"),
        (["greet", "a", "--times", "1", "--times", "2"], "--times specified multiple times"),
    ],
)
def test_mistakes_are_told_in_one_line(tokens: list[str], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(APP, tokens, {})

    message = str(caught.value)
    assert text in message
    assert "\n" not in message
    assert "--help`" in message


def test_whole_numbers_may_have_a_point() -> None:
    call = parse(APP, ["greet", "a", "2.7", "--times", "3.0"], {})

    assert (call.args, call.run()) == (("a", "2.7"), 3)


def test_a_hint_from_outside_goes_before_the_librarys_own() -> None:
    with pytest.raises(UsageError, match=r"unknown option --time\. Did you mean --clock\.time\?"):
        parse(APP, ["greet", "a", "--time=3"], {}, lambda name: f"--clock.{name[2:]}")


@pytest.mark.parametrize(
    ("tokens", "command"),
    [
        (["greet", "x"], "greet"),
        (["group", "inner", "x"], "group inner"),
        (["group", "x"], "group"),
        (["--help"], ""),
        ([], ""),
        (["x"], ""),
    ],
)
def test_the_command_is_told_from_its_arguments(tokens: list[str], command: str) -> None:
    assert command_of(tokens, {"greet": _greet, "group": {"inner": _greet}}) == command
