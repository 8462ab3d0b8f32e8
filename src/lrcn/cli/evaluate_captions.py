"""`lrcn evaluate` of a captioner: the part to measure on, the search, the scores."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lrcn.cli.decoding import DecodingFlags
from lrcn.cli.evaluate_retrieval import NO_RETRIEVAL, RetrievalFlags, show_retrieval
from lrcn.cli.options import ComputeOptions
from lrcn.cli.output import print_json, print_line, report_skipped, say, watcher, write_file
from lrcn.cli.parser import UsageError
from lrcn.errors import LeakError

if TYPE_CHECKING:
    from lrcn.checkpoint import SavedCaptioner
    from lrcn.data.semantics import SemanticSource
    from lrcn.evaluate.captions import CaptionResults
    from lrcn.evaluate.protocol import DataChoice
    from lrcn.structures import CaptionList

_EXAMPLES = 5


def evaluate_captioner(
    folder: Path,
    *,
    data: Path | None,
    images: Path | None,
    layout: str | None,
    split: Literal["train", "val", "test", "all"] | None,
    missing: Literal["error", "skip"] | None,
    allow_leaks: bool,
    decoding: DecodingFlags,
    no_cache: bool,
    as_json: bool,
    out: Path | None,
    compute: ComputeOptions,
    semantics: str | None = None,
    semantic_noise: float = 0.0,
    retrieval: RetrievalFlags = NO_RETRIEVAL,
) -> int:
    """Measure the captioner of a model folder; see `lrcn evaluate`.

    Args:
        folder: Its model folder.
        data: Captions; the validation part of the run when None.
        images: Where the photos or videos lie.
        layout: Of the captions.
        split: The part of DATA to measure on.
        missing: What happens with files that cannot be read.
        allow_leaks: Measure although training items are among them.
        decoding: How to search, as far as it was given.
        no_cache: Neither use nor fill the cache of features.
        as_json: Print one JSON document.
        out: Also write the results to this file.
        compute: Where and how.
        semantics: Predictions of the items, for a model that takes those.
        semantic_noise: Share of every distribution that goes to false labels.
        retrieval: Whether and how to measure by retrieval, not by sentences.
    """
    ranking = retrieval.config(decoding)
    device = compute.start()
    from lrcn.checkpoint import load_captioner
    from lrcn.data.cache import FeatureCache
    from lrcn.evaluate.captions import evaluate_captions
    from lrcn.evaluate.retrieval import RetrievalResults, evaluate_retrieval

    saved = load_captioner(folder)
    run = _run_of(folder)
    options = decoding.options(saved.decoding)
    source = _semantics(saved, run, semantics, noise=semantic_noise, seed=compute.seed_or_zero)
    captions = _captions(
        run,
        data,
        images=images,
        layout=layout,
        missing=missing or "error",
        need_media=source is None,
    )
    chosen, choice = _choose(captions, run, split, allow_leaks=allow_leaks)
    what = str(options) if ranking is None else f"by retrieval, {ranking}"
    where = f"{len(chosen)} {chosen.media}s: {choice.split} ({choice.how})"
    say(f"measuring on {where}, {what}", quiet=compute.quiet)
    for note in (*choice.warnings, *chosen.notes):
        say(f"note: {note}", quiet=compute.quiet)
    how: dict[str, Any] = {
        "choice": choice,
        "precision": compute.precision,
        "device": device,
        "cache": None if no_cache else FeatureCache(),
        "decode_threads": 2,
        "missing": missing or "error",
        "seed": compute.seed_or_zero,
        "model_path": str(folder),
        "semantics": source,
    }
    results: CaptionResults | RetrievalResults
    with watcher("evaluating", quiet=compute.quiet) as watch:
        if ranking is None:
            training = _training_captions(run)
            results = evaluate_captions(
                saved, chosen, options, training=training, watch=watch, **how
            )
        else:
            results = evaluate_retrieval(saved, chosen, ranking, watch=watch, **how)
    kept_in = [] if run is None else [results.save(run)]
    if out is not None:
        write_file(out, results.to_json())
        kept_in.append(out)
    if as_json:
        print_json(results.to_dict())
    elif isinstance(results, RetrievalResults):
        show_retrieval(results)
    else:
        _show(results)
    for place in kept_in:
        say(f"results: {place}", quiet=compute.quiet)
    return report_skipped(results.skipped, quiet=compute.quiet)


def _semantics(
    saved: SavedCaptioner, run: Path | None, files: str | None, *, noise: float, seed: int
) -> SemanticSource | None:
    """The predictions to describe from, where the model takes them: those given, or its run's.

    Raises:
        UsageError: the model takes none, or none are named.
    """
    from lrcn.data.semantics import SemanticSource
    from lrcn.train.caption_config import CaptionExperiment
    from lrcn.train.run import load_any_experiment

    if saved.semantics is None:
        if files is not None or noise:
            raise UsageError(
                "--semantics belongs to models that were trained on semantic predictions, and this"
                " one looks at pictures: leave it out"
            )
        return None
    if files is None and run is not None:
        experiment = load_any_experiment(run)
        if isinstance(experiment, CaptionExperiment):
            files = experiment.dataset.semantics
    if files is None:
        raise UsageError("--semantics is missing: give the file with the items' predictions")
    return SemanticSource.read(files, saved.semantics, noise=noise, seed=seed)


def _training_captions(run: Path | None) -> list[str] | None:
    """The sentences that a run learnt from, to count copies of them; None where they are gone."""
    from lrcn.data.captions import read_captions
    from lrcn.errors import LrcnError
    from lrcn.train.caption_config import CaptionExperiment
    from lrcn.train.run import load_any_experiment

    if run is None:
        return None
    experiment = load_any_experiment(run)
    assert isinstance(experiment, CaptionExperiment)
    settings = experiment.dataset
    rows = _division(run)
    trained = {row["item_id"] for row in rows if row["split"] == "train"}
    try:
        captions = read_captions(
            settings.data,
            layout=settings.layout,
            images=settings.images,
            missing="skip",
            media=settings.media,
            need_media=False,
        )
    except LrcnError:
        return None
    learnt = [text for i in captions.items if i.item_id in trained for text in i.captions]
    return learnt or None


def _run_of(folder: Path) -> Path | None:
    """The run folder that a model folder lies in."""
    from lrcn.train.run import EXPERIMENT_NAME

    found = [place for place in (folder, folder.parent) if (place / EXPERIMENT_NAME).is_file()]
    return found[0] if found else None


def _captions(
    run: Path | None,
    data: Path | None,
    *,
    images: Path | None,
    layout: str | None,
    missing: Literal["error", "skip"],
    need_media: bool,
) -> CaptionList:
    """The captions to measure on: those named, or those that the run named.

    Raises:
        UsageError: none are named.
    """
    from lrcn.data.captions import read_captions
    from lrcn.train.caption_config import CaptionExperiment
    from lrcn.train.run import load_any_experiment

    if data is not None:
        own = None
        if images is None and run is not None:
            # Photos of one data set usually lie together, also those to measure on.
            experiment = load_any_experiment(run)
            own = experiment.dataset.images if isinstance(experiment, CaptionExperiment) else None
        return read_captions(
            data,
            layout=layout,
            images=images or own,
            missing=missing,
            need_media=need_media,
        )
    if run is None:
        raise UsageError("--data is missing: give captions of photos that the model has not seen")
    experiment = load_any_experiment(run)
    assert isinstance(experiment, CaptionExperiment)
    settings = experiment.dataset
    return read_captions(
        settings.val_data or settings.data,
        layout=settings.layout,
        images=images or settings.images,
        missing=missing,
        media=settings.media,
        need_media=need_media,
    )


def _choose(
    captions: CaptionList,
    run: Path | None,
    split: Literal["train", "val", "test", "all"] | None,
    *,
    allow_leaks: bool,
) -> tuple[CaptionList, DataChoice]:
    """The part to measure on: what was asked for, else test, else what was not trained on.

    Raises:
        LeakError: items that were trained on are among them.
    """
    from lrcn.data.captions import with_caption_items
    from lrcn.evaluate.protocol import DataChoice

    trained, held = _seen(run)
    captions, choice = _part(captions, split, {"train": trained, "val": held})
    real = {item.item_id: os.path.realpath(item.path) for item in captions.items}
    shared = [item for item in captions.items if real[item.item_id] in trained]
    if not shared:
        if held and all(path in held for path in real.values()):
            note = "validation items, on which the epoch was chosen: scores look a little too good"
            choice = DataChoice(split="val", how=choice.how, warnings=(note,))
        return captions, choice
    unseen = [item for item in captions.items if real[item.item_id] not in trained]
    if split is None and unseen:
        note = "validation items, on which the epoch was chosen: scores look a little too good"
        chosen = with_caption_items(captions, unseen)
        return chosen, DataChoice(split="val", how="held out by the run", warnings=(note,))
    if split != "train" and not allow_leaks:
        raise LeakError(
            f"{len(shared)} of {len(captions)} {captions.media}s were trained on, first"
            f" {shared[0].path}; a model is measured on what it has not seen."
            " Give other data, or --split train or --allow-leaks to measure all the same"
        )
    note = f"{len(shared)} of {len(captions)} items were trained on: scores look too good"
    return captions, replace(choice, warnings=(note,), allow_leaks=allow_leaks)


def _part(
    captions: CaptionList,
    split: Literal["train", "val", "test", "all"] | None,
    of_run: Mapping[str, set[str]],
) -> tuple[CaptionList, DataChoice]:
    """The part that is named, or test; where the data know no parts, those that the run made."""
    from lrcn.data.captions import select_captions, with_caption_items
    from lrcn.evaluate.protocol import DataChoice

    given = {item.split for item in captions.items}
    if split == "all" or (split is None and "test" not in given):
        return captions, DataChoice()
    own = of_run.get(split or "test", set())
    mine = [item for item in captions.items if os.path.realpath(item.path) in own]
    if given == {None} and split is not None and mine:
        choice = DataChoice(split=split, how="division of the run")
        return with_caption_items(captions, mine), choice
    how = "official" if captions.official_split else "column"
    name = split or "test"
    return select_captions(captions, name), DataChoice(split=name, how=how)


def _seen(run: Path | None) -> tuple[set[str], set[str]]:
    """Paths that the run was trained on, and those that it held out."""
    rows = _division(run)
    trained = {os.path.realpath(row["path"]) for row in rows if row["split"] == "train"}
    return trained, {os.path.realpath(row["path"]) for row in rows if row["split"] == "val"}


def _division(run: Path | None) -> list[dict[str, str]]:
    """The items of a run with their path, id and part; none where that was not kept."""
    from lrcn.train.run import SPLIT_NAME

    if run is None or not (run / SPLIT_NAME).is_file():
        return []
    with (run / SPLIT_NAME).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _show(results: CaptionResults) -> None:
    """Results for people."""
    protocol = results.protocol
    print_line(
        f"{protocol.num_items} {protocol.media}s of {protocol.data}"
        f" (split: {protocol.split}, {protocol.split_how})"
    )
    for key, value in results.metrics.items():
        interval = results.intervals.get(key)
        note = f"   95 % interval {interval[0]:.4f} to {interval[1]:.4f}" if interval else ""
        shown = f"{value:.0f}" if key == "vocabulary_size" else f"{value:.4f}"
        print_line(f"  {key:24} {shown:>8}{note}")
    for name, reason in protocol.left_out.items():
        print_line(f"  {name:24} {'-':>8}   {reason}")
    print_line()
    for caption in results.captions[:_EXAMPLES]:
        print_line(f"{caption.item_id}: {caption.caption}")
    if results.skipped:
        print_line(f"{len(results.skipped)} left out")
