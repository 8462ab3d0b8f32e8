"""Draws scenes: anti-aliased shapes with a hand that shows their angle, over drifting texture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lrcn.data.motion_config import COLOURS, MotionConfig
from lrcn.data.motion_scene import Actor, FloatArray, Scene

_SQRT_3 = np.float32(np.sqrt(3.0))


def render(scene: Scene, config: MotionConfig, rng: np.random.Generator) -> NDArray[np.uint8]:
    """All frames of a scene.

    Returns:
        T x H x W x 3, uint8, RGB.
    """
    canvas_THWC = _background(scene, config)
    for actor in reversed(scene.actors):
        there = slice(actor.first_frame, actor.first_frame + len(actor.x_T))
        _paint(canvas_THWC[there], actor)
    if config.noise:
        shape = (*canvas_THWC.shape[:3], 1)
        canvas_THWC += rng.standard_normal(shape, dtype=np.float32) * np.float32(config.noise)
    np.clip(canvas_THWC, 0, 255, out=canvas_THWC)
    return canvas_THWC.astype(np.uint8)


def _background(scene: Scene, config: MotionConfig) -> FloatArray:
    """Grey texture that drifts by fractions of a pixel, T x H x W x 3."""
    num_frames = scene.num_frames
    tile = _texture(config, scene)
    size = tile.shape[0]
    canvas = np.empty((num_frames, config.height, config.width, 3), dtype=np.float32)
    rows, columns = np.arange(config.height), np.arange(config.width)
    for t in range(num_frames):
        (top, fy), (left, fx) = (divmod(-rate * t, 1.0) for rate in scene.drift_yx)
        window = tile.take((rows[0] + int(top) + np.arange(len(rows) + 1)) % size, axis=0)
        window = window.take((int(left) + np.arange(len(columns) + 1)) % size, axis=1)
        window = window[:-1] * np.float32(1 - fy) + window[1:] * np.float32(fy)
        window = window[:, :-1] * np.float32(1 - fx) + window[:, 1:] * np.float32(fx)
        canvas[t] = window[:, :, None]
    return canvas


def _texture(config: MotionConfig, scene: Scene) -> FloatArray:
    """A square tile without seams: noise with power falling with frequency."""
    rng = np.random.default_rng(scene.texture_seed)
    size = max(config.width, config.height) * 5 // 4
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]) * size
    spectrum = np.fft.rfft2(rng.standard_normal((size, size)))
    spectrum *= np.where(frequency > 1, 1 / np.maximum(frequency, 1) ** 1.5, 0)
    tile = np.fft.irfft2(spectrum, s=(size, size))
    tile *= config.contrast / max(float(tile.std()), 1e-9)
    return (tile + scene.grey).astype(np.float32)


def _paint(canvas_THWC: FloatArray, actor: Actor) -> None:
    """Blend one shape into its frames, in a window just large enough for it."""
    num_frames, height, width, _ = canvas_THWC.shape
    reach = int(np.ceil(actor.radius_T.max())) + 2
    left_T = np.floor(actor.x_T).astype(int) - reach
    top_T = np.floor(actor.y_T).astype(int) - reach
    grid = np.arange(2 * reach + 1, dtype=np.float32) + np.float32(0.5)
    dx = (left_T - actor.x_T).astype(np.float32)[:, None, None] + grid[None, None, :]
    dy = (top_T - actor.y_T).astype(np.float32)[:, None, None] + grid[None, :, None]
    scale = 1 / actor.radius_T
    cosine = (np.cos(actor.angle_T) * scale)[:, None, None]
    sine = (np.sin(actor.angle_T) * scale)[:, None, None]
    u: FloatArray = (dx * cosine + dy * sine).astype(np.float32)
    v: FloatArray = (dy * cosine - dx * sine).astype(np.float32)
    radius = actor.radius_T[:, None, None]
    body = np.clip(np.float32(0.5) - _DISTANCES[actor.shape_name](u, v) * radius, 0, 1)
    hand = np.clip(np.float32(0.5) - _hand(u, v) * radius, 0, 1)
    colour = np.array(COLOURS[actor.colour], dtype=np.float32)
    paint = colour + hand[..., None] * (np.float32(0.75) * (np.float32(255) - colour))
    for t in range(num_frames):
        top, left = max(top_T[t], 0), max(left_T[t], 0)
        bottom = min(top_T[t] + len(grid), height)
        right = min(left_T[t] + len(grid), width)
        cut = np.s_[top - top_T[t] : bottom - top_T[t], left - left_T[t] : right - left_T[t]]
        behind = canvas_THWC[t, top:bottom, left:right]
        behind += body[t][cut][..., None] * (paint[t][cut] - behind)


def _disc(u: FloatArray, v: FloatArray) -> FloatArray:
    return np.hypot(u, v) - np.float32(0.95)


def _square(u: FloatArray, v: FloatArray) -> FloatArray:
    return np.maximum(np.abs(u), np.abs(v)) - np.float32(0.7)


def _bar(u: FloatArray, v: FloatArray) -> FloatArray:
    return np.maximum(np.abs(u) - np.float32(0.9), np.abs(v) - np.float32(0.36))


def _cross(u: FloatArray, v: FloatArray) -> FloatArray:
    u, v = np.abs(u), np.abs(v)
    long, thin = np.float32(0.92), np.float32(0.32)
    distance: FloatArray = np.minimum(
        np.maximum(u - long, v - thin), np.maximum(v - long, u - thin)
    )
    return distance


def _triangle(u: FloatArray, v: FloatArray) -> FloatArray:
    slope = (u + _SQRT_3 * np.abs(v)) / 2
    distance: FloatArray = np.maximum(slope, -u) - np.float32(0.5)
    return distance


def _hand(u: FloatArray, v: FloatArray) -> FloatArray:
    """A bright stroke from the middle outwards, like a clock's: it shows the angle of any shape."""
    along = np.clip(u, np.float32(0.05), np.float32(0.62))
    distance: FloatArray = np.hypot(u - along, v) - np.float32(0.16)
    return distance


_DISTANCES: dict[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "disc": _disc,
    "square": _square,
    "bar": _bar,
    "cross": _cross,
    "triangle": _triangle,
}
"""Shape to its signed distance in units of the radius; negative inside."""
