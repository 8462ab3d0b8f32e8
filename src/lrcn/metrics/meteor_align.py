"""METEOR's alignment of two sentences: which of the possible matches are taken.

Denkowski and Lavie, "Meteor Universal", 2014, section 2.1: no word in two matches, most words
covered, then fewest chunks (runs of matches that are adjacent in both sentences), then least
distance, found by a beam search from left to right over the reference.

Equal to METEOR 1.5 where that differs from the description, as found by experiment:

- Words covered by a stem, a synonym or a paraphrase count half, rounded down match by match (not
  by the matchers' weights in the score): one word counts nothing. Such a match is taken only where
  it costs no chunk, or where no other match touches its words (then it is taken first of all).
- The distance of a match is added to the paths that come after it at the same place and do not
  take it, instead of to the path that takes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import NamedTuple, TypeAlias

from lrcn.metrics.meteor_match import EXACT, Match

BEAM_SIZE = 40

_WORD = 1 << 48
_CHUNK = 1 << 32
"""A path's rank is distance + chunks * _CHUNK - words * _WORD: the lowest is the best."""

_Taken: TypeAlias = "tuple[_Taken, Match] | None"
_Path: TypeAlias = tuple[int, int, int, int, _Taken]
"""Rank; place from which the reference is free again; place in the hypothesis where the open
chunk ends, or -1; bits of the hypothesis's words in use; the matches taken, last first."""

_rank = itemgetter(0)


class Alignment(NamedTuple):
    """The matches taken, by place in the reference, and how many chunks they form."""

    matches: list[Match]
    chunks: int


def align(
    found: Sequence[Sequence[Match]], num_words: int, *, beam_size: int = BEAM_SIZE
) -> Alignment:
    """The best alignment that the beam search finds.

    Args:
        found: Possible matches, by the place of their first word in the reference.
        num_words: Words of the hypothesis.
        beam_size: Paths kept at each place of the reference.
    """
    fixed = _undisputed(found, num_words)
    used = 0
    for match in fixed:
        if match is not None:
            used |= _bits(match)
    paths: list[_Path] = [(0, 0, -1, used, None)]
    for place, options in enumerate(found):
        if len(paths) > 1:
            paths.sort(key=_rank)
            del paths[beam_size:]
        taken = fixed[place]
        if taken is not None:
            paths = [_take(path, path[0], taken, path[3]) for path in paths]
        elif options:
            paths = _branch(paths, place, options)
        else:
            paths = [path if path[2] < 0 or path[1] > place else _skip(path) for path in paths]
    paths.sort(key=_rank)
    best = min((path if path[2] < 0 else _skip(path) for path in paths[:beam_size]), key=_rank)
    matches: list[Match] = []
    chain = best[4]
    while chain is not None:
        chain, match = chain
        matches.append(match)
    return Alignment(matches[::-1], best[0] // _CHUNK % (_WORD // _CHUNK))


def _undisputed(found: Sequence[Sequence[Match]], num_words: int) -> list[Match | None]:
    """The matches none of whose words is in any other match, by place in the reference."""
    own = [0] * num_words
    others = [0] * len(found)
    for options in found:
        for start, length, place, reference_length, _ in options:
            for i in range(start, start + length):
                own[i] += 1
            for i in range(place, place + reference_length):
                others[i] += 1
    result: list[Match | None] = [None] * len(found)
    for place, options in enumerate(found):
        if len(options) == 1 and others[place] == 1:
            match = options[0]
            if all(n == 1 for n in own[match.start : match.start + match.length]) and all(
                n == 1 for n in others[place : place + match.reference_length]
            ):
                result[place] = match
    return result


def _bits(match: Match) -> int:
    return ((1 << match.length) - 1) << match.start


def _take(path: _Path, rank: int, match: Match, used: int) -> _Path:
    """The path with a match more; `rank` is its rank before that."""
    start, length, place, reference_length, matcher = match
    gain = 2 if matcher == EXACT else length // 2 + reference_length // 2
    rank -= gain * _WORD
    if path[2] not in (-1, start):
        rank += _CHUNK
    return (rank, place + reference_length, start + length, used, (path[4], match))


def _skip(path: _Path) -> _Path:
    """The path with its open chunk closed."""
    return (path[0] + _CHUNK, path[1], -1, path[3], path[4])


def _branch(paths: list[_Path], place: int, options: Sequence[Match]) -> list[_Path]:
    """Each path with each match it can take, and with none."""
    choices = [(match, _bits(match), abs(match.start - place)) for match in options]
    branched: list[_Path] = []
    for path in paths:
        rank, free_from, end, used, taken = path
        if free_from > place:
            branched.append(path)
            continue
        for match, bits, distance in choices:
            if not used & bits:
                branched.append(_take(path, rank, match, used | bits))
                rank += distance
        if end >= 0:
            rank += _CHUNK
        branched.append((rank, free_from, -1, used, taken))
    return branched
