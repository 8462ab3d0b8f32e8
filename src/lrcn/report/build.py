"""One self-contained HTML file about a run, or about several beside each other."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

from lrcn.errors import OutputError, ResultsError
from lrcn.report import sections, videos
from lrcn.report.markup import paragraph, text
from lrcn.report.run import ReportRun, load_run
from lrcn.version import __version__

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
    page = render(runs, title=title or f"{runs[-1].name}", intro=intro)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        draft = out.with_name(f".{out.name}.{os.getpid()}")
        # A lone surrogate (a file name that is no UTF-8) was replaced already.
        draft.write_text(page, encoding="utf-8")
        draft.replace(out)
    except OSError as error:
        raise OutputError(
            f"the report cannot be written to {out}: {error.strerror or error}."
            " A place that may be written is needed; choose another"
        ) from error
    return out


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
    body = "\n".join(part for part in parts if part)
    links = "".join(
        f'<a href="#{key}">{name}</a>'
        for key, name in _NAVIGATION
        if f'<section id="{key}"' in body
    )
    if results is None:
        numbers = paragraph("Not measured yet: run lrcn evaluate, then lrcn report again.", "lead")
    else:
        about = sections.protocol_words(results.protocol)
        numbers = paragraph(about, "lead") + sections.warnings(results) + sections.headline(results)
    style = resources.files("lrcn.report").joinpath("style.css").read_text(encoding="utf-8")
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="lrcn {__version__}">
<title>{text(title)}</title>
<style>
{style}</style>
</head>
<body>
<header><div>
<h1>{text(title)}</h1>
{paragraph(intro, "lead") if intro else ""}
{numbers}
<nav aria-label="Sections">{links}</nav>
</div></header>
<main>
{body}
</main>
<footer><p>Made by lrcn {__version__}, {made}. This page is one file: it loads nothing.</p></footer>
</body>
</html>
"""
