"""Model folders of captioners: vocabulary, and what they describe."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from huggingface_hub import ModelHubMixin

from lrcn.checkpoint.folder import (
    CAPTION_TASK,
    CONFIG_NAME,
    VOCABULARY_NAME,
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
from lrcn.data.semantics import LabelSpace
from lrcn.decoding.options import DecodingOptions
from lrcn.errors import ModelError
from lrcn.models.image_captioner import Captioner, CaptionerConfig, create_captioner
from lrcn.models.visual import NO_BACKBONE
from lrcn.settings import from_dict, to_dict
from lrcn.structures import Media, Preprocessing
from lrcn.text.vocabulary import Vocabulary
from lrcn.video.sampling import SamplingConfig

_USE = ("```", "lrcn caption this-folder photo.jpg", "```")


class SavedCaptioner(ModelHubMixin, library_name="lrcn", tags=["lrcn", "image-to-text"]):
    """A captioner with what it needs to be used, and what was measured.

    Args:
        model: The network, with its vocabulary and preprocessing.
        card: Origin and results.
        media: What it was trained to describe.
        sampling: Of videos: which frames are looked at.
        decoding: How sentences are searched for when nothing else is asked.
        source: Where it was loaded from.
        semantics: The labels that it takes in place of features of pictures; None for none.
    """

    def __init__(
        self,
        model: Captioner,
        card: ModelCard | None = None,
        *,
        media: Media = "image",
        sampling: SamplingConfig | None = None,
        decoding: DecodingOptions | None = None,
        source: str = "",
        semantics: LabelSpace | None = None,
    ) -> None:
        self.model = model
        self.card = card or ModelCard()
        self.media: Media = media
        self.sampling = sampling or SamplingConfig()
        self.decoding = decoding or DecodingOptions()
        self.source = source
        self.semantics = semantics

    def with_card(self, card: ModelCard) -> SavedCaptioner:
        """See `Saved.with_card`."""
        return SavedCaptioner(
            self.model,
            card,
            media=self.media,
            sampling=self.sampling,
            decoding=self.decoding,
            source=self.source,
            semantics=self.semantics,
        )

    def write_files(self, folder: Path) -> None:
        """See `Saved.write_files`."""
        model = self.model
        preprocessing = model.preprocessing
        config = {
            "task": CAPTION_TASK,
            "model": to_dict(model.config),
            "feature_dim": model.feature_dim,
            "vocabulary_hash": model.vocabulary.hash,
            "preprocessing": to_dict(preprocessing) if preprocessing is not None else None,
            "media": self.media,
            "sampling": to_dict(self.sampling),
            "decoding": to_dict(self.decoding),
            "semantics": None if self.semantics is None else self.semantics.to_dict(),
        }
        write_common_files(folder, self, config, _card_text(self))
        text = json.dumps(model.vocabulary.to_dict(), ensure_ascii=False, indent=0)
        (folder / VOCABULARY_NAME).write_text(text + "\n", encoding="utf-8")

    def _save_pretrained(self, save_directory: Path) -> None:
        self.write_files(Path(save_directory))

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **how: Any) -> SavedCaptioner:
        return load_captioner(fetch_folder(model_id, **how))


def load_captioner(path: str | os.PathLike[str]) -> SavedCaptioner:
    """Load a captioner's folder, or the best of a run folder; in evaluation mode, on the CPU.

    Raises:
        ModelError: the folder is absent, damaged, of a newer format, or holds another kind.
    """
    folder = find_model_folder(path)
    config = read_config(folder / CONFIG_NAME)
    if config.get("task") != CAPTION_TASK:
        raise ModelError(
            f"{folder} holds a model of task {config.get('task')!r}, and one that writes sentences"
            " is needed here. Train one with `lrcn train --data CAPTIONS --out RUN`"
        )
    vocabulary = _read_vocabulary(folder / VOCABULARY_NAME)
    try:
        preprocessing = config["preprocessing"]
        semantics = config.get("semantics")  # folders of before have none
        settings = from_dict(CaptionerConfig, config["model"])
        # Every weight is read from the file: none is fetched, and none drawn at a cost.
        bare = replace(settings, weights="random", init="paper", embeddings=None)
        if settings.backbone == NO_BACKBONE:
            bare = replace(bare, feature_dim=config["feature_dim"] or None)
        model = create_captioner(
            bare,
            vocabulary,
            preprocessing=from_dict(Preprocessing, preprocessing) if preprocessing else None,
        )
        model.config = settings
        saved = SavedCaptioner(
            model,
            ModelCard(**config["card"]),
            media=config["media"],
            sampling=from_dict(SamplingConfig, config["sampling"]),
            decoding=from_dict(DecodingOptions, config["decoding"]),
            source=str(folder),
            semantics=LabelSpace.from_dict(semantics) if semantics else None,
        )
        same = config["vocabulary_hash"] == vocabulary.hash
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{folder / CONFIG_NAME} does not describe a captioner ({error})."
            " Save the model again, or restore the file"
        ) from error
    if not same:
        raise ModelError(
            f"{folder / VOCABULARY_NAME} is not the vocabulary that this model was saved with (hash"
            f" {vocabulary.hash}, not {config['vocabulary_hash']}). Restore the file"
        )
    load_weights(model, folder / WEIGHTS_NAME)
    model.eval()
    return saved


def _read_vocabulary(path: Path) -> Vocabulary:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}. Restore or save the model again") from (
            error
        )
    if not isinstance(content, dict):
        raise ModelError(f"{path} is no vocabulary but {type(content).__name__}. Restore the file")
    return Vocabulary.from_dict(content)


def _card_text(saved: SavedCaptioner) -> str:
    """The model card: what it is, what was measured and how."""
    model = saved.model
    lines = [
        "---",
        "library_name: lrcn",
        "tags: [lrcn, image-to-text]",
        "---",
        "",
        f"# {model.config.kind} on {model.config.backbone}",
        "",
        f"Describes {saved.media}s in sentences of {len(model.vocabulary):,} words"
        f" (tokenizer {model.vocabulary.tokenizer}, vocabulary {model.vocabulary.hash}).",
        "",
        *result_lines(saved.card),
        "",
        *card_ending(saved.card.notes, use=_USE),
    ]
    return "\n".join(lines)
