"""The English stemmer of METEOR: Snowball "english", known as Porter 2.

Written from the description of the algorithm at
https://snowballstem.org/algorithms/english/stemmer.html. The names of the steps are the ones there.

>>> stem("generously"), stem("skies"), stem("united")
('generous', 'sky', 'unit')
"""

from __future__ import annotations

_VOWELS = frozenset("aeiouy")
_DOUBLES = ("bb", "dd", "ff", "gg", "mm", "nn", "pp", "rr", "tt")
_BEFORE_LI = frozenset("cdeghkmnrt")

_WHOLE_WORDS = {
    "skis": "ski",
    "skies": "sky",
    "dying": "die",
    "lying": "lie",
    "tying": "tie",
    "idly": "idl",
    "gently": "gentl",
    "ugly": "ugli",
    "early": "earli",
    "only": "onli",
    "singly": "singl",
    "sky": "sky",
    "news": "news",
    "howe": "howe",
    "atlas": "atlas",
    "cosmos": "cosmos",
    "bias": "bias",
    "andes": "andes",
}
_STAY_AFTER_1A = frozenset(
    ("inning", "outing", "canning", "herring", "earring", "proceed", "exceed", "succeed")
)
_R1_PREFIXES = ("gener", "commun", "arsen")

_STEP_2 = {
    "tional": "tion",
    "enci": "ence",
    "anci": "ance",
    "abli": "able",
    "entli": "ent",
    "izer": "ize",
    "ization": "ize",
    "ational": "ate",
    "ation": "ate",
    "ator": "ate",
    "alism": "al",
    "aliti": "al",
    "alli": "al",
    "fulness": "ful",
    "ousli": "ous",
    "ousness": "ous",
    "iveness": "ive",
    "iviti": "ive",
    "biliti": "ble",
    "bli": "ble",
    "ogi": "og",
    "fulli": "ful",
    "lessli": "less",
    "li": "",
}
_STEP_3 = {
    "tional": "tion",
    "ational": "ate",
    "alize": "al",
    "icate": "ic",
    "iciti": "ic",
    "ical": "ic",
    "ful": "",
    "ness": "",
    "ative": "",
}
_STEP_4 = (
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent",
    "ism", "ate", "iti", "ous", "ive", "ize", "ion",
)  # fmt: skip


def _by_length(suffixes: tuple[str, ...] | dict[str, str]) -> tuple[str, ...]:
    return tuple(sorted(suffixes, key=len, reverse=True))


_STEP_2_LONGEST_FIRST = _by_length(_STEP_2)
_STEP_3_LONGEST_FIRST = _by_length(_STEP_3)
_STEP_4_LONGEST_FIRST = _by_length(_STEP_4)


def stem(word: str) -> str:
    """The stem of a lower-case word; words of one or two letters are their own stem."""
    if word in _WHOLE_WORDS:
        return _WHOLE_WORDS[word]
    if len(word) <= 2:
        return word
    word = _mark_consonant_y(word.removeprefix("'"))
    r1, r2 = _regions(word)
    word = _step_1a(_step_0(word))
    if word in _STAY_AFTER_1A:
        return word
    word = _step_1c(_step_1b(word, r1))
    word = _step_2(word, r1)
    word = _step_3(word, r1, r2)
    word = _step_4(word, r2)
    return _step_5(word, r1, r2).replace("Y", "y")


def _mark_consonant_y(word: str) -> str:
    """An upper-case Y for a y at the start or after a vowel: it counts as a consonant."""
    letters = list(word)
    for i, letter in enumerate(letters):
        if letter == "y" and (i == 0 or letters[i - 1] in _VOWELS):
            letters[i] = "Y"
    return "".join(letters)


def _regions(word: str) -> tuple[int, int]:
    """Where R1 and R2 start: after the first non-vowel that follows a vowel; the same again."""
    r1 = next((len(p) for p in _R1_PREFIXES if word.startswith(p)), None)
    if r1 is None:
        r1 = _after_vowel_consonant(word, 0)
    return r1, _after_vowel_consonant(word, r1)


def _after_vowel_consonant(word: str, start: int) -> int:
    for i in range(start + 1, len(word)):
        if word[i] not in _VOWELS and word[i - 1] in _VOWELS:
            return i + 1
    return len(word)


def _has_vowel(part: str) -> bool:
    return any(letter in _VOWELS for letter in part)


def _ends_in_short_syllable(word: str) -> bool:
    if len(word) == 2:
        return word[0] in _VOWELS and word[1] not in _VOWELS
    return (
        len(word) > 2
        and word[-3] not in _VOWELS
        and word[-2] in _VOWELS
        and word[-1] not in _VOWELS
        and word[-1] not in "wxY"
    )


def _step_0(word: str) -> str:
    for suffix in ("'s'", "'s", "'"):
        if word.endswith(suffix):
            return word[: -len(suffix)]
    return word


def _step_1a(word: str) -> str:
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith(("ied", "ies")):
        return word[:-2] if len(word) > 4 else word[:-1]
    if word.endswith(("us", "ss")):
        return word
    if word.endswith("s") and _has_vowel(word[:-2]):
        return word[:-1]
    return word


def _step_1b(word: str, r1: int) -> str:
    for suffix in ("eedly", "eed"):
        if word.endswith(suffix):
            return word[: -len(suffix)] + "ee" if len(word) - len(suffix) >= r1 else word
    for suffix in ("ingly", "edly", "ing", "ed"):
        if word.endswith(suffix):
            if not _has_vowel(word[: -len(suffix)]):
                return word
            word = word[: -len(suffix)]
            if word.endswith(("at", "bl", "iz")):
                return word + "e"
            if word.endswith(_DOUBLES):
                return word[:-1]
            if len(word) <= r1 and _ends_in_short_syllable(word):
                return word + "e"
            return word
    return word


def _step_1c(word: str) -> str:
    if len(word) > 2 and word[-1] in "yY" and word[-2] not in _VOWELS:
        return word[:-1] + "i"
    return word


def _step_2(word: str, r1: int) -> str:
    for suffix in _STEP_2_LONGEST_FIRST:
        if word.endswith(suffix):
            before = word[: -len(suffix)]
            if len(before) < r1:
                return word
            if suffix == "ogi" and not before.endswith("l"):
                return word
            if suffix == "li" and (not before or before[-1] not in _BEFORE_LI):
                return word
            return before + _STEP_2[suffix]
    return word


def _step_3(word: str, r1: int, r2: int) -> str:
    for suffix in _STEP_3_LONGEST_FIRST:
        if word.endswith(suffix):
            before = word[: -len(suffix)]
            if len(before) < (r2 if suffix == "ative" else r1):
                return word
            return before + _STEP_3[suffix]
    return word


def _step_4(word: str, r2: int) -> str:
    for suffix in _STEP_4_LONGEST_FIRST:
        if word.endswith(suffix):
            before = word[: -len(suffix)]
            if len(before) < r2 or (suffix == "ion" and not before.endswith(("s", "t"))):
                return word
            return before
    return word


def _step_5(word: str, r1: int, r2: int) -> str:
    before = word[:-1]
    if word.endswith("e"):
        if len(before) >= r2 or (len(before) >= r1 and not _ends_in_short_syllable(before)):
            return before
    elif word.endswith("ll") and len(before) >= r2:
        return before
    return word
