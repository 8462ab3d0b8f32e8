"""Semantic predictions: every kind of file says the same, and the three forms of paper 4."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from lrcn.data.semantics import Beliefs, LabelSpace, SemanticSource, read_semantics
from lrcn.data.semantics.read import find_beliefs
from lrcn.errors import DataError

CUT = {"verb": {"cut": 0.75, "peel": 0.25}, "object": {"bell pepper": 1.0}}
PEEL = {"verb": {"peel": 1.0}, "object": {"carrot": 0.5, "bell pepper": 0.5}}
FILES = {
    "a.jsonl": '{"id": "1", "verb": {"cut": 3, "peel": 1}, "object": "bell pepper"}\n',
    "b.jsonl": '{"id": 1, "nodes": {"verb": {"cut": 0.75, "peel": 0.25}, '
    '"object": {"bell pepper": 1}}}\n',
    "c.csv": "id,node,label,prob\n1,verb,cut,0.75\n1,verb,peel,0.25\n1,object,bell pepper,2\n",
    "d.csv": "id,node,label,count\n1,verb, cut,3\n1,verb ,peel,1\n1,object,bell pepper,9\n",
    "e.jsonl": '{"id": 1.0, "verb": {"cut": 0.5, "cut ": 0.25, "peel": 0.25}, '
    '"object": "bell pepper", "tool": null, "place": {}}\n',
}


@pytest.mark.parametrize("name", FILES)
def test_text_files_say_the_same(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(FILES[name])
    assert read_semantics(str(tmp_path / name)) == {"1": CUT}


def test_other_files(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "d.npz",
        ids=np.array(["1"]),
        verb=np.array([[0.75, 0.25]]),
        verb_labels=np.array(["cut", "peel"]),
        object=np.array([[1.0]]),
        object_labels=np.array(["bell pepper"]),
    )
    assert read_semantics(str(tmp_path / "d.npz")) == {"1": CUT}
    (tmp_path / "w.csv").write_text("id,verb,object\n1,cut,\n")
    assert read_semantics(str(tmp_path / "w.csv")) == {"1": {"verb": {"cut": 1.0}}}
    (tmp_path / "Freq.txt").write_text("vid1\tman,cut,:3|man,peel,carrot:1|\n")
    assert read_semantics(str(tmp_path / "Freq.txt"))["vid1"] == {
        "subject": {"man": 1.0},
        "verb": {"cut": 0.75, "peel": 0.25},
        "object": {"carrot": 1.0},
    }


def test_softmax_of_several_recognisers(tmp_path: Path) -> None:
    for name in ("tool", "object"):
        videos = [{"video_id": "1", "probs": [0.5, 0.5]}]
        document = {"class_names": ["x", "y"], "videos": videos}
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    tool, thing = tmp_path / "tool.json", tmp_path / "object.json"
    found = read_semantics(f"{tool}, thing={thing}")
    assert found == {"1": {"activity": {"x": 0.5, "y": 0.5}, "thing": {"x": 0.5, "y": 0.5}}}
    assert find_beliefs(found, "folder/1.avi") == found["1"]
    with pytest.raises(DataError, match="another file has too"):
        read_semantics(f"{tool},{thing}")


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("a.jsonl", '{"verb": "cut"}', "no id"),
        ("a.jsonl", '{"id": 1, "verb": {"cut": -1}}', "0 or more"),
        ("a.jsonl", '{"id": 1, "verb": {"cut": NaN}}', "0 or more"),
        ("a.jsonl", '{"id": 1, "verb": {"cut": 0}}', "all weights are 0"),
        ("a.jsonl", '{"id": 1, "verb": "a"}\n{"id": 1, "verb": "b"}', "twice"),
        ("a.jsonl", "[", "line 1 is not JSON"),
        ("a.csv", "id,node,label,prob\n1,verb,cut,much\n", "number"),
        ("a.csv", "id,verb\n1\n", "cells"),
        ("a.txt", "vid1\tman,cut:3|", "subject,verb,object"),
        ("a.json", "{}", "no results file"),
        ("a.npz", "x", "npz"),
        ("a.jsonl", "", "no prediction"),
        ("a.jsonl", '{"id": 1, "verb": {"cut": 1%s}}' % ("0" * 400), "0 or more"),
        ("a.jsonl", '{"id": null, "verb": "cut"}', "no id"),
        ("a.jsonl", '{"id": 1, "verb": "cut", "verb": "peel"}', "stands 2 times"),
        ("a.jsonl", '{"id": 1, "verb": {" ": 1}}', "label is empty"),
        ("a.csv", "id,node,label\n1,,cut\n", "names no node"),
        ("a.csv", "id,verb,verb\n1,cut,peel\n", "'verb' stands 2 times"),
        ("a.txt", "vid1\ta,b,c:\u00b2|", "subject,verb,object"),
        (
            "a.json",
            '{"class_names": ["a", "a"], "videos": [{"video_id": "1", "probs": [0.5, 0.5]}]}',
            "'a' stands 2 times",
        ),
        ("a.jsonl", '{"id": 1, "verb": ' + "[" * 50_000, "line 1 is not JSON"),
        ("a.jsonl", '{"id": 1, "verb": 0}', "a label or an object"),
        ("a.jsonl", '{"id": 1, " ": "cut"}', "a node without a name"),
        ("a.csv", "id,verb\n1," + "k" * 200_000, "no table"),
        ("a.csv", "id,node,label,logit\n1,verb,cut,2\n", "columns id, node, label, logit"),
        ("a.csv", "id,node,label,prob,count\n1,verb,cut,1,2\n", "columns id, node"),
        ("a.txt", "\ta,b,c:2|", "an id, a tab"),
        ("a.txt", "vid1 a,b,c:2|", "an id, a tab"),
        ("a.txt", f"vid1\ta,b,c:{'9' * 400}|", "subject,verb,object"),
        ("a.txt", f"vid1\ta,b,c:{'9' * 5000}|", "subject,verb,object"),
    ],
)
def test_what_is_wrong_is_said(name: str, text: str, match: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=match):
        read_semantics(str(tmp_path / name))


def test_very_large_weights_are_shares_too(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 1, "verb": {"cut": 1e308, "peel": 1e308}}')
    assert read_semantics(str(tmp_path / "a.jsonl")) == {"1": {"verb": {"cut": 0.5, "peel": 0.5}}}


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"ids": np.array(["1"], dtype=object)}, "allow_pickle"),
        ({"verb_labels": np.array(["cut", "peel"], dtype=object)}, "allow_pickle"),
        ({"ids": np.array("1")}, "ids is 0-dimensional"),
        ({"ids": np.array([["1"]])}, "ids is 2-dimensional"),
        ({"verb_labels": np.array(["cut", "cut"])}, "'cut' stands 2 times"),
        ({"verb": np.array([[1.0]])}, "make it"),
        ({"verb": np.array([["a", "b"]])}, "0 or more"),
        ({"tool": np.array([[1.0]])}, "its arrays are"),
    ],
)
def test_arrays_of_another_kind_are_refused(
    changed: dict[str, np.ndarray], match: str, tmp_path: Path
) -> None:
    arrays = {
        "ids": np.array(["1"]),
        "verb": np.array([[0.5, 0.5]]),
        "verb_labels": np.array(["cut", "peel"]),
    }
    np.savez(tmp_path / "a.npz", **(arrays | changed))
    with pytest.raises(DataError, match=match):
        read_semantics(str(tmp_path / "a.npz"))


def test_a_damaged_archive_is_refused_whatever_byte_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, ids=np.array(["1"]), verb=np.ones((1, 1)), verb_labels=np.array(["cut"]))
    content = path.read_bytes()
    refused = 0
    for place in range(0, len(content), 5):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x29]) + content[place + 1 :])
        try:
            assert read_semantics(str(path)).keys() == {"1"}
        except DataError:
            refused += 1
    assert refused > len(content) // 10


def test_predictions_of_other_nodes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 1, "tool": "knife"}')
    space = LabelSpace.build([CUT, PEEL])
    with pytest.raises(DataError, match=r"nodes tool.*verb, object"):
        SemanticSource.read(str(tmp_path / "a.jsonl"), space)


def _unscaled(space: LabelSpace, beliefs: Beliefs) -> list[list[float]]:
    return [
        [pytest.approx(value) for value in row]
        for row in (space.features(beliefs) / space.scale).tolist()
    ]


def test_the_three_forms() -> None:
    prob = LabelSpace.build([CUT, PEEL])
    assert prob.nodes == {"verb": ("peel", "cut"), "object": ("bell pepper", "carrot")}
    assert _unscaled(prob, CUT) == [[0.25, 0.75, 1.0, 0.0]]
    squares = [prob.features(one).square().mean().item() for one in (CUT, PEEL)]
    assert sum(squares) / 2 == pytest.approx(1.0)
    best = LabelSpace.build([CUT, PEEL], form="max")
    assert best.scale == pytest.approx(2**0.5)
    assert _unscaled(best, CUT) == [[0.0, 1.0, 1.0, 0.0]]
    words = LabelSpace.build([CUT, PEEL], form="words")
    assert words.words == ("bell", "carrot", "cut", "peel", "pepper")
    assert words.features(CUT).argmax(dim=1).tolist() == [2, 0, 4]
    assert words.features(CUT).square().mean().item() == pytest.approx(1.0)
    back = LabelSpace.build([CUT, PEEL], form="words", reversed_words=True)
    assert back.features(CUT).argmax(dim=1).tolist() == [4, 0, 2]
    assert LabelSpace.from_dict(json.loads(json.dumps(back.to_dict()))) == back
    before = {key: value for key, value in prob.to_dict().items() if key != "scale"}
    assert LabelSpace.from_dict(before).features(CUT).tolist() == [[0.25, 0.75, 1.0, 0.0]]


def test_labels_that_training_did_not_have_are_left_out() -> None:
    space = LabelSpace.build([CUT, PEEL], min_count=2)
    assert space.nodes == {"verb": ("peel",), "object": ("bell pepper",)}
    assert _unscaled(space, {"verb": {"peel": 0.1, "fly": 0.9}}) == [[1.0, 0.0]]
    words = LabelSpace.build([CUT, PEEL], form="words")
    assert words.features({"verb": {"fly": 1.0}}).tolist() == [[0.0] * 5]
    with pytest.raises(DataError, match="semantic_min_count"):
        LabelSpace.build([CUT], min_count=2)


def test_noise_keeps_distributions_and_depends_on_seed_and_item() -> None:
    space = LabelSpace.build([CUT, PEEL])
    noisy = space.features(CUT, noise=0.4, key="1") / space.scale
    assert noisy[0, :2].sum().item() == pytest.approx(1.0)
    assert noisy[0, 1] >= 0.6 * 0.75 - 1e-6
    assert torch.equal(noisy, space.features(CUT, noise=0.4, key="1") / space.scale)
    draws = {tuple(space.features(CUT, noise=0.4, seed=s, key="1")[0].tolist()) for s in range(9)}
    assert len(draws) > 1
