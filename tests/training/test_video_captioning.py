"""Captioners of videos trained through their CNN: pixels, masks, lengths, and files that break."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lrcn.checkpoint import load_captioner
from lrcn.data.events import make_events
from lrcn.data.events_config import EventConfig
from lrcn.data.motion_config import MotionConfig
from lrcn.data.transform_config import TransformConfig
from lrcn.errors import MissingFilesError
from lrcn.models.captioner_config import CaptionerConfig
from lrcn.models.image_captioner import Captioner, create_captioner
from lrcn.structures import CaptionBatch, CaptionItem, Preprocessing, SkippedFile
from lrcn.tasks import captioning
from lrcn.tasks.captioning import CaptioningConfig, CaptioningTask
from lrcn.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from lrcn.train.caption_config import CaptionDataConfig, CaptionExperiment
from lrcn.train.caption_pixels import CaptionPixels
from lrcn.train.config import TrainConfig
from lrcn.train.session import train
from lrcn.video.sampling import SamplingConfig
from lrcn.video.writer import VideoWriter

WORDS = Vocabulary((*SPECIAL_TOKENS, "a", "red", "square", "slides"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("events") / "world"
    world = MotionConfig(width=36, height=32, actions=("slide_left", "grow"))
    config = EventConfig(num_events=(1, 2), event_frames=(8, 10))
    make_events(out, config, world, num_train=12, num_val=4, num_test=2)
    return out


def experiment(data: Path, **changes: dict[str, Any]) -> CaptionExperiment:
    parts: dict[str, dict[str, Any]] = {"dataset": {}, "model": {}, "train": {}} | changes
    small = {"backbone": "small", "input_px": 32, "hidden_size": 24, "embedding_size": 16}
    learning = {"epochs": 2, "batch_size": 6, "lr": 5e-3, "precision": "float32"}
    return CaptionExperiment(
        dataset=CaptionDataConfig(
            **{
                "data": str(data),
                "min_count": 1,
                "transform": TransformConfig(crop="centre", mirror_prob=0.0),
            }
            | parts["dataset"]
        ),
        model=CaptionerConfig(**small | {"visual": "encoder", "num_layers": 1} | parts["model"]),
        train=TrainConfig(**learning | {"select_by": "loss"} | parts["train"]),
    )


def epochs(run: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == "epoch"]


@pytest.mark.parametrize("visual", ["encoder", "shared", "static"])
def test_the_cnn_learns_with_the_words(visual: str, world: Path, tmp_path: Path) -> None:
    layers = 2 if visual == "shared" else 1
    given = experiment(
        world,
        model={"visual": visual, "num_layers": layers},
        train={"unfreeze_at": 1, "freeze_batch_norm": False},
    )
    train(given, tmp_path / "run")

    first, second = epochs(tmp_path / "run")
    assert second["loss"] < first["loss"]
    learnt = load_captioner(tmp_path / "run" / "last").model.backbone
    drawn = create_captioner(given.model, WORDS, seed=given.train.seed).backbone
    assert learnt is not None
    assert drawn is not None
    changed = [
        not torch.equal(own, other)
        for own, other in zip(learnt.parameters(), drawn.parameters(), strict=True)
    ]
    assert all(changed)


def captioner(visual: str = "encoder") -> Captioner:
    config = CaptionerConfig(
        visual=visual,  # type: ignore[arg-type] # one of them
        backbone="small",
        input_px=32,
        hidden_size=8,
        embedding_size=6,
        num_layers=2,
    )
    return create_captioner(config, WORDS, seed=1).eval()


def batch_of(*frames: Tensor, longest: int) -> CaptionBatch:
    padded = torch.full((len(frames), longest, 3, 32, 32), 255, dtype=torch.uint8)
    mask = torch.zeros(len(frames), longest, dtype=torch.bool)
    for row, one in enumerate(frames):
        padded[row, : len(one)], mask[row, : len(one)] = one, True
    tokens = torch.tensor([[WORDS.bos_id, 5, 6]]).expand(len(frames), -1)
    targets = torch.tensor([[5, 6, WORDS.eos_id]]).expand(len(frames), -1)
    return CaptionBatch(
        frames_BTCHW=padded,
        features_BTD=None,
        valid_mask_BT=mask,
        inputs_BL=tokens,
        targets_BL=targets,
        item_ids=tuple(map(str, range(len(frames)))),
    )


def draw_frames(num_frames: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (num_frames, 3, 32, 32), generator=generator).to(torch.uint8)


@pytest.mark.parametrize("visual", ["encoder", "shared", "static"])
def test_padded_frames_change_no_loss(visual: str) -> None:
    model, task = captioner(visual), CaptioningTask(CaptioningConfig())
    one, other = draw_frames(2, 0), draw_frames(5, 1)

    def loss(batch: CaptionBatch) -> float:
        return float(task.losses(model, batch).loss_sum.detach())

    alone = loss(batch_of(one, longest=2)) + loss(batch_of(other, longest=5))
    assert loss(batch_of(one, other, longest=9)) == pytest.approx(alone, rel=1e-5)


def test_a_long_video_in_pieces_has_the_same_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    task, batch = CaptioningTask(CaptioningConfig()), batch_of(draw_frames(7, 0), longest=7)

    def gradients() -> list[Tensor]:
        model = captioner()
        task.losses(model, batch).loss_sum.backward()
        return [p.grad for p in model.parameters() if p.grad is not None]

    whole = gradients()
    monkeypatch.setattr(captioning, "_PIXELS_AT_ONCE", 3 * 32 * 32)
    pieces = gradients()
    assert len(whole) == len(pieces) > 10
    for one, other in zip(whole, pieces, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def write_still(path: Path, num_frames: int, *, fps: float = 10.0) -> None:
    """The same picture again and again, so that only augmentation could tell frames apart."""
    generator = np.random.default_rng(0)
    frame_HWC = generator.integers(0, 256, (6, 8, 3)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    with VideoWriter(path, fps=fps, width=64, height=48, crf=0, pix_fmt="yuv444p") as writer:
        for _ in range(num_frames):
            writer.write(frame_HWC)


def test_all_frames_of_a_clip_are_varied_alike(tmp_path: Path) -> None:
    write_still(tmp_path / "still.mp4", 6)
    settings = CaptionDataConfig(
        cache="none", transform=TransformConfig(crop="random", mirror_prob=0.5, brightness=0.5)
    )
    sees = Preprocessing(input_px=32, resize_px=40)
    pixels = CaptionPixels(settings, sees, "video")
    item = CaptionItem(path=str(tmp_path / "still.mp4"), item_id="1", captions=("a",))
    read = pixels.read(item)
    assert isinstance(read, Tensor)

    drawn = [pixels.augment(read, torch.Generator().manual_seed(seed)) for seed in range(4)]
    for frames_TCHW in drawn:
        assert frames_TCHW.shape == (6, 3, 32, 32)
        spread = frames_TCHW.float() - frames_TCHW[:1].float()
        assert float(spread.abs().max()) <= 2  # what coding leaves
    assert not torch.equal(drawn[0], drawn[1])


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (SamplingConfig(), 12),
        (SamplingConfig(sample_fps=5.0), 6),
        (SamplingConfig(frame_stride=5), 3),
        (SamplingConfig(sample_fps=0.5), 1),
    ],
)
def test_training_sees_the_frames_that_evaluation_sees(
    tmp_path: Path, sampling: SamplingConfig, expected: int
) -> None:
    from lrcn.data.extract import extract_features
    from lrcn.data.visual_features import as_video
    from lrcn.structures import VideoFeatures

    write_still(tmp_path / "still.mp4", 12)
    sees = Preprocessing(input_px=32, resize_px=40)
    item = CaptionItem(path=str(tmp_path / "still.mp4"), item_id="1", captions=("a",))
    pixels = CaptionPixels(CaptionDataConfig(sampling=sampling), sees, "video")
    (measured,) = extract_features(
        [as_video(item)], lambda frames: frames.float().flatten(1), sees, sampling=sampling
    )
    for _ in range(2):  # decoded, then from the cache of small frames
        frames = pixels.measured(item)
        assert isinstance(frames, Tensor)
        assert isinstance(measured, VideoFeatures)
        assert len(frames) == expected
        torch.testing.assert_close(frames.float().flatten(1)[None], measured.features_VTD)


def test_a_file_that_breaks_is_named_or_left_out(world: Path, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in (world / "captions.jsonl").read_text().splitlines()]
    data = tmp_path / "captions.jsonl"
    for line in lines:
        line["path"] = str(world / line["path"])
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    for place, split in ((2, "train"), (13, "val")):
        assert lines[place]["split"] == split
        lines[place] |= {"path": str(tmp_path / "broken.mp4"), "id": f"broken {split}"}
    data.write_text("".join(json.dumps(line) + "\n" for line in lines))

    given = experiment(
        data, dataset={"missing": "skip", "allow_leaks": True}, train={"unfreeze_at": 0}
    )
    result = train(given, tmp_path / "run")
    assert {Path(file.path).name for file in result.skipped} == {"broken.mp4"}
    assert epochs(tmp_path / "run")[-1]["loss"] > 0

    strict = replace(given, dataset=replace(given.dataset, missing="error"))
    with pytest.raises(MissingFilesError, match=r"broken\.mp4.*--missing skip"):
        train(strict, tmp_path / "strict")


def test_a_video_without_frames_says_so(tmp_path: Path) -> None:
    write_still(tmp_path / "still.mp4", 5)
    item = CaptionItem(
        path=str(tmp_path / "still.mp4"),
        item_id="1",
        captions=("a",),
        start_seconds=7.0,
        end_seconds=8.0,
    )
    pixels = CaptionPixels(CaptionDataConfig(), Preprocessing(input_px=32), "video")
    found = pixels.read(item)
    assert isinstance(found, SkippedFile)
    assert "no frame" in found.reason
