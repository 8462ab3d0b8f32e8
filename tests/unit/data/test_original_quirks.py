"""Each fault of the original code, off by default and reproduced when asked for (paper.md 2.4)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image
from tests.fakes.tiny import tiny_model

from lrcn.data.clips import ClipDataset
from lrcn.data.datasets import read_dataset
from lrcn.data.modality import open_pictures
from lrcn.data.sampler import ItemKey
from lrcn.data.transforms import EvalTransform, TrainTransform, mirror, resize, resize_to
from lrcn.models.views import clip_probs, video_probs
from lrcn.structures import Preprocessing, Quirk, quirks_of
from lrcn.video.frames import FrameFolder
from lrcn.video.sampling import SamplingConfig

PAPER = Preprocessing(input_px=24, resize_mode="squash", resize_height=30, resize_width=40)
FLOW = replace(PAPER, modality="flow")


def with_quirk(preprocessing: Preprocessing, quirk: Quirk) -> Preprocessing:
    return replace(preprocessing, original_quirks=(quirk,))


def numbered_frames(folder: Path, num: int, prefix: str = "") -> Path:
    """Every pixel of frame k (from 1) is 10 k."""
    folder.mkdir(parents=True)
    for k in range(1, num + 1):
        Image.new("RGB", (30, 30), (10 * k,) * 3).save(folder / f"{prefix}{k:04d}.png")
    return folder


def test_none_by_default_and_all_means_each() -> None:
    assert PAPER.original_quirks == ()
    for quirk in get_args(Quirk):
        assert not PAPER.has_quirk(quirk)
        assert with_quirk(PAPER, "all").has_quirk(quirk)
        assert with_quirk(PAPER, quirk).has_quirk(quirk)


def test_crop_only_mirrored() -> None:
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (2, 3, 30, 40), dtype=torch.uint8, generator=generator)
    squashed = resize_to(resize(frames, PAPER), (24, 24), "bilinear")
    mirrored_crops = [
        mirror(frames[..., top : top + 24, left : left + 24])
        for top in range(7)
        for left in range(17)
    ]

    def drawn(preprocessing: Preprocessing) -> tuple[int, int]:
        """How many of 40 clips are squashed frames, and how many mirrored crops."""
        transform = TrainTransform(preprocessing)
        clips = [transform(frames, torch.Generator().manual_seed(k)) for k in range(40)]
        return (
            sum(torch.equal(clip, squashed) for clip in clips),
            sum(any(torch.equal(clip, crop) for crop in mirrored_crops) for clip in clips),
        )

    num_squashed, num_mirrored = drawn(with_quirk(PAPER, "crop_only_mirrored"))
    assert num_squashed + num_mirrored == 40
    assert 10 < num_squashed < 30
    num_squashed, num_mirrored = drawn(PAPER)
    assert num_squashed == 0
    assert 10 < num_mirrored < 30  # the rest are crops that are not mirrored


@pytest.mark.parametrize(
    ("preprocessing", "firsts"),
    [
        (PAPER, {1, 2, 3, 4}),
        (with_quirk(PAPER, "skip_first_frame"), {2, 3, 4}),
        (with_quirk(FLOW, "skip_first_frame"), {1, 2, 3}),
    ],
)
def test_skip_first_frame(tmp_path: Path, preprocessing: Preprocessing, firsts: set[int]) -> None:
    """Clips of 3 from 6: with the fault frame 1 is never drawn, of flow images the last one."""
    for name in ("a/x", "b/y"):
        prefix = "flow_image_" if preprocessing.modality == "flow" else ""
        numbered_frames(tmp_path / name, 6, prefix)
    data = ClipDataset(
        read_dataset(tmp_path),
        sampling=SamplingConfig(clip_length=3),
        preprocessing=replace(preprocessing, input_px=30, resize_mode="exact"),
    )

    clips = [data[ItemKey(epoch, 0)].frames_TCHW for epoch in range(60)]

    assert {int(clip[0, 0, 15, 15]) // 10 for clip in clips} == firsts


def test_flow_not_inverted() -> None:
    frames = torch.tensor([100, 90, 140], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 30, 40)
    quirky = with_quirk(FLOW, "flow_not_inverted")

    assert mirror(frames, FLOW)[0, :, 0, 0].tolist() == [156, 90, 140]
    assert mirror(frames, quirky)[0, :, 0, 0].tolist() == [100, 90, 140]
    ten = EvalTransform(quirky, num_crops=10)(frames)
    assert torch.equal(ten[:5], ten[5:])


def test_all_means_those_of_the_kind_of_model() -> None:
    of_frames, of_clips = (quirks_of(kind, ("all",)) for kind in ("single_frame", "lrcn"))

    assert {"all", *of_frames, *of_clips} == set(get_args(Quirk))
    assert "flow_slice" in of_frames
    assert not {"flow_slice"} & set(of_clips)
    assert not {"red_mean", "last_clip_twice", "crop_only_mirrored"} & set(of_frames)
    assert quirks_of("lrcn", ("flow_slice",)) == ("flow_slice",)
    assert quirks_of("lrcn", ()) == ()


def test_flow_slice_equals_the_originals_slice_of_a_batch() -> None:
    """`clip_input[5:, :, :, 0] = 1 - ...` of 16 frames with ten crops each (here 256 - x)."""
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(1, 256, (37, 3, 30, 40), dtype=torch.uint8, generator=generator)
    straight = EvalTransform(FLOW, num_crops=10)(frames)[:5]
    wanted = torch.cat([straight, straight.flip(-1)])
    for start in range(0, 37, 16):
        batch = wanted[:, start : start + 16]
        rows = batch.transpose(0, 1).flatten(0, 1)
        rows[5:, 0] = (256 - rows[5:, 0].int()).to(torch.uint8)
        wanted[:, start : start + 16] = rows.unflatten(0, (-1, 10)).transpose(0, 1)
    transform = EvalTransform(with_quirk(FLOW, "flow_slice"), num_crops=10)
    both = replace(FLOW, original_quirks=("flow_not_inverted", "flow_slice"))

    parts = [transform(frames[k : k + 3], first=k) for k in range(0, 37, 3)]

    assert torch.equal(torch.cat(parts, 1), wanted)
    assert torch.equal(transform(frames), wanted)
    assert torch.equal(EvalTransform(both, num_crops=10)(frames), wanted)
    assert torch.equal(
        EvalTransform(with_quirk(FLOW, "flow_slice"))(frames), EvalTransform(FLOW)(frames)
    )
    pictures = EvalTransform(with_quirk(PAPER, "flow_slice"), num_crops=10)(frames)
    assert torch.equal(pictures, EvalTransform(PAPER, num_crops=10)(frames))


def test_unsorted_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = numbered_frames(tmp_path / "video", 12)
    listed = [folder / f"{k:04d}.png" for k in (7, 1, 12, 3, 2, 4, 5, 6, 8, 9, 10, 11)]
    monkeypatch.setattr(Path, "iterdir", lambda self: iter(listed))

    sorted_frames = open_pictures(folder, PAPER).read(range(12)).frames_TCHW[:, 0, 0, 0]
    as_listed = open_pictures(folder, with_quirk(PAPER, "unsorted_frames"))
    found = as_listed.read(range(12)).frames_TCHW[:, 0, 0, 0]

    assert sorted_frames.tolist() == [10 * k for k in range(1, 13)]
    assert found.tolist() == [10 * int(path.stem) for path in listed]
    assert isinstance(as_listed, FrameFolder)
    assert as_listed.frame_numbers[:3] == (7, 1, 12)


def test_training_finds_frames_by_number_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [numbered_frames(tmp_path / name, 4) for name in ("a/x", "b/y")]
    video_list = read_dataset(tmp_path)
    backwards = {folder: sorted(folder.iterdir(), reverse=True) for folder in folders}
    monkeypatch.setattr(Path, "iterdir", lambda self: iter(backwards[self]))
    data = ClipDataset(
        video_list,
        sampling=SamplingConfig(clip_length=4),
        preprocessing=with_quirk(PAPER, "unsorted_frames"),
    )

    clip = data[ItemKey(0, 0)].frames_TCHW

    assert clip[:, 0, 5, 5].tolist() == [10, 20, 30, 40]


def test_last_clip_twice() -> None:
    model = tiny_model()
    features = torch.randn(1, 11, 6, generator=torch.Generator().manual_seed(0))
    model.preprocessing = None
    plain = clip_probs(model, features, clip_length=4, clip_stride=2)
    model.preprocessing = with_quirk(PAPER, "last_clip_twice")
    quirky = clip_probs(model, features, clip_length=4, clip_stride=2)

    assert plain.starts == (0, 2, 4, 6, 7)
    assert quirky.starts == (0, 2, 4, 6, 7, 7)
    each = plain.probs_VCTK.mean((0, 2))
    wanted = (each.sum(0) + each[-1]) / 6
    np.testing.assert_allclose(video_probs(quirky).numpy(), wanted.numpy(), atol=1e-6)


def test_single_frames_have_no_last_clip() -> None:
    """The original's program for single frames takes every frame once."""
    model = tiny_model("single_frame")
    features = torch.randn(1, 11, 6, generator=torch.Generator().manual_seed(0))
    model.preprocessing = with_quirk(PAPER, "last_clip_twice")

    views = clip_probs(model, features, clip_length=1, clip_stride=1, last_clip_twice=True)

    assert views.starts == tuple(range(11))
