"""`lrcn report`: a run as one HTML file."""

from __future__ import annotations

from pathlib import Path

from lrcn.cli.options import DEFAULTS, ComputeOptions
from lrcn.cli.output import print_line, refuse_existing_file
from lrcn.cli.parser import UsageError


def report(
    run: Path,
    /,
    *others: Path,
    out: Path | None = None,
    overwrite: bool = False,
    compute: ComputeOptions = DEFAULTS,
) -> int:
    """Write a run's report: curves, confusion matrix, classes, best and worst clips, protocol.

    Of a captioner: scores with intervals, pictures with generated and human sentences, best and
    worst, curves and the watch over its sentences.

    The file holds everything it shows: it can be mailed and opened without a network.

    Args:
        run: Run folder, best with an evaluation in its `results/`.
        others: Further runs, shown beside it for comparison.
        out: File to write; default: RUN/report.html, which is always replaced.
        overwrite: Replace the file named by --out.
        compute: Options of every command that computes.
    """
    if out is not None:
        refuse_existing_file(out, overwrite=overwrite)
    compute.start()
    from lrcn.report.build import REPORT_NAME, build_report
    from lrcn.report.run import load_run

    kinds = {_writes_sentences(folder) for folder in (*others, run)}
    if len(kinds) > 1:
        raise UsageError(
            "captioners and models of classes cannot stand in one report: give runs of one kind"
        )
    if kinds == {True}:
        from lrcn.report.captions import build_caption_report, load_caption_run

        captioners = [load_caption_run(folder) for folder in (*others, run)]
        print_line(str(build_caption_report(captioners, out or run / REPORT_NAME)))
        return 0
    runs = [load_run(folder) for folder in (*others, run)]
    print_line(str(build_report(runs, out or run / REPORT_NAME)))
    return 0


def _writes_sentences(run: Path) -> bool:
    """Whether a run is a captioner's; a folder without a model is left to the report to judge."""
    from lrcn.checkpoint import CAPTION_TASK, task_of
    from lrcn.errors import ModelError

    try:
        return task_of(run) == CAPTION_TASK
    except ModelError:
        return False
