"""Training examples: a random clip of every video in every epoch, from pixels or from features.

All randomness of an example is a function of (seed, epoch, item): which process makes it, how many
there are, and what was made before changes nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from lrcn.data.augment import chance, integer
from lrcn.data.cache import FrameCache
from lrcn.data.sampler import ItemKey, keyed_generator
from lrcn.data.transforms import EvalTransform, TrainTransform
from lrcn.data.video_frames import VideoFrames, no_frames
from lrcn.errors import DataError, MediaError
from lrcn.structures import (
    Example,
    Preprocessing,
    SkippedFile,
    VideoFeatures,
    VideoList,
)
from lrcn.video.sampling import SamplingConfig, clip_indices, random_clip_start
from lrcn.video.source import VideoSource

_JOIN_TRIES = 8


def label_targets(video_list: VideoList, class_names: Sequence[str] | None = None) -> Tensor:
    """What each item should be taken for: N x K float32, 0 or 1.

    Args:
        video_list: The items.
        class_names: The model's classes, where they are not the list's own.

    Raises:
        DataError: If an item has no label, or one that is no class of the model, or several
            although the data is not multi-label.
    """
    names = video_list.class_names if class_names is None else tuple(class_names)
    places = {name: place for place, name in enumerate(names)}
    targets_NK = torch.zeros((len(video_list), len(names)))
    for row, item in enumerate(video_list.items):
        unknown = [name for name in item.class_names if name not in places]
        if unknown:
            raise DataError(
                f"{item.path} is labelled {unknown[0]!r}, which is no class of the model; its "
                f"{len(names)} classes are {', '.join(names[:10])}{'...' * (len(names) > 10)}. "
                "Correct the label, or train with the classes of this data."
            )
        if len(item.class_names) != 1 and not video_list.multi_label:
            raise DataError(
                f"{item.path} has {len(item.class_names)} labels; training takes one label per "
                "video (several in multi-label data). Label it, or take it off the list."
            )
        for name in item.class_names:
            targets_NK[row, places[name]] = 1.0
    return targets_NK


class _LabelledClips(ABC):
    """What pixels and features share: targets, padding, joining."""

    def __init__(
        self,
        video_list: VideoList,
        *,
        clip_length: int | None,
        class_names: Sequence[str] | None,
        seed: int,
        join_probability: float,
        join_after: int,
        missing: Literal["error", "skip"],
    ) -> None:
        if not video_list.items:
            raise DataError(
                f"{video_list.source} holds no video to train on; at least one is needed. "
                "See `lrcn data check`."
            )
        self.items = video_list.items
        self.targets_NK = label_targets(video_list, class_names)
        self.seed = seed
        self._clip_length = clip_length
        self._join_probability = join_probability
        self._join_after = join_after
        self._missing = missing

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, key: ItemKey | int) -> Example | SkippedFile:
        """The example of one epoch; or, where missing is "skip", the file that failed.

        Raises:
            MediaError: If the video cannot be read and missing is "error".
        """
        key = key if isinstance(key, ItemKey) else ItemKey(epoch=0, item=key)
        generator = keyed_generator(self.seed, key.epoch, key.item, key.repeat)
        item = self.items[key.item]
        try:
            parts = [(self._clip(key.item, generator), key.item)]
        except MediaError as error:
            if self._missing == "skip":
                return SkippedFile(path=item.path, reason=str(error))
            raise
        joins = chance(self._join_probability, generator)
        if joins and key.epoch >= self._join_after:
            parts += self._partner(key.item, generator)
        return self._example(parts, item.video_id, counts=key.counts)

    def stand_in(self) -> Example:
        """An example without a valid step, for a batch all of whose videos failed."""
        return self._example([(self._blank(), 0)], "", counts=False)

    @abstractmethod
    def _clip(self, index: int, generator: torch.Generator) -> Tensor:
        """The steps of a random clip: frames_TCHW or features_TD, at most `clip_length`."""

    @abstractmethod
    def _blank(self) -> Tensor:
        """One step of zeros."""

    def _partner(self, index: int, generator: torch.Generator) -> list[tuple[Tensor, int]]:
        """A clip of another video; none when none is found, or it cannot be read.

        (One that cannot be read is reported when its own turn comes.)
        """
        for _ in range(_JOIN_TRIES):
            other = integer(len(self.items), generator)
            if self.items[other].path != self.items[index].path:
                try:
                    return [(self._clip(other, generator), other)]
                except MediaError:
                    if self._missing == "skip":
                        return []
                    raise
        return []

    def _example(
        self, parts: Sequence[tuple[Tensor, int]], video_id: str, *, counts: bool
    ) -> Example:
        """Put clips one after the other, each step with its own clip's target, and pad."""
        steps = torch.cat([clip for clip, _ in parts]) if len(parts) > 1 else parts[0][0]
        lengths = [len(clip) for clip, _ in parts]
        num_steps = max(len(steps), len(parts) * (self._clip_length or 0))
        targets_TK = torch.zeros((num_steps, self.targets_NK.shape[1]))
        rows = torch.tensor([row for _, row in parts]).repeat_interleave(torch.tensor(lengths))
        targets_TK[: len(rows)] = self.targets_NK[rows]
        valid_mask_T = torch.arange(num_steps) < (len(rows) if counts else 0)
        reset_mask_T = torch.arange(num_steps) == 0
        padded = _pad(steps, num_steps)
        return Example(
            frames_TCHW=padded if padded.ndim == 4 else None,
            features_TD=padded if padded.ndim == 2 else None,
            valid_mask_T=valid_mask_T,
            reset_mask_T=reset_mask_T,
            targets_TK=targets_TK,
            video_id=video_id,
        )


class ClipDataset(_LabelledClips):
    """Random clips of videos, decoded when asked for.

    Args:
        video_list: The videos or intervals, with their labels.
        sampling: Which frames make up a clip.
        preprocessing: What the backbone wants: with modality flow, the flow images of the videos
            (or those that the items are).
        transform: The random transform; None takes the centre crop.
        class_names: The model's classes, where they are not the list's own.
        seed: The run's.
        frame_cache: Keeps resized frames, so that later epochs decode nothing.
        join_probability: Chance that a clip is followed, without a reset, by one of another
            video with its own target: a carried state learns to change its mind.
        join_after: First epoch with joined clips; before it a clip stands alone.
        missing: What a video that cannot be read does: raise, or become a `SkippedFile`.
    """

    def __init__(
        self,
        video_list: VideoList,
        *,
        sampling: SamplingConfig,
        preprocessing: Preprocessing,
        transform: TrainTransform | None = None,
        class_names: Sequence[str] | None = None,
        seed: int = 0,
        frame_cache: FrameCache | None = None,
        join_probability: float = 0.0,
        join_after: int = 0,
        missing: Literal["error", "skip"] = "error",
    ) -> None:
        super().__init__(
            video_list,
            clip_length=sampling.clip_length,
            class_names=class_names,
            seed=seed,
            join_probability=join_probability,
            join_after=join_after,
            missing=missing,
        )
        self.sampling = sampling
        self.preprocessing = preprocessing
        self.transform = transform
        self._frames = VideoFrames(preprocessing, sampling, frame_cache)

    def _clip(self, index: int, generator: torch.Generator) -> Tensor:
        item = self.items[index]
        whole = self._frames.cached(item)
        if whole is not None:
            frames_TCHW = whole.frames_TCHW[self._draw(len(whole), generator)]
        else:
            with self._frames.open(item) as source:
                frames_TCHW = self._read_clip(source, generator)
        if self.transform is None:
            return EvalTransform(self.preprocessing)(frames_TCHW)[0]
        return self.transform(frames_TCHW, generator)

    def _blank(self) -> Tensor:
        px = self.preprocessing.input_px
        return torch.zeros((1, 3, px, px), dtype=torch.uint8)

    def _read_clip(self, source: VideoSource, generator: torch.Generator) -> Tensor:
        """A random clip, only its own frames decoded and converted."""
        frame_indices = self._frames.kept(source)
        drawn = self._draw(len(frame_indices), generator)
        return source.read([frame_indices[i] for i in drawn]).frames_TCHW

    def _draw(self, num_frames: int, generator: torch.Generator) -> list[int]:
        skipped = self.preprocessing.has_quirk("skip_first_frame")
        if skipped and num_frames > self.sampling.span:
            # The original counts starts from 2; its flow images are numbered from 2, so that
            # with them it is the last one that is never drawn.
            start = random_clip_start(num_frames - 1, self.sampling, generator)
            start += self.preprocessing.modality == "rgb"
        else:
            start = random_clip_start(num_frames, self.sampling, generator)
        return clip_indices(num_frames, start, self.sampling)


class FeatureDataset(_LabelledClips):
    """Random clips of features that exist already: cached ones, or a user's own.

    Args:
        video_list: The videos, with their labels.
        features: Those of each video, in the same order; already thinned to the rate wanted.
            One view (crop) is drawn for each clip.
        clip_length: Steps of a clip; None takes every video whole.
        class_names: The model's classes, where they are not the list's own.
        seed: The run's.
        join_probability: As for `ClipDataset`.
        join_after: As for `ClipDataset`.

    Raises:
        DataError: If there are not as many features as videos.
    """

    def __init__(
        self,
        video_list: VideoList,
        features: Sequence[VideoFeatures],
        *,
        clip_length: int | None,
        class_names: Sequence[str] | None = None,
        seed: int = 0,
        join_probability: float = 0.0,
        join_after: int = 0,
    ) -> None:
        super().__init__(
            video_list,
            clip_length=clip_length,
            class_names=class_names,
            seed=seed,
            join_probability=join_probability,
            join_after=join_after,
            missing="error",
        )
        if len(features) != len(video_list):
            raise DataError(
                f"there are features of {len(features)} videos for {len(video_list)} labelled "
                "ones; each needs its own. Leave out the videos that could not be read."
            )
        self.features = features

    def _clip(self, index: int, generator: torch.Generator) -> Tensor:
        features_VTD = self.features[index].features_VTD
        view = integer(len(features_VTD), generator)
        num_frames = features_VTD.shape[1]
        if num_frames == 0:
            raise no_frames(self.items[index].path)
        length = self._clip_length or num_frames
        start = integer(max(num_frames - length, 0) + 1, generator)
        return features_VTD[view, start : start + length].clone()

    def _blank(self) -> Tensor:
        return torch.zeros((1, self.features[0].features_VTD.shape[2]))


def _pad(steps: Tensor, num_steps: int) -> Tensor:
    """Zeros after the last step; frames keep their channels-last memory."""
    if len(steps) == num_steps:
        return steps
    out = torch.zeros((num_steps, *steps.shape[1:]), dtype=steps.dtype)
    if steps.ndim == 4:
        out = out.contiguous(memory_format=torch.channels_last)
    out[: len(steps)] = steps
    return out
