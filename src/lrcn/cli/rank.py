"""`lrcn rank`: a sheet on which people rank sentences, and what they thought."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path
from typing import Annotated

from lrcn.cli.options import DEFAULTS, ComputeOptions
from lrcn.cli.output import print_json, print_table, refuse_existing_file, say, write_file
from lrcn.cli.parser import UsageError, option
from lrcn.errors import DataError


def rank(
    sheet: Path,
    /,
    *,
    systems: list[str] | None = None,
    num_items: int | None = None,
    overwrite: bool = False,
    as_json: Annotated[bool, option("--json")] = False,
    compute: ComputeOptions = DEFAULTS,
) -> int:
    """Let people rank the sentences of several systems without knowing whose they are.

    With --systems a CSV sheet is made, with empty columns for ranks (1 = best) by correctness,
    grammar and relevance, and SHEET.key.json beside it, which the people must not see. Without
    --systems the filled sheet is read: mean ranks with intervals over items.

    Args:
        sheet: CSV file to make, or to read when it is filled in.
        systems: NAME=FILE, once per system: its sentences, as the `--hypotheses` of `lrcn score`.
        num_items: So many items, drawn by --seed; default: all.
        overwrite: Replace a sheet and its key.
        as_json: Print one JSON document.
        compute: Options of every command that computes.
    """
    key_file = sheet.with_name(f"{sheet.name}.key.json")
    if systems:
        for file in (sheet, key_file):
            refuse_existing_file(file, overwrite=overwrite)
        _make(sheet, key_file, systems, num_items, compute)
        return 0
    if num_items is not None or overwrite:
        raise UsageError("--num-items and --overwrite go with --systems: add them, or leave out")
    from lrcn.evaluate.ranking import mean_ranks

    found = mean_ranks(_read_sheet(sheet), _read_key(key_file), seed=compute.seed_or_zero)
    if as_json:
        print_json([dataclasses.asdict(one) for one in found])
        return 0
    print_table(
        ("criterion", "system", "mean rank", "95 % interval", "items"),
        [
            (
                one.criterion,
                one.system,
                f"{one.mean_rank:.2f}",
                f"{one.interval[0]:.2f} to {one.interval[1]:.2f}",
                one.num_items,
            )
            for one in found
        ],
    )
    return 0


def _make(
    sheet: Path, key_file: Path, systems: list[str], num_items: int | None, compute: ComputeOptions
) -> None:
    from lrcn.data.score_files import read_hypotheses
    from lrcn.evaluate.ranking import CRITERIA, make_sheet

    said: dict[str, dict[str, str]] = {}
    for given in systems:
        name, equals, file = given.partition("=")
        if not (name and equals and file) or name in said:
            raise UsageError(f"--systems {given}: NAME=FILE is needed, each name once")
        said[name] = read_hypotheses(Path(file))
    rows, key = make_sheet(said, num_items=num_items, seed=compute.seed_or_zero)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("item_id", "letter", "caption", *CRITERIA))
    writer.writerows((r.item_id, r.letter, r.caption, *("" for _ in CRITERIA)) for r in rows)
    write_file(key_file, json.dumps(key, indent=1, ensure_ascii=False) + "\n")
    write_file(sheet, text.getvalue())
    say(f"{len(key)} items of {len(said)} systems: {sheet}; key: {key_file}", quiet=compute.quiet)


def _read_sheet(sheet: Path) -> list[dict[str, str]]:
    try:
        text = sheet.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{sheet} cannot be read: {error}. A filled sheet is needed; make one with --systems"
        ) from error
    return list(csv.DictReader(io.StringIO(text)))


def _read_key(key_file: Path) -> dict[str, dict[str, str]]:
    try:
        key = json.loads(key_file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{key_file} cannot be read: {error}. It was made with the sheet and must lie beside it"
        ) from error
    if not isinstance(key, dict) or not all(isinstance(own, dict) for own in key.values()):
        raise DataError(f"{key_file} is no key of a sheet; it must be the one made with it")
    return key
