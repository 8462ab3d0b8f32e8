"""What is computed once and used in every epoch: features of frozen backbones, resized frames.

A cache entry is named by everything that determines its content: the source's bytes, the interval,
the preprocessing, the backbone with its weights, which frames were kept, how many crops, and the
precision. Nothing is ever stale: whatever changes, the name changes.

::

    $LRCN_CACHE  (else $XDG_CACHE_HOME/lrcn, else ~/.cache/lrcn)
    ├── features/ab/abcdef....safetensors     FeatureCache
    └── frames/12/123456....safetensors       FrameCache
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, overload

import torch
from torch import Tensor

from lrcn.data.store import TensorStore
from lrcn.errors import DataError
from lrcn.settings import cache_folder
from lrcn.structures import Clip, Preprocessing, VideoFeatures, VideoInfo
from lrcn.video.flow import FLOW_VERSION

_FORMAT = 1
"""Part of every name; raised when the meaning of a file changes."""

_LARGEST_FLOAT16 = torch.finfo(torch.float16).max


class _Cache:
    """Entries by name in a folder; what is an entry says the class below."""

    def __init__(self, root: Path | None, default: str) -> None:
        self.root = cache_folder() / default if root is None else Path(root)
        self._store = TensorStore(self.root)

    def __contains__(self, key: str) -> bool:
        return self._store.path(key).is_file()

    def size_bytes(self) -> int:
        """Bytes of all entries on disk."""
        return self._store.size_bytes()

    def prune(self, max_bytes: int) -> int:
        """Remove the entries not used for longest until `max_bytes` remain; bytes freed."""
        return self._store.prune(max_bytes)


class FeatureCache(_Cache):
    """Features of whole videos, one file each, memory-mapped when read.

    float32 is the default: what comes back is what was put, bit for bit, so that a run from the
    cache equals a run without it. float16 halves the disk (1,280-d features of 150 frames: 0.38
    instead of 0.77 MB) for a relative error of up to 2^-11 in each feature.

    Args:
        root: Folder of the entries; the default is `cache_folder() / "features"`.
        dtype: How features are stored; a video with values too large for float16 stays float32.
            They are float32 when they come back.
    """

    def __init__(
        self, root: Path | None = None, *, dtype: Literal["float32", "float16"] = "float32"
    ) -> None:
        super().__init__(root, "features")
        self.dtype = dtype

    def key(
        self,
        *,
        content: str,
        preprocessing: Preprocessing,
        backbone: str,
        feature_layer: str,
        weights_hash: str,
        start_seconds: float | None = None,
        end_seconds: float | None = None,
        frame_stride: int = 1,
        sample_fps: float | None = None,
        num_crops: int = 1,
        precision: str = "float32",
        stored_flow: bool = False,
        photo: bool = False,
    ) -> str:
        """The name of an entry.

        Args:
            content: Hash of the source's bytes (`content_hash`).
            preprocessing: Resize, crop and normalisation.
            backbone: Its name, "efficientnet_lite0".
            feature_layer: The tap, "pooled".
            weights_hash: Hash of its weights.
            start_seconds: Start of the interval; None for the start of the video.
            end_seconds: End of the interval; None for the end of the video.
            frame_stride: Which frames were kept.
            sample_fps: Which frames were kept, by time.
            num_crops: 1 or 10; of photos the number of views, 2, 4 or 8.
            precision: What the backbone computed in: "float32", "bfloat16".
            stored_flow: Whether the source holds flow images; otherwise they are computed, for a
                preprocessing of modality flow.
            photo: Whether it was read as a photo, upright, and not as a video of one frame.
        """
        return _digest(
            kind="photo features" if photo else "features",
            content=content,
            preprocessing=_described(preprocessing, stored_flow=stored_flow),
            backbone=[backbone, feature_layer, weights_hash],
            interval=[start_seconds, end_seconds],
            thinning=[frame_stride, sample_fps],
            num_crops=num_crops,
            precision=precision,
            dtype=self.dtype,
        )

    def get(self, key: str, *, video_id: str | None = None) -> VideoFeatures | None:
        """The entry, or None where there is none or it was damaged (then it is removed).

        Args:
            key: From `key`.
            video_id: Id for the result; None for the one under which it was put. (The same
                bytes at another place are the same entry.)

        Returns:
            Features whose storage is the mapped file: a slice of a clip reads only that clip.
        """
        found = self._store.read(key)
        if found is None:
            return None
        tensors, meta = found
        return VideoFeatures(
            video_id=meta["video_id"] if video_id is None else video_id,
            features_VTD=tensors["features_VTD"].float(),
            pts_seconds_T=tensors["pts_seconds_T"],
            frame_indices_T=tensors["frame_indices_T"],
            info=VideoInfo(**meta["info"]),
            truncated=meta["truncated"],
        )

    def put(self, key: str, features: VideoFeatures) -> None:
        """Write an entry, atomically; several processes may write the same one.

        Raises:
            OutputError: If the cache cannot be written.
        """
        stored_VTD = features.features_VTD.detach().cpu()
        if self.dtype == "float16" and stored_VTD.abs().amax() <= _LARGEST_FLOAT16:
            stored_VTD = stored_VTD.half()
        tensors = {
            "features_VTD": stored_VTD,
            "pts_seconds_T": features.pts_seconds_T,
            "frame_indices_T": features.frame_indices_T,
        }
        meta = {
            "video_id": features.video_id,
            "info": dataclasses.asdict(features.info),
            "truncated": features.truncated,
        }
        self._store.write(key, tensors, meta)


class CachedFeatures(Sequence[VideoFeatures]):
    """Features in a cache as a sequence: each is mapped when asked for, none is kept in memory.

    Args:
        cache: Where they lie.
        keys: One for each video.
    """

    def __init__(self, cache: FeatureCache, keys: Sequence[str]) -> None:
        self._cache = cache
        self._keys = tuple(keys)

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, index: int) -> VideoFeatures: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[VideoFeatures]: ...
    def __getitem__(self, index: int | slice) -> VideoFeatures | Sequence[VideoFeatures]:
        """Raises DataError where the entry was removed or damaged meanwhile."""
        if isinstance(index, slice):
            return CachedFeatures(self._cache, self._keys[index])
        found = self._cache.get(self._keys[index])
        if found is None:
            raise DataError(
                f"an entry of the feature cache {self._cache.root} was removed or damaged during "
                "the run; it must stay while it is used. Start again with --resume: it is made "
                "anew."
            )
        return found


class FrameCache(_Cache):
    """Resized frames of whole videos, not yet cropped, for training through the CNN.

    From the second epoch on a random clip is a read of its own frames: nothing is decoded or
    resized. A video costs T x H x W x 3 bytes, so this is for small data; a video above
    `max_video_bytes` is left out.

    Args:
        root: Folder of the entries; the default is `cache_folder() / "frames"`.
        max_video_bytes: Largest video taken.
    """

    def __init__(self, root: Path | None = None, *, max_video_bytes: int = 256 * 2**20) -> None:
        super().__init__(root, "frames")
        self.max_video_bytes = max_video_bytes

    def key(
        self,
        *,
        content: str,
        preprocessing: Preprocessing,
        start_seconds: float | None = None,
        end_seconds: float | None = None,
        frame_stride: int = 1,
        sample_fps: float | None = None,
        stored_flow: bool = False,
    ) -> str:
        """The name of an entry; arguments as in `FeatureCache.key`."""
        geometry = _described(preprocessing, stored_flow=stored_flow)
        del geometry["pixel_mean"], geometry["pixel_std"]
        return _digest(
            kind="frames",
            content=content,
            geometry=geometry,
            interval=[start_seconds, end_seconds],
            thinning=[frame_stride, sample_fps],
        )

    def get(self, key: str) -> Clip | None:
        """All frames of a video, mapped: slicing reads only the slice. None where absent."""
        found = self._store.read(key)
        if found is None:
            return None
        tensors, meta = found
        return Clip(
            frames_TCHW=tensors["frames_THWC"].permute(0, 3, 1, 2),
            pts_seconds_T=tensors["pts_seconds_T"],
            frame_indices_T=tensors["frame_indices_T"],
            truncated=meta["truncated"],
        )

    def put(self, key: str, clip: Clip) -> None:
        """Write an entry, atomically; several processes may write the same one.

        Raises:
            OutputError: If the cache cannot be written.
        """
        tensors: dict[str, Tensor] = {
            "frames_THWC": clip.frames_TCHW.permute(0, 2, 3, 1),
            "pts_seconds_T": clip.pts_seconds_T,
            "frame_indices_T": clip.frame_indices_T,
        }
        self._store.write(key, tensors, {"truncated": clip.truncated})


def _described(preprocessing: Preprocessing, *, stored_flow: bool) -> dict[str, Any]:
    """What determines the pixels; settings at their first and usual value stand for nothing."""
    described = dataclasses.asdict(preprocessing)
    if preprocessing.channel_order == "rgb":
        del described["channel_order"]
    if not preprocessing.original_quirks:
        del described["original_quirks"]
    if preprocessing.modality == "rgb":
        del described["modality"], described["flow"]
    else:
        # 2: stored flow images have the times of their source.
        described["stored_flow"] = 2 if stored_flow else False
        described["flow_version"] = FLOW_VERSION
    return described


def _digest(**parts: Any) -> str:
    named: Mapping[str, Any] = {"format": _FORMAT, **parts}
    text = json.dumps(named, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:40]
