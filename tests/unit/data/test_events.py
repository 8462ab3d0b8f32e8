"""Clips of several events show what their sentences say, in that order, and read as captions."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from lrcn.data.captions import holds_captions, read_captions
from lrcn.data.events import draw_events, make_events
from lrcn.data.events_config import EventConfig
from lrcn.data.motion import make_motion
from lrcn.data.motion_config import COLOURS, MotionConfig
from lrcn.data.motion_render import render
from lrcn.data.motion_words import clip_sentence, events
from lrcn.data.world_truth import is_true, read_sentence, speaks_of_world
from lrcn.errors import ConfigError
from lrcn.video.source import open_video

CLEAR = MotionConfig(noise=0, contrast=0)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("events") / "world"
    make_events(out, EventConfig(), CLEAR, num_train=10, num_val=2, num_test=4, seed=3)
    return out


def test_reads_as_captions_of_videos(world: Path) -> None:
    found = read_captions(world)

    assert holds_captions(world)
    assert found.media == "video"
    assert [sum(i.split == part for i in found.items) for part in ("train", "val", "test")] == [
        10,
        2,
        4,
    ]
    assert speaks_of_world(item.captions for item in found.items)
    groups = [read_sentence(item.captions[0]) for item in found.items]
    assert {len(group) for group in groups if group is not None} == {2, 3}


def test_what_the_sentence_says_is_seen_when_it_is_said(world: Path) -> None:
    """In every frame of an event the pixels of its colour are there, and those of no other."""
    for line in (world / "captions.jsonl").read_text().splitlines()[:5]:
        item = json.loads(line)
        with open_video(world / item["path"]) as video:
            clip = video.read(list(range(video.count())))
        seen_T = np.array([_colour(frame) for frame in clip.frames_TCHW])
        told_T = np.array(
            [
                event["colour"]
                for event in item["events"]
                for _ in range(round((event["end_seconds"] - event["start_seconds"]) * CLEAR.fps))
            ]
        )
        assert seen_T.tolist() == told_T.tolist()


def _colour(frame_CHW: torch.Tensor) -> str:
    pixels_N3 = frame_CHW.flatten(1).T.float()
    saturation_N = pixels_N3.amax(1) - pixels_N3.amin(1)
    strongest_M3 = pixels_N3[saturation_N.topk(20).indices]
    names = list(COLOURS)
    table_K3 = torch.tensor(list(COLOURS.values())).float()
    nearest_M = torch.cdist(strongest_M3, table_K3).argmin(1)
    return names[int(nearest_M.mode().values)]


def test_another_order_is_another_sentence(world: Path) -> None:
    for item in read_captions(world).items:
        (told,) = item.captions
        assert is_true(told, item.captions)
        assert not is_true(", then ".join(reversed(told.split(", then "))), item.captions)


def test_lengths_and_numbers_are_those_asked_for() -> None:
    config = EventConfig(num_events=(1, 4), event_frames=(8, 11))
    counts = set()
    for seed in range(30):
        scene = draw_events(config, CLEAR, np.random.default_rng(seed))
        found = events(scene, CLEAR)
        counts.add(len(found))
        assert len({event["colour"] for event in found}) == len(found)
        assert clip_sentence(scene).count(", then ") == len(found) - 1
        frames = [round((e["end_seconds"] - e["start_seconds"]) * CLEAR.fps) for e in found]
        assert all(8 <= number <= 11 for number in frames)
        assert scene.num_frames == sum(frames)
    assert counts == {1, 2, 3, 4}


def test_a_scene_is_its_seed(world: Path, tmp_path: Path) -> None:
    more = {"num_train": 12, "num_val": 2, "num_test": 4}
    make_events(tmp_path / "same", EventConfig(), CLEAR, **more, seed=3, threads=1)
    make_events(tmp_path / "other", EventConfig(), CLEAR, **more, seed=4)

    def content(root: Path, name: str) -> bytes:
        return (root / name).read_bytes()

    for name in ("train/00003.mp4", "test/00001.mp4"):
        assert content(world, name) == content(tmp_path / "same", name)
        assert content(world, name) != content(tmp_path / "other", name)
    about = json.loads((world / "events.json").read_text())
    assert about["seed"] == 3
    assert about["config"]["events"]["num_events"] == [2, 3]


def test_clips_of_one_event_are_as_they_were(tmp_path: Path) -> None:
    """The motion world's files did not change when clips of several events came."""
    make_motion(
        tmp_path / "w", MotionConfig(two_shapes=1.0), num_train=1, num_val=0, num_test=0, seed=5
    )
    line = json.loads((tmp_path / "w" / "captions.jsonl").read_text())
    assert line["captions"] == [SENTENCE_BEFORE]
    with open_video(tmp_path / "w" / line["path"]) as video:
        clip = video.read([0, 15])
    digest = hashlib.sha256(clip.frames_TCHW.contiguous().numpy().tobytes()).hexdigest()[:16]
    assert digest == FRAMES_BEFORE


SENTENCE_BEFORE = "a green disc and a purple bar grow"
FRAMES_BEFORE = "6926a8577ff9512e"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_events": (0, 2)}, "num_events is 0, 2; it takes two numbers from 1 to 6"),
        ({"num_events": (3, 2)}, "num_events is 3, 2"),
        ({"num_events": (2, 7)}, "num_events is 2, 7"),
        ({"event_frames": (4, 9)}, "event_frames is 4, 9; it takes two numbers from 8"),
    ],
)
def test_settings_out_of_range_are_refused(
    settings: dict[str, tuple[int, int]], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        EventConfig(**settings)


def test_only_the_event_under_way_is_drawn() -> None:
    scene = draw_events(EventConfig(), CLEAR, np.random.default_rng(0))
    frames_THWC = render(scene, CLEAR, np.random.default_rng(0))
    second = scene.actors[1].first_frame
    before = _colour(torch.from_numpy(frames_THWC[second - 1]).permute(2, 0, 1))
    after = _colour(torch.from_numpy(frames_THWC[second]).permute(2, 0, 1))
    assert [before, after] == [scene.actors[0].colour, scene.actors[1].colour]
