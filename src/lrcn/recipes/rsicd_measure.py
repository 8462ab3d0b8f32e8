"""What the study of sentences measures of a captioner, and of those who only look up neighbours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lrcn.checkpoint import SavedCaptioner
from lrcn.data.cache import FeatureCache
from lrcn.data.visual_features import visual_features
from lrcn.decoding.describe import describe
from lrcn.decoding.options import DecodingOptions
from lrcn.decoding.pairs import pair_log_probs
from lrcn.engine import choose_precision, fast_backbone
from lrcn.errors import MissingFilesError
from lrcn.metrics.caption_scores import score_captions
from lrcn.metrics.neighbours import nearest_places, score_candidates
from lrcn.metrics.retrieval import chance_retrieval, measure_retrieval, normalised_scores
from lrcn.structures import CaptionList, SkippedFile
from lrcn.text.tokenize import split_words

KEYS: Final = ("bleu_4", "meteor", "rouge_l", "cider_d")
_AT_ONCE: Final = 105
"""Photos described together; no sentence depends on it."""

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Photos:
    """Items and what a CNN says of them."""

    captions: CaptionList
    features_ND: Tensor


def look(saved: SavedCaptioner, captions: CaptionList) -> Photos:
    """The features of all photos, by the model's CNN, cached.

    Raises:
        MissingFilesError: a photo cannot be read.
    """
    model = saved.model
    assert model.backbone is not None  # every cell has a CNN
    cpu = torch.device("cpu")
    backbone = fast_backbone(model.backbone, device=cpu, precision=choose_precision("auto", cpu))
    found = []
    for item, one in zip(
        captions.items,
        visual_features(captions.items, backbone, model.preprocessing, cache=FeatureCache()),
        strict=True,
    ):
        if isinstance(one, SkippedFile):
            raise MissingFilesError(
                f"{item.path} cannot be read: {one.reason}. The study needs every photo; fetch the"
                " data again"
            )
        found.append(one.features_VTD[0, 0])
    return Photos(captions=captions, features_ND=torch.stack(found))


def measure_sentences(
    saved: SavedCaptioner, photos: Photos, options: DecodingOptions, *, seed: int
) -> Row:
    """Scores of what a captioner says, and how many different sentences it has."""
    model = saved.model.eval()
    items = photos.captions.items
    said: dict[str, str] = {}
    for start in range(0, len(items), _AT_ONCE):
        some = items[start : start + _AT_ONCE]
        features_BTD = photos.features_ND[start : start + len(some), None]
        ids = [item.item_id for item in some]
        found = describe(model, features_BTD, options=options, seed=seed, row_keys=ids)
        said |= {item_id: best[0].text for item_id, best in zip(ids, found, strict=True)}
    scores = score_captions({item.item_id: item.captions for item in items}, said)
    row: Row = {key: scores.corpus[key] for key in KEYS if key in scores.corpus}
    return row | {"distinct_sentences": len(set(said.values()))}


def measure_pairs(
    saved: SavedCaptioner, photos: Photos, *, captions_per_photo: int | None = None
) -> Row:
    """Retrieval in both directions by the paper's score (3.7).

    Args:
        saved: The captioner.
        photos: Among which to find.
        captions_per_photo: Only so many of each photo's captions, the first; None for all.
    """
    model = saved.model.eval()
    texts, owners = _texts(photos.captions, captions_per_photo)
    log_probs_IC = pair_log_probs(
        model,
        photos.features_ND[:, None],
        [model.vocabulary.encode(text) for text in texts],
    )
    plain = measure_retrieval(log_probs_IC, owners)
    found: Row = dict(measure_retrieval(normalised_scores(log_probs_IC), owners))
    # The normalisation of a caption changes no ranking of photos, so one direction is enough.
    way = "image_to_caption"
    found |= {f"{key}_unnormalised": value for key, value in plain.items() if way in key}
    return found | {"num_images": len(photos.captions), "num_captions": len(texts)}


def measure_neighbours(train: Photos, test: Photos) -> Row:
    """What looking up the most similar training photo achieves, and what chance does.

    Sentences: each of the neighbour's captions in turn (paper C10). Retrieval: a caption fits a
    photo as much as its words agree with those of the neighbour's captions (cosine of tf-idf).
    """
    places = nearest_places(test.features_ND.numpy(), train.features_ND.numpy())
    known = train.captions.items
    neighbours = [known[int(place)].captions for place in places]
    items = test.captions.items
    references = {item.item_id: item.captions for item in items}
    candidates = {item.item_id: captions for item, captions in zip(items, neighbours, strict=True)}
    texts, owners = _texts(test.captions, None)
    weights = _word_weights([item.captions for item in known])
    scores_IC = _vectors([" ".join(c) for c in neighbours], weights) @ _vectors(texts, weights).T
    chosen = score_candidates(references, candidates)
    return {
        "sentences": {key: chosen[key] for key in KEYS if key in chosen},
        "retrieval": measure_retrieval(scores_IC, owners),
        "retrieval_chance": chance_retrieval(len(items), owners),
    }


def _texts(captions: CaptionList, per_photo: int | None) -> tuple[list[str], list[int]]:
    """Captions, and the place of each one's photo."""
    pairs = [
        (text, place)
        for place, item in enumerate(captions.items)
        for text in item.captions[:per_photo]
    ]
    return [text for text, _ in pairs], [place for _, place in pairs]


def _word_weights(captions: Sequence[Sequence[str]]) -> dict[str, tuple[int, float]]:
    """Word → its place and its weight, the logarithm of how few photos' captions have it."""
    counts = Counter(word for texts in captions for word in set(split_words(" ".join(texts))))
    return {
        word: (place, float(np.log(len(captions) / count)))
        for place, (word, count) in enumerate(sorted(counts.items()))
    }


def _vectors(texts: Sequence[str], weights: Mapping[str, tuple[int, float]]) -> NDArray[np.float64]:
    """Texts x words, each of length 1 (0 where no word is known)."""
    matrix = np.zeros((len(texts), len(weights)))
    for row, text in enumerate(texts):
        for word, count in Counter(split_words(text)).items():
            if word in weights:
                place, weight = weights[word]
                matrix[row, place] = count * weight
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix / np.where(lengths > 0, lengths, 1.0)
