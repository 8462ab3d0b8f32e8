"""`lrcn benchmark`: where the time of a prediction goes, part by part."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from lrcn.cli.options import DEFAULTS, ComputeOptions
from lrcn.cli.output import print_json, print_line, print_table, say
from lrcn.cli.parser import UsageError, option

if TYPE_CHECKING:
    from lrcn.checkpoint import SavedModel


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
    from lrcn.predict.profile import profile

    saved = _model(model, backbone, compute.seed_or_zero)
    with _videos(data, num_videos, compute.seed_or_zero) as paths:
        say(f"measuring {len(paths)} videos, {rounds} rounds", quiet=compute.quiet)
        found = profile(saved, paths, device=device, precision=compute.precision, rounds=rounds)
    if as_json:
        print_json(asdict(found))
        return 0
    print_line(f"{found.num_frames} frames of {found.num_videos} videos; CNN: {found.engine}")
    print_table(
        ("part", "frames/s", "ms per frame", "of the plain loop"),
        [
            (
                row.part,
                f"{row.frames_per_second:.0f}",
                f"{row.ms_per_frame:.3f}",
                f"{row.speed_ratio:.2f} x" if row.speed_ratio else "",
            )
            for row in found.parts
        ],
    )
    return 0


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
