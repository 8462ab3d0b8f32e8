"""The run folder: made once, refused when it exists, never deleting what is no run."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrcn.errors import ConfigError, OutputError
from lrcn.train.config import DatasetConfig, Experiment, TrainConfig
from lrcn.train.run import (
    fingerprint,
    load_experiment,
    prepare_run,
    read_yaml,
    save_experiment,
    settle_run,
)


def test_an_experiment_comes_back_from_its_file(tmp_path):
    experiment = Experiment(
        name="mine",
        dataset=DatasetConfig(data="clips", fold=2),
        train=TrainConfig(lr=3e-4, unfreeze_at=0),
        expected={"accuracy_top1": 0.5},
    )

    save_experiment(tmp_path, experiment)

    assert load_experiment(tmp_path) == experiment
    assert load_experiment(tmp_path / "experiment.yaml") == experiment


def test_an_existing_run_is_refused_resumed_or_replaced(tmp_path):
    run = tmp_path / "run"
    prepare_run(run, resume=False, overwrite=False)
    save_experiment(run, Experiment())

    with pytest.raises(OutputError, match=r"exists already\. Add --resume"):
        prepare_run(run, resume=False, overwrite=False)
    prepare_run(run, resume=True, overwrite=False)
    assert (run / "experiment.yaml").exists()
    aside = prepare_run(run, resume=False, overwrite=True)
    assert list(run.iterdir()) == []
    settle_run(run, aside, started=False)
    assert (run / "experiment.yaml").exists()
    settle_run(run, prepare_run(run, resume=False, overwrite=True), started=True)
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_overwriting_never_deletes_what_is_no_run(tmp_path):
    precious = tmp_path / "photos"
    precious.mkdir()
    (precious / "one.jpg").write_text("x")

    with pytest.raises(OutputError, match="is no run folder"):
        prepare_run(precious, resume=False, overwrite=True)

    assert (precious / "one.jpg").exists()


def test_the_folder_one_is_in_is_not_replaced(tmp_path, monkeypatch):
    save_experiment(tmp_path, Experiment())
    (tmp_path / "best").mkdir()
    monkeypatch.chdir(tmp_path / "best")

    for name in ("..", str(tmp_path), "../best/.."):
        with pytest.raises(OutputError, match="the folder that you are in"):
            prepare_run(Path(name), resume=False, overwrite=True)

    assert (tmp_path / "experiment.yaml").exists()


def test_resuming_nothing_and_contradictions_are_refused(tmp_path):
    with pytest.raises(OutputError, match="nothing to resume"):
        prepare_run(tmp_path / "none", resume=True, overwrite=False)
    with pytest.raises(ConfigError, match="exclude each other"):
        prepare_run(tmp_path, resume=True, overwrite=True)
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="is a file"):
        prepare_run(tmp_path / "file", resume=False, overwrite=False)


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [", "not valid YAML"), ("- 1", "holds list"), ("just text", "holds str")],
)
def test_broken_yaml_is_refused(tmp_path, text, message):
    path = tmp_path / "x.yaml"
    path.write_text(text)

    with pytest.raises(ConfigError, match=message):
        read_yaml(path)


def test_empty_yaml_is_no_setting_and_absent_is_an_error(tmp_path):
    (tmp_path / "empty.yaml").write_text("")

    assert read_yaml(tmp_path / "empty.yaml") == {}
    with pytest.raises(ConfigError, match="cannot read settings"):
        read_yaml(tmp_path / "absent.yaml")


def test_unknown_keys_of_a_file_are_refused(tmp_path):
    (tmp_path / "x.yaml").write_text("train: {learning_rate: 1}")

    with pytest.raises(ConfigError, match=r"unknown setting 'train.learning_rate'"):
        load_experiment(tmp_path / "x.yaml")


def test_fingerprint_follows_what_decides_the_weights():
    base = fingerprint(Experiment(), ["a", "b"], 1)

    assert fingerprint(Experiment(), ["a", "b"], 1) == base
    assert fingerprint(Experiment(dataset=DatasetConfig(num_workers=2)), ["a", "b"], 1) == base
    assert fingerprint(Experiment(dataset=DatasetConfig(layout="csv")), ["a", "b"], 1) == base
    assert fingerprint(Experiment(train=TrainConfig(lr=0.5)), ["a", "b"], 1) != base
    assert fingerprint(Experiment(), ["a"], 1) != base
    assert fingerprint(Experiment(), ["a", "b"], 2) != base
