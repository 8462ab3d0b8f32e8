"""The one entry to every search."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from lrcn.decoding.beam import beam_search
from lrcn.decoding.greedy import greedy
from lrcn.decoding.interface import Candidate, SpecialIds, StateT, StepModel, ranked
from lrcn.decoding.options import DecodingOptions
from lrcn.decoding.sampling import RowKey, draw

_NUMBERS_AT_ONCE = 2**24
"""Logits held at a time: 1,900 rows of 8,801 words. More at once is no faster."""


@torch.no_grad()
def decode(
    model: StepModel[StateT],
    state: StateT,
    num_rows: int,
    options: DecodingOptions,
    ids: SpecialIds,
    *,
    seed: int = 0,
    row_keys: Sequence[RowKey] | None = None,
    device: torch.device | str = "cpu",
) -> list[tuple[Candidate, ...]]:
    """Sentences for every row of a state: an image, a video, or nothing at all.

    What a row gets depends on nothing but its own state (and, drawing, on the seed and its key):
    not on the batch, its size or order. Ties go to lower token ids, so that two runs agree.

    Args:
        model: What is stepped.
        state: Of `num_rows` rows, before the first word.
        num_rows: B.
        options: How to search.
        ids: The special tokens of the model's vocabulary.
        seed: For method "sample".
        row_keys: For method "sample", one for each row, such as the item's id: rows with different
            keys draw independently of each other. None: all rows draw with the same chances, so
            that equal rows get equal sentences (for several sentences of a row use num_samples).
        device: Of the model.

    Returns:
        For each row `options.num_candidates` different sentences, best first; fewer where there
        are no more (drawing may give the same one twice).

    Raises:
        ConfigError: a forced word cannot be said.
        ModelError: the model gives scores that are not numbers.
        ValueError: there are not as many keys as rows.
    """
    keys = [0] * num_rows if row_keys is None else list(row_keys)
    if len(keys) != num_rows:
        raise ValueError(f"{len(keys)} row_keys for {num_rows} rows; there must be one for each")
    per_item = {"beam": options.beam_size + 1, "sample": options.num_samples, "greedy": 1}
    per_part = max(1, _NUMBERS_AT_ONCE // (ids.vocab_size * per_item[options.method]))
    found: list[tuple[Candidate, ...]] = []
    for start in range(0, num_rows, per_part):
        rows = torch.arange(start, min(start + per_part, num_rows), device=device)
        part = state if len(rows) == num_rows else model.reorder(state, rows)
        if options.method == "sample":
            row_keys = keys[start : start + len(rows)]
            drawn = draw(
                model, part, len(rows), options, ids, seed=seed, row_keys=row_keys, device=device
            )
            found += [ranked(candidates, options.num_candidates) for candidates in drawn]
        elif options.method == "beam" and options.beam_size > 1:
            found += beam_search(model, part, len(rows), options, ids, device=device)
        else:
            found += greedy(model, part, len(rows), options, ids, device=device)
    return found
