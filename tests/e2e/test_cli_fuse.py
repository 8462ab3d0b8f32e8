"""`lrcn fuse` on a feature world: results to results, models to a model, and what is refused."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.fakes.command_line import Run
from tests.fakes.worlds import write_feature_world

import lrcn as library
from lrcn.cli.main import main


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, world: Path) -> tuple[Path, Path]:
    """Two measured runs on it with the same division. Module-wide: tests only read them."""
    folder = tmp_path_factory.mktemp("runs")
    for name, kind in (("one", "lrcn"), ("two", "mean_pool")):
        options = ["--epochs", "2", "--model.kind", kind, "--model.hidden-size", "4", "--quiet"]
        train = ["train", "--data", str(world), "--out", str(folder / name), *options]
        assert main(train) == 0
        assert main(["evaluate", str(folder / name), "--quiet"]) == 0
    return folder / "one", folder / "two"


@pytest.fixture(scope="module")
def fused(tmp_path_factory: pytest.TempPathFactory, runs: tuple[Path, Path]) -> Path:
    """A fused model of both, a third and two thirds."""
    out = tmp_path_factory.mktemp("fused") / "both"
    assert main(["fuse", *map(str, runs), "--weights", "1,2", "--out", str(out), "--quiet"]) == 0
    return out


def _probs(path: Path) -> np.ndarray:
    return np.array([v["probs"] for v in json.loads(path.read_text())["videos"]])


def test_results_are_fused_and_measured(lrcn: Run, runs: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "both.json"

    code, shown, _ = lrcn("fuse", *runs, "--weights", "1/3,2/3", "--out", out, "--json")

    assert code == 0
    assert json.loads(shown) == json.loads(out.read_text())
    own = [_probs(next((run / "results").glob("*.json"))) for run in runs]
    np.testing.assert_allclose(_probs(out), own[0] / 3 + 2 * own[1] / 3, rtol=1e-9)
    results = json.loads(shown)
    assert results["protocol"]["fusion"]["weights_from"] == "given"
    low, high = results["accuracy_top1_interval"]
    assert low <= results["accuracy_top1"] <= high
    assert lrcn("compare", runs[0], out)[0] == 0
    code, _, err = lrcn("fuse", *runs, "--out", out)
    assert code == 2
    assert "--overwrite" in err


def test_a_fused_model_answers_like_any_other(
    lrcn: Run, fused: Path, runs: tuple[Path, Path], world: Path
) -> None:
    with world.open() as file:
        path = world.parent / next(csv.DictReader(file))["path"]

    code, shown, _ = lrcn("predict", fused, path, "--json")

    assert code == 0
    found = library.load(fused)(path)
    own = [library.load(run)(path).probs_K for run in runs]
    wanted = own[0] / 3 + 2 * own[1] / 3
    np.testing.assert_allclose(found.probs_K, wanted, rtol=1e-5)
    assert json.loads(shown)[0]["class_name"] == found.class_name


def test_evaluate_and_report_take_it(
    lrcn: Run, fused: Path, runs: tuple[Path, Path], tmp_path: Path
) -> None:
    place = tmp_path / "copy"
    shutil.copytree(fused, place)

    code, shown, err = lrcn("evaluate", place, "--json")

    assert code == 0, err
    results = json.loads(shown)
    assert results["protocol"]["split"] == "val"
    of_files = tmp_path / "both.json"
    assert lrcn("fuse", *runs, "--weights", "1,2", "--out", of_files)[0] == 0
    np.testing.assert_allclose([v["probs"] for v in results["videos"]], _probs(of_files), rtol=1e-9)
    assert len(list((place / "results").glob("*.json"))) == 1
    assert lrcn("report", place)[0] == 0
    assert "fusion_weights 0.333" in (place / "report.html").read_text()


def test_it_does_not_need_the_runs(lrcn: Run, fused: Path, world: Path, tmp_path: Path) -> None:
    place = tmp_path / "alone"
    shutil.copytree(fused, place)
    config = json.loads((place / "config.json").read_text())
    assert config["task"] == "fusion"
    for member in config["members"]:
        member["origin"] = "/gone"
    (place / "config.json").write_text(json.dumps(config))

    code, shown, _ = lrcn("evaluate", place, "--data", world, "--json")

    assert code == 0
    assert json.loads(shown)["protocol"]["split"] == "all"
    code, _, err = lrcn("evaluate", place)
    assert code == 2
    assert "--data is missing" in err


def test_weights_are_searched_on_the_validation_part(
    lrcn: Run, runs: tuple[Path, Path], world: Path, tmp_path: Path
) -> None:
    out = tmp_path / "searched"

    code, shown, err = lrcn("fuse", *runs, "--search", world, "--out", out, "--json")

    assert code == 0, err
    said = json.loads(shown)
    assert sum(said["fusion_weights"]) == pytest.approx(1)
    assert "validation videos" in said["weights_from"]
    with (runs[0] / "split.csv").open() as file:
        file.readline()
        held_out = {row["video_id"] for row in csv.DictReader(file) if row["split"] == "val"}
    assert set(json.loads((out / "config.json").read_text())["search_video_ids"]) == held_out
    results = json.loads(lrcn("evaluate", out, "--json")[1])
    assert any("searched" in warning for warning in results["protocol"]["warnings"])


def test_weights_are_never_searched_on_what_is_measured(
    lrcn: Run, runs: tuple[Path, Path], world: Path, tmp_path: Path
) -> None:
    code, _, err = lrcn("fuse", *runs, "--search", world, "--out", tmp_path / "x.json")

    assert code == 2
    assert "tested on" in err
    assert not (tmp_path / "x.json").exists()


def test_weights_for_results_are_searched_with_their_models(
    lrcn: Run, runs: tuple[Path, Path], world: Path, tmp_path: Path
) -> None:
    other = write_feature_world(tmp_path / "other", seed=9)
    files = [tmp_path / f"{run.name}.json" for run in runs]
    for run, file in zip(runs, files, strict=True):
        options = ["--data", other, "--split", "all", "--out", file, "--quiet"]
        assert lrcn("evaluate", run / "best", *options)[0] == 0
        newest = max((run / "results").glob("*.json"), key=lambda p: (p.stat().st_mtime_ns, p.name))
        newest.unlink()  # other tests fuse the runs' first results

    code, shown, err = lrcn("fuse", *files, "--search", world, "--out", tmp_path / "f", "--json")

    assert code == 0, err
    fusion = json.loads(shown)["protocol"]["fusion"]
    assert fusion["weights_from"].startswith("searched on")
    weights = fusion["fusion_weights"]
    own = [_probs(file) for file in files]
    np.testing.assert_allclose(
        _probs(tmp_path / "f"), weights[0] * own[0] + weights[1] * own[1], rtol=1e-9
    )


def test_weights_are_never_searched_on_a_test_part(
    lrcn: Run, runs: tuple[Path, Path], world: Path, tmp_path: Path
) -> None:
    with world.open() as file:
        rows = list(csv.DictReader(file))
    marked = world.with_name("marked.csv")
    with marked.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "split"])
        writer.writeheader()
        writer.writerows({**row, "split": "test"} for row in rows)
    plain = [shutil.copytree(run / "best", tmp_path / run.name) for run in runs]

    code, _, err = lrcn("fuse", *plain, "--search", marked, "--out", tmp_path / "out")

    assert code == 2
    assert "never on the test part" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--weights", "1,2,3"], "3 fusion weights were given for 2 models"),
        (["--weights", "a,b"], "is no list of numbers"),
        (["--weights", "0,0"], "at least one above 0"),
        (["--weights", "1,2", "--search", "x"], "exclude each other"),
        (["--search", "absent"], "absent"),
    ],
)
def test_wrong_use_is_told(
    lrcn: Run, runs: tuple[Path, Path], tmp_path: Path, arguments: list[str], said: str
) -> None:
    code, _, err = lrcn("fuse", *runs, *arguments, "--out", tmp_path / "out")

    assert code == 2
    assert said in err
    assert not (tmp_path / "out").exists()


def test_one_model_is_not_enough(lrcn: Run, runs: tuple[Path, Path], tmp_path: Path) -> None:
    code, _, err = lrcn("fuse", runs[0], "--out", tmp_path / "out")

    assert code == 2
    assert "two or more" in err


def test_a_fused_model_among_the_members_brings_its_own(
    lrcn: Run, runs: tuple[Path, Path], fused: Path, world: Path, tmp_path: Path
) -> None:
    code, out, err = lrcn("fuse", runs[0], fused, "--weights", "1,3", "--out", tmp_path / "all")

    assert code == 0, err
    config = json.loads((tmp_path / "all" / "config.json").read_text())
    # 1/4, and 3/4 of a third and of two thirds.
    weights = [member["fusion_weight"] for member in config["members"]]
    assert weights == pytest.approx([1 / 4, 1 / 4, 1 / 2])
    origins = [member["origin"] for member in config["members"]]
    assert origins == [str(runs[0]), str(runs[0]), str(runs[1])]
    with world.open() as file:
        clip = world.parent / next(csv.DictReader(file))["path"]
    alone = [library.load(run)(clip).probs_K for run in runs]
    answer = library.load(tmp_path / "all")(clip).probs_K
    assert answer.tolist() == pytest.approx((0.5 * alone[0] + 0.5 * alone[1]).tolist(), abs=1e-6)

    searched = tmp_path / "searched"
    code, out, err = lrcn("fuse", runs[1], fused, "--search", world, "--out", searched)
    assert code == 0, err
    assert "searched on" in out
    again = tmp_path / "again"
    assert lrcn("fuse", searched, runs[0], "--out", again)[0] == 0
    ids = [
        json.loads((f / "config.json").read_text())["search_video_ids"] for f in (searched, again)
    ]
    assert ids[0] == ids[1] != []


def test_a_fused_folder_is_no_single_model(
    lrcn: Run, fused: Path, world: Path, tmp_path: Path
) -> None:
    code, _, err = lrcn("train", "--data", world, "--init", fused, "--out", tmp_path / "out")

    assert code == 2
    assert "member_1" in err
    code, _, err = lrcn("evaluate", fused, "--calibrate")
    assert code == 2
    assert "Calibrate each" in err


def test_sampling_must_agree_unless_told(
    lrcn: Run, runs: tuple[Path, Path], tmp_path: Path
) -> None:
    other = shutil.copytree(runs[1] / "best", tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    config["sampling"]["frame_stride"] = 2
    (other / "config.json").write_text(json.dumps(config))

    code, _, err = lrcn("fuse", runs[0], other, "--out", tmp_path / "out")
    assert code == 2
    assert "frame_stride 2" in err

    code, _, err = lrcn("fuse", runs[0], other, "--allow-unlike", "--out", tmp_path / "out")
    assert code == 0
    assert "warning" in err
