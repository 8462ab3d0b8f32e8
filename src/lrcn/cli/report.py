"""`lrcn report`: a run as one HTML file."""

from __future__ import annotations

from pathlib import Path

from lrcn.cli.options import DEFAULTS, ComputeOptions
from lrcn.cli.output import print_line, refuse_existing_file


def report(
    run: Path,
    /,
    *,
    out: Path | None = None,
    overwrite: bool = False,
    compute: ComputeOptions = DEFAULTS,
) -> int:
    """Write a run's report: curves, confusion matrix, classes, best and worst clips, protocol.

    The file holds everything it shows: it can be mailed and opened without a network.

    Args:
        run: Run folder with at least one evaluation in `results/`.
        out: File to write; default: RUN/report.html, which is always replaced.
        overwrite: Replace the file named by --out.
        compute: Options of every command that computes.
    """
    if out is not None:
        refuse_existing_file(out, overwrite=overwrite)
    compute.start()
    from lrcn.report import write_report

    print_line(str(write_report(run, out)))
    return 0
