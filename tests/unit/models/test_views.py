"""The clip protocol against the plainest way of doing it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lrcn.models.activity import ActivityConfig, ActivityModel, create_model
from lrcn.models.views import clip_probs, frame_probs, video_probs, whole_probs

KINDS = ["lrcn", "single_frame", "mean_pool"]


def make(kind: str, **changes: object) -> ActivityModel:
    config = ActivityConfig(backbone="none", feature_dim=4, hidden_size=5, kind=kind, **changes)  # type: ignore[arg-type]
    return create_model(config, ("a", "b", "c")).eval()


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def naive(
    model: ActivityModel, features_VTD: Tensor, clip_length: int, clip_stride: int
) -> tuple[Tensor, Tensor, int]:
    """Every clip of every view on its own, padded with rubbish: video's, frames', number."""
    num_frames = features_VTD.shape[1]
    starts = list(range(0, max(num_frames - clip_length, 0) + 1, clip_stride))
    if starts[-1] + clip_length < num_frames:
        starts.append(num_frames - clip_length)
    votes, covered = [], [[] for _ in range(num_frames)]
    for view in features_VTD:
        for start in starts:
            clip = torch.full((clip_length, 4), 77.0)
            real = view[start : start + clip_length]
            clip[: len(real)] = real
            valid = torch.arange(clip_length) < len(real)
            logits, _ = model.unroll(clip[None], valid_mask_BT=valid[None])
            probs = logits.softmax(-1)[0, : len(real)]
            votes.extend(probs[-1:] if model.config.kind == "mean_pool" else probs)
            for t, prob in enumerate(probs, start):
                covered[t].append(prob)
    frames = [torch.stack(c).mean(0) if c else torch.full((3,), torch.nan) for c in covered]
    return torch.stack(votes).mean(0), torch.stack(frames), len(starts)


@pytest.mark.parametrize("kind", KINDS)
@given(
    num_frames=st.integers(1, 23),
    clip_length=st.integers(1, 9),
    clip_stride=st.integers(1, 9),
    num_views=st.sampled_from([1, 3]),
    batch=st.sampled_from([1, 2, 256]),
)
@settings(max_examples=25, deadline=None)
@torch.no_grad()
def test_equals_every_clip_on_its_own(
    kind: str, num_frames: int, clip_length: int, clip_stride: int, num_views: int, batch: int
) -> None:
    model = make(kind)
    features = draw(num_views, num_frames, 4)
    views = clip_probs(
        model, features, clip_length=clip_length, clip_stride=clip_stride, batch=batch
    )
    video, frames, num_clips = naive(model, features, clip_length, clip_stride)
    assert views.probs_VCTK.shape == (num_views, num_clips, clip_length, 3)
    assert views.valid_mask_CT.shape == (num_clips, clip_length)
    assert len(views.starts) == num_clips
    torch.testing.assert_close(video_probs(views), video, atol=1e-6, rtol=0)
    found = frame_probs(views)
    assert found.shape == (num_frames, 3)
    covered = ~frames[:, 0].isnan()
    torch.testing.assert_close(found[covered], frames[covered], atol=1e-6, rtol=0)
    torch.testing.assert_close(found.sum(1), torch.ones(num_frames))


def test_frames_between_clips_take_the_nearest() -> None:
    views = clip_probs(make("lrcn"), draw(1, 10, 4), clip_length=2, clip_stride=5)
    assert views.starts == (0, 5, 8)
    found = frame_probs(views)
    for frame, nearest in ((2, 1), (3, 1), (4, 5), (7, 6)):
        assert torch.equal(found[frame], found[nearest])


@pytest.mark.parametrize("kind", KINDS)
def test_whole_video_is_one_unroll(kind: str) -> None:
    model = make(kind)
    features = draw(2, 9, 4)
    views = whole_probs(model, features)
    with torch.no_grad():
        probs_VTK = model.unroll(features)[0].softmax(-1)
    last = probs_VTK[:, -1:] if kind == "mean_pool" else probs_VTK
    torch.testing.assert_close(video_probs(views), last.mean((0, 1)), atol=1e-6, rtol=0)
    torch.testing.assert_close(frame_probs(views), probs_VTK.mean(0), atol=1e-6, rtol=0)
    assert not views.probs_VCTK.requires_grad


def test_ten_equal_views_are_one() -> None:
    model = make("lrcn")
    features = draw(1, 20, 4)
    one = clip_probs(model, features, clip_length=16, clip_stride=8)
    ten = clip_probs(model, features.expand(10, 20, 4), clip_length=16, clip_stride=8)
    torch.testing.assert_close(video_probs(ten), video_probs(one), atol=1e-6, rtol=0)


def test_float16_features_and_bfloat16_model() -> None:
    model = make("lrcn")
    features = draw(1, 20, 4)
    expected = video_probs(whole_probs(model, features))
    found = video_probs(whole_probs(model, features.half()))
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)
    low = video_probs(whole_probs(make("lrcn").to(torch.bfloat16), features))
    torch.testing.assert_close(low, expected, atol=0.02, rtol=0)


def test_wrong_use_is_explained() -> None:
    model = make("lrcn")
    clip = {"clip_length": 4, "clip_stride": 2}
    for bad in (draw(3, 4), draw(1, 0, 4), draw(0, 3, 4)):
        with pytest.raises(ValueError, match="views x frames x features"):
            clip_probs(model, bad, **clip)
        with pytest.raises(ValueError, match="views x frames x features"):
            whole_probs(model, bad)
    with pytest.raises(ValueError, match="features of one backbone do not fit"):
        clip_probs(model, draw(1, 4, 5), **clip)
    with pytest.raises(ValueError, match="batch"):
        clip_probs(model, draw(1, 4, 4), batch=0, **clip)
    with pytest.raises(ValueError, match="clip_length"):
        clip_probs(model, draw(1, 4, 4), clip_length=0, clip_stride=1)
    with pytest.raises(ValueError, match="training mode"):
        clip_probs(model.train(), draw(1, 4, 4), **clip)


@pytest.mark.parametrize("program", ["classify_video", "lrcn_evaluate"])
@pytest.mark.parametrize("num_frames", [16, 17, 23, 24, 25, 31, 32, 33, 40, 41])
@torch.no_grad()
def test_the_originals_programs_count_the_last_clip_twice(program: str, num_frames: int) -> None:
    """Their loops, written out: windows of 16 every 8; one over the end becomes the last 16.

    They differ in whether a window may touch the end (`<`, and `>` for the opposite), which
    changes nothing: the same 16 frames are meant.
    """
    model = make("lrcn")
    features_VTD = draw(1, num_frames, 4)
    clips = []
    for start in range(0, num_frames, 8):
        over = start + 16 >= num_frames if program == "classify_video" else start + 16 > num_frames
        frames = range(num_frames - 16, num_frames) if over else range(start, start + 16)
        logits, _ = model.unroll(features_VTD[:, list(frames)])
        clips.append(logits.softmax(-1)[0])

    views = clip_probs(model, features_VTD, clip_length=16, clip_stride=8, last_clip_twice=True)

    assert len(views.starts) == len(clips)
    wanted = torch.stack(clips).mean((0, 1))
    torch.testing.assert_close(video_probs(views), wanted, atol=1e-6, rtol=0)
