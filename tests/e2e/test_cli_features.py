"""The three commands on a feature world: train, evaluate and report, predict; and what follows."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tests.fakes.command_line import Run
from tests.fakes.dataset import put_frames
from tests.fakes.worlds import CLASSES, write_feature_world

from lrcn.cli.main import main


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, world: Path) -> Path:
    """A run on it. Module-wide: tests read it, or copy it before they write."""
    run = tmp_path_factory.mktemp("runs") / "first"
    options = ["--epochs", "3", "--model.hidden-size", "8", "--quiet", "--seed", "1"]
    assert main(["train", "--data", str(world), "--out", str(run), *options]) == 0
    return run


def test_features_are_taken_as_they_are(trained: Path) -> None:
    experiment = yaml.safe_load((trained / "experiment.yaml").read_text())

    assert experiment["model"]["backbone"] == "none"
    assert experiment["model"]["hidden_size"] == 8
    assert experiment["train"]["epochs"] == 3
    assert experiment["train"]["seed"] == 1
    assert Path(experiment["dataset"]["data"]).is_absolute()


def test_a_run_is_measured_on_what_it_held_out_and_says_so(
    lrcn: Run, trained: Path, world: Path
) -> None:
    code, out, err = lrcn("evaluate", trained, "--json")

    assert code == 0
    results = json.loads(out)
    protocol = results["protocol"]
    with (trained / "split.csv").open() as file:
        file.readline()
        held_out = {row["video_id"] for row in csv.DictReader(file) if row["split"] == "val"}
    assert {video["video_id"] for video in results["videos"]} == held_out
    assert (protocol["split"], protocol["split_how"]) == ("val", "by group")
    assert f"measuring on {len(held_out)} videos: val (by group)" in err
    assert 0 <= results["accuracy_top1"] <= 1
    low, high = results["accuracy_top1_interval"]
    assert low <= results["accuracy_top1"] <= high
    kept = max((trained / "results").glob("*.json"), key=lambda p: p.stat().st_mtime_ns)
    assert json.loads(kept.read_text()) == results

    code, again, _ = lrcn("evaluate", trained, "--data", world, "--json", "--quiet")
    assert json.loads(again)["videos"] == results["videos"]


def test_validation_lists_look_where_the_training_list_does(lrcn: Run, tmp_path: Path) -> None:
    """The original's lists beside frames, its features elsewhere; first the frames were taken."""
    for part, names in (("train", "ab"), ("test", "cd")):
        lines = [f"C{k}/v_{name}_g0{k}_c01 {k}\n" for k, name in enumerate(names)]
        (tmp_path / f"ucf101_split1_{part}Videos.txt").write_text("".join(lines))
        for k, name in enumerate(names):
            features = np.full((4, 8), k, np.float32)
            (tmp_path / "features").mkdir(exist_ok=True)
            np.save(tmp_path / "features" / f"v_{name}_g0{k}_c01.npy", features)
            put_frames(tmp_path / "frames" / f"v_{name}_g0{k}_c01", k)
    lists = sorted(tmp_path.glob("*.txt"), reverse=True)
    root = ("--videos-root", tmp_path / "features")
    settings = ("--model.hidden-size", "4", "--epochs", "1", "--quiet")

    code, _, err = lrcn(
        "train", "--data", lists[0], "--val-data", lists[1], *root, *settings, "--allow-leaks",
        "--out", tmp_path / "run",
    )  # fmt: skip

    assert code == 0, err


def test_training_videos_are_refused_unless_asked_for(
    lrcn: Run, trained: Path, world: Path, tmp_path: Path
) -> None:
    # Copies under other names: told by their content.
    renamed = tmp_path / "renamed.csv"
    lines = ["path,label"]
    for i, path in enumerate(sorted(world.parent.glob("*.npy"))):
        copy = tmp_path / f"other_{i}.npy"
        copy.write_bytes(path.read_bytes())
        lines.append(f"{copy},{CLASSES[int(path.stem.split('_')[1]) % 2]}")
    renamed.write_text("\n".join(lines) + "\n")

    code, out, err = lrcn("evaluate", trained, "--data", renamed, "--quiet")
    assert (code, out) == (2, "")
    assert "equal content" in err
    assert "--allow-leaks" in err

    code, out, _ = lrcn("evaluate", trained, "--data", renamed, "--allow-leaks", "--json")
    assert code == 0
    protocol = json.loads(out)["protocol"]
    assert protocol["allow_leaks"] is True
    assert any("trained on too" in warning for warning in protocol["warnings"])

    code, out, _ = lrcn("evaluate", trained, "--split", "train", "--json", "--quiet")
    assert code == 0
    protocol = json.loads(out)["protocol"]
    assert protocol["split"] == "train"
    assert any("as asked for by --split" in warning for warning in protocol["warnings"])


def test_every_video_trained_on_is_an_error_that_says_what_to_do(
    lrcn: Run, trained: Path, tmp_path: Path
) -> None:
    with (trained / "split.csv").open() as file:
        file.readline()
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    only_train = tmp_path / "train.csv"
    lines = [f"{row['path']},{row['labels']}" for row in rows]
    only_train.write_text("path,label\n" + "\n".join(lines) + "\n")

    code, _, err = lrcn("evaluate", trained, "--data", only_train)

    assert code == 2
    assert f"all {len(rows)} videos" in err
    assert "--split train" in err


def test_calibration_is_kept_in_the_model(lrcn: Run, trained: Path, tmp_path: Path) -> None:
    run = _copied(trained, tmp_path)
    before = json.loads(lrcn("evaluate", run, "--json", "--quiet")[1])

    code, out, err = lrcn("evaluate", run, "--calibrate", "--json")

    assert code == 0
    after = json.loads(out)
    assert "is kept in" in err
    assert any("calibration looks too good" in w for w in after["protocol"]["warnings"])
    assert after["protocol"]["temperature"] != 1.0
    assert after["accuracy_top1"] == before["accuracy_top1"]
    assert after["nll"] <= before["nll"] + 1e-6
    later = json.loads(lrcn("evaluate", run, "--json", "--quiet")[1])
    assert later["protocol"]["temperature"] == after["protocol"]["temperature"]


def test_predictions_for_people_and_programs(
    lrcn: Run, trained: Path, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = sorted(world.parent.glob("video_1*.npy"))

    code, out, _ = lrcn("predict", trained, *paths, "--json", "--top-k", "1")
    assert code == 0
    found = json.loads(out)
    assert [entry["path"] for entry in found] == [str(path) for path in paths]
    for entry in found:
        assert set(entry) == {"path", "video_id", "class_name", "prob", "top_k", "segments"}
        assert entry["top_k"] == [{"class_name": entry["class_name"], "prob": entry["prob"]}]
        for segment in entry["segments"]:
            assert set(segment) == {"start_seconds", "end_seconds", "class_name", "prob"}

    lines = "\n".join([*map(str, paths), "", str(paths[0])])
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    code, out, _ = lrcn("predict", trained, "-", "--csv")
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["path"] for row in rows] == [str(path) for path in paths]
    assert [float(row["prob"]) for row in rows] == [entry["prob"] for entry in found]

    code, out, _ = lrcn("predict", trained, paths[0], "--threshold", "1.0", "--segments")
    assert code == 0
    assert "none of these" in out
    assert "from seconds" in out

    code, out, _ = lrcn("predict", trained, paths[0], "--frame-probs", "--csv")
    frames = list(csv.DictReader(io.StringIO(out)))
    assert len(frames) == len(np.load(paths[0]))
    assert all(float(f["down"]) + float(f["up"]) == pytest.approx(1, abs=1e-5) for f in frames)


def test_broken_inputs_are_named_and_do_not_stop_the_others(
    lrcn: Run, trained: Path, world: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.npy").write_text("no array")
    (tmp_path / "wide.npy").write_bytes(b"")
    np.save(tmp_path / "wide.npy", np.zeros((4, 99), dtype=np.float32))
    good = world.parent / "video_0.npy"
    bad = [tmp_path / "empty", tmp_path / "text.npy", tmp_path / "wide.npy", tmp_path / "no.npy"]

    code, out, err = lrcn("predict", trained, *bad, good, tmp_path / "*.mp4", "--json", "--quiet")

    assert code == 1
    found = json.loads(out)
    assert [set(entry) == {"path", "error"} for entry in found] == [True] * 4 + [False, True]
    assert found[4]["path"] == str(good)
    assert "5 of 6 failed" in err
    for path in bad:
        assert str(path) in err


def test_nothing_on_stdin_is_an_error(
    lrcn: Run, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))

    code, out, err = lrcn("predict", trained, "-")

    assert (code, out) == (2, "")
    assert "the list on stdin is empty" in err


def test_a_run_is_repeated_from_its_settings(lrcn: Run, trained: Path, tmp_path: Path) -> None:
    config = trained / "experiment.yaml"

    code, out, err = lrcn("train", "--config", config, "--out", tmp_path / "again", "--json")

    assert code == 0
    summary = json.loads(out)
    assert summary["epochs"] == 3
    weights = "best/model.safetensors"
    assert (trained / weights).read_bytes() == (tmp_path / "again" / weights).read_bytes()
    assert "epoch 3/3" in err

    code, out, _ = lrcn("compare", trained, tmp_path / "again", "--json")
    assert code == 2  # the second has not been measured
    lrcn("evaluate", trained, "--quiet")
    lrcn("evaluate", tmp_path / "again", "--quiet")
    code, out, _ = lrcn("compare", trained, tmp_path / "again", "--json")
    assert code == 0
    assert json.loads(out)["accuracy_top1_difference"] == 0.0


def test_a_finished_run_is_neither_lost_nor_trained_twice(
    lrcn: Run, trained: Path, world: Path, tmp_path: Path
) -> None:
    run = _copied(trained, tmp_path)

    code, _, err = lrcn("train", "--data", world, "--out", run)
    assert code == 2
    assert "--resume" in err
    assert "--overwrite" in err

    before = (run / "best" / "model.safetensors").read_bytes()
    code, _, _ = lrcn("train", "--resume", "--out", run, "--quiet")
    assert code == 0
    assert (run / "best" / "model.safetensors").read_bytes() == before

    code, _, err = lrcn("train", "--resume", "--out", run, "--lr", "0.5")
    assert code == 2
    assert "other settings" in err


def test_a_model_to_start_from_brings_its_network(lrcn: Run, trained: Path, world: Path) -> None:
    code, out, _ = lrcn("train", "--data", world, "--init", trained, "--print-config")
    assert code == 0
    model = yaml.safe_load(out)["model"]
    assert (model["hidden_size"], model["backbone"], model["feature_dim"]) == (8, "none", 6)


def test_the_report_holds_everything_it_shows(lrcn: Run, trained: Path, tmp_path: Path) -> None:
    lrcn("evaluate", trained, "--quiet")

    code, out, _ = lrcn("report", trained, "--out", tmp_path / "report.html")

    assert code == 0
    assert out.strip() == str(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(name in page for name in CLASSES)
    assert lrcn("report", trained, "--out", tmp_path / "report.html")[0] == 2


def test_a_division_is_written_and_used_again(lrcn: Run, world: Path, tmp_path: Path) -> None:
    split = tmp_path / "split.csv"

    code, out, _ = lrcn("data", "split", world, "--out", split, "--seed", "3", "--json")
    assert code == 0
    made: dict[str, Any] = json.loads(out)
    assert made["split"] == "by group"
    assert sum(made["num_videos"].values()) == 24
    assert lrcn("data", "split", world, "--out", split)[0] == 2

    run = tmp_path / "run"
    options = ("--epochs", "1", "--model.hidden-size", "4", "--quiet")
    assert lrcn("train", "--data", split, "--out", run, *options)[0] == 0
    code, out, _ = lrcn("evaluate", run, "--data", split, "--json", "--quiet")
    assert code == 0
    protocol = json.loads(out)["protocol"]
    assert protocol["split"] == "test"
    assert protocol["num_videos"] == made["num_videos"]["test"]


def test_a_division_can_be_named_beside_its_data(lrcn: Run, world: Path, tmp_path: Path) -> None:
    split = tmp_path / "split.csv"
    other = write_feature_world(tmp_path / "other", num_videos=8)
    lrcn("data", "split", world, "--out", split, "--quiet")

    code, out, _ = lrcn("train", "--data", world, "--split", split, "--print-config")
    assert code == 0
    assert yaml.safe_load(out)["dataset"]["data"] == str(split)
    assert lrcn("train", "--data", other, "--split", split, "--print-config")[0] == 2


def test_what_cannot_be_used_is_listed_and_left_out_of_the_clean_list(
    lrcn: Run, tmp_path: Path
) -> None:
    world = write_feature_world(tmp_path / "world", num_videos=8)
    assert lrcn("data", "check", world)[0] == 0
    (world.parent / "video_3.npy").write_text("no array")
    (world.parent / "video_4.npy").unlink()
    (world.parent / "video_6.npy").write_bytes((world.parent / "video_5.npy").read_bytes())

    code, out, err = lrcn("data", "check", world, "--json", "--out", tmp_path / "clean.csv")

    assert code == 1
    found = json.loads(out)
    assert [Path(entry["path"]).name for entry in found["missing"]] == ["video_4.npy"]
    assert [Path(entry["path"]).name for entry in found["unreadable"]] == ["video_3.npy"]
    assert len(found["duplicates"]) == 1
    assert "clean list of 4 items" in err
    assert lrcn("data", "check", tmp_path / "clean.csv", "--quiet")[0] == 0


def test_broken_files_in_training_are_left_out_when_told(lrcn: Run, tmp_path: Path) -> None:
    world = write_feature_world(tmp_path / "world", num_videos=16)
    (world.parent / "video_9.npy").write_text("no array")
    (world.parent / "video_2.npy").unlink()
    options = ("--epochs", "1", "--model.hidden-size", "4", "--quiet")

    code, _, err = lrcn("train", "--data", world, "--out", tmp_path / "a", *options)
    assert code == 2
    assert "video_2.npy" in err

    code, out, err = lrcn(
        "train", "--data", world, "--out", tmp_path / "b", "--missing", "skip", "--json", *options
    )
    assert code == 1
    skipped = {Path(entry["path"]).name for entry in json.loads(out)["skipped"]}
    assert skipped == {"video_2.npy", "video_9.npy"}
    assert "video_9.npy" in err


def _copied(run: Path, to: Path) -> Path:
    import shutil

    return Path(shutil.copytree(run, to / "copy"))


def test_several_labels_from_training_to_comparison(lrcn: Run, world: Path, tmp_path: Path) -> None:
    """Labels "up;odd" in a list: the scores that such data have, under their own names."""
    with world.open() as file:
        rows = list(csv.DictReader(file))
    listed = world.with_name("several.csv")
    with listed.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "group", "split"])
        for i, row in enumerate(rows):
            label = f"{row['label']};{'odd' if i % 3 else 'even'}"
            part = ("train", "train", "val", "test")[i // 2 % 4]
            writer.writerow([row["path"], label, row["path"], part])
    run = tmp_path / "run"

    options = ["--epochs", "2", "--model.hidden-size", "8", "--json"]
    code, out, err = lrcn("train", "--data", listed, "--out", run, *options)
    assert code == 0
    summary = json.loads(out)
    assert summary["val_accuracy_top1"] is None
    assert 0 <= summary["val_mean_average_precision"] <= 1
    assert ", mAP 0." in err

    code, out, _ = lrcn("evaluate", run, "--calibrate", "--json")
    assert code == 0
    results = json.loads(out)
    low, high = results["mean_average_precision_interval"]
    assert low <= results["mean_average_precision"] <= high
    assert "f1_macro" in results
    assert "accuracy_top1" not in results
    assert len(results["protocol"]["thresholds"]) == 4

    code, out, _ = lrcn("predict", run, world.parent / "video_0.npy", "--json")
    assert code == 0
    assert {"top_k", "segments"} <= set(json.loads(out)[0])

    code, out, _ = lrcn("compare", run, run, "--json")
    assert code == 0
    assert json.loads(out)["mean_average_precision_difference"] == 0.0

    assert lrcn("report", run)[0] == 0
    assert "mAP" in (run / "report.html").read_text(encoding="utf-8")


def test_a_file_of_many_videos_gives_an_answer_for_each(
    lrcn: Run, trained: Path, tmp_path: Path
) -> None:
    arrays = {f"v_{k}": np.full((5, 6), k, np.float32) for k in range(3)}
    many, one = tmp_path / "extracted_features_0.npz", tmp_path / "v_1.npy"
    np.savez(many, **arrays)
    np.save(one, arrays["v_1"])

    code, out, _ = lrcn("predict", trained, many, one, "--json", "--quiet")
    shown = lrcn("predict", trained, many, one)[1]

    found = json.loads(out)
    assert code == 0
    assert [answer["video_id"] for answer in found] == [*arrays, "v_1"]
    assert found[1]["prob"] == found[3]["prob"] != found[2]["prob"]
    assert f"{many}: v_2 " in shown
    assert f"{one}: " not in shown
