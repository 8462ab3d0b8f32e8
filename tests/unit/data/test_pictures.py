"""Rendered pictures show what their sentences say, and read as a data set of captions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lrcn.data.captions import holds_captions, read_captions
from lrcn.data.datasets import read_dataset
from lrcn.data.images import read_image
from lrcn.data.motion import make_motion
from lrcn.data.motion_config import COLOURS, MotionConfig
from lrcn.data.pictures import draw_picture, make_pictures, picture_caption
from lrcn.data.pictures_config import PICTURE_DIFFICULTIES, PictureConfig
from lrcn.data.world_truth import is_true, read_sentence, speaks_of_world
from lrcn.errors import ConfigError, OutputError


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pictures") / "world"
    config = PictureConfig(width=48, height=32, noise=0, contrast=0)
    make_pictures(out, config, num_train=12, num_val=3, num_test=5, seed=4)
    return out


def test_reads_as_captions(world: Path) -> None:
    found = read_captions(world)

    assert found.media == "image"
    assert len(found) == 20
    assert [sum(i.split == part for i in found.items) for part in ("train", "val", "test")] == [
        12,
        3,
        5,
    ]
    assert speaks_of_world(item.captions for item in found.items)
    assert holds_captions(world)
    assert read_captions(world / "captions.jsonl").items == found.items


def test_clips_read_as_captions(tmp_path: Path) -> None:
    make_motion(
        tmp_path / "clips", MotionConfig(two_shapes=0.5), num_train=6, num_val=1, num_test=1
    )
    found = read_captions(tmp_path / "clips")

    assert found.media == "video"
    assert len(found) == 8
    assert speaks_of_world(item.captions for item in found.items)


def test_labels_say_what_the_sentences_say(world: Path) -> None:
    """The list for a recogniser: size, colour and shape of each place that a sentence names."""
    found = read_dataset(world / "labels.csv")
    labels = {Path(one.path): set(one.class_names) for one in found.items}

    assert found.multi_label
    assert len(labels) == 20
    for item in read_captions(world).items:
        told = {
            f"{words[i]} {' '.join(words[3:])}"
            for words in (one.split()[1:] for one in item.captions[0].split(" and "))
            for i in range(3)
        }
        assert labels[Path(item.path)] == told


def test_sentences_are_true(world: Path) -> None:
    """Each colour's pixels lie where the sentence has its shape, and no other colour is there."""
    for item in read_captions(world).items:
        pixels_HW3 = read_image(item.path).permute(1, 2, 0).float()
        facts = read_sentence(item.captions[0])
        assert facts is not None
        told = {fact[1]: fact for fact in facts[0]}
        for colour, rgb in COLOURS.items():
            near_HW = (pixels_HW3 - torch.tensor(rgb).float()).abs().amax(-1) < 12
            assert bool(near_HW.any()) == (colour in told)
            if colour in told:
                rows, columns = near_HW.nonzero().float().mean(0).tolist()
                assert told[colour][3] == words(rows / 32, columns / 48)


def words(down: float, across: float) -> str:
    vertical = ("top", "", "bottom")[int(3 * down)]
    horizontal = ("left", "", "right")[int(3 * across)]
    if vertical and horizontal:
        return f"at the {vertical} {horizontal}"
    if vertical:
        return f"at the {vertical}"
    return f"on the {horizontal}" if horizontal else "in the middle"


@pytest.mark.parametrize("difficulty", sorted(PICTURE_DIFFICULTIES))
def test_scenes_leave_no_doubt(difficulty: str) -> None:
    config = PICTURE_DIFFICULTIES[difficulty]
    side = config.short_side
    rng = np.random.default_rng(0)
    numbers = set()
    for _ in range(300):
        scene, standing = draw_picture(config, rng)
        numbers.add(len(standing))
        for actor, one in zip(scene.actors, standing, strict=True):
            radius = float(actor.radius_T[0]) / side
            bounds = config.small if one.size == "small" else config.large
            assert bounds[0] - 1e-6 <= radius <= bounds[1] + 1e-6
            for at, cell in ((actor.x_T[0], one.column), (actor.y_T[0], one.row)):
                third = 3 * float(at) / side
                assert int(third) == cell
                lines = [line for line in (1, 2) if abs(third - line) / 3 < config.margin - 1e-6]
                assert not lines
                assert radius <= float(at) / side <= 1 - radius
        if len(standing) == 2:
            one, other = scene.actors
            gap = np.hypot(one.x_T[0] - other.x_T[0], one.y_T[0] - other.y_T[0])
            assert gap > one.radius_T[0] + other.radius_T[0]
        sentence = picture_caption(standing)
        assert is_true(" and ".join(map(str, reversed(standing))), [sentence])
    assert numbers == {1, 2}


def test_same_seed_same_bytes(world: Path, tmp_path: Path) -> None:
    config = PictureConfig(width=48, height=32, noise=0, contrast=0)
    more = {"num_train": 13, "num_val": 0, "num_test": 0}
    make_pictures(tmp_path / "same", config, **more, seed=4, threads=1)
    make_pictures(tmp_path / "other", config, **more, seed=5)

    for name in ("train/00000.png", "train/00011.png"):
        assert (tmp_path / "same" / name).read_bytes() == (world / name).read_bytes()
        assert (tmp_path / "other" / name).read_bytes() != (world / name).read_bytes()


def test_facts_stand_beside_the_sentence(world: Path) -> None:
    for line in (world / "captions.jsonl").read_text().splitlines():
        row = json.loads(line)
        parts = [f"a {f['size']} {f['colour']} {f['shape']} {f['place']}" for f in row["facts"]]
        assert is_true(" and ".join(parts), row["captions"])
    about = json.loads((world / "pictures.json").read_text())
    assert about["seed"] == 4
    assert about["counts"] == {"train": 12, "val": 3, "test": 5}
    assert about["config"]["width"] == 48


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"width": 8}, "width is 8"),
        ({"shape_names": ("disk",)}, r"'disk', which is not one of .* Did you mean 'disc'"),
        ({"shape_names": ()}, "at least one"),
        ({"small": (0.1, 0.16)}, "between them is a gap"),
        ({"small": (0.1, 0.05)}, "the first is the lesser"),
        ({"large": (0.2, 0.4)}, r"does not fit into a third of the picture.*Change"),
    ],
)
def test_settings_without_sense(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PictureConfig(**changed)


def test_refused(world: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="exists already"):
        make_pictures(world, PictureConfig(), num_train=1, num_val=0, num_test=0)
    with pytest.raises(ConfigError, match="0 training, 0 validation and 0 test pictures"):
        make_pictures(tmp_path / "none", PictureConfig(), num_train=0, num_val=0, num_test=0)
    assert not list(tmp_path.iterdir())
