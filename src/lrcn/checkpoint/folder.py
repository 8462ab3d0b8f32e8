"""What all model folders have in common: names of files, the card, atomic writing, weights."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

import torch
from huggingface_hub import snapshot_download
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from lrcn.errors import LrcnError, ModelError, OutputError
from lrcn.models.visual import VisualModel
from lrcn.version import __version__

FORMAT_VERSION = 1
CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"
LABELS_NAME = "labels.txt"
VOCABULARY_NAME = "vocabulary.json"
CARD_NAME = "README.md"
CAPTION_TASK = "caption"
"""The `task` of a folder that holds a captioner."""
FUSION_TASK = "fusion"
"""The `task` of a folder that holds several models (`lrcn.fusion_folder`)."""


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What a model folder tells about its origin; every number with its protocol."""

    data: str = ""
    """What it was trained on."""
    results: Mapping[str, Any] = field(default_factory=dict)
    """Measured numbers by key, as in results files."""
    protocol: Mapping[str, Any] = field(default_factory=dict)
    """How they were measured."""
    notes: str = ""


class Saved(Protocol):
    """A model with what it needs to be used, whatever it does."""

    card: ModelCard
    source: str
    """Where it was loaded from."""

    @property
    def model(self) -> VisualModel:
        """The network."""
        ...

    def with_card(self, card: ModelCard) -> Self:
        """The same model with another card."""
        ...

    def write_files(self, folder: Path) -> None:
        """The files of its model folder, into a folder that exists."""
        ...


def save_model(folder: Path, saved: Saved) -> None:
    """Write a model folder atomically, replacing one that stands there.

    Raises:
        OutputError: when the folder cannot be written.
    """
    with new_folder(folder) as draft:
        saved.write_files(draft)


def fetch_folder(
    model_id: str,
    *,
    revision: str | None,
    cache_dir: str | Path | None,
    force_download: bool,
    local_files_only: bool,
    token: str | bool | None,
    **model_kwargs: Any,
) -> Path:
    """The model folder of that name: a folder here, or one of the Hugging Face hub."""
    del model_kwargs  # the folder says everything; nothing can be changed while loading
    folder = Path(model_id)
    if folder.is_dir():
        return folder
    return Path(
        snapshot_download(
            model_id,
            revision=revision,
            cache_dir=cache_dir,
            force_download=force_download,
            local_files_only=local_files_only,
            token=token,
        )
    )


def write_common_files(folder: Path, saved: Saved, config: Mapping[str, Any], card: str) -> None:
    """`config.json`, weights and card.

    Args:
        folder: Exists.
        saved: The model.
        config: What only its task knows; versions and the card's numbers are added.
        card: The text of the model card.
    """
    document = {
        "format_version": FORMAT_VERSION,
        "lrcn_version": __version__,
        **config,
        "card": {
            "data": saved.card.data,
            "results": dict(saved.card.results),
            "protocol": dict(saved.card.protocol),
            "notes": saved.card.notes,
        },
    }
    weights = {k: t.detach().cpu().contiguous() for k, t in saved.model.state_dict().items()}
    save_file(weights, folder / WEIGHTS_NAME, metadata={"format": "pt"})
    (folder / CONFIG_NAME).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    (folder / CARD_NAME).write_text(card, encoding="utf-8")


def find_model_folder(path: str | os.PathLike[str]) -> Path:
    """The model folder meant by MODEL: itself, or `best` (else `last`) of a run folder.

    Raises:
        ModelError: when there is none.
    """
    folder = Path(path)
    if not folder.exists():
        raise ModelError(
            f"no model at {folder}: there is no such folder."
            " Give a run folder of `lrcn train` or a model folder"
        )
    folder = named(folder)
    for candidate in (folder, folder / "best", folder / "last"):
        settle_folder(candidate)
        if _is_model_folder(candidate):
            return candidate
    raise ModelError(
        f"no model at {folder}: a model folder holds {CONFIG_NAME} and {WEIGHTS_NAME},"
        " a run folder holds one named 'best'. Train one with `lrcn train --data DATA --out RUN`"
    )


def _is_model_folder(folder: Path) -> bool:
    config = folder / CONFIG_NAME
    if not config.is_file():
        return False
    if (folder / WEIGHTS_NAME).is_file():
        return True
    # Several models in one folder have their weights in folders of their own.
    return f'"task": "{FUSION_TASK}"' in config.read_text(encoding="utf-8", errors="replace")


def read_config(path: Path) -> dict[str, Any]:
    """The `config.json` of a model folder.

    Raises:
        ModelError: it cannot be read, or is of another format.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}. Restore or save the model again") from (
            error
        )
    if not isinstance(config, dict) or "format_version" not in config:
        raise ModelError(f"{path} is no lrcn model: it lacks 'format_version'")
    if config["format_version"] != FORMAT_VERSION:
        raise ModelError(
            f"{path} has format version {config['format_version']!r}; this lrcn {__version__}"
            f" reads version {FORMAT_VERSION}. Update lrcn (`pip install --upgrade lrcn`)"
        )
    return config


def task_of(path: str | os.PathLike[str]) -> str:
    """What the model of a folder (or run folder) does: "activity", "caption" or "fusion".

    Raises:
        ModelError: there is no model, or it cannot be read.
    """
    return str(read_config(find_model_folder(path) / CONFIG_NAME).get("task", "activity"))


def load_weights(model: torch.nn.Module, path: Path) -> None:
    """Put a folder's weights into a model of the same form.

    Raises:
        ModelError: the file is damaged, or holds those of another model.
    """
    try:
        weights = load_file(path)
        model.load_state_dict(weights)
    except (OSError, SafetensorError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(
            f"{path} does not hold the weights of this model: {reason}. Save the model again"
        ) from error


def weights_hash(module: torch.nn.Module) -> str:
    """A short hash of all weights: which model a number or a cached feature belongs to."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        data = tensor.detach().cpu().contiguous()
        digest.update(f"{name}:{data.dtype}:{tuple(data.shape)};".encode())
        digest.update(data.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Write a folder beside its place, then rename it there; on an error nothing is left.

    Raises:
        OutputError: when it cannot be written.
    """
    folder = named(Path(folder))
    draft = folder.parent / f".{folder.name}.draft-{os.getpid()}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        yield draft
        aside = _aside(folder)
        if folder.exists():
            shutil.rmtree(aside, ignore_errors=True)
            folder.rename(aside)
        draft.rename(folder)
        shutil.rmtree(aside, ignore_errors=True)
    except LrcnError:
        raise
    except OSError as error:
        raise OutputError(
            f"cannot write {folder}: {error}. Check the place and its free space"
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def settle_folder(folder: Path) -> None:
    """Put back the old folder when a crash came between setting it aside and the new one."""
    aside = _aside(folder)
    if aside.is_dir() and not folder.exists():
        aside.rename(folder)


def named(folder: Path) -> Path:
    """The folder under a name of its own, beside which others can be put: not `.` nor `..`."""
    return folder.resolve() if folder.name in ("", "..") else folder


def _aside(folder: Path) -> Path:
    return folder.parent / f".{folder.name}.old"


def result_lines(card: ModelCard) -> list[str]:
    """The part of a model card about what was measured, and how."""
    lines = [f"Trained on: {card.data or 'not stated'}.", "", "## Measured results", ""]
    numbers = {k: v for k, v in card.results.items() if isinstance(v, int | float)}
    counts = {k for k in numbers if k.startswith("num_") or "_num_" in k}
    if not numbers:
        return [*lines, "None yet."]
    lines += ["| key | value | 95 % interval |", "|---|---|---|"]
    for key, value in numbers.items():
        interval = card.results.get(f"{key}_interval")
        shown = f"{interval[0]:.4f} to {interval[1]:.4f}" if interval else ""
        number = f"{value:.0f}" if key in counts else f"{value:.4f}"
        lines.append(f"| {key} | {number} | {shown} |")
    return [*lines, "", "Protocol: " + json.dumps(dict(card.protocol), default=str)]


_PYTHON_USE = (
    "```python",
    "import lrcn",
    "",
    'predictor = lrcn.load("this-folder")',
    'print(predictor("video.mp4"))',
    "```",
)


def card_ending(notes: str = "", *, use: Sequence[str] = _PYTHON_USE) -> list[str]:
    """Last lines of every model card: how to use the folder, and what made it."""
    return ["## Use", "", *use, "", f"Made with lrcn {__version__}. {notes}".rstrip(), ""]
