"""The rendered world as a data set: real video files with class folders and exact sentences.

::

    OUT/
    ├── train/<action>/<action>_00000.mp4 ...     val/ and test/ likewise
    ├── captions.jsonl    one line a clip: its sentence, its events, a sentence for three pictures
    └── motion.json       settings and seed: enough to make the very same bytes again

Every clip is a function of (seed, split, number), so one more clip changes no other.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lrcn.data.motion_config import MotionConfig
from lrcn.data.motion_render import render
from lrcn.data.motion_scene import Scene, draw_scene
from lrcn.data.motion_words import clip_sentence, events, picture_sentence
from lrcn.data.world_folder import SPLITS, make_world
from lrcn.errors import OutputError
from lrcn.structures import Segment
from lrcn.video.writer import VideoWriter

ABOUT_NAME = "motion.json"

_LONG = len(SPLITS)
"""Key of long videos, beside those of the splits."""


@dataclass(frozen=True, kw_only=True)
class LongVideo:
    """A video made of several actions, one after the other, with its truth."""

    path: Path
    list_path: Path
    """CSV with path, label, start and end, as `lrcn evaluate --data` takes it."""
    segments: tuple[Segment, ...]


@dataclass(frozen=True, kw_only=True)
class _Job:
    split: int
    number: int
    action: str
    path: Path


def make_motion(
    out: Path,
    config: MotionConfig,
    *,
    num_train: int,
    num_val: int,
    num_test: int,
    seed: int = 0,
    threads: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Render a data set into a new folder; written beside it first, then renamed.

    Args:
        out: Must not exist.
        config: What is seen.
        num_train: Clips to train on, dealt out evenly to the actions.
        num_val: Clips to choose a model by.
        num_test: Clips to measure on.
        seed: The same seed and settings give the same bytes.
        threads: Clips rendered at the same time.
        progress: Called with (clips done, clips in all).

    Raises:
        ConfigError: a number of clips is negative, or all are 0.
        OutputError: the folder exists or cannot be written.
    """
    make_world(
        out,
        config,
        (num_train, num_val, num_test),
        lambda root: [(job.path, job) for job in _jobs(root, config, num_train, num_val, num_test)],
        lambda path, job: _make_clip(job, config, seed, path.parents[2]),
        what="clips",
        about_name=ABOUT_NAME,
        seed=seed,
        threads=threads,
        progress=progress,
    )


def make_long_video(
    folder: Path,
    config: MotionConfig,
    *,
    actions: Sequence[str] | None = None,
    frames_per_action: int = 96,
    seed: int = 0,
) -> LongVideo:
    """One video of several actions, each in a scene of its own, and the list of its truth.

    Args:
        folder: Receives `long.mp4` and `long.csv`; made when absent.
        config: What is seen; `num_frames` does not count here.
        actions: In this order; every action of the config three times, in random order, when None.
        frames_per_action: Length of each.
        seed: Of scenes and order.

    Raises:
        ConfigError: an action is unknown, or too few frames.
        OutputError: the folder cannot be written.
    """
    rng = np.random.default_rng([seed, _LONG])
    if actions is None:
        actions = [str(a) for _ in range(3) for a in rng.permutation(list(config.actions))]
    config = dataclasses.replace(
        config, num_frames=frames_per_action, actions=tuple(dict.fromkeys(actions))
    )
    path, list_path = folder / "long.mp4", folder / "long.csv"
    segments = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with clip_writer(path, config) as writer:
            for place, action in enumerate(actions):
                rng = np.random.default_rng([seed, _LONG, place])
                scene = draw_scene(config, action, frames_per_action, rng)
                for frame_HWC in render(scene, config, rng):
                    writer.write(frame_HWC)
                start = place * frames_per_action / config.fps
                end = (place + 1) * frames_per_action / config.fps
                segments.append(Segment(start_seconds=start, end_seconds=end, class_name=action))
        _write_truth(list_path, path.name, segments)
    except OSError as error:
        raise OutputError(
            f"cannot write {folder}: {error.strerror or error}. Choose another place"
        ) from error
    return LongVideo(path=path, list_path=list_path, segments=tuple(segments))


def _jobs(out: Path, config: MotionConfig, *counts: int) -> Iterator[_Job]:
    """Every clip to make; actions take turns, so that their numbers differ by one at most."""
    for split, count in enumerate(counts):
        for number in range(count):
            action = config.actions[number % len(config.actions)]
            name = f"{action}_{number // len(config.actions):05d}.mp4"
            path = out / SPLITS[split] / action / name
            yield _Job(split=split, number=number, action=action, path=path)


def _make_clip(job: _Job, config: MotionConfig, seed: int, root: Path) -> dict[str, Any]:
    """Render and write one clip; its line of captions."""
    rng = np.random.default_rng([seed, job.split, job.number])
    scene = draw_scene(config, job.action, config.num_frames, rng)
    with clip_writer(job.path, config) as writer:
        for frame_HWC in render(scene, config, rng):
            writer.write(frame_HWC)
    return _caption(scene, config, job.path.relative_to(root).as_posix(), SPLITS[job.split])


def _caption(scene: Scene, config: MotionConfig, path: str, split: str) -> dict[str, Any]:
    pictures = sorted({0, config.num_frames // 2, config.num_frames - 1})
    return {
        "path": path,
        "split": split,
        "captions": [clip_sentence(scene)],
        "events": events(scene, config),
        "pictures": [
            {"frame_index": t, "captions": [picture_sentence(scene, config, t)]} for t in pictures
        ],
    }


def clip_writer(path: Path, config: MotionConfig) -> VideoWriter:
    """What writes the frames of this world into a file."""
    return VideoWriter(
        path,
        fps=config.fps,
        width=config.width,
        height=config.height,
        crf=config.crf,
        # Colours at half the size would blur small shapes, and pad pictures of odd size.
        pix_fmt="yuv444p",
        options={"preset": "veryfast"},
    )


def _write_truth(path: Path, video_name: str, segments: Sequence[Segment]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "label", "start_seconds", "end_seconds"])
    for segment in segments:
        writer.writerow(
            [video_name, segment.class_name, segment.start_seconds, segment.end_seconds]
        )
    draft = path.with_name(f".{path.name}.draft-{os.getpid()}")
    draft.write_text(text.getvalue(), encoding="utf-8")
    draft.replace(path)
