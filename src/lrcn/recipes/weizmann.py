"""Weizmann actions as foreground masks: motion without a scene; leave one person out.

93 sequences of 9 persons doing 10 actions, as masks of 144 x 180 pixels in one MATLAB file. The
protocol of the literature trains on eight persons and tests on the ninth, nine times; every
sequence is tested once. Within a turn nothing is chosen with the person left out: all turns have
the same settings, and the last epoch counts.

    python -m lrcn.recipes.weizmann original_masks.mat OUT --seeds 3

::

    OUT/
    ├── videos/         every sequence as a lossless video, and the list of every turn
    ├── runs/           one run per model, seed and person left out
    └── results.json    the table, with all that it depends on

With the same OUT it goes on where it stopped: finished turns are not repeated.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from lrcn.checkpoint import load_model
from lrcn.data.extract import extract_features
from lrcn.engine import describe_processor, set_threads
from lrcn.errors import ConfigError, LrcnError, MediaError, OutputError
from lrcn.evaluate.record import files_hash, versions
from lrcn.metrics.intervals import wilson_interval
from lrcn.recipes.masks import export_masks, read_masks, write_turn
from lrcn.recipes.shared import weizmann_lrcn, weizmann_single_frame
from lrcn.recipes.stopwatch import Spent, Stopwatch
from lrcn.settings import to_dict
from lrcn.structures import SkippedFile, VideoFeatures, VideoItem
from lrcn.train.config import Experiment
from lrcn.train.run import fingerprint, write_text
from lrcn.train.session import train
from lrcn.train.validate import probabilities

TURN_NAME = "leave-one-out.json"
"""Written last into the run of a turn: what the model says of every sequence of the person."""
RESULTS_NAME = "results.json"
NUM_CROPS = 10
"""Views of a tested sequence (paper 2.6): five crops and their mirror images. The small backbone
sees whole frames, so that here it is the frame and its mirror image; nobody has a better side."""

Report = Callable[[str], None]


def _silent(_: str) -> None:
    """Progress that nobody reads."""


@dataclass(frozen=True, kw_only=True)
class SeedResult:
    """One model, one seed: every sequence tested once, by the model that never saw its person."""

    seed: int
    truth: dict[str, str]
    """Action by sequence."""
    probs: dict[str, dict[str, float]]
    """By sequence: how probable each action is, for the model that never saw its person."""
    spent: Spent
    """Training and testing of the nine turns."""

    @property
    def predicted(self) -> dict[str, str]:
        """The most probable action by sequence."""
        return {name: max(p, key=p.__getitem__) for name, p in self.probs.items()}

    @property
    def wrong(self) -> list[str]:
        """Sequences that were not recognised."""
        predicted = self.predicted
        return [name for name, action in self.truth.items() if predicted[name] != action]

    def to_dict(self) -> dict[str, Any]:
        """For the results file."""
        predicted = self.predicted
        num_right = len(self.truth) - len(self.wrong)
        return {
            "seed": self.seed,
            "accuracy_top1": num_right / len(self.truth),
            "accuracy_top1_interval": wilson_interval(num_right, len(self.truth)),
            "num_right": num_right,
            "num_sequences": len(self.truth),
            "wrong": [{"video_id": v, "predicted": predicted[v]} for v in self.wrong],
            **self.spent.to_dict(),
        }


def persons_of(items: Sequence[VideoItem]) -> list[str]:
    """Who is left out in turn."""
    return sorted({str(item.group) for item in items})


def leave_one_person_out(
    items: Sequence[VideoItem],
    experiment: Experiment,
    out: Path,
    seed: int,
    *,
    threads: int | None = None,
    report: Report = _silent,
) -> SeedResult:
    """Train once per person without that person, and test on it.

    Args:
        items: From `export_masks`, into `out / "videos"`.
        experiment: The same for every turn; its data and seed are set here.
        out: Turns that were finished there, with the same settings and data, are not repeated.
        seed: Of weights, order and augmentation.
        threads: Of the processor; None = all.
        report: Gets a line per turn.

    Raises:
        LrcnError: data or folder do not allow it.
    """
    turns, found = _turns(items, experiment, out, seed), []
    for turn in turns:
        said = turn.finished()
        if said is None:
            said = _make(turn, items, out / "videos", threads=threads)
        found.append(said)
        num_right = len(turn.tested) - len(_result([turn], [said], seed).wrong)
        report(
            f"{experiment.name}, seed {seed}, without {turn.person}:"
            f" {num_right} of {len(turn.tested)} right ({said['seconds']:.0f} s)"
        )
    return _result(turns, found, seed)


def finished_turns(
    items: Sequence[VideoItem], experiment: Experiment, out: Path, seed: int
) -> SeedResult | None:
    """What `leave_one_person_out` found, where it was finished with these settings and data."""
    turns = _turns(items, experiment, out, seed)
    found = [turn.finished() for turn in turns]
    whole = [said for said in found if said is not None]
    return _result(turns, whole, seed) if len(whole) == len(found) else None


@dataclass(frozen=True, kw_only=True)
class _Turn:
    """One training, and the sequences of the person that it does without."""

    person: str
    tested: list[VideoItem]
    settings: Experiment
    run: Path
    mark: str

    def finished(self) -> dict[str, Any] | None:
        """What it left, if it was finished with these settings on these data."""
        try:
            found = json.loads((self.run / TURN_NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        whole = isinstance(found, dict) and {"mark", "probs", *Spent.names()} <= set(found)
        return found if whole and found["mark"] == self.mark else None


def _turns(items: Sequence[VideoItem], experiment: Experiment, out: Path, seed: int) -> list[_Turn]:
    content = files_hash(items)
    settings = replace(
        experiment,
        dataset=replace(experiment.dataset, val_fraction=0.0),
        train=replace(experiment.train, seed=seed, select_by="last", patience=None),
    )
    return [
        _Turn(
            person=person,
            tested=[item for item in items if item.group == person],
            settings=settings,
            run=out / "runs" / f"{experiment.name}-seed{seed}-without-{person}",
            mark=fingerprint(settings, [content, person, f"{NUM_CROPS} crops"], 1),
        )
        for person in persons_of(items)
    ]


def _make(
    turn: _Turn, items: Sequence[VideoItem], lists: Path, *, threads: int | None
) -> dict[str, Any]:
    """Train without the person, test on it; what is kept of the turn."""
    watch = Stopwatch()
    listed = lists / f"without-{turn.person}.csv"
    write_turn(items, turn.person, listed)
    shutil.rmtree(turn.run, ignore_errors=True)  # unfinished, or of other settings
    dataset = replace(turn.settings.dataset, data=str(listed))
    train(replace(turn.settings, dataset=dataset), turn.run, threads=threads, quiet=True)
    said = measure(turn.run, turn.tested)
    found = {"mark": turn.mark, "probs": said, **watch.spent().to_dict()}
    write_text(turn.run / TURN_NAME, json.dumps(found, indent=2) + "\n")
    return found


def _result(turns: Sequence[_Turn], found: Sequence[dict[str, Any]], seed: int) -> SeedResult:
    return SeedResult(
        seed=seed,
        truth={i.video_id: i.class_names[0] for turn in turns for i in turn.tested},
        probs={name: probs for said in found for name, probs in said["probs"].items()},
        spent=sum((Spent.of(said) for said in found), Spent()),
    )


def measure(run_dir: Path, items: Sequence[VideoItem]) -> dict[str, dict[str, float]]:
    """What the model of a run says of every item: probabilities by class name.

    Args:
        run_dir: Of a finished training.
        items: Their sequences, from `export_masks`.

    Raises:
        MediaError: one of the videos cannot be read any more.
    """
    saved = load_model(run_dir)
    backbone = saved.model.backbone
    assert backbone is not None  # the recipes of this file have one
    features: list[VideoFeatures] = []
    with torch.no_grad():
        for found in extract_features(
            items,
            lambda frames_NCHW: backbone(backbone.normalise(frames_NCHW)),
            saved.model.preprocessing,
            sampling=saved.sampling,
            num_crops=NUM_CROPS,
        ):
            if isinstance(found, SkippedFile):
                raise MediaError(f"{found.path}: {found.reason}")
            features.append(found)
    probs = probabilities(saved.model, features, saved.sampling)
    names = saved.model.class_names
    return {
        item.video_id: dict(zip(names, probs[item.video_id].tolist(), strict=True))
        for item in items
    }


def make_out(out: Path) -> None:
    """Make the folder of an experiment, where it is not there.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make {out}: {error.strerror}. Choose another OUT") from error


def run(
    masks: Path,
    out: Path,
    *,
    num_seeds: int = 3,
    experiments: Sequence[Experiment] | None = None,
    threads: int | None = None,
    report: Report = _silent,
) -> dict[str, Any]:
    """The whole protocol for every model and seed; writes and returns the results document.

    Args:
        masks: `original_masks.mat`.
        out: Folder for videos, runs and results.
        num_seeds: Seeds 0, 1, ...
        experiments: The single-frame model and the LRCN when None.
        threads: Of the processor; None = all.
        report: Gets lines of progress.

    Raises:
        LrcnError: masks or folder do not allow it.
    """
    if num_seeds < 1:
        raise ConfigError(f"--seeds must be at least 1, not {num_seeds}")
    set_threads(threads)
    if experiments is None:
        experiments = (weizmann_single_frame(), weizmann_lrcn())
    sequences = read_masks(masks)
    report(f"{len(sequences)} sequences of {masks}")
    make_out(out)
    items = export_masks(sequences, out / "videos")
    models = {}
    for experiment in experiments:
        found = [
            leave_one_person_out(items, experiment, out, seed, threads=threads, report=report)
            for seed in range(num_seeds)
        ]
        models[experiment.name] = {
            "seeds": [result.to_dict() for result in found],
            "experiment": to_dict(experiment),
        }
    document = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "protocol": {
            "data": str(masks),
            "content_hash": files_hash(items),
            "split": "leave one person out",
            "persons": persons_of(items),
            "num_sequences": len(items),
            "selection": "one set of settings for all turns; the last epoch",
            "num_crops": NUM_CROPS,
            "interval_method": "Wilson, 0.95",
            "versions": versions(),
            "processor": describe_processor(),
        },
        "models": models,
    }
    write_text(out / RESULTS_NAME, json.dumps(document, indent=2, default=str) + "\n")
    return document


def print_results(document: dict[str, Any]) -> None:
    """The table on stdout, and what was taken for what."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("model", "seed", "right", "accuracy_top1", "interval", "seconds"):
        table.add_column(name, justify="left" if name == "model" else "right")
    lines = []
    for model, found in document["models"].items():
        for seed in found["seeds"]:
            low, high = seed["accuracy_top1_interval"]
            table.add_row(
                model,
                str(seed["seed"]),
                f"{seed['num_right']} of {seed['num_sequences']}",
                f"{seed['accuracy_top1']:.4f}",
                f"{low:.3f} to {high:.3f}",
                f"{seed['seconds']:.0f}",
            )
            wrong = ", ".join(f"{w['video_id']} as {w['predicted']}" for w in seed["wrong"])
            lines.append(f"{model}, seed {seed['seed']}, wrong: {wrong or 'none'}")
    console = Console(file=sys.stdout, highlight=False, markup=False)
    if not console.is_terminal:  # nothing is cut off in a pipe
        console = Console(file=sys.stdout, highlight=False, markup=False, width=160)
    console.print(table)
    for line in lines:
        console.print(line, soft_wrap=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code: 0, 2 wrong input, 130 interrupted."""
    summary, _, more = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog="python -m lrcn.recipes.weizmann",
        description=summary,
        epilog=more,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("masks", type=Path, metavar="MASKS", help="original_masks.mat")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder for videos, runs, results")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds (default: 3)")
    parser.add_argument("--threads", type=int, help="threads of the processor (default: all)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--quiet", action="store_true", help="no messages on stderr")
    given = parser.parse_args(arguments)
    say = Console(stderr=True, quiet=given.quiet, highlight=False, markup=False).print
    try:
        document = run(
            given.masks, given.out, num_seeds=given.seeds, threads=given.threads, report=say
        )
    except LrcnError as error:
        sys.stderr.write(f"{parser.prog}: error: {' '.join(str(error).split())}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command goes on where it stopped\n")
        return 130
    if given.json:
        sys.stdout.write(json.dumps(document, indent=2, default=str) + "\n")
    else:
        print_results(document)
    return 0


if __name__ == "__main__":
    sys.exit(main())
