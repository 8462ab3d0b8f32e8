"""The part of `lrcn demo` that writes sentences: render pictures, train a captioner, show it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from lrcn.checkpoint import load_captioner
from lrcn.data.captions import read_captions
from lrcn.data.pictures import make_pictures
from lrcn.data.pictures_config import PictureConfig
from lrcn.engine import Precision, choose_device
from lrcn.evaluate.captions import CaptionResults, evaluate_captions
from lrcn.evaluate.protocol import DataChoice
from lrcn.evaluate.truth import EXACT_KEY
from lrcn.models.captioner_config import CaptionerConfig
from lrcn.recipes.pictures import pictures
from lrcn.report.captions import build_caption_report, load_caption_run
from lrcn.train.caption_config import CaptionExperiment
from lrcn.train.session import train

NUM_PICTURES: Final = 1500
"""To train on."""
NUM_EPOCHS: Final = 12
WORLD: Final = PictureConfig(two_shapes=0.0, small=(0.1, 0.12), large=(0.16, 0.19))
"""One shape a picture, none of them tiny: most of it is learnt in half a minute."""
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


def describe_pictures(
    out: Path,
    *,
    device: str,
    threads: int | None,
    precision: Precision,
    seed: int,
    quiet: bool,
    num_train: int = NUM_PICTURES,
    num_epochs: int = NUM_EPOCHS,
) -> CaptionResults:
    """Train a captioner on rendered pictures and measure it on others.

    Args:
        out: Folder that gets `pictures/`, `captioner/` and `captions.html`.
        device: "auto", "cpu", "cuda", ...
        threads: Of the processor; None = what is there.
        precision: "auto", "float32" or "bfloat16".
        seed: Of the pictures, the weights and the order.
        quiet: No messages on stderr.
        num_train: Pictures to train on.
        num_epochs: How often.
    """
    world, run = out / "pictures", out / "captioner"
    make_pictures(world, WORLD, num_train=num_train, num_val=40, num_test=200, seed=seed)
    experiment = demo_captioner(num_epochs)
    dataset = replace(experiment.dataset, data=str(world))
    settings = replace(experiment.train, seed=seed, precision=precision)
    train(
        replace(experiment, dataset=dataset, train=settings),
        run,
        device=device,
        threads=threads,
        quiet=quiet,
    )
    results = evaluate_captions(
        load_captioner(run),
        read_captions(world, split="test"),
        choice=DataChoice(split="test", how="rendered apart from the training pictures"),
        device=choose_device(device),
        precision=precision,
        seed=seed,
        model_path=str(run),
    )
    results.save(run)
    build_caption_report([load_caption_run(run)], out / "captions.html", title="lrcn demo")
    _print(results)
    return results


def _print(results: CaptionResults) -> None:
    """A few sentences beside the true ones, and how many of all are true."""
    table = Table(title="unseen pictures, described")
    for name in ("picture", "said", "true"):
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
