"""How good a captioner is between epochs: loss, CIDEr-D, and whether it collapses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lrcn.data.caption_batches import CaptionKey, EncodedCaptions
from lrcn.decoding.describe import describe
from lrcn.engine import Processes
from lrcn.errors import MissingFilesError
from lrcn.metrics.caption_scores import score_captions
from lrcn.models.image_captioner import Captioner
from lrcn.structures import IGNORE_INDEX, CaptionList, SkippedFile
from lrcn.train.caption_config import WatchConfig
from lrcn.train.caption_pixels import CaptionPixels
from lrcn.train.collapse import collapse_warning, watch_sentences
from lrcn.train.validate import Score

_AT_ONCE = 64
"""Items described together."""
_FRAMES_AT_ONCE = 64
"""Frames per call of the CNN."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """Held-out items."""

    captions: CaptionList
    encoded: EncodedCaptions
    features: Sequence[Tensor] | None
    """features_VTD of every item; None where the CNN computes them anew."""
    pixels: CaptionPixels | None
    """Reads the items where there are no features."""
    note: Callable[[SkippedFile], None]
    """Told of items that cannot be read; raises where none may be left out."""


@dataclass
class _Said:
    """What was found out about some items."""

    sentences: dict[int, tuple[str, tuple[int, ...]]] = field(default_factory=dict)
    """Place of the item to text and ids."""
    loss_sum: float = 0.0
    num_words: int = 0
    num_unknown: int = 0

    def add(self, other: _Said) -> None:
        """Take in what was found out about others."""
        self.sentences |= other.sentences
        self.loss_sum += other.loss_sum
        self.num_words += other.num_words
        self.num_unknown += other.num_unknown


@torch.no_grad()
def score_captioner(
    model: Captioner,
    held: Held,
    watch: WatchConfig,
    *,
    training: Collection[tuple[int, ...]],
    processes: Processes,
    device: torch.device,
) -> Score:
    """Loss over all captions, CIDEr-D of what is said, and the signs of a collapse.

    Args:
        model: In evaluation mode.
        held: The items.
        watch: How they are described.
        training: Sentences learnt from, as ids.
        processes: Each takes its share.
        device: Of the model.
    """
    num_described = len(held.captions)
    if watch.max_items is not None:
        num_described = min(num_described, watch.max_items)
    own = _Said()
    places = range(processes.rank, len(held.captions), processes.world_size)
    for some in _chunks(places):
        chunk, features = _features(model, held, some, device)
        if not chunk:
            continue
        features_BTD, valid_mask_BT = padded(features)
        seen = (features_BTD.to(device), valid_mask_BT.to(device))
        described = [place for place in chunk if place < num_described]
        _say(own, model, held, described, seen, watch=watch)
        _weigh(own, model, held, chunk, seen)
    said = _Said()
    for part in processes.gather_objects(own):
        said.add(part)
    if not said.num_words:
        raise MissingFilesError(
            f"none of the {len(held.captions)} validation items can be read; at least 1 is needed."
            " Repair them, or give others with --val-data"
        )
    sentences = said.sentences
    loss_sum, num_words, num_unknown = said.loss_sum, said.num_words, said.num_unknown
    watched = watch_sentences(
        [ids for _, ids in sentences.values()],
        training,
        unk_rate=num_unknown / max(num_words, 1),
    )
    sees = model.config.visual != "none"
    return Score(
        key="cider_d",
        value=_cider_d(held.captions, sentences),
        loss=loss_sum / max(num_words, 1),
        num_videos=len(held.captions),
        details=watched,
        warning=collapse_warning(watched, len(sentences)) if sees else None,
    )


def _say(
    said: _Said,
    model: Captioner,
    held: Held,
    chunk: Sequence[int],
    seen: tuple[Tensor, Tensor],
    *,
    watch: WatchConfig,
) -> None:
    """Describe the first items of a chunk."""
    if not chunk:
        return
    features_BTD, valid_mask_BT = seen
    found = describe(
        model,
        features_BTD[: len(chunk)],
        valid_mask_BT[: len(chunk)],
        options=watch.decoding,
        row_keys=[held.captions.items[place].item_id for place in chunk],
    )
    eos = model.vocabulary.eos_id
    for place, captions in zip(chunk, found, strict=True):
        ids = tuple(i for i in captions[0].token_ids if i != eos)
        said.sentences[place] = (captions[0].text, ids)


def _weigh(
    said: _Said,
    model: Captioner,
    held: Held,
    chunk: Sequence[int],
    seen: tuple[Tensor, Tensor],
) -> None:
    """Add the loss of all captions of a chunk."""
    keys = [
        (row, CaptionKey(0, place, caption))
        for row, place in enumerate(chunk)
        for caption in range(len(held.encoded.ids[place]))
    ]
    device = seen[0].device
    inputs_BL, targets_BL = (t.to(device) for t in held.encoded.tensors([key for _, key in keys]))
    rows = torch.tensor([row for row, _ in keys], device=device)
    state = model.reorder(model.start(*seen), rows)
    counted_BL = targets_BL != IGNORE_INDEX
    log_probs_MV = model.words(model.outputs(inputs_BL, state)[counted_BL]).float().log_softmax(1)
    chosen_M = log_probs_MV.gather(1, targets_BL[counted_BL][:, None])
    said.loss_sum -= float(chosen_M.double().sum())
    said.num_words += len(log_probs_MV)
    said.num_unknown += int((log_probs_MV.argmax(dim=1) == model.vocabulary.unk_id).sum())


def _features(
    model: Captioner, held: Held, chunk: Sequence[int], device: torch.device
) -> tuple[Sequence[int], list[Tensor]]:
    """features_TD of the items that can be read, by the CNN as it is where it learns."""
    if model.config.visual == "none":
        return chunk, [torch.zeros(1, 0)] * len(chunk)
    if held.features is not None:
        return chunk, [held.features[place][0] for place in chunk]
    assert held.pixels is not None
    places, features = [], []
    for place in chunk:
        frames = held.pixels.measured(held.captions.items[place])
        if isinstance(frames, SkippedFile):
            held.note(frames)
            continue
        pieces = [
            model.features(f.to(device)).float() for f in torch.split(frames, _FRAMES_AT_ONCE)
        ]
        places.append(place)
        features.append(torch.cat(pieces).cpu())
    return places, features


def padded(items: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Features or frames of any number of steps as one tensor B x T x ..., and valid_mask_BT."""
    longest = max(len(one) for one in items)
    padded_BTX = items[0].new_zeros((len(items), longest, *items[0].shape[1:]))
    valid_mask_BT = torch.zeros(len(items), longest, dtype=torch.bool)
    for row, one in enumerate(items):
        padded_BTX[row, : len(one)] = one
        valid_mask_BT[row, : len(one)] = True
    return padded_BTX, valid_mask_BT


def _chunks(places: range) -> Iterator[range]:
    for start in range(0, len(places), _AT_ONCE):
        yield places[start : start + _AT_ONCE]


def _cider_d(captions: CaptionList, sentences: dict[int, tuple[str, tuple[int, ...]]]) -> float:
    """CIDEr-D of the sentences; document frequencies are the references' own."""
    items = [captions.items[place] for place in sorted(sentences)]
    texts = [sentences[place][0] for place in sorted(sentences)]
    scores = score_captions(
        {item.item_id: item.captions for item in items},
        {item.item_id: text for item, text in zip(items, texts, strict=True)},
        metrics=("cider_d",),
    )
    return float(scores.corpus["cider_d"])
