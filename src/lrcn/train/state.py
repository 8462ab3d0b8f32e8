"""Everything that a run needs to go on as if it had never stopped, in `RUN/last`.

Randomness needs no place here: every draw is keyed by (seed, epoch, index) in the data and by
(seed, step) in the network, so the place in the epoch says it all. Weights, optimizer moments
and mean weights are tensors in `training.safetensors`; counters are JSON in its header, so that
the two can never disagree.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from lrcn.checkpoint import Saved, new_folder, settle_folder
from lrcn.errors import ModelError
from lrcn.train.optim import MeanWeights

STATE_NAME = "training.safetensors"


@dataclass(kw_only=True)
class Progress:
    """Where training stands. `step` updates are done; the next batch is `batch_in_epoch`."""

    step: int = 0
    epoch: int = 0
    batch_in_epoch: int = 0
    best_score: float | None = None
    best_key: str | None = None
    """What `best_score` measures."""
    best_loss: float | None = None
    best_epoch: int | None = None
    epochs_without_better: int = 0
    finished: bool = False
    sums: dict[str, float] = field(default_factory=dict)
    """Running sums of the unfinished epoch, for its line in the log."""
    seconds: float = 0.0
    """Time spent training so far, over all sittings."""


def save_state(
    folder: Path,
    saved: Saved,
    optimizer: torch.optim.Optimizer,
    mean_weights: MeanWeights | None,
    progress: Progress,
    *,
    fingerprint: str,
) -> None:
    """Write `last` atomically: a model folder with the training state beside it."""
    tensors: dict[str, torch.Tensor] = {}
    for index, values in optimizer.state_dict()["state"].items():
        for key, value in values.items():
            if value is not None:
                tensors[f"optimizer.{index}.{key}"] = torch.as_tensor(value).detach().cpu()
    header: dict[str, Any] = {"progress": asdict(progress), "fingerprint": fingerprint}
    if mean_weights is not None:
        header["mean_updates"] = mean_weights.num_updates
        tensors |= {f"mean.{k}": v.detach().cpu() for k, v in mean_weights.shadow.items()}
    with new_folder(folder) as draft:
        saved.write_files(draft)
        save_file(
            {k: v.contiguous() for k, v in tensors.items()},
            draft / STATE_NAME,
            metadata={"training": json.dumps(header)},
        )


def has_state(folder: Path) -> bool:
    """Whether a run can be resumed from this folder."""
    settle_folder(folder)
    return (folder / STATE_NAME).is_file()


def saved_step(folder: Path) -> int | None:
    """The step at which the saved state stands; None where there is none, or it is damaged."""
    if not has_state(folder):
        return None
    try:
        # As numpy the file is opened once; the run that saves it may replace it at any time.
        with safe_open(folder / STATE_NAME, framework="np") as file:
            return int(json.loads(file.metadata()["training"])["progress"]["step"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None


def load_state(
    folder: Path,
    optimizer: torch.optim.Optimizer,
    mean_weights: MeanWeights | None,
    *,
    fingerprint: str,
) -> Progress:
    """Put optimizer and mean weights back as they were. The model is loaded by its own folder.

    Raises:
        ModelError: when the state is damaged, or belongs to another experiment or other data.
    """
    path = folder / STATE_NAME
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads(file.metadata()["training"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no dict
        progress = Progress(**header["progress"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path} is no training state that can be continued ({error})."
            " Start again with --overwrite, or from the model with --init"
        ) from error
    if header["fingerprint"] != fingerprint:
        raise ModelError(
            f"{folder.parent} was trained with other settings or other data than these;"
            " --resume continues the very same run. Leave the settings as they were,"
            " or start a new run from its model with --init"
        )
    _restore_optimizer(optimizer, tensors)
    if mean_weights is not None:
        mean_weights.num_updates = header["mean_updates"]
        for name in mean_weights.shadow:
            mean_weights.shadow[name].copy_(tensors[f"mean.{name}"])
    return progress


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        kind, _, rest = key.partition(".")
        if kind == "optimizer":
            index, _, name = rest.partition(".")
            state.setdefault(int(index), {})[name] = value
    current = optimizer.state_dict()
    optimizer.load_state_dict({"state": state, "param_groups": current["param_groups"]})
