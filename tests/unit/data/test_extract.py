"""Features are the same however videos are batched, cached or mixed; failures keep their place."""

from __future__ import annotations

import gc
import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lrcn.data.ahead import run_ahead
from lrcn.data.cache import FeatureCache
from lrcn.data.extract import extract_features
from lrcn.data.feature_source import FeatureSource
from lrcn.data.transforms import EvalTransform
from lrcn.engine import FastBackbone, fast_backbone
from lrcn.errors import OutputError
from lrcn.structures import Preprocessing, SkippedFile, VideoFeatures, VideoItem
from lrcn.video.sampling import SamplingConfig
from lrcn.video.writer import VideoWriter

PREPROCESSING = Preprocessing(
    input_px=16, resize_px=18, pixel_mean=(120.0, 110.0, 100.0), pixel_std=(60.0, 61.0, 62.0)
)
EVERY_FRAME = SamplingConfig()


class TinyBackbone(nn.Module):
    """A real CNN of two layers that counts the frames that it sees."""

    name, feature_layer, feature_dim = "tiny", "pooled", 5
    preprocessing = PREPROCESSING

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.convolution = nn.Conv2d(3, 5, 3, stride=2, padding=1)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
        self.batches: list[int] = []

    def normalise(self, frames_NCHW: Tensor) -> Tensor:
        mean = torch.tensor(PREPROCESSING.pixel_mean).view(3, 1, 1)
        std = torch.tensor(PREPROCESSING.pixel_std).view(3, 1, 1)
        return frames_NCHW.sub(mean).div(std)

    def forward(self, frames_NCHW: Tensor) -> Tensor:
        return self.convolution(frames_NCHW).relu().mean((2, 3))

    def run(self, frames_NCHW: Tensor) -> Tensor:
        self.batches.append(len(frames_NCHW))
        with torch.no_grad():
            return self(self.normalise(frames_NCHW))


@pytest.fixture
def backbone() -> TinyBackbone:
    return TinyBackbone().eval()


def pictures(num_frames: int, seed: int, height: int = 20, width: int = 30) -> np.ndarray:
    return np.random.default_rng(seed).integers(
        0, 256, (num_frames, height, width, 3), dtype=np.uint8
    )


def write_video(path: Path, num_frames: int, seed: int) -> VideoItem:
    with VideoWriter(path, fps=10, width=32, height=20, codec="libx264", crf=20) as writer:
        for frame in pictures(num_frames, seed, 20, 32):
            writer.write(frame)
    return VideoItem(path=str(path), video_id=path.stem, class_names=("a",))


def expected(backbone: TinyBackbone, frames_THWC: np.ndarray, num_crops: int = 1) -> Tensor:
    """Features of one video on its own, VTD."""
    frames_TCHW = torch.from_numpy(frames_THWC).permute(0, 3, 1, 2)
    frames_VTCHW = EvalTransform(PREPROCESSING, num_crops)(frames_TCHW)
    features_ND = backbone.run(frames_VTCHW.flatten(0, 1))
    return features_ND.unflatten(0, frames_VTCHW.shape[:2])


@pytest.mark.parametrize("num_crops", [1, 10])
@pytest.mark.parametrize(("batch_size", "decode_threads"), [(1, 1), (7, 2), (32, 3), (1000, 1)])
def test_batches_span_videos_and_change_nothing(
    backbone: TinyBackbone, num_crops: int, batch_size: int, decode_threads: int
) -> None:
    videos = [pictures(n, seed=n) for n in (3, 1, 45, 2, 70)]
    wanted = [expected(backbone, video, num_crops) for video in videos]
    backbone.batches.clear()
    found = list(
        extract_features(
            [(f"v{i}", video) for i, video in enumerate(videos)],
            backbone.run,
            PREPROCESSING,
            sampling=EVERY_FRAME,
            num_crops=num_crops,
            batch_size=batch_size,
            decode_threads=decode_threads,
        )
    )
    assert [f.video_id for f in found if isinstance(f, VideoFeatures)] == [
        "v0",
        "v1",
        "v2",
        "v3",
        "v4",
    ]
    for features, want in zip(found, wanted, strict=True):
        assert isinstance(features, VideoFeatures)
        torch.testing.assert_close(features.features_VTD, want, rtol=1e-5, atol=1e-6)
        assert features.frame_indices_T.tolist() == list(range(want.shape[1]))
    total = 121 * num_crops
    full = [batch_size] * (total // batch_size)
    assert backbone.batches == [*full, total % batch_size][: len(full) + (total % batch_size > 0)]


def test_files_arrays_and_iterators_give_times_and_thin_alike(
    backbone: TinyBackbone, tmp_path: Path
) -> None:
    item = write_video(tmp_path / "a.mp4", 12, seed=1)
    frames = pictures(12, seed=2)
    sampling = SamplingConfig(frame_stride=5)
    by_file, by_array, by_iterator = extract_features(
        [item, ("array", frames), ("iterator", iter(frames))],
        backbone.run,
        PREPROCESSING,
        sampling=sampling,
    )
    for found in (by_file, by_array, by_iterator):
        assert isinstance(found, VideoFeatures)
        assert found.frame_indices_T.tolist() == [0, 5, 10]
    assert isinstance(by_file, VideoFeatures)
    assert by_file.pts_seconds_T.tolist() == pytest.approx([0, 0.5, 1.0])
    assert (by_file.info.height, by_file.info.width) == (20, 32)
    assert isinstance(by_array, VideoFeatures)
    assert isinstance(by_iterator, VideoFeatures)
    torch.testing.assert_close(by_array.features_VTD, by_iterator.features_VTD)


def test_an_interval_is_the_same_part_of_the_whole(backbone: TinyBackbone, tmp_path: Path) -> None:
    item = write_video(tmp_path / "a.mp4", 30, seed=1)
    part = VideoItem(
        path=item.path, video_id="part", class_names=(), start_seconds=0.5, end_seconds=1.2
    )
    empty = VideoItem(path=item.path, video_id="e", class_names=(), start_seconds=50.0)
    whole, found, nothing = extract_features(
        [item, part, empty], backbone.run, PREPROCESSING, sampling=EVERY_FRAME
    )
    assert isinstance(whole, VideoFeatures)
    assert isinstance(found, VideoFeatures)
    assert found.frame_indices_T.tolist() == list(range(5, 12))
    torch.testing.assert_close(found.features_VTD, whole.features_VTD[:, 5:12])
    assert isinstance(nothing, SkippedFile)
    assert "interval" in nothing.reason


def test_what_cannot_be_read_keeps_its_place(backbone: TinyBackbone, tmp_path: Path) -> None:
    good = write_video(tmp_path / "good.mp4", 3, seed=1)
    (tmp_path / "text.avi").write_text("not a video")
    (tmp_path / "empty.mp4").touch()
    paths = [tmp_path / "text.avi", tmp_path / "empty.mp4", tmp_path / "absent.mp4", tmp_path]
    items: list[VideoItem | tuple[str, Path]] = [(p.name, p) for p in paths]
    items[1:1] = [good]
    found = list(extract_features(items, backbone.run, PREPROCESSING, sampling=EVERY_FRAME))
    assert [isinstance(f, SkippedFile) for f in found] == [True, False, True, True, True]
    for path, skipped in zip(paths, [found[0], *found[2:]], strict=True):
        assert isinstance(skipped, SkippedFile)
        assert skipped.path == str(path)
        assert skipped.reason
        assert not skipped.reason.startswith(str(path))


def test_feature_files_pass_by_the_backbone(tmp_path: Path) -> None:
    features_TD = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
    np.save(tmp_path / "a.npy", features_TD)
    np.save(tmp_path / "wide.npy", np.zeros((2, 7), np.float32))
    item = VideoItem(path=str(tmp_path / "a.npy"), video_id="a", class_names=())
    part = VideoItem(
        path=item.path, video_id="a", class_names=(), start_seconds=0.04, end_seconds=0.12
    )
    found = list(
        extract_features(
            [item, part, ("wide", tmp_path / "wide.npy"), ("pixels", pictures(2, 0))],
            None,
            None,
            sampling=EVERY_FRAME,
            feature_dim=5,
        )
    )
    assert isinstance(found[0], VideoFeatures)
    np.testing.assert_array_equal(found[0].features_VTD[0].numpy(), features_TD)
    assert isinstance(found[1], VideoFeatures)
    np.testing.assert_array_equal(found[1].features_VTD[0].numpy(), features_TD[1:3])
    assert isinstance(found[2], SkippedFile)
    assert "7 wide" in found[2].reason
    assert isinstance(found[3], SkippedFile)
    assert "no CNN" in found[3].reason


def fast(backbone: TinyBackbone) -> FastBackbone:
    return fast_backbone(backbone, device=torch.device("cpu"), precision=torch.float32)


def test_a_cache_hit_passes_by_the_backbone(backbone: TinyBackbone, tmp_path: Path) -> None:
    items = [write_video(tmp_path / f"{i}.mp4", 4, seed=i) for i in range(3)]
    cache = FeatureCache(tmp_path / "cache")
    run = fast(backbone)
    first = list(extract_features(items[:2], run, PREPROCESSING, sampling=EVERY_FRAME, cache=cache))
    compute, seen = run._compute, []
    run._compute = lambda frames: (seen.append(len(frames)), compute(frames))[1]
    again = list(extract_features(items, run, PREPROCESSING, sampling=EVERY_FRAME, cache=cache))
    assert seen == [4]
    for old, new in zip(first, again, strict=False):
        assert isinstance(old, VideoFeatures)
        assert isinstance(new, VideoFeatures)
        assert torch.equal(old.features_VTD, new.features_VTD)
        assert torch.equal(old.pts_seconds_T, new.pts_seconds_T)
    source = FeatureSource.of(run, PREPROCESSING, EVERY_FRAME)
    assert all(source.key(cache, item) in cache for item in items)
    other = FeatureSource.of(run, PREPROCESSING, SamplingConfig(frame_stride=2))
    assert other.key(cache, items[0]) not in cache


def test_a_cache_needs_to_know_the_weights(backbone: TinyBackbone, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="FastBackbone"):
        next(
            extract_features(
                [],
                backbone.run,
                PREPROCESSING,
                sampling=EVERY_FRAME,
                cache=FeatureCache(tmp_path),
            )
        )


def test_endless_sources_are_taken_a_few_ahead(backbone: TinyBackbone) -> None:
    taken = []

    def endless() -> Iterator[tuple[str, np.ndarray]]:
        for i in itertools.count():
            taken.append(i)
            yield f"v{i}", pictures(2, seed=i)

    features = extract_features(
        endless(), backbone.run, PREPROCESSING, sampling=EVERY_FRAME, batch_size=4
    )
    for i in range(5):
        found = next(features)
        assert isinstance(found, VideoFeatures)
        assert found.video_id == f"v{i}"
        assert len(taken) <= i + 8
    features.close()


def test_a_long_video_is_never_in_memory(backbone: TinyBackbone) -> None:
    ahead, seen, held = [0], [0], []

    def frames() -> Iterator[np.ndarray]:
        picture = pictures(1, seed=0)[0]
        for i in range(1500):
            ahead.append(i - seen[-1])
            yield picture

    def pictures_in_memory() -> int:
        tensors = [t for t in gc.get_objects() if type(t) is Tensor and t.dtype == torch.uint8]
        sizes = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}
        return sum(sizes.values()) // (3 * 16 * 16)

    def run(frames_NCHW: Tensor) -> Tensor:
        seen.append(seen[-1] + len(frames_NCHW))
        if seen[-1] % 160 == 0:
            held.append(pictures_in_memory())
        return backbone.run(frames_NCHW)

    (found,) = extract_features(
        [("long", frames())], run, PREPROCESSING, sampling=EVERY_FRAME, batch_size=16
    )
    assert isinstance(found, VideoFeatures)
    assert len(found) == 1500
    assert max(ahead) <= 32 * 7
    # At most 7 chunks, before and after they are resized.
    assert max(held) <= 32 * 7 * 4
    assert len(held) == 9


def test_errors_of_a_thread_reach_the_consumer() -> None:
    def work(item: int) -> Iterator[int]:
        yield item
        if item == 2:
            raise OutputError("disk full")

    with closing(run_ahead(range(5), work, threads=2)) as ahead:
        found = itertools.chain.from_iterable(ahead)
        assert [next(found) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(OutputError, match="disk full"):
            next(found)


def test_leaving_stops_the_threads_at_once() -> None:
    def work(item: int) -> Iterator[int]:
        yield from itertools.repeat(item)

    pieces = run_ahead(range(50), work, threads=3)
    assert next(next(pieces)) == 0
    started = time.monotonic()
    pieces.close()
    assert time.monotonic() - started < 1.5
    assert not [t for t in threading.enumerate() if t.name.startswith("lrcn-ahead")]
