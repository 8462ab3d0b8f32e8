"""`lrcn recipes`: the experiments that are ready to run."""

from __future__ import annotations

import inspect
import sys
from typing import Annotated

from lrcn.cli.output import print_json, print_line, print_table
from lrcn.cli.parser import option
from lrcn.cli.settings import to_yaml


def recipes(
    name: str | None = None,
    /,
    *,
    yaml: bool = False,
    as_json: Annotated[bool, option("--json")] = False,
) -> int:
    """List the recipes, or show one: its command, data, time and expected score.

    Args:
        name: A recipe; default: all of them in a table.
        yaml: Print its settings as YAML, ready to be changed and given to `train --config`.
        as_json: Print one JSON document.
    """
    from lrcn.recipes import RECIPES, get

    if name is None:
        _list(as_json=as_json)
        return 0
    experiment = get(name)
    text = inspect.getdoc(RECIPES[name]) or ""
    if yaml:
        sys.stdout.write(to_yaml(experiment))
    elif as_json:
        from lrcn.settings import to_dict

        print_json({"name": name, "description": text, "experiment": to_dict(experiment)})
    else:
        print_line(f"{name}: {text}")
    return 0


def _list(*, as_json: bool) -> None:
    from lrcn.recipes import RECIPES, get

    rows = []
    for name, function in RECIPES.items():
        summary = (inspect.getdoc(function) or "").partition("\n")[0]
        rows.append((name, summary, dict(get(name).expected)))
    if as_json:
        keys = ("name", "summary", "expected")
        print_json([dict(zip(keys, row, strict=True)) for row in rows])
        return
    print_table(
        ("recipe", "what it is", "expected"),
        [(n, s, ", ".join(f"{k} {v:g}" for k, v in e.items())) for n, s, e in rows],
    )
    print_line()
    print_line("More: lrcn recipes NAME. Run one: lrcn train --recipe NAME --data DATA --out RUN")
