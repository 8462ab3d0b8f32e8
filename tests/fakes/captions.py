"""What a fake data set of captions says of itself, and the tiny photos that it is made of."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tests.fakes.dataset import put_text


@dataclass(frozen=True, kw_only=True)
class FakeCaptions:
    data: Path
    layout: str
    captions: dict[str, tuple[str, ...]]
    """Id to captions, in order."""
    listed: Path
    """One of the files that the data set names; tests take it away."""
    media: str = "image"
    splits: dict[str, str | None] = field(default_factory=dict)
    """Id to part; absent ones have none."""
    official: bool = False
    arguments: dict[str, Any] = field(default_factory=dict)
    """For `read_captions`."""


def put_photo(path: Path, number: int = 0, *, height: int = 12, width: int = 16) -> Path:
    """Write a real photo; every number has other pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def put_json(path: Path, document: Any) -> Path:
    """Write JSON as UTF-8."""
    return put_text(path, json.dumps(document, ensure_ascii=False))
