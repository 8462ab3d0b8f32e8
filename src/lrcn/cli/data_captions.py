"""`lrcn data check` and `lrcn data split` for photos and videos with sentences."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from lrcn.cli.options import ComputeOptions
from lrcn.cli.output import print_json, print_line, print_table, report_skipped, say, watcher
from lrcn.data.world_folder import is_world_of_sentences
from lrcn.errors import OutputError


def is_caption_data(data: Path, layout: str | None) -> bool:
    """Whether the command is about captions: by the layout's name, else by what lies there.

    A list with labels stays a list of labelled videos, whatever else is told of them; the rendered
    events and pictures have sentences, and only their own list is one of labels.
    """
    from lrcn.data.captions import CAPTION_LAYOUTS, holds_captions
    from lrcn.data.datasets import LAYOUTS

    if layout is not None and (layout in CAPTION_LAYOUTS) != (layout in LAYOUTS):
        return layout in CAPTION_LAYOUTS
    if is_world_of_sentences(data):
        return True
    return holds_captions(data) and not _has_labels(data)


def _has_labels(data: Path) -> bool:
    from lrcn.data.datasets.lists import LIST_EXTENSIONS
    from lrcn.data.datasets.tables import has_roles, read_header
    from lrcn.data.datasets.walk import visible

    files = [data] if data.is_file() else [path for path in visible(data) if path.is_file()]
    lists = [path for path in files if path.suffix.lower() in LIST_EXTENSIONS]
    return any(has_roles(read_header(path), "label") for path in lists)


def check_captions(
    data: Path,
    *,
    out: Path | None,
    layout: str | None,
    images: Path | None,
    as_json: bool,
    compute: ComputeOptions,
) -> int:
    """Decode every photo and say what is there and what is wrong; the exit code."""
    from lrcn.data.caption_inspect import inspect_captions
    from lrcn.data.captions import read_captions

    captions = read_captions(data, layout=layout, images=images, missing="skip")
    with watcher("reading", quiet=compute.quiet) as watch:
        found = inspect_captions(
            captions,
            threads=compute.threads or 0,
            progress=(lambda done, total: watch(done, total, "")) if watch else None,
        )
    if as_json:
        print_json(found.to_dict())
    else:
        print_line(str(found))
    if out is not None:
        try:
            number = found.clean_list(out)
        except OSError as error:
            raise _not_written(out, error) from error
        say(f"clean list of {number} items: {out}", quiet=compute.quiet)
    return 1 if found.left_out() or found.captions.skipped else 0


def split_captions(
    data: Path,
    *,
    out: Path,
    val_fraction: float,
    test_fraction: float,
    layout: str | None,
    images: Path | None,
    missing: Literal["error", "skip"],
    allow_leaks: bool,
    as_json: bool,
    compute: ComputeOptions,
) -> int:
    """Divide by photo or video and write the division as JSON lines; the exit code."""
    from lrcn.data.caption_inspect import write_caption_list
    from lrcn.data.caption_split import divide_captions, refuse_caption_leaks
    from lrcn.data.captions import read_captions

    captions = read_captions(data, layout=layout, images=images, missing=missing)
    division = divide_captions(
        captions,
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        seed=compute.seed_or_zero,
    )
    parts = {str(name): part for name, part in division.parts.items()}
    leaks = refuse_caption_leaks(parts, allow_leaks=allow_leaks)
    try:
        write_caption_list([item for part in parts.values() for item in part.items], out)
    except OSError as error:
        raise _not_written(out, error) from error
    warnings = [*division.warnings, *(f"leak allowed: {leak}" for _, _, leak in leaks)]
    for warning in (*captions.notes, *warnings):
        say(f"note: {warning}", quiet=compute.quiet)
    numbers = {
        name: (len(part), sum(len(item.captions) for item in part.items))
        for name, part in parts.items()
    }
    if as_json:
        print_json(
            {
                "out": out,
                "task": "caption",
                "split": division.how,
                "num_items": {name: items for name, (items, _) in numbers.items()},
                "num_captions": {name: captions for name, (_, captions) in numbers.items()},
                "warnings": warnings,
                "skipped": [{"path": s.path, "reason": s.reason} for s in captions.skipped],
            }
        )
    else:
        print_line(f"split: {division.how}, written to {out}")
        print_table(
            ("part", f"{captions.media}s", "captions"),
            [(name, *both) for name, both in numbers.items()],
        )
    return report_skipped(captions.skipped, quiet=compute.quiet)


def _not_written(out: Path, error: OSError) -> OutputError:
    return OutputError(
        f"cannot write {out}: {error.strerror or error}. Check the place and its free space"
    )
