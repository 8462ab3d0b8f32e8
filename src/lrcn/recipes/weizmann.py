"""Weizmann actions as foreground masks: motion without a scene; leave one person out.

93 sequences of 9 persons doing 10 actions (Gorelick et al., "Actions as Space-Time Shapes"), as
masks of 144 x 180 pixels in one MATLAB file. The protocol of the literature trains on eight
persons and tests on the ninth, nine times; every sequence is tested once.

    python -m lrcn.recipes.weizmann original_masks.mat OUT --seeds 3
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lrcn.checkpoint import load_model
from lrcn.data.extract import extract_features
from lrcn.errors import DataError, WeightsError
from lrcn.metrics.intervals import wilson_interval
from lrcn.recipes.shared import weizmann_lrcn, weizmann_single_frame
from lrcn.structures import VideoFeatures, VideoItem
from lrcn.train.config import Experiment
from lrcn.train.run import EXPERIMENT_NAME, write_text
from lrcn.train.session import train
from lrcn.train.validate import probabilities
from lrcn.video.writer import VideoWriter

FPS = 25.0
LIST_NAME = "masks.csv"


@dataclass(frozen=True)
class MaskSequence:
    """One person doing one action."""

    person: str
    name: str
    """As in the file: "run1" for the first of two."""
    action: str
    masks_THW: NDArray[np.uint8]
    """0 background, 1 person."""


def read_masks(path: Path) -> list[MaskSequence]:
    """The sequences of `original_masks.mat`, in its order.

    Raises:
        DataError: the file is absent or holds something else.
        WeightsError: scipy is not installed; it is the extra `lrcn[mat]`.
    """
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise WeightsError(
            "MATLAB files need scipy, which is not installed: pip install 'lrcn[mat]'"
        ) from error
    try:
        record = loadmat(str(path))["original_masks"][0, 0]
        names = record.dtype.names
    except (OSError, KeyError, ValueError, IndexError, NotImplementedError) as error:
        raise DataError(
            f"{path} holds no Weizmann masks ({error}); give original_masks.mat"
        ) from error
    sequences = []
    for full in names:
        person, _, name = full.partition("_")
        # lena_run1 and lena_run2 are one action twice; wave1 and wave2 are two actions.
        action = name if name.startswith("wave") else re.sub(r"\d+$", "", name)
        masks = np.ascontiguousarray(np.moveaxis(record[full], 2, 0), dtype=np.uint8)
        sequences.append(MaskSequence(person, name, action, masks))
    return sequences


def export_masks(sequences: list[MaskSequence], out: Path) -> list[VideoItem]:
    """Write every sequence as a lossless video (FFV1); those that exist are kept.

    Returns:
        One item per sequence, its person as group.
    """
    items = []
    for sequence in sequences:
        path = out / sequence.action / f"{sequence.person}_{sequence.name}.mkv"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _, height, width = sequence.masks_THW.shape
            with VideoWriter(path, fps=FPS, width=width, height=height, codec="ffv1") as writer:
                for mask_HW in sequence.masks_THW:
                    writer.write(np.repeat(mask_HW[:, :, None] * np.uint8(255), 3, axis=2))
        items.append(
            VideoItem(
                path=str(path),
                video_id=f"{sequence.action}/{sequence.person}_{sequence.name}",
                class_names=(sequence.action,),
                group=sequence.person,
            )
        )
    return items


def write_list(items: list[VideoItem], person: str, path: Path) -> None:
    """The list of one turn: `person` is the test split, everybody else is train."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "group", "split"])
        for item in items:
            split = "test" if item.group == person else "train"
            place = Path(item.path).relative_to(path.parent)
            writer.writerow([place.as_posix(), item.class_names[0], item.group, split])


def leave_one_person_out(
    items: list[VideoItem], experiment: Experiment, out: Path, seed: int
) -> dict[str, bool]:
    """Train once per person without that person, and test on it.

    Returns:
        For every sequence whether it was recognised. Turns that were finished are not repeated.
    """
    right: dict[str, bool] = {}
    for person in sorted({str(item.group) for item in items}):
        turn = out / f"{experiment.name}-seed{seed}-{person}"
        done = turn / "leave-one-out.json"
        if not done.exists():
            listed = Path(items[0].path).parents[1] / f"without-{person}.csv"
            write_list(items, person, listed)
            settings = replace(
                experiment,
                dataset=replace(experiment.dataset, data=str(listed), val_fraction=0.0),
                train=replace(experiment.train, seed=seed, select_by="last"),
            )
            train(settings, turn, overwrite=(turn / EXPERIMENT_NAME).exists(), quiet=True)
            tested = [item for item in items if item.group == person]
            write_text(done, json.dumps(_test(turn, tested), indent=2) + "\n")
        right |= json.loads(done.read_text(encoding="utf-8"))
    return right


def _test(run_dir: Path, items: list[VideoItem]) -> dict[str, bool]:
    saved = load_model(run_dir)
    backbone = saved.model.backbone
    assert backbone is not None
    assert saved.model.preprocessing is not None
    with torch.no_grad():
        features = [
            found
            for found in extract_features(
                items,
                lambda frames_NCHW: backbone(backbone.normalise(frames_NCHW)),
                saved.model.preprocessing,
                sampling=saved.sampling,
            )
            if isinstance(found, VideoFeatures)
        ]
    probs = probabilities(saved.model, features, saved.sampling)
    names = saved.model.class_names
    return {
        item.video_id: names[int(probs[item.video_id].argmax())] == item.class_names[0]
        for item in items
    }


def main() -> None:
    """Run the protocol for both models and print the table."""
    parser = argparse.ArgumentParser(prog="python -m lrcn.recipes.weizmann", description=__doc__)
    parser.add_argument("masks", type=Path, help="original_masks.mat")
    parser.add_argument("out", type=Path, help="folder for videos, runs and results")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds")
    arguments = parser.parse_args()
    items = export_masks(read_masks(arguments.masks), arguments.out / "videos")
    for recipe in (weizmann_single_frame, weizmann_lrcn):
        experiment = recipe()
        for seed in range(arguments.seeds):
            right = leave_one_person_out(items, experiment, arguments.out, seed)
            share = sum(right.values()) / len(right)
            low, high = wilson_interval(sum(right.values()), len(right))
            print(  # noqa: T201 - the command's result
                f"{experiment.name} seed {seed}: {sum(right.values())}/{len(right)} = {share:.4f}"
                f" ({low:.3f} to {high:.3f}), wrong: {[k for k, v in right.items() if not v]}"
            )


if __name__ == "__main__":
    main()
