"""The part of `lrcn demo` that writes sentences: about rendered pictures, and about clips."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

from rich.console import Console
from rich.table import Table

from lrcn.checkpoint import load_captioner
from lrcn.data.captions import read_captions
from lrcn.data.pictures import make_pictures
from lrcn.data.pictures_config import PictureConfig
from lrcn.data.world_folder import CAPTIONS_NAME
from lrcn.engine import Precision, choose_device
from lrcn.evaluate.captions import CaptionResults, evaluate_captions
from lrcn.evaluate.protocol import DataChoice
from lrcn.evaluate.truth import EXACT_KEY
from lrcn.models.captioner_config import CaptionerConfig
from lrcn.recipes.events import events
from lrcn.recipes.pictures import pictures
from lrcn.report.captions import build_caption_report, load_caption_run
from lrcn.train.caption_config import CaptionExperiment
from lrcn.train.config import Experiment
from lrcn.train.session import train
from lrcn.video.sampling import SamplingConfig

NUM_PICTURES: Final = 1500
"""To train on."""
NUM_EPOCHS: Final = 12
WORLD: Final = PictureConfig(two_shapes=0.0, small=(0.1, 0.12), large=(0.16, 0.19))
"""One shape a picture, none of them tiny: most of it is learnt in half a minute."""
NUM_CLIP_EPOCHS: Final = 6
"""Of the captioner of clips, through its CNN."""
_SHOWN = 6


def demo_captioner(num_epochs: int = NUM_EPOCHS) -> CaptionExperiment:
    """The recipe `pictures`, made small enough for a demo: all of it in one go, end to end."""
    base = pictures()
    model = CaptionerConfig(
        backbone="small",
        weights="random",
        input_px=WORLD.width,
        embedding_size=64,
        hidden_size=128,
        num_layers=1,
    )
    settings = replace(
        base.train,
        epochs=num_epochs,
        unfreeze_at=0,
        freeze_batch_norm=False,
        batch_size=32,
        lr=3e-3,
        backbone_lr=3e-3,
        weight_decay=1e-3,
        ema_decay=None,
        validate_every=3,
        select_by="cider_d",
    )
    return replace(base, name="demo_pictures", model=model, train=settings, expected={})


def demo_clip_captioner(num_epochs: int = NUM_CLIP_EPOCHS) -> CaptionExperiment:
    """The recipe `events` for clips of one event: it goes on from a recogniser, end to end."""
    base = events()
    return replace(
        base,
        name="demo_clips",
        dataset=replace(base.dataset, sampling=SamplingConfig(frame_stride=2)),
        train=replace(
            base.train,
            epochs=num_epochs,
            unfreeze_at=0,
            freeze_batch_norm=False,
            lr=3e-3,
            backbone_lr=3e-3,
            weight_decay=0.1,
        ),
        expected={},
    )


_Either = TypeVar("_Either", Experiment, CaptionExperiment)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where and how the demo computes."""

    device: str = "auto"
    threads: int | None = None
    precision: Precision = "auto"
    seed: int = 0
    """Of the pictures, the weights and the order."""
    quiet: bool = False
    """No messages on stderr."""

    def train(self, experiment: _Either, data: Path, run: Path) -> None:
        """Train an experiment on DATA here, into the folder RUN."""
        dataset = replace(experiment.dataset, data=str(data))
        settings = replace(experiment.train, seed=self.seed, precision=self.precision)
        train(
            replace(experiment, dataset=dataset, train=settings),
            run,
            device=self.device,
            threads=self.threads,
            quiet=self.quiet,
        )


def describe_pictures(
    out: Path, place: Place, *, num_train: int = NUM_PICTURES, num_epochs: int = NUM_EPOCHS
) -> CaptionResults:
    """Train a captioner on rendered pictures and measure it on others.

    Args:
        out: Folder that gets `pictures/`, `captioner/` and `captions.html`.
        place: Where and how.
        num_train: Pictures to train on.
        num_epochs: How often.
    """
    world = out / "pictures"
    make_pictures(world, WORLD, num_train=num_train, num_val=40, num_test=200, seed=place.seed)
    run = out / "captioner"
    return _learn(demo_captioner(num_epochs), world, run, out / "captions.html", place)


def describe_clips(
    out: Path,
    recogniser: Path,
    world: Path,
    place: Place,
    *,
    num_epochs: int = NUM_CLIP_EPOCHS,
) -> CaptionResults:
    """Train a captioner on rendered clips, from a recogniser on, and measure it on others.

    Args:
        out: Folder that gets `clip_captioner/` and `clips.html`.
        recogniser: Run of the recogniser, whose CNN and layer over frames start it.
        world: The rendered clips.
        place: Where and how.
        num_epochs: How often.
    """
    experiment = replace(demo_clip_captioner(num_epochs), init=str(recogniser))
    return _learn(experiment, world, out / "clip_captioner", out / "clips.html", place)


def _learn(
    experiment: CaptionExperiment, world: Path, run: Path, report: Path, place: Place
) -> CaptionResults:
    """Train on a rendered world with sentences, measure on its test part, report and print."""
    place.train(experiment, world / CAPTIONS_NAME, run)
    results = evaluate_captions(
        load_captioner(run),
        read_captions(world / CAPTIONS_NAME, split="test"),
        choice=DataChoice(split="test", how="rendered apart from what was learnt from"),
        device=choose_device(place.device),
        precision=place.precision,
        seed=place.seed,
        model_path=str(run),
    )
    results.save(run)
    build_caption_report([load_caption_run(run)], report, title="lrcn demo")
    _print(results)
    return results


def _print(results: CaptionResults) -> None:
    """A few sentences beside the true ones, and how many of all are true."""
    table = Table(title="unseen, described")
    for name in ("file", "said", "true"):
        table.add_column(name)
    for one in results.captions[:_SHOWN]:
        table.add_row(Path(one.path).name, one.caption, one.references[0])
    console = Console(file=sys.stdout, highlight=False)
    console.print(table)
    low, high = results.intervals[EXACT_KEY]
    console.print(
        f"exactly true: {results.metrics[EXACT_KEY]:.3f} of {len(results.captions)} sentences"
        f" (95 % interval {low:.3f} to {high:.3f})"
    )
