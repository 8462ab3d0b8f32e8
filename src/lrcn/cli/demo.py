"""`lrcn demo`: the whole way on a rendered world, without any data or download."""

from __future__ import annotations

from pathlib import Path

from lrcn.cli.options import DEFAULTS, ComputeOptions


def demo(
    *,
    out: Path = Path("lrcn-demo"),
    overwrite: bool = False,
    compute: ComputeOptions = DEFAULTS,
) -> int:
    """Render a small world, train on it, measure, and name what happens in a long video.

    No single frame tells its classes, so a single-frame model stays near chance where an LRCN
    does not. Then one captioner learns to tell what rendered pictures show, and another, which
    goes on from the LRCN, what happens in clips. Takes 5 to 6 minutes on two cores and writes
    three reports.

    Args:
        out: Folder to make.
        overwrite: Replace an earlier demo there.
        compute: Options of every command that computes.
    """
    from lrcn.recipes.demo import run_demo

    run_demo(
        out,
        overwrite=overwrite,
        device=compute.device,
        threads=compute.threads,
        precision=compute.precision,
        seed=compute.seed_or_zero,
        quiet=compute.quiet,
    )
    return 0
