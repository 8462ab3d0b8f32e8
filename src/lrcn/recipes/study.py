"""Does recurrence help? Every factor of the paper's studies, one at a time, on three data sets.

    python -m lrcn.recipes.study OUT --ucf101-6 UCF101_6 --weizmann original_masks.mat --seeds 3

::

    OUT/
    ├── motion/          the rendered world, made here
    ├── runs/            one run per cell and seed
    ├── weizmann/        as `python -m lrcn.recipes.weizmann` leaves it
    └── study.json       every cell: seeds, means, intervals, difference to the default

Data sets that are not given are left out, and named. With the same OUT it goes on where it
stopped: cells that were finished with the same settings and data are not repeated. A cell's
accuracy is the mean over seeds; its interval comes from drawing videos, each with the answers of
all its seeds, and so does that of the difference to the default cell of its data set.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from lrcn.checkpoint import load_model
from lrcn.data.cache import FeatureCache
from lrcn.data.datasets import read_dataset
from lrcn.data.modality import settle_modality
from lrcn.data.motion import make_motion
from lrcn.data.motion_config import MotionConfig
from lrcn.data.split import select
from lrcn.engine import choose_device, describe_processor, set_threads
from lrcn.errors import LrcnError
from lrcn.evaluate.fuse import fuse_results
from lrcn.evaluate.loop import evaluate_videos
from lrcn.evaluate.protocol import DataChoice, ProtocolConfig
from lrcn.evaluate.record import files_hash, versions
from lrcn.evaluate.results import Results, load_results
from lrcn.metrics.intervals import bootstrap_interval
from lrcn.recipes.masks import export_masks, read_masks
from lrcn.recipes.study_cells import Cell, DataName, Fusion, all_cells, fusions
from lrcn.recipes.weizmann import leave_one_person_out
from lrcn.settings import to_dict
from lrcn.structures import VideoItem, VideoList
from lrcn.train.config import Experiment
from lrcn.train.run import fingerprint, write_text
from lrcn.train.session import train

NUM_TRAIN, NUM_VAL, NUM_TEST = 2000, 40, 240
"""Clips of the rendered world: half of the demo's, so that three seeds of every cell fit."""

RESULTS_NAME = "study-results.json"
"""Written last into the run of a cell."""
STUDY_NAME = "study.json"

Report = Callable[[str], None]
Row = dict[str, Any]
"""A cell as the document holds it."""
Answers = Mapping[str, bool]
"""Whether each video was recognised, by id."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """Where the study computes, on what."""

    out: Path
    ucf101_6: Path | None
    weizmann: Path | None
    num_seeds: int
    device: str
    threads: int | None
    report: Report

    def run(self, only: Sequence[str] = (), names: Sequence[str] = ()) -> dict[str, Any]:
        """Run what is missing; write and return the document.

        Args:
            only: Data sets to run; all that are given when empty.
            names: Cells to run beside the default of each data set; all when empty.

        Raises:
            LrcnError: data or folder do not allow it.
        """
        left_out = []
        rows: list[Row] = []
        for data in ("ucf101_6", "motion", "weizmann"):
            missing = (data == "ucf101_6" and self.ucf101_6 is None) or (
                data == "weizmann" and self.weizmann is None
            )
            if missing or (only and data not in only):
                left_out.append(data)
                continue
            cells = [cell for cell in all_cells() if cell.data == data]
            if names:
                left_out += [f"{data} {c.name}" for c in cells[1:] if c.name not in names]
                cells = [cells[0], *(cell for cell in cells[1:] if cell.name in names)]
            rows += self._weizmann(cells) if data == "weizmann" else self._videos(data, cells)
        document = {
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "num_seeds": self.num_seeds,
            "left_out": left_out,
            "versions": versions(),
            "processor": describe_processor(),
            "cells": rows,
        }
        write_text(self.out / STUDY_NAME, json.dumps(document, indent=2, default=str) + "\n")
        return document

    def _videos(self, data: DataName, cells: Sequence[Cell]) -> list[Row]:
        """The cells of a data set with a test part, and the fusions of their answers."""
        place, test = self._data(data)
        content = files_hash(test.items)
        results: dict[str, list[Results]] = {}
        seconds: dict[str, float] = {}
        for cell in cells:
            results[cell.name], seconds[cell.name] = [], 0.0
            for seed in range(self.num_seeds):
                found, spent = self._cell(cell, seed, place, test, content)
                results[cell.name].append(found)
                seconds[cell.name] += spent
        answers = {name: [_answers(r) for r in found] for name, found in results.items()}
        rows = [_row(cell, answers, seconds[cell.name]) for cell in cells]
        for fusion in fusions():
            if fusion.data != data or not set(fusion.members) <= set(results):
                continue
            pairs = zip(*(results[name] for name in fusion.members), strict=True)
            fused = [
                fuse_results(pair, fusion.weights, names=fusion.members, num_resamples=10)
                for pair in pairs
            ]
            answers[fusion.name] = [_answers(r) for r in fused]
            rows.append(_row(fusion, answers, 0.0))
        return rows

    def _data(self, data: DataName) -> tuple[Path, VideoList]:
        """Where the data lie, and their test part."""
        if data == "ucf101_6":
            assert self.ucf101_6 is not None
            listed = read_dataset(self.ucf101_6, layout="ucf101", fold=1, missing="skip")
            return self.ucf101_6, select(listed, "test")
        world = self.out / "motion"
        if not (world / "test").is_dir():
            make_motion(
                world,
                MotionConfig(),
                num_train=NUM_TRAIN,
                num_val=NUM_VAL,
                num_test=NUM_TEST,
                seed=0,
            )
        return world, select(read_dataset(world), "test")

    def _cell(
        self, cell: Cell, seed: int, data: Path, test: VideoList, content: str
    ) -> tuple[Results, float]:
        """The results of one cell with one seed, from its run where that is finished."""
        run = self.out / "runs" / f"{cell.data}-{cell.name}-seed{seed}"
        experiment = replace(
            cell.experiment,
            dataset=replace(cell.experiment.dataset, data=str(data)),
            train=replace(cell.experiment.train, seed=seed),
        )
        if cell.starts_from is not None:
            start = self.out / "runs" / f"{cell.data}-{cell.starts_from}-seed{seed}"
            experiment = replace(experiment, init=str(start))
        mark = fingerprint(experiment, [content], 1)
        try:
            kept = json.loads((run / RESULTS_NAME).read_text(encoding="utf-8"))
            if kept["mark"] == mark:
                return load_results(run / kept["results"]), kept["seconds"]
        except (OSError, ValueError, KeyError):
            pass  # not finished
        shutil.rmtree(run, ignore_errors=True)
        started = time.monotonic()
        train(experiment, run, device=self.device, threads=self.threads, quiet=True)
        results = self._measure(run, test, experiment)
        seconds = time.monotonic() - started
        path = results.save(run)
        kept = {"mark": mark, "results": str(path.relative_to(run)), "seconds": seconds}
        write_text(run / RESULTS_NAME, json.dumps(kept) + "\n")
        self.report(
            f"{cell.data}, {cell.name}, seed {seed}:"
            f" {results.metrics['accuracy_top1']:.3f} ({seconds:.0f} s)"
        )
        return results, seconds

    def _measure(self, run: Path, test: VideoList, experiment: Experiment) -> Results:
        """By the paper's protocol, with the model's own clips."""
        saved = load_model(run)
        own = saved.model.preprocessing
        assert own is not None  # every cell has a CNN
        videos = settle_modality(
            test, modality=own.modality, source="auto", flow=own.flow, adopt=False
        ).videos
        learnt = experiment.train.unfreeze_at is not None
        # Features of a CNN that is this run's alone are of no use to another one.
        cache = FeatureCache(run / "features") if learnt else FeatureCache()
        sampling = saved.sampling
        results = evaluate_videos(
            saved.model.to(choose_device(self.device)),
            videos,
            ProtocolConfig(
                clip_length=sampling.clip_length,
                clip_stride=sampling.clip_stride,
                frame_stride=sampling.frame_stride,
            ),
            choice=DataChoice(split="test", how="of the study"),
            cache=cache,
            model_path=str(run),
        )
        shutil.rmtree(run / "features", ignore_errors=True)
        return results

    def _weizmann(self, cells: Sequence[Cell]) -> list[Row]:
        """Leave one person out, for every cell and seed."""
        assert self.weizmann is not None
        out = self.out / "weizmann"
        items: list[VideoItem] = export_masks(read_masks(self.weizmann), out / "videos")
        answers: dict[str, list[Answers]] = {}
        rows = []
        for cell in cells:
            seconds = 0.0
            answers[cell.name] = []
            for seed in range(self.num_seeds):
                found = leave_one_person_out(
                    items, cell.experiment, out, seed, threads=self.threads, report=self.report
                )
                answers[cell.name].append(
                    {v: found.predicted[v] == action for v, action in found.truth.items()}
                )
                seconds += found.seconds
            rows.append(_row(cell, answers, seconds))
        return rows


def _answers(results: Results) -> Answers:
    return {video.video_id: video.correct for video in results.videos}


def _row(cell: Cell | Fusion, answers: Mapping[str, Sequence[Answers]], seconds: float) -> Row:
    """One cell, or one fusion of two, for the document."""
    own_NS = _table(answers[cell.name])
    default_NS = _table(answers["lrcn"])
    difference_N = own_NS.mean(axis=1) - default_NS.mean(axis=1)
    return {
        "data": cell.data,
        "factor": cell.factor,
        "name": cell.name,
        "accuracy_top1": float(own_NS.mean()),
        "accuracy_top1_interval": _interval(own_NS.mean(axis=1)),
        "seeds": [float(value) for value in own_NS.mean(axis=0)],
        "difference": float(difference_N.mean()),
        "difference_interval": _interval(difference_N),
        "num_videos": len(own_NS),
        "seconds": round(seconds, 1),
        "experiment": to_dict(cell.experiment) if isinstance(cell, Cell) else None,
    }


def _table(seeds: Sequence[Answers]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Right or wrong, videos by seeds; the videos in the order of their ids."""
    ids = sorted(seeds[0])
    return np.array([[float(answers[v]) for answers in seeds] for v in ids])


def _interval(values_N: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[float, float]:
    return bootstrap_interval(
        lambda places: float(values_N[places].mean()),
        np.arange(len(values_N)),
        generator=torch.Generator().manual_seed(0),
    )


def markdown(document: Mapping[str, Any]) -> str:
    """The document as one table per data set."""
    lines = []
    for data in dict.fromkeys(cell["data"] for cell in document["cells"]):
        lines += [
            f"### {data}",
            "",
            "| factor | cell | accuracy (95 %) | seeds | minus default (95 %) | seconds |",
            "|---|---|---|---|---|---|",
        ]
        for cell in document["cells"]:
            if cell["data"] != data:
                continue
            low, high = cell["accuracy_top1_interval"]
            least, most = cell["difference_interval"]
            seeds = ", ".join(f"{value:.3f}" for value in cell["seeds"])
            lines.append(
                f"| {cell['factor']} | {cell['name']} | {cell['accuracy_top1']:.3f}"
                f" ({low:.3f} to {high:.3f}) | {seeds} | {cell['difference']:+.3f}"
                f" ({least:+.3f} to {most:+.3f}) | {cell['seconds']:.0f} |"
            )
        lines.append("")
    if document["left_out"]:
        lines.append(f"Left out: {', '.join(document['left_out'])}.")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code: 0, 2 wrong input, 130 interrupted."""
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
        "--only", nargs="+", default=[], choices=("ucf101_6", "motion", "weizmann"), metavar="DATA"
    )
    parser.add_argument(
        "--cells", nargs="+", default=[], metavar="CELL", help="only these, beside the defaults"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, ...")
    parser.add_argument("--threads", type=int, help="threads of the processor (default: all)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--quiet", action="store_true", help="no messages on stderr")
    given = parser.parse_args(arguments)
    if given.seeds < 1:
        parser.error(f"--seeds must be at least 1, not {given.seeds}")
    known = sorted({cell.name for cell in all_cells()})
    for name in given.cells:
        if name not in known:
            parser.error(f"there is no cell {name!r}; there are {', '.join(known)}")
    set_threads(given.threads)
    study = Study(
        out=given.out,
        ucf101_6=given.ucf101_6,
        weizmann=given.weizmann,
        num_seeds=given.seeds,
        device=given.device,
        threads=given.threads,
        report=Console(stderr=True, quiet=given.quiet, highlight=False, markup=False).print,
    )
    try:
        given.out.mkdir(parents=True, exist_ok=True)
        document = study.run(given.only, given.cells)
    except (LrcnError, OSError) as error:
        sys.stderr.write(f"{parser.prog}: error: {' '.join(str(error).split())}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command goes on where it stopped\n")
        return 130
    text = json.dumps(document, indent=2, default=str) if given.json else markdown(document)
    sys.stdout.write(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
