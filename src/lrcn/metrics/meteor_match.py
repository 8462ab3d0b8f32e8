"""Which words and phrases of a hypothesis match which of a reference, for METEOR.

Four matchers, in this order: equal words; unequal words of one stem; unequal words of one WordNet
synset; paraphrases of one to seven words, in either direction of the table.

METEOR 1.5 compares 32-bit hashes of words and stems, so that a few unequal ones are equal to it
("0t" and an Arabic lam). Here too.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from functools import cached_property, lru_cache
from typing import NamedTuple

from lrcn.metrics.meteor_tables import MeteorTables

EXACT, STEM, SYNONYM, PARAPHRASE = range(4)


class Match(NamedTuple):
    """Words of the hypothesis that mean the same as words of the reference."""

    start: int
    """Place of the first word in the hypothesis."""
    length: int
    """Words in the hypothesis."""
    reference_start: int
    reference_length: int
    matcher: int
    """EXACT, STEM, SYNONYM or PARAPHRASE."""


class Sentence:
    """A sentence with what the matchers look up in it; each is computed when first asked for.

    Args:
        words: From `lrcn.metrics.meteor_text.split_words`.
        tables: METEOR's tables.
    """

    def __init__(self, words: Sequence[str], tables: MeteorTables) -> None:
        self.words = tuple(words)
        self.tables = tables

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def function_words(self) -> tuple[bool, ...]:
        """Which words are function words."""
        return tuple(word in self.tables.function_words for word in self.words)

    @cached_property
    def word_keys(self) -> tuple[int, ...]:
        """What words are compared by."""
        return tuple(map(java_hash, self.words))

    @cached_property
    def stem_keys(self) -> tuple[int, ...]:
        """What the stems of words are compared by."""
        return tuple(java_hash(self.tables.stem(word)) for word in self.words)

    @cached_property
    def synsets(self) -> tuple[frozenset[int], ...]:
        """The synsets of each word."""
        return tuple(map(self.tables.synsets, self.words))

    @cached_property
    def places_of_word(self) -> dict[int, list[int]]:
        """Where each word stands, by its key."""
        return _places(self.word_keys)

    @cached_property
    def places_of_stem(self) -> dict[int, list[int]]:
        """Where the words of each stem stand, by its key."""
        return _places(self.stem_keys)

    @cached_property
    def all_synsets(self) -> frozenset[int]:
        """The synsets of all words."""
        return frozenset().union(*self.synsets)

    @cached_property
    def places_of_phrase(self) -> dict[int, list[tuple[int, int]]]:
        """Where each known phrase stands: by its number (first place, length), in order."""
        found: dict[int, list[tuple[int, int]]] = {}
        phrase = self.tables.phrase
        for start, text in enumerate(self.words):
            end = start + 1
            while (number := phrase(text)) >= 0:
                found.setdefault(number, []).append((start, end - start))
                if end == len(self.words):
                    break
                text = f"{text} {self.words[end]}"
                end += 1
        return found

    @cached_property
    def sources(self) -> list[tuple[int, int, int, frozenset[int]]]:
        """Phrases that have paraphrases: (place, length, number, paraphrases), in order."""
        limit = self.tables.num_sources
        places = [
            (start, length, number)
            for number, spans in self.places_of_phrase.items()
            if number < limit
            for start, length in spans
        ]
        paraphrases = self.tables.paraphrases
        return [
            (start, length, number, paraphrases(number)) for start, length, number in sorted(places)
        ]


def find_matches(hypothesis: Sentence, reference: Sentence) -> list[list[Match]]:
    """All matches, by the place of their first word in the reference.

    Their order decides between equally good alignments: matcher by matcher, and for each phrase
    by place; paraphrases of the reference's phrases before those of the hypothesis's, and those
    of one phrase as in the table. It was found by experiment with METEOR 1.5.
    """
    found: list[list[Match]] = [
        [Match(start, 1, place, 1, EXACT) for start in hypothesis.places_of_word.get(word, ())]
        for place, word in enumerate(reference.word_keys)
    ]
    own = hypothesis.word_keys
    for place, (word, base) in enumerate(
        zip(reference.word_keys, reference.stem_keys, strict=True)
    ):
        for start in hypothesis.places_of_stem.get(base, ()):
            if own[start] != word:
                found[place].append(Match(start, 1, place, 1, STEM))
    _add_synonyms(hypothesis, reference, found)
    for place, length, numbers in _paraphrases(reference, hypothesis.places_of_phrase):
        for number in numbers:
            for start, own_length in hypothesis.places_of_phrase[number]:
                found[place].append(Match(start, own_length, place, length, PARAPHRASE))
    for start, length, numbers in _paraphrases(hypothesis, reference.places_of_phrase):
        for number in numbers:
            for place, other_length in reference.places_of_phrase[number]:
                found[place].append(Match(start, length, place, other_length, PARAPHRASE))
    return found


def _add_synonyms(hypothesis: Sentence, reference: Sentence, found: list[list[Match]]) -> None:
    own = hypothesis.word_keys
    for place, synsets in enumerate(reference.synsets):
        if synsets.isdisjoint(hypothesis.all_synsets):
            continue
        word = reference.word_keys[place]
        for start, own_synsets in enumerate(hypothesis.synsets):
            if own[start] != word and not synsets.isdisjoint(own_synsets):
                found[place].append(Match(start, 1, place, 1, SYNONYM))


def _paraphrases(
    sentence: Sentence, phrases: dict[int, list[tuple[int, int]]]
) -> list[tuple[int, int, list[int]]]:
    """Phrases of a sentence with those of their paraphrases that are among `phrases`."""
    found = []
    others: Set[int] = phrases.keys()
    for start, length, number, paraphrases in sentence.sources:
        if paraphrases.isdisjoint(others):
            continue
        common = paraphrases & others
        numbers = list(common)
        if len(numbers) > 1:
            numbers = [n for n in sentence.tables.paraphrases_in_order(number) if n in common]
        found.append((start, length, numbers))
    return found


@lru_cache(maxsize=2**16)
def java_hash(text: str) -> int:
    """Java's `String.hashCode`, as a number from 0 to 2^32 - 1.

    >>> java_hash("0t") == java_hash("\u0644")
    True
    """
    units = memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H")
    found = 0
    for unit in units:
        found = (31 * found + unit) & 0xFFFFFFFF
    return found


def _places(keys: Sequence[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for place, key in enumerate(keys):
        found.setdefault(key, []).append(place)
    return found
