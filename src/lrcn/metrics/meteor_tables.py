"""METEOR's English tables: from the installed package pycocoevalcap to a memory-mapped index.

The package holds METEOR's own data: `meteor/data/paraphrase-en.gz` (5.3 million pairs of phrases)
and, inside `meteor/meteor-1.5.jar`, which is a zip file, the synonyms, irregular forms, function
words and abbreviations. Nothing in it is run. The index is made once, in half a minute::

    <cache folder>/meteor/<hash of both files>/
    ├── about.json               format, size of every array, seconds that the making took
    ├── words.json               function words, abbreviations
    ├── sources.npy              sorted 64-bit hashes of the phrases that have paraphrases
    ├── source_offsets.npy       where the paraphrases of each start in ...
    ├── paraphrases.npy          ... numbers of phrases, in the order of the file
    ├── others.npy               sorted hashes of all other phrases and of beginnings of phrases
    ├── synonyms*.npy            sorted hashes of words, and the numbers of their synsets
    └── exceptions*.npy          the same by irregular form: the synsets of its base forms

The number of a phrase is its place in `sources`, or that in `others` plus the length of `sources`.
Only the pages that are looked at are read; two texts with one 64-bit hash are not expected.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import logging
import shutil
import time
import uuid
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrcn.errors import MissingFilesError, OutputError
from lrcn.metrics.meteor_stem import stem
from lrcn.settings import cache_folder

_FORMAT = 1
"""Part of the folder's name; raised when the meaning of a file changes."""

_ARRAYS = (
    "sources",
    "source_offsets",
    "paraphrases",
    "others",
    "synonyms",
    "synonym_offsets",
    "synonym_synsets",
    "exceptions",
    "exception_offsets",
    "exception_synsets",
)

_ENDINGS = (
    ("s", ""), ("ses", "s"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"),
    ("men", "man"), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""),
    ("ing", "e"), ("ing", ""), ("er", ""), ("est", ""), ("er", "e"), ("est", "e"),
)  # fmt: skip
"""WordNet's rules of detachment (https://wordnet.princeton.edu/documentation/morphy7wn), in the
order in which METEOR tries them; the first that gives a known word holds."""

INSTALL = "pip install 'lrcn[meteor]'"
"""The command that brings the tables."""

_log = logging.getLogger(__name__)


def table_files() -> tuple[Path, Path] | None:
    """The jar and the paraphrase table of the installed pycocoevalcap; None where it is absent."""
    found = importlib.util.find_spec("pycocoevalcap")
    for folder in (found.submodule_search_locations or ()) if found else ():
        files = (
            Path(folder) / "meteor" / "meteor-1.5.jar",
            Path(folder) / "meteor" / "data" / "paraphrase-en.gz",
        )
        if all(file.is_file() for file in files):
            return files
    return None


class MeteorTables:
    """The tables of one index, mapped into memory.

    Args:
        folder: A complete index.
    """

    def __init__(self, folder: Path) -> None:
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        self.folder = folder
        self.build_seconds: float = about["build_seconds"]
        """How long the making of the index took, once."""
        arrays = {name: _mapped(folder, name, about["arrays"][name]) for name in _ARRAYS}
        words = json.loads((folder / "words.json").read_text(encoding="utf-8"))
        self.function_words: frozenset[str] = frozenset(words["function_words"])
        self.abbreviations: frozenset[str] = frozenset(words["abbreviations"])
        """Words after which a full stop belongs to the word: "Mr"."""
        self.numeric_abbreviations: frozenset[str] = frozenset(words["numeric_abbreviations"])
        """The same, before a number only: "No"."""
        self._sources = arrays["sources"].data
        self._others = arrays["others"].data
        self._source_offsets = arrays["source_offsets"]
        self._paraphrases = arrays["paraphrases"]
        self._synonyms = _SynsetLists(arrays, "synonyms", "synonym_offsets", "synonym_synsets")
        self._exceptions = _SynsetLists(
            arrays, "exceptions", "exception_offsets", "exception_synsets"
        )
        self.num_sources = len(self._sources)
        """Phrases below this number have paraphrases of their own."""
        # Caches bound the memory and make the common phrases cheap.
        self.phrase = lru_cache(maxsize=2**19)(self._phrase)
        self.paraphrases = lru_cache(maxsize=2**14)(self._paraphrases_of)
        self.synsets = lru_cache(maxsize=2**15)(self._synsets_of)
        self.stem = lru_cache(maxsize=2**15)(stem)

    def _phrase(self, text: str) -> int:
        """The number of a phrase or of the beginning of one, words parted by spaces; else -1."""
        key = text_hash(text.encode("utf-8", "surrogatepass"))
        place = _find(self._sources, key)
        if place >= 0:
            return place
        place = _find(self._others, key)
        return place + self.num_sources if place >= 0 else -1

    def _paraphrases_of(self, source: int) -> frozenset[int]:
        """The numbers of the paraphrases of a phrase below `num_sources`."""
        return frozenset(self.paraphrases_in_order(source))

    def paraphrases_in_order(self, source: int) -> list[int]:
        """The same, in the order of the table."""
        start, end = self._source_offsets[source : source + 2].tolist()
        numbers: list[int] = self._paraphrases[start:end].tolist()
        return numbers

    def _synsets_of(self, word: str) -> frozenset[int]:
        """The numbers of the synsets that a word belongs to, as it stands or in a base form."""
        return self._synonyms.of(word) | self._base_synsets(word)

    def _base_synsets(self, word: str) -> frozenset[int]:
        irregular = self._exceptions.find(word)
        if irregular >= 0:
            return self._exceptions.at(irregular)
        if len(word) <= 2 or word.endswith("ss"):
            return frozenset()
        for ending, base_ending in _ENDINGS:
            if word.endswith(ending):
                place = self._synonyms.find(word.removesuffix(ending) + base_ending)
                if place >= 0:
                    return self._synonyms.at(place)
        return frozenset()


class _SynsetLists:
    """By the hash of a word a list of synset numbers."""

    def __init__(
        self, arrays: Mapping[str, NDArray[Any]], keys: str, offsets: str, synsets: str
    ) -> None:
        self._keys = arrays[keys].data
        self._offsets = arrays[offsets]
        self._synsets = arrays[synsets]

    def find(self, word: str) -> int:
        return _find(self._keys, text_hash(word.encode("utf-8", "surrogatepass")))

    def at(self, place: int) -> frozenset[int]:
        start, end = self._offsets[place : place + 2].tolist()
        return frozenset(self._synsets[start:end].tolist())

    def of(self, word: str) -> frozenset[int]:
        place = self.find(word)
        return self.at(place) if place >= 0 else frozenset()


def open_tables(files: tuple[Path, Path] | None = None, root: Path | None = None) -> MeteorTables:
    """The tables, from their index; makes the index when it is not there yet.

    Args:
        files: The jar and the paraphrase table; default: those of the installed package.
        root: Folder of indexes; default: `cache_folder() / "meteor"`.

    Raises:
        MissingFilesError: the package is not installed.
        OutputError: the index cannot be written.
    """
    files = files or table_files()
    if files is None:
        raise MissingFilesError(
            "METEOR's tables were not found: the package pycocoevalcap is not installed."
            f" METEOR needs them; Java is not needed. Run: {INSTALL}"
        )
    folder = (root or cache_folder() / "meteor") / _content_key(files)
    for _ in range(2):
        was_there = folder.exists()
        try:
            return MeteorTables(folder)
        except (OSError, ValueError, KeyError, TypeError) as error:
            if was_there:
                _log.warning("removed the damaged index %s (%s); it is made again", folder, error)
                shutil.rmtree(folder, ignore_errors=True)
        _make(files, folder)
    return MeteorTables(folder)


def _make(files: tuple[Path, Path], folder: Path) -> None:
    """Write an index beside its place and move it there."""
    from lrcn.metrics.meteor_build import read_arrays, read_words

    _log.warning("indexing METEOR's tables, once (half a minute, 75 MB): %s", folder)
    start = time.perf_counter()
    unfinished = folder.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        unfinished.mkdir(parents=True)
        arrays = read_arrays(*files)
        for name in _ARRAYS:
            np.save(unfinished / f"{name}.npy", arrays[name])
        (unfinished / "words.json").write_text(json.dumps(read_words(files[0])), encoding="utf-8")
        about = {
            "arrays": {name: len(arrays[name]) for name in _ARRAYS},
            "build_seconds": time.perf_counter() - start,
        }
        (unfinished / "about.json").write_text(json.dumps(about), encoding="utf-8")
        try:
            unfinished.rename(folder)
        except OSError:
            # Another process was faster: its index is as good.
            if not (folder / "about.json").is_file():
                raise
    except OSError as error:
        raise OutputError(
            f"the index of METEOR's tables {folder} cannot be written: {error}. It needs a"
            " writable folder with 75 MB of space. Set LRCN_CACHE to another folder"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(unfinished, ignore_errors=True)


def text_hash(text: bytes) -> int:
    """64 bits of BLAKE2 of a phrase in UTF-8."""
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def _content_key(files: Sequence[Path]) -> str:
    digest = hashlib.sha256(f"format {_FORMAT}".encode())
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:40]


def _mapped(folder: Path, name: str, length: int) -> NDArray[Any]:
    array: NDArray[Any] = np.load(folder / f"{name}.npy", mmap_mode="r")
    if array.shape != (length,):
        raise ValueError(f"{name} has shape {array.shape} instead of ({length},)")
    return array


def _find(keys: memoryview, key: int) -> int:
    place = bisect_left(keys, key)
    return place if place < len(keys) and keys[place] == key else -1
