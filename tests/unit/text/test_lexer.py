"""The scanner: the longest match, the earlier pattern, what must follow."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrcn.text.lexer import Automaton, Scanner


def _found(pattern: str, text: str) -> str:
    return text[: Automaton([pattern], {}).longest(text, 0)[1]]


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("a|ab", "abc", "ab"),
        ("ab{2,3}c", "abbbc", "abbbc"),
        ("ab{2,3}c", "abbbbc", ""),
        ("(ab){0,2}", "ababab", "abab"),
        ("a{2}", "aaa", "aa"),
        ("[a-c\\-]+", "ab-cd", "ab-c"),
        ("[^a]+", "xyza", "xyz"),
        ("[^]", "]", "]"),
        ("ab", "AB", "AB"),
        ("[a]b", "AB", ""),
        ("a \\* [ ]?", "a* b", "a* "),
        ("x(y?z)+", "xzyzy", "xzyz"),
    ],
)
def test_a_pattern_matches_the_longest_piece(pattern: str, text: str, found: str) -> None:
    assert _found(pattern, text) == found


def test_of_equal_matches_the_earlier_rule_wins_and_a_longer_one_before_both() -> None:
    scanner = Scanner(["ab", "[a-z]b", "abcd"], {})
    assert scanner.match("abc", 0) == (0, 2)
    assert scanner.match("xabcde", 1) == (2, 5)
    assert scanner.match("?", 0) == (-1, 0)


def test_what_follows_counts_for_the_length_but_is_not_taken() -> None:
    scanner = Scanner(["[a-z]+ / [ ]+[a-z]x", "[a-z]+", "[a-z]+[ ]"], {})
    assert scanner.match("dog  ax", 0) == (0, 3)
    assert scanner.match("dog  ay", 0) == (2, 4)


def test_as_much_as_can_be_is_taken_before_what_follows() -> None:
    assert Scanner(["a+ / a+b"], {}).match("aaab", 0) == (0, 2)


def test_parts_are_patterns_or_classes() -> None:
    scanner = Scanner(["<digit>{2,3} | <word>"], {"digit": str.isdigit, "word": "x|yy"})
    assert scanner.match("12345", 0) == (0, 3)
    assert scanner.match("yyy", 0) == (0, 2)


@given(st.text("abc", max_size=12), st.sampled_from(["(ab?c)*", "a+b{1,2}", "[ab]*c?", "(a|bc)+"]))
def test_greedy_patterns_match_what_re_matches(text: str, pattern: str) -> None:
    expected = re.match(pattern, text)
    assert _found(pattern, text) == (expected.group() if expected else "")
