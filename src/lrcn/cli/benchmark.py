"""`lrcn benchmark`: where the time of a prediction goes, part by part."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from lrcn.cli.options import DEFAULTS, ComputeOptions
from lrcn.cli.output import print_json, print_line, print_table, say
from lrcn.cli.parser import UsageError, option

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from lrcn.checkpoint import SavedModel
    from lrcn.engine import FastBackbone
    from lrcn.structures import VideoFeatures


def benchmark(
    model: Path | None = None,
    /,
    *,
    data: Path | None = None,
    backbone: str = "efficientnet_lite0",
    num_videos: int = 8,
    rounds: int = 3,
    as_json: Annotated[bool, option("--json")] = False,
    compute: ComputeOptions = DEFAULTS,
) -> int:
    """Measure decoding, resizing, CNN and LSTM apart and together, against a plain loop.

    The plain loop decodes, resizes and sends every video through the CNN in eager float32, one
    video after the other. Parts and loop are measured in the same process, in turn; shown is the
    median of the rounds.

    Args:
        model: Run folder or model folder; default: an untrained LRCN on --backbone.
        data: Video file, or folder of videos; default: rendered ones of 320 x 240.
        backbone: The CNN where no MODEL is given.
        num_videos: At most so many videos.
        rounds: How often everything is measured.
        as_json: Print one JSON document.
        compute: Options of every command that computes.
    """
    if min(num_videos, rounds) < 1:
        raise UsageError(
            f"--num-videos {num_videos} and --rounds {rounds}: both must be at least 1"
        )
    device = compute.start()
    saved = _model(model, backbone, compute.seed_or_zero)
    saved.model.to(device)
    with _videos(data, num_videos, compute.seed_or_zero) as paths:
        say(f"measuring {len(paths)} videos, {rounds} rounds", quiet=compute.quiet)
        bench = Bench(saved, paths, device, compute.precision)
        timings = bench.run(rounds)
        rows = bench.rows(timings)
    if as_json:
        print_json({"parts": rows, "engine": bench.fast.description, "num_videos": len(paths)})
        return 0
    print_line(f"{bench.num_frames} frames of {len(paths)} videos; CNN: {bench.fast.description}")
    print_table(
        ("part", "frames/s", "ms per frame", "of the plain loop"),
        [
            (
                row["part"],
                f"{row['frames_per_second']:.0f}",
                f"{row['ms_per_frame']:.3f}",
                f"{row['speed_ratio']:.2f} x" if row["speed_ratio"] else "",
            )
            for row in rows
        ],
    )
    return 0


@dataclass
class Bench:
    """The parts of a prediction on some videos, each as a function to be timed."""

    saved: SavedModel
    paths: Sequence[str]
    device: torch.device
    precision: Any

    def __post_init__(self) -> None:
        from lrcn.data.transforms import EvalTransform
        from lrcn.engine import choose_precision, fast_backbone

        model = self.saved.model
        if model.backbone is None or model.preprocessing is None:
            raise UsageError("this model takes features, not videos: there is no CNN to measure")
        self.plain_backbone = model.backbone.eval()
        self.transform = EvalTransform(model.preprocessing)
        self.fast: FastBackbone = fast_backbone(
            model.backbone,
            device=self.device,
            precision=choose_precision(self.precision, self.device, "inference"),
        )
        self.num_frames = sum(len(frames) for frames in self._decode())

    def run(self, rounds: int) -> dict[str, float]:
        """Median seconds of every part, over all videos."""
        frames = [self.transform(video)[0] for video in self._decode()]
        raw = list(self._decode())
        features = [self._eager(video) for video in frames]
        parts: dict[str, Callable[[], object]] = {
            "decode": lambda: sum(len(video) for video in self._decode()),
            "resize": lambda: [self.transform(video) for video in raw],
            "CNN": lambda: [self._fast(video) for video in frames],
            "LSTM": lambda: [self._recurrent(video) for video in features],
            "all, pipelined": self._pipeline,
            "all, plain loop": self._plain_loop,
        }
        self._pipeline()  # warm: compiles, allocates
        seconds: dict[str, list[float]] = {name: [] for name in parts}
        for _ in range(rounds):
            for name, part in parts.items():
                start = time.perf_counter()
                part()
                seconds[name].append(time.perf_counter() - start)
        return {name: sorted(values)[len(values) // 2] for name, values in seconds.items()}

    def rows(self, seconds: dict[str, float]) -> list[dict[str, Any]]:
        """What is shown: speed of every part, and how it compares with the plain loop."""
        plain = seconds["all, plain loop"]
        return [
            {
                "part": name,
                "frames_per_second": self.num_frames / value,
                "ms_per_frame": 1000 * value / self.num_frames,
                "speed_ratio": plain / value if name.startswith("all") else None,
            }
            for name, value in seconds.items()
        ]

    def _decode(self) -> Iterator[Tensor]:
        import torch

        from lrcn.video.source import open_video

        for path in self.paths:
            with open_video(path) as video:
                yield torch.cat([clip.frames_TCHW for clip in video.iterate()])

    def _fast(self, frames_TCHW: Tensor) -> Tensor:
        import torch

        size = self.fast.batch_size
        starts = range(0, len(frames_TCHW), size)
        return torch.cat([self.fast(frames_TCHW[start : start + size]) for start in starts])

    def _eager(self, frames_TCHW: Tensor) -> Tensor:
        import torch

        backbone, found = self.plain_backbone, []
        with torch.no_grad():
            for start in range(0, len(frames_TCHW), 16):
                part = frames_TCHW[start : start + 16].to(self.device)
                found.append(backbone(backbone.normalise(part)).cpu())
        return torch.cat(found)

    def _recurrent(self, features_TD: Tensor) -> Tensor:
        import torch

        from lrcn.models.views import clip_probs, video_probs

        sampling = self.saved.sampling
        with torch.no_grad():
            views = clip_probs(
                self.saved.model,
                features_TD.unsqueeze(0).to(self.device),
                clip_length=sampling.clip_length,
                clip_stride=sampling.clip_stride,
            )
            return video_probs(views)

    def _pipeline(self) -> None:
        from lrcn.data.extract import extract_features
        from lrcn.structures import VideoFeatures

        found: Iterator[VideoFeatures | Any] = extract_features(
            [(path, path) for path in self.paths],
            self.fast,
            self.saved.model.preprocessing,
            sampling=self.saved.sampling,
            batch_size=self.fast.batch_size,
            decode_threads=2,
        )
        for features in found:
            if isinstance(features, VideoFeatures):
                self._recurrent(features.features_VTD[0])

    def _plain_loop(self) -> None:
        for video in self._decode():
            self._recurrent(self._eager(self.transform(video)[0]))


def _model(folder: Path | None, backbone: str, seed: int) -> SavedModel:
    from lrcn.checkpoint import SavedModel, load_model
    from lrcn.models.activity import ActivityConfig, create_model
    from lrcn.video.sampling import SamplingConfig

    if folder is not None:
        return load_model(folder)
    config = ActivityConfig(backbone=backbone)
    model = create_model(config, tuple("abcdef"), seed=seed).eval()
    return SavedModel(model, SamplingConfig())


@contextmanager
def _videos(data: Path | None, num_videos: int, seed: int) -> Iterator[list[str]]:
    """The user's videos, or rendered ones that are gone afterwards."""
    if data is not None:
        from lrcn.data.datasets.walk import find_media

        found = [data] if data.is_file() else find_media(data).videos
        if not found:
            raise UsageError(f"{data} holds no videos; give a video file or a folder of them")
        yield [str(path) for path in found[:num_videos]]
        return
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        yield [_render(Path(folder) / f"{i}.mp4", seed + i) for i in range(num_videos)]


def _render(path: Path, seed: int) -> str:
    """150 frames of 320 x 240: a textured picture that slides, as H.264."""
    import numpy as np

    from lrcn.video.writer import VideoWriter

    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (12, 40, 3), dtype=np.uint8)
    wide = np.kron(coarse, np.ones((20, 20, 1), dtype=np.uint8))
    with VideoWriter(path, fps=25.0, width=320, height=240) as writer:
        for t in range(150):
            frame = np.roll(wide, 3 * t, axis=1)[:, :320]
            noise = rng.integers(0, 8, frame.shape, dtype=np.uint8)
            writer.write(np.ascontiguousarray(frame // 2 + noise))
    return str(path)
