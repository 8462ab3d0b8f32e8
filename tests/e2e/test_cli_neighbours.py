"""The nearest-neighbour baseline by command, and its retrieval by likeness of words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.fakes.caption_worlds import write_caption_features, write_caption_pictures
from tests.fakes.command_line import Run

from lrcn.errors import DataError
from lrcn.metrics.neighbours import word_similarities


def test_likeness_of_words_by_hand() -> None:
    captions = [["a", "dog"], ["a", "cat"], ["a", "a"]]
    found = word_similarities([[["a", "dog"]], [["zebra"], ["cat"]]], captions)
    rare, common = np.log(4 / 2), np.log(4 / 4)  # "a" is everywhere and counts for nothing
    assert common == 0
    assert rare > 0
    np.testing.assert_allclose(found, [[1, 0, 0], [0, 0.5, 0]])
    with pytest.raises(DataError, match="captions"):
        word_similarities([[["a"]]], [])


def test_the_command_repeats_what_was_said_of_the_most_alike(lrcn: Run, tmp_path: Path) -> None:
    train = write_caption_pictures(tmp_path / "train", copies=2)
    test = write_caption_pictures(tmp_path / "test", copies=3)
    for k in range(2):  # the same pixels would be a leak
        for photo in (tmp_path / "test").glob(f"*_{k}.png"):
            photo.unlink()
    rows = test.read_text().splitlines()
    test.write_text("\n".join([rows[0], *(row for row in rows if "_2.png" in row)]) + "\n")
    flags = ("--threads", "1", "--precision", "float32", "--quiet", "--no-cache")
    code, out, err = lrcn(
        *("neighbours", "--train-data", train, "--data", test, "--backbone", "small"),
        *("--similarity", "euclidean", "--json", *flags),
    )
    assert code == 0, err
    found = json.loads(out)
    assert found["num_known"] == 24
    assert found["protocol"]["num_items"] == 12
    said = {item: near["captions"] for item, near in found["neighbours"].items()}
    colours = [item.split("_")[0] in " ".join(captions) for item, captions in said.items()]
    assert sum(colours) >= 9  # random weights still see colours
    assert 0 < found["bleu_1"] <= 1
    assert found["image_to_caption_recall_at_10"] > found["chance"]["image_to_caption_recall_at_10"]

    code, _, err = lrcn("neighbours", "--data", test, *flags)
    assert code == 2
    assert "--train-data" in err
    code, _, err = lrcn("neighbours", "--data", train, "--train-data", train, *flags)
    assert code == 2
    features = write_caption_features(tmp_path / "features", copies=1)
    assert lrcn("neighbours", "--data", features, "--train-data", train, *flags)[0] == 2
