"""Pictures or flow images: recognised, said, refused; and the names of cache entries."""

from __future__ import annotations

import dataclasses

import pytest

from lrcn.data.cache import FeatureCache, FrameCache
from lrcn.data.flow_manifest import FlowRecord, FlowStorage, ManifestWriter, read_manifest
from lrcn.data.modality import is_stored_flow, settle_modality
from lrcn.errors import ConfigError, DataError
from lrcn.structures import FlowConfig, Preprocessing, VideoItem, VideoList


def _list(*paths):
    items = tuple(
        VideoItem(path=str(p), video_id=p.name, class_names=(p.parent.name,)) for p in paths
    )
    return VideoList(items=items, class_names=("a",), layout="folder", source="DATA")


def _videos(root, *, name="v_x.avi"):
    (root / "a").mkdir(parents=True)
    (root / "a" / name).touch()
    return root / "a" / name


def _named(root):
    folder = root / "a" / "v_y"
    folder.mkdir(parents=True)
    (folder / "flow_image_v_y.0002.jpg").touch()
    return folder


def _settle(*paths, modality="flow", source="auto", flow=None, adopt=True):
    return settle_modality(
        _list(*paths), modality=modality, source=source, flow=flow or FlowConfig(), adopt=adopt
    )


def test_pictures_stay_pictures(tmp_path):
    path = _videos(tmp_path)

    for modality in ("rgb", "flow"):
        settled = _settle(path, modality=modality)
        assert [item.holds_flow for item in settled.videos.items] == [False]
        assert settled.flow == FlowConfig()


def test_names_of_the_original_code_are_recognised(tmp_path):
    settled = _settle(_named(tmp_path))

    assert [item.holds_flow for item in settled.videos.items] == [True]


def test_a_manifest_is_recognised_and_its_settings_taken_over(tmp_path):
    path = _videos(tmp_path, name="v_x.mkv")
    own = FlowConfig(method="dis_precise", scale=20.0)
    ManifestWriter(tmp_path, FlowStorage(flow=own, format="ffv1"), "DATA")

    settled = _settle(path)

    assert settled.flow == own
    assert is_stored_flow(settled.videos.items[0])
    with pytest.raises(ConfigError, match=r"scale 20\.0"):
        _settle(path, flow=FlowConfig(scale=8.0))
    with pytest.raises(ConfigError, match="dis_fast"):
        _settle(path, flow=FlowConfig(method="dis_fast", scale=20.0))


def test_measuring_notes_another_method_and_refuses_another_scale(tmp_path):
    path = _videos(tmp_path, name="v_x.mkv")
    ManifestWriter(tmp_path, FlowStorage(flow=FlowConfig(method="farneback")), "DATA")

    settled = _settle(path, adopt=False)

    assert "farneback" in settled.notes[0]
    assert settled.flow == FlowConfig()
    with pytest.raises(DataError, match="scale"):
        _settle(path, adopt=False, flow=FlowConfig(scale=8.0))


def test_flow_images_are_no_pictures(tmp_path):
    with pytest.raises(DataError, match="--modality flow"):
        _settle(_named(tmp_path), modality="rgb")


def test_no_flow_is_computed_of_flow_images(tmp_path):
    with pytest.raises(DataError, match="already"):
        _settle(_named(tmp_path), source="computed")


def test_a_mixture_needs_to_be_told_what_it_is(tmp_path):
    paths = _videos(tmp_path / "1"), _named(tmp_path / "2")

    with pytest.raises(DataError, match="mixes"):
        _settle(*paths)
    settled = _settle(*paths, source="stored")
    assert all(item.holds_flow for item in settled.videos.items)


def test_feature_files_are_left_alone(tmp_path):
    path = _videos(tmp_path, name="v_x.npy")

    assert _settle(path).videos.items[0].holds_flow is None


def test_a_manifest_comes_back(tmp_path):
    storage = FlowStorage(flow=FlowConfig(scale=8.0), format="jpeg", quality=80)
    writer = ManifestWriter(tmp_path, storage, "DATA")
    record = FlowRecord(
        name="a/x.avi", path="a/x", content="12", settings=storage.digest, num_images=3, fps=25.0
    )
    writer.add(record)

    found = read_manifest(tmp_path)

    assert found is not None
    assert found.storage == storage
    assert found.record_of(tmp_path / "a" / "x") == record
    assert found.record_of(tmp_path / "a" / "y") is None


def test_a_manifest_that_is_none_is_refused(tmp_path):
    (tmp_path / "lrcn-flow.manifest").write_text("hello\n", "utf-8")
    with pytest.raises(DataError, match="does not say"):
        read_manifest(tmp_path)
    (tmp_path / "lrcn-flow.manifest").write_text('{"lrcn_flow": 99, "storage": {}}\n', "utf-8")
    with pytest.raises(DataError, match="version 99"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"modality": "flow"},
        {"flow": FlowConfig(method="dis_fast"), "modality": "flow"},
        {"flow": FlowConfig(scale=8.0), "modality": "flow"},
    ],
)
def test_cache_entries_of_flow_have_names_of_their_own(tmp_path, change):
    own = Preprocessing(input_px=24)
    other = dataclasses.replace(own, **change)
    features, frames = FeatureCache(tmp_path / "1"), FrameCache(tmp_path / "2")
    net = {"backbone": "b", "feature_layer": "l", "weights_hash": "w"}

    keys = {features.key(content="c", preprocessing=p, **net) for p in (own, other)}
    keys |= {frames.key(content="c", preprocessing=p) for p in (own, other)}
    keys.add(features.key(content="c", preprocessing=other, **net, stored_flow=True))
    keys.add(frames.key(content="c", preprocessing=other, stored_flow=True))

    assert len(keys) == 6


def test_settings_of_flow_do_not_rename_entries_of_pictures(tmp_path):
    own = Preprocessing(input_px=24)
    other = dataclasses.replace(own, flow=FlowConfig(scale=8.0))
    cache = FrameCache(tmp_path)

    assert cache.key(content="c", preprocessing=own) == cache.key(content="c", preprocessing=other)
