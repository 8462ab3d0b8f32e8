"""The run folder: made once, refused when it exists, enough to repeat or continue the run.

::

    RUN/
    ├── experiment.yaml    the whole resolved experiment; `lrcn train --config` repeats it
    ├── environment.json   versions, processor, command line
    ├── split.csv          who was trained on and who was held out
    ├── log.jsonl          one line an event; TensorBoard's event file lies beside it
    ├── best/  last/       model folders; `last` also holds the state for --resume
    └── results/           one JSON file per evaluation
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from lrcn.engine import describe_processor
from lrcn.errors import ConfigError, OutputError
from lrcn.settings import from_dict, to_dict
from lrcn.train.caption_config import AnyExperiment, CaptionExperiment
from lrcn.train.config import Experiment
from lrcn.version import __version__

EXPERIMENT_NAME = "experiment.yaml"
ENVIRONMENT_NAME = "environment.json"
SPLIT_NAME = "split.csv"

_NOT_IDENTITY = {"dataset": ("num_workers",), "train": ("checkpoint_every",)}
"""Settings that do not change a single weight: a run may be resumed with others."""


def prepare_run(run_dir: Path, *, resume: bool, overwrite: bool) -> Path | None:
    """Make sure that the run can be written where the user says.

    Returns:
        Where the run that is overwritten was set aside; see `settle_run`.

    Raises:
        OutputError: it exists and neither `resume` nor `overwrite` was given; or it is to be
            overwritten but is no run; or it is to be resumed but is not there.
    """
    if resume and overwrite:
        raise ConfigError("--resume and --overwrite exclude each other: give one of them")
    is_run = (run_dir / EXPERIMENT_NAME).is_file()
    if resume:
        if not is_run:
            raise OutputError(
                f"nothing to resume at {run_dir}: there is no {EXPERIMENT_NAME}."
                " Leave out --resume to start a run there"
            )
        return None
    aside = None
    if run_dir.exists() and not run_dir.is_dir():
        raise OutputError(f"{run_dir} is a file; --out names a folder. Choose another place")
    if run_dir.is_dir() and any(run_dir.iterdir()):
        if not overwrite:
            raise OutputError(
                f"{run_dir} exists already. Add --resume to continue it, --overwrite to replace"
                " it, or choose another --out"
            )
        if not is_run:
            raise OutputError(
                f"{run_dir} is no run folder (no {EXPERIMENT_NAME} in it), so it is not"
                " overwritten. Remove it yourself, or choose another --out"
            )
        whole = run_dir.resolve()
        if Path.cwd().is_relative_to(whole):
            raise OutputError(
                f"{run_dir} is the folder that you are in, which cannot be replaced."
                " Change to the one above it, and name the run from there"
            )
        aside = whole.with_name(f".{whole.name}.old")
        shutil.rmtree(aside, ignore_errors=True)
        run_dir.rename(aside)
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make {run_dir}: {error}. Choose another --out") from error
    return aside


def settle_run(run_dir: Path, aside: Path | None, *, started: bool) -> None:
    """Once training starts, drop the run set aside; where it could not start, put it back.

    So a mistake in the settings or the data leaves everything as it was.
    """
    if started:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)
        return
    shutil.rmtree(run_dir, ignore_errors=True)
    if aside is not None:
        aside.rename(run_dir)


def save_experiment(run_dir: Path, experiment: AnyExperiment) -> None:
    """Write the resolved experiment."""
    text = yaml.safe_dump(to_dict(experiment), sort_keys=False, allow_unicode=True)
    write_text(run_dir / EXPERIMENT_NAME, text)


def load_any_experiment(path: Path) -> AnyExperiment:
    """Read an experiment, with classes or with sentences, from its YAML file or a run folder.

    Raises:
        ConfigError: when it cannot be read, or names unknown settings.
    """
    if path.is_dir():
        path = path / EXPERIMENT_NAME
    tree = read_yaml(path)
    if "problem" in tree:
        return from_dict(CaptionExperiment, tree)
    return from_dict(Experiment, tree)


def load_experiment(path: Path) -> Experiment:
    """Read an experiment with classes.

    Raises:
        ConfigError: when it cannot be read, names unknown settings, or is one with sentences.
    """
    experiment = load_any_experiment(path)
    if isinstance(experiment, CaptionExperiment):
        raise ConfigError(
            f"{path} is an experiment with sentences, and one with classes is needed here."
            " Give a run of a recogniser"
        )
    return experiment


def read_yaml(path: Path) -> Mapping[str, Any]:
    """A YAML file holding a mapping, empty files included.

    Raises:
        ConfigError: when it is absent, no YAML, or something else than a mapping.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read settings from {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path} is not valid YAML: {reason}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(
            f"{path} holds {type(content).__name__}, not settings by name (`train: ...`)"
        )
    return content


def save_environment(run_dir: Path, command_line: Sequence[str]) -> None:
    """Write versions, processor and command line."""
    packages = ("torch", "torchvision", "timm", "av", "numpy", "pillow")
    versions: dict[str, str | None] = {}
    for name in packages:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    environment = {
        "lrcn": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": versions,
        "processor": describe_processor(),
        "command_line": list(command_line) or list(sys.argv),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_text(run_dir / ENVIRONMENT_NAME, json.dumps(environment, indent=2, default=str) + "\n")


def fingerprint(experiment: AnyExperiment, video_ids: Sequence[str], world_size: int) -> str:
    """A hash of all that decides the weights: settings, training videos, number of processes."""
    settings = to_dict(experiment)
    for part, names in _NOT_IDENTITY.items():
        for name in names:
            settings[part].pop(name)
    # Recorded once it is recognised; what was read under it is told by the videos' ids.
    settings["dataset"]["layout"] = None
    text = json.dumps([settings, list(video_ids), world_size], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a file beside its place, then rename it there."""
    draft = path.with_name(f".{path.name}.draft-{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
