"""Round trips, names, damage, two writers at once, and sizes."""

from __future__ import annotations

import multiprocessing
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lrcn.data.cache import FeatureCache, FrameCache, cache_folder
from lrcn.data.store import TensorStore
from lrcn.errors import OutputError
from lrcn.structures import Clip, Preprocessing, VideoFeatures, VideoInfo

PREPROCESSING = Preprocessing(input_px=24, resize_px=28)
NAMED = {
    "content": "abc",
    "preprocessing": PREPROCESSING,
    "backbone": "small",
    "feature_layer": "pooled",
    "weights_hash": "123",
}


def features(seed: int = 0, steps: int = 7, width: int = 5) -> VideoFeatures:
    generator = torch.Generator().manual_seed(seed)
    return VideoFeatures(
        video_id="walking/one",
        features_VTD=torch.randn((1, steps, width), generator=generator),
        pts_seconds_T=torch.arange(steps, dtype=torch.float64) / 25,
        frame_indices_T=torch.arange(steps),
        info=VideoInfo(height=40, width=60, fps=25.0, num_frames=steps, codec="h264"),
        truncated=True,
    )


def clip(frames: int = 6) -> Clip:
    return Clip(
        frames_TCHW=torch.arange(frames * 3 * 4 * 5).reshape(frames, 3, 4, 5).to(torch.uint8),
        pts_seconds_T=torch.arange(frames, dtype=torch.float64) / 10,
        frame_indices_T=torch.arange(frames) * 2,
    )


def test_features_come_back_as_they_were(tmp_path):
    cache = FeatureCache(tmp_path)
    key = cache.key(**NAMED)
    assert cache.get(key) is None
    assert key not in cache
    cache.put(key, features())
    found, given = cache.get(key), features()
    assert found is not None
    assert key in cache
    for name in ("features_VTD", "pts_seconds_T", "frame_indices_T"):
        assert torch.equal(getattr(found, name), getattr(given, name))
        assert getattr(found, name).dtype == getattr(given, name).dtype
    assert (found.info, found.truncated, found.video_id) == (given.info, True, "walking/one")
    renamed = cache.get(key, video_id="two")
    assert renamed is not None
    assert renamed.video_id == "two"


def test_float16_halves_the_size_and_hardly_changes_values(tmp_path):
    exact, half = FeatureCache(tmp_path / "a"), FeatureCache(tmp_path / "b", dtype="float16")
    given = features(steps=100, width=200)
    for cache in (exact, half):
        cache.put(cache.key(**NAMED), given)
    found = half.get(half.key(**NAMED))
    assert found is not None
    assert found.features_VTD.dtype == torch.float32
    assert torch.allclose(found.features_VTD, given.features_VTD, rtol=2**-11, atol=1e-7)
    assert half.size_bytes() < 0.55 * exact.size_bytes()
    assert exact.key(**NAMED) != half.key(**NAMED)


def test_values_beyond_float16_are_kept(tmp_path):
    cache = FeatureCache(tmp_path, dtype="float16")
    given = replace(features(), features_VTD=torch.full((1, 7, 5), 1e6))
    cache.put("abcd", given)
    found = cache.get("abcd")
    assert found is not None
    assert torch.equal(found.features_VTD, given.features_VTD)


CHANGES = [
    {"content": "abd"},
    {"preprocessing": replace(PREPROCESSING, interpolation="bicubic")},
    {"preprocessing": replace(PREPROCESSING, pixel_mean=(1.0, 0.0, 0.0))},
    {"preprocessing": replace(PREPROCESSING, resize_px=29)},
    {"preprocessing": replace(PREPROCESSING, channel_order="bgr")},
    {"preprocessing": replace(PREPROCESSING, original_quirks=("unsorted_frames",))},
    {"backbone": "other"},
    {"feature_layer": "fc6"},
    {"weights_hash": "124"},
    {"start_seconds": 1.0},
    {"end_seconds": 1.0},
    {"frame_stride": 2},
    {"sample_fps": 10.0},
    {"num_crops": 10},
    {"precision": "bfloat16"},
]


def test_every_part_of_a_name_counts(tmp_path):
    cache = FeatureCache(tmp_path)
    names = [cache.key(**NAMED)] + [cache.key(**{**NAMED, **change}) for change in CHANGES]
    assert len(set(names)) == len(CHANGES) + 1
    assert cache.key(**NAMED) == FeatureCache(tmp_path / "elsewhere").key(**NAMED)


def test_frames_are_named_by_geometry_not_by_normalisation(tmp_path):
    cache = FrameCache(tmp_path)
    name = cache.key(content="abc", preprocessing=PREPROCESSING)
    normalised = replace(PREPROCESSING, pixel_mean=(1.0, 2.0, 3.0), pixel_std=(2.0, 2.0, 2.0))
    assert cache.key(content="abc", preprocessing=normalised) == name
    others = {
        cache.key(content="abd", preprocessing=PREPROCESSING),
        cache.key(content="abc", preprocessing=replace(PREPROCESSING, resize_px=30)),
        cache.key(content="abc", preprocessing=PREPROCESSING, start_seconds=2.0),
        cache.key(content="abc", preprocessing=PREPROCESSING, sample_fps=5.0),
    }
    assert len(others) == 4
    assert name not in others


def test_frames_come_back_as_they_were(tmp_path):
    cache = FrameCache(tmp_path)
    assert cache.get("ab12") is None
    cache.put("ab12", clip())
    found = cache.get("ab12")
    assert found is not None
    assert torch.equal(found.frames_TCHW, clip().frames_TCHW)
    assert torch.equal(found.frame_indices_T, clip().frame_indices_T)
    found.frames_TCHW[0] = 0  # a private mapping: the entry does not change
    again = cache.get("ab12")
    assert again is not None
    assert torch.equal(again.frames_TCHW, clip().frames_TCHW)


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "text", "header"])
def test_a_damaged_entry_is_removed_and_made_again(tmp_path, damage, caplog):
    cache = FeatureCache(tmp_path)
    cache.put("abcd", features())
    path = next(tmp_path.rglob("*.safetensors"))
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[-3] ^= 16
    elif damage == "cut":
        content = content[:-10]
    elif damage == "empty":
        content = bytearray()
    elif damage == "text":
        content = bytearray(b"not a tensor file " * 10)
    else:
        content[:8] = b"\xff" * 8
    path.write_bytes(content)
    fresh = FeatureCache(tmp_path)
    assert fresh.get("abcd") is None
    assert not path.exists()
    assert "damaged" in caplog.text
    fresh.put("abcd", features())
    assert fresh.get("abcd") is not None


def write_often(root: Path, seed: int, start: float) -> None:
    cache = FeatureCache(root)
    time.sleep(max(0.0, start - time.time()))
    for _ in range(40):
        cache.put("abcd", features(seed, steps=200, width=100))
        found = cache.get("abcd")
        assert found is not None
        expected = {features(s, 200, 100).features_VTD.sum().item() for s in (1, 2)}
        assert found.features_VTD.sum().item() in expected


@pytest.mark.slow
def test_two_processes_may_write_the_same_entry(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    start = time.time() + 4
    writers = [spawn.Process(target=write_often, args=(tmp_path, s, start)) for s in (1, 2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["abcd.safetensors"]


def test_a_cache_that_cannot_be_written_says_what_to_do(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(OutputError, match="LRCN_CACHE"):
        FeatureCache(blocked).put("abcd", features())
    assert FeatureCache(blocked).get("abcd") is None


def test_prune_removes_what_was_not_used_for_longest(tmp_path):
    store = TensorStore(tmp_path)
    for age, key in ((300, "aa1"), (200, "bb2"), (100, "cc3")):
        store.write(key, {"x": torch.zeros(1000)}, {})
        then = time.time() - age
        os.utime(store.path(key), (then, then))
    one = store.path("aa1").stat().st_size
    assert store.size_bytes() == 3 * one
    assert TensorStore(tmp_path).read("aa1") is not None  # used just now
    assert store.prune(2 * one) == one
    assert [store.path(key).exists() for key in ("aa1", "bb2", "cc3")] == [True, False, True]
    unfinished = tmp_path / "aa" / ".left.tmp"
    unfinished.write_bytes(b"x" * 10)
    os.utime(unfinished, (0, 0))
    assert store.prune(10 * one) == 10
    assert not unfinished.exists()
    store.prune(0)
    assert store.size_bytes() == 0
    with pytest.raises(ValueError, match="max_bytes"):
        store.prune(-1)


def test_where_caches_live(monkeypatch, tmp_path):
    monkeypatch.setenv("LRCN_CACHE", str(tmp_path / "own"))
    assert FeatureCache().root == tmp_path / "own" / "features"
    assert FrameCache().root == tmp_path / "own" / "frames"
    monkeypatch.delenv("LRCN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "lrcn"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "lrcn"


def test_a_slice_of_an_entry_does_not_read_the_rest(tmp_path):
    cache = FrameCache(tmp_path)
    frames = torch.zeros((400, 3, 100, 200), dtype=torch.uint8)  # 24 MB
    whole = Clip(
        frames_TCHW=frames,
        pts_seconds_T=torch.zeros(400, dtype=torch.float64),
        frame_indices_T=torch.arange(400),
    )
    cache.put("abcd", whole)
    cache.get("abcd")  # verifies
    before = resident_bytes()
    found = cache.get("abcd")
    assert found is not None
    found.frames_TCHW[10:12].clone()
    assert resident_bytes() - before < 8 * 2**20


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
