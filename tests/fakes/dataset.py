"""What a fake data set says of itself, and the tiny real videos that it is made of."""

from __future__ import annotations

import functools
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lrcn.video.writer import VideoWriter


@dataclass(frozen=True, kw_only=True)
class FakeDataset:
    data: Path
    layout: str
    num_items: int
    class_names: tuple[str, ...]
    listed: Path
    """One of the files that the data set names; tests take it away."""
    splits: frozenset[str | None] = frozenset({None})
    arguments: dict[str, Any] = field(default_factory=dict)
    """For `read_dataset`."""

    def lose_a_file(self) -> None:
        """Take the listed file away; where folders are the list, a link to nowhere stays."""
        if self.listed.is_dir():
            shutil.rmtree(self.listed)
        else:
            self.listed.unlink()
        if self.layout == "folder":
            self.listed.symlink_to(self.listed.parent / "nowhere.mp4")


@functools.cache
def video_bytes(number: int, num_frames: int = 4) -> bytes:
    """A 32 x 16 video; every number has other pixels."""
    frames = np.random.default_rng(number).integers(0, 256, (num_frames, 16, 32, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.avi"
        with VideoWriter(path, fps=10, width=32, height=16, codec="mpeg4") as writer:
            for frame in frames:
                writer.write(frame)
        return path.read_bytes()


def put_video(path: Path, number: int = 0) -> Path:
    """Write a real video to `path`, whatever its extension."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(video_bytes(number))
    return path


def put_frames(folder: Path, number: int = 0, *, pattern: str = "{:04d}.png") -> Path:
    """Write three numbered images."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (3, 16, 32, 3), np.uint8)
    for i, picture in enumerate(pixels, 1):
        Image.fromarray(picture).save(folder / pattern.format(i))
    return folder


def put_text(path: Path, text: str) -> Path:
    """Write UTF-8 text as it is, line ends included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path
