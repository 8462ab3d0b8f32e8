"""`lrcn compare`: two results on the same videos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from lrcn.cli.options import DEFAULTS, ComputeOptions
from lrcn.cli.output import print_json, print_line, print_table, say
from lrcn.cli.parser import option


def compare(
    first: Path,
    second: Path,
    /,
    *,
    allow_unlike: bool = False,
    as_json: Annotated[bool, option("--json")] = False,
    compute: ComputeOptions = DEFAULTS,
) -> int:
    """Compare two models video by video: accuracy, per class, and whether it could be chance.

    Differences are second minus first, as in the paper's tables of the LSTM's gain per class.

    Args:
        first: The baseline: a results file, or a run folder (its newest results).
        second: The model that may be better: likewise.
        allow_unlike: Compare although videos or protocol differ; only shared videos count.
        as_json: Print one JSON document.
        compute: Options of every command that computes.
    """
    from lrcn.evaluate.compare import compare as compare_results
    from lrcn.evaluate.results import load_results

    found = compare_results(
        load_results(first),
        load_results(second),
        names=(str(first), str(second)),
        allow_unlike=allow_unlike,
        seed=compute.seed_or_zero,
    )
    for difference in found.unlike:
        say(f"warning: not measured alike: {difference}", quiet=compute.quiet)
    if as_json:
        print_json(found.to_dict())
        return 0
    for m in found.metrics:
        low, high = m.interval
        print_line(f"{found.num_videos} videos, {m.key} in percent")
        print_line(f"  first   {100 * m.first:6.2f}   {found.first}")
        print_line(f"  second  {100 * m.second:6.2f}   {found.second}")
        print_line(
            f"  gain    {100 * m.difference:+6.2f}   (95 % interval {100 * low:+.2f} to"
            f" {100 * high:+.2f}; p = {m.p_value:.3g}, {m.test})"
        )
        print_line()
    print_line(
        f"only second right {found.num_only_second_right},"
        f" only first right {found.num_only_first_right}"
    )
    print_line()
    print_table(("class", "videos", "first", "second", "gain"), found.rows())
    return 0
