"""Flow images as a source: which belong to which frame, and the same however they are read."""

from __future__ import annotations

import pytest
import torch
from tests.fakes.flow import sliding_frames

from lrcn.errors import MediaError
from lrcn.structures import FlowConfig
from lrcn.video.flow import FlowEstimator
from lrcn.video.flow_video import FlowVideo, open_flow
from lrcn.video.sampling import thin
from lrcn.video.source import open_video
from lrcn.video.writer import VideoWriter

CONFIG = FlowConfig()


@pytest.fixture(scope="module")
def frames():
    return sliding_frames(12, 2.0, -1.0)


@pytest.fixture(scope="module")
def path(frames, tmp_path_factory):
    path = tmp_path_factory.mktemp("flow") / "slide.mkv"
    with VideoWriter(path, fps=25, width=64, height=48, codec="ffv1") as writer:
        for frame in frames:
            writer.write(frame)
    return path


def _all(source, **reading):
    clips = list(source.iterate(**reading))
    return (
        torch.cat([c.frames_TCHW for c in clips]),
        torch.cat([c.frame_indices_T for c in clips]).tolist(),
        torch.cat([c.pts_seconds_T for c in clips]).tolist(),
    )


def test_image_t_is_the_motion_from_the_frame_before(frames, path):
    estimator = FlowEstimator(CONFIG)
    greys = [estimator.grey(frame) for frame in frames]

    with open_flow(path, CONFIG) as video:
        images, indices, times = _all(video)

    assert indices == list(range(1, 12))
    assert times == pytest.approx([t / 25 for t in range(1, 12)])
    for t, image in zip(indices, images, strict=True):
        expected = torch.from_numpy(estimator.image(greys[t - 1], greys[t])).permute(2, 0, 1)
        assert torch.equal(image, expected)
    inside = images[:, :, 12:-12, 12:-12].float().mean((0, 2, 3))
    assert inside.tolist() == pytest.approx([128 + 32, 128 - 16, 128 + 16 * 5**0.5], abs=3)


@pytest.mark.parametrize("chunk", [1, 2, 5, 32])
def test_chunks_do_not_matter(frames, path, chunk):
    with open_flow(path, CONFIG) as whole, open_flow(path, CONFIG) as parts:
        assert torch.equal(_all(whole)[0], _all(parts, chunk=chunk)[0])


def test_files_arrays_and_iterators_give_the_same(frames, path):
    with open_flow(path, CONFIG) as video:
        expected = _all(video)[0]

    assert torch.equal(_all(open_flow(frames, CONFIG))[0], expected)
    assert torch.equal(_all(open_flow(iter(frames), CONFIG))[0], expected)


def test_reading_by_index_equals_reading_in_sequence(path):
    with open_flow(path, CONFIG) as video:
        images = _all(video)[0]
    wanted = [7, 1, 1, 11, 3, 4]

    with open_flow(path, CONFIG) as video:
        clip = video.read(wanted)
        assert video.frame_range() == range(1, 12)
        assert video.count() == 11
        assert len(video.pts_seconds()) == 11

    assert clip.frame_indices_T.tolist() == wanted
    assert torch.equal(clip.frames_TCHW, images[[i - 1 for i in wanted]])


@pytest.mark.parametrize("thinning", [{"frame_stride": 3}, {"sample_fps": 10.0}])
def test_thinned_images_are_still_of_adjacent_frames(path, thinning):
    with open_flow(path, CONFIG) as video:
        images, indices, times = _all(video)
    kept = thin(times, **thinning)

    with open_flow(path, CONFIG) as video:
        found, found_indices, _ = _all(video, **thinning)

    assert found_indices == [indices[i] for i in kept]
    assert torch.equal(found, images[kept])


@pytest.mark.parametrize("kind", ["file", "array", "iterator"])
def test_an_interval_knows_the_frame_before_it(frames, path, kind):
    source = {"file": path, "array": frames, "iterator": iter(frames)}[kind]
    with open_flow(path, CONFIG) as video:
        images = _all(video)[0]

    with open_flow(source, CONFIG, start_seconds=0.2, end_seconds=0.36) as video:
        found, indices, times = _all(video, chunk=3)
        if kind != "iterator":
            assert video.frame_range() == range(5, 9)
            assert torch.equal(video.read([6]).frames_TCHW[0], images[5])

    assert indices == [5, 6, 7, 8]
    assert times == pytest.approx([0.2, 0.24, 0.28, 0.32])
    assert torch.equal(found, images[4:8])


def test_large_frames_give_smaller_images():
    big = sliding_frames(3, 4.0, 0.0, height=96, width=128)

    with FlowVideo(open_video(big), FlowConfig(short_px=48)) as video:
        assert (video.info.height, video.info.width, video.info.num_frames) == (48, 64, 2)
        images, _, _ = _all(video)

    assert images.shape == (2, 3, 48, 64)
    assert images[:, 0, 12:-12, 12:-12].float().mean() == pytest.approx(128 + 32, abs=3)


def test_a_single_frame_has_no_motion(frames):
    with open_flow(frames[:1], CONFIG) as video:
        with pytest.raises(MediaError, match="single frame"):
            list(video.iterate())
        with pytest.raises(MediaError, match="single frame"):
            video.count()


def test_the_first_frame_cannot_be_asked_for(path):
    with open_flow(path, CONFIG) as video, pytest.raises(ValueError, match="the first frame has"):
        video.read([0])


def test_an_empty_interval_and_a_chunk_of_0_are_refused(path):
    with pytest.raises(ValueError, match="is empty"):
        open_flow(path, CONFIG, start_seconds=2.0, end_seconds=1.0)
    with open_flow(path, CONFIG) as video, pytest.raises(ValueError, match="chunk is 0"):
        next(video.iterate(chunk=0))
