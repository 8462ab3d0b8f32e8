"""What a report shows of one run: its numbers, its log, its settings, where it ran."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lrcn.errors import ResultsError
from lrcn.evaluate.results import Results, SourceResult, load_results
from lrcn.evaluate.results_folder import FOLDER
from lrcn.report.log import Curve, curves_of, read_log


@dataclass(frozen=True, kw_only=True)
class ReportRun:
    """One model's part of a report. Everything but the name may be absent."""

    name: str
    results: Results | None = None
    sources: tuple[SourceResult, ...] = ()
    """Long videos with their segments; from another evaluation of the run, if need be."""
    curves: Mapping[str, Mapping[str, Curve]] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    experiment: str = ""
    """The settings, as YAML."""


def load_run(
    run_dir: Path, *, name: str | None = None, results: Results | None = None
) -> ReportRun:
    """Gather what a run folder holds.

    Args:
        run_dir: a run folder.
        name: what to call it; its folder's name when left out.
        results: what to show; the newest results file of the run when left out. Long videos
            come from the newest results that have any.

    Raises:
        ResultsError: the folder has neither results nor a log, or the results are damaged.
    """
    evaluations = _evaluations(run_dir)
    if results is None and evaluations:
        results = evaluations[-1]
    candidates = ([results] if results is not None else []) + evaluations[::-1]
    sources = next((r.sources for r in candidates if r.sources), ())
    curves = curves_of(read_log(run_dir / "log.jsonl"))
    if results is None and not curves:
        what = "holds neither results nor a training log" if run_dir.is_dir() else "is no folder"
        raise ResultsError(
            f"{run_dir} {what}; a report needs a run folder."
            " Train one with `lrcn train`, and measure it with `lrcn evaluate`"
        )
    return ReportRun(
        name=name or run_dir.resolve().name,
        results=results,
        sources=sources,
        curves=curves,
        environment=_environment(run_dir / "environment.json"),
        experiment=_text(run_dir / "experiment.yaml"),
    )


def _evaluations(run_dir: Path) -> list[Results]:
    """All results of a run, the oldest first."""
    paths = (run_dir / FOLDER).glob("*.json")
    return [load_results(p) for p in sorted(paths, key=lambda p: (p.stat().st_mtime_ns, p.name))]


def _environment(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(_text(path) or "{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
