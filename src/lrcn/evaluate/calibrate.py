"""What is fitted on validation data after training: a temperature, and a threshold per class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lrcn.data.cache import FeatureCache
from lrcn.engine import Precision
from lrcn.errors import MissingFilesError
from lrcn.evaluate.inference import Runner, Watch
from lrcn.evaluate.loop import Missing, check_labels
from lrcn.evaluate.protocol import ProtocolConfig
from lrcn.metrics.calibration import TemperatureFit
from lrcn.metrics.multilabel import fit_thresholds
from lrcn.models.activity import ActivityModel
from lrcn.structures import SkippedFile, VideoList

_TINY = 1e-12


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """Numbers to be stored with the model."""

    temperature: float
    """Divides the logits."""
    thresholds: tuple[float, ...] | None
    """Multi-label: the probability, at this temperature, from which each class is present."""
    num_videos: int


def fit_on_validation(
    model: ActivityModel,
    video_list: VideoList,
    protocol: ProtocolConfig | None = None,
    *,
    precision: Precision = "auto",
    cache: FeatureCache | None = None,
    decode_threads: int = 1,
    missing: Missing = "error",
    watch: Watch | None = None,
) -> Fitted:
    """Fit the temperature (and thresholds) under which validation data are most likely.

    The model itself is not changed. Arguments are those of `evaluate_videos`; items are taken
    as they stand in the list.

    Raises:
        DataError: a label does not fit the model.
        MissingFilesError: files cannot be read and `missing` is "error", or none can.
    """
    check_labels(video_list, model.class_names, multi_label=model.multi_label)
    runner = Runner(
        model,
        protocol or ProtocolConfig(),
        precision=precision,
        cache=cache,
        decode_threads=decode_threads,
    )
    fit = TemperatureFit(multi_label=model.multi_label)
    logits: list[NDArray[np.float64]] = []
    targets: list[list[bool]] = []
    items = video_list.items
    for i, (item, features) in enumerate(zip(items, runner.features(items), strict=True)):
        if isinstance(features, SkippedFile):
            if missing == "error":
                raise MissingFilesError(
                    f"{features.path} cannot be read: {features.reason}. Every validation video"
                    " must be readable; mend the list, or leave it out with --missing skip"
                )
            continue
        logits_SK = logits_of(runner.answer(features).step_probs_SK, multi_label=model.multi_label)
        targets.append([name in item.class_names for name in model.class_names])
        fit.update(logits_SK, targets[-1])
        if model.multi_label:
            logits.append(logits_SK)
        if watch is not None:
            watch(i + 1, len(items), item.video_id)
    relative = fit.compute()
    return Fitted(
        temperature=float(model.temperature) * relative,
        thresholds=_thresholds(logits, targets, relative) if model.multi_label else None,
        num_videos=len(targets),
    )


def logits_of(probs: NDArray[np.float64], *, multi_label: bool) -> NDArray[np.float64]:
    """Logits that give these probabilities: their logarithm, or their log-odds."""
    log_probs: NDArray[np.float64] = np.log(np.maximum(probs, _TINY))
    if multi_label:
        log_probs = log_probs - np.log(np.maximum(1.0 - probs, _TINY))
    return log_probs


def _thresholds(
    logits: Sequence[NDArray[np.float64]], targets: Sequence[Sequence[bool]], temperature: float
) -> tuple[float, ...]:
    probs_NK = [(0.5 * (1.0 + np.tanh(0.5 * x / temperature))).mean(axis=0) for x in logits]
    return fit_thresholds(np.stack(probs_NK), np.asarray(targets))
