"""Videos whose flow is known: smooth textures that slide, grow and turn by given amounts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

Motion = Callable[[NDArray[np.float32], NDArray[np.float32]], tuple[NDArray[np.float32], ...]]
"""x, y of a pixel to (u, v): where it is one frame later, as a difference."""


def texture(height: int, width: int, *, seed: int = 0) -> NDArray[np.float32]:
    """Grey H x W, 0...255, smooth enough to be shifted by parts of a pixel."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(1, 1, height // 4 + 2, width // 4 + 2, generator=generator)
    fine = F.interpolate(noise, size=(height, width), mode="bicubic", align_corners=False)[0, 0]
    fine = (fine - fine.min()) / (fine.max() - fine.min())
    return (fine * 255).numpy()


def warped(picture_HW: NDArray[np.float32], motion: Motion) -> NDArray[np.float32]:
    """The next frame: what was at p - motion is now at p (motion given at the new place)."""
    height, width = picture_HW.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    u, v = motion(x, y)
    grid = np.stack([2 * (x - u) / (width - 1) - 1, 2 * (y - v) / (height - 1) - 1], axis=-1)
    out = F.grid_sample(
        torch.from_numpy(picture_HW)[None, None],
        torch.from_numpy(grid.astype(np.float32))[None],
        mode="bicubic",
        padding_mode="reflection",
        align_corners=True,
    )
    return out[0, 0].clamp(0, 255).numpy()


def slide(u: float, v: float) -> Motion:
    """Every pixel moves by the same."""
    return lambda x, y: (np.full_like(x, u), np.full_like(y, v))


def zoom(factor: float, height: int, width: int) -> Motion:
    """The picture grows about its centre."""
    share = 1 - 1 / factor
    return lambda x, y: ((x - (width - 1) / 2) * share, (y - (height - 1) / 2) * share)


def as_rgb(picture_HW: NDArray[np.float32]) -> NDArray[np.uint8]:
    """H x W x 3 uint8, grey."""
    return np.repeat(np.rint(picture_HW).astype(np.uint8)[..., None], 3, axis=2)


def sliding_frames(
    num_frames: int, u: float, v: float, *, height: int = 48, width: int = 64, seed: int = 0
) -> NDArray[np.uint8]:
    """T x H x W x 3: a texture that slides by (u, v) pixels a frame."""
    first = texture(height, width, seed=seed)
    return np.stack([as_rgb(warped(first, slide(u * t, v * t))) for t in range(num_frames)])
