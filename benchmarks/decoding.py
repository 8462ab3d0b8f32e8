"""Reading video: our reader against plain PyAV (`to_ndarray` for every frame), and by index.

Claims: at 320x240 the whole way to RGB tensors takes no more processor time than `to_ndarray` per
frame (less, the cheaper the codec; at 1280x720 the copy into one tensor costs about a tenth), and
16 frames by index take less than decoding up to them.

Times are processor time of one decoding thread, so that other work on the machine does not count.

Run: `python -m benchmarks.decoding [FILE ...]`; without files two are rendered.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from lrcn.video.reader import VideoReader
from lrcn.video.writer import VideoWriter

REPEATS = 5
CLIP_LENGTH = 16


def render(path: Path, *, height: int, width: int, num_frames: int) -> Path:
    """A drifting texture with noise, as H.264 with a key frame every 12."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (height // 16 + 1, width // 16 + 1, 3), dtype=np.uint8)
    texture = np.kron(coarse, np.ones((16, 16, 1), np.uint8))[:height, :width]
    with VideoWriter(path, fps=25, width=width, height=height, gop=12, crf=23) as writer:
        for i in range(num_frames):
            noise = rng.integers(0, 12, (height, width, 1), dtype=np.uint8)
            writer.write(np.roll(texture, (i, 2 * i), (0, 1)) // 2 + noise)
    return path


def plain_loop(path: Path) -> int:
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        return sum(1 for f in container.decode(video=0) if f.to_ndarray(format="rgb24") is not None)


def in_sequence(path: Path) -> int:
    with VideoReader(path) as reader:
        return sum(len(clip) for clip in reader.iterate())


def every_fourth(path: Path) -> int:
    with VideoReader(path) as reader:
        return sum(len(clip) for clip in reader.iterate(frame_stride=4))


def plain_clip(path: Path, start: int) -> int:
    """Sixteen frames by decoding from the beginning."""
    kept = []
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for i, frame in enumerate(container.decode(video=0)):
            if i >= start:
                kept.append(frame.to_ndarray(format="rgb24"))
            if len(kept) == CLIP_LENGTH:
                break
    return len(kept)


def clip_by_index(path: Path, start: int) -> int:
    """The same, opening and indexing the file included."""
    with VideoReader(path) as reader:
        return len(reader.read(range(start, start + CLIP_LENGTH)))


def median_seconds(*runs: Callable[[], object]) -> list[float]:
    """Medians of interleaved repeats, so that a busy machine slows all alike."""
    times: list[list[float]] = [[] for _ in runs]
    for repeat in range(REPEATS + 1):
        for i, run in enumerate(runs):
            start = time.process_time()
            run()
            if repeat:  # the first warms the disk cache
                times[i].append(time.process_time() - start)
    return [statistics.median(t) for t in times]


def measure(path: Path) -> None:
    with VideoReader(path) as reader:
        num_frames, info = reader.count(), reader.info
    name = f"{info.codec} {info.width}x{info.height}, {num_frames} frames"
    plain, ours, thinned = median_seconds(
        lambda: plain_loop(path), lambda: in_sequence(path), lambda: every_fourth(path)
    )
    last = max(num_frames - CLIP_LENGTH, 0)
    starts = [random.Random(0).randrange(last + 1), last // 2, last]
    plain_clips, our_clips = median_seconds(
        lambda: [plain_clip(path, start) for start in starts],
        lambda: [clip_by_index(path, start) for start in starts],
    )
    print(f"{name} (one thread)")
    print(f"  {'all frames, to_ndarray per frame':44s}{num_frames / plain:8.0f} frames/s   1.0x")
    print(f"  {'all frames, our reader':44s}{num_frames / ours:8.0f} frames/s {plain / ours:5.1f}x")
    print(f"  {'every 4th frame, our reader':44s}{num_frames / thinned:8.0f} frames/s {plain / thinned:5.1f}x")  # fmt: skip # noqa: E501 - a table row
    ms = [1000 * t / len(starts) for t in (plain_clips, our_clips)]
    print(f"  {'16 frames at random, decoding up to them':44s}{ms[0]:8.1f} ms         1.0x")
    print(f"  {'16 frames at random, our reader':44s}{ms[1]:8.1f} ms       {ms[0] / ms[1]:5.1f}x")


def main() -> None:
    files = [Path(argument) for argument in sys.argv[1:] if Path(argument).is_file()]
    with tempfile.TemporaryDirectory() as folder:
        if not files:
            files = [
                render(Path(folder) / "small.mp4", height=240, width=320, num_frames=250),
                render(Path(folder) / "large.mp4", height=720, width=1280, num_frames=100),
            ]
        for path in files:
            measure(path)


if __name__ == "__main__":
    main()
