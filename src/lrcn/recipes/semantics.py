"""Words of labels, one-hots or probabilities: rows V1 to V3 of the paper on MSVD, with noise.

    python -m lrcn.recipes.semantics MSVD OUT --seeds 3

Trains each form with each seed, the best by CIDEr-D on the 100 validation videos kept, and
measures it on the 670 test videos at several levels of noise. With the same OUT it goes on where
it stopped. The triplets are counted in the references: an upper bound that shows the decoder.

OUT/runs holds the runs, OUT/sentences what each of them said of the test videos, and
OUT/semantics.json the scores and the differences between the forms (see `semantics_scores`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from lrcn.checkpoint import load_captioner
from lrcn.data.captions import read_captions
from lrcn.data.semantics import SemanticSource
from lrcn.errors import DataError, LrcnError
from lrcn.evaluate.captions import evaluate_captions
from lrcn.recipes.semantics_scores import (
    NAMES,
    Cell,
    markdown,
    score_cells,
    score_differences,
)
from lrcn.recipes.video_description import SEMANTIC_RECIPES
from lrcn.structures import CaptionList
from lrcn.train.caption_config import CaptionExperiment
from lrcn.train.run import write_text
from lrcn.train.session import train

TRIPLETS = "GTTriplets_SVO_Freq.txt"
NOISE = (0.0, 0.2, 0.4, 0.6, 0.8)
_PAIRS = (
    ("semantic_words", "semantic_max"),
    ("semantic_max", "semantic_prob"),
    ("semantic_words", "semantic_prob"),
)
"""The second of each is what the paper found to be better."""


@dataclass(frozen=True, kw_only=True)
class StudySettings:
    """What all trainings of a study have in common; chosen on the validation videos."""

    steps: int = 1200
    """Updates of the weights; the best of the epochs and of the end on validation is kept."""
    hidden_size: int = 256
    """Units of a layer, and width of a word's vector (paper: 1000)."""
    captions: Literal["each", "one"] = "each"
    """Every caption of a video in an epoch, or a random one."""
    batch_size: int = 64
    """Sentences an update."""
    lr: float = 3e-3
    """Highest rate of AdamW; it falls along a cosine."""
    min_count: int = 5
    """Words that occur less often in the training sentences are not learnt."""
    min_label_count: int = 3
    """Labels that fewer training videos have are left out."""
    train_noise: float = 0.0
    """Most of a distribution that goes to false labels in a second stage of training, which starts
    from the first; 0 = there is no such stage."""
    noise_steps: int = 600
    """Updates of the second stage."""
    noise_lr: float = 1e-3
    """Its highest rate."""
    beam_size: int = 2
    """Sentences that are kept in the search."""
    length_penalty: float = 1.0
    """Exponent of the search's length term."""


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
    name: str, msvd: Path, *, seed: int, settings: StudySettings, start: Path | None = None
) -> CaptionExperiment:
    """One training: the recipe, smaller.

    Args:
        name: Of the recipe.
        msvd: Folder of the data.
        seed: Of weights and order.
        settings: Of the study.
        start: The run of the first stage, to go on from with noise; None is the first stage.
    """
    base = SEMANTIC_RECIPES[name]()
    size, noisy = settings.hidden_size, start is not None
    return replace(
        base,
        init=None if start is None else str(start),
        dataset=replace(
            base.dataset,
            data=str(msvd.absolute()),
            layout="msvd",
            semantics=str(find_triplets(msvd).absolute()),
            semantic_min_count=settings.min_label_count,
            semantic_noise=settings.train_noise if noisy else 0.0,
            min_count=settings.min_count,
            captions=settings.captions,
        ),
        model=replace(base.model, hidden_size=size, embedding_size=size),
        train=replace(
            base.train,
            seed=seed,
            max_steps=settings.noise_steps if noisy else settings.steps,
            batch_size=settings.batch_size,
            lr=settings.noise_lr if noisy else settings.lr,
            warmup_steps=30,
        ),
    )


def say(
    run: Path,
    test: CaptionList,
    triplets: Path,
    settings: StudySettings,
    *,
    noise: float,
    seed: int,
) -> dict[str, str]:
    """What a run says of each test item, by id, at a level of noise."""
    saved = load_captioner(run)
    assert saved.semantics is not None  # every recipe of the study has them
    source = SemanticSource.read(str(triplets), saved.semantics, noise=noise, seed=seed)
    options = replace(
        saved.decoding, beam_size=settings.beam_size, length_penalty=settings.length_penalty
    )
    results = evaluate_captions(saved, test, options, metrics=("bleu",), semantics=source)
    return {one.item_id: one.caption for one in results.captions}


def run_study(
    msvd: Path,
    out: Path,
    settings: StudySettings,
    *,
    num_seeds: int,
    noise: Sequence[float] = NOISE,
    only: Sequence[str] = (),
    keys: Sequence[str] = tuple(NAMES),
    threads: int | None = None,
) -> dict[str, Any]:
    """All trainings and sentences that are not there yet, and the scores of all.

    Args:
        msvd: Folder of the data.
        out: Of the study; made here.
        settings: Of every training.
        num_seeds: Trainings of each form.
        noise: Levels at which they are measured.
        only: Names of recipes; all when empty.
        keys: Result keys of the scores.
        threads: Of the processor.

    Raises:
        LrcnError: data or folder do not allow it.
    """
    triplets = find_triplets(msvd)
    _same_settings(out, settings)
    test = read_captions(msvd, layout="msvd", split="test", need_media=False)
    said: dict[Cell, list[dict[str, str]]] = {}
    names = [name for name in SEMANTIC_RECIPES if not only or name in only]
    for seed in range(num_seeds):
        for name in names:
            for level in noise:
                path = out / "sentences" / f"{name}-{seed}-noise{level:g}.json"
                if not path.is_file():
                    run = _trained(name, msvd, out, seed=seed, settings=settings, threads=threads)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    found = say(run, test, triplets, settings, noise=level, seed=seed)
                    write_text(path, json.dumps(found, indent=1, ensure_ascii=False) + "\n")
                texts = json.loads(path.read_text(encoding="utf-8"))
                said.setdefault(Cell(name, level), []).append(texts)
    scored = score_cells({item.item_id: item.captions for item in test.items}, said, keys=keys)
    pairs = [(first, second) for first, second in _PAIRS if {first, second} <= set(names)]
    document = {
        "note": "the triplets come from the references: an upper bound that shows the decoder",
        "num_seeds": num_seeds,
        "keys": list(keys),
        "settings": asdict(settings),
        "cells": [cell.to_dict() for cell in scored],
        "differences": [
            score_differences(scored, first, second, noise=level)
            for first, second in pairs
            for level in noise
        ],
    }
    write_text(out / "semantics.json", json.dumps(document, indent=1) + "\n")
    return document


def _same_settings(out: Path, settings: StudySettings) -> None:
    """Refuse to mix results of several settings in one folder."""
    path, now = out / "settings.json", asdict(settings)
    if not path.is_file():
        out.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(now) + "\n")
    elif json.loads(path.read_text(encoding="utf-8")) != now:
        raise DataError(
            f"{out} holds a study with other settings ({path.read_text().strip()}); one"
            " folder is one study. Give the same settings, or another OUT"
        )


def _trained(
    name: str, msvd: Path, out: Path, *, seed: int, settings: StudySettings, threads: int | None
) -> Path:
    """The run of the last stage; trained, or gone on with, where it is not finished."""
    run = out / "runs" / f"{name}-{seed}"
    first = study_experiment(name, msvd, seed=seed, settings=settings)
    _finish_training(first, run, threads)
    if not settings.train_noise:
        return run
    noisy = run.with_name(f"{run.name}-with-noise")
    second = study_experiment(name, msvd, seed=seed, settings=settings, start=run)
    _finish_training(second, noisy, threads)
    return noisy


def _finish_training(experiment: CaptionExperiment, run: Path, threads: int | None) -> None:
    """Train, or go on; a finished run is left as it is."""
    done = run / "finished"
    if not done.is_file():
        resume = (run / "last").is_dir()
        train(experiment, run, resume=resume, overwrite=not resume, threads=threads)
        write_text(done, "trained to the end\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lrcn.recipes.semantics",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    own = StudySettings()
    parser.add_argument("msvd", type=Path, metavar="MSVD", help="folder with sents_*.txt")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder for runs and results")
    parser.add_argument("--seeds", type=int, default=3, help="how many (default: 3)")
    parser.add_argument("--steps", type=int, default=own.steps, help="updates (default: 1200)")
    parser.add_argument(
        "--hidden-size", type=int, default=own.hidden_size, help="units (default: 256)"
    )
    parser.add_argument("--captions", choices=("each", "one"), default=own.captions)
    parser.add_argument(
        "--train-noise",
        type=float,
        default=own.train_noise,
        help="most of a distribution that is false in a second stage of training, which goes on"
        " from the first (default: 0: no such stage)",
    )
    parser.add_argument(
        "--noise-steps",
        type=int,
        default=own.noise_steps,
        help="updates of the second stage (default: 600)",
    )
    parser.add_argument(
        "--noise", type=float, nargs="+", default=list(NOISE), help="levels at test, 0 to 1"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        choices=tuple(SEMANTIC_RECIPES),
        help="only these forms, for example to train several at the same time",
    )
    parser.add_argument("--threads", type=int, help="threads of the processor (default: all)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code: 0, 2 wrong input, 130 interrupted."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.seeds < 1:
        parser.error(f"--seeds must be at least 1, not {given.seeds}")
    settings = StudySettings(
        steps=given.steps,
        hidden_size=given.hidden_size,
        captions=given.captions,
        train_noise=given.train_noise,
        noise_steps=given.noise_steps,
    )
    try:
        document = run_study(
            given.msvd,
            given.out,
            settings,
            num_seeds=given.seeds,
            noise=given.noise,
            only=given.only,
            threads=given.threads,
        )
    except (LrcnError, OSError) as error:
        sys.stderr.write(f"{parser.prog}: error: {' '.join(str(error).split())}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command goes on\n")
        return 130
    sys.stdout.write(markdown(document) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
