"""All pairs at once equal one caption at a time, in chunks of any size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.fakes.tiny_captioner import tiny_captioner

from lrcn.decoding.pairs import pair_log_probs
from lrcn.decoding.score import caption_log_probs


@pytest.mark.parametrize("visual", ["static", "encoder"])
@pytest.mark.parametrize("count_eos", [False, True])
def test_equal_to_one_caption_at_a_time(visual: str, count_eos: bool) -> None:
    model = tiny_captioner(backbone="none", visual=visual).model
    features_ITD = torch.randn(5, 1, 6, generator=torch.Generator().manual_seed(0))
    captions = [[4, 5, 6], [4, 5], [4, 5, 6], [7, 3, 8, 9, 10], [4], [11, 5, 6], [4, 9], []]
    expected = np.zeros((5, len(captions)))
    for c, words in enumerate(captions):
        inputs_BL = torch.tensor([[model.vocabulary.bos_id, *words]]).repeat(5, 1)
        targets_BL = torch.tensor([[*words, model.vocabulary.eos_id]]).repeat(5, 1)
        with torch.no_grad():
            state = model.start(features_ITD)
        expected[:, c] = caption_log_probs(
            model,
            state,
            inputs_BL,
            targets_BL,
            eos_id=model.vocabulary.eos_id,
            count_eos=count_eos,
        ).numpy()
    done = []
    for max_rows in (1, 2, 7, 1000):
        found = pair_log_probs(
            model,
            features_ITD,
            captions,
            count_eos=count_eos,
            max_rows=max_rows,
            watch=lambda now, total, _: done.append((now, total)),
        )
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert done[-1] == (35, 35)  # two are the same
        np.testing.assert_array_equal(found[:, 0], found[:, 2])
