"""Recipe, YAML file, flags and dotted settings: the later wins, and mistakes are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lrcn.cli.main import main


def _resolved(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    code = main(["train", "--data", "clips", "--print-config", *arguments])
    shown = capsys.readouterr()
    assert code == 0, shown.err
    resolved: dict[str, Any] = yaml.safe_load(shown.out)
    return resolved


def test_the_later_source_wins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "a.yaml"
    config.write_text("train: {epochs: 7, lr: 0.5, batch_size: 3}\nmodel: {num_layers: 2}\n")
    recipe = ("--recipe", "motion_lrcn")

    from_recipe = _resolved(capsys, *recipe)
    from_file = _resolved(capsys, *recipe, "--config", str(config))
    from_flags = _resolved(capsys, *recipe, "--config", str(config), "--lr", "0.25", "--epochs=8")
    from_dots = _resolved(
        capsys, *recipe, "--config", str(config), "--lr", "0.25", "--train.lr=1e-3"
    )

    assert from_recipe["model"]["backbone"] == "small"
    assert from_file["model"]["backbone"] == "small"
    assert (from_file["train"]["epochs"], from_file["model"]["num_layers"]) == (7, 2)
    assert (from_flags["train"]["lr"], from_flags["train"]["epochs"]) == (0.25, 8)
    assert from_flags["train"]["batch_size"] == 3
    assert from_dots["train"]["lr"] == 1e-3


def test_first_class_options_reach_their_settings(capsys: pytest.CaptureFixture[str]) -> None:
    options = "--recipe auto --backbone small --batch-size 5 --clip-length 4 --layout csv --fold 2"
    options += " --val-data val --missing skip --allow-leaks --seed 9 --precision float32"

    resolved = _resolved(capsys, *options.split(), "--init", "other")

    dataset, train = resolved["dataset"], resolved["train"]
    assert resolved["model"]["backbone"] == "small"
    assert (dataset["layout"], dataset["fold"], dataset["missing"]) == ("csv", 2, "skip")
    assert dataset["allow_leaks"] is True
    assert dataset["sampling"]["clip_length"] == 4
    assert (train["batch_size"], train["seed"], train["precision"]) == (5, 9, "float32")
    # Paths hold wherever the run is used from.
    assert dataset["data"] == str(Path.cwd() / "clips")
    assert dataset["val_data"] == str(Path.cwd() / "val")
    assert resolved["init"] == str(Path.cwd() / "other")


def test_finetuning_follows_the_frozen_stage_whatever_its_length(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plain = _resolved(capsys, "--epochs", "6")
    tuned = _resolved(capsys, "--epochs", "6", "--finetune")
    dotted = _resolved(capsys, "--train.epochs", "8", "--finetune")

    assert plain["train"]["unfreeze_at"] is None
    assert tuned["train"]["unfreeze_at"] == 6
    assert tuned["train"]["epochs"] > 6
    assert dotted["train"]["unfreeze_at"] == 8


def test_dashes_underscores_and_switches(capsys: pytest.CaptureFixture[str]) -> None:
    resolved = _resolved(
        capsys, "--model.hidden-size", "12", "--train.weight_decay=0", "--dataset.balanced"
    )

    assert resolved["model"]["hidden_size"] == 12
    assert resolved["train"]["weight_decay"] == 0
    assert resolved["dataset"]["balanced"] is True


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--model.hiden-size", "3"], "Did you mean 'model.hidden_size'?"),
        (["--train.optimizer", "adm"], "Did you mean 'adamw'?"),
        (["--train.epochs", "0"], "epochs must be at least 1"),
        (["--train.lr", "fast"], "it takes number"),
        (["--train.lr"], "--train.lr needs a value"),
        (["--hidden-size", "3"], "Did you mean --model.hidden-size?"),
        (["--recipe", "motion_lrc"], "Did you mean 'motion_lrcn'?"),
        (["--missing", "ignore"], 'Choose from: "error", "skip"'),
        (["--epochs", "many"], 'unable to convert "many" into int'),
        (["--config", "absent.yaml"], "absent.yaml"),
        (["--train.lr", "1", "--train.lr=2"], "given twice"),
    ],
)
def test_mistakes_are_refused_in_one_line(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["train", "--data", "clips", "--out", "run", *arguments])

    shown = capsys.readouterr()
    assert code == 2
    assert shown.out == ""
    assert text in shown.err
    assert shown.err.count("\n") == 1
    assert not Path("run").exists()


def test_a_misspelt_key_in_a_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "a.yaml"
    config.write_text("train:\n  epoch: 3\nmodle: {}\n")

    code = main(["train", "--data", "x", "--config", str(config), "--print-config"])

    shown = capsys.readouterr().err
    assert code == 2
    assert "Did you mean 'train.epochs'?" in shown
    assert "Did you mean 'model'?" in shown


def test_help_lists_every_setting_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--help"]) == 0

    shown = capsys.readouterr().out
    for flag in ("--model.hidden-size", "--train.clip-norm", "--dataset.sampling.frame-stride"):
        assert flag in shown
    assert "[default: 256]" in shown
    assert "sgd|adamw" in shown
