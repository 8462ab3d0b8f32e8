"""Word vectors from a file: GloVe's text format, and word2vec's, which has a line of counts."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np

from lrcn.errors import ConfigError


def read_embeddings(path: str | Path, words: Collection[str], width: int) -> dict[str, np.ndarray]:
    """The vectors of some words; the file is read line by line, whatever its size.

    Args:
        path: Lines of a word and its numbers, parted by blanks (`glove.6B.300d.txt`).
        words: Those that are wanted.
        width: How many numbers each must have.

    Returns:
        Word to float32 vector, for the words that the file has.

    Raises:
        ConfigError: the file cannot be read, holds vectors of another width, or none of the words.
    """
    wanted = frozenset(words)
    found: dict[str, np.ndarray] = {}
    try:
        with Path(path).open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, 1):
                word, *values = line.rstrip().split(" ")
                if number == 1 and len(values) == 1 and values[0].isdigit():
                    continue  # word2vec: the numbers of words and of dimensions
                if word in wanted and word not in found:
                    found[word] = _vector(values, width, f"{path}, line {number}")
    except OSError as error:
        raise ConfigError(
            f"word vectors cannot be read from {path}: {error.strerror or error}."
            " A text file of words and numbers is needed; give another with --model.embeddings"
        ) from error
    if not found:
        raise ConfigError(
            f"{path} has a vector for none of the {len(wanted)} words of the vocabulary."
            " Lines of a word and its numbers are needed; give another with --model.embeddings"
        )
    return found


def _vector(values: list[str], width: int, where: str) -> np.ndarray:
    try:
        vector = np.array([float(value) for value in values], dtype=np.float32)
    except ValueError as error:
        raise ConfigError(
            f"{where} is no word vector ({error}); a word and {width} numbers are needed."
            " Give another file with --model.embeddings"
        ) from error
    if not np.isfinite(vector).all():
        raise ConfigError(
            f"{where} holds a number that is not finite; the model could not learn from it."
            " Give another file with --model.embeddings"
        )
    if len(vector) != width:
        raise ConfigError(
            f"{where} holds {len(vector)} numbers, and embedding_size is {width}."
            f" Set --model.embedding-size {len(vector)}, or give another file"
        )
    return vector
