"""Does recurrence help? Every factor of the paper's studies, one at a time, on three data sets.

    python -m lrcn.recipes.study OUT --ucf101-6 UCF101_6 --weizmann original_masks.mat --hours 3

::

    OUT/
    ├── motion/          the rendered world, made here
    ├── runs/            one run per cell and seed
    ├── weizmann/        as `python -m lrcn.recipes.weizmann` leaves it
    └── study.json       every cell: seeds, means, intervals, differences, seconds

Data sets that are not given are left out, and named. With the same OUT it goes on where it
stopped: what was finished with the same settings and data is not repeated, and a training that
was cut off is taken up where its state was saved. The data sets take turns, cell by cell; once
`--hours` are spent nothing more is begun, and the cells left out are named.

A cell's accuracy is the mean over seeds. Its interval comes from drawing videos, each with the
answers of all its seeds, and so does that of a difference, to the default cell of its data set and
to the cells that it is best set beside. Nothing is chosen by the test videos: the last epoch
counts, and the weights of fusions are the paper's.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

from rich.console import Console

from lrcn.data.datasets import read_dataset
from lrcn.data.motion import ABOUT_NAME, make_motion
from lrcn.data.motion_config import MotionConfig
from lrcn.engine import choose_device, describe_processor, set_threads
from lrcn.errors import LrcnError, OutputError
from lrcn.evaluate.record import versions
from lrcn.recipes.masks import export_masks, read_masks
from lrcn.recipes.stopwatch import Spent
from lrcn.recipes.study_cells import DATA_NAMES, Cell, DataName, all_cells, fusions, needed
from lrcn.recipes.study_runs import Answered, Report, Runs, TurnRuns, VideoRuns
from lrcn.recipes.study_table import Row, fuse, markdown, row
from lrcn.recipes.weizmann import make_out
from lrcn.train.run import write_text

NUM_TRAIN, NUM_VAL, NUM_TEST = 2000, 40, 240
"""Clips of the rendered world: half of the demo's, so that three seeds of every cell fit."""
WORLD_SEED = 0
STUDY_NAME = "study.json"


@dataclass(frozen=True, kw_only=True)
class Study:
    """Where the study computes, on what."""

    out: Path
    ucf101_6: Path | None
    weizmann: Path | None
    num_seeds: int
    hours: float | None
    """Once they are spent, earlier sittings included, no further training is begun."""
    device: str
    threads: int | None
    report: Report

    def run(self, datas: Sequence[DataName], names: Sequence[str] = ()) -> dict[str, Any]:
        """Run what is missing; write and return the document.

        Args:
            datas: Data sets to run; all of them are read before anything is trained.
            names: Cells to run, with the default of each data set and what they are set beside;
                all when empty.

        Raises:
            LrcnError: data or folder do not allow it.
        """
        runs = {data: self._runs(data) for data in datas}
        cells = {data: [cell for cell in all_cells() if cell.data == data] for data in datas}
        chosen = {data: needed(found, names) if names else found for data, found in cells.items()}
        answered, spent = self._answer(chosen, runs)
        rows = [one for data in datas for one in _rows(chosen[data], answered[data])]
        there = {(one["data"], one["name"]) for one in rows}
        left_out: list[str] = [data for data in DATA_NAMES if data not in datas]
        left_out += [
            f"{data} {cell.name}"
            for data in datas
            for cell in cells[data]
            if (data, cell.name) not in there
        ]
        document = {
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "num_seeds": self.num_seeds,
            "left_out": left_out,
            **spent.to_dict(),
            "versions": versions(),
            "processor": describe_processor(),
            "threads": self.threads,
            "cells": rows,
        }
        write_text(self.out / STUDY_NAME, json.dumps(document, indent=2, default=str) + "\n")
        return document

    def _answer(
        self, cells: Mapping[DataName, Sequence[Cell]], runs: Mapping[DataName, Runs]
    ) -> tuple[dict[DataName, dict[str, list[Answered]]], Spent]:
        """What the cells answer with every seed, those that are there or made in time; the cost.

        The data sets take turns, so that the first cells of all come before the last of any.
        """
        answered: dict[DataName, dict[str, list[Answered]]] = {data: {} for data in cells}
        spent = Spent()
        turns = [cell for turn in zip_longest(*cells.values()) for cell in turn if cell is not None]
        for cell in turns:
            seeds = []
            for seed in range(self.num_seeds):
                found = runs[cell.data].finished(cell, seed)
                if found is None and self._in_time(spent):
                    found = runs[cell.data].make(cell, seed)
                if found is not None:
                    seeds.append(found)
                    spent += found[1]
            if len(seeds) == self.num_seeds:
                answered[cell.data][cell.name] = seeds
        return answered, spent

    def _in_time(self, spent: Spent) -> bool:
        return self.hours is None or spent.seconds < 3600 * self.hours

    def _runs(self, data: DataName) -> Runs:
        """The runs of a data set's cells; reads the data."""
        if data == "weizmann":
            assert self.weizmann is not None
            out = self.out / "weizmann"
            return TurnRuns(
                items=export_masks(read_masks(self.weizmann), out / "videos"),
                out=out,
                threads=self.threads,
                report=self.report,
            )
        if data == "ucf101_6":
            assert self.ucf101_6 is not None
            place = self.ucf101_6
            listed = read_dataset(place, layout="ucf101", fold=1, missing="skip")
        else:
            place = self._world()
            listed = read_dataset(place)
        return VideoRuns.of(
            self.out / "runs",
            place,
            listed,
            device=self.device,
            threads=self.threads,
            report=self.report,
        )

    def _world(self) -> Path:
        """The rendered world, made where it is not there."""
        world, config = self.out / "motion", MotionConfig()
        if not world.is_dir():
            self.report(f"rendering {NUM_TRAIN + NUM_VAL + NUM_TEST} clips into {world}")
            make_motion(
                world,
                config,
                num_train=NUM_TRAIN,
                num_val=NUM_VAL,
                num_test=NUM_TEST,
                seed=WORLD_SEED,
                threads=self.threads or 2,
            )
        wanted = {
            "seed": WORLD_SEED,
            "counts": {"train": NUM_TRAIN, "val": NUM_VAL, "test": NUM_TEST},
            "config": asdict(config),
        }
        try:
            there = json.loads((world / ABOUT_NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            there = None
        if there != json.loads(json.dumps(wanted)):
            raise OutputError(
                f"{world} is not the rendered world of this study: its {ABOUT_NAME} is absent or"
                " tells of other settings. Remove the folder, or choose another OUT"
            )
        return world


def _rows(cells: Sequence[Cell], answered: Mapping[str, Sequence[Answered]]) -> list[Row]:
    """The cells of one data set that are whole, and the fusions of what they answer."""
    answers = {name: [said for said, _ in seeds] for name, seeds in answered.items()}
    rows = [
        row(cell, answers, sum((spent for _, spent in answered[cell.name]), Spent()))
        for cell in cells
        if cell.name in answered
    ]
    for fusion in fusions():
        if fusion.data == cells[0].data and set(fusion.members) <= set(answered):
            members = zip(*(answers[name] for name in fusion.members), strict=True)
            answers[fusion.name] = [fuse(pair, fusion.weights) for pair in members]
            rows.append(row(fusion, answers, Spent()))
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code: 0, 2 wrong input, 130 interrupted."""
    parser = _parser()
    given = parser.parse_args(arguments)
    datas = _chosen_data(parser, given)
    study = Study(
        out=given.out,
        ucf101_6=given.ucf101_6,
        weizmann=given.weizmann,
        num_seeds=given.seeds,
        hours=given.hours,
        device=given.device,
        threads=given.threads,
        report=Console(stderr=True, quiet=given.quiet, highlight=False, markup=False).print,
    )
    try:
        set_threads(given.threads)
        choose_device(given.device)
        make_out(given.out)
        document = study.run(datas, given.cells)
    except (LrcnError, OSError) as error:
        sys.stderr.write(f"{parser.prog}: error: {' '.join(str(error).split())}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command goes on where it stopped\n")
        return 130
    text = json.dumps(document, indent=2, default=str) if given.json else markdown(document)
    sys.stdout.write(text + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    summary, _, more = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog="python -m lrcn.recipes.study",
        description=summary,
        epilog=more,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="folder for runs and results")
    parser.add_argument("--ucf101-6", type=Path, metavar="FOLDER", help="clips of UCF101")
    parser.add_argument("--weizmann", type=Path, metavar="MASKS", help="original_masks.mat")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds (default: 3)")
    parser.add_argument(
        "--hours",
        type=float,
        help="begin no training once so much time is spent, earlier sittings included; what is"
        " then not there is left out, and named (default: no limit)",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        choices=DATA_NAMES,
        metavar="DATA",
        help=f"only these data sets: {', '.join(DATA_NAMES)}",
    )
    parser.add_argument(
        "--cells",
        nargs="+",
        default=[],
        metavar="CELL",
        help="only these, with the defaults and what they are set beside",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, ... (default: auto)")
    parser.add_argument("--threads", type=int, help="threads of the processor (default: all)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--quiet", action="store_true", help="no messages on stderr")
    return parser


def _chosen_data(parser: argparse.ArgumentParser, given: argparse.Namespace) -> list[DataName]:
    """The data sets to run; ends the program where the arguments do not fit together."""
    if given.seeds < 1:
        parser.error(f"--seeds must be at least 1, not {given.seeds}")
    if given.hours is not None and not given.hours >= 0:
        parser.error(f"--hours must be 0 or more, not {given.hours}; 0 only tells what is there")
    absent = {
        name: option
        for name, option, value in (
            ("ucf101_6", "--ucf101-6 FOLDER", given.ucf101_6),
            ("weizmann", "--weizmann MASKS", given.weizmann),
        )
        if value is None
    }
    for name in given.only:
        if name in absent:
            parser.error(f"--only {name} needs {absent[name]}")
    datas = [name for name in DATA_NAMES if name in (given.only or DATA_NAMES)]
    datas = [name for name in datas if name not in absent]
    known = sorted({cell.name for cell in all_cells() if cell.data in datas})
    for name in given.cells:
        if name not in known:
            parser.error(f"{', '.join(datas)} have no cell {name!r}; there are {', '.join(known)}")
    return datas


if __name__ == "__main__":
    sys.exit(main())
