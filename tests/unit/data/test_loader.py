"""The same examples for any number of workers and processes, resuming, padding, joining, skips."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lrcn.data.cache import FeatureCache, FrameCache
from lrcn.data.loader import (
    CachedFeatures,
    ClipDataset,
    EpochSampler,
    FeatureDataset,
    ItemKey,
    class_balanced_weights,
    keyed_generator,
    label_targets,
    make_loader,
)
from lrcn.data.transforms import EvalTransform, TrainTransform, TransformConfig
from lrcn.errors import ConfigError, DataError, MediaError
from lrcn.structures import (
    ClipBatch,
    Example,
    Preprocessing,
    VideoFeatures,
    VideoInfo,
    VideoItem,
    VideoList,
)
from lrcn.video.sampling import SamplingConfig
from lrcn.video.source import open_video

PREPROCESSING = Preprocessing(input_px=16, resize_px=18)
SAMPLING = SamplingConfig(clip_length=4)
LENGTHS = (9, 12, 3, 7, 10, 8, 15)
"""Frames of the videos; the third is shorter than a clip."""


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> VideoList:
    """Folders of numbered pictures; the brightness of a frame tells video and frame."""
    root = tmp_path_factory.mktemp("videos")
    items = []
    for number, length in enumerate(LENGTHS):
        folder = root / f"video{number}"
        folder.mkdir()
        for frame in range(length):
            pixels = np.full((20, 24, 3), 30 * number + 2 * frame, dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{frame + 1:04d}.png")
        name = ("left", "right", "still")[number % 3]
        items.append(VideoItem(path=str(folder), video_id=folder.name, class_names=(name,)))
    return VideoList(
        items=tuple(items),
        class_names=("left", "right", "still"),
        layout="folder",
        source=str(root),
    )


def clips(videos: VideoList, **changes: object) -> ClipDataset:
    settings: dict[str, object] = {
        "sampling": SAMPLING,
        "preprocessing": PREPROCESSING,
        "transform": TrainTransform(PREPROCESSING, TransformConfig(brightness=0.1)),
        "seed": 5,
    }
    return ClipDataset(videos, **{**settings, **changes})  # type: ignore[arg-type]


def sampler(num_items: int = len(LENGTHS), **changes: object) -> EpochSampler:
    settings: dict[str, object] = {"batch_size": 3, "seed": 5}
    return EpochSampler(num_items, **{**settings, **changes})  # type: ignore[arg-type]


def same(a: ClipBatch, b: ClipBatch) -> bool:
    tensors = ("frames_BTCHW", "features_BTD", "valid_mask_BT", "reset_mask_BT", "targets_BTK")
    equal = all(
        (getattr(a, name) is None and getattr(b, name) is None)
        or torch.equal(getattr(a, name), getattr(b, name))
        for name in tensors
    )
    return equal and a.video_ids == b.video_ids


def example(made: object) -> Example:
    assert isinstance(made, Example)
    return made


def frame_numbers(made: object, video: int) -> list[int]:
    """Which frames an untransformed example shows."""
    found = example(made)
    assert found.frames_TCHW is not None
    shown = found.frames_TCHW[found.valid_mask_T, 0, 0, 0].int()
    return ((shown - 30 * video) // 2).tolist()


# The sampler ------------------------------------------------------------------------------


def test_every_item_once_per_epoch_in_another_order():
    epochs = []
    for epoch in (0, 1):
        keys = [key for batch in sampler(epoch=epoch) for key in batch]
        assert sorted(key.item for key in keys) == list(range(7))
        assert {key.epoch for key in keys} == {epoch}
        epochs.append([key.item for key in keys])
    assert epochs[0] != epochs[1]
    assert [len(batch) for batch in sampler()] == [3, 3, 1]
    assert [len(batch) for batch in sampler(drop_last=True)] == [3, 3]
    assert len(sampler()) == 3
    unshuffled = [key.item for batch in sampler(shuffle=False) for key in batch]
    assert unshuffled == list(range(7))


def test_order_is_a_function_of_seed_and_epoch():
    assert list(sampler(epoch=4)) == list(sampler(epoch=4))
    again = sampler()
    again.set_epoch(4)
    assert list(again) == list(sampler(epoch=4))
    assert list(sampler(seed=6)) != list(sampler(seed=5))


@pytest.mark.parametrize("start", [0, 1, 2, 3])
def test_an_epoch_goes_on_at_any_batch(start):
    assert list(sampler(epoch=2, start_batch=start)) == list(sampler(epoch=2))[start:]
    assert len(sampler(start_batch=start)) == 3 - start


@pytest.mark.parametrize("world_size", [2, 3, 4])
def test_processes_share_the_very_batches_of_one_process(world_size):
    whole = list(sampler(epoch=1))
    shares = [list(sampler(epoch=1, rank=r, world_size=world_size)) for r in range(world_size)]
    assert {len(share) for share in shares} == {len(whole)}
    for number, batch in enumerate(whole):
        counted = [key for share in shares for key in share[number] if key.counts]
        assert sorted(counted) == sorted(batch)
        assert all(share[number] for share in shares)  # everyone takes part


def test_balanced_sampling_draws_classes_equally():
    items = [
        VideoItem(path=str(i), video_id=str(i), class_names=("rare" if i < 5 else "often",))
        for i in range(100)
    ]
    weights = class_balanced_weights(items)
    counts: Counter[str] = Counter()
    for epoch in range(20):
        keys = [k for b in sampler(100, weights=weights, epoch=epoch, batch_size=10) for k in b]
        counts.update(items[key.item].class_names[0] for key in keys)
        assert len(set(keys)) == 100  # a repeated item is another draw
    assert 0.42 < counts["rare"] / sum(counts.values()) < 0.58


def test_a_sampler_refuses_what_makes_no_sense():
    for wrong in (
        {"batch_size": 0},
        {"rank": 2, "world_size": 2},
        {"start_batch": 4},
        {"weights": [1.0]},
        {"weights": [0.0] * 7},
        {"batch_size": 8, "drop_last": True},
    ):
        with pytest.raises(ConfigError):
            sampler(**wrong)


def test_keyed_generators_are_apart():
    keys = [(0, 1), (1, 0), (0, 0), (0, 0, 1)]
    drawn = {float(torch.rand((), generator=keyed_generator(3, *key))) for key in keys}
    assert len(drawn) == len(keys)


# Examples from pixels ---------------------------------------------------------------------


def test_a_clip_is_consecutive_frames_from_a_random_start(videos):
    dataset = clips(videos, transform=None)
    starts = set()
    for epoch in range(40):
        made = dataset[ItemKey(epoch, 1)]
        numbers = frame_numbers(made, 1)
        assert numbers == list(range(numbers[0], numbers[0] + 4))
        starts.add(numbers[0])
    assert starts == set(range(12 - 4 + 1))


def test_frame_stride_takes_every_second_frame(videos):
    strided = SamplingConfig(clip_length=3, frame_stride=2)
    numbers = frame_numbers(clips(videos, transform=None, sampling=strided)[ItemKey(0, 4)], 4)
    assert np.diff(numbers).tolist() == [2, 2]


def test_a_short_video_is_padded_under_the_mask(videos):
    made = example(clips(videos, transform=None)[ItemKey(0, 2)])
    assert made.frames_TCHW is not None
    assert made.valid_mask_T.tolist() == [True, True, True, False]
    assert made.reset_mask_T.tolist() == [True, False, False, False]
    assert frame_numbers(made, 2) == [0, 1, 2]
    assert (made.frames_TCHW[3] == 0).all()
    assert (made.targets_TK[3] == 0).all()


def test_the_frame_cache_gives_the_same_clips_and_no_second_decoding(videos, tmp_path):
    for sampling in (SAMPLING, SamplingConfig(clip_length=3, frame_stride=2)):
        plain = clips(videos, sampling=sampling)
        cached = clips(videos, sampling=sampling, frame_cache=FrameCache(tmp_path))
        for epoch in range(3):
            for item in range(7):
                a, b = example(plain[ItemKey(epoch, item)]), example(cached[ItemKey(epoch, item)])
                assert a.frames_TCHW is not None
                assert b.frames_TCHW is not None
                assert torch.equal(a.frames_TCHW, b.frames_TCHW)
    assert len(list(tmp_path.rglob("*.safetensors"))) == 7
    small = FrameCache(tmp_path / "small", max_video_bytes=18 * 21 * 3 * 9)
    limited = clips(videos, frame_cache=small)
    for item in range(7):
        assert torch.equal(
            example(limited[item]).targets_TK, example(clips(videos)[item]).targets_TK
        )
    assert len(list((tmp_path / "small").rglob("*.safetensors"))) == 4  # 9, 3, 7 and 8 frames


def test_joined_clips_carry_each_its_own_target_without_a_reset(videos):
    dataset = clips(videos, transform=None, join_probability=1.0)
    targets = label_targets(videos)
    partners = set()
    for epoch in range(10):
        for item in (1, 2):
            made = example(dataset[ItemKey(epoch, item)])
            own = min(4, LENGTHS[item])
            assert len(made.valid_mask_T) == 8
            steps = int(made.valid_mask_T.sum())
            assert made.valid_mask_T[:steps].all()  # padding only at the end
            assert made.reset_mask_T.nonzero().flatten().tolist() == [0]
            assert (made.targets_TK[:own] == targets[item]).all()
            assert made.frames_TCHW is not None
            shown = (made.frames_TCHW[own:steps, 0, 0, 0] // 30).unique()
            assert len(shown) == 1
            partner = int(shown)
            assert partner != item
            assert (made.targets_TK[own:steps] == targets[partner]).all()
            partners.add(partner)
    assert len(partners) > 3


def broken(videos: VideoList, tmp_path: Path) -> VideoList:
    bad = tmp_path / "broken.avi"
    bad.write_bytes(b"no video at all")
    item = VideoItem(path=str(bad), video_id="broken", class_names=("left",))
    return replace(videos, items=(*videos.items, item))


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_video_that_fails_is_named_or_left_out_and_counted(videos, tmp_path, num_workers):
    listed = broken(videos, tmp_path)
    loader = make_loader(clips(listed), sampler(8), num_workers=num_workers)
    with pytest.raises(MediaError, match=r"broken\.avi") as error:
        list(loader)
    assert "Traceback" not in str(error.value)
    skipping = make_loader(clips(listed, missing="skip"), sampler(8), num_workers=num_workers)
    batches = list(skipping)
    assert sum(len(batch) for batch in batches) == 7
    assert [Path(file.path).name for file in skipping.skipped] == ["broken.avi"]
    list(skipping)
    assert len(skipping.skipped) == 1


def test_a_batch_of_failures_only_has_no_valid_step(videos, tmp_path):
    listed = broken(videos, tmp_path)
    only = replace(listed, items=listed.items[-1:])
    (batch,) = make_loader(clips(only, missing="skip"), sampler(1))
    assert len(batch) == 1
    assert not batch.valid_mask_BT.any()


def test_a_process_without_a_share_gets_a_stand_in(videos):
    batches = list(make_loader(clips(videos), sampler(rank=1, world_size=2)))
    assert [bool(batch.valid_mask_BT.any()) for batch in batches] == [True, True, False]


def test_labels_are_checked(videos):
    with pytest.raises(DataError, match="'right'"):
        label_targets(videos, ("left", "still"))
    several = replace(videos.items[0], class_names=("left", "right"))
    with pytest.raises(DataError, match="2 labels"):
        label_targets(replace(videos, items=(several,)))
    both = label_targets(replace(videos, items=(several,), multi_label=True))
    assert both.tolist() == [[1.0, 1.0, 0.0]]
    with pytest.raises(DataError, match="no video"):
        clips(replace(videos, items=()))


@pytest.mark.real_data
def test_intervals_and_rates_of_a_real_video(real_data, tmp_path):
    path = sorted((real_data / "ucf101-6" / "videos").glob("*/*.avi"))[0]
    item = VideoItem(path=str(path), video_id="one", class_names=("a",))
    cut = replace(item, video_id="cut", start_seconds=1.0, end_seconds=2.0)
    listed = VideoList(items=(item, cut), class_names=("a",), layout="csv", source="")
    sampling = SamplingConfig(clip_length=5, sample_fps=5.0)
    plain = clips(listed, sampling=sampling, transform=None)
    cached = clips(listed, sampling=sampling, transform=None, frame_cache=FrameCache(tmp_path))
    whole = open_video(path)
    times = whole.pts_seconds()
    frames = EvalTransform(PREPROCESSING)(whole.read(list(whole.frame_range())).frames_TCHW)[0]
    for epoch in range(4):
        for number in (0, 1):
            shown = example(plain[ItemKey(epoch, number)])
            again = example(cached[ItemKey(epoch, number)])
            assert shown.frames_TCHW is not None
            assert again.frames_TCHW is not None
            assert torch.equal(shown.frames_TCHW, again.frames_TCHW)
            places = [
                int((frames == f).flatten(1).all(1).nonzero()[0])
                for f in shown.frames_TCHW[shown.valid_mask_T]
            ]
            seconds = times[places]
            assert len(seconds) == 5
            assert (seconds.diff() - 0.2).abs().max() < 0.05
            if number == 1:
                assert seconds.min() >= 1.0
                assert seconds.max() < 2.0
    assert len(list(tmp_path.rglob("*.safetensors"))) == 2


# Features ---------------------------------------------------------------------------------


def features(views: int = 2) -> list[VideoFeatures]:
    """Feature = (view, video, frame)."""
    made = []
    for video, length in enumerate(LENGTHS):
        grid = torch.meshgrid(torch.arange(views), torch.arange(length), indexing="ij")
        values = torch.stack([grid[0], torch.full_like(grid[0], video), grid[1]], dim=-1).float()
        made.append(
            VideoFeatures(
                video_id=f"video{video}",
                features_VTD=values,
                pts_seconds_T=torch.arange(length, dtype=torch.float64) / 25,
                frame_indices_T=torch.arange(length),
                info=VideoInfo(height=20, width=24),
            )
        )
    return made


def test_feature_clips_are_consecutive_steps_of_one_random_view(videos):
    dataset = FeatureDataset(videos, features(), clip_length=4, seed=1)
    views, starts = set(), set()
    for epoch in range(60):
        made = example(dataset[ItemKey(epoch, 0)])
        assert made.features_TD is not None
        view, video, frames = made.features_TD.unbind(-1)
        assert len(set(view.tolist())) == 1
        assert (video == 0).all()
        assert frames.diff().tolist() == [1, 1, 1]
        views.add(int(view[0]))
        starts.add(int(frames[0]))
    assert views == {0, 1}
    assert starts == set(range(6))
    short = example(dataset[ItemKey(0, 2)])
    assert short.valid_mask_T.tolist() == [True, True, True, False]
    whole = example(FeatureDataset(videos, features(), clip_length=None)[6])
    assert len(whole.valid_mask_T) == 15
    with pytest.raises(DataError, match="6 videos for 7"):
        FeatureDataset(videos, features()[:-1], clip_length=4)


def test_cached_features_are_a_sequence(videos, tmp_path):
    cache = FeatureCache(tmp_path)
    keys = [f"k{number}0" for number in range(7)]
    for key, one in zip(keys, features(), strict=True):
        cache.put(key, one)
    plain = FeatureDataset(videos, features(), clip_length=4, join_probability=0.5)
    cached = FeatureDataset(
        videos, CachedFeatures(cache, keys), clip_length=4, join_probability=0.5
    )
    for epoch in range(3):
        first = list(make_loader(plain, sampler(epoch=epoch)))
        assert all(map(same, first, make_loader(cached, sampler(epoch=epoch))))
    assert len(CachedFeatures(cache, keys)[2:4]) == 2
    next(tmp_path.rglob("k30.safetensors")).unlink()
    with pytest.raises(DataError, match="removed or damaged"):
        CachedFeatures(cache, keys)[3]


# The loader -------------------------------------------------------------------------------


@pytest.mark.parametrize("num_workers", [1, 2])
def test_batches_do_not_depend_on_workers_or_on_where_a_run_was_resumed(videos, num_workers):
    dataset = clips(videos, join_probability=0.3)
    alone = make_loader(dataset, sampler())
    several = make_loader(dataset, sampler(), num_workers=num_workers)
    before = torch.get_rng_state()
    for epoch in (0, 1):
        alone.set_epoch(epoch)
        several.set_epoch(epoch)
        expected, found = list(alone), list(several)
        assert len(expected) == len(found) == 3
        assert all(map(same, expected, found))
        several.set_epoch(epoch, start_batch=2)
        (rest,) = list(several)
        assert same(rest, expected[2])
    assert torch.equal(before, torch.get_rng_state())


def test_epochs_differ(videos):
    loader = make_loader(clips(videos), sampler(batch_size=7, shuffle=False))
    (first,) = list(loader)
    loader.set_epoch(1)
    (second,) = list(loader)
    assert first.frames_BTCHW is not None
    assert second.frames_BTCHW is not None
    assert not torch.equal(first.frames_BTCHW, second.frames_BTCHW)


def test_the_default_transform_is_the_centre_crop(videos):
    made = example(clips(videos, transform=None)[ItemKey(0, 2)])
    assert made.frames_TCHW is not None
    pictures = sorted(Path(videos.items[2].path).iterdir())
    frames = torch.stack([torch.from_numpy(np.array(Image.open(p))) for p in pictures])
    expected = EvalTransform(PREPROCESSING)(frames.permute(0, 3, 1, 2))[0]
    assert torch.equal(made.frames_TCHW[:3], expected)


class Counted(ClipDataset):
    """Notes how many clips were made."""

    made = 0

    def __getitem__(self, key):
        self.made += 1
        return super().__getitem__(key)


def test_the_thread_runs_ahead_but_not_far_and_ends_with_its_consumer(videos):
    dataset = Counted(videos, sampling=SAMPLING, preprocessing=PREPROCESSING)
    loader = make_loader(dataset, sampler(weights=[1.0] * 7, batch_size=1), prefetch_batches=2)
    batches = iter(loader)
    next(batches)
    for _ in range(100):
        if dataset.made >= 4:
            break
        time.sleep(0.02)
    time.sleep(0.1)
    assert dataset.made == 4  # one given out, two waiting, one in the thread's hand
    batches.close()  # type: ignore[attr-defined]
    assert not [t for t in threading.enumerate() if t.name == "lrcn-loader"]


def test_workers_leave_ctrl_c_to_the_parent(videos):
    loader = make_loader(clips(videos), sampler(), num_workers=1)
    batches = iter(loader)
    first = next(batches)
    (worker,) = loader._workers._iterator._workers  # type: ignore[union-attr]
    os.kill(worker.pid, signal.SIGINT)
    rest = list(batches)
    assert worker.is_alive()
    assert all(map(same, [first, *rest], make_loader(clips(videos), sampler())))
