"""`lrcn evaluate --retrieval`: its options, and its results for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lrcn.cli.decoding import NO_DECODING, DecodingFlags
from lrcn.cli.output import print_line, print_table
from lrcn.cli.parser import UsageError, flattened

if TYPE_CHECKING:
    from lrcn.evaluate.retrieval import RetrievalConfig, RetrievalResults

_COLUMNS = ("recall_at_1", "recall_at_5", "recall_at_10", "median_rank")


@flattened("Retrieval")
@dataclass(frozen=True, kw_only=True)
class RetrievalFlags:
    """How a captioner is measured by retrieval."""

    retrieval: bool = False
    """Measure a captioner by which sentence belongs to which photo: recall and median rank."""
    num_images: int | None = None
    """Only so many photos, drawn by --seed, with all their captions (paper: 1000)."""
    no_normalise: bool = False
    """Rank by log-probability alone, not by what a photo adds to a caption."""
    count_eos: bool = False
    """Also score the end of a caption; the paper scores its words only."""

    def config(self, decoding: DecodingFlags = NO_DECODING) -> RetrievalConfig | None:
        """What was asked for; None where it was not.

        Raises:
            UsageError: options contradict each other.
            ConfigError: a number makes no sense.
        """
        from lrcn.evaluate.retrieval import RetrievalConfig

        if self.retrieval:
            if decoding != NO_DECODING:
                raise UsageError(
                    "--retrieval ranks the captions that there are, so how sentences are searched"
                    " for has no effect: leave those options out"
                )
            return RetrievalConfig(
                num_images=self.num_images,
                normalise=not self.no_normalise,
                count_eos=self.count_eos,
            )
        if self != NO_RETRIEVAL:
            raise UsageError(
                "--num-images, --no-normalise and --count-eos go with --retrieval: add it"
            )
        return None


NO_RETRIEVAL = RetrievalFlags()
"""What holds where nothing is given."""


def show_retrieval(results: RetrievalResults) -> None:
    """Results for people."""
    protocol = results.protocol
    how = protocol.retrieval or {}
    print_line(
        f"{how['num_images']} {protocol.media}s and {how['num_captions']} captions of"
        f" {protocol.data} (split: {protocol.split}, {protocol.split_how})"
    )
    print_line()
    rows = []
    for way in ("caption_to_image", "image_to_caption"):
        name = way.replace("_", " ")
        rows.append((name, *(f"{results.metrics[f'{way}_{key}']:.3f}" for key in _COLUMNS)))
        bounds = [results.intervals[f"{way}_{key}"] for key in _COLUMNS]
        rows.append(("  95 % interval", *(f"{low:.3f} to {high:.3f}" for low, high in bounds)))
        rows.append(("  chance", *(f"{results.chance[f'{way}_{key}']:.3f}" for key in _COLUMNS)))
    print_table(("direction", *_COLUMNS), rows)
    if results.skipped:
        print_line(f"{len(results.skipped)} left out")
