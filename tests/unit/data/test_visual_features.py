"""Photos and videos give the same features cached or not, in their order; failures keep theirs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.fakes.captions import put_photo
from tests.fakes.dataset import put_video
from torch import Tensor, nn

from lrcn.data.cache import FeatureCache
from lrcn.data.visual_features import photo_frames, visual_features
from lrcn.engine import FastBackbone, fast_backbone
from lrcn.structures import CaptionItem, Preprocessing, SkippedFile, VideoFeatures

PREPROCESSING = Preprocessing(input_px=8, resize_px=10)


class TinyBackbone(nn.Module):
    """A real CNN of one layer that tells left from right."""

    name, feature_layer, feature_dim = "tiny", "pooled", 3
    preprocessing = PREPROCESSING

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 3, 8)
        generator = torch.Generator().manual_seed(3)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)

    def normalise(self, frames_NCHW: Tensor) -> Tensor:
        return frames_NCHW.float() / 255

    def forward(self, frames_NCHW: Tensor) -> Tensor:
        return self.convolution(frames_NCHW).flatten(1)


@pytest.fixture(scope="module")
def backbone() -> FastBackbone:
    return fast_backbone(TinyBackbone(), device=torch.device("cpu"), precision=torch.float32)


@pytest.fixture
def items(tmp_path: Path) -> list[CaptionItem]:
    """Seven photos; the fourth is broken."""
    paths = [put_photo(tmp_path / f"{n}.png", n, height=12 + n) for n in range(7)]
    paths[3].write_text("broken")
    return [CaptionItem(path=str(p), item_id=p.stem, captions=("x",)) for p in paths]


def found(
    items: list[CaptionItem], backbone: FastBackbone, **arguments: object
) -> list[VideoFeatures | SkippedFile]:
    return list(visual_features(items, backbone, PREPROCESSING, **arguments))  # type: ignore[arg-type]


def test_order_and_failures(items: list[CaptionItem], backbone: FastBackbone) -> None:
    for threads, batch_size in ((1, 32), (3, 2)):
        made = found(items, backbone, decode_threads=threads, batch_size=batch_size)
        assert len(made) == 7
        broken = made[3]
        assert isinstance(broken, SkippedFile)
        assert broken.path == items[3].path
        assert "cannot be read" in broken.reason
        for item, one in zip(items, made, strict=True):
            if isinstance(one, VideoFeatures):
                assert one.video_id == item.item_id
                assert one.features_VTD.shape == (1, 1, 3)
                alone_VD = backbone(photo_frames(item.path, PREPROCESSING))
                assert torch.allclose(one.features_VTD[:, 0], alone_VD, atol=1e-5)


def test_mirror_image_is_the_second_view(items: list[CaptionItem], backbone: FastBackbone) -> None:
    plain = found(items[:2], backbone)
    both = found(items[:2], backbone, mirrored=True)
    for one, two in zip(plain, both, strict=True):
        assert isinstance(one, VideoFeatures)
        assert isinstance(two, VideoFeatures)
        assert two.features_VTD.shape == (2, 1, 3)
        assert torch.allclose(two.features_VTD[0], one.features_VTD[0], atol=1e-5)
        assert not torch.allclose(two.features_VTD[1], one.features_VTD[0], atol=1e-3)
    frames_VCHW = photo_frames(items[0].path, PREPROCESSING, mirrored=True)
    assert torch.equal(frames_VCHW[1], frames_VCHW[0].flip(-1))


def test_turns_of_the_photo_and_of_its_mirror_image(
    items: list[CaptionItem], backbone: FastBackbone, tmp_path: Path
) -> None:
    frames_VCHW = photo_frames(items[0].path, PREPROCESSING, mirrored=True, turned=True)
    upright = frames_VCHW[0]
    turns = [upright, upright.mT.flip(-2), upright.flip(-1, -2), upright.mT.flip(-1)]
    wanted = torch.stack([*turns, *(turn.flip(-1) for turn in turns)])
    assert torch.equal(frames_VCHW, wanted)
    assert len({view.numpy().tobytes() for view in frames_VCHW}) == 8

    cache = FeatureCache(tmp_path / "cache")
    for mirrored, turned, num_views in ((False, True, 4), (True, True, 8), (True, False, 2)):
        for _ in range(2):  # computed, then read
            made = found(items[:1], backbone, cache=cache, mirrored=mirrored, turned=turned)[0]
            assert isinstance(made, VideoFeatures)
            views = frames_VCHW[:num_views] if turned else frames_VCHW[[0, 4]]
            assert torch.allclose(made.features_VTD[:, 0], backbone(views), atol=1e-3)


def test_cache_gives_the_same(
    items: list[CaptionItem], backbone: FastBackbone, tmp_path: Path
) -> None:
    cache = FeatureCache(tmp_path / "cache")
    fresh = found(items, backbone)
    for _ in range(2):
        for one, two in zip(fresh, found(items, backbone, cache=cache), strict=True):
            if isinstance(one, VideoFeatures):
                assert isinstance(two, VideoFeatures)
                assert torch.equal(one.features_VTD, two.features_VTD)
            else:
                assert one == two
    entries = len(list((tmp_path / "cache").rglob("*.safetensors")))
    assert entries == 6
    found(items, backbone, cache=cache, mirrored=True)
    assert len(list((tmp_path / "cache").rglob("*.safetensors"))) == 12
    put_photo(Path(items[0].path), 99)  # other bytes, another entry
    changed = found(items[:1], backbone, cache=cache)[0]
    assert isinstance(changed, VideoFeatures)
    assert isinstance(fresh[0], VideoFeatures)
    assert not torch.equal(changed.features_VTD, fresh[0].features_VTD)


def test_videos_and_feature_files(tmp_path: Path, backbone: FastBackbone) -> None:
    put_video(tmp_path / "v.mp4")
    np.save(tmp_path / "f.npy", np.arange(6, dtype=np.float32).reshape(2, 3))
    clip = CaptionItem(path=str(tmp_path / "v.mp4"), item_id="v", captions=("x",))
    part = CaptionItem(
        path=clip.path, item_id="v2", captions=("x",), start_seconds=0.0, end_seconds=0.2
    )
    lengths = [
        one.features_VTD.shape[1] if isinstance(one, VideoFeatures) else one
        for one in found([clip, part], backbone, media="video")
    ]
    assert lengths == [4, 2]

    stored = CaptionItem(path=str(tmp_path / "f.npy"), item_id="f", captions=("x",))
    (one,) = visual_features([stored], None, None)
    assert isinstance(one, VideoFeatures)
    assert one.features_VTD.tolist() == [[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]]
