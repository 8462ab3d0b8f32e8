"""From two recognisers of our own to sentences: their results files are a captioner's input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.fakes.command_line import Run

ACTIONS, COLOURS = ("slides", "spins", "rises"), ("red", "blue")
QUICK = ["--threads", "1", "--quiet"]
CLASSES = (
    "--backbone none --model.kind single_frame --clip-length 4 --epochs 12 --batch-size 6"
    " --train.lr 0.05 --seed 1"
)


def make_world(folder: Path) -> None:
    """Clips as features in which action and colour stand apart, with labels and sentences."""
    noise = np.random.default_rng(0)
    lists: dict[str, list[str]] = {"action": [], "colour": [], "captions": []}
    folder.mkdir(parents=True)
    for number in range(60):
        action, colour = ACTIONS[number % 3], COLOURS[number // 3 % 2]
        split = "test" if number >= 48 else "val" if number >= 36 else "train"
        features_TD = noise.normal(0.0, 0.1, (4, 5)).astype(np.float32)
        features_TD[:, ACTIONS.index(action)] += 1.0
        features_TD[:, 3 + COLOURS.index(colour)] += 1.0
        np.save(folder / f"v{number}.npy", features_TD)
        for name, cell in (
            ("action", action),
            ("colour", colour),
            ("captions", f"the {colour} ball {action}"),
        ):
            lists[name].append(f"v{number}.npy,{cell},{split}\n")
    for name, rows in lists.items():
        column = "caption" if name == "captions" else "label"
        (folder / f"{name}.csv").write_text(f"path,{column},split\n" + "".join(rows))


@pytest.mark.slow
def test_the_softmax_of_two_recognisers_becomes_sentences(lrcn: Run, tmp_path: Path) -> None:
    world = tmp_path / "world"
    make_world(world)
    beliefs = []
    for node in ("action", "colour"):
        run, data = tmp_path / node, world / f"{node}.csv"
        code, _, said = lrcn("train", "--data", data, "--out", run, *CLASSES.split(), *QUICK)
        assert code == 0, said
        out = tmp_path / f"{node}.json"
        code, _, said = lrcn(
            "evaluate", run, "--data", data, "--split", "all", "--out", out, *QUICK
        )
        assert code == 0, said
        assert json.loads(out.read_text())["protocol"]["num_videos"] == 60
        beliefs.append(f"{node}={out}")
    semantics = ",".join(beliefs)
    captions, run = world / "captions.csv", tmp_path / "captioner"
    settings = (
        "--dataset.media video --dataset.min-count 1 --model.hidden-size 32 --epochs 40"
        " --model.embedding-size 16 --batch-size 6 --train.lr 0.01 --train.patience none"
        " --train.select-by loss --seed 1"
    )
    code, _, said = lrcn(
        *("train", "--data", captions, "--semantics", semantics, "--out", run),
        *settings.split(),
        *QUICK,
    )
    assert code == 0, said
    # The run remembers its predictions; they are also taken from wherever they are given.
    for more in ([], ["--semantics", semantics]):
        code, shown, said = lrcn(
            "evaluate", run, "--data", captions, "--split", "test", "--json", *more, *QUICK
        )
        assert code == 0, said
        document = json.loads(shown)
        said_of = {one["item_id"]: one["caption"] for one in document["captions"]}
        assert len(said_of) == 12
        right = sum(one["caption"] == one["references"][0] for one in document["captions"])
        assert right >= 11, said_of
    code, shown, said = lrcn("caption", run, *beliefs, "--json", *QUICK)
    assert code == 0, said
    anew = {one["item_id"]: one["caption"] for one in json.loads(shown)}
    assert len(anew) == 60
    assert {Path(item).stem: text for item, text in said_of.items()}.items() <= {
        Path(item).stem: text for item, text in anew.items()
    }.items()
    code, _, said = lrcn("caption", run, world / "film.mp4", *QUICK)
    assert code == 2
    assert "Give files of those (.jsonl, .csv, .npz)" in said
