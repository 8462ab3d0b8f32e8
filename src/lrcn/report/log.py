"""The training log as curves; whatever is missing or damaged in it is passed over."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Curve:
    """Values over update steps."""

    steps: tuple[int, ...]
    values: tuple[float, ...]


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a `log.jsonl` that are JSON objects; none where the file is absent."""
    if not path.is_file():
        return []
    entries = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            # A crash can cut the last line short.
            continue
        if isinstance(entry, dict):
            entries.append(entry)
    return entries


def curves_of(entries: list[dict[str, Any]]) -> dict[str, dict[str, Curve]]:
    """Panel title → line name → curve, without empty ones."""
    epochs = [e for e in entries if e.get("event") == "epoch"]
    steps = [e for e in entries if e.get("event") == "step"]
    # A run of few epochs shows more in its steps.
    fine = epochs if len(epochs) > 4 or not steps else steps
    panels = {
        "loss": {
            "training": _curve(fine, "loss"),
            "validation": _curve(epochs, "loss", inside="val"),
        },
        "accuracy": {
            "training": _curve(epochs, "accuracy"),
            "validation": _curve(epochs, "accuracy_top1", inside="val"),
            "validation, mAP": _curve(epochs, "mean_average_precision", inside="val"),
        },
        "CIDEr-D": {"validation": _curve(epochs, "cider_d", inside="val")},
        "sentences": {
            "different": _curve(epochs, "distinct_sentences", inside="val"),
            "as in training": _curve(epochs, "copied_sentences", inside="val"),
            "<unk>": _curve(epochs, "unk_rate", inside="val"),
        },
        "learning rate": {"learning rate": _curve(steps or epochs, "lr")},
    }
    found = {
        title: {name: curve for name, curve in lines.items() if curve.values}
        for title, lines in panels.items()
    }
    return {title: lines for title, lines in found.items() if lines}


def _curve(entries: list[dict[str, Any]], key: str, *, inside: str | None = None) -> Curve:
    points: dict[int, float] = {}
    for entry in entries:
        values = entry.get(inside) if inside else entry
        value = values.get(key) if isinstance(values, Mapping) else None
        step = entry.get("step")
        if isinstance(step, int) and isinstance(value, int | float) and math.isfinite(value):
            points[step] = float(value)
    places = sorted(points)
    return Curve(tuple(places), tuple(points[step] for step in places))
