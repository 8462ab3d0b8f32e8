"""The rendered world: the same bytes for a seed, true sentences, and no tell in a single frame."""

from __future__ import annotations

import json
from itertools import combinations_with_replacement

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp
from torch.nn.functional import cross_entropy

from lrcn.data.datasets import read_dataset
from lrcn.data.motion import make_long_video, make_motion
from lrcn.data.motion_config import ACTIONS, DEFAULT_ACTIONS, DIFFICULTIES, SHAPES, MotionConfig
from lrcn.data.motion_render import render
from lrcn.data.motion_scene import draw_scene
from lrcn.data.motion_words import clip_sentence, picture_sentence
from lrcn.errors import ConfigError, OutputError
from lrcn.video.source import open_video

SMALL = MotionConfig(width=32, height=32, num_frames=8, turn_frames=(2, 3))


def _make(out, config=SMALL, seed=0, **counts):
    numbers = {"num_train": 8, "num_val": 0, "num_test": 8} | counts
    make_motion(out, config, seed=seed, **numbers)
    return out


def test_the_same_seed_gives_the_same_bytes_whatever_the_threads(tmp_path):
    _make(tmp_path / "a")
    make_motion(tmp_path / "b", SMALL, num_train=8, num_val=0, num_test=8, threads=1)
    _make(tmp_path / "c", seed=1)

    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.mp4"))
    assert len(files) == 16
    same = [(tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files]
    other = [(tmp_path / "a" / f).read_bytes() == (tmp_path / "c" / f).read_bytes() for f in files]
    assert all(same)
    assert not any(other)


def test_the_folder_is_a_data_set_with_parts_and_classes(tmp_path):
    videos = read_dataset(_make(tmp_path / "world", num_val=8))

    assert videos.class_names == tuple(sorted(DEFAULT_ACTIONS))
    assert {item.split for item in videos.items} == {"train", "val", "test"}
    with open_video(videos.items[0].path) as video:
        assert (video.info.width, video.info.height, video.info.fps) == (32, 32, 25.0)
        assert video.count() == 8


def test_sentences_say_what_the_scene_holds(tmp_path):
    lines = (_make(tmp_path / "world") / "captions.jsonl").read_text().splitlines()

    assert len(lines) == 16
    for line in map(json.loads, lines):
        event = line["events"][0]
        (sentence,) = line["captions"]
        assert sentence.startswith(f"a {event['colour']} {event['shape']} ")
        assert line["path"].split("/")[1] == event["action"]
        assert len(line["pictures"]) == 3


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_changes_what_it_names(action):
    config = MotionConfig(num_frames=12, loop_frames=(40, 60))
    for seed in range(5):
        rng = np.random.default_rng(seed)
        actor = draw_scene(config, action, 12, rng).actors[0]
        steps = {
            "x": np.diff(actor.x_T),
            "y": np.diff(actor.y_T),
            "size": np.diff(actor.radius_T),
            "angle": np.diff(actor.angle_T),
        }
        moving = {name for name, values in steps.items() if np.abs(values).max() > 1e-4}
        expected = {
            "slide_left": {"x"},
            "slide_right": {"x"},
            "rise": {"y"},
            "sink": {"y"},
            "grow": {"size"},
            "shrink": {"size"},
            "pulse": {"size"},
            "rest": set(),
        }
        if action in expected:
            assert moving == expected[action]
        elif action == "turn_back":
            assert moving in ({"x"}, {"y"})
            (name,) = moving
            assert np.sign(steps[name]).min() < 0 < np.sign(steps[name]).max()
        else:
            assert moving == {"angle"}
        if action in ("slide_left", "rise", "shrink"):
            (name,) = moving
            assert np.median(steps[name]) < 0


def test_shapes_stay_inside_the_picture():
    config = MotionConfig(width=70, height=41, num_frames=40)
    for action in DEFAULT_ACTIONS:
        for seed in range(8):
            actor = draw_scene(config, action, 40, np.random.default_rng(seed)).actors[0]
            assert (actor.x_T - actor.radius_T >= 0).all()
            assert (actor.x_T + actor.radius_T <= 70).all()
            assert (actor.y_T - actor.radius_T >= 0).all()
            assert (actor.y_T + actor.radius_T <= 41).all()


def test_poses_are_alike_for_every_class_at_every_time():
    """Means of place and size differ between classes by chance only (4 standard errors)."""
    config = MotionConfig(num_frames=16)
    number = 250
    poses = {
        action: np.array(
            [
                [
                    (a := draw_scene(config, action, 16, np.random.default_rng([7, k])).actors[0])
                    and [a.x_T[t], a.y_T[t], np.log(a.radius_T[t])]
                    for t in (0, 7, 15)
                ]
                for k in range(number)
            ]
        )
        for action in DEFAULT_ACTIONS
    }
    everything = np.concatenate(list(poses.values()))
    mean, error = everything.mean(0), everything.std(0) / np.sqrt(number)
    for action, found in poses.items():
        assert (np.abs(found.mean(0) - mean) < 4.5 * error).all(), action


def _poses(action, t, number, key):
    """Across, down, log size, cosine and sine of the angle, once per clip, N x 5."""
    config = MotionConfig()
    rows = []
    for k in range(number):
        rng = np.random.default_rng([key, k, DEFAULT_ACTIONS.index(action)])
        a = draw_scene(config, action, 16, rng).actors[0]
        angle = a.angle_T[t]
        rows.append([a.x_T[t], a.y_T[t], np.log(a.radius_T[t]), np.cos(angle), np.sin(angle)])
    return np.array(rows)


@pytest.mark.parametrize("t", [0, 15])
def test_poses_follow_one_distribution_whatever_the_action(t):
    """Two-sample Kolmogorov-Smirnov, every action against the others, 40 tests a frame."""
    poses = {action: _poses(action, t, 400, 1) for action in DEFAULT_ACTIONS}
    least = min(
        ks_2samp(
            found[:, column],
            np.concatenate([p[:, column] for name, p in poses.items() if name != action]),
        ).pvalue
        for action, found in poses.items()
        for column in range(5)
    )
    assert least > 1e-3 / 40


def test_a_classifier_of_one_pose_can_only_guess():
    """Logistic regression on all products of up to three numbers of a pose, on held-out clips."""
    poses = np.concatenate([_poses(action, 9, 500, 2) for action in DEFAULT_ACTIONS])
    labels = torch.arange(8).repeat_interleave(500)
    poses = (poses - poses.mean(0)) / poses.std(0)
    powers = [k for n in (1, 2, 3) for k in combinations_with_replacement(range(5), n)]
    inputs = torch.tensor(np.stack([poses[:, k].prod(1) for k in powers], 1), dtype=torch.float32)
    held_out = torch.arange(len(labels)) % 2 == 0
    weights = torch.zeros(inputs.shape[1], 8, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=50)

    def loss():
        optimizer.zero_grad()
        value = cross_entropy(inputs[~held_out] @ weights, labels[~held_out])
        value.backward()
        return value

    optimizer.step(loss)
    right = ((inputs[held_out] @ weights).argmax(1) == labels[held_out]).float().mean()
    assert right < 1 / 8 + 4 * (0.125 * 0.875 / 2000) ** 0.5


@pytest.mark.parametrize("name", DIFFICULTIES)
def test_named_worlds_are_rendered(name):
    config = DIFFICULTIES[name]
    rng = np.random.default_rng(0)
    frames = render(draw_scene(config, "turn_back", config.num_frames, rng), config, rng)
    assert frames.shape == (config.num_frames, config.height, config.width, 3)


def test_two_shapes_do_what_their_sentence_says():
    config = MotionConfig(two_shapes=1.0, second_shape="rests")
    scene = draw_scene(config, "rise", 8, np.random.default_rng(0))

    assert len(scene.actors) == 2
    assert scene.actors[0].colour != scene.actors[1].colour
    assert "rises, a " in clip_sentence(scene)
    assert clip_sentence(scene).endswith("rests")
    assert " and a " in picture_sentence(scene, config, 0)
    together = draw_scene(MotionConfig(two_shapes=1.0), "rise", 8, np.random.default_rng(0))
    assert clip_sentence(together).endswith(" rise")


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_painted_in_its_colour(shape):
    config = MotionConfig(shape_names=(shape,), noise=0, contrast=0)
    rng = np.random.default_rng(1)
    frames = render(draw_scene(config, "spin", 4, rng), config, rng)

    assert frames.shape == (4, config.height, config.width, 3)
    spread = frames.astype(int).max(-1) - frames.astype(int).min(-1)
    assert (spread > 40).any(axis=(1, 2)).all()
    assert not np.array_equal(frames[0], frames[1])


@pytest.mark.parametrize(("width", "height", "fps"), [(33, 47, 10.0), (128, 64, 29.97)])
def test_any_size_and_rate(tmp_path, width, height, fps):
    config = MotionConfig(width=width, height=height, fps=fps, num_frames=5, turn_frames=(2, 2))
    _make(tmp_path / "w", config, num_train=1, num_test=0)

    with open_video(next((tmp_path / "w").rglob("*.mp4"))) as video:
        assert (video.info.width, video.info.height) == (width, height)
        assert video.info.fps == pytest.approx(fps, rel=1e-3)


def test_a_long_video_lists_its_truth(tmp_path):
    video = make_long_video(
        tmp_path, SMALL, actions=["rise", "spin", "rise"], frames_per_action=10, seed=3
    )

    assert [s.class_name for s in video.segments] == ["rise", "spin", "rise"]
    assert video.segments[1].start_seconds == pytest.approx(0.4)
    listed = read_dataset(video.list_path, min_classes=1)
    assert [i.class_names[0] for i in listed.items] == ["rise", "spin", "rise"]
    with open_video(video.path) as source:
        assert source.count() == 30


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 8}, "width is 8"),
        ({"actions": ("fly",)}, "'fly', which is not one of"),
        ({"actions": ()}, "must name at least one"),
        ({"noise": -1.0}, "noise"),
        ({"loop_frames": (30, 20)}, "loop_frames is 30, 20"),
    ],
)
def test_impossible_worlds_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        MotionConfig(**settings)


def test_an_existing_folder_and_no_clips_are_refused(tmp_path):
    with pytest.raises(OutputError, match="exists already"):
        _make(tmp_path)
    with pytest.raises(ConfigError, match="cannot be made"):
        make_motion(tmp_path / "x", SMALL, num_train=0, num_val=0, num_test=0)
    assert list(tmp_path.iterdir()) == []
