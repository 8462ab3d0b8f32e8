"""The pass over a list: a model whose logits are its inputs, so that every answer is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrcn.checkpoint import SavedModel
from lrcn.data.cache import FeatureCache
from lrcn.errors import ConfigError, DataError, MissingFilesError, ModelError
from lrcn.evaluate.calibrate import fit_on_validation, logits_of
from lrcn.evaluate.compare import compare
from lrcn.evaluate.loop import evaluate_videos
from lrcn.evaluate.protocol import DataChoice, ProtocolConfig
from lrcn.evaluate.results import Results
from lrcn.models.activity import ActivityConfig, ActivityModel, create_model
from lrcn.models.segment_config import SegmentConfig
from lrcn.nn.backbone import Backbone
from lrcn.nn.heads import StepClassifier
from lrcn.nn.recurrent import Recurrent
from lrcn.nn.seeding import seeded
from lrcn.predict.predictor import Predictor
from lrcn.structures import Preprocessing, SkippedFile, VideoItem, VideoList
from lrcn.video.sampling import SamplingConfig
from lrcn.video.writer import VideoWriter

NAMES = ("run", "sit", "walk")
FAST = ProtocolConfig(num_resamples=50)


def echo_model(*, multi_label: bool = False, names: Sequence[str] = NAMES) -> ActivityModel:
    """Each frame for itself; its features are its logits."""
    config = ActivityConfig(kind="single_frame", backbone="none", feature_dim=len(names))
    model = create_model(config, names, multi_label=multi_label)
    with torch.no_grad():
        model.head.linear.weight.copy_(torch.eye(len(names)))
        model.head.linear.bias.zero_()
    return model


def feature_item(
    folder: Path, name: str, labels: str, logits_TK: object, **times: float
) -> VideoItem:
    path = folder / f"{name}.npy"
    np.save(path, np.asarray(logits_TK, dtype=np.float32))
    return VideoItem(path=str(path), video_id=name, class_names=tuple(labels.split(";")), **times)


def video_list(items: Sequence[VideoItem], **changes: object) -> VideoList:
    names = tuple(sorted({name for item in items for name in item.class_names}))
    made = VideoList(items=tuple(items), class_names=names, layout="csv", source="list.csv")
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def says(class_name: str, num_frames: int = 20, strength: float = 3.0) -> np.ndarray:
    logits = np.zeros((num_frames, len(NAMES)))
    logits[:, NAMES.index(class_name)] = strength
    return logits


@pytest.fixture
def four(tmp_path: Path) -> VideoList:
    """Three right, one walk taken for run; the classes in another order than the model's."""
    answers = [
        ("a", "walk", "walk"),
        ("b", "sit", "sit"),
        ("c", "walk", "run"),
        ("d", "run", "run"),
    ]
    return video_list([feature_item(tmp_path, n, truth, says(said)) for n, truth, said in answers])


def test_answers_numbers_and_record(four: VideoList) -> None:
    results = evaluate_videos(
        echo_model(), four, FAST, choice=DataChoice(split="test", how="by group"), seed=5
    )

    assert [(v.video_id, v.class_name, v.predicted, v.correct) for v in results.videos] == [
        ("a", "walk", "walk", True),
        ("b", "sit", "sit", True),
        ("c", "walk", "run", False),
        ("d", "run", "run", True),
    ]
    assert results.metrics["accuracy_top1"] == 0.75
    assert results.metrics["mean_class_accuracy"] == pytest.approx((1 + 1 + 0.5) / 3)
    assert "accuracy_top5" not in results.metrics
    assert results.confusion == ((1, 0, 0), (0, 1, 0), (1, 0, 1))
    assert results.class_names == NAMES
    best = float(np.exp(3) / (np.exp(3) + 2))
    assert results.videos[0].prob == pytest.approx(best, rel=1e-6)
    p = results.protocol
    assert (p.split, p.split_how, p.seed, p.num_videos, p.layout) == (
        "test",
        "by group",
        5,
        4,
        "csv",
    )
    assert (p.clip_length, p.clip_stride, p.num_crops, p.num_clips) == (16, 8, 1, 8)
    assert p.engine == "features were given"
    assert [h.kind for h in results.highlights] == ["right", "right", "right", "wrong"]
    assert Results.from_json(results.to_json()).videos == results.videos


def test_hashes_follow_ids_labels_and_bytes(four: VideoList, tmp_path: Path) -> None:
    model = echo_model()
    base = evaluate_videos(model, four, FAST).protocol
    turned = dataclasses.replace(four, items=four.items[::-1])
    assert evaluate_videos(model, turned, FAST).protocol.list_hash == base.list_hash

    other_label = dataclasses.replace(four.items[0], class_names=("run",))
    relabelled = dataclasses.replace(four, items=(other_label, *four.items[1:]))
    changed = evaluate_videos(model, relabelled, FAST).protocol
    assert changed.list_hash != base.list_hash
    assert changed.content_hash == base.content_hash

    feature_item(tmp_path, "a", "walk", says("walk", num_frames=21))
    rewritten = evaluate_videos(model, four, FAST).protocol
    assert rewritten.list_hash == base.list_hash
    assert rewritten.content_hash != base.content_hash
    assert rewritten.model_hash == base.model_hash
    with torch.no_grad():
        model.head.linear.bias.add_(1.0)
    assert evaluate_videos(model, four, FAST).protocol.model_hash != base.model_hash


def test_a_video_is_the_mean_over_clips_not_over_frames(tmp_path: Path) -> None:
    """20 frames, clips at 0 and 4: frames 4 to 15 count twice. Brute force over the clips."""
    logits = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    item = feature_item(tmp_path, "a", "walk", logits)
    results = evaluate_videos(echo_model(), video_list([item]), FAST)

    probs = torch.softmax(torch.from_numpy(logits), dim=-1).double()
    expected = torch.stack([probs[0:16], probs[4:20]]).mean((0, 1))
    assert results.videos[0].probs == pytest.approx(expected.tolist(), rel=1e-6)
    assert results.protocol.num_clips == 2

    whole = dataclasses.replace(FAST, protocol="whole_video")
    results = evaluate_videos(echo_model(), video_list([item]), whole)
    assert results.videos[0].probs == pytest.approx(probs.mean(0).tolist(), rel=1e-6)


def test_recurrent_clips_equal_clips_one_by_one(tmp_path: Path) -> None:
    config = ActivityConfig(backbone="none", feature_dim=3, hidden_size=5)
    model = create_model(config, NAMES, seed=1)
    logits = np.random.default_rng(1).normal(size=(30, 3)).astype(np.float32)
    item = feature_item(tmp_path, "a", "walk", logits)
    results = evaluate_videos(model, video_list([item]), FAST)

    probs = []
    for start in (0, 8, 14):
        clip_BTD = torch.from_numpy(logits[start : start + 16])[None]
        probs.append(model.probabilities(model.unroll(clip_BTD)[0]).mean((0, 1)))
    expected = torch.stack(probs).mean(0).tolist()
    assert results.videos[0].probs == pytest.approx(expected, abs=1e-6)


def test_unknown_absent_and_several_labels_are_refused(tmp_path: Path, four: VideoList) -> None:
    model = echo_model()
    swim = feature_item(tmp_path, "e", "swim", says("run"))
    bare = dataclasses.replace(swim, class_names=())
    both = feature_item(tmp_path, "f", "run;sit", says("run"))
    with pytest.raises(DataError, match=r"does not know these labels \(videos\): 'swim' \(2\)"):
        evaluate_videos(model, video_list([*four.items, swim, swim]))
    with pytest.raises(DataError, match="1 of 1 items have no label"):
        evaluate_videos(model, video_list([bare]))
    with pytest.raises(DataError, match=r"1 items have several labels .*f\.npy"):
        evaluate_videos(model, video_list([*four.items, both]))
    with pytest.raises(DataError, match=r"list\.csv holds no video to measure"):
        evaluate_videos(model, video_list([]))


def test_a_subset_of_the_classes_can_be_measured(tmp_path: Path) -> None:
    item = feature_item(tmp_path, "a", "sit", says("sit"))
    results = evaluate_videos(echo_model(), video_list([item]), FAST)

    assert results.metrics["accuracy_top1"] == results.metrics["mean_class_accuracy"] == 1.0
    assert [c.recall for c in results.per_class] == [None, 1.0, None]


def test_missing_files_are_counted_or_listed(tmp_path: Path, four: VideoList) -> None:
    absent = [dataclasses.replace(four.items[0], path=str(tmp_path / f"no{i}.npy")) for i in "12"]
    (tmp_path / "text.npy").write_text("not an array")
    broken = dataclasses.replace(four.items[0], path=str(tmp_path / "text.npy"))
    data = video_list(
        [four.items[0], absent[0], four.items[1], broken, absent[1]],
        skipped=(SkippedFile(path="earlier.mp4", reason="absent"),),
    )
    with pytest.raises(MissingFilesError, match=r"3 of 5 items cannot be read, first .*no1\.npy"):
        evaluate_videos(echo_model(), data, FAST)

    results = evaluate_videos(echo_model(), data, FAST, missing="skip")
    assert len(results.videos) == 2
    assert [Path(s.path).name for s in results.skipped] == [
        "earlier.mp4", "no1.npy", "text.npy", "no2.npy",
    ]  # fmt: skip
    assert results.protocol.num_skipped == 4
    with pytest.raises(MissingFilesError, match="2 of 2 items cannot be read"):
        evaluate_videos(echo_model(), video_list(absent), FAST, missing="skip")


def test_nan_is_refused_with_the_video(tmp_path: Path) -> None:
    model = echo_model()
    with torch.no_grad():
        model.head.linear.weight[0, 0] = float("nan")
    item = feature_item(tmp_path, "a", "walk", says("walk"))
    with pytest.raises(ModelError, match="NaN or infinity for 'a'"):
        evaluate_videos(model, video_list([item]))


def test_progress_is_told_item_by_item(four: VideoList) -> None:
    seen: list[tuple[int, int, str]] = []
    evaluate_videos(echo_model(), four, FAST, watch=lambda *now: seen.append(now))

    assert seen == [(1, 4, "a"), (2, 4, "b"), (3, 4, "c"), (4, 4, "d")]


def test_segments_of_long_videos(tmp_path: Path) -> None:
    """25 features a second: walk 0..2 s, sit 2..4 s; the model says sit from 2.4 s on."""
    logits = np.concatenate([says("walk", 60), says("sit", 40)])
    walk = feature_item(tmp_path, "long", "walk", logits, start_seconds=0.0, end_seconds=2.0)
    sit = dataclasses.replace(walk, class_names=("sit",), start_seconds=2.0, end_seconds=4.0)
    plain = feature_item(tmp_path, "short", "run", says("run"))
    plain_segments = SegmentConfig(smoothing="none")
    exact = dataclasses.replace(FAST, segment_options=plain_segments)
    results = evaluate_videos(echo_model(), video_list([walk, plain, sit]), exact)

    assert results.metrics["accuracy_top1"] == 1.0
    assert results.metrics["frame_accuracy"] == pytest.approx(0.9)
    assert results.metrics["segment_f1"] == 1.0
    (source,) = results.sources
    assert (source.num_frames, source.num_labelled_frames) == (100, 100)
    assert [s.class_name for s in source.predicted_segments] == ["walk", "sit"]
    assert {v.key for v in results.videos} == {"long [0.0, 2.0]", "long [2.0, 4.0]", "short"}
    assert results.protocol.segments
    assert results.protocol.segment_options == dataclasses.asdict(plain_segments)
    assert Results.from_json(results.to_json()).sources == results.sources

    # A model of several labels takes the same list.
    several = evaluate_videos(
        echo_model(multi_label=True), video_list([walk, plain, sit], multi_label=True), exact
    )
    assert several.metrics["segment_precision"] < several.metrics["segment_recall"] == 1.0

    without = evaluate_videos(
        echo_model(), video_list([walk, sit]), dataclasses.replace(exact, segments=False)
    )
    assert "frame_accuracy" not in without.metrics
    assert without.protocol.segment_options is None
    assert [v.probs for v in without.videos] == [
        v.probs for v in results.videos if v.video_id == "long"
    ]


def test_segments_of_several_labels_may_overlap(tmp_path: Path) -> None:
    """Run all the time, sit in the second half; the model says sit 0.4 s late."""
    logits = np.full((100, 3), -4.0)
    logits[:, 0] = 4.0
    logits[60:, 1] = 4.0
    first = feature_item(tmp_path, "long", "run", logits, start_seconds=0.0, end_seconds=2.0)
    second = dataclasses.replace(
        first, class_names=("run", "sit"), start_seconds=2.0, end_seconds=4.0
    )
    exact = dataclasses.replace(FAST, segment_options=SegmentConfig(smoothing="none"))

    results = evaluate_videos(
        echo_model(multi_label=True), video_list([second, first], multi_label=True), exact
    )

    assert results.metrics["frame_accuracy"] == pytest.approx(0.9)
    assert results.metrics["segment_f1"] == 1.0
    (source,) = results.sources
    bands = [(s.class_name, s.start_seconds, s.end_seconds) for s in source.true_segments]
    assert bands == [("run", 0.0, 4.0), ("sit", 2.0, 4.0)]
    found = [(s.class_name, round(s.start_seconds, 2)) for s in source.predicted_segments]
    assert found == [("run", 0.0), ("sit", 2.4)]


def test_evaluation_and_prediction_find_the_same_segments(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(12, 3, generator=generator).repeat_interleave(9, dim=0).numpy()
    item = feature_item(tmp_path, "v", "walk", logits, start_seconds=0.0, end_seconds=2.0)
    model = echo_model()
    config = SegmentConfig(enter=0.45, leave=0.4)
    measured = evaluate_videos(
        model, video_list([item]), dataclasses.replace(FAST, segment_options=config)
    )
    predictor = Predictor(SavedModel(model, SamplingConfig()), whole_video=True)

    shown = predictor(item.path, segments=config).segments
    assert len(shown) > 3
    assert measured.sources[0].predicted_segments == shown


def test_an_interval_behind_the_end_is_a_missing_file(tmp_path: Path) -> None:
    good = feature_item(tmp_path, "v", "run", says("run"), start_seconds=0.0, end_seconds=0.4)
    bad = dataclasses.replace(good, start_seconds=7.0, end_seconds=8.0)
    with pytest.raises(MissingFilesError, match=r"no frame between 7.0 and 8.0 seconds; the video"):
        evaluate_videos(echo_model(), video_list([good, bad]), FAST)

    results = evaluate_videos(echo_model(), video_list([good, bad]), FAST, missing="skip")
    assert (len(results.videos), len(results.skipped)) == (1, 1)


def test_several_labels(tmp_path: Path) -> None:
    items = [
        feature_item(tmp_path, "a", "run;walk", [[2.0, -2.0, 2.0]]),
        feature_item(tmp_path, "b", "sit", [[-2.0, 2.0, 1.0]]),
        feature_item(tmp_path, "c", "walk", [[-2.0, -2.0, -1.0]]),
    ]
    model = echo_model(multi_label=True)
    results = evaluate_videos(model, video_list(items, multi_label=True), FAST)

    assert [(v.class_name, v.predicted) for v in results.videos] == [
        ("run;walk", "run;walk"), ("sit", "sit;walk"), ("walk", ""),
    ]  # fmt: skip
    assert results.metrics["accuracy_exact"] == pytest.approx(1 / 3)
    # walk is true for a and c, ranked a, b, c: (1 + 2/3) / 2.
    assert results.per_class[2].average_precision == pytest.approx(5 / 6)
    assert results.metrics["mean_average_precision"] == pytest.approx((1 + 1 + 5 / 6) / 3)
    assert results.confusion is None
    assert results.protocol.thresholds == (0.5, 0.5, 0.5)

    strict = evaluate_videos(
        model, video_list(items, multi_label=True), FAST, thresholds=(0.5, 0.5, 0.8)
    )
    assert strict.videos[1].predicted == "sit"
    assert compare(results, strict).num_only_second_right == 1


def test_temperature_is_found_and_helps(tmp_path: Path) -> None:
    """Labels drawn from softmax(logits); the model's logits are four times as large."""
    rng = np.random.default_rng(0)
    items = []
    for i in range(200):
        logits = rng.normal(size=3) * 1.5
        label = NAMES[rng.choice(3, p=np.exp(logits) / np.exp(logits).sum())]
        items.append(feature_item(tmp_path, f"v{i}", label, np.tile(4 * logits, (3, 1))))
    model, data = echo_model(), video_list(items)
    fitted = fit_on_validation(model, data, FAST)

    assert fitted.temperature == pytest.approx(4.0, rel=0.25)
    assert (fitted.thresholds, fitted.num_videos) == (None, 200)
    before = evaluate_videos(model, data, FAST).metrics
    model.temperature.fill_(fitted.temperature)
    after = evaluate_videos(model, data, FAST)
    assert after.metrics["nll"] < before["nll"]
    assert after.metrics["ece"] < before["ece"]
    assert after.metrics["accuracy_top1"] == before["accuracy_top1"]
    assert after.protocol.temperature == pytest.approx(fitted.temperature)
    # Fitted again on top of itself nothing changes.
    assert fit_on_validation(model, data, FAST).temperature == pytest.approx(
        fitted.temperature, rel=0.01
    )


def test_thresholds_are_fitted_for_several_labels(tmp_path: Path) -> None:
    items = [
        feature_item(tmp_path, "a", "run", [[-1.0, 0.0, 0.0]]),
        feature_item(tmp_path, "b", "sit;walk", [[-3.0, 1.0, 1.0]]),
        feature_item(tmp_path, "c", "sit", [[-3.5, 2.0, -1.0]]),
    ]
    data = video_list(items, multi_label=True)
    model = echo_model(multi_label=True)
    fitted = fit_on_validation(model, data, FAST)
    model.temperature.fill_(fitted.temperature)

    assert fitted.thresholds is not None
    plain = evaluate_videos(model, data, FAST)
    tuned = evaluate_videos(model, data, FAST, thresholds=fitted.thresholds)
    assert tuned.metrics["f1_macro"] == 1.0 > (plain.metrics["f1_macro"] or 0)


def test_fitting_refuses_what_cannot_be_read(four: VideoList, tmp_path: Path) -> None:
    absent = dataclasses.replace(four.items[0], path=str(tmp_path / "no.npy"))
    data = video_list([*four.items, absent])
    with pytest.raises(MissingFilesError, match=r"no\.npy cannot be read"):
        fit_on_validation(echo_model(), data, FAST)

    assert fit_on_validation(echo_model(), data, FAST, missing="skip").num_videos == 4


def test_logits_from_probabilities() -> None:
    logits = np.array([[2.0, -1.0, 0.5]])
    sigmoid = 1 / (1 + np.exp(-logits))

    np.testing.assert_allclose(logits_of(sigmoid, multi_label=True), logits, atol=1e-9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clip_length": 0}, "clip_length must be at least 1, not 0"),
        ({"num_crops": 5}, "num_crops must be 1 or 10, not 5"),
        ({"sample_fps": 0.0, "clip_stride": 0}, "clip_stride.*; .*sample_fps must be above 0"),
        ({"num_resamples": 1}, "num_resamples"),
        ({"protocol": "classify_video"}, "classify_video takes 10: leave the crops out"),
        ({"protocol": "lrcn_evaluate", "num_crops": 10}, "lrcn_evaluate takes 1"),
    ],
)
def test_wrong_protocols_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ProtocolConfig(**changes)  # type: ignore[arg-type]


class TinyBackbone(Backbone):
    """One convolution and the mean over the picture."""

    def __init__(self) -> None:
        preprocessing = Preprocessing(
            input_px=16, resize_px=20, pixel_mean=(127.5,) * 3, pixel_std=(127.5,) * 3
        )
        super().__init__(
            name="tiny", feature_dim=5, feature_layer="pooled", preprocessing=preprocessing
        )
        self.convolution = nn.Conv2d(3, 5, 3, stride=2)

    def forward(self, frames_NCHW: Tensor) -> Tensor:
        features_ND: Tensor = self.convolution(frames_NCHW).relu().mean((2, 3))
        return features_ND


def cnn_model() -> ActivityModel:
    with seeded(0):
        backbone = TinyBackbone()
        recurrent = Recurrent(5, 8)
        head = StepClassifier(8, len(NAMES))
    return ActivityModel(
        ActivityConfig(),
        NAMES,
        backbone=backbone,
        recurrent=recurrent,
        head=head,
        feature_dim=5,
        preprocessing=backbone.preprocessing,
    )


@pytest.fixture
def clips(tmp_path: Path) -> VideoList:
    """Three real files of 20 frames, and a truncated one."""
    items = []
    for i, name in enumerate(("run", "sit", "walk", "run")):
        path = tmp_path / f"{name}{i}.avi"
        rng = np.random.default_rng(i)
        with VideoWriter(path, fps=25, width=48, height=40, codec="mpeg4") as writer:
            for _ in range(20):
                writer.write(rng.integers(0, 255, (40, 48, 3), dtype=np.uint8))
        items.append(VideoItem(path=str(path), video_id=path.stem, class_names=(name,)))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * 0.6)])
    return video_list(items)


@pytest.mark.parametrize("num_crops", [1, 10])
def test_real_files_through_a_cnn_with_and_without_cache(
    clips: VideoList, tmp_path: Path, num_crops: int
) -> None:
    model = cnn_model()
    protocol = ProtocolConfig(num_crops=num_crops, num_resamples=50)  # type: ignore[arg-type]
    cache = FeatureCache(tmp_path / "cache")
    plain, filled, cached = (
        evaluate_videos(model, clips, protocol, precision="float32", cache=c)
        for c in (None, cache, cache)
    )

    assert plain.videos == filled.videos == cached.videos
    assert cache.size_bytes() > 0
    assert [Path(p).name for p in plain.truncated] == ["run3.avi"]
    assert [v.truncated for v in plain.videos] == [False, False, False, True]
    assert plain.protocol.num_truncated == 1
    assert plain.protocol.precision == "float32"
    assert plain.protocol.num_crops == num_crops
    assert plain.protocol.preprocessing["input_px"] == 16
    assert sum(plain.videos[0].probs) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.real_data
def test_real_clips(real_data: Path) -> None:
    """Six UCF101 clips: every frame counted, every answer complete."""
    folder = real_data / "ucf101-6" / "videos"
    names = sorted(p.name for p in folder.iterdir())[: len(NAMES)]
    items = [
        VideoItem(path=str(path), video_id=path.stem, class_names=(NAMES[i],))
        for i, name in enumerate(names)
        for path in sorted((folder / name).glob("*.avi"))[:2]
    ]
    results = evaluate_videos(cnn_model(), video_list(items), FAST, precision="float32")

    assert len(results.videos) == 6
    assert results.truncated == ()
    assert results.skipped == ()
    assert all(sum(v.probs) == pytest.approx(1.0, abs=1e-5) for v in results.videos)
    for highlight in results.highlights:
        assert len(highlight.pts_seconds) > 16
        assert all(len(curve) == len(highlight.pts_seconds) for curve in highlight.probs)
