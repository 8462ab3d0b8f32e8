"""What lies at a path, pictures or flow images, against what a model sees.

A model of modality flow takes videos (their flow is computed as they are read) and stored flow
images alike. Stored ones are recognised by the manifest that `lrcn flow` wrote or by the names of
the original code, or it is said which they are (`VideoItem.holds_flow`). What does not fit, flow
images for a model of pictures or flow images of another scale, is refused.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from lrcn.data.flow_manifest import FlowManifest, find_manifest, is_named_as_flow
from lrcn.errors import ConfigError, DataError, MediaError
from lrcn.structures import FlowConfig, Modality, Preprocessing, VideoItem, VideoList
from lrcn.video.features import is_feature_path
from lrcn.video.flow_video import open_flow
from lrcn.video.frames import FrameFolder, is_frame_folder
from lrcn.video.retimed import RetimedVideo
from lrcn.video.source import VideoSource, open_video

FlowSource = Literal["auto", "computed", "stored"]
"""Where flow images come from: recognised; computed from the pictures; the data are flow images."""


def open_pictures(
    source: Any,
    preprocessing: Preprocessing,
    *,
    start_seconds: float | None = None,
    end_seconds: float | None = None,
    holds_flow: bool | None = None,
) -> VideoSource:
    """Open anything that has frames as what the model sees: pictures, or flow images.

    Args:
        source: As for `open_video`.
        preprocessing: The model's.
        start_seconds: Frames before are left out.
        end_seconds: Frames from there on are left out.
        holds_flow: Whether these are flow images already; None to recognise it.

    Raises:
        MediaError: it cannot be opened, or does not fit the model.
        ConfigError: the method of the flow is not installed.
        TypeError: it is no video.
        ValueError: the interval is empty.
    """
    start, end = start_seconds, end_seconds
    manifest = find_manifest(source) if isinstance(source, str | os.PathLike) else None
    stored = recognised(source, manifest) if holds_flow is None else holds_flow
    if preprocessing.modality == "rgb":
        if stored:
            raise MediaError(
                f"{os.fspath(source)}: holds flow images, and the model sees pictures; give it the"
                " videos themselves, or use a model of modality flow"
            )
        return _open_listed(source, preprocessing, start_seconds=start, end_seconds=end)
    if not stored:
        if manifest is not None:
            raise MediaError(
                f"{os.fspath(source)}: holds flow images, of which no flow is computed; leave"
                " --flow computed out"
            )
        return open_flow(source, preprocessing.flow, start_seconds=start, end_seconds=end)
    if manifest is None:
        return _open_listed(source, preprocessing, start_seconds=start, end_seconds=end)
    return _open_stored(source, manifest, preprocessing.flow, start_seconds=start, end_seconds=end)


def _open_listed(
    source: Any,
    preprocessing: Preprocessing,
    *,
    start_seconds: float | None,
    end_seconds: float | None,
) -> VideoSource:
    """As it is; a folder of images in their order, unless the original's fault is wanted."""
    start, end = start_seconds, end_seconds
    is_path = isinstance(source, str | os.PathLike)
    if preprocessing.has_quirk("unsorted_frames") and is_path and is_frame_folder(source):
        return FrameFolder(source, start_seconds=start, end_seconds=end, as_listed=True)
    return open_video(source, start_seconds=start, end_seconds=end)


def flow_preprocessing(own: Preprocessing, flow: FlowConfig) -> Preprocessing:
    """A backbone's own preprocessing, for flow images: the mean of every channel is no motion.

    Paper: 128 for all three, also where the net starts from ImageNet weights (2.4, 2.5).
    """
    centre = flow.centre
    return replace(own, modality="flow", flow=flow, pixel_mean=(centre, centre, centre))


def holds_flow(source: FlowSource) -> bool | None:
    """What is said of the data by `--flow`, as `VideoItem.holds_flow`."""
    return {"auto": None, "computed": False, "stored": True}[source]


def open_item(item: VideoItem, preprocessing: Preprocessing) -> VideoSource:
    """As `open_pictures`, for a line of a data set."""
    return open_pictures(
        item.path,
        preprocessing,
        start_seconds=item.start_seconds,
        end_seconds=item.end_seconds,
        holds_flow=item.holds_flow,
    )


def recognised(source: Any, manifest: FlowManifest | None = None) -> bool:
    """Whether flow images lie there, by manifest or by name."""
    if not isinstance(source, str | os.PathLike):
        return False
    if (manifest or find_manifest(source)) is not None:
        return True
    return Path(source).is_dir() and is_named_as_flow(source)


def is_stored_flow(item: VideoItem) -> bool:
    """Whether the item's pictures are flow images, as said or as recognised."""
    return recognised(item.path) if item.holds_flow is None else item.holds_flow


def _open_stored(
    source: str | os.PathLike[str],
    manifest: FlowManifest,
    flow: FlowConfig,
    *,
    start_seconds: float | None,
    end_seconds: float | None,
) -> VideoSource:
    record = manifest.record_of(source)
    if record is None:
        raise MediaError(
            f"{os.fspath(source)}: is not finished, or was made with other settings than"
            f" {manifest.folder} now has; run the same `lrcn flow` command again"
        )
    if problem := _encoding_problem(manifest.storage.flow, flow):
        raise MediaError(f"{os.fspath(source)}: {problem}")
    return RetimedVideo(
        open_video(source),
        record.times_seconds,
        first_index=1,  # the first frame has no flow image
        fps=record.fps,
        start_seconds=start_seconds,
        end_seconds=end_seconds,
    )


def _encoding_problem(stored: FlowConfig, wanted: FlowConfig) -> str:
    """How the grey levels of stored flow images differ in meaning from the model's, or ""."""
    names = ("scale", "centre", "short_px")
    different = [n for n in names if getattr(stored, n) != getattr(wanted, n)]
    if not different:
        return ""
    said = ", ".join(
        f"{n} {getattr(stored, n)} where the model has {getattr(wanted, n)}" for n in different
    )
    return (
        f"these flow images were made with {said}: the same grey level is another motion."
        " Make them with the model's settings, or give it the videos"
    )


@dataclass(frozen=True)
class SettledFlow:
    """A data set of which it is known what its pictures are."""

    videos: VideoList
    """Every item with `holds_flow` set."""
    flow: FlowConfig
    """How the flow images are, or will be, made."""
    notes: tuple[str, ...] = ()


def settle_modality(
    videos: VideoList,
    *,
    modality: Modality,
    source: FlowSource,
    flow: FlowConfig,
    adopt: bool,
) -> SettledFlow:
    """Decide for every item whether its pictures are flow images, and refuse what does not fit.

    Args:
        videos: As read.
        modality: What the model sees.
        source: As said by the user.
        flow: The model's settings, or those asked for.
        adopt: Training: take over the settings of stored flow images, where none were asked for.

    Raises:
        DataError: pictures and flow images are mixed, or they do not fit the modality.
        ConfigError: other settings were asked for than stored flow images have.
    """
    items = [item for item in videos.items if not is_feature_path(item.path)]
    manifests = {item.path: find_manifest(item.path) for item in items}
    found = {p: recognised(p, manifest) for p, manifest in manifests.items()}
    stored = _decide(videos, found, modality=modality, source=source)
    marked = tuple(replace(i, holds_flow=stored) if i.path in found else i for i in videos.items)
    settled = replace(videos, items=marked)
    made = {m.storage.flow for m in manifests.values() if m is not None} if stored else set()
    if len(made) > 1:
        raise DataError(
            f"{videos.source} holds flow images made in {len(made)} different ways; a model takes"
            " those of one. Make them again with one `lrcn flow` command"
        )
    if not made:
        return SettledFlow(settled, flow)
    own = made.pop()
    if adopt and flow in (FlowConfig(), own):
        return SettledFlow(settled, own)
    if problem := _encoding_problem(own, flow):
        raise (ConfigError if adopt else DataError)(f"{videos.source}: {problem}")
    if adopt:
        raise ConfigError(
            f"{videos.source}: these flow images were made with dataset.flow.method {own.method},"
            f" and {flow.method} was asked for; leave it out, or make them again"
        )
    notes = (f"flow found with {own.method}; the model was trained on {flow.method}",)
    return SettledFlow(settled, flow, notes if own.method != flow.method else ())


def _decide(
    videos: VideoList, found: dict[str, bool], *, modality: Modality, source: FlowSource
) -> bool:
    """Whether the pictures of a data set are flow images: all, or none."""
    counts = Counter(found.values())
    example = next((path for path, is_flow in found.items() if is_flow), "")
    if modality == "rgb":
        if counts[True]:
            raise DataError(
                f"{example} holds flow images, and the modality is rgb, pictures. Give"
                " --modality flow, or the videos themselves"
            )
        return False
    if source == "stored":
        return True
    if source == "computed":
        if counts[True]:
            raise DataError(
                f"{example} holds flow images already, of which no flow is computed. Leave --flow"
                " computed out, or give the videos themselves"
            )
        return False
    if counts[True] and counts[False]:
        raise DataError(
            f"{videos.source} mixes {counts[True]} folders or files of flow images ({example}) and"
            f" {counts[False]} of pictures; a data set holds one kind. Say which they are with"
            " --flow stored or --flow computed, or divide them"
        )
    return bool(counts[True])
