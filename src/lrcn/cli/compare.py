"""`lrcn compare`: two results on the same videos or photos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from lrcn.cli.options import DEFAULTS, ComputeOptions
from lrcn.cli.output import print_differences, print_json, print_line, print_table, say
from lrcn.cli.parser import UsageError, option

if TYPE_CHECKING:
    from lrcn.evaluate.compare import Comparison


def compare(
    first: Path,
    second: Path,
    /,
    *,
    allow_unlike: bool = False,
    as_json: Annotated[bool, option("--json")] = False,
    compute: ComputeOptions = DEFAULTS,
) -> int:
    """Compare two models item by item: how much better one is, and whether it could be chance.

    Of recognisers accuracy, and the gain per class; of captioners every score, as `lrcn score` does
    for two systems. Differences are second minus first, as in the paper's tables of the LSTM's gain
    per class.

    Args:
        first: The baseline: a results file, or a run folder (its newest results).
        second: The model that may be better: likewise.
        allow_unlike: Compare although items or protocol differ; only shared items count.
        as_json: Print one JSON document.
        compute: Options of every command that computes.
    """
    from lrcn.evaluate.compare_captioners import captioner_results, compare_captioners

    one, two = captioner_results(first), captioner_results(second)
    names, seed = (str(first), str(second)), compute.seed_or_zero
    if (one is None) != (two is None):
        raise UsageError(
            f"{names[one is None]} holds sentences and {names[two is None]} classes, which cannot"
            " be compared. Give results of one kind"
        )
    if one is not None and two is not None:
        told = compare_captioners(one, two, names=names, allow_unlike=allow_unlike, seed=seed)
        _say_unlike(told.unlike, compute)
        if as_json:
            print_json(told.to_dict())
        else:
            print_line(f"{told.num_items} items")
            print_line(f"  first   {names[0]}")
            print_line(f"  second  {names[1]}")
            print_line()
            print_differences(told.differences)
        return 0
    from lrcn.evaluate.compare import compare as compare_results
    from lrcn.evaluate.results import load_results

    found = compare_results(
        load_results(first),
        load_results(second),
        names=names,
        allow_unlike=allow_unlike,
        seed=seed,
    )
    _say_unlike(found.unlike, compute)
    if as_json:
        print_json(found.to_dict())
    else:
        _show(found)
    return 0


def _say_unlike(differences: Sequence[str], compute: ComputeOptions) -> None:
    for difference in differences:
        say(f"warning: not measured alike: {difference}", quiet=compute.quiet)


def _show(found: Comparison) -> None:
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
