"""Where results files stand: in `results/` of a run folder, named by the time they were made."""

from __future__ import annotations

import contextlib
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from lrcn.errors import OutputError, ResultsError

FOLDER = "results"
"""Where a run folder keeps its results files."""


def now() -> str:
    """The time for `Results.created`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def results_path(place: Path) -> Path:
    """The file meant by a results file, or by a run folder (its newest).

    Raises:
        ResultsError: there is none.
    """
    if place.is_file():
        return place
    whole = place.resolve()
    candidates = [whole / FOLDER, *([whole] if whole.name == FOLDER else [])]
    if (whole / "config.json").is_file():  # A run's model folder stands for its run.
        candidates.append(whole.parent / FOLDER)
    for folder in candidates:
        found = sorted(folder.glob("*.json"), key=lambda p: (p.stat().st_mtime_ns, p.name))
        if found:
            return found[-1]
    what = "holds no results" if place.exists() else "does not exist"
    raise ResultsError(
        f"{place} {what}; a results file, or a run folder with {FOLDER}/*.json is needed."
        f" Run `lrcn evaluate {place} --data ...` first"
    )


def save_results(run_dir: Path, created: str, text: str) -> Path:
    """Write `results/<UTC time>.json` below a run folder, whole or not at all.

    Args:
        run_dir: The run folder.
        created: The time.
        text: The document.

    Raises:
        OutputError: the folder cannot be written.
    """
    stem = created.replace(":", "-")
    names = [stem, *(f"{stem}-{i}" for i in range(2, 1000))]
    try:
        folder = run_dir / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            if _write_new(folder / f"{name}.json", text):
                return folder / f"{name}.json"
    except OSError as error:
        raise OutputError(
            f"results cannot be written below {run_dir}: {error.strerror or error}."
            " A folder that may be written is needed; choose another, or free the disk"
        ) from error
    raise OutputError(f"{folder} holds 999 results of {stem}; remove some")


def _write_new(path: Path, text: str) -> bool:
    """Write a file beside its place and move it there; False where the name is taken."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(draft).chmod(0o644)
        if path.exists():
            return False
        Path(draft).replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(draft).unlink()
    return True
