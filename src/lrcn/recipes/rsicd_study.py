"""Sentences about photos from above: the paper's studies (its 3.8), one factor at a time.

    python -m lrcn.recipes.rsicd_study RSICD OUT --seeds 3

::

    OUT/
    ├── runs/            one run per cell and seed
    ├── results/         one file per cell and seed, per seed's decoders, and of neighbours
    └── rsicd.json       everything, with means

Every cell is trained with each seed, the epoch chosen by CIDEr-D on the 150 validation photos, and
measured on the 419 test photos: greedily, with the recipe's search, and by retrieval with the first
caption of each photo. Of the default cell all searches are measured too, and retrieval among all
captions. With the same OUT it goes on where it stopped; cells that were not run are named.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any, Final, Literal

from lrcn.checkpoint import SavedCaptioner, load_captioner
from lrcn.data.captions import read_captions, select_captions
from lrcn.decoding.options import DecodingOptions
from lrcn.engine import describe_processor, set_threads
from lrcn.errors import LrcnError
from lrcn.evaluate.record import versions
from lrcn.recipes.rsicd_cells import (
    DEFAULT,
    NOT_HERE,
    CaptionCell,
    caption_cells,
    decoders,
)
from lrcn.recipes.rsicd_measure import (
    KEYS,
    Photos,
    Row,
    look,
    measure_neighbours,
    measure_pairs,
    measure_sentences,
)
from lrcn.settings import to_dict
from lrcn.structures import CaptionList
from lrcn.train.caption_config import CaptionExperiment
from lrcn.train.run import fingerprint, write_text
from lrcn.train.session import train

STUDY_NAME: Final = "rsicd.json"
_GREEDY: Final = DecodingOptions(method="greedy", max_tokens=30)
_RETRIEVAL: Final = ("recall_at_1", "recall_at_5", "recall_at_10", "median_rank")
_WAYS: Final = ("caption_to_image", "image_to_caption")


@dataclass
class CaptionStudy:
    """Where the study computes, on what.

    Attributes:
        data: Folder of RSICD.
        out: For runs and results.
        epochs: In place of the recipe's, of cells that start from nothing.
        hidden_size: In place of the recipe's: units of a layer, and width of a word's vector.
        threads: Of the processor.
    """

    data: Path
    out: Path
    epochs: int | None = None
    hidden_size: int | None = None
    threads: int | None = None
    _looked: dict[str, Photos] = field(default_factory=dict)

    @cached_property
    def captions(self) -> CaptionList:
        """All of the data."""
        return read_captions(self.data)

    def run(self, cells: Sequence[CaptionCell], seeds: Sequence[int]) -> dict[str, Any]:
        """Run what is missing; write and return the document.

        Raises:
            LrcnError: data or folder do not allow it.
        """
        rows: dict[str, list[Row]] = {cell.name: [] for cell in cells}
        searches: list[Row] = []
        pairs: list[Row] = []
        for seed in seeds:
            for cell in cells:
                rows[cell.name].append(self._cell(cell, seed))
            if DEFAULT in rows:
                mark = self._mark(seed)
                searches.append(self._kept(f"decoders-{seed}", mark, self._decode, seed))
                pairs.append(self._kept(f"retrieval-{seed}", mark, self._retrieve, seed))
        document: dict[str, Any] = {
            "seeds": list(seeds),
            "epochs": self.epochs,
            "hidden_size": self.hidden_size,
            "left_out": [c.name for c in caption_cells() if c.name not in rows],
            "not_here": NOT_HERE,
            "versions": versions(),
            "processor": describe_processor(),
            "cells": [_summary(cell, rows[cell.name]) for cell in cells],
        }
        if searches:
            names = searches[0]
            document["decoders"] = {
                name: _mean([found[name] for found in searches]) for name in names
            }
            document["retrieval"] = _mean(pairs)
            document["neighbours"] = self._kept("neighbours", "", self._neighbours, None)
        write_text(self.out / STUDY_NAME, json.dumps(document, indent=1, default=str) + "\n")
        return document

    def _cell(self, cell: CaptionCell, seed: int) -> Row:
        """What a cell gives with one seed."""
        experiment = self._experiment(cell, seed)
        mark = self._mark(seed, cell)
        run = self._run_of(cell.name, seed)

        def measure(_: int) -> Row:
            seconds = _finish_training(experiment, run, mark, self.threads)
            saved = load_captioner(run)
            photos = self._photos(saved, "test", of_run=str(run) if _learns(experiment) else "")
            return {
                "greedy": measure_sentences(saved, photos, _GREEDY, seed=seed),
                "searched": measure_sentences(saved, photos, saved.decoding, seed=seed),
                "retrieval": measure_pairs(saved, photos, captions_per_photo=1),
                "training_seconds": seconds,
            }

        return self._kept(f"{cell.name}-{seed}", mark, measure, seed)

    def _experiment(self, cell: CaptionCell, seed: int) -> CaptionExperiment:
        base = cell.experiment
        train = replace(base.train, seed=seed)
        if self.epochs is not None and cell.starts_from is None:
            train = replace(train, epochs=self.epochs)
        model = base.model
        if self.hidden_size is not None:
            size = self.hidden_size
            model = replace(model, hidden_size=size, embedding_size=size)
        start = None
        if cell.starts_from is not None:
            start = str(self._run_of(cell.starts_from, seed))
        dataset = replace(base.dataset, data=str(self.data.absolute()))
        return replace(base, dataset=dataset, model=model, train=train, init=start)

    def _run_of(self, name: str, seed: int) -> Path:
        return self.out / "runs" / f"{name}-{seed}"

    def _mark(self, seed: int, cell: CaptionCell | None = None) -> str:
        """Stands for everything that a result depends on, as far as it can be told."""
        cells = {one.name: one for one in caption_cells()}
        cell = cell or cells[DEFAULT]
        chain = [cell] if cell.starts_from is None else [cells[cell.starts_from], cell]
        items = [f"{item.item_id} {item.captions}" for item in self.captions.items]
        return " ".join(fingerprint(self._experiment(one, seed), items, 1) for one in chain)

    def _kept(
        self, name: str, mark: str, measure: Callable[[Any], Row], argument: int | None
    ) -> Row:
        """What was measured before under the same mark, else what is measured now."""
        path = self.out / "results" / f"{name}.json"
        if path.is_file():
            kept: Row = json.loads(path.read_text(encoding="utf-8"))
            if kept["mark"] == mark:
                found: Row = kept["found"]
                return found
        started = time.process_time()
        found = measure(argument)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps({"mark": mark, "found": found}, indent=1) + "\n")
        sys.stderr.write(f"{name}: {time.process_time() - started:.0f} s of processor time\n")
        return found

    def _photos(
        self, saved: SavedCaptioner, part: Literal["train", "test"], *, of_run: str = ""
    ) -> Photos:
        """The features of a part; those of a CNN that stays as it is once for all cells."""
        key = f"{part} {of_run}"
        if key not in self._looked:
            self._looked[key] = look(saved, select_captions(self.captions, part))
        return self._looked[key]

    def _default(self, seed: int) -> tuple[SavedCaptioner, Photos]:
        saved = load_captioner(self._run_of(DEFAULT, seed))
        return saved, self._photos(saved, "test")

    def _decode(self, seed: int) -> Row:
        saved, photos = self._default(seed)
        return {
            name: measure_sentences(saved, photos, options, seed=seed)
            for name, options in decoders().items()
        }

    def _retrieve(self, seed: int) -> Row:
        return measure_pairs(*self._default(seed))

    def _neighbours(self, _: None) -> Row:
        saved, test = self._default(0)
        return measure_neighbours(self._photos(saved, "train"), test)


def _learns(experiment: CaptionExperiment) -> bool:
    return experiment.train.unfreeze_at is not None


def _finish_training(
    experiment: CaptionExperiment, run: Path, mark: str, threads: int | None
) -> float:
    """Train, or go on; a run that was finished under the same mark is left as it is.

    Returns:
        Seconds spent in the training loop.
    """
    done = run / "finished.json"
    if done.is_file():
        kept = json.loads(done.read_text(encoding="utf-8"))
        if kept["mark"] == mark:
            return float(kept["seconds"])
        shutil.rmtree(run)
    resume = (run / "last").is_dir()
    found = train(experiment, run, resume=resume, overwrite=not resume, threads=threads, quiet=True)
    write_text(done, json.dumps({"mark": mark, "seconds": found.seconds}) + "\n")
    return found.seconds


def _summary(cell: CaptionCell, seeds: Sequence[Row]) -> Row:
    return {
        "name": cell.name,
        "factor": cell.factor,
        **{part: _mean([one[part] for one in seeds]) for part in ("greedy", "searched")},
        "retrieval": _mean([one["retrieval"] for one in seeds]),
        "seeds": list(seeds),
        "experiment": to_dict(cell.experiment),
    }


def _mean(rows: Sequence[Row]) -> dict[str, float]:
    return {key: fmean(row[key] for row in rows) for key in rows[0]}


def markdown(document: dict[str, Any]) -> str:
    """The document as tables."""
    lines = ["| cell | greedy | searched | CIDEr-D of the seeds | c→i R@1, Medr | i→c R@1, Medr |"]
    lines.append("|---|---|---|---|---|---|")
    for cell in document["cells"]:
        seeds = ", ".join(f"{one['searched']['cider_d']:.3f}" for one in cell["seeds"])
        ways = " | ".join(
            f"{cell['retrieval'][f'{way}_recall_at_1']:.3f},"
            f" {cell['retrieval'][f'{way}_median_rank']:.1f}"
            for way in _WAYS
        )
        lines.append(
            f"| {cell['factor']}: {cell['name']} | {_scores(cell['greedy'])}"
            f" | {_scores(cell['searched'])} | {seeds} | {ways} |"
        )
    if "decoders" in document:
        lines += ["", f"| search | {', '.join(KEYS)} | distinct |", "|---|---|---|"]
        for name, row in document["decoders"].items():
            lines.append(f"| {name} | {_scores(row)} | {row['distinct_sentences']:.0f} |")
        neighbours = document["neighbours"]
        lines.append(f"| the most similar training photo | {_scores(neighbours['sentences'])} | |")
        lines += ["", f"| retrieval | {' | '.join(_WAYS)} |", "|---|---|---|"]
        for name, row in (
            (DEFAULT, document["retrieval"]),
            ("nearest neighbour", neighbours["retrieval"]),
            ("chance", neighbours["retrieval_chance"]),
        ):
            cells = [", ".join(f"{row[f'{way}_{key}']:.3f}" for key in _RETRIEVAL) for way in _WAYS]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    missing = [*document["left_out"], *(f"{k} ({v})" for k, v in document["not_here"].items())]
    return "\n".join([*lines, "", f"Left out: {'; '.join(missing)}."])


def _scores(row: Row) -> str:
    return ", ".join(f"{row[key]:.3f}" if key in row else "-" for key in KEYS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code: 0, 2 wrong input, 130 interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m lrcn.recipes.rsicd_study",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path, metavar="RSICD", help="folder with annotations, images")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder for runs and results")
    parser.add_argument("--seeds", type=int, default=3, help="how many (default: 3)")
    parser.add_argument("--first-seed", type=int, default=0, help="of the seeds (default: 0)")
    parser.add_argument("--epochs", type=int, help="in place of the recipe's")
    parser.add_argument("--hidden-size", type=int, help="in place of the recipe's")
    parser.add_argument("--cells", nargs="+", metavar="CELL", help="only these (default: all)")
    parser.add_argument("--threads", type=int, help="threads of the processor (default: all)")
    given = parser.parse_args(arguments)
    known = {cell.name: cell for cell in caption_cells()}
    names = list(known) if given.cells is None else given.cells
    for name in names:
        if name not in known:
            parser.error(f"there is no cell {name!r}; there are {', '.join(known)}")
    for option in ("seeds", "epochs", "hidden_size"):
        value = getattr(given, option)
        if value is not None and value < 1:
            parser.error(f"--{option.replace('_', '-')} must be at least 1, not {value}")
    set_threads(given.threads)
    study = CaptionStudy(
        given.data,
        given.out,
        epochs=given.epochs,
        hidden_size=given.hidden_size,
        threads=given.threads,
    )
    try:
        document = study.run(
            [known[name] for name in names], range(given.first_seed, given.first_seed + given.seeds)
        )
    except LrcnError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command goes on\n")
        return 130
    sys.stdout.write(markdown(document) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
