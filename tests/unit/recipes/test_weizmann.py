"""The Weizmann masks: read, exported without loss, divided by person, measured, taken up again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lrcn.data.datasets import read_dataset
from lrcn.errors import ConfigError, DataError
from lrcn.recipes import weizmann
from lrcn.recipes.masks import MaskSequence, export_masks, read_masks, write_turn
from lrcn.recipes.shared import weizmann_lrcn, weizmann_single_frame
from lrcn.recipes.stopwatch import Spent
from lrcn.video.reader import VideoReader

HEIGHT, WIDTH = 18, 26
NAMES = ("ann_run1", "ann_run2", "ann_wave1", "bob_run", "bob_wave2", "cy_run", "cy_wave1")


def _masks(place: int) -> np.ndarray:
    """H x W x T: a block that moves; another one for every sequence."""
    masks_HWT = np.zeros((HEIGHT, WIDTH, 5), dtype=np.uint8)
    for t in range(5):
        masks_HWT[3 + place : 9 + place, 2 + 2 * t : 6 + 3 * t, t] = 1
    return masks_HWT


def _write(path: Path, record: object = None) -> Path:
    from scipy.io import savemat

    if record is None:
        record = {name: _masks(place) for place, name in enumerate(NAMES)}
    savemat(path, {"original_masks": record})
    return path


def _tiny(**train_settings):
    """The recipe with a training of a moment."""
    base = weizmann_lrcn()
    return replace(
        base,
        name="tiny",
        dataset=replace(base.dataset, sampling=replace(base.dataset.sampling, clip_length=4)),
        model=replace(base.model, input_px=32, hidden_size=4),
        train=replace(base.train, epochs=1, batch_size=4, **train_settings),
    )


def test_sequences_are_read_with_person_action_and_time_first(tmp_path):
    found = read_masks(_write(tmp_path / "masks.mat"))

    assert [f"{s.person}_{s.name}" for s in found] == list(NAMES)
    assert [s.action for s in found] == ["run", "run", "wave1", "run", "wave2", "run", "wave1"]
    assert found[2].masks_THW.shape == (5, HEIGHT, WIDTH)
    assert (found[2].masks_THW == np.moveaxis(_masks(2), 2, 0)).all()


def test_exported_videos_are_the_masks_frame_by_frame(tmp_path):
    sequences = read_masks(_write(tmp_path / "masks.mat"))

    items = export_masks(sequences, tmp_path / "videos")

    assert [i.group for i in items] == ["ann", "ann", "ann", "bob", "bob", "cy", "cy"]
    assert items[0].video_id == "run/ann_run1"
    for item, sequence in zip(items, sequences, strict=True):
        with VideoReader(item.path) as video:
            clips = list(video.iterate())
        frames_TCHW = torch.cat([clip.frames_TCHW for clip in clips])
        expected_THW = torch.from_numpy(sequence.masks_THW) * 255
        assert frames_TCHW.equal(expected_THW[:, None].expand(-1, 3, -1, -1))


def test_the_list_of_a_turn_keeps_the_person_out_of_training(tmp_path):
    items = export_masks(read_masks(_write(tmp_path / "masks.mat")), tmp_path / "videos")

    write_turn(items, "ann", tmp_path / "videos" / "without-ann.csv")

    listed = read_dataset(tmp_path / "videos" / "without-ann.csv")
    splits = {item.video_id: (item.group, item.split) for item in listed.items}
    assert len(splits) == len(NAMES)
    assert {group for group, split in splits.values() if split == "test"} == {"ann"}
    assert {group for group, split in splits.values() if split == "train"} == {"bob", "cy"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty", b""),
        ("text", b"these are no masks, only words\n" * 20),
        ("zeros", bytes(600)),
        ("photo", b"\xff\xd8\xff\xe0" + bytes(range(256)) * 8),
    ],
)
def test_files_of_another_kind_are_refused(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(DataError, match=f"{name} holds no Weizmann masks"):
        read_masks(path)


def test_a_cut_or_damaged_file_is_refused(tmp_path):
    whole = _write(tmp_path / "masks.mat").read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:400] + b"\xff" * 64 + whole[464:]):
        (tmp_path / "damaged.mat").write_bytes(damaged)

        with pytest.raises(DataError):
            read_masks(tmp_path / "damaged.mat")


@pytest.mark.parametrize(
    "record",
    [
        {"ann_run": np.zeros((4, 5), np.uint8)},
        {"ann_run": np.full((4, 5, 6), 7, np.uint8)},
        {"ann_run": "words"},
        {"annrun": np.zeros((4, 5, 6), np.uint8)},
        3.0,
    ],
)
def test_other_content_is_refused(tmp_path, record):
    with pytest.raises(DataError, match="as it was published"):
        read_masks(_write(tmp_path / "masks.mat", record))


def test_absent_file_and_wrong_count_end_with_one_line_and_code_2(tmp_path, capsys):
    assert weizmann.main([str(tmp_path / "none.mat"), str(tmp_path / "out")]) == 2
    first = capsys.readouterr()
    masks = _write(tmp_path / "masks.mat")
    assert weizmann.main([str(masks), str(tmp_path / "out"), "--seeds", "0"]) == 2
    second = capsys.readouterr()

    assert first.out == second.out == ""
    assert first.err.splitlines() == [
        "python -m lrcn.recipes.weizmann: error: there is no file"
        f" {tmp_path / 'none.mat'}; give the path of original_masks.mat"
    ]
    assert "--seeds must be at least 1, not 0" in second.err
    assert not (tmp_path / "out").exists()


def test_help_names_the_command_and_what_it_writes(capsys):
    with pytest.raises(SystemExit) as stop:
        weizmann.main(["--help"])

    text = capsys.readouterr().out
    assert stop.value.code == 0
    assert "python -m lrcn.recipes.weizmann original_masks.mat OUT --seeds 3" in text
    assert "results.json" in text


def test_every_sequence_is_tested_once_by_a_model_without_its_person(tmp_path, monkeypatch, capsys):
    masks = _write(tmp_path / "masks.mat")
    trained = _count_trainings(monkeypatch)
    monkeypatch.setattr(weizmann, "weizmann_lrcn", _tiny)
    monkeypatch.setattr(
        weizmann, "weizmann_single_frame", lambda: replace(_tiny(), name="tiny_single")
    )

    code = weizmann.main(
        [str(masks), str(tmp_path / "out"), "--seeds", "1", "--json", "--threads", "1"]
    )

    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert code == 0
    assert document == json.loads((tmp_path / "out" / "results.json").read_text())
    assert list(document["models"]) == ["tiny_single", "tiny"]
    assert document["protocol"]["persons"] == ["ann", "bob", "cy"]
    seed = document["models"]["tiny"]["seeds"][0]
    assert seed["num_sequences"] == len(NAMES)
    assert seed["num_right"] + len(seed["wrong"]) == len(NAMES)
    assert seed["accuracy_top1"] == seed["num_right"] / len(NAMES)
    assert len(trained) == 6
    for person in ("ann", "bob", "cy"):
        run = tmp_path / "out" / "runs" / f"tiny-seed0-without-{person}"
        listed = read_dataset(run / "split.csv").items
        assert {item.group for item in listed if item.split == "test"} == {person}
        assert person not in {item.group for item in listed if item.split == "train"}
        probs = json.loads((run / weizmann.TURN_NAME).read_text())["probs"]
        assert set(probs) == {i.video_id for i in listed if i.group == person}
    assert "tiny, seed 0, without bob" in printed.err


def _count_trainings(monkeypatch) -> list[str]:
    trained: list[str] = []
    train = weizmann.train

    def counted(experiment, run_dir, **settings):
        trained.append(run_dir.name)
        return train(experiment, run_dir, **settings)

    monkeypatch.setattr(weizmann, "train", counted)
    return trained


def test_finished_turns_are_kept_unfinished_and_changed_ones_repeated(tmp_path, monkeypatch):
    items = export_masks(read_masks(_write(tmp_path / "masks.mat")), tmp_path / "out" / "videos")
    trained = _count_trainings(monkeypatch)

    def go(experiment):
        trained.clear()
        return weizmann.leave_one_person_out(items, experiment, tmp_path / "out", 0, threads=1)

    first = go(_tiny())
    assert len(trained) == 3
    (tmp_path / "out" / "runs" / "tiny-seed0-without-bob" / weizmann.TURN_NAME).unlink()
    second = go(_tiny())

    assert trained == ["tiny-seed0-without-bob"]
    assert second.predicted == first.predicted
    assert second.truth == {item.video_id: item.class_names[0] for item in items}
    go(_tiny(lr=0.5))
    assert len(trained) == 3


def test_a_sequence_and_its_mirror_image_are_taken_for_the_same(tmp_path):
    """Both are views of the test: probabilities are the mean over the two."""
    sequences = read_masks(_write(tmp_path / "masks.mat"))
    flipped = [replace(s, masks_THW=s.masks_THW[:, :, ::-1].copy()) for s in sequences]
    items = export_masks(sequences, tmp_path / "out" / "videos")
    weizmann.leave_one_person_out(items, _tiny(), tmp_path / "out", 0, threads=1)
    run = tmp_path / "out" / "runs" / "tiny-seed0-without-ann"

    plain = weizmann.measure(run, items)
    mirrored = weizmann.measure(run, export_masks(flipped, tmp_path / "flipped"))

    assert plain.keys() == {item.video_id for item in items}
    for name, probs in plain.items():
        assert mirrored[name] == pytest.approx(probs, abs=1e-5)


def test_the_interrupted_command_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt("Go on with: lrcn train --resume")

    monkeypatch.setattr(weizmann, "train", interrupted)

    code = weizmann.main([str(_write(tmp_path / "masks.mat")), str(tmp_path / "out")])

    assert code == 130
    assert "the same command goes on where it stopped" in capsys.readouterr().err
    assert not (tmp_path / "out" / "results.json").exists()


def test_a_wrong_folder_is_refused_before_anything_is_trained(tmp_path, capsys):
    (tmp_path / "out").write_text("a file")

    code = weizmann.main([str(_write(tmp_path / "masks.mat")), str(tmp_path / "out"), "--quiet"])

    assert code == 2
    assert "Choose another OUT" in capsys.readouterr().err


def test_the_table_shows_every_seed_and_what_was_taken_for_what(capsys):
    truth = {"run/ann_run": "run", "wave1/ann_wave1": "wave1"}
    result = weizmann.SeedResult(
        seed=2,
        truth=truth,
        probs={
            "run/ann_run": {"run": 0.2, "skip": 0.8},
            "wave1/ann_wave1": {"run": 0.1, "wave1": 0.9},
        },
        spent=Spent(seconds=1.0),
    )

    weizmann.print_results({"models": {"a_model_of_long_name": {"seeds": [result.to_dict()]}}})

    text = capsys.readouterr().out
    assert "1 of 2" in text
    assert "0.5000" in text
    assert "a_model_of_long_name, seed 2, wrong: run/ann_run as skip" in text
    assert text.count("a_model_of_long_name") == 2, "cut off in the table"
    assert "0.095 to 0.905" in text


def test_both_models_get_the_very_same_treatment():
    lrcn, single = weizmann_lrcn(), weizmann_single_frame()

    assert replace(single.model, kind="lrcn") == lrcn.model
    assert (single.dataset, single.task, single.train) == (lrcn.dataset, lrcn.task, lrcn.train)
    with pytest.raises(ConfigError):
        weizmann.run(Path("masks.mat"), Path("out"), num_seeds=0)


@pytest.mark.real_data
def test_the_real_masks_are_those_of_the_literature(real_data):
    found: list[MaskSequence] = read_masks(real_data / "weizmann-masks" / "original_masks.mat")

    assert len(found) == 93
    assert len({s.person for s in found}) == 9
    assert len({s.action for s in found}) == 10
    lengths = [len(s.masks_THW) for s in found]
    assert (min(lengths), max(lengths)) == (28, 146)
    assert {s.masks_THW.shape[1:] for s in found} == {(144, 180)}
    assert all((s.masks_THW.min(), s.masks_THW.max()) == (0, 1) for s in found)
    assert {s.action for s in found if s.person == "lena" and s.name == "run2"} == {"run"}
