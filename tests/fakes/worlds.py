"""Tiny data sets that a model can learn in seconds: features and rendered pixels."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import torch

FEATURE_DIM = 6
CLASSES = ("down", "up")


def write_feature_world(root: Path, *, num_videos: int = 24, seed: int = 0) -> Path:
    """Feature files in which only the direction in time tells the class; a list with groups.

    One feature rises or falls along the video from a random level; a single step says nothing.
    """
    root.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    path = root / "list.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "group"])
        for index in range(num_videos):
            label = index % 2
            steps = 12 + index % 5
            level = np.linspace(-1, 1, steps) * (1 if label else -1)
            features = generator.normal(0, 0.3, (steps, FEATURE_DIM)).astype(np.float32)
            features[:, 0] += level + generator.normal(0, 0.5)
            np.save(root / f"video_{index}.npy", features)
            writer.writerow([f"video_{index}.npy", CLASSES[label], f"g{index // 4}"])
    return path


def write_pixel_world(root: Path, *, num_videos: int = 8, num_frames: int = 12) -> Path:
    """Lossless videos of 32 x 32 px in class folders: a bright bar moves left or right."""
    from lrcn.video.writer import VideoWriter

    generator = torch.Generator().manual_seed(0)
    for index in range(num_videos):
        name = ("left", "right")[index % 2]
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        start = int(torch.randint(32, (), generator=generator))
        path = folder / f"v_{name}_g{index // 2:02d}_c01.mkv"
        with VideoWriter(path, fps=25, width=32, height=32, codec="ffv1") as writer:
            for t in range(num_frames):
                frame = torch.full((32, 32, 3), 40, dtype=torch.uint8)
                place = (start + 2 * t * (1 if name == "right" else -1)) % 32
                frame[:, place : place + 4] = 220
                writer.write(frame.numpy())
    return root
