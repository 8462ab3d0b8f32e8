"""One answer for every kind of input, equal to the model's own; errors keep their place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.fakes.tiny import CLASSES, FEATURE_DIM, moving_frames, tiny_saved
from torch import Tensor

import lrcn
from lrcn.checkpoint import SavedModel, save_model
from lrcn.data.transforms import EvalTransform
from lrcn.errors import ConfigError, MediaError, ModelError
from lrcn.models.activity import ActivityConfig, create_model
from lrcn.models.segment_config import SegmentConfig
from lrcn.models.views import clip_probs, frame_probs, video_probs, whole_probs
from lrcn.predict.predictor import Predictor
from lrcn.structures import Prediction, VideoItem
from lrcn.video.sampling import SamplingConfig
from lrcn.video.writer import VideoWriter

FRAMES = moving_frames(23, seed=4)


def predictor_of(saved: SavedModel, **settings: object) -> Predictor:
    return Predictor(saved, precision="float32", batch_size=5, **settings)


def expected(saved: SavedModel, frames_TCHW: Tensor, num_crops: int = 1) -> tuple[Tensor, Tensor]:
    """probs_K and probs_TK by the model itself, the whole video in one batch."""
    model = saved.model
    frames_VTCHW = EvalTransform(model.preprocessing, num_crops)(frames_TCHW)
    with torch.no_grad():
        features_VTD = model.features(frames_VTCHW)
        views = clip_probs(model, features_VTD, clip_length=4, clip_stride=2)
    return video_probs(views), frame_probs(views)


def write_video(path: Path, frames_TCHW: Tensor = FRAMES) -> Path:
    height, width = frames_TCHW.shape[2:]
    with VideoWriter(path, fps=10, width=width, height=height, codec="ffv1") as writer:
        for frame in frames_TCHW:
            writer.write(frame)
    return path


@pytest.mark.parametrize("kind", ["lrcn", "single_frame", "mean_pool"])
@pytest.mark.parametrize("num_crops", [1, 10])
def test_the_answer_is_the_protocol_s(kind: str, num_crops: int) -> None:
    saved = tiny_saved(kind)
    prediction = predictor_of(saved, num_crops=num_crops)(FRAMES)
    probs_K, probs_TK = expected(saved, FRAMES, num_crops)
    assert prediction.probs_K is not None
    assert prediction.probs_TK is not None
    torch.testing.assert_close(prediction.probs_K, probs_K, rtol=0, atol=1e-6)
    torch.testing.assert_close(prediction.probs_TK, probs_TK, rtol=0, atol=1e-6)
    best = int(probs_K.argmax())
    assert prediction.class_name == CLASSES[best] == prediction.top_k[0][0]
    assert prediction.prob == pytest.approx(float(probs_K[best]), abs=1e-6)
    assert [p for _, p in prediction.top_k] == sorted(prediction.probs_K.tolist(), reverse=True)


def test_every_kind_of_input_gives_the_same_answer(tmp_path: Path) -> None:
    predictor = predictor_of(tiny_saved())
    (tmp_path / "frames").mkdir()
    for i, frame in enumerate(FRAMES):
        Image.fromarray(frame.permute(1, 2, 0).numpy()).save(tmp_path / f"frames/{i:04}.png")
    frames_THWC = FRAMES.permute(0, 2, 3, 1).numpy()
    path = write_video(tmp_path / "clip.mkv")

    def iterator() -> Iterator[np.ndarray]:
        yield from frames_THWC

    sources = [
        FRAMES,
        frames_THWC,
        list(frames_THWC),
        iterator(),
        tmp_path / "frames",
        str(path),
        VideoItem(path=str(path), video_id="v", class_names=()),
        ("own", path),
    ]
    predictions = list(predictor.predict_many(sources))
    for prediction in predictions:
        assert prediction.error is None
        torch.testing.assert_close(prediction.probs_TK, predictions[0].probs_TK, rtol=0, atol=1e-6)
    ids = [prediction.video_id for prediction in predictions]
    assert ids == ["Tensor", "ndarray", "list", "generator", "frames", "clip", "v", "own"]
    assert predictions[5].path == str(path)
    assert predictions[5].pts_seconds_T.tolist() == pytest.approx([i / 10 for i in range(23)])


def test_a_broken_file_is_reported_and_does_not_stop_the_others(tmp_path: Path) -> None:
    good = write_video(tmp_path / "good.mkv")
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"\0" * 100)
    predictor = predictor_of(tiny_saved())
    first, second, third, fourth = predictor.predict_many([bad, good, tmp_path / "none.avi", good])
    assert first.error
    assert first.to_dict() == {"path": str(bad), "error": first.error}
    assert third.error
    assert second.error is None
    assert second.class_name == fourth.class_name
    assert second.to_dict().keys() == {
        "path",
        "video_id",
        "class_name",
        "prob",
        "top_k",
        "segments",
    }
    with pytest.raises(MediaError, match=r"bad\.mp4"):
        predictor(bad)


def test_none_of_these() -> None:
    predictor = predictor_of(tiny_saved())
    sure = predictor(FRAMES)
    assert sure.prob is not None
    unsure = predictor(FRAMES, threshold=min(1.0, sure.prob + 0.01), top_k=2)
    assert unsure.class_name is None
    assert unsure.prob == sure.prob
    assert len(unsure.top_k) == 2
    assert predictor(FRAMES, threshold=sure.prob - 0.01).class_name == sure.class_name


def test_segments_come_with_the_answer_unless_left_out() -> None:
    predictor = predictor_of(tiny_saved())
    every_frame = SegmentConfig(smoothing="none", enter=0.0, leave=0.0, min_seconds=0.0)
    prediction = predictor(FRAMES, segments=every_frame)
    assert prediction.probs_TK is not None
    labels = [CLASSES[k] for k in prediction.probs_TK.argmax(1).tolist()]
    for t, label in enumerate(labels):
        (segment,) = [
            s for s in prediction.segments if s.start_seconds <= t / 25 < s.end_seconds - 1e-9
        ]
        assert segment.class_name == label
    assert predictor(FRAMES, segments=None).segments == ()


def test_several_labels_hold_above_their_thresholds() -> None:
    saved = tiny_saved(multi_label=True)
    probs = predictor_of(saved)(FRAMES).probs_K.tolist()
    order = sorted(range(3), key=lambda k: -probs[k])
    low = tuple(p - 0.01 if k != order[1] else p + 0.01 for k, p in enumerate(probs))
    fitted = predictor_of(SavedModel(saved.model, saved.sampling, thresholds=low))(FRAMES)
    assert [name for name, _ in fitted.top_k] == [CLASSES[order[0]], CLASSES[order[2]]]
    assert fitted.class_name == CLASSES[order[0]]
    none = predictor_of(saved)(FRAMES, threshold=1.0)
    assert (none.class_name, none.top_k) == (None, ())


def test_whole_video() -> None:
    saved = tiny_saved()
    prediction = predictor_of(saved, whole_video=True)(FRAMES)
    with torch.no_grad():
        features_VTD = saved.model.features(EvalTransform(saved.model.preprocessing)(FRAMES))
    views = whole_probs(saved.model, features_VTD)
    torch.testing.assert_close(prediction.probs_K, video_probs(views), rtol=0, atol=1e-6)


def test_the_model_s_sampling_thins() -> None:
    thinned = predictor_of(tiny_saved(frame_stride=3))(FRAMES)
    by_hand = predictor_of(tiny_saved())(FRAMES[::3])
    torch.testing.assert_close(thinned.probs_K, by_hand.probs_K)
    assert thinned.pts_seconds_T.tolist() == pytest.approx([3 * i / 25 for i in range(8)])


def test_a_saved_model_of_features(tmp_path: Path) -> None:
    config = ActivityConfig(backbone="none", feature_dim=FEATURE_DIM, hidden_size=4)
    model = create_model(config, CLASSES).eval()
    save_model(tmp_path / "run" / "best", SavedModel(model, SamplingConfig()))
    features_TD = np.random.default_rng(0).normal(size=(30, FEATURE_DIM)).astype(np.float32)
    np.save(tmp_path / "video.npy", features_TD)
    predictor = lrcn.load(tmp_path / "run", device="cpu")
    prediction = predictor(tmp_path / "video.npy")
    views = clip_probs(model, torch.from_numpy(features_TD)[None], clip_length=16, clip_stride=8)
    torch.testing.assert_close(prediction.probs_K, video_probs(views), rtol=0, atol=1e-6)
    with pytest.raises(MediaError, match="no CNN"):
        predictor(FRAMES)
    with pytest.raises(ModelError, match="no CNN"):
        _ = predictor.backbone


def test_impossible_requests_are_refused() -> None:
    predictor = predictor_of(tiny_saved())
    with pytest.raises(ConfigError, match="top_k is 0"):
        predictor(FRAMES, top_k=0)
    with pytest.raises(ConfigError, match="threshold 2"):
        predictor(FRAMES, threshold=2)
    with pytest.raises(TypeError):
        predictor(7)
    with pytest.raises(ModelError, match="no model"):
        lrcn.load("nowhere")


def test_a_model_of_nan_is_not_an_answer() -> None:
    saved = tiny_saved()
    with torch.no_grad():
        saved.model.head.linear.bias.fill_(float("nan"))
    with pytest.raises(ModelError, match="NaN"):
        predictor_of(saved)(FRAMES)


def test_many_videos_are_answered_one_by_one() -> None:
    taken = []

    def endless() -> Iterator[tuple[str, Tensor]]:
        for i in range(10_000):
            taken.append(i)
            yield f"v{i}", FRAMES[: 3 + i % 4]

    predictions = predictor_of(tiny_saved()).predict_many(endless())
    found = [next(predictions) for _ in range(6)]
    predictions.close()
    assert [p.video_id for p in found] == [f"v{i}" for i in range(6)]
    assert all(isinstance(p, Prediction) for p in found)
    assert len(taken) < 20
