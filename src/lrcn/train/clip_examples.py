"""The clips of a run: from cached features while the CNN is frozen, from pixels when it learns.

One object per run answers two questions of the loop: what are the batches of this epoch, and how
good is the model on the held-out videos.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from lrcn.data.cache import FeatureCache, FrameCache
from lrcn.data.datasets import with_items
from lrcn.data.extract import extract_features
from lrcn.data.feature_source import FeatureSource
from lrcn.data.loader import (
    CachedFeatures,
    ClipDataset,
    ClipLoader,
    EpochSampler,
    FeatureDataset,
    class_balanced_weights,
    label_targets,
    make_loader,
)
from lrcn.data.transforms import TrainTransform
from lrcn.data.video_frames import SMALL_PX
from lrcn.engine import FastBackbone, Processes, choose_precision, fast_backbone
from lrcn.errors import MissingFilesError
from lrcn.models.activity import ActivityModel
from lrcn.structures import (
    ClipBatch,
    Quirk,
    SkippedFile,
    VideoFeatures,
    VideoList,
    quirks_in_training,
)
from lrcn.train.config import Experiment
from lrcn.train.log import RunLog
from lrcn.train.step import mixed_batch
from lrcn.train.validate import Score, answer, score


class ClipExamples:
    """Batches and validation for one run.

    Args:
        experiment: Data, sampling, transform.
        train: Videos learnt from.
        val: Held-out videos; None for none.
        processes: Each takes its share of every batch and of the validation.
        device: Where the CNN runs when features are extracted.
        log: For bars and messages.
    """

    def __init__(
        self,
        experiment: Experiment,
        train: VideoList,
        val: VideoList | None,
        *,
        processes: Processes,
        device: torch.device,
        log: RunLog,
    ) -> None:
        self.experiment = experiment
        self.train = train
        self.val = val
        self.processes = processes
        self.device = device
        self.log = log
        self.skipped: list[SkippedFile] = []
        self.truncated: list[str] = []
        self._loader: ClipLoader | None = None
        self._val_features: Sequence[VideoFeatures] | None = None
        self._size = -(-len(train) // experiment.train.batch_size)

    @property
    def num_batches(self) -> int:
        """Batches of an epoch over all processes; the same in every epoch and stage."""
        return self._size

    def begin_stage(self, model: ActivityModel, *, joint: bool) -> None:
        """Prepare the data of a stage: features where the CNN stays as it is, pixels otherwise."""
        settings = self.experiment.dataset
        from_features = model.backbone is None or (
            not joint and settings.cache in ("auto", "features")
        )
        if from_features:
            dataset: ClipDataset | FeatureDataset = self._feature_dataset(model)
        else:
            self._val_features = None
            dataset = self._clip_dataset(model)
        weights = class_balanced_weights(dataset.items) if settings.balanced else None
        sampler = EpochSampler(
            len(dataset),
            batch_size=self.experiment.train.batch_size,
            seed=self.experiment.train.seed,
            rank=self.processes.rank,
            world_size=self.processes.world_size,
            weights=weights,
        )
        self._loader = make_loader(dataset, sampler, num_workers=settings.num_workers)

    def batches(self, epoch: int, start_batch: int) -> Iterator[ClipBatch]:
        """The batches of an epoch from `start_batch` on: this process's share of each."""
        assert self._loader is not None
        self._loader.set_epoch(epoch, start_batch)
        try:
            yield from self._loader
        finally:
            self.skipped += [f for f in self._loader.skipped if f not in self.skipped]

    def mix(self, batch: ClipBatch, seed: int) -> ClipBatch:
        """The batch with its clips mixed, where the transform says so."""
        return mixed_batch(batch, self.experiment.dataset.transform, seed)

    def validate(self, model: ActivityModel) -> Score | None:
        """Score the model on the held-out videos; None when there are none."""
        if self.val is None:
            return None
        share = self._share(self.val)
        features: Iterable[VideoFeatures | SkippedFile]
        if self._val_features is not None:
            features = self._val_features
        else:
            features = self._extracted(model, share)
        # By place in the list: intervals of one video share its id.
        found: dict[int, Tensor] = {}
        sampling = self.experiment.dataset.sampling
        for index, video in enumerate(features):
            if isinstance(video, VideoFeatures):
                features_VTD = video.features_VTD.to(self.device)
                found[self._place(index)] = answer(model, features_VTD, sampling)
            elif video not in self.skipped:
                self._without_failed(share, {index: video})
        merged: dict[int, Tensor] = {}
        for part in self.processes.gather_objects(found):
            merged |= part
        if not merged:
            raise MissingFilesError(
                f"none of the {len(self.val)} validation videos can be decoded; at least 1 is"
                " needed. Repair them, or give others with --val-data"
            )
        rows = sorted(merged)
        targets_NK = label_targets(self.val, model.class_names)[rows]
        probs_NK = torch.stack([merged[row] for row in rows])
        return score(probs_NK, targets_NK, multi_label=model.multi_label)

    def _place(self, index: int) -> int:
        """Where an item of this process's share stands in the whole list."""
        return self.processes.rank + index * self.processes.world_size

    def _share(self, videos: VideoList) -> VideoList:
        rank, size = self.processes.rank, self.processes.world_size
        return with_items(videos, list(videos.items[rank::size]))

    def _clip_dataset(self, model: ActivityModel) -> ClipDataset:
        settings = self.experiment.dataset
        assert model.preprocessing is not None
        small = model.preprocessing.input_px <= SMALL_PX
        keep = settings.cache == "frames" or (settings.cache == "auto" and small)
        if settings.modality == "flow" and not keep and not self.train.items[0].holds_flow:
            self.log.say(
                "flow is computed anew for every clip of every epoch; to do it once, store it"
                " (`lrcn flow DATA OUT`) or give --dataset.cache frames"
            )
        own = replace(model.preprocessing, original_quirks=self._quirks(model))
        return ClipDataset(
            self.train,
            sampling=settings.sampling,
            preprocessing=own,
            transform=TrainTransform(own, settings.transform),
            class_names=model.class_names,
            seed=self.experiment.train.seed,
            frame_cache=FrameCache() if keep else None,
            join_probability=settings.join_probability,
            join_after=settings.join_after,
            missing=settings.missing,
        )

    def _quirks(self, model: ActivityModel) -> tuple[Quirk, ...]:
        """The original's faults that its clips are to have."""
        own = model.preprocessing
        if own is None:
            return ()
        return quirks_in_training(model.config.kind, own.modality, own.original_quirks)

    def _feature_dataset(self, model: ActivityModel) -> FeatureDataset:
        """Features of all videos, computed once by all processes together, then mapped."""
        settings = self.experiment.dataset
        if lost := self._quirks(model):
            self.log.say(
                f"{', '.join(lost)}: not reproduced while the CNN is frozen and its features are"
                " kept; to decode and vary every clip give --dataset.cache none"
            )
        self.train, features = self._cached(model, self.train)
        if self.val is not None:
            self.val, found = self._cached(model, self.val)
            self._val_features = found[self.processes.rank :: self.processes.world_size]
        self._size = -(-len(self.train) // self.experiment.train.batch_size)
        return FeatureDataset(
            self.train,
            features,
            clip_length=settings.sampling.clip_length,
            class_names=model.class_names,
            seed=self.experiment.train.seed,
            join_probability=settings.join_probability,
            join_after=settings.join_after,
        )

    def _cached(
        self, model: ActivityModel, videos: VideoList
    ) -> tuple[VideoList, Sequence[VideoFeatures]]:
        """The features of all videos, each process filling its share of the cache.

        Returns:
            The videos that could be read, and their features in the same order.

        Raises:
            MissingFilesError: a file failed while being decoded, and none may be left out.
        """
        if model.backbone is None:
            found = list(self._features(videos, None, model, cache=None))
            broken = {i: f for i, f in enumerate(found) if isinstance(f, SkippedFile)}
            return self._without_failed(videos, broken), [
                f for f in found if isinstance(f, VideoFeatures)
            ]
        cache = FeatureCache()
        # Training bears the rounding of bfloat16 (features move by up to a tenth), which halves
        # the one pass through the CNN; evaluation and prediction keep features within 1 %.
        backbone = fast_backbone(
            model.backbone,
            device=self.device,
            precision=choose_precision(self.experiment.train.precision, self.device),
            max_error=0.1,
        )
        failed: dict[int, SkippedFile] = {}
        truncated: list[str] = []
        share = self._share(videos)
        started, num_frames = time.monotonic(), 0
        self.log.start_bar("features", len(share))
        for done, found_one in enumerate(self._features(share, backbone, model, cache=cache), 1):
            if isinstance(found_one, SkippedFile):
                failed[self._place(done - 1)] = found_one
            else:
                num_frames += len(found_one)
                truncated += [share.items[done - 1].path] * found_one.truncated
            rate = num_frames / max(time.monotonic() - started, 1e-9)
            self.log.move_bar(done, f"{rate:.0f} frames/s")
        self.log.stop_bar()
        seconds = time.monotonic() - started
        self.log.say(
            f"features of {len(share)} videos, {num_frames} frames, in {seconds:.1f} s"
            f" ({num_frames / max(seconds, 1e-9):.0f} frames/s; {backbone.description})"
        )
        all_failed: dict[int, SkippedFile] = {}
        for part, paths in self.processes.gather_objects((failed, truncated)):
            all_failed |= part
            self.truncated += [path for path in paths if path not in self.truncated]
        kept = self._without_failed(videos, all_failed)
        assert model.preprocessing is not None
        source = FeatureSource.of(backbone, model.preprocessing, self.experiment.dataset.sampling)
        return kept, CachedFeatures(cache, [source.key(cache, item) for item in kept.items])

    def _features(
        self,
        videos: VideoList,
        backbone: FastBackbone | None,
        model: ActivityModel,
        *,
        cache: FeatureCache | None,
    ) -> Iterator[VideoFeatures | SkippedFile]:
        yield from extract_features(
            videos.items,
            backbone,
            model.preprocessing,
            sampling=self.experiment.dataset.sampling,
            cache=cache,
            feature_dim=model.feature_dim,
        )

    def _without_failed(self, videos: VideoList, failed: Mapping[int, SkippedFile]) -> VideoList:
        """The videos without those that failed, by their place; these are listed, or an error."""
        if not failed:
            return videos
        if self.experiment.dataset.missing == "error":
            first = failed[min(failed)]
            raise MissingFilesError(
                f"{len(failed)} of {len(videos)} videos cannot be decoded, first"
                f" {first.path}: {first.reason}."
                " Repair or remove them, or leave them out with --missing skip"
            )
        self.skipped.extend(failed[place] for place in sorted(failed))
        return with_items(videos, [v for i, v in enumerate(videos.items) if i not in failed])

    def _extracted(
        self, model: ActivityModel, videos: VideoList
    ) -> Iterator[VideoFeatures | SkippedFile]:
        """Features by the CNN as it is at this moment, for validating while it learns."""
        backbone = model.backbone
        assert backbone is not None

        def run(frames_NCHW: Tensor) -> Tensor:
            frames_NCHW = frames_NCHW.to(self.device)
            features_ND: Tensor = backbone(backbone.normalise(frames_NCHW)).float()
            return features_ND

        found = extract_features(
            videos.items,
            run,
            model.preprocessing,
            sampling=self.experiment.dataset.sampling,
            feature_dim=model.feature_dim,
        )
        with torch.no_grad():
            yield from found
