"""Reading METEOR's English tables out of pycocoevalcap, as arrays for the index.

What the arrays mean stands in `lrcn.metrics.meteor_tables`.
"""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrcn.metrics.meteor_tables import text_hash

_MOST_BEGINNINGS = 2**20
"""Beginnings remembered while reading; beyond it some are hashed again."""

_NUMERIC = "#NUMERIC_ONLY#"


def read_arrays(jar: Path, paraphrases: Path) -> dict[str, NDArray[Any]]:
    """Every array of the index, by name.

    Args:
        jar: meteor-1.5.jar.
        paraphrases: paraphrase-en.gz.

    Raises:
        OSError: a file cannot be read or is no archive.
    """
    arrays = _paraphrase_arrays(paraphrases)
    with zipfile.ZipFile(jar) as archive:
        synsets = {
            word: [int(number) for number in numbers.split()]
            for word, numbers in _pairs(_lines(archive, "synonym/english.synsets"))
        }
        bases: dict[str, set[int]] = {}
        for base, forms in _pairs(_lines(archive, "synonym/english.exceptions")):
            for form in forms.split():
                bases.setdefault(form, set()).update(synsets.get(base, ()))
    keys, offsets, values = _by_hash(synsets)
    arrays |= {"synonyms": keys, "synonym_offsets": offsets, "synonym_synsets": values}
    keys, offsets, values = _by_hash({form: sorted(found) for form, found in bases.items()})
    arrays |= {"exceptions": keys, "exception_offsets": offsets, "exception_synsets": values}
    return arrays


def read_words(jar: Path) -> dict[str, list[str]]:
    """The function words, and the abbreviations that keep their full stop."""
    with zipfile.ZipFile(jar) as archive:
        function_words = [line for line in _lines(archive, "function/english.words") if line]
        prefixes = _lines(archive, "nonbreaking/english.prefixes")
    entries = [line.strip() for line in prefixes if line and not line.startswith("#")]
    numeric = [line for line in entries if line.endswith(_NUMERIC)]
    return {
        "function_words": function_words,
        "abbreviations": [line for line in entries if line not in numeric],
        "numeric_abbreviations": [line.removesuffix(_NUMERIC).strip() for line in numeric],
    }


def _lines(archive: zipfile.ZipFile, name: str) -> list[str]:
    return archive.read(name).decode("utf-8").split("\n")


def _pairs(lines: list[str]) -> Iterator[tuple[str, str]]:
    return zip(lines[::2], lines[1::2], strict=False)


def _paraphrase_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The table is lines of three: a probability, a phrase, a paraphrase of it."""
    sources, targets, beginnings = bytearray(), bytearray(), bytearray()
    source, source_hash = b"", b""
    seen: set[bytes] = set()
    with gzip.open(path, "rb") as file:
        lines = iter(file)
        for _, phrase, paraphrase in zip(lines, lines, lines, strict=False):
            target = paraphrase.rstrip(b"\n")
            if phrase != source:
                source = phrase
                source_hash = blake2b(phrase.rstrip(b"\n"), digest_size=8).digest()
                _add_beginnings(phrase.rstrip(b"\n"), seen, beginnings)
            sources += source_hash
            targets += blake2b(target, digest_size=8).digest()
            _add_beginnings(target, seen, beginnings)
    return _phrase_arrays(*(np.frombuffer(part, "<u8") for part in (sources, targets, beginnings)))


def _add_beginnings(phrase: bytes, seen: set[bytes], hashes: bytearray) -> None:
    """Hash what a phrase begins with: "a", "a b" of "a b c".

    So whoever walks a sentence word by word knows when no longer phrase can follow.
    """
    end = phrase.rfind(b" ")
    while end > 0 and (beginning := phrase[:end]) not in seen:
        if len(seen) >= _MOST_BEGINNINGS:
            seen.clear()
        seen.add(beginning)
        hashes += blake2b(beginning, digest_size=8).digest()
        end = phrase.rfind(b" ", 0, end)


def _phrase_arrays(
    sources: NDArray[np.uint64], targets: NDArray[np.uint64], beginnings: NDArray[np.uint64]
) -> dict[str, NDArray[Any]]:
    keys, source_of_pair, counts = np.unique(sources, return_inverse=True, return_counts=True)
    others = np.setdiff1d(np.unique(np.concatenate((targets, beginnings))), keys)
    place = np.searchsorted(keys, targets)
    known = keys[np.minimum(place, len(keys) - 1)] == targets
    numbers = np.where(known, place, len(keys) + np.searchsorted(others, targets))
    in_order = np.argsort(source_of_pair, kind="stable")
    return {
        "sources": keys,
        "source_offsets": _offsets(counts),
        "paraphrases": numbers[in_order].astype(np.int32),
        "others": others,
    }


def _by_hash(
    lists: Mapping[str, list[int]],
) -> tuple[NDArray[np.uint64], NDArray[np.int32], NDArray[np.int32]]:
    rows = sorted((text_hash(word.encode()), numbers) for word, numbers in lists.items())
    return (
        np.array([key for key, _ in rows], dtype=np.uint64),
        _offsets(np.array([len(numbers) for _, numbers in rows], dtype=np.int64)),
        np.fromiter(chain.from_iterable(numbers for _, numbers in rows), dtype=np.int32),
    )


def _offsets(counts: NDArray[np.int64]) -> NDArray[np.int32]:
    return np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
