"""A model of flow: the same answers from videos, stored flow images and streams."""

from __future__ import annotations

import itertools
import json

import pytest
import torch
from tests.fakes.flow import sliding_frames
from tests.fakes.tiny import tiny_flow_saved, tiny_saved

from lrcn.data.flow_manifest import MANIFEST_NAME
from lrcn.errors import MediaError
from lrcn.predict.predictor import Predictor
from lrcn.video.flow_video import open_flow
from lrcn.video.writer import VideoWriter

FRAMES = torch.from_numpy(sliding_frames(14, 1.5, -0.5)).permute(0, 3, 1, 2)


def _predictor(kind="lrcn", flow_source="auto", **sampling):
    return Predictor(
        tiny_flow_saved(kind, **sampling),
        precision="float32",
        whole_video=True,
        flow_source=flow_source,
    )


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return _write(tmp_path_factory.mktemp("flow") / "slide.mkv", FRAMES)


def _write(path, frames_TCHW):
    height, width = frames_TCHW.shape[2:]
    with VideoWriter(path, fps=25, width=width, height=height, codec="ffv1") as writer:
        for frame in frames_TCHW:
            writer.write(frame)
    return path


def _images(video, flow):
    with open_flow(video, flow) as opened:
        return torch.cat([clip.frames_TCHW for clip in opened.iterate()])


def test_a_video_has_one_answer_less_than_frames(video):
    prediction = _predictor()(video)

    assert prediction.probs_TK.shape == (13, 3)
    assert prediction.pts_seconds_T.tolist() == pytest.approx([t / 25 for t in range(1, 14)])


def test_flow_is_what_the_model_sees(video):
    predictor = _predictor()
    model, own = predictor.model, predictor.model.preprocessing
    images = _images(video, own.flow)

    found = predictor(video).probs_TK
    other = Predictor(tiny_saved(), precision="float32", whole_video=True)(video).probs_TK

    from lrcn.data.transforms import EvalTransform

    with torch.no_grad():
        features_TD = model.features(EvalTransform(own)(images)[0])
        logits, _ = model.unroll(features_TD[None])
    torch.testing.assert_close(found, model.probabilities(logits[0]), rtol=0, atol=1e-5)
    assert (other[1:] - found).abs().max() > 1e-3


@pytest.mark.parametrize("crops", [1, 10])
def test_stored_flow_images_give_the_same(video, tmp_path, crops):
    predictor = _predictor(flow_source="stored")
    predictor.num_crops = crops
    computing = _predictor()
    computing.num_crops = crops
    stored = _write(tmp_path / "stored.mkv", _images(video, predictor.model.preprocessing.flow))

    assert torch.equal(predictor(stored).probs_TK, computing(video).probs_TK)
    assert torch.equal(
        predictor(_images(video, predictor.model.preprocessing.flow)).probs_TK,
        computing(FRAMES).probs_TK,
    )


@pytest.mark.parametrize("sampling", [{}, {"frame_stride": 2}, {"sample_fps": 10.0}])
@pytest.mark.parametrize("kind", ["lrcn", "single_frame", "mean_pool"])
def test_a_stream_answers_as_one_pass_does(video, kind, sampling):
    predictor = _predictor(kind, **sampling)
    whole = predictor(FRAMES).probs_TK

    for cuts in ([1] * 14, [14], [1, 5, 8], [3, 11]):
        stream = predictor.stream()
        borders = [0, *itertools.accumulate(cuts)]
        parts = [stream.push(FRAMES[a:b]) for a, b in itertools.pairwise(borders)]
        torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-5)


def test_the_first_frame_of_a_stream_has_no_answer():
    stream = _predictor().stream()

    assert stream.push(FRAMES[0]).shape == (0, 3)
    assert stream.push(FRAMES[1]).shape == (1, 3)
    assert stream.state.num_frames == 2


def test_a_streams_state_holds_the_frame_before():
    stream = _predictor().stream()
    stream.push(FRAMES[:5])
    state, fork = stream.state, stream.fork()

    expected = stream.push(FRAMES[5:])

    assert torch.equal(fork.push(FRAMES[5:]), expected)
    stream.restore(state)
    assert torch.equal(stream.push(FRAMES[5:]), expected)


def test_a_stream_keeps_its_size():
    stream = _predictor().stream()
    stream.push(FRAMES[0])

    with pytest.raises(ValueError, match="one size"):
        stream.push(FRAMES[1, :, :40])


@pytest.mark.parametrize("size", [(17, 200), (400, 30), (300, 402)])
def test_any_size_of_video(size):
    frames = torch.nn.functional.interpolate(FRAMES[:4].float(), size=size).round().byte()

    assert _predictor()(frames).probs_TK.shape == (3, 3)


def test_a_single_frame_is_refused():
    with pytest.raises(MediaError, match="single frame"):
        _predictor()(FRAMES[:1])


def test_a_model_of_pictures_refuses_flow_images(tmp_path, video):
    predictor = Predictor(tiny_saved(), precision="float32")
    stored = tmp_path / "flow_images" / "v"
    stored.mkdir(parents=True)
    for number, image in enumerate(FRAMES[:4], 2):
        _picture(stored / f"flow_image_v.{number:04}.png", image)

    with pytest.raises(MediaError, match="the model sees pictures"):
        predictor(stored)
    assert _predictor()(stored).probs_TK.shape == (4, 3)


def test_flow_images_of_another_scale_are_refused(tmp_path, video):
    stored = _write(tmp_path / "slide.mkv", FRAMES)
    head = {"lrcn_flow": 1, "storage": {"flow": {"scale": 8.0}, "format": "ffv1"}}
    _manifest(tmp_path, head)

    with pytest.raises(MediaError, match=r"scale 8.0 where the model has 16.0"):
        _predictor()(stored)


def test_an_unfinished_flow_video_is_refused(tmp_path):
    stored = _write(tmp_path / "slide.mkv", FRAMES)
    path = tmp_path / MANIFEST_NAME
    path.write_text(json.dumps({"lrcn_flow": 1, "storage": {}}) + '\n{"name": "sl', "utf-8")

    with pytest.raises(MediaError, match="is not finished"):
        _predictor()(stored)


def _manifest(folder, head):
    from lrcn.data.flow_manifest import FlowStorage
    from lrcn.settings import from_dict

    record = {
        "name": "slide.avi",
        "path": "slide.mkv",
        "content": "0",
        "settings": from_dict(FlowStorage, head["storage"]).digest,
        "num_images": 14,
    }
    path = folder / MANIFEST_NAME
    path.write_text(json.dumps(head) + "\n" + json.dumps(record) + "\n", "utf-8")


def _picture(path, image_CHW):
    from PIL import Image

    Image.fromarray(image_CHW.permute(1, 2, 0).numpy()).save(path)
