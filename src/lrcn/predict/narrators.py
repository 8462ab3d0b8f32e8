"""Who says the sentences: one interface, and the models behind it.

A narrator turns the features of an interval into a sentence. A recogniser says its label; a
captioner of images describes the frame in the middle; a captioner of videos all of them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from lrcn.checkpoint import CAPTION_TASK, SavedCaptioner, SavedModel, load_captioner, task_of
from lrcn.decoding.describe import CaptionModel, describe
from lrcn.decoding.options import DecodingOptions
from lrcn.engine import FastBackbone, Precision, choose_precision, fast_backbone
from lrcn.errors import ConfigError, ModelError
from lrcn.fusion_folder import SavedFusion, load_any
from lrcn.models.fast_captioner import fast_captioner
from lrcn.models.segment_config import SegmentConfig
from lrcn.models.views import clip_probs, video_probs
from lrcn.models.visual import VisualModel
from lrcn.predict.predictor import check_options, decide
from lrcn.predict.stream import Stream
from lrcn.structures import Preprocessing
from lrcn.video.sampling import SamplingConfig

SEVERAL = ", "
"""Between the labels of a model that gives several at once."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a narrator says of an interval."""

    text: str
    log_prob: float


class Narrator(Protocol):
    """What is needed to narrate. A new kind of model implements this, and no more."""

    @property
    def preprocessing(self) -> Preprocessing | None:
        """How frames are prepared; None where the model takes feature files."""
        ...

    @property
    def feature_dim(self) -> int:
        """D."""
        ...

    @property
    def sampling(self) -> SamplingConfig | None:
        """Which frames are used; None where one per interval is enough."""
        ...

    def features(self, frames_NCHW: Tensor) -> Tensor:
        """uint8 frames at the input size to features_ND."""
        ...

    def describe(self, features_TD: Tensor) -> Said | None:
        """One sentence about an interval of at least one frame; None where there is none to say."""
        ...


@runtime_checkable
class Believer(Protocol):
    """A narrator that has an opinion after every frame, whose changes are events."""

    def follow(self, segments: SegmentConfig) -> Stream:
        """Its running state, from a video's first frame on."""
        ...

    def name(self, labels: Sequence[int], probs_K: Tensor) -> Said | None:
        """The sentence for labels that hold, with their mean probabilities."""
        ...


class _Prepared:
    """What both kinds of model share: the CNN as it runs here."""

    def __init__(self, model: VisualModel, device: torch.device, precision: Precision) -> None:
        self._device = device
        self._precision = choose_precision(precision, device)
        self._max_error = 0.1 if precision == "bfloat16" else 0.01
        self._network = model.to(device).eval()

    @property
    def preprocessing(self) -> Preprocessing | None:
        """See `Narrator.preprocessing`."""
        return None if self._network.backbone is None else self._network.preprocessing

    @property
    def feature_dim(self) -> int:
        """See `Narrator.feature_dim`."""
        return self._network.feature_dim

    @cached_property
    def _backbone(self) -> FastBackbone:
        if self._network.backbone is None:
            raise ModelError(
                "this model takes features and has no CNN; give it .npy, .npz or .h5 files"
            )
        return fast_backbone(
            self._network.backbone,
            device=self._device,
            precision=self._precision,
            max_error=self._max_error,
        )

    def features(self, frames_NCHW: Tensor) -> Tensor:
        """See `Narrator.features`."""
        return self._backbone(frames_NCHW)


class LabelNarrator(_Prepared):
    """Says the label of an interval: what `lrcn predict` would say of a file with only that."""

    def __init__(
        self,
        saved: SavedModel,
        *,
        device: torch.device | None = None,
        precision: Precision = "auto",
        threshold: float | None = None,
    ) -> None:
        """Take a model.

        Args:
            saved: From `lrcn.checkpoint.load_model`.
            device: Where to compute; the processor when None.
            precision: As of `Predictor`.
            threshold: Below this probability nothing is said.

        Raises:
            ConfigError: the threshold is no probability.
        """
        check_options(1, threshold)
        super().__init__(saved.model, device or torch.device("cpu"), precision)
        self._saved = saved
        self._threshold = threshold

    @property
    def sampling(self) -> SamplingConfig:
        """See `Narrator.sampling`."""
        return self._saved.sampling

    def describe(self, features_TD: Tensor) -> Said | None:
        """See `Narrator.describe`."""
        sampling, model = self._saved.sampling, self._saved.model
        views = clip_probs(
            model,
            features_TD[None],
            clip_length=sampling.clip_length,
            clip_stride=sampling.clip_stride,
        )
        probs_K = video_probs(views)
        self._refuse_nan(probs_K)
        best, _, ranked = decide(
            probs_K,
            model.class_names,
            multi_label=model.multi_label,
            thresholds=self._saved.thresholds,
            top_k=1,
            threshold=self._threshold,
        )
        if best is None:
            return None
        return Said(text=SEVERAL.join(n for n, _ in ranked), log_prob=_log(p for _, p in ranked))

    def follow(self, segments: SegmentConfig) -> Stream:
        """See `Believer.follow`."""
        return Stream(self._saved.model, None, sampling=self._saved.sampling, segments=segments)

    def name(self, labels: Sequence[int], probs_K: Tensor) -> Said | None:
        """See `Believer.name`."""
        self._refuse_nan(probs_K)
        if not labels:
            return None
        order = sorted(labels, key=lambda k: (-float(probs_K[k]), k))
        if self._threshold is not None:
            order = [k for k in order if float(probs_K[k]) >= self._threshold]
        if not order:
            return None
        names = self._saved.model.class_names
        return Said(
            text=SEVERAL.join(names[k] for k in order),
            log_prob=_log(float(probs_K[k]) for k in order),
        )

    def _refuse_nan(self, probs_K: Tensor) -> None:
        if not bool(torch.isfinite(probs_K).all()):
            raise ModelError(
                "the model gives NaN or infinity: its weights are damaged, or its training"
                " diverged. Train again with a lower learning rate"
            )


class CaptionNarrator(_Prepared):
    """Describes an interval in a sentence: a captioner of images or of videos."""

    def __init__(
        self,
        saved: SavedCaptioner,
        *,
        device: torch.device | None = None,
        precision: Precision = "auto",
        decoding: DecodingOptions | None = None,
        seed: int = 0,
    ) -> None:
        """Take a model.

        Args:
            saved: From `lrcn.checkpoint.load_captioner`.
            device: Where to compute; the processor when None.
            precision: As of `Predictor`.
            decoding: How the sentence is searched for; as the model was saved with when None.
            seed: Where words are drawn.

        Raises:
            ModelError: the model is a language model, which sees nothing, or it describes from
                semantic predictions.
        """
        if saved.model.config.visual == "none":
            raise ModelError(
                f"{saved.source or 'this model'} is a language model, which sees no picture; what"
                " describes pictures is needed here. Train from it: `lrcn train --init` it"
            )
        if saved.semantics is not None:
            raise ModelError(
                f"{saved.source or 'this model'} describes from semantic predictions, not from"
                " pictures, and a narration needs one of pictures. For sentences about the items"
                " of such a file: `lrcn caption` it"
            )
        super().__init__(saved.model, device or torch.device("cpu"), precision)
        self._saved = saved
        self._decoding = decoding or saved.decoding
        self._seed = seed
        self._words: CaptionModel[Any] = fast_captioner(self._saved.model, precision=precision)

    @property
    def sampling(self) -> SamplingConfig | None:
        """See `Narrator.sampling`."""
        return None if self._saved.media == "image" else self._saved.sampling

    def describe(self, features_TD: Tensor) -> Said | None:
        """See `Narrator.describe`."""
        if self._saved.media == "image":
            middle = len(features_TD) // 2
            features_TD = features_TD[middle : middle + 1]
        features_BTD = features_TD[None].to(self._device)
        found = describe(self._words, features_BTD, options=self._decoding, seed=self._seed)[0]
        if not found or not found[0].text:
            return None
        return Said(text=found[0].text, log_prob=found[0].log_prob)


def load_narrator(
    path: str | os.PathLike[str],
    *,
    device: torch.device | None = None,
    precision: Precision = "auto",
    threshold: float | None = None,
    decoding: Callable[[DecodingOptions], DecodingOptions] | None = None,
    seed: int = 0,
) -> Narrator:
    """The narrator of a model folder, or of the best model of a run folder.

    Args:
        path: The folder.
        device: Where to compute; the processor when None.
        precision: As of `Predictor`.
        threshold: Of a recogniser: below this probability nothing is said.
        decoding: Of a captioner: how the sentence is searched for, from how the model was saved.
        seed: Of a captioner that draws words.

    Raises:
        ConfigError: the threshold is no probability, or what belongs to the other kind of model
            was given.
        ModelError: there is no model, it is damaged, or it holds several fused ones.
    """
    if task_of(path) == CAPTION_TASK:
        if threshold is not None:
            raise ConfigError(
                f"threshold is {threshold}, and {path} describes in sentences; a threshold goes"
                " with a model that recognises classes. Leave it out"
            )
        captioner = load_captioner(path)
        return CaptionNarrator(
            captioner,
            device=device,
            precision=precision,
            decoding=None if decoding is None else decoding(captioner.decoding),
            seed=seed,
        )
    if decoding is not None:
        raise ConfigError(
            f"it was said how to search for sentences, and {path} recognises classes, whose names"
            " it says. Leave the options of sentences out"
        )
    saved = load_any(path)
    if isinstance(saved, SavedFusion):
        raise ModelError(
            f"{saved.source} holds several fused models, and a narration takes one, whose state it"
            f" carries. Name one of its members, for example {saved.source}/member_1"
        )
    return LabelNarrator(saved, device=device, precision=precision, threshold=threshold)


def _log(probs: Iterable[float]) -> float:
    """The log-probability of labels that hold together, taken as independent."""
    return sum(math.log(max(prob, 1e-12)) for prob in probs)
