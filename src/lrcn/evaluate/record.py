"""The record of an evaluation: on what, how, with which model, on which machine."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata

import torch

from lrcn.checkpoint import weights_hash
from lrcn.data.content import content_hash
from lrcn.engine import describe_processor
from lrcn.evaluate.inference import Runner
from lrcn.evaluate.measure import INTERVAL_LEVEL, INTERVAL_METHOD
from lrcn.evaluate.protocol import DataChoice
from lrcn.evaluate.results import EvaluationProtocol
from lrcn.settings import to_dict
from lrcn.structures import VideoItem, VideoList
from lrcn.version import __version__


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What a pass counted, for its record."""

    num_skipped: int
    num_truncated: int
    num_clips: int
    segments: bool
    thresholds: tuple[float, ...]
    seed: int
    model_path: str
    seconds: float


def record(
    runner: Runner,
    video_list: VideoList,
    items: Sequence[VideoItem],
    choice: DataChoice,
    tally: Tally,
) -> EvaluationProtocol:
    """Everything that the scores of these items depend on."""
    model, settings = runner.model, runner.protocol
    return EvaluationProtocol(
        data=video_list.source,
        layout=video_list.layout,
        split=choice.split,
        split_how=choice.how,
        warnings=choice.warnings,
        allow_leaks=choice.allow_leaks,
        list_hash=list_hash(items),
        content_hash=files_hash(items),
        num_videos=len(items),
        num_skipped=tally.num_skipped,
        num_truncated=tally.num_truncated,
        multi_label=model.multi_label,
        protocol=settings.protocol,
        clip_length=settings.clip_length,
        clip_stride=settings.clip_stride,
        frame_stride=settings.frame_stride,
        sample_fps=settings.sample_fps,
        num_crops=settings.num_crops,
        num_clips=tally.num_clips,
        segments=tally.segments,
        segment_options=to_dict(settings.segment_options) if tally.segments else None,
        preprocessing={} if model.preprocessing is None else to_dict(model.preprocessing),
        model=tally.model_path or model.config.kind,
        model_kind=model.config.kind,
        backbone=model.config.backbone,
        model_hash=weights_hash(model),
        temperature=float(model.temperature),
        thresholds=tally.thresholds if model.multi_label else None,
        precision=str(runner.precision).removeprefix("torch."),
        engine=runner.engine,
        device=str(runner.device),
        threads=torch.get_num_threads(),
        processor=str(describe_processor().get("processor", "")),
        seed=tally.seed,
        interval_level=INTERVAL_LEVEL,
        interval_method=INTERVAL_METHOD,
        versions=versions(),
        seconds=round(tally.seconds, 3),
    )


def list_hash(items: Sequence[VideoItem]) -> str:
    """Of ids, labels and intervals; the order of the list does not matter."""
    lines = sorted(
        f"{i.video_id}\t{';'.join(sorted(i.class_names))}\t{i.start_seconds}\t{i.end_seconds}"
        for i in items
    )
    return _sha256("\n".join(lines).encode())


def files_hash(items: Sequence[VideoItem]) -> str:
    """Of the bytes of all files."""
    found = sorted({(item.video_id, content_hash(item.path)) for item in items})
    return _sha256("\n".join(f"{name}\t{digest}" for name, digest in found).encode())


def versions() -> dict[str, str]:
    """Of everything that a score could depend on."""
    found = {"lrcn": __version__, "python": platform.python_version()}
    for name in ("torch", "torchvision", "timm", "av", "numpy", "pillow"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
