"""Model folders of recognisers: classes and sampling."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from huggingface_hub import ModelHubMixin

from lrcn.checkpoint.folder import (
    CAPTION_TASK,
    CONFIG_NAME,
    FUSION_TASK,
    LABELS_NAME,
    WEIGHTS_NAME,
    ModelCard,
    card_ending,
    fetch_folder,
    find_model_folder,
    load_weights,
    read_config,
    result_lines,
    write_common_files,
)
from lrcn.errors import ModelError
from lrcn.models.activity import NO_BACKBONE, ActivityConfig, ActivityModel, create_model
from lrcn.settings import from_dict, to_dict
from lrcn.structures import Preprocessing
from lrcn.video.sampling import SamplingConfig


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

    def with_card(self, card: ModelCard) -> SavedModel:
        """See `Saved.with_card`."""
        return SavedModel(
            self.model, self.sampling, card, thresholds=self.thresholds, source=self.source
        )

    def write_files(self, folder: Path) -> None:
        """See `Saved.write_files`."""
        model = self.model
        preprocessing = model.preprocessing
        config = {
            "task": "activity",
            "model": to_dict(model.config),
            "feature_dim": model.feature_dim,
            "class_names": list(model.class_names),
            "multi_label": model.multi_label,
            "thresholds": list(self.thresholds) if self.thresholds is not None else None,
            "preprocessing": to_dict(preprocessing) if preprocessing is not None else None,
            "sampling": to_dict(self.sampling),
        }
        write_common_files(folder, self, config, _card_text(self))
        (folder / LABELS_NAME).write_text("\n".join(model.class_names) + "\n", encoding="utf-8")

    def _save_pretrained(self, save_directory: Path) -> None:
        self.write_files(Path(save_directory))

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **how: Any) -> SavedModel:
        return load_model(fetch_folder(model_id, **how))


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
    if config.get("task") == CAPTION_TASK:
        raise ModelError(
            f"{folder} describes pictures in sentences, and a model that recognises classes is"
            " needed here. Use `lrcn caption`, or give a model trained on labels"
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
    load_weights(model, folder / WEIGHTS_NAME)
    model.eval()
    return saved


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
        *result_lines(card),
        "",
        *card_ending(card.notes),
    ]
    return "\n".join(lines)
