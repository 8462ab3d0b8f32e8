"""One self-contained HTML file about a run, or about several beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lrcn.errors import ResultsError
from lrcn.report import sections, videos
from lrcn.report.markup import paragraph
from lrcn.report.page import page, write_page
from lrcn.report.run import ReportRun, load_run

REPORT_NAME = "report.html"

_NAVIGATION = (
    ("models", "Models"),
    ("long", "Long videos"),
    ("training", "Training"),
    ("classes", "Classes"),
    ("confusion", "Confusion"),
    ("clips", "Clips"),
    ("calibration", "Calibration"),
    ("files", "Files"),
    ("protocol", "Protocol"),
)


def build_report(
    runs: Path | ReportRun | Sequence[ReportRun],
    out: Path | None = None,
    *,
    title: str | None = None,
    intro: str = "",
) -> Path:
    """Write the report.

    Args:
        runs: a run folder, or what `load_run` gathered from one or several. The last one is the
            model that the report is about; the others stand beside it for comparison.
        out: the file to write; `report.html` in the run folder when that was given.
        title: the run's name when left out.
        intro: a sentence or two for readers, below the title.

    Returns:
        Where it is.

    Raises:
        ResultsError: there is nothing to report.
        OutputError: it cannot be written.
    """
    if isinstance(runs, Path):
        out = out or runs / REPORT_NAME
        runs = load_run(runs)
    runs = [runs] if isinstance(runs, ReportRun) else list(runs)
    if not runs:
        raise ResultsError("a report of no run was asked for; at least 1 is needed")
    if out is None:
        raise ResultsError("where the report is to be written was not said; give `out`")
    return write_page(out, render(runs, title=title or f"{runs[-1].name}", intro=intro))


def render(runs: Sequence[ReportRun], *, title: str, intro: str = "") -> str:
    """The page as text."""
    main = runs[-1]
    results = main.results
    parts = [sections.models_table(runs)]
    if main.sources:
        names = results.class_names if results is not None else ()
        parts.append(videos.long_videos(main.sources, names))
    parts.append(sections.training(runs))
    if results is not None:
        parts += [
            sections.classes(runs, results),
            sections.confusion(results),
            videos.clips(results),
            sections.calibration(results),
            sections.files(results),
        ]
    parts.append(sections.conditions(main))
    if results is None:
        numbers = paragraph("Not measured yet: run lrcn evaluate, then lrcn report again.", "lead")
    else:
        about = sections.protocol_words(results.protocol)
        numbers = paragraph(about, "lead") + sections.warnings(results) + sections.headline(results)
    return page(parts, _NAVIGATION, title=title, intro=intro, numbers=numbers)
