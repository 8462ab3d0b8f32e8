"""Sentences about the rendered world are told true or false by what they mean."""

from __future__ import annotations

import pytest

from lrcn.data.world_truth import (
    exact_match,
    is_true,
    read_sentence,
    right_aspects,
    speaks_of_world,
)
from lrcn.errors import DataError

PICTURE = "a small red disc at the top and a large blue bar at the bottom left"
CLIP = "a red disc and a blue bar rise"


@pytest.mark.parametrize(
    "sentence",
    [
        PICTURE,
        "A small red disc at the top and a large blue bar at the bottom left.",
        "a large blue bar at the bottom left and a small red disc at the top",
        "a small red disc at the top , a large blue bar at the bottom left",
        " a small  red disc at the top, and a large blue bar at the bottom left . ",
    ],
)
def test_says_the_same_of_a_picture(sentence: str) -> None:
    assert is_true(sentence, [PICTURE])


@pytest.mark.parametrize(
    "sentence",
    [
        "a small red disc at the top",
        "a small red disc at the top and a large blue bar at the left",
        "a small red disc at the top and a small blue bar at the bottom left",
        "a small red disc at the top and a large blue bar at the bottom",
        "a small red disc at the top and a large green bar at the bottom left",
        "a small red bar at the top and a large blue disc at the bottom left",
        "a small blue disc at the top and a large red bar at the bottom left",
        f"{PICTURE} and a small red disc at the top",
        "a red disc at the top and a large blue bar at the bottom left",
        "a small red disc at the top and",
        "a small red disc at the top and a large blue bar at the bottom left left",
        "a a small red disc at the top and a large blue bar at the bottom left",
        "small red disc at the top and a large blue bar at the bottom left",
        f"{PICTURE}, then a red disc rises",
        "a small <unk> disc at the top and a large blue bar at the bottom left",
        "",
    ],
)
def test_says_something_else_of_a_picture(sentence: str) -> None:
    assert not is_true(sentence, [PICTURE])


@pytest.mark.parametrize(
    ("sentence", "true"),
    [
        ("A blue bar and a red disc rise.", True),
        ("a blue bar rises, a red disc rises", True),
        ("a blue bar rises and a red disc rises", True),
        ("a blue bar and a red disc rises", False),
        ("a blue bar rise, a red disc rise", False),
        ("a blue bar rises", False),
        ("a blue bar and a red disc sink", False),
        ("a blue bar rises, a red disc", False),
        ("a blue bar rises, then a red disc rises", False),
    ],
)
def test_clips(sentence: str, true: bool) -> None:
    assert is_true(sentence, [CLIP]) is true


def test_order_of_events() -> None:
    told = "a red square slides left, then a blue disc spins"

    assert is_true("A red square slides left then a blue disc spins.", [told])
    assert is_true("a red square slides left , and then a blue disc spins", [told])
    assert not is_true("a blue disc spins, then a red square slides left", [told])
    assert not is_true("a red square slides left, a blue disc spins", [told])


def test_longer_words_are_not_cut() -> None:
    for verb in ("spins", "spins clockwise", "spins anticlockwise"):
        facts = read_sentence(f"a red bar {verb}")
        assert facts is not None
        assert facts[0][0][4] == "_".join(verb.split()).replace("spins", "spin")
    facts = read_sentence("a small red bar at the top right")
    assert facts is not None
    assert facts[0][0][3] == "at the top right"


def test_any_of_several_references() -> None:
    assert is_true("a red disc rises", ["a red disc sinks", "a red disc rises"])
    assert not is_true("a red disc spins", ["a red disc sinks", "a red disc rises"])


def test_exact_match() -> None:
    references = {"1": [CLIP], "2": ["a red disc sinks"], "3": ["a red bar sinks"]}
    said = {"1": "a red disc and a blue bar rise", "2": "a red disc rises"}

    assert exact_match(references, said) == {"1": True, "2": False}
    with pytest.raises(DataError, match="4 has a hypothesis and no reference"):
        exact_match(references, {"4": "x"})
    with pytest.raises(DataError, match="'a dog' is no sentence about the rendered world"):
        exact_match({"1": ["a dog"]}, {"1": "a red disc rises"})


def test_speaks_of_world() -> None:
    assert speaks_of_world([[CLIP], [PICTURE, PICTURE]])
    assert not speaks_of_world([[CLIP], ["a dog"]])
    assert not speaks_of_world([])


def test_right_aspects() -> None:
    said = "a large red disc at the top and a large blue bar in the middle"

    assert right_aspects(said, [PICTURE]) == {
        "size": False,
        "colour": True,
        "shape": True,
        "place": False,
    }
    assert set(right_aspects("nothing", [PICTURE]).values()) == {False}
    assert right_aspects("a red disc rises", ["a red bar sinks", "a red disc sinks"]) == {
        "colour": True,
        "shape": True,
        "action": False,
    }
