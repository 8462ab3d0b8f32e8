"""Is a sentence about the rendered world true? By its meaning, not by its letters.

A sentence is read back into facts: who stands where, who does what, in which order. It is true
when its facts are those of a reference, or of any of several. "A red disc at the top and a blue
bar on the left" and the same the other way round say the same; one wrong colour, a shape too many
or too few, another order of events, or words that are no sentence make it false.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from lrcn.data.motion_config import COLOURS, SHAPES
from lrcn.data.motion_words import VERBS, place_words
from lrcn.errors import DataError

Fact = tuple[str, str, str, str, str]
"""Size, colour, shape, place, action; empty where the sentence does not tell."""

Facts = tuple[tuple[Fact, ...], ...]
"""One group for what is so at the same time, in any order; groups follow in time."""

ASPECTS = ("size", "colour", "shape", "place", "action")

_PLACES = sorted(
    {place_words(row, column) for row in range(3) for column in range(3)}, key=len, reverse=True
)
_ONE = {words[0]: action for action, words in VERBS.items()}
_TWO = {words[1]: action for action, words in VERBS.items()}


def _any(words: Iterable[str]) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))


_CLAUSE = re.compile(
    rf"an? (?:(?P<size>small|large) )?(?P<colour>{_any(COLOURS)}) (?P<shape>{_any(SHAPES)})"
    rf"(?: (?P<place>{_any(_PLACES)}))?"
    rf"(?: (?P<one>{_any(_ONE)})| (?P<two>{_any(_TWO)}))?"
)
_BETWEEN = re.compile(r"\s*(?:,\s*and|,|and)\s+(?=an? )")
_THEN = re.compile(r"\s*(?:,\s*)?(?:and\s+)?then\s+")


def read_sentence(sentence: str) -> Facts | None:
    """The facts of a sentence; None when it is none about this world.

    Letter case, a last full stop and blanks before commas do not count.

    >>> read_sentence("A red disc and a blue bar rise.")
    ((('', 'blue', 'bar', '', 'rise'), ('', 'red', 'disc', '', 'rise')),)
    """
    plain = re.sub(r"\s+", " ", sentence).strip().lower().removesuffix(".").strip()
    plain = plain.replace(" ,", ",")
    groups = [_read_group(part) for part in _THEN.split(plain)]
    if any(group is None for group in groups):
        return None
    return tuple(group for group in groups if group is not None)


def is_true(sentence: str, references: Sequence[str]) -> bool:
    """Whether a sentence says what one of the references says.

    Args:
        sentence: Of a model, in any of the spellings of `read_sentence`.
        references: True sentences about one picture or clip.

    Raises:
        DataError: a reference is no sentence about this world.
    """
    facts = read_sentence(sentence)
    return facts is not None and any(facts == _facts(reference) for reference in references)


def exact_match(
    references: Mapping[str, Sequence[str]], hypotheses: Mapping[str, str]
) -> dict[str, bool]:
    """Whether each hypothesis is true, by item id.

    Args:
        references: Id to true sentences.
        hypotheses: Id to the sentence of a model; its ids count.

    Raises:
        DataError: an id has no reference, or one is no sentence about this world.
    """
    absent = [item_id for item_id in hypotheses if item_id not in references]
    if absent:
        raise DataError(
            f"{absent[0]} has a hypothesis and no reference; every id needs one. Give the "
            f"references of the same data."
        )
    return {item_id: is_true(text, references[item_id]) for item_id, text in hypotheses.items()}


def speaks_of_world(references: Iterable[Sequence[str]]) -> bool:
    """Whether all sentences are about this world, so that they can be told true or false."""
    sentences = [sentence for group in references for sentence in group]
    return bool(sentences) and all(read_sentence(one) is not None for one in sentences)


def right_aspects(sentence: str, references: Sequence[str]) -> dict[str, bool]:
    """What of a sentence agrees with a reference: its sizes, colours, shapes, places, actions.

    Each aspect for itself, with the reference that agrees in most; nothing agrees of a sentence
    that cannot be read. Aspects that the reference does not tell are left out.

    Raises:
        DataError: a reference is no sentence about this world.
    """
    facts = read_sentence(sentence)
    best: dict[str, bool] = {}
    for reference in references:
        true = _facts(reference)
        told = [n for n in range(len(ASPECTS)) if any(f[n] for group in true for f in group)]
        right = {
            ASPECTS[n]: facts is not None and _aspect(facts, n) == _aspect(true, n) for n in told
        }
        if not best or sum(right.values()) > sum(best.values()):
            best = right
    return best


def _facts(reference: str) -> Facts:
    facts = read_sentence(reference)
    if facts is None:
        raise DataError(
            f"{reference!r} is no sentence about the rendered world, and nothing can be said to "
            f"be true or false against it; references come from lrcn data make. Use other scores."
        )
    return facts


def _aspect(facts: Facts, place: int) -> list[list[str]]:
    return [sorted(fact[place] for fact in group) for group in facts]


def _read_group(text: str) -> tuple[Fact, ...] | None:
    """What is so at the same time: clauses joined by commas and "and"."""
    facts: list[Fact] = []
    waiting: list[Fact] = []  # "a red disc AND a blue bar rise": the first takes the later verb
    for part in _BETWEEN.split(text):
        match = _CLAUSE.fullmatch(part.strip())
        if match is None:
            return None
        one, two = match["one"], match["two"]
        place, size = match["place"] or "", match["size"] or ""
        fact = (size, match["colour"], match["shape"], place)
        if one is None and two is None:
            waiting.append((*fact, ""))
            continue
        if (one is not None and waiting) or (two is not None and not waiting):
            return None  # "a disc and a bar rises", "a disc rise"
        action = _ONE[one] if one is not None else _TWO[two]
        facts += [(*each[:4], action) for each in waiting] + [(*fact, action)]
        waiting = []
    if waiting and facts:
        return None  # one shape does something, and of the other it is not told
    return tuple(sorted(facts + waiting))
