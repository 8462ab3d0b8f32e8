"""The log-probability of every caption for every image, with all that pairs share computed once.

An image's state is started once. Captions that begin alike share their steps: each distinct
beginning is stepped once per image, all those of one length together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lrcn.decoding.describe import CaptionModel
from lrcn.decoding.filters import next_log_probs
from lrcn.decoding.interface import StateT
from lrcn.errors import ModelError

Watch = Callable[[int, int, str], None]


@dataclass(frozen=True)
class _Level:
    """One step: the distinct beginnings of one length (n), and the words after them (m)."""

    sources_n: Tensor
    """Which beginning of the step before each continues."""
    inputs_n: Tensor
    before_m: Tensor
    """Which beginning each next word follows."""
    words_m: Tensor
    kept_n: Tensor
    """Which of the step before's m words lead here."""
    captions_e: list[int]
    """Captions that are complete after this step."""
    ends_e: list[int]
    """Their last word, among m."""


@torch.no_grad()
def pair_log_probs(
    model: CaptionModel[StateT],
    features_ITD: Tensor,
    captions: Sequence[Sequence[int]],
    *,
    valid_mask_IT: Tensor | None = None,
    count_eos: bool = False,
    max_rows: int = 1024,
    watch: Watch | None = None,
) -> NDArray[np.float64]:
    """The log-probability of all pairs, log p(caption | image).

    Args:
        model: A captioner in evaluation mode.
        features_ITD: Of the images, on the model's device.
        captions: Token ids without `<bos>` and `<eos>`; unknown words as `<unk>`.
        valid_mask_IT: bool, True where a frame is real.
        count_eos: Whether the end is scored. Paper: the words only (3.7).
        max_rows: Images x beginnings per step: what memory is proportional to (each row holds the
            vocabulary twice in float32). Scores differ by rounding only.
        watch: Called with pairs done, pairs in all, "".

    Returns:
        I x C float64; 0 for an empty caption whose end is not scored.

    Raises:
        ModelError: a score is not a number.
    """
    num_images = len(features_ITD)
    eos_id, bos_id = model.vocabulary.eos_id, model.vocabulary.bos_id
    targets = [(*words, eos_id) if count_eos else tuple(words) for words in captions]
    # In this order captions that begin alike stand together; equal ones are one, and tie exactly.
    distinct = sorted(set(targets))
    found_ID = np.zeros((num_images, len(distinct)))
    done = 0
    for first in range(0, len(distinct), max_rows):
        some = distinct[first : first + max_rows]
        levels = _levels(some, bos_id, features_ITD.device)
        widest = max((len(level.inputs_n) for level in levels), default=1)
        step = max(1, max_rows // widest)
        for start in range(0, num_images, step):
            images = slice(start, start + step)
            mask_IT = None if valid_mask_IT is None else valid_mask_IT[images]
            state = model.start(features_ITD[images], mask_IT)
            count = min(step, num_images - start)
            found_ID[images, first : first + len(some)] = _scores(
                model, state, count, levels, len(some)
            )
            done += count * len(some)
            if watch is not None:
                watch(done, found_ID.size, "")
    if np.isnan(found_ID).any():
        raise ModelError(
            "the model's log-probabilities are not numbers (NaN); they must be. Its weights or the"
            " features are damaged: load it again, or train again"
        )
    column_of = {target: column for column, target in enumerate(distinct)}
    return found_ID[:, [column_of[target] for target in targets]]


def _levels(targets: Sequence[tuple[int, ...]], bos_id: int, device: torch.device) -> list[_Level]:
    """The steps that these captions need."""

    def ids(values: Sequence[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.int64, device=device)

    levels: list[_Level] = []
    words: list[tuple[int, int]] = [(0, bos_id)]
    current = {place: 0 for place, target in enumerate(targets) if target}
    while current:
        kept = sorted(set(current.values()))
        row_of = {word: row for row, word in enumerate(kept)}
        following: dict[tuple[int, int], int] = {}
        reached: dict[int, int] = {}
        depth = len(levels)
        for place, word in current.items():
            key = (row_of[word], targets[place][depth])
            reached[place] = following.setdefault(key, len(following))
        ended = [place for place in reached if len(targets[place]) == depth + 1]
        levels.append(
            _Level(
                sources_n=ids([words[word][0] for word in kept]),
                inputs_n=ids([words[word][1] for word in kept]),
                before_m=ids([before for before, _ in following]),
                words_m=ids([word for _, word in following]),
                kept_n=ids(kept),
                captions_e=ended,
                ends_e=[reached[place] for place in ended],
            )
        )
        words = list(following)
        current = {place: word for place, word in reached.items() if place not in set(ended)}
    return levels


def _scores(
    model: CaptionModel[StateT],
    state: StateT,
    num_images: int,
    levels: Sequence[_Level],
    num_captions: int,
) -> NDArray[np.float64]:
    """log-probabilities, images x captions; rows of a step are image after image."""
    found_IC = np.zeros((num_images, num_captions))
    totals_IM = torch.zeros(num_images, 1, dtype=torch.float64)
    width = 1
    for level in levels:
        device = level.inputs_n.device
        images_I1 = torch.arange(num_images, device=device)[:, None]
        rows_N = (images_I1 * width + level.sources_n).flatten()
        width = len(level.inputs_n)
        state = model.reorder(state, rows_N)
        logits_NV, state = model.step(level.inputs_n.repeat(num_images), state)
        log_probs_NV = next_log_probs(logits_NV)
        del logits_NV
        places_N = (images_I1 * width + level.before_m).flatten()
        words_N = level.words_m.repeat(num_images)
        values_IM = log_probs_NV[places_N, words_N].reshape(num_images, -1).double().cpu()
        before_IM = totals_IM[:, level.kept_n.cpu()][:, level.before_m.cpu()]
        totals_IM = before_IM + values_IM
        found_IC[:, level.captions_e] = totals_IM[:, level.ends_e].numpy()
    return found_IC
