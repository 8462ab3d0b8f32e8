"""`lrcn score`: captions of any system against references, and two systems compared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from lrcn.cli.options import DEFAULTS, ComputeOptions
from lrcn.cli.output import (
    print_differences,
    print_json,
    print_line,
    print_table,
    refuse_existing_file,
    say,
)
from lrcn.cli.parser import UsageError, option, several

if TYPE_CHECKING:
    from lrcn.metrics.caption_scores import CaptionScores, Difference
    from lrcn.metrics.caption_tokens import References, SplitAll
    from lrcn.metrics.document_frequencies import DocumentFrequencies


def score(
    *,
    references: Annotated[list[Path] | None, several] = None,
    hypotheses: Path | None = None,
    hypotheses2: Path | None = None,
    metrics: Annotated[list[str] | None, several] = None,
    tokenizer: str = "ptb",
    document_frequencies: Path | None = None,
    save_document_frequencies: Path | None = None,
    train_captions: Path | None = None,
    missing: Literal["error", "skip"] = "error",
    no_intervals: bool = False,
    overwrite: bool = False,
    as_json: Annotated[bool, option("--json")] = False,
    compute: ComputeOptions = DEFAULTS,
) -> int:
    """Score captions as coco-caption does (no Java): BLEU, ROUGE-L, CIDEr-D and more.

    Files are COCO JSON (annotations; results), JSON or JSON Lines or CSV with ids and captions, or
    plain text with one caption a line.

    Args:
        references: What people wrote. Several files add up (of text, line n of each is a reference
            of item n); tabs part several references in a line of text.
        hypotheses: The captions to score, one of each item.
        hypotheses2: A second system's captions of the same items: both are scored, and the
            difference is tested.
        metrics: Which: bleu, rouge_l, cider, cider_d, meteor; default: all that can be computed.
        tokenizer: ptb (what official scores use), words, characters or paper.
        document_frequencies: What CIDEr weighs words by: a file of --save-document-frequencies, or
            captions to count them in; default: the references.
        save_document_frequencies: Write the references' document frequencies to this file.
        train_captions: Captions that were trained on: adds the share of novel captions.
        missing: Items without a hypothesis or without references: error, or skip (and count) them.
        no_intervals: Leave out the bootstrap intervals over items.
        overwrite: Replace the file of --save-document-frequencies.
        as_json: Print one JSON document, with the scores of each item.
        compute: Options of every command that computes.
    """
    from lrcn.data.score_files import read_hypotheses, read_references
    from lrcn.metrics.caption_scores import compare_captions, score_captions, splitter
    from lrcn.metrics.document_frequencies import DocumentFrequencies

    if not references:
        raise UsageError("--references is missing: give a file of captions that people wrote")
    if hypotheses is None:
        raise UsageError("--hypotheses is missing: give a file with one caption of each item")
    split_all = splitter(tokenizer)
    if save_document_frequencies is not None:
        refuse_existing_file(save_document_frequencies, overwrite=overwrite)
    truth = read_references(references)
    frequencies = None
    if document_frequencies is not None:
        frequencies = _frequencies(document_frequencies, split_all, tokenizer)
    systems = [hypotheses] if hypotheses2 is None else [hypotheses, hypotheses2]
    texts = [read_hypotheses(path) for path in systems]
    if missing == "skip" and len(texts) == 2:
        texts = _both_describe(texts, compute)
    found = [
        score_captions(
            truth,
            own,
            metrics=metrics,
            tokenizer=tokenizer,
            frequencies=frequencies,
            missing=missing,
        )
        for own in texts
    ]
    if save_document_frequencies is not None:
        kept = DocumentFrequencies.count(_documents(truth, split_all), tokenizer=tokenizer)
        kept.save(save_document_frequencies)
    varied = _diversity(truth, texts, train_captions, split_all)
    _say_counts(found, compute)
    differences = compare_captions(*found, seed=compute.seed_or_zero) if len(found) == 2 else {}
    if as_json:
        documents = [
            {
                "hypotheses": str(path),
                **scores.to_dict(intervals=not no_intervals, seed=compute.seed_or_zero),
                **more,
            }
            for path, scores, more in zip(systems, found, varied, strict=True)
        ]
        print_json(_joined(documents, differences))
        return 0
    for path, scores, more in zip(systems, found, varied, strict=True):
        _print_scores(path, scores, more, compute.seed_or_zero, intervals=not no_intervals)
    if differences:
        print_differences(differences)
    return 0


def _frequencies(path: Path, split_all: SplitAll, tokenizer: str) -> DocumentFrequencies:
    """From a file of frequencies, or counted in a file of captions."""
    from lrcn.data.score_files import read_references
    from lrcn.metrics.document_frequencies import DocumentFrequencies

    if path.suffix.lower() == ".json" and DocumentFrequencies.is_saved(path):
        return DocumentFrequencies.load(path)
    captions = read_references([path])
    return DocumentFrequencies.count(_documents(captions, split_all), tokenizer=tokenizer)


def _documents(captions: References, split_all: SplitAll) -> list[list[list[str]]]:
    """The tokens of each item's captions."""
    flat = iter(split_all([text for texts in captions.values() for text in texts]))
    return [[next(flat) for _ in texts] for texts in captions.values()]


def _both_describe(texts: list[dict[str, str]], compute: ComputeOptions) -> list[dict[str, str]]:
    """The items that both systems describe: only those can be compared."""
    shared = texts[0].keys() & texts[1].keys()
    left_out = len(texts[0].keys() | texts[1].keys()) - len(shared)
    if not shared:
        raise UsageError(
            "the two systems describe no item in common; a comparison needs the same items."
            " Check that both name items alike"
        )
    if left_out:
        say(f"left out {left_out} items that one system only describes", quiet=compute.quiet)
    return [{item: text for item, text in own.items() if item in shared} for own in texts]


def _diversity(
    truth: Mapping[str, list[str]],
    texts: list[dict[str, str]],
    train_captions: Path | None,
    split_all: SplitAll,
) -> list[dict[str, float]]:
    from lrcn.data.score_files import read_references
    from lrcn.metrics.diversity import measure_diversity

    training = None
    if train_captions is not None:
        known = read_references([train_captions])
        training = split_all([text for captions in known.values() for text in captions])
    found = []
    for own in texts:
        items = [item for item in truth if item in own]
        found.append(
            measure_diversity(
                split_all([own[item] for item in items]),
                split_all([text for item in items for text in truth[item]]),
                training,
            )
        )
    return found


def _say_counts(found: list[CaptionScores], compute: ComputeOptions) -> None:
    names = {
        "num_empty": "hypotheses without a word",
        "num_without_hypothesis": "items without a hypothesis, left out",
        "num_without_references": "hypotheses without references, left out",
    }
    for scores in found:
        for key, what in names.items():
            if scores.counts[key]:
                say(f"warning: {scores.counts[key]} {what}", quiet=compute.quiet)
    for reason in found[0].left_out.values():
        say(f"left out: {reason}", quiet=compute.quiet)


def _joined(documents: list[dict[str, Any]], differences: Mapping[str, Difference]) -> Any:
    """One system as it is; two as `first`, `second` and their `differences`."""
    if len(documents) == 1:
        return documents[0]
    return {
        "first": documents[0],
        "second": documents[1],
        "differences": {key: found.to_dict() for key, found in differences.items()},
    }


def _print_scores(
    path: Path, scores: CaptionScores, more: Mapping[str, float], seed: int, *, intervals: bool
) -> None:
    counts = scores.counts
    print_line(f"{path}: {counts['num_items']} items, {counts['num_references']} references")
    bounds = scores.intervals(seed=seed) if intervals else {}
    rows = [
        (key, value, *([f"{bounds[key][0]:.4f} to {bounds[key][1]:.4f}"] if bounds else []))
        for key, value in scores.corpus.items()
    ]
    print_table(("score", "value", *(["95 % interval"] if bounds else [])), rows)
    print_table(("captions", "value"), list(more.items()))
    print_line()
