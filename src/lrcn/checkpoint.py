"""Model folders: everything that prediction needs, in files that anyone can read.

::

    MODEL/
    ├── config.json         settings, classes, preprocessing, sampling, versions
    ├── model.safetensors   all weights, the backbone's included
    ├── labels.txt          one class a line, in the order of the outputs
    └── README.md           model card with the measured results

A run folder holds two of them: `best` (chosen on validation data) and `last`. Nothing is
pickled. A folder is written beside its place and then renamed, so a reader never sees half of
one; `settle_folder` mends the one moment in which a crash can leave the old one set aside.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import ModelHubMixin, snapshot_download
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from lrcn.errors import LrcnError, ModelError, OutputError
from lrcn.models.activity import NO_BACKBONE, ActivityConfig, ActivityModel, create_model
from lrcn.settings import from_dict, to_dict
from lrcn.structures import Preprocessing
from lrcn.version import __version__
from lrcn.video.sampling import SamplingConfig

FORMAT_VERSION = 1
CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"
LABELS_NAME = "labels.txt"
CARD_NAME = "README.md"
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


class SavedModel(ModelHubMixin, library_name="lrcn", tags=["lrcn", "video-classification"]):
    """A model with what it needs to be used: how frames are sampled, what was measured.

    Args:
        model: The network, with its classes and preprocessing.
        sampling: Clip length, strides and rate that it was trained for.
        card: Origin and results.
        thresholds: For multi-label models, the probability from which each class counts.
        source: Where it was loaded from.
    """

    def __init__(
        self,
        model: ActivityModel,
        sampling: SamplingConfig,
        card: ModelCard | None = None,
        *,
        thresholds: tuple[float, ...] | None = None,
        source: str = "",
    ) -> None:
        self.model = model
        self.sampling = sampling
        self.card = card or ModelCard()
        self.thresholds = thresholds
        self.source = source

    def _save_pretrained(self, save_directory: Path) -> None:
        write_model_files(Path(save_directory), self)

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        revision: str | None,
        cache_dir: str | Path | None,
        force_download: bool,
        local_files_only: bool,
        token: str | bool | None,
        **model_kwargs: Any,
    ) -> SavedModel:
        del model_kwargs  # the folder says everything; nothing can be changed while loading
        folder = Path(model_id)
        if not folder.is_dir():
            folder = Path(
                snapshot_download(
                    model_id,
                    revision=revision,
                    cache_dir=cache_dir,
                    force_download=force_download,
                    local_files_only=local_files_only,
                    token=token,
                )
            )
        return load_model(folder)


def save_model(folder: Path, saved: SavedModel) -> None:
    """Write a model folder atomically, replacing one that stands there.

    Raises:
        OutputError: when the folder cannot be written.
    """
    with new_folder(folder) as draft:
        write_model_files(draft, saved)


def write_model_files(folder: Path, saved: SavedModel) -> None:
    """The files of a model folder, into a folder that exists."""
    model = saved.model
    preprocessing = model.preprocessing
    config = {
        "format_version": FORMAT_VERSION,
        "lrcn_version": __version__,
        "task": "activity",
        "model": to_dict(model.config),
        "feature_dim": model.feature_dim,
        "class_names": list(model.class_names),
        "multi_label": model.multi_label,
        "thresholds": list(saved.thresholds) if saved.thresholds is not None else None,
        "preprocessing": to_dict(preprocessing) if preprocessing is not None else None,
        "sampling": to_dict(saved.sampling),
        "card": {
            "data": saved.card.data,
            "results": dict(saved.card.results),
            "protocol": dict(saved.card.protocol),
            "notes": saved.card.notes,
        },
    }
    weights = {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}
    save_file(weights, folder / WEIGHTS_NAME, metadata={"format": "pt"})
    (folder / CONFIG_NAME).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (folder / LABELS_NAME).write_text("\n".join(model.class_names) + "\n", encoding="utf-8")
    (folder / CARD_NAME).write_text(_card_text(saved), encoding="utf-8")


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


def load_model(path: str | os.PathLike[str]) -> SavedModel:
    """Load a model folder, or the best model of a run folder; in evaluation mode, on the CPU.

    Raises:
        ModelError: when the folder is absent, damaged, of a newer format, or holds several models.
    """
    folder = find_model_folder(path)
    config = read_config(folder / CONFIG_NAME)
    if config.get("task") == FUSION_TASK:
        raise ModelError(
            f"{folder} holds several fused models, and one is needed here."
            f" Name one of its members, for example {folder / 'member_1'}"
        )
    try:
        preprocessing = config["preprocessing"]
        settings = from_dict(ActivityConfig, config["model"])
        # Every weight is read from the file: none is fetched, and none drawn at a cost.
        bare = replace(settings, weights="random", init="paper")
        if settings.backbone == NO_BACKBONE:
            bare = replace(bare, feature_dim=config["feature_dim"])
        model = create_model(
            bare,
            tuple(config["class_names"]),
            multi_label=bool(config["multi_label"]),
            preprocessing=from_dict(Preprocessing, preprocessing) if preprocessing else None,
        )
        model.config = settings
        saved = SavedModel(
            model,
            from_dict(SamplingConfig, config["sampling"]),
            ModelCard(**config["card"]),
            thresholds=tuple(config["thresholds"]) if config.get("thresholds") else None,
            source=str(folder),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{folder / CONFIG_NAME} does not describe a model ({error})."
            " Save the model again, or restore the file"
        ) from error
    _load_weights(model, folder / WEIGHTS_NAME)
    model.eval()
    return saved


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


def _load_weights(model: ActivityModel, path: Path) -> None:
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
    folder = Path(folder)
    draft = folder.with_name(f".{folder.name}.draft-{os.getpid()}")
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


def _aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def _card_text(saved: SavedModel) -> str:
    """The model card: what it is, what was measured and how."""
    model, card = saved.model, saved.card
    lines = [
        "---",
        "library_name: lrcn",
        "tags: [lrcn, video-classification]",
        "---",
        "",
        f"# {model.config.kind} on {model.config.backbone}",
        "",
        f"Recognises {len(model.class_names)} classes of activity in a video"
        f"{' (several at once)' if model.multi_label else ''}: "
        + ", ".join(model.class_names[:20])
        + (", ..." if len(model.class_names) > 20 else "")
        + ".",
        "",
        f"Trained on: {card.data or 'not stated'}.",
        "",
        "## Measured results",
        "",
    ]
    numbers = {k: v for k, v in card.results.items() if isinstance(v, int | float)}
    if numbers:
        lines += ["| key | value | 95 % interval |", "|---|---|---|"]
        for key, value in numbers.items():
            interval = card.results.get(f"{key}_interval")
            shown = f"{interval[0]:.4f} to {interval[1]:.4f}" if interval else ""
            lines.append(f"| {key} | {value:.4f} | {shown} |")
        lines += ["", "Protocol: " + json.dumps(dict(card.protocol), default=str)]
    else:
        lines.append("None yet.")
    return "\n".join([*lines, "", *card_ending(card.notes)])


def card_ending(notes: str = "") -> list[str]:
    """Last lines of every model card: how to use the folder, and what made it."""
    return [
        "## Use",
        "",
        "```python",
        "import lrcn",
        "",
        'predictor = lrcn.load("this-folder")',
        'print(predictor("video.mp4"))',
        "```",
        "",
        f"Made with lrcn {__version__}. {notes}".rstrip(),
        "",
    ]
