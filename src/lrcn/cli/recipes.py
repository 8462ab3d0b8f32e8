"""`lrcn recipes`: the experiments that are ready to run, and the rows of the paper's tables."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from typing import Annotated, Any

from lrcn.cli.output import print_json, print_line, print_table
from lrcn.cli.parser import UsageError, option
from lrcn.cli.settings import to_yaml
from lrcn.settings import did_you_mean


def recipes(
    name: str | None = None,
    /,
    *,
    yaml: bool = False,
    as_json: Annotated[bool, option("--json")] = False,
) -> int:
    """List the recipes and the rows of the paper, or show one: command, data, expected score.

    Args:
        name: A recipe, or a row of the paper such as A6; default: all of them in two tables.
        yaml: Print a recipe's settings as YAML, ready to be changed and given to `train --config`.
        as_json: Print one JSON document.
    """
    from lrcn.recipes import all_recipes, all_rows, get_any

    if name is None:
        _list(as_json=as_json)
        return 0
    known, rows = all_recipes(), all_rows()
    if name not in known and name.upper() in rows:
        _show_row(name.upper(), yaml=yaml, as_json=as_json)
        return 0
    if name not in known:
        near = did_you_mean(name, list(known)) or did_you_mean(name.upper(), list(rows))
        raise UsageError(
            f"no recipe and no row of the paper is called {name!r}.{near} Rows: {', '.join(rows)}."
            " `lrcn recipes` lists both"
        )
    experiment = get_any(name)
    text = inspect.getdoc(known[name]) or ""
    if yaml:
        sys.stdout.write(to_yaml(experiment))
    elif as_json:
        from lrcn.settings import to_dict

        print_json({"name": name, "description": text, "experiment": to_dict(experiment)})
    else:
        print_line(f"{name}: {text}")
    return 0


def _list(*, as_json: bool) -> None:
    from lrcn.recipes import all_recipes, all_rows, get_any

    rows = all_rows()

    found: list[dict[str, Any]] = [
        {
            "name": name,
            "kind": "recipe",
            "summary": (inspect.getdoc(function) or "").partition("\n")[0],
            "rows": [row for row, about in rows.items() if name in about.recipes],
            "expected": dict(get_any(name).expected),
        }
        for name, function in all_recipes().items()
    ]
    trainings = len(found)
    found += [
        {
            "name": name,
            "kind": "row",
            "summary": row.title,
            "recipes": row.recipes,
            "commands": row.commands,
            "expected": dict(row.expected),
        }
        for name, row in rows.items()
    ]
    if as_json:
        print_json(found)
        return
    print_table(
        ("recipe", "what it is", "expected"),
        [(f["name"], f["summary"], _in_words(f["expected"])) for f in found[:trainings]],
        whole_names=True,
    )
    print_line()
    print_table(
        ("row of the paper", "what it is", "expected"),
        [(f["name"], f["summary"], _in_words(f["expected"])) for f in found[trainings:]],
        whole_names=True,
    )
    print_line()
    print_line("More: lrcn recipes NAME. Run one: lrcn train --recipe NAME --data DATA --out RUN")


def _in_words(expected: Mapping[str, float]) -> str:
    return "; ".join(f"{key} {value:g}" for key, value in expected.items())


def _show_row(name: str, *, yaml: bool, as_json: bool) -> None:
    """A row of the paper with its commands.

    Raises:
        UsageError: its settings were asked for; it has none of its own.
    """
    import dataclasses

    from lrcn.recipes import all_rows

    row = all_rows()[name]
    if yaml:
        own = ", ".join(row.recipes) or "none: its commands work on what others have trained"
        raise UsageError(
            f"{name} is a row of the paper, and --yaml shows the settings of one recipe; its"
            f" recipes: {own}"
        )
    if as_json:
        print_json({"name": name, "recipes": row.recipes, **dataclasses.asdict(row)})
        return
    print_line(f"{name}: {row.title}")
    print_line()
    for command in row.commands:
        print_line(f"  {command}")
    print_line()
    for key, value in row.expected.items():
        print_line(f"expected  {value:.4f}  {key}")
    for text in (row.published, row.notes):
        if text:
            print_line(text)
