"""The captions of a run: beside cached features while the CNN is frozen, beside pixels otherwise.

One object per run answers two questions of the loop: what are the batches of this epoch, and what
does the model say of the held-out items.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import torch
from torch import Tensor

from lrcn.data.ahead import run_ahead
from lrcn.data.augment import chance, integer
from lrcn.data.cache import FeatureCache
from lrcn.data.caption_batches import CaptionKey, CaptionSampler, EncodedCaptions
from lrcn.data.captions import with_caption_items
from lrcn.data.sampler import keyed_generator
from lrcn.data.semantics import SemanticSource
from lrcn.data.semantics.read import find_beliefs
from lrcn.data.visual_features import visual_features
from lrcn.engine import FastBackbone, Processes, choose_precision, fast_backbone
from lrcn.errors import MissingFilesError
from lrcn.models.image_captioner import Captioner
from lrcn.structures import CaptionBatch, CaptionList, SkippedFile, VideoFeatures
from lrcn.train.caption_config import CaptionExperiment
from lrcn.train.caption_pixels import CaptionPixels
from lrcn.train.caption_score import Held, padded, score_captioner
from lrcn.train.log import RunLog
from lrcn.train.validate import Score


@dataclass(frozen=True, kw_only=True)
class _Part:
    """Items with their words and, where the CNN is frozen, their features."""

    captions: CaptionList
    encoded: EncodedCaptions
    features: Sequence[Tensor] | None
    """features_VTD of every item."""


class CaptionExamples:
    """Batches and validation for one run.

    Args:
        experiment: Data, network, what is watched.
        train: Items learnt from.
        val: Held-out items; None for none.
        model: Whose vocabulary numbers the words.
        processes: Each takes its share of every batch and of the validation.
        device: Where the CNN runs when features are extracted.
        log: For bars and messages.
        semantics: What takes the place of a CNN; None where pictures are looked at.
    """

    def __init__(
        self,
        experiment: CaptionExperiment,
        train: CaptionList,
        val: CaptionList | None,
        model: Captioner,
        *,
        processes: Processes,
        device: torch.device,
        log: RunLog,
        semantics: SemanticSource | None = None,
    ) -> None:
        self.experiment = experiment
        self.processes = processes
        self.device = device
        self.log = log
        self.skipped: list[SkippedFile] = []
        self.truncated: list[str] = []
        self._semantics = semantics
        self._model = model
        self._train = self._part(train)
        self._val = None if val is None else self._part(val)
        self._pixels: CaptionPixels | None = None
        self._sampler = self._make_sampler()

    @property
    def num_batches(self) -> int:
        """Batches of an epoch over all processes; the same in every epoch and stage."""
        return self._sampler.num_batches

    def begin_stage(self, model: Captioner, *, joint: bool) -> None:
        """Prepare the data of a stage: features where the CNN stays as it is, pixels otherwise."""
        self._model = model
        learning = joint or bool(self.experiment.train.always_trained)
        if model.config.visual == "none":
            return
        if model.backbone is None or (not learning and self.experiment.dataset.cache != "none"):
            self._train = self._with_features(self._train, varied=True)
            if self._val is not None:
                self._val = self._with_features(self._val, varied=False)
            self._sampler = self._make_sampler()
            return
        assert model.preprocessing is not None
        settings, media = self.experiment.dataset, self._train.captions.media
        self._pixels = CaptionPixels(settings, model.preprocessing, media)
        self._train = self._part(self._train.captions)
        self._val = None if self._val is None else self._part(self._val.captions)

    def batches(self, epoch: int, start_batch: int) -> Iterator[CaptionBatch]:
        """The batches of an epoch from `start_batch` on: this process's share of each."""
        keys = self._sampler.batches(epoch, start_batch)
        if self._train.features is not None or self._model.config.visual == "none":
            for batch in keys:
                yield self._feature_batch(batch)
            return
        threads = self.experiment.dataset.num_workers
        with closing(run_ahead(keys, self._pixel_batches, threads=threads)) as ahead:
            for made in ahead:
                yield from made

    def mix(self, batch: CaptionBatch, seed: int) -> CaptionBatch:
        """The batch as it is: sentences are not mixed."""
        del seed
        return batch

    def validate(self, model: Captioner) -> Score | None:
        """What the model says of the held-out items; None when there are none."""
        part = self._val
        if part is None:
            return None
        held = Held(
            captions=part.captions,
            encoded=part.encoded,
            features=part.features,
            pixels=self._pixels,
            note=lambda file: self._note(file, len(part.captions)),
        )
        training = {tuple(ids) for item in self._train.encoded.ids for ids in item}
        return score_captioner(
            model,
            held,
            self.experiment.watch,
            training=training,
            processes=self.processes,
            device=self.device,
        )

    def _part(self, captions: CaptionList) -> _Part:
        encoded = EncodedCaptions(
            captions, self._model.vocabulary, max_tokens=self.experiment.dataset.max_tokens
        )
        return _Part(captions=captions, encoded=encoded, features=None)

    def _make_sampler(self) -> CaptionSampler:
        settings = self.experiment.dataset
        return CaptionSampler(
            self._train.encoded,
            mode=settings.captions,
            batch_size=self.experiment.train.batch_size,
            seed=self.experiment.train.seed,
            bucket=settings.bucket,
            rank=self.processes.rank,
            world_size=self.processes.world_size,
        )

    def _feature_batch(self, keys: Sequence[CaptionKey]) -> CaptionBatch:
        inputs_BL, targets_BL = self._train.encoded.tensors(keys)
        features_BTD, valid_mask_BT = padded([self._features_of(key) for key in keys])
        return CaptionBatch(
            frames_BTCHW=None,
            features_BTD=features_BTD,
            valid_mask_BT=valid_mask_BT,
            inputs_BL=inputs_BL,
            targets_BL=targets_BL,
            item_ids=self._ids(keys),
        )

    def _features_of(self, key: CaptionKey) -> Tensor:
        """features_TD of one view, drawn by the key."""
        if self._train.features is None:
            return torch.zeros(1, 0)
        noise = self.experiment.dataset.semantic_noise
        if self._semantics is not None and noise > 0:
            return self._noisy(self._semantics, key, noise)
        views_VTD = self._train.features[key.item]
        if len(views_VTD) == 1:
            return views_VTD[0]
        transform, generator = self.experiment.dataset.transform, self._generator(key)
        mirrored = chance(transform.mirror_prob, generator)
        num_turns = 4 if transform.quarter_turns else 1
        turn = integer(num_turns, generator) if transform.quarter_turns else 0
        return views_VTD[mirrored * num_turns + turn]

    def _noisy(self, source: SemanticSource, key: CaptionKey, noise: float) -> Tensor:
        """features_TD of semantic predictions, with a share of noise drawn by the key."""
        item_id = self._train.captions.items[key.item].item_id
        beliefs = find_beliefs(source.semantics, item_id)
        assert beliefs is not None  # items without predictions were left out
        share = noise * float(torch.rand(1, generator=self._generator(key)))
        name = f"{key.epoch} {item_id} {key.caption}"
        seed = self.experiment.train.seed
        return source.space.features(beliefs, noise=share, seed=seed, key=name)

    def _pixel_batches(self, keys: Sequence[CaptionKey]) -> Iterator[CaptionBatch]:
        """One batch, as an iterator, which `run_ahead` wants; an item is read once for it."""
        assert self._pixels is not None
        frames: list[Tensor] = []
        used: list[CaptionKey] = []
        read: dict[int, Tensor | SkippedFile] = {}
        for key in keys:
            if key.item not in read:
                read[key.item] = self._pixels.read(self._train.captions.items[key.item])
            found = read[key.item]
            if isinstance(found, SkippedFile):
                self._note(found, len(self._train.captions))
                frames.append(self._pixels.blank())
                used.append(key._replace(counts=False))
            else:
                frames.append(self._pixels.augment(found, self._generator(key)))
                used.append(key)
        inputs_BL, targets_BL = self._train.encoded.tensors(used)
        frames_BTCHW, valid_mask_BT = padded(frames)
        yield CaptionBatch(
            frames_BTCHW=frames_BTCHW,
            features_BTD=None,
            valid_mask_BT=valid_mask_BT,
            inputs_BL=inputs_BL,
            targets_BL=targets_BL,
            item_ids=self._ids(keys),
        )

    def _generator(self, key: CaptionKey) -> torch.Generator:
        seed = self.experiment.train.seed
        return keyed_generator(seed, "view", key.epoch, key.item, key.caption)

    def _ids(self, keys: Sequence[CaptionKey]) -> tuple[str, ...]:
        return tuple(self._train.captions.items[key.item].item_id for key in keys)

    def _with_features(self, part: _Part, *, varied: bool) -> _Part:
        """The features of all items, each process filling its share of the cache first."""
        model, items = self._model, part.captions.items
        backbone, cache = self._fast(model), FeatureCache()
        rank, size = self.processes.rank, self.processes.world_size
        transform = self.experiment.dataset.transform

        def extract(chosen: Sequence[int]) -> Iterator[VideoFeatures | SkippedFile]:
            if self._semantics is not None:
                return self._semantics.extract([items[place] for place in chosen])
            return visual_features(
                [items[place] for place in chosen],
                backbone,
                model.preprocessing,
                media=part.captions.media,
                mirrored=varied and transform.mirror_prob > 0,
                turned=varied and transform.quarter_turns,
                sampling=self.experiment.dataset.sampling,
                feature_dim=model.feature_dim,
                cache=cache,
            )

        if size > 1 and backbone is not None:
            for _ in extract(range(rank, len(items), size)):
                pass
            self.processes.barrier()
        started = time.monotonic()
        self.log.start_bar("features", len(items))
        found: list[Tensor | None] = []
        for done, one in enumerate(extract(range(len(items))), 1):
            self._note(one, len(items))
            found.append(None if isinstance(one, SkippedFile) else one.features_VTD)
            self.log.move_bar(done)
        self.log.stop_bar()
        seconds = time.monotonic() - started
        how = "from files" if backbone is None else backbone.description
        self.log.say(f"features of {len(items)} items in {seconds:.1f} s ({how})")
        kept = [item for item, one in zip(items, found, strict=True) if one is not None]
        captions = part.captions
        if len(kept) < len(items):
            captions = with_caption_items(captions, kept)
            part = self._part(captions)
        features = [one for one in found if one is not None]
        return _Part(captions=captions, encoded=part.encoded, features=features)

    def _fast(self, model: Captioner) -> FastBackbone | None:
        if model.backbone is None:
            return None
        # Training bears the rounding of bfloat16, which halves the one pass through the CNN.
        return fast_backbone(
            model.backbone,
            device=self.device,
            precision=choose_precision(self.experiment.train.precision, self.device),
            max_error=0.1,
        )

    def _note(self, one: VideoFeatures | SkippedFile, num_items: int) -> None:
        if not isinstance(one, SkippedFile):
            return
        if self.experiment.dataset.missing == "error":
            raise MissingFilesError(
                f"{one.path}, one of {num_items} items, cannot be read: {one.reason}."
                " Repair or remove it, or leave such files out with --missing skip"
            )
        if one not in self.skipped:
            self.skipped.append(one)
