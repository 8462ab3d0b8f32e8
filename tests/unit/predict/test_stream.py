"""A stream answers as one pass over the whole video does, and its state is a value."""

from __future__ import annotations

import gc
import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.tiny import CLASSES, moving_frames, tiny_saved

from lrcn.errors import ModelError
from lrcn.models.segment_config import SegmentConfig
from lrcn.predict.predictor import Predictor
from lrcn.predict.stream import Stream

FRAMES = moving_frames(30, seed=1)
KINDS = ["lrcn", "single_frame", "mean_pool"]


def predictor_of(kind: str = "lrcn", **settings: float) -> Predictor:
    return Predictor(tiny_saved(kind, **settings), precision="float32", whole_video=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chunk", [1, 4, 30])
def test_any_chunking_equals_one_pass(kind: str, chunk: int) -> None:
    predictor = predictor_of(kind)
    stream = predictor.stream()
    parts = [stream.push(FRAMES[i : i + chunk]) for i in range(0, 30, chunk)]
    whole = predictor(FRAMES)
    torch.testing.assert_close(torch.cat(parts), whole.probs_TK, rtol=0, atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 29), max_size=5))
def test_random_chunks_equal_one_pass(cuts: list[int]) -> None:
    predictor = predictor_of(frame_stride=2)
    stream = predictor.stream()
    borders = [0, *sorted(set(cuts)), 30]
    parts = [stream.push(FRAMES[a:b]) for a, b in itertools.pairwise(borders) if b > a]
    torch.testing.assert_close(torch.cat(parts), predictor(FRAMES).probs_TK, rtol=0, atol=1e-5)


def test_single_frames_in_any_form() -> None:
    picture_HWC = FRAMES[0].permute(1, 2, 0)
    forms = (FRAMES[0], picture_HWC, picture_HWC.numpy(), picture_HWC.numpy()[None])
    answers = [predictor_of().stream().push(form) for form in forms]
    for answer in answers:
        assert answer.shape == (1, len(CLASSES))
        assert torch.equal(answer, answers[0])
    for wrong in (FRAMES[0].float(), FRAMES[0, 0], FRAMES[:0]):
        with pytest.raises(ValueError, match="a stream takes uint8"):
            predictor_of().stream().push(wrong)


def test_state_is_a_value() -> None:
    stream = predictor_of().stream()
    stream.push(FRAMES[:10])
    before, decision = stream.state, stream.decision
    twin = stream.fork()
    ahead = stream.push(FRAMES[10:20])
    assert torch.equal(twin.push(FRAMES[10:20]), ahead)
    other = twin.push(FRAMES[:5])
    stream.restore(before)
    assert stream.decision == decision
    assert torch.equal(stream.push(FRAMES[10:20]), ahead)
    assert not torch.equal(stream.push(FRAMES[20:25]), other)


def test_a_stream_remembers_a_constant_amount() -> None:
    stream = predictor_of().stream()
    stream.push(FRAMES)

    def num_tensors() -> int:
        gc.collect()
        return sum(issubclass(type(found), torch.Tensor) for found in gc.get_objects())

    before = num_tensors()
    for _ in range(20):
        stream.push(FRAMES)
    assert num_tensors() <= before
    assert stream.state.num_frames == 21 * 30


def decided(stream: Stream, probs: list[float]) -> list[str | None]:
    found = []
    for t, prob in enumerate(probs):
        rest = (1 - prob) / 2
        probs_K = torch.tensor([prob, rest, rest])
        stream.restore(stream._decided(stream.state, probs_K, t / 10))
        found.append(stream.decision.class_name)
    return found


def test_decisions_have_hysteresis_and_a_beginning() -> None:
    plain = SegmentConfig(smoothing="none", enter=0.5, leave=0.4)
    stream = predictor_of().stream(segments=plain)
    assert stream.decision.class_name is None
    names = decided(stream, [0.34, 0.6, 0.45, 0.45, 0.39, 0.6])
    assert names == [None, "down", "down", "down", None, "down"]
    assert stream.decision.since_seconds == pytest.approx(0.5)
    smooth = predictor_of().stream(segments=SegmentConfig(smooth_seconds=0.5, leave=0.4))
    assert decided(smooth, [0.34, 0.6, 0.9, 0.9]) == [None, None, None, "down"]


def test_thinning_goes_on_across_pushes() -> None:
    stream = predictor_of(frame_stride=4).stream()
    assert [len(stream.push(FRAMES[i])) for i in range(9)] == [1, 0, 0, 0, 1, 0, 0, 0, 1]
    by_time = predictor_of(sample_fps=2.0).stream()
    assert [len(by_time.push(FRAMES[i], seconds=i / 4)) for i in range(6)] == [1, 0, 1, 0, 1, 0]
    assert by_time.latency_ms >= 0


@pytest.mark.parametrize("frames", ["clip.mp4", None, [[0, 1], [2]], torch.zeros(4, 4, 3)])
def test_what_is_no_frame_is_refused_in_the_streams_own_words(frames: object) -> None:
    with pytest.raises(ValueError, match="a stream takes uint8 RGB"):
        predictor_of().stream().push(frames)


def test_features_and_frames_are_not_mixed_up() -> None:
    predictor = predictor_of()
    stream = predictor.stream()
    features_TD = predictor.backbone(FRAMES[:4, :, 2:18, 7:23])
    probs_TK = stream.push_features(features_TD)
    assert probs_TK.shape == (4, 3)
    headless = Stream(
        predictor.model, None, sampling=predictor.saved.sampling, segments=SegmentConfig()
    )
    with pytest.raises(ModelError, match="push_features"):
        headless.push(FRAMES)
    torch.testing.assert_close(headless.push_features(features_TD), probs_TK)
