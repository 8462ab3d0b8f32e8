"""The words that a captioner knows, each with its number."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lrcn.errors import ConfigError, DataError, ModelError
from lrcn.text.tokenize import TOKENIZERS, Tokenizer, get_tokenizer

SPECIAL_TOKENS = ("<pad>", "<bos>", "<eos>", "<unk>")
"""The first tokens of every vocabulary, whose ids are their places: four different ones.

Paper: its nets have one id, 0, for start and end; importing them translates."""

_HASH_DIGITS = 16


@dataclass(frozen=True)
class Vocabulary:
    """Tokens with their ids, and the tokenizer that makes them.

    Two vocabularies are equal when tokens and tokenizer are; `hash` stands for both.
    """

    tokens: tuple[str, ...]
    """By id; `SPECIAL_TOKENS` first."""
    tokenizer: str = "paper"
    """A name of `lrcn.text.tokenize.TOKENIZERS`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "tokens", tuple(self.tokens))
        problem = _problem(self.tokens, self.tokenizer)
        if problem:
            raise ModelError(
                f"a vocabulary of {len(self.tokens)} tokens cannot be used: {problem}. Its tokens "
                f"are {', '.join(SPECIAL_TOKENS)} and then different words. Make it anew with "
                f"Vocabulary.build, or restore the file"
            )

    @classmethod
    def build(
        cls,
        captions: Iterable[str],
        *,
        tokenizer: str = "paper",
        min_count: int = 5,
        max_size: int | None = None,
    ) -> Vocabulary:
        """The words of captions, the most frequent first, equally frequent ones alphabetically.

        Args:
            captions: Those of the training part and of no other.
            tokenizer: How they are split.
            min_count: Words that occur less often become `<unk>`; the paper's 5.
            max_size: Most tokens, the four special ones included; None for no limit.

        Raises:
            ConfigError: the tokenizer is unknown, or a number makes no sense.
            DataError: no word is left.
        """
        split = get_tokenizer(tokenizer).split
        if min_count < 1:
            raise ConfigError(f"min_count is {min_count}; it is 1 (every word) or more. Raise it.")
        if max_size is not None and max_size <= len(SPECIAL_TOKENS):
            raise ConfigError(
                f"max_size is {max_size}; the {len(SPECIAL_TOKENS)} special tokens count, so it "
                f"is {len(SPECIAL_TOKENS) + 1} or more. Raise it, or leave it out."
            )
        counts: Counter[str] = Counter()
        for caption in captions:
            counts.update(split(caption))
        for token in SPECIAL_TOKENS:
            counts.pop(token, None)
        kept = [token for token, number in counts.items() if number >= min_count]
        if not kept:
            most = max(counts.values(), default=0)
            raise DataError(
                f"no word of the captions occurs {min_count} times (of {len(counts):,} different "
                f"words the most frequent occurs {most} times); nothing can be learnt from "
                f"unknown words alone. Give more captions, or lower min_count to 1."
            )
        kept.sort(key=lambda token: (-counts[token], token))
        room = None if max_size is None else max_size - len(SPECIAL_TOKENS)
        return cls((*SPECIAL_TOKENS, *kept[:room]), tokenizer)

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._ids

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} tokens, tokenizer {self.tokenizer!r}, hash {self.hash})"

    @property
    def pad_id(self) -> int:
        """Stands after the end, and is never looked at."""
        return 0

    @property
    def bos_id(self) -> int:
        """Fed first."""
        return 1

    @property
    def eos_id(self) -> int:
        """Predicted last."""
        return 2

    @property
    def unk_id(self) -> int:
        """Any word that is not in the vocabulary."""
        return 3

    def encode(self, text: str) -> list[int]:
        """The ids of a sentence's tokens, without `<bos>` and `<eos>`."""
        return self.encode_tokens(self._tokenizer.split(text))

    def encode_tokens(self, tokens: Iterable[str]) -> list[int]:
        """The ids of tokens; of `<unk>` where there is none."""
        ids, unknown = self._ids, self.unk_id
        return [ids.get(token, unknown) for token in tokens]

    def decode(self, ids: Iterable[int]) -> str:
        """The sentence of ids up to `<eos>`; `<bos>` and `<pad>` are passed over.

        Raises:
            ValueError: an id lies outside the vocabulary.
        """
        return self._tokenizer.join(self.decode_tokens(ids))

    def decode_tokens(self, ids: Iterable[int]) -> list[str]:
        """As `decode`, not yet joined."""
        tokens: list[str] = []
        for token_id in map(int, ids):
            if not 0 <= token_id < len(self.tokens):
                raise ValueError(
                    f"token id {token_id} is not in the vocabulary; ids go from 0 to "
                    f"{len(self.tokens) - 1}. Use the vocabulary that the ids were made with"
                )
            if token_id == self.eos_id:
                break
            if token_id not in (self.pad_id, self.bos_id):
                tokens.append(self.tokens[token_id])
        return tokens

    def split(self, text: str) -> list[str]:
        """The tokens of a sentence, known or not."""
        return self._tokenizer.split(text)

    @cached_property
    def hash(self) -> str:
        """16 hexadecimal digits that stand for the tokens, their order and the tokenizer."""
        text = json.dumps([self.tokenizer, *self.tokens], ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()[:_HASH_DIGITS]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"tokenizer": self.tokenizer, "hash": self.hash, "tokens": list(self.tokens)}

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> Vocabulary:
        """The inverse of `to_dict`.

        Raises:
            ModelError: keys are absent, tokens are not what they must be, or the hash differs.
        """
        tokens, tokenizer = mapping.get("tokens"), mapping.get("tokenizer")
        if not isinstance(tokens, list) or not isinstance(tokenizer, str):
            raise ModelError(
                f"a vocabulary has keys {', '.join(map(str, mapping)) or '(none)'}; it needs "
                f"tokens, a list, and tokenizer, a name. Restore the file"
            )
        vocabulary = cls(tuple(tokens), tokenizer)
        if mapping.get("hash", vocabulary.hash) != vocabulary.hash:
            raise ModelError(
                f"a vocabulary was changed after it was written: its hash is {vocabulary.hash}, "
                f"not {mapping['hash']}, and a model's ids would mean other words. Restore the file"
            )
        return vocabulary

    @cached_property
    def _ids(self) -> dict[str, int]:
        ids = {token: place for place, token in enumerate(self.tokens)}
        for token in SPECIAL_TOKENS:
            del ids[token]  # a caption that spells one out does not become one
        return ids

    @property
    def _tokenizer(self) -> Tokenizer:
        return TOKENIZERS[self.tokenizer]


def _problem(tokens: tuple[str, ...], tokenizer: str) -> str:
    """What is wrong with them, or ""."""
    if not all(isinstance(token, str) and token for token in tokens):
        return "a token is empty or no text"
    if tokens[: len(SPECIAL_TOKENS)] != SPECIAL_TOKENS:
        return f"it starts with {', '.join(tokens[: len(SPECIAL_TOKENS)]) or 'nothing'}"
    double = [token for token, number in Counter(tokens).items() if number > 1]
    if double:
        return f"token {double[0]!r} stands in it twice"
    if tokenizer not in TOKENIZERS:
        return f"tokenizer {tokenizer!r} is unknown, not one of {', '.join(TOKENIZERS)}"
    return ""
