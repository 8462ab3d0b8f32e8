"""One cell of the study with one seed: trained, tested, kept; taken up again where it stopped.

::

    OUT/runs/
    ├── motion-lrcn-seed0/            a run, and study-results.json, written last
    └── motion-lrcn-seed0.begun.json  while it is unfinished: its settings, and what it took
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from lrcn.checkpoint import load_model
from lrcn.data.cache import FeatureCache
from lrcn.data.modality import settle_modality
from lrcn.data.split import select
from lrcn.engine import choose_device
from lrcn.errors import LrcnError
from lrcn.evaluate.loop import evaluate_videos
from lrcn.evaluate.protocol import DataChoice, ProtocolConfig
from lrcn.evaluate.record import files_hash
from lrcn.evaluate.results import Results, load_results
from lrcn.recipes.stopwatch import Spent, Stopwatch
from lrcn.recipes.study_cells import Cell
from lrcn.recipes.study_table import Answers, answers_of, answers_of_turns
from lrcn.recipes.weizmann import finished_turns, leave_one_person_out
from lrcn.structures import VideoItem, VideoList
from lrcn.train.config import Experiment
from lrcn.train.run import EXPERIMENT_NAME, fingerprint, write_text
from lrcn.train.session import train

RESULTS_NAME = "study-results.json"
"""Written last into the run of a cell."""

Report = Callable[[str], None]
Answered = tuple[Answers, Spent]
"""What a cell with one seed says of every tested video, and what that took."""


class Runs(Protocol):
    """The runs of the cells of one data set."""

    def finished(self, cell: Cell, seed: int) -> Answered | None:
        """What an earlier sitting found, with these settings and data."""
        ...

    def make(self, cell: Cell, seed: int) -> Answered:
        """Train and test.

        Raises:
            LrcnError: data or folder do not allow it.
            KeyboardInterrupt: stopped; the next call goes on.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class TurnRuns:
    """The masks, of which one person is left out in turn."""

    items: Sequence[VideoItem]
    out: Path
    threads: int | None
    report: Report

    def finished(self, cell: Cell, seed: int) -> Answered | None:
        """From the runs of all turns."""
        found = finished_turns(self.items, cell.experiment, self.out, seed)
        return None if found is None else (answers_of_turns(found), found.spent)

    def make(self, cell: Cell, seed: int) -> Answered:
        """Every turn that is not there yet."""
        found = leave_one_person_out(
            self.items,
            cell.experiment,
            self.out,
            seed,
            threads=self.threads,
            report=self.report,
        )
        return answers_of_turns(found), found.spent


@dataclass(frozen=True, kw_only=True)
class VideoRuns:
    """The runs of the cells of one data set that has a test part."""

    runs: Path
    data: Path
    listed: VideoList
    """Of all its parts."""
    content: str
    """Hash of all its files: training on other videos is another experiment."""
    device: str
    threads: int | None
    report: Report

    @classmethod
    def of(
        cls,
        runs: Path,
        data: Path,
        listed: VideoList,
        *,
        device: str,
        threads: int | None,
        report: Report,
    ) -> VideoRuns:
        """For the videos of a list, which are read once to know them again.

        Raises:
            LrcnError: there is no test part, or a file cannot be read.
        """
        select(listed, "test")
        return cls(
            runs=runs,
            data=data,
            listed=listed,
            content=files_hash(listed.items),
            device=device,
            threads=threads,
            report=report,
        )

    def make(self, cell: Cell, seed: int) -> Answered:
        """Train and test, going on with what an earlier sitting left of the very same run."""
        run = self._run(cell, seed)
        experiment = self._experiment(cell, seed)
        begun = run.with_name(f"{run.name}.begun.json")
        mark = fingerprint(experiment, [self._mark(cell, seed)], 1)
        before = Spent.of(found) if (found := _read(begun, mark)) else None
        resume = before is not None and (run / EXPERIMENT_NAME).is_file()
        if not resume:
            shutil.rmtree(run, ignore_errors=True)
        run.parent.mkdir(parents=True, exist_ok=True)
        watch = Stopwatch(before)
        try:
            write_text(begun, json.dumps({"mark": mark, **watch.spent().to_dict()}) + "\n")
            train(
                experiment,
                run,
                resume=resume,
                device=self.device,
                threads=self.threads,
                quiet=True,
            )
            results = self._measure(run, experiment)
        finally:
            spent = watch.spent()
            write_text(begun, json.dumps({"mark": mark, **spent.to_dict()}) + "\n")
        path = results.save(run)
        kept = {
            "mark": self._mark(cell, seed),
            "results": str(path.relative_to(run)),
            **spent.to_dict(),
        }
        write_text(run / RESULTS_NAME, json.dumps(kept) + "\n")
        begun.unlink()
        self.report(
            f"{cell.data}, {cell.name}, seed {seed}: {results.metrics['accuracy_top1']:.3f}"
            f" ({spent.seconds:.0f} s, {spent.processor_seconds:.0f} s of the processor)"
        )
        return answers_of(results), spent

    def finished(self, cell: Cell, seed: int) -> Answered | None:
        """From the run, where it is finished with these settings and data."""
        run = self._run(cell, seed)
        kept = _read(run / RESULTS_NAME, self._mark(cell, seed))
        if kept is None:
            return None
        try:
            return answers_of(load_results(run / str(kept["results"]))), Spent.of(kept)
        except (LrcnError, OSError, KeyError):
            return None  # the file that it names was removed or damaged

    def _run(self, cell: Cell, seed: int) -> Path:
        return self.runs / f"{cell.data}-{cell.name}-seed{seed}"

    def _experiment(self, cell: Cell, seed: int) -> Experiment:
        experiment = _seeded(cell.experiment, seed)
        dataset = replace(experiment.dataset, data=str(self.data.resolve()))
        if cell.starts_from is None:
            return replace(experiment, dataset=dataset)
        start = self._run(cell.starts_from, seed)
        return replace(experiment, dataset=dataset, init=str(start.resolve()))

    def _mark(self, cell: Cell, seed: int) -> str:
        """What decides the answers: settings and bytes, not where they lie."""
        marks = [self.content]
        if cell.starts_from is not None:
            marks.append(self._mark(cell.starts_from, seed))
        return fingerprint(_seeded(cell.experiment, seed), marks, 1)

    def _measure(self, run: Path, experiment: Experiment) -> Results:
        """By the paper's protocol, with the model's own clips."""
        saved = load_model(run)
        own = saved.model.preprocessing
        assert own is not None  # every cell has a CNN
        videos = settle_modality(
            select(self.listed, "test"),
            modality=own.modality,
            source="auto",
            flow=own.flow,
            adopt=False,
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


def _seeded(experiment: Experiment, seed: int) -> Experiment:
    return replace(experiment, train=replace(experiment.train, seed=seed))


def _read(path: Path, mark: str) -> Mapping[str, Any] | None:
    """A file of this module, where it is there, whole, and of these settings and data."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(found, dict) and {"mark", *Spent.names()} <= set(found)
    return found if whole and found["mark"] == mark else None
