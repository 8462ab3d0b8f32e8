"""A fused model answers with the weighted mean of its members' answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from tests.fakes.tiny import moving_frames, tiny_flow_saved, tiny_model, tiny_saved
from torch import Tensor

from lrcn.checkpoint import SavedModel
from lrcn.errors import MediaError, ModelError
from lrcn.fusion_folder import SavedFusion
from lrcn.predict.fused import FusedPredictor
from lrcn.predict.predictor import Predictor, predictor_of


def _fusion(*members: SavedModel, weights: tuple[float, ...]) -> SavedFusion:
    return SavedFusion(
        members=members,
        fusion_weights=weights,
        origins=("here",) * len(members),
        weights_from="given",
    )


def _pair() -> tuple[SavedModel, SavedModel]:
    other = tiny_saved("single_frame")
    return tiny_saved(), SavedModel(tiny_model("single_frame", seed=5), other.sampling)


def test_probabilities_of_video_and_frames_are_weighted_means() -> None:
    pair, frames = _pair(), moving_frames(10)
    alone = [Predictor(saved)(frames) for saved in pair]

    fused = predictor_of(_fusion(*pair, weights=(0.25, 0.75)))(frames)

    for name in ("probs_K", "probs_TK"):
        first, second = (getattr(p, name) for p in alone)
        torch.testing.assert_close(getattr(fused, name), 0.25 * first + 0.75 * second)
    assert fused.class_name == fused.class_names[int(fused.probs_K.argmax())]
    assert fused.prob == pytest.approx(float(fused.probs_K.max()))


def test_classes_in_another_order_are_matched_by_name() -> None:
    pair, frames = _pair(), moving_frames(6)
    straight = FusedPredictor(_fusion(*pair, weights=(0.5, 0.5)))(frames)
    linear = pair[1].model.head.linear
    with torch.no_grad():
        linear.weight.copy_(linear.weight[[2, 0, 1]])
        linear.bias.copy_(linear.bias[[2, 0, 1]])
    pair[1].model.class_names = tuple(pair[1].model.class_names[k] for k in (2, 0, 1))

    mixed = FusedPredictor(_fusion(*pair, weights=(0.5, 0.5)))(frames)

    assert mixed.class_names == straight.class_names
    torch.testing.assert_close(mixed.probs_K, straight.probs_K)


def test_flow_joins_on_the_first_members_times() -> None:
    rgb, flow = tiny_saved(), tiny_flow_saved()
    frames = moving_frames(9, height=40, width=60)
    alone = [Predictor(saved)(frames) for saved in (rgb, flow)]
    assert len(alone[1].probs_TK) == len(alone[0].probs_TK) - 1

    fused = FusedPredictor(_fusion(rgb, flow, weights=(0.5, 0.5)))(frames)

    assert fused.pts_seconds_T.tolist() == alone[0].pts_seconds_T.tolist()
    torch.testing.assert_close(
        fused.probs_TK[1:], 0.5 * alone[0].probs_TK[1:] + 0.5 * alone[1].probs_TK
    )
    # The first frame has no flow: the nearest in time is the second one's.
    torch.testing.assert_close(
        fused.probs_TK[0], 0.5 * alone[0].probs_TK[0] + 0.5 * alone[1].probs_TK[0]
    )


def test_frames_of_an_iterator_reach_every_member() -> None:
    fusion, frames = _fusion(*_pair(), weights=(0.5, 0.5)), moving_frames(6)

    def pictures() -> Iterator[Tensor]:
        yield from frames.permute(0, 2, 3, 1).numpy()

    found = FusedPredictor(fusion)(pictures())

    torch.testing.assert_close(found.probs_K, FusedPredictor(fusion)(frames).probs_K)


def test_a_video_that_cannot_be_read_fails_alone() -> None:
    predictor = FusedPredictor(_fusion(*_pair(), weights=(0.5, 0.5)))

    found = list(predictor.predict_many(["absent.mp4", ("there", moving_frames(4))]))

    assert found[0].error is not None
    assert (found[1].error, found[1].video_id) == (None, "there")
    with pytest.raises(MediaError, match=r"absent\.mp4"):
        predictor("absent.mp4")


def test_thresholds_are_fused_too() -> None:
    members = [
        SavedModel(tiny_model(multi_label=True), tiny_saved().sampling, thresholds=limits)
        for limits in ((0.2, 0.4, 0.6), None)
    ]

    fusion = _fusion(*members, weights=(0.5, 0.5))

    assert fusion.thresholds == pytest.approx((0.35, 0.45, 0.55))
    assert replace(fusion, fusion_weights=(1.0, 0.0)).thresholds == pytest.approx((0.2, 0.4, 0.6))


def test_a_stream_takes_one_model() -> None:
    with pytest.raises(ModelError, match="one model"):
        FusedPredictor(_fusion(*_pair(), weights=(0.5, 0.5))).stream()
