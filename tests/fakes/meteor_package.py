"""A package pycocoevalcap that holds nothing but METEOR's tables, a few lines each."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

FUNCTION_WORDS = ("a", "the", "of", "on", "is", "in", "and")
SYNSETS = {"couch": "1 2", "sofa": "2", "photo": "3", "picture": "3 4", "man": "5", "child": "6"}
EXCEPTIONS = {"child": "children"}
PREFIXES = ("# abbreviations", "Mr", "No #NUMERIC_ONLY# ")
PARAPHRASES = (
    ("a group of", "several"),
    ("a group of", "some"),
    ("in front of", "before"),
    ("several", "a number of"),
)


def write_meteor_package(folder: Path) -> tuple[Path, Path]:
    """Write `folder/pycocoevalcap` with the two files that METEOR reads, and return them."""
    package = folder / "pycocoevalcap"
    data = package / "meteor" / "data"
    data.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    jar, paraphrases = package / "meteor" / "meteor-1.5.jar", data / "paraphrase-en.gz"
    with zipfile.ZipFile(jar, "w") as archive:
        archive.writestr("function/english.words", _lines(FUNCTION_WORDS))
        archive.writestr("nonbreaking/english.prefixes", _lines(PREFIXES))
        for name, table in (("synsets", SYNSETS), ("exceptions", EXCEPTIONS)):
            pairs = [text for pair in table.items() for text in pair]
            archive.writestr(f"synonym/english.{name}", _lines(pairs))
    with gzip.open(paraphrases, "wt", encoding="utf-8") as file:
        file.write(_lines([text for pair in PARAPHRASES for text in ("0.5", *pair)]))
    return jar, paraphrases


def _lines(texts: tuple[str, ...] | list[str]) -> str:
    return "".join(f"{text}\n" for text in texts)
