"""A captioner's folder, a photo, a sentence.

::

    describer = lrcn.load("runs/captions")
    describer("photo.jpg").text
    for description in describer.describe_many(paths):
        ...
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lrcn.checkpoint import SavedCaptioner
from lrcn.data.datasets.walk import strip_media_extension
from lrcn.data.extract import extract_features
from lrcn.data.images import is_photo_path
from lrcn.decoding.describe import CaptionModel, describe
from lrcn.decoding.options import DecodingOptions
from lrcn.engine import FastBackbone, Precision, choose_precision, fast_backbone
from lrcn.errors import MediaError, ModelError
from lrcn.models.fast_captioner import FastCaptioner, fast_captioner
from lrcn.predict.photos import feature_file, photo_features
from lrcn.structures import Caption, CaptionItem, Description, SkippedFile, VideoFeatures
from lrcn.text.vocabulary import Vocabulary

Item = tuple[str, Any]
"""An id and a source."""


class Describer:
    """A captioner ready to describe.

    Every photo goes once through the CNN, in batches, while the next ones are decoded; the
    sentences of a batch are searched for together. No sentence depends on its batch. A captioner
    of photos sees a video by its frame in the middle; one of videos sees all sampled frames.
    """

    def __init__(
        self,
        saved: SavedCaptioner,
        *,
        device: torch.device | None = None,
        precision: Precision = "auto",
        decoding: DecodingOptions | None = None,
        batch_size: int = 32,
        decode_threads: int = 1,
        seed: int = 0,
    ) -> None:
        """Take a model; it is moved to the device and put into evaluation mode.

        Args:
            saved: From `lrcn.checkpoint.load_captioner`.
            device: Where to compute; the processor when None.
            precision: Of the backbone and the words. "auto" takes bfloat16 and int8 only where
                they are fast and keep the probabilities.
            decoding: How to search for sentences; as the model was saved with when None.
            batch_size: Photos per call of the CNN, and sentences searched for at a time.
            decode_threads: Files decoded at the same time.
            seed: Of words that are drawn.

        Raises:
            ModelError: the model is a language model, which sees nothing.
        """
        if saved.model.config.visual == "none":
            raise ModelError(
                f"{saved.source or 'this model'} is a language model, which sees no picture; what"
                " describes pictures is needed here. Train from it: `lrcn train --init` it"
            )
        self.saved = saved
        self.device = device or torch.device("cpu")
        self.decoding = decoding or saved.decoding
        self.batch_size = batch_size
        self.decode_threads = decode_threads
        self.seed = seed
        self.model = saved.model.to(self.device).eval()
        self._precision: Precision = precision
        # Who asks for bfloat16 gets it, unless the features would be useless.
        self._max_error = 0.1 if precision == "bfloat16" else 0.01

    @property
    def vocabulary(self) -> Vocabulary:
        """The words that can be said."""
        return self.model.vocabulary

    @property
    def description(self) -> str:
        """How the backbone and the words are computed, for reports."""
        words = self.words
        said = words.description if isinstance(words, FastCaptioner) else "float32 plain"
        seen = "features are given" if self.model.backbone is None else self.backbone.description
        return f"{seen}; words: {said}"

    @cached_property
    def backbone(self) -> FastBackbone:
        """The CNN as it runs here.

        Raises:
            ModelError: the model takes features.
        """
        if self.model.backbone is None:
            raise ModelError(
                "this model takes features and has no CNN; give it .npy, .npz or .h5 files"
            )
        return fast_backbone(
            self.model.backbone,
            device=self.device,
            precision=choose_precision(self._precision, self.device),
            batch_size=self.batch_size,
            max_error=self._max_error,
        )

    @cached_property
    def words(self) -> CaptionModel[Any]:
        """The recurrent part as it runs here."""
        return fast_captioner(self.model, precision=self._precision)

    def __call__(
        self, source: Any, *, item_id: str | None = None, decoding: DecodingOptions | None = None
    ) -> Description:
        """What is to be seen in one photo.

        Args:
            source: Path, bytes, binary file, Pillow image, array or tensor (H x W x 3, 3 x H x W
                or H x W) of a photo; a video; features (T x D or D) for a model without a CNN.
            item_id: For the result, and to find the item in a file of several features.
            decoding: How to search, in place of `self.decoding`.

        Raises:
            MediaError: it cannot be read, or is nothing of the above.
        """
        item = source if item_id is None else (item_id, source)
        with closing(self.describe_many([item], decoding=decoding)) as found:
            description = next(found)
        if description.error is not None:
            raise MediaError(f"{description.path}: {description.error}")
        return description

    def describe_many(
        self, sources: Iterable[Any], *, decoding: DecodingOptions | None = None
    ) -> Generator[Description, None, None]:
        """What is to be seen in many photos, in order; they are taken two batches ahead.

        Args:
            sources: Each as for a single call, or a pair (item_id, source), or a `CaptionItem`.
            decoding: How to search, in place of `self.decoding`.

        Yields:
            One `Description` per source; where it could not be read with `error` alone.

        Raises:
            ConfigError: a forced word cannot be said.
            ModelError: the model gives scores that are not numbers.
        """
        options = decoding or self.decoding
        names: deque[tuple[str, str]] = deque()

        def items() -> Iterator[Item]:
            for source in sources:
                item = _item(source)
                names.append(_names(item))
                yield item

        batch: list[tuple[str, str, Tensor | SkippedFile]] = []
        with closing(self._features(items())) as features:
            for found in features:
                batch.append((*names.popleft(), found))
                if len(batch) == self.batch_size:
                    yield from self._describe(batch, options)
                    batch = []
        yield from self._describe(batch, options)

    def look(self, sources: Iterable[Any]) -> Generator[Tensor | SkippedFile, None, None]:
        """What the model sees of many photos, in order, without a word: features_TD.

        Args:
            sources: As for `describe_many`.

        Yields:
            float32 T x D, T = 1 for photos; or why there are none.
        """
        yield from self._features(_item(source) for source in sources)

    def _features(self, items: Iterator[Item]) -> Generator[Tensor | SkippedFile, None, None]:
        """features_TD of each item, or why there are none."""
        model = self.model
        if model.backbone is None:
            yield from (self._given_features(*item) for item in items)
            return
        preprocessing = model.preprocessing
        assert preprocessing is not None  # a backbone has one
        if self.saved.media == "image":
            yield from photo_features(
                items,
                self.backbone,
                preprocessing,
                feature_dim=model.feature_dim,
                batch_size=self.batch_size,
                decode_threads=self.decode_threads,
            )
            return
        for found in extract_features(
            items,
            self.backbone,
            preprocessing,
            sampling=self.saved.sampling,
            batch_size=self.batch_size,
            decode_threads=self.decode_threads,
            feature_dim=model.feature_dim,
        ):
            yield found.features_VTD[0] if isinstance(found, VideoFeatures) else found

    def _given_features(self, item_id: str, source: Any) -> Tensor | SkippedFile:
        width = self.model.feature_dim
        if isinstance(source, str | os.PathLike):
            path = os.fspath(source)
            try:
                return feature_file(path, width, item_id)
            except MediaError as error:
                return SkippedFile(path=path, reason=str(error).removeprefix(f"{path}: "))
        if isinstance(source, np.ndarray | Tensor) and source.ndim in (1, 2):
            features_TD = torch.as_tensor(source, dtype=torch.float32).reshape(-1, source.shape[-1])
            if features_TD.shape[1] == width and len(features_TD):
                return features_TD
        return SkippedFile(
            path=item_id,
            reason=f"this model has no CNN and takes features, T x {width}; give it those, or"
            " .npy, .npz or .h5 files",
        )

    def _describe(
        self, batch: list[tuple[str, str, Tensor | SkippedFile]], options: DecodingOptions
    ) -> Iterator[Description]:
        """The sentences of a batch."""
        read = [(item_id, one) for _, item_id, one in batch if isinstance(one, Tensor)]
        captions: Iterator[tuple[Caption, ...]] = iter(())
        if read:
            features_BTD, valid_mask_BT = _padded([features_TD for _, features_TD in read])
            captions = iter(
                describe(
                    self.words,
                    features_BTD.to(self.device),
                    valid_mask_BT.to(self.device),
                    options=options,
                    seed=self.seed,
                    row_keys=[item_id for item_id, _ in read],
                )
            )
        for path, item_id, one in batch:
            if isinstance(one, SkippedFile):
                yield Description(path=path, item_id=item_id, error=one.reason)
            else:
                yield Description(
                    path=path, item_id=item_id, captions=next(captions), features_TD=one
                )


def _padded(features: list[Tensor]) -> tuple[Tensor, Tensor]:
    """features_BTD and valid_mask_BT of items of any number of frames."""
    longest = max(len(one) for one in features)
    features_BTD = torch.zeros(len(features), longest, features[0].shape[1])
    valid_mask_BT = torch.zeros(len(features), longest, dtype=torch.bool)
    for row, features_TD in enumerate(features):
        features_BTD[row, : len(features_TD)] = features_TD
        valid_mask_BT[row, : len(features_TD)] = True
    return features_BTD, valid_mask_BT


def _item(source: Any) -> Item:
    if isinstance(source, CaptionItem):
        return source.item_id, source.path
    if isinstance(source, tuple) and len(source) == 2 and isinstance(source[0], str):
        return source
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        name = path.stem if is_photo_path(path) else strip_media_extension(path.name)
        return name or os.fspath(source), source
    return type(source).__name__, source


def _names(item: Item) -> tuple[str, str]:
    """Path (or what stands for it) and id, for results."""
    item_id, source = item
    is_path = isinstance(source, str | os.PathLike)
    return os.fspath(source) if is_path else item_id, item_id
