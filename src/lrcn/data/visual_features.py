"""What a backbone says of photos and videos that are to be described; each once, then cached.

A photo is a video of one frame. Of photos the mirror image and the quarter turns can be kept as
further views, so that training from cached features still sees them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lrcn.data.ahead import run_ahead
from lrcn.data.cache import FeatureCache
from lrcn.data.content import content_hash
from lrcn.data.extract import extract_features
from lrcn.data.images import read_image
from lrcn.data.transforms import EvalTransform, mirror, quarter_turn, resized_size
from lrcn.engine import FastBackbone
from lrcn.errors import MediaError
from lrcn.structures import (
    CaptionItem,
    Media,
    Preprocessing,
    SkippedFile,
    VideoFeatures,
    VideoInfo,
    VideoItem,
)
from lrcn.video.features import is_feature_path
from lrcn.video.sampling import SamplingConfig


def visual_features(
    items: Sequence[CaptionItem],
    backbone: FastBackbone | None,
    preprocessing: Preprocessing | None,
    *,
    media: Media = "image",
    mirrored: bool = False,
    turned: bool = False,
    sampling: SamplingConfig | None = None,
    feature_dim: int | None = None,
    cache: FeatureCache | None = None,
    decode_threads: int = 1,
    batch_size: int = 32,
) -> Iterator[VideoFeatures | SkippedFile]:
    """The features of every item, in order.

    Args:
        items: Photos, videos, intervals of videos, or files of features.
        backbone: None where all items are feature files.
        preprocessing: The model's.
        media: What the items are; feature files are known by their names.
        mirrored: Of photos, also their mirror image.
        turned: Of photos, also their quarter turns, and those of the mirror image.
        sampling: Of videos, which frames.
        feature_dim: What feature files must have; None allows any.
        cache: Read and filled.
        decode_threads: Files decoded at the same time.
        batch_size: Frames per call of the backbone.

    Yields:
        features_VTD float32, V in the order of `photo_frames`; T = 1 for photos. Or why an item
        was left out.
    """
    from_files = all(is_feature_path(item.path) for item in items)
    if from_files or media == "video" or backbone is None or preprocessing is None:
        yield from extract_features(
            [as_video(item) for item in items],
            None if from_files else backbone,
            None if from_files else preprocessing,
            sampling=sampling or SamplingConfig(),
            cache=None if from_files else cache,
            feature_dim=feature_dim,
            decode_threads=decode_threads,
            batch_size=batch_size,
        )
        return
    reader = _PhotoReader(preprocessing, backbone, mirrored, turned, cache)
    batch: deque[_Photo | VideoFeatures | SkippedFile] = deque()
    with closing(run_ahead(items, reader, threads=decode_threads)) as ahead:
        for pieces in ahead:
            batch.extend(pieces)
            frames = sum(len(p.frames_VCHW) for p in batch if isinstance(p, _Photo))
            if frames >= batch_size or len(batch) >= 4 * batch_size:
                yield from _finished(batch, backbone, cache)
                batch.clear()
    yield from _finished(batch, backbone, cache)


def photo_frames(
    source: Any,
    preprocessing: Preprocessing,
    *,
    mirrored: bool = False,
    turned: bool = False,
) -> Tensor:
    """A photo as the backbone sees it: frames_VCHW uint8, V = 1, 2, 4 or 8.

    The photo, its turns by 90, 180 and 270 degrees, and then the mirror image of each of these.

    Args:
        source: Anything that `read_image` takes.
        preprocessing: The model's.
        mirrored: Also give the mirror images.
        turned: Also give the turns.

    Raises:
        MediaError: it is absent, broken or too large.
    """
    needed_px = max(resized_size(1, 1, preprocessing))
    pixels_CHW = read_image(source, for_px=needed_px)
    frames_CHW = EvalTransform(preprocessing)(pixels_CHW[None])[0, 0]
    views = [quarter_turn(frames_CHW, number) for number in range(4 if turned else 1)]
    if mirrored:
        views += [mirror(view, preprocessing) for view in views]
    return torch.stack(views)


@dataclass(frozen=True)
class _Photo:
    """A photo ready for the backbone."""

    item_id: str
    frames_VCHW: Tensor
    key: str | None


@dataclass(frozen=True)
class _PhotoReader:
    """The work of the threads."""

    preprocessing: Preprocessing
    backbone: FastBackbone
    mirrored: bool
    turned: bool
    cache: FeatureCache | None

    def __call__(self, item: CaptionItem) -> Iterator[_Photo | VideoFeatures | SkippedFile]:
        try:
            key = None if self.cache is None else self._key(self.cache, item)
            found = None
            if self.cache is not None and key is not None:
                found = self.cache.get(key, video_id=item.item_id)
            if found is not None:
                yield found
                return
            frames_VCHW = photo_frames(
                item.path, self.preprocessing, mirrored=self.mirrored, turned=self.turned
            )
            yield _Photo(item.item_id, frames_VCHW, key)
        except MediaError as error:
            reason = str(error).removeprefix(f"{item.path}: ").removeprefix(f"{item.path} ")
            yield SkippedFile(path=item.path, reason=reason)

    def _key(self, cache: FeatureCache, item: CaptionItem) -> str:
        return cache.key(
            content=content_hash(item.path),
            preprocessing=self.preprocessing,
            backbone=self.backbone.name,
            feature_layer=self.backbone.feature_layer,
            weights_hash=self.backbone.weights_hash,
            num_crops=(2 if self.mirrored else 1) * (4 if self.turned else 1),
            precision=self.backbone.arithmetic,
            photo=True,
        )


def _finished(
    batch: Sequence[_Photo | VideoFeatures | SkippedFile],
    backbone: FastBackbone,
    cache: FeatureCache | None,
) -> Iterator[VideoFeatures | SkippedFile]:
    photos = [piece for piece in batch if isinstance(piece, _Photo)]
    rows: Iterator[Tensor] = iter(())
    if photos:
        features_ND = backbone(torch.cat([photo.frames_VCHW for photo in photos]))
        rows = iter(torch.split(features_ND.cpu(), [len(photo.frames_VCHW) for photo in photos]))
    for piece in batch:
        if not isinstance(piece, _Photo):
            yield piece
            continue
        features = VideoFeatures(
            video_id=piece.item_id,
            features_VTD=next(rows)[:, None].clone(),
            pts_seconds_T=torch.zeros(1, dtype=torch.float64),
            frame_indices_T=torch.zeros(1, dtype=torch.int64),
            info=VideoInfo(height=0, width=0, num_frames=1, container="photo"),
        )
        if cache is not None and piece.key is not None:
            cache.put(piece.key, features)
        yield features


def as_video(item: CaptionItem) -> VideoItem:
    """The item as one of a list of videos."""
    return VideoItem(
        path=item.path,
        video_id=item.item_id,
        class_names=(),
        start_seconds=item.start_seconds,
        end_seconds=item.end_seconds,
    )
