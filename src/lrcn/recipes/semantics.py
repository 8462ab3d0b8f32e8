"""Words of labels, one-hots or probabilities: rows V1 to V3 of the paper on MSVD, with noise.

    python -m lrcn.recipes.semantics MSVD OUT --seeds 3

Trains each form with each seed, the epoch chosen by CIDEr-D on the 100 validation videos, and
measures it on the 670 test videos at several levels of noise. With the same OUT it goes on where
it stopped. The triplets are counted in the references: an upper bound that shows the decoder.

OUT/runs holds the runs, OUT/results one file per form, seed and level, OUT/semantics.json means.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from lrcn.checkpoint import load_captioner
from lrcn.data.captions import read_captions
from lrcn.data.semantics import SemanticSource
from lrcn.errors import DataError, LrcnError
from lrcn.evaluate.captions import evaluate_captions
from lrcn.evaluate.protocol import DataChoice
from lrcn.recipes.video_description import SEMANTIC_RECIPES
from lrcn.structures import CaptionList
from lrcn.train.caption_config import CaptionExperiment
from lrcn.train.run import write_text
from lrcn.train.session import train

TRIPLETS = "GTTriplets_SVO_Freq.txt"
NOISE = (0.0, 0.2, 0.4, 0.6, 0.8)
KEYS = ("bleu_4", "meteor", "rouge_l", "cider_d")


def find_triplets(msvd: Path) -> Path:
    """The counted triplets of a folder of MSVD.

    Raises:
        DataError: there are none.
    """
    for place in (msvd / TRIPLETS, msvd / "text" / TRIPLETS):
        if place.is_file():
            return place
    raise DataError(
        f"{msvd} has no {TRIPLETS}, nor has its folder text; the study needs the triplets."
        " Give the folder of MSVD that holds them"
    )


def study_experiment(
    name: str,
    msvd: Path,
    *,
    seed: int,
    epochs: int,
    hidden_size: int,
    captions: Literal["each", "one"],
) -> CaptionExperiment:
    """One training: the recipe, smaller.

    Args:
        name: Of the recipe.
        msvd: Folder of the data.
        seed: Of weights and order.
        epochs: At most; the best on validation is kept.
        hidden_size: Units of a layer, and width of a word's vector.
        captions: Every caption of a video in an epoch, or a random one.
    """
    base = SEMANTIC_RECIPES[name]()
    return replace(
        base,
        dataset=replace(
            base.dataset,
            data=str(msvd.absolute()),
            layout="msvd",
            semantics=str(find_triplets(msvd).absolute()),
            captions=captions,
        ),
        model=replace(base.model, hidden_size=hidden_size, embedding_size=hidden_size),
        train=replace(base.train, seed=seed, epochs=epochs),
    )


def measure(
    run: Path, test: CaptionList, triplets: Path, *, noise: float, seed: int
) -> dict[str, Any]:
    """Scores and the number of distinct sentences of a run on test items at a level of noise."""
    saved = load_captioner(run)
    assert saved.semantics is not None  # every recipe of the study has them
    source = SemanticSource.read(str(triplets), saved.semantics, noise=noise, seed=seed)
    choice = DataChoice(split="test", how="official")
    results = evaluate_captions(saved, test, choice=choice, semantics=source, model_path=str(run))
    scores: dict[str, Any] = {k: v for k, v in results.metrics.items() if k in KEYS}
    for key, interval in results.intervals.items():
        if key in KEYS:
            scores[f"{key}_interval"] = list(interval)
    scores["distinct_sentences"] = len({one.caption for one in results.captions})
    scores["num_items"] = len(results.captions)
    return scores


def run_study(given: argparse.Namespace) -> dict[str, Any]:
    """All trainings and measurements that are not there yet, and their means over seeds.

    Raises:
        LrcnError: data or folder do not allow it.
    """
    triplets = find_triplets(given.msvd)
    _same_settings(given)
    test = read_captions(given.msvd, layout="msvd", split="test", need_media=False)
    cells: dict[str, list[dict[str, Any]]] = {}
    for seed in range(given.seeds):
        for name in SEMANTIC_RECIPES:
            run = given.out / "runs" / f"{name}-{seed}"
            experiment = study_experiment(
                name,
                given.msvd,
                seed=seed,
                epochs=given.epochs,
                hidden_size=given.hidden_size,
                captions=given.captions,
            )
            for noise in given.noise:
                path = given.out / "results" / f"{name}-{seed}-noise{noise:g}.json"
                if not path.is_file():
                    _finish_training(experiment, run, given.threads)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    found = measure(run, test, triplets, noise=noise, seed=seed)
                    write_text(path, json.dumps(found, indent=1) + "\n")
                scores = json.loads(path.read_text(encoding="utf-8"))
                cells.setdefault(f"{name}, noise {noise:g}", []).append(scores)
    return {
        "settings": {k: str(v) for k, v in sorted(vars(given).items())},
        "note": "the triplets come from the references: an upper bound that shows the decoder",
        "cells": {cell: {"mean": _mean(seeds), "seeds": seeds} for cell, seeds in cells.items()},
    }


def _same_settings(given: argparse.Namespace) -> None:
    """Refuse to mix results of several settings in one folder."""
    path = given.out / "settings.json"
    now = {key: getattr(given, key) for key in ("epochs", "hidden_size", "captions")}
    if not path.is_file():
        given.out.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(now) + "\n")
    elif json.loads(path.read_text(encoding="utf-8")) != now:
        raise DataError(
            f"{given.out} holds a study with other settings ({path.read_text().strip()}); one"
            " folder is one study. Give the same settings, or another OUT"
        )


def _finish_training(experiment: CaptionExperiment, run: Path, threads: int | None) -> None:
    """Train, or go on; a finished run is left as it is."""
    done = run / "finished"
    if not done.is_file():
        resume = (run / "last").is_dir()
        train(experiment, run, resume=resume, overwrite=not resume, threads=threads)
        write_text(done, "trained to the end\n")


def _mean(seeds: Sequence[dict[str, Any]]) -> dict[str, float]:
    plain = (*KEYS, "distinct_sentences")
    return {k: fmean(one[k] for one in seeds) for k in plain if all(k in one for one in seeds)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code: 0, 2 wrong input, 130 interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m lrcn.recipes.semantics",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("msvd", type=Path, metavar="MSVD", help="folder with sents_*.txt")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder for runs and results")
    parser.add_argument("--seeds", type=int, default=3, help="how many (default: 3)")
    parser.add_argument("--epochs", type=int, default=5, help="at most (default: 5)")
    parser.add_argument("--hidden-size", type=int, default=384, help="units (default: 384)")
    parser.add_argument("--captions", choices=("each", "one"), default="each")
    parser.add_argument("--noise", type=float, nargs="+", default=list(NOISE))
    parser.add_argument("--threads", type=int, help="threads of the processor (default: all)")
    given = parser.parse_args(arguments)
    try:
        summary = run_study(given)
        write_text(given.out / "semantics.json", json.dumps(summary, indent=1) + "\n")
    except LrcnError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command goes on\n")
        return 130
    for cell, found in summary["cells"].items():
        scores = "  ".join(f"{key} {value:.4f}" for key, value in found["mean"].items())
        sys.stdout.write(f"{cell:32} {scores}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
