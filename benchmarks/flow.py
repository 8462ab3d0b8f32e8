"""Optical flow: speed and error of every method, against known warps.

Claim: DIS medium finds flow faster than a CNN looks at the frames, to a third of a pixel; DIS
precise has the error of DeepFlow, the nearest to the paper's method, at several times its speed.

Frames: two real ones where the shared data are at hand (LRCN_TEST_DATA), else two textures, at
320 x 240. Four warps of each: a slide by (3.3, -2.1) pixels; a turn by 4 degrees with a zoom by
5 %; a smooth field of up to 8 pixels; a block of 80 x 80 that moves by 12 pixels over a still
ground. The end-point error is the mean distance between found and true vectors, 16 pixels from
the border cut off. Rates are frames per second of processor time on one thread (medians of single
calls), so that other work on the machine counts little.

Methods of OpenCV's contrib build are measured where it is installed. No test depends on any of it.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lrcn.data.flow_files import make_flow
from lrcn.data.flow_manifest import FlowStorage
from lrcn.data.flow_plan import plan_flow
from lrcn.structures import FlowConfig
from lrcn.video.flow import FlowEstimator, available_methods
from lrcn.video.source import open_video

HEIGHT, WIDTH, BORDER = 240, 320, 16
ROUNDS = 3
BASE = "farneback"
"""The method that OpenCV's users meet first; ratios are to it."""

Array = NDArray[np.float32]
Warp = tuple[str, Array]


def main() -> int:
    """Print the table; then what storing costs."""
    pictures = list(real_pictures()) or [texture(seed) for seed in (0, 1)]
    cases = [(case, picture) for picture in pictures for case in warps()]
    found = {name: measure(name, cases) for name in available_methods()}
    base = found[BASE][0]
    kinds = list(dict.fromkeys(name for name, _ in warps()))
    print(f"{WIDTH}x{HEIGHT}, {len(pictures)} pictures, {len(cases)} warps")
    print(f"{'method':15}{'frames/s':>9}{'of ' + BASE:>14}{'error px':>10}  " + " ".join(kinds))
    for name, (rate, errors) in found.items():
        mean = statistics.mean(e for values in errors.values() for e in values)
        each = " ".join(f"{statistics.mean(errors[k]):{len(k)}.2f}" for k in kinds)
        print(f"{name:15}{rate:9.1f}{rate / base:13.1f}x{mean:10.2f}  {each}")
    still = " ".join(f"{float(np.linalg.norm(f, axis=-1).mean()):{len(n)}.2f}" for n, f in warps())
    print(f"{'no flow at all':48}  {still}")
    storing()
    return 0


def measure(name: str, cases: list[tuple[Warp, Array]]) -> tuple[float, dict[str, list[float]]]:
    """Frames per second, and the error of every case by its kind."""
    estimator = FlowEstimator(FlowConfig(method=name))  # type: ignore[arg-type] # from the table
    seconds: list[float] = []
    errors: dict[str, list[float]] = {}
    rounds = 1 if name in ("tvl1", "deepflow") else ROUNDS
    for (kind, flow_HW2), picture in cases:
        before, after = as_grey(picture), as_grey(moved(picture, flow_HW2))
        for _ in range(rounds):
            started = time.thread_time()
            result = estimator.flow(before, after)
            seconds.append(time.thread_time() - started)
        inside = np.s_[BORDER:-BORDER, BORDER:-BORDER]
        error = np.linalg.norm(result - flow_HW2, axis=-1)[inside].mean()
        errors.setdefault(kind, []).append(float(error))
    return 1 / statistics.median(seconds), errors


def warps() -> Iterator[Warp]:
    """Name and true flow (at the first frame's pixels) of every warp."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    right, down = x - (WIDTH - 1) / 2, y - (HEIGHT - 1) / 2
    yield "slide", np.stack([np.full_like(x, 3.3), np.full_like(y, -2.1)], -1)
    angle, zoom = np.deg2rad(4.0), 1.05
    turned = zoom * (np.cos(angle) * right - np.sin(angle) * down) - right
    fallen = zoom * (np.sin(angle) * right + np.cos(angle) * down) - down
    yield "turn+zoom", np.stack([turned, fallen], -1).astype(np.float32)
    wave = np.sin(2 * np.pi * x / WIDTH) * np.cos(2 * np.pi * y / HEIGHT)
    other = np.cos(2 * np.pi * x / WIDTH + 1) * np.sin(2 * np.pi * y / HEIGHT + 2)
    yield "smooth", np.stack([8 * wave, 5 * other], -1).astype(np.float32)
    block = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    block[80:160, 100:180] = (12.0, 0.0)
    yield "block", block


def moved(picture: Array, flow_HW2: Array) -> Array:
    """The frame in which what was at p is at p + flow(p)."""
    import cv2

    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    if (flow_HW2[0, 0] == 0).all() and flow_HW2.any():  # the block covers what it moves over
        out = picture.copy()
        out[80:160, 112:192] = picture[80:160, 100:180]
        return out
    # Where a pixel came from solves q + flow(q) = p; a few steps suffice for smooth flow.
    source = np.stack([x, y], -1)
    for _ in range(12):
        at = [
            cv2.remap(
                np.ascontiguousarray(flow_HW2[..., i]),
                source[..., 0],
                source[..., 1],
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
            for i in (0, 1)
        ]
        source = np.stack([x - at[0], y - at[1]], -1).astype(np.float32)
    return cv2.remap(
        picture, source[..., 0], source[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )


def real_pictures() -> Iterator[Array]:
    """One frame of each of two real clips."""
    for path in real_clips()[:2]:
        with open_video(path) as video:
            frame = video.read([video.count() // 2]).frames_TCHW[0]
        if frame.shape[1:] == (HEIGHT, WIDTH):
            yield frame.float().mean(0).numpy()


def real_clips() -> list[Path]:
    """Two clips with texture, where the shared data are at hand."""
    root = Path(__file__).resolve().parents[1].parent
    data = Path(os.environ.get("LRCN_TEST_DATA", root / "shared" / "data"))
    wanted = ("BasketballDunk", "HorseRace")
    return [p for w in wanted for p in sorted(data.glob(f"ucf101-6/videos/{w}/*.avi"))[:1]]


def texture(seed: int) -> Array:
    """Soft noise of several sizes."""
    import cv2

    rng = np.random.default_rng(seed)
    total = np.zeros((HEIGHT, WIDTH), np.float32)
    for step in (4, 8, 16, 32):
        coarse = rng.random((HEIGHT // step + 2, WIDTH // step + 2)).astype(np.float32)
        total += step**0.5 * cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return (255 * (total - total.min()) / (total.max() - total.min())).astype(np.float32)


def as_grey(picture: Array) -> NDArray[np.uint8]:
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def storing() -> None:
    """One clip through `lrcn flow`: images per second and bytes of each form."""
    import tempfile

    clips = real_clips()
    if not clips:
        return
    print(f"\nlrcn flow on {clips[0].name}, dis_medium, per second of processor time")
    with tempfile.TemporaryDirectory() as folder:
        for form in ("png", "ffv1", "jpeg"):
            storage = FlowStorage(format=form)  # type: ignore[arg-type] # one of the forms
            out = Path(folder) / form
            started = time.process_time()
            summary = make_flow(plan_flow(clips[0], out, storage), out, storage)
            seconds = time.process_time() - started
            images = sum(record.num_images for record in summary.made)
            size = sum(p.stat().st_size for p in out.rglob("*") if p.is_file())
            print(f"{form:6}{images / seconds:8.1f} images/s{size / images:10.0f} bytes each")


if __name__ == "__main__":
    sys.exit(main())
