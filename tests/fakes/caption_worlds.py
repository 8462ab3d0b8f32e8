"""Small data sets of sentences with a true answer: features or pictures that show what is said."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (40, 40, 230)}
PLACES = ("left", "right", "top", "bottom")


def sentences(colour: str, place: str) -> tuple[str, ...]:
    """Two ways to say it."""
    return (f"A {colour} spot on the {place}.", f"There is a {colour} spot, {place}.")


def write_caption_features(folder: Path, *, copies: int = 3, width: int = 12) -> Path:
    """A CSV of feature files, one row of numbers each, and two sentences about each."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    rows = []
    for k, (colour, place) in itertools.product(range(copies), itertools.product(COLOURS, PLACES)):
        features = 0.05 * generator.standard_normal((1, width)).astype(np.float32)
        features[0, list(COLOURS).index(colour)] += 1
        features[0, 3 + PLACES.index(place)] += 1
        name = f"{colour}_{place}_{k}.npy"
        np.save(folder / name, features)
        rows += [(name, text) for text in sentences(colour, place)]
    return _write_rows(folder / "captions.csv", rows)


def write_caption_pictures(folder: Path, *, copies: int = 2, side: int = 40) -> Path:
    """A CSV of pictures with a coloured spot, and two sentences about each."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    rows = []
    for k, (colour, place) in itertools.product(range(copies), itertools.product(COLOURS, PLACES)):
        pixels = generator.integers(0, 20, (side, side, 3)).astype(np.uint8)
        third = side // 3
        top = {"top": 0, "bottom": side - third}.get(place, third)
        left = {"left": 0, "right": side - third}.get(place, third)
        pixels[top : top + third, left : left + third] = COLOURS[colour]
        name = f"{colour}_{place}_{k}.png"
        Image.fromarray(pixels).save(folder / name)
        rows += [(name, text) for text in sentences(colour, place)]
    return _write_rows(folder / "captions.csv", rows)


def _write_rows(path: Path, rows: list[tuple[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "caption"))
        writer.writerows(rows)
    return path
