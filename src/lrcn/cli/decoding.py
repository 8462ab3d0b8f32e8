"""The options of every command that lets a model write sentences."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from lrcn.cli.parser import UsageError, flattened

if TYPE_CHECKING:
    from lrcn.decoding.options import DecodingOptions


@flattened("Sentences")
@dataclass(frozen=True, kw_only=True)
class DecodingFlags:
    """How sentences are searched for; what is not given is as the model was saved with."""

    decoder: str | None = None
    """A decoder of the paper by name: greedy, beam-3, best-of-100-t1.5."""
    method: Literal["beam", "greedy", "sample"] | None = None
    """The likeliest sentence by beam search; the likeliest word at every step; words drawn."""
    beam_size: int | None = None
    """Unfinished sentences kept side by side."""
    length_penalty: float | None = None
    """Score = log-probability / tokens^x: 0 is the paper's, 0.7 to 1 favours longer sentences."""
    max_tokens: int | None = None
    """Longest sentence in tokens, the end counted."""
    min_tokens: int | None = None
    """Fewest words before a sentence may end."""
    temperature: float | None = None
    """Divides the logits before drawing; the inverse of the paper's T."""
    top_k: int | None = None
    """Draw among the k likeliest words only."""
    top_p: float | None = None
    """Draw among the likeliest words that together reach this probability."""
    num_samples: int | None = None
    """Sentences drawn per item; the likeliest one is taken."""
    no_repeat_ngram: int | None = None
    """No run of so many words occurs twice in a sentence."""
    allow_unk: bool = False
    """Let <unk> be said."""

    def options(self, own: DecodingOptions) -> DecodingOptions:
        """The search that was asked for.

        Args:
            own: The model's, on which the flags build.

        Raises:
            UsageError: a decoder by name and settings of one exclude each other, or the search
                that is asked for has no beam.
            ConfigError: the decoder is unknown, or settings contradict each other.
        """
        from lrcn.decoding.options import DecodingOptions, get_decoder

        flags: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        del flags["decoder"]
        given = {k: v for k, v in flags.items() if v is not None and v is not False}
        if self.decoder is not None:
            if given:
                names = ", ".join("--" + name.replace("_", "-") for name in given)
                raise UsageError(f"--decoder and {names} exclude each other: give one of them")
            return get_decoder(self.decoder)
        method = given.get("method", own.method)
        if "beam_size" in given and method != "beam":
            whose = "" if "method" in given else ", the model's own"
            raise UsageError(
                f"--beam-size has no effect with method {method}{whose}: leave it out, or add"
                " --method beam"
            )
        if method != own.method:
            # Settings of another way of searching would have no effect, and are refused.
            kept = ("max_tokens", "min_tokens", "allow_unk", "no_repeat_ngram")
            own = DecodingOptions(method=method, **{name: getattr(own, name) for name in kept})
        return replace(own, **given)


NO_DECODING = DecodingFlags()
"""What holds where nothing is given."""
