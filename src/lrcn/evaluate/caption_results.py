"""Results files of captioners, read back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lrcn.errors import ResultsError
from lrcn.evaluate.caption_record import CaptionProtocol
from lrcn.evaluate.captions import CaptionResult, CaptionResults
from lrcn.evaluate.results_folder import FOLDER
from lrcn.evaluate.retrieval import RetrievalResults
from lrcn.structures import SkippedFile


def task_of_file(path: Path) -> str | None:
    """What a results file is about: "caption", "retrieval", ...; None for classes.

    Raises:
        ResultsError: it cannot be read.
    """
    task = _read(path).get("task")
    return None if task is None else str(task)


def load_caption_results(path: Path) -> CaptionResults:
    """Read a results file.

    Raises:
        ResultsError: it is absent or damaged, or holds no sentences.
    """
    document = _read(path)
    if document.get("task") != "caption":
        raise ResultsError(f"{path} holds no results of a captioner; evaluate one again")
    with _damage_told(path):
        return CaptionResults(
            created=document["created"],
            **_scores(document),
            protocol=_protocol(document),
            captions=tuple(
                CaptionResult(**{**entry, "references": tuple(entry["references"])})
                for entry in document["captions"]
            ),
            skipped=tuple(SkippedFile(**entry) for entry in document["skipped"]),
        )


def load_retrieval_results(path: Path) -> RetrievalResults:
    """Read a results file of `lrcn evaluate --retrieval`.

    Raises:
        ResultsError: it is absent or damaged, or of another kind.
    """
    document = _read(path)
    if document.get("task") != "retrieval":
        raise ResultsError(f"{path} holds no retrieval; evaluate with --retrieval")
    with _damage_told(path):
        return RetrievalResults(
            created=document["created"],
            **_scores(document),
            chance=document["chance"],
            protocol=_protocol(document),
            skipped=tuple(SkippedFile(**entry) for entry in document["skipped"]),
        )


def newest_caption_results(run_dir: Path) -> CaptionResults | None:
    """The results of a run folder that were written last; None where there are none.

    Raises:
        ResultsError: they are damaged.
    """
    path = _newest(run_dir, but="retrieval")
    return None if path is None else load_caption_results(path)


def newest_retrieval_results(run_dir: Path) -> RetrievalResults | None:
    """The retrieval of a run folder that was written last; None where there is none.

    Raises:
        ResultsError: it is damaged.
    """
    path = _newest(run_dir, only="retrieval")
    return None if path is None else load_retrieval_results(path)


def _newest(run_dir: Path, *, only: str | None = None, but: str | None = None) -> Path | None:
    """The file of a kind that was written last; one that cannot be read counts as every kind."""
    paths = sorted(
        (run_dir / FOLDER).glob("*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name)
    )
    for path in reversed(paths):
        task = _read(path).get("task")
        if task != but and only in (None, task):
            return path
    return None


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ResultsError(
            f"{path} cannot be read: {error}. A results file is needed; evaluate again"
        ) from error
    if not isinstance(document, dict):
        raise ResultsError(f"{path} holds no results of a captioner; evaluate one again")
    return document


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise ResultsError(f"{path} is damaged ({error!r}); evaluate again") from error


def _scores(document: dict[str, Any]) -> dict[str, Any]:
    """The metrics and their intervals, which stand at the top level."""
    own = {"format", "task", "created", "protocol", "captions", "skipped", "chance"}
    scores = {key: value for key, value in document.items() if key not in own}
    intervals = {
        key.removesuffix("_interval"): (float(low), float(high))
        for key, (low, high) in (item for item in scores.items() if isinstance(item[1], list))
    }
    metrics = {key: float(value) for key, value in scores.items() if not isinstance(value, list)}
    return {"metrics": metrics, "intervals": intervals}


def _protocol(document: dict[str, Any]) -> CaptionProtocol:
    """As written, without what a newer version may have added."""
    names = {field.name for field in dataclasses.fields(CaptionProtocol)}
    known = {name: value for name, value in document["protocol"].items() if name in names}
    return CaptionProtocol(**{**known, "warnings": tuple(known["warnings"])})
