"""From features to sentences: a captioner started, searched and read out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from lrcn.decoding.interface import SpecialIds, StateT, StepModel
from lrcn.decoding.options import DecodingOptions
from lrcn.decoding.sampling import RowKey
from lrcn.decoding.search import decode
from lrcn.structures import Caption
from lrcn.text.vocabulary import Vocabulary


class CaptionModel(StepModel[StateT], Protocol[StateT]):
    """A step model that starts from features and knows its words."""

    @property
    def vocabulary(self) -> Vocabulary:
        """Its words."""
        ...

    def start(self, features_BTD: Tensor, valid_mask_BT: Tensor | None = None) -> StateT:
        """The state before the first word."""
        ...


def special_ids(vocabulary: Vocabulary) -> SpecialIds:
    """What a search must know of a vocabulary."""
    return SpecialIds(
        pad_id=vocabulary.pad_id,
        bos_id=vocabulary.bos_id,
        eos_id=vocabulary.eos_id,
        unk_id=vocabulary.unk_id,
        vocab_size=len(vocabulary),
    )


@torch.no_grad()
def describe(
    model: CaptionModel[StateT],
    features_BTD: Tensor,
    valid_mask_BT: Tensor | None = None,
    *,
    options: DecodingOptions,
    seed: int = 0,
    row_keys: Sequence[RowKey] | None = None,
) -> list[tuple[Caption, ...]]:
    """Sentences about every row.

    Args:
        model: In evaluation mode.
        features_BTD: Of the frames, on the model's device; a photo has T = 1.
        valid_mask_BT: bool, True where a frame is real; None when all are.
        options: How to search.
        seed: For method "sample".
        row_keys: For method "sample"; see `decode`.

    Returns:
        For each row the captions, best first.

    Raises:
        ConfigError: a forced word cannot be said.
        ModelError: the model gives scores that are not numbers.
    """
    found = decode(
        model,
        model.start(features_BTD, valid_mask_BT),
        len(features_BTD),
        options,
        special_ids(model.vocabulary),
        seed=seed,
        row_keys=row_keys,
        device=features_BTD.device,
    )
    return [
        tuple(
            Caption(
                text=model.vocabulary.decode(one.token_ids),
                token_ids=one.token_ids,
                log_prob=one.log_prob,
                score=one.score,
            )
            for one in candidates
        )
        for candidates in found
    ]
