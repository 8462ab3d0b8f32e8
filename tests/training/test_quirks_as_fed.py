"""What a training feeds to its network, with and without each of the original's faults.

From the data on disk through reading, drawing and normalising, as `lrcn train` does it, against a
search in numpy through everything that the original could have made of the same frames
(paper.md 2.3, 2.4): which frames, which place of the crop or the whole frame squashed, mirrored
or not, x of flow negated or not, which mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from lrcn.engine import init_processes
from lrcn.models.activity import ActivityConfig, ActivityModel
from lrcn.structures import Modality, Quirk
from lrcn.train.activity_run import prepare_activity
from lrcn.train.config import DatasetConfig, Experiment, TrainConfig
from lrcn.train.log import RunLog
from lrcn.video.sampling import SamplingConfig

CLIP = 4
FRAMES = 7
SIDE = 99
MEAN = (123.68, 116.779, 103.939)
TYPING_ERROR = (128.68, 116.779, 103.939)
NO_MOTION = (128.0, 128.0, 128.0)

Pixels = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Fed:
    """How a clip must have come about."""

    first: int
    place: tuple[int, int] | None
    """Top and left of the crop; None: the whole frame, squashed."""
    mirrored: bool
    negated: bool
    mean: tuple[float, ...]


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> dict[Modality, Path]:
    """Two videos of noise, 240 x 320, as folders of frames and as folders of flow images."""
    random = np.random.default_rng(0)
    roots: dict[Modality, Path] = {}
    for modality, prefix in (("rgb", ""), ("flow", "flow_image_")):
        root = tmp_path_factory.mktemp(modality)
        for name in ("a/x", "b/y"):
            (root / name).mkdir(parents=True)
            for k in range(1, FRAMES + 1):
                # From 1 on: mirrored flow is 256 - x here, 255 - x in the original.
                pixels = random.integers(1, 256, (240, 320, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / name / f"{prefix}{name[-1]}.{k:04d}.png")
        roots[modality] = root
    return roots


def fed_clips(
    data: Path, out: Path, *, kind: str, modality: Modality, quirks: tuple[Quirk, ...], epochs: int
) -> Iterator[tuple[str, Pixels]]:
    """(video, T H W 3: red, green, blue) as the network of a run sees them."""
    experiment = Experiment(
        dataset=DatasetConfig(
            data=str(data),
            modality=modality,
            val_fraction=0.0,
            original_quirks=quirks,
            sampling=SamplingConfig(clip_length=1 if kind == "single_frame" else CLIP),
        ),
        model=ActivityConfig(
            kind=kind, backbone="caffenet_hybrid", weights="random", input_px=SIDE, hidden_size=4
        ),
        train=TrainConfig(unfreeze_at=0, batch_size=2),
    )
    out.mkdir()
    processes = init_processes()
    problem = prepare_activity(experiment, out, processes, resume=False)
    model = problem.saved.model
    assert isinstance(model, ActivityModel)
    assert model.backbone is not None
    log = RunLog(None, quiet=True)
    examples = problem.make_examples(processes, torch.device("cpu"), log)
    examples.begin_stage(model, joint=True)
    for epoch in range(epochs):
        for batch in examples.batches(epoch, 0):
            assert batch.frames_BTCHW is not None
            for name, frames_TCHW in zip(batch.video_ids, batch.frames_BTCHW, strict=True):
                seen = model.backbone.normalise(frames_TCHW)
                yield name, seen.permute(0, 2, 3, 1).double().numpy()


class Origins:
    """All that can be made of a video's frames."""

    def __init__(self, data: Path, video: str) -> None:
        files = sorted((data / video).iterdir())
        frames = np.stack([np.asarray(Image.open(file)) for file in files]).astype(int)
        self.changed = {
            (mirrored, negated): _changed(frames, mirrored, negated)
            for mirrored in (False, True)
            for negated in (False, True)
        }
        self.squashed = {how: _squashed(changed) for how, changed in self.changed.items()}

    def of(self, seen: Pixels) -> Fed:
        """How the clip came about; AssertionError if there is no way."""
        for mean in (MEAN, TYPING_ERROR, NO_MOTION):
            pixels = seen + mean
            clip = np.rint(pixels).astype(int)
            if np.abs(pixels - clip).max() > 1e-3:
                continue
            for how in self.changed:
                for first in range(FRAMES - len(clip) + 1):
                    own = slice(first, first + len(clip))
                    if np.abs(self.squashed[how][own] - clip).max() <= 1:
                        return Fed(first, None, *how, mean)
                    if (place := _place(clip, self.changed[how][own])) is not None:
                        return Fed(first, place, *how, mean)
        raise AssertionError("no frames of the video give this clip")


def _changed(frames: Whole, mirrored: bool, negated: bool) -> Whole:
    changed = frames[:, :, ::-1].copy() if mirrored else frames.copy()
    if negated:
        changed[..., 0] = 256 - changed[..., 0]
    return changed


def _squashed(frames: Whole) -> Whole:
    pictures = [Image.fromarray(frame.astype(np.uint8)) for frame in frames]
    small = [picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR) for picture in pictures]
    return np.stack([np.asarray(picture) for picture in small]).astype(int)


def _place(clip: Whole, frames: Whole) -> tuple[int, int] | None:
    for top, left in np.argwhere((frames[0] == clip[0, 0, 0]).all(-1)):
        if np.array_equal(frames[:, top : top + SIDE, left : left + SIDE], clip):
            return int(top), int(left)
    return None


RIGHT: dict[str, set[object]] = {
    "first": {0, 1, 2, 3},
    "cropped": {(False, True), (True, True)},
    "mean": {MEAN},
    "negated": {(False, False), (True, False)},
}
"""What clips of pictures are like in a training without faults.

`cropped` and `negated` go with whether they are mirrored.
"""
RIGHT_FLOW = {**RIGHT, "mean": {NO_MOTION}, "negated": {(False, False), (True, True)}}
KEPT_SIGN = {"negated": {(False, False), (True, False)}}
SQUASHED = {"cropped": {(False, False), (True, True)}}
ONE_FRAME: dict[str, set[object]] = {"first": set(range(FRAMES))}
LATER, EARLIER = {"first": {1, 2, 3}}, {"first": {0, 1, 2}}
RED = {"mean": {TYPING_ERROR}}


@pytest.mark.parametrize(
    ("kind", "modality", "quirks", "wanted"),
    [
        ("lrcn", "rgb", (), RIGHT),
        ("lrcn", "rgb", ("crop_only_mirrored",), RIGHT | SQUASHED),
        ("lrcn", "rgb", ("skip_first_frame",), RIGHT | LATER),
        ("lrcn", "rgb", ("red_mean",), RIGHT | RED),
        ("lrcn", "rgb", ("all",), RIGHT | SQUASHED | LATER | RED),
        ("lrcn", "flow", (), RIGHT_FLOW),
        ("lrcn", "flow", ("skip_first_frame",), RIGHT_FLOW | EARLIER),
        # The layer that reads clips does negate x: its ten crops at the test do not.
        ("lrcn", "flow", ("flow_not_inverted",), RIGHT_FLOW),
        ("lrcn", "flow", ("all",), RIGHT_FLOW | SQUASHED | EARLIER),
        ("single_frame", "rgb", ("all",), RIGHT | ONE_FRAME),
        ("single_frame", "flow", (), RIGHT_FLOW | ONE_FRAME),
        ("single_frame", "flow", ("flow_not_inverted",), RIGHT_FLOW | ONE_FRAME | KEPT_SIGN),
        ("single_frame", "flow", ("all",), RIGHT_FLOW | ONE_FRAME | KEPT_SIGN),
    ],
)
def test_the_network_sees_what_the_original_would_show_it(
    noise: dict[Modality, Path],
    tmp_path: Path,
    kind: str,
    modality: Modality,
    quirks: tuple[Quirk, ...],
    wanted: dict[str, set[object]],
) -> None:
    data = noise[modality]
    origins = {name: Origins(data, name) for name in ("a/x", "b/y")}
    found: dict[str, set[object]] = {key: set() for key in wanted}
    places = set()
    for name, seen in fed_clips(
        data, tmp_path / "run", kind=kind, modality=modality, quirks=quirks, epochs=20
    ):
        fed = origins[name].of(seen)
        found["first"].add(fed.first)
        found["cropped"].add((fed.mirrored, fed.place is not None))
        found["negated"].add((fed.mirrored, fed.negated))
        found["mean"].add(fed.mean)
        places.add(fed.place)

    assert found == wanted
    assert len(places) > 12  # crops anew for every clip
