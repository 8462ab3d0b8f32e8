"""How sentences are searched for: the settings, and the named ones of the paper."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from lrcn.errors import ConfigError
from lrcn.settings import did_you_mean

_LIMITS: tuple[tuple[str, float, float], ...] = (
    ("beam_size", 1, math.inf),
    ("length_penalty", 0.0, 10.0),
    ("max_tokens", 1, math.inf),
    ("min_tokens", 0, math.inf),
    ("num_candidates", 1, math.inf),
    ("temperature", 0.0, math.inf),
    ("top_k", 0, math.inf),
    ("top_p", 0.0, 1.0),
    ("num_samples", 1, math.inf),
    ("no_repeat_ngram", 0, math.inf),
)
"""Name, smallest, largest."""

_SAMPLING = ("temperature", "top_k", "top_p", "num_samples")
"""Settings without effect unless words are drawn."""

_LARGEST = 1e9
"""Infinity and not-a-number are no settings."""


@dataclass(frozen=True, kw_only=True)
class DecodingOptions:
    """How sentences are searched for. The defaults are the paper's beam of 5, without `<unk>`."""

    method: Literal["beam", "greedy", "sample"] = "beam"
    """The likeliest sentence by beam search; the likeliest word at every step; words drawn."""
    beam_size: int = 5
    """Unfinished sentences kept side by side; 1 is greedy, the paper finds 3 to 5 best."""
    length_penalty: float = 0.0
    """Score = log-probability / tokens^x: 0 is the paper's, 0.7 to 1 favours longer sentences."""
    max_tokens: int = 50
    """Longest sentence in tokens, the end counted; what is not over by then is cut off there."""
    min_tokens: int = 0
    """Fewest words before a sentence may end; the end itself is not counted."""
    num_candidates: int = 1
    """Sentences given per item, best first; at most beam_size, or num_samples when drawing."""
    temperature: float = 1.0
    """Divides the logits before drawing: towards 0 greedy. The paper's T is the inverse of it."""
    top_k: int = 0
    """Draw among the k likeliest words only; 0 for all."""
    top_p: float = 1.0
    """Draw among the likeliest words that together reach this probability; 1 for all."""
    num_samples: int = 1
    """Sentences drawn per item; the one of highest log-probability (at temperature 1) is taken."""
    allow_unk: bool = False
    """Whether `<unk>` may be generated. Paper: it may."""
    no_repeat_ngram: int = 0
    """No run of so many words occurs twice in a sentence; 1: no word twice; 0 for no limit."""
    forced_ids: tuple[int, ...] = ()
    """Token ids of words that must occur in every sentence."""

    def __post_init__(self) -> None:
        problems = [
            f"{name} is {value}; it takes {low:g} "
            + (f"to {high:g}" if high < math.inf else "or more")
            for name, low, high in _LIMITS
            if not low <= (value := getattr(self, name)) <= min(high, _LARGEST)
        ]
        if self.method not in ("beam", "greedy", "sample"):
            problems.append(f"method is {self.method!r}; it takes beam, greedy or sample")
        if self.top_p == 0.0:
            problems.append("top_p is 0; it takes a share above 0, up to 1")
        if not problems:
            problems = self._contradictions()
        if problems:
            raise ConfigError("; ".join(problems) + ". Change these settings of the decoding.")

    def _contradictions(self) -> list[str]:
        """Settings that are right each for itself, but not together."""
        problems = []
        if self.min_tokens >= self.max_tokens:
            problems.append(
                f"min_tokens is {self.min_tokens}; it must be below max_tokens,"
                f" {self.max_tokens}, which counts the end too"
            )
        if len(set(self.forced_ids)) > self.max_tokens:
            problems.append(
                f"{len(set(self.forced_ids))} forced words are more than max_tokens,"
                f" {self.max_tokens}"
            )
        most = {"beam": self.beam_size, "greedy": 1, "sample": self.num_samples}[self.method]
        if self.num_candidates > most:
            problems.append(
                f"num_candidates is {self.num_candidates}; method {self.method} gives at most"
                f" {most} here (raise beam_size, or num_samples with method sample)"
            )
        if self.method != "sample":
            problems += [
                f"{name} is {getattr(self, name):g}; it acts with method sample only, not"
                f" {self.method}"
                for name in _SAMPLING
                if getattr(self, name) != type(self).__dataclass_fields__[name].default
            ]
        return problems

    def __str__(self) -> str:
        """In a few words: "beam 5", "greedy", "best of 100 at temperature 0.667"."""
        if self.method == "sample":
            return f"best of {self.num_samples} at temperature {self.temperature:.3g}"
        penalty = f", length penalty {self.length_penalty:g}" if self.length_penalty else ""
        return self.method + (f" {self.beam_size}" if self.method == "beam" else "") + penalty


def _paper_beam(beam_size: int) -> DecodingOptions:
    return DecodingOptions(beam_size=beam_size, allow_unk=True)


def _paper_samples(num_samples: int, inverse_temperature: float) -> DecodingOptions:
    """Paper: its T multiplies the logits; ours divides them."""
    return DecodingOptions(
        method="sample",
        num_samples=num_samples,
        temperature=1.0 / inverse_temperature,
        allow_unk=True,
    )


DECODERS: dict[str, DecodingOptions] = {
    "greedy": DecodingOptions(method="greedy", allow_unk=True),
    **{f"beam-{n}": _paper_beam(n) for n in range(1, 11)},
    **{f"best-of-{n}-t{t:g}": _paper_samples(n, t) for n in (1, 10, 25, 100) for t in (1, 1.5, 2)},
}
"""The decoders of the paper's strategy study (its section 5.1.2), by name.

"best-of-100-t1.5" is its N = 100, T = 1.5 (our temperature 1/1.5), the one of its best results.
"""


def get_decoder(name: str) -> DecodingOptions:
    """A decoder of the paper by name.

    Raises:
        ConfigError: there is none of this name.
    """
    if name not in DECODERS:
        raise ConfigError(
            f"unknown decoder {name!r}.{did_you_mean(name, list(DECODERS))}"
            f" There are: {', '.join(DECODERS)}."
        )
    return DECODERS[name]
