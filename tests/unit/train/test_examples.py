"""Validation while training: every held-out item is scored once, whatever it is called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.fakes.worlds import write_pixel_world

from lrcn.data.datasets import read_dataset
from lrcn.engine import init_processes
from lrcn.errors import MissingFilesError
from lrcn.models.activity import ActivityConfig, ActivityModel, create_model
from lrcn.structures import VideoItem, VideoList
from lrcn.train.clip_examples import ClipExamples
from lrcn.train.config import DatasetConfig, Experiment, TrainConfig
from lrcn.train.log import RunLog
from lrcn.video.sampling import SamplingConfig

NAMES = ("run", "sit", "walk")


def _examples(train: VideoList, val: VideoList, *, missing: str = "error") -> ClipExamples:
    dataset = DatasetConfig(missing=missing, sampling=SamplingConfig(clip_length=4))
    return ClipExamples(
        Experiment(dataset=dataset, train=TrainConfig(batch_size=2)),
        train,
        val,
        processes=init_processes(),
        device=torch.device("cpu"),
        log=RunLog(None, quiet=True),
    )


def _echo() -> ActivityModel:
    """A model whose answer is what the features say."""
    model = create_model(ActivityConfig(kind="single_frame", backbone="none", feature_dim=3), NAMES)
    with torch.no_grad():
        model.head.linear.weight.copy_(torch.eye(3))
        model.head.linear.bias.zero_()
    return model.eval()


def _intervals(folder: Path) -> VideoList:
    """One feature file, 25 steps a second: run, then sit, then walk, a second each."""
    path = folder / "long.npy"
    np.save(path, 5 * np.eye(3, dtype=np.float32)[np.repeat([0, 1, 2], 25)])
    items = tuple(
        VideoItem(
            path=str(path), video_id="long", class_names=(name,),
            start_seconds=float(i), end_seconds=float(i + 1),
        )
        for i, name in enumerate(NAMES)
    )  # fmt: skip
    return VideoList(items=items, class_names=NAMES, layout="csv", source="list.csv")


def test_intervals_of_one_video_are_scored_each_for_itself(tmp_path: Path) -> None:
    videos = _intervals(tmp_path)
    examples = _examples(videos, videos)
    examples.begin_stage(_echo(), joint=False)

    found = examples.validate(_echo())

    assert found is not None
    assert (found.value, found.num_videos) == (1.0, 3)


def test_one_interval_that_cannot_be_read_does_not_take_the_others_along(tmp_path: Path) -> None:
    videos = _intervals(tmp_path)
    late = replace(videos.items[0], start_seconds=7.0, end_seconds=8.0)
    longer = replace(videos, items=(late, *videos.items))
    with pytest.raises(MissingFilesError, match="1 of 4 videos"):
        _examples(longer, longer).begin_stage(_echo(), joint=False)

    examples = _examples(longer, longer, missing="skip")
    examples.begin_stage(_echo(), joint=False)

    assert len(examples.train) == 3
    found = examples.validate(_echo())
    assert found is not None
    assert (found.value, found.num_videos) == (1.0, 3)


@pytest.mark.parametrize("joint", [False, True])
def test_files_that_were_cached_under_another_name_are_scored(tmp_path: Path, joint: bool) -> None:
    """The cache knows files by content: the same clips elsewhere, and twins, are there already."""
    once = read_dataset(write_pixel_world(tmp_path / "before", num_videos=4))
    again = write_pixel_world(tmp_path / "after", num_videos=4)
    for path in list(again.rglob("*.mkv")):
        (path.parent / f"twin_{path.name}").write_bytes(path.read_bytes())
    config = ActivityConfig(backbone="small", input_px=32, hidden_size=4)
    model = create_model(config, once.class_names)
    first = _examples(once, once)
    first.begin_stage(model, joint=False)
    moved = read_dataset(again)
    examples = _examples(moved, moved)
    examples.begin_stage(model, joint=joint)

    found = examples.validate(model.eval())

    assert found is not None
    assert found.num_videos == 8


def test_files_that_break_early_are_named(tmp_path: Path) -> None:
    world = write_pixel_world(tmp_path, num_videos=4, num_frames=60)
    broken = sorted(world.rglob("*.mkv"))[0]
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size * 2 // 3])
    videos = read_dataset(world)
    config = ActivityConfig(backbone="small", input_px=32, hidden_size=4)
    examples = _examples(videos, videos)
    examples.begin_stage(create_model(config, videos.class_names), joint=False)
    assert examples.truncated == [str(broken)]
    assert not examples.skipped
