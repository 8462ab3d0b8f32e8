"""The reference pages that are made from the code: commands, settings, recipes.

`python -m lrcn.cli.reference docs/reference` writes them; a test says when they are stale.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

from lrcn.cli.main import COMMANDS, GROUP_HELP, HELP
from lrcn.cli.output import write_file
from lrcn.cli.parser import make_app, reference
from lrcn.cli.settings import all_settings, by_part, flag_of, show_default, world_settings

_MADE = "<!-- Made by `python -m lrcn.cli.reference docs/reference`; change the code instead. -->"


def pages() -> dict[str, str]:
    """File name → content of every page."""
    return {
        "cli.md": commands_page(),
        "settings.md": settings_page(),
        "recipes.md": recipes_page(),
    }


def commands_page() -> str:
    """All commands with their options."""
    app = make_app(COMMANDS, group_help=GROUP_HELP, help_text=HELP, version="")
    lines = reference(app).splitlines()
    kept = [line.rstrip() for line in lines if not line.startswith("# ")]
    return "\n".join(["# Commands", "", _MADE, "", *kept, ""])


def settings_page() -> str:
    """All settings of an experiment."""
    lines = [
        "# Settings",
        "",
        _MADE,
        "",
        "Every setting can stand in a YAML file (`lrcn train --config FILE`) or on the command",
        "line (`--model.hidden-size 512`, with dashes or underscores). Lists are written with",
        "commas. How they combine: [settings](../guides/settings.md).",
    ]
    lines += [
        "",
        "Those of `world` belong to `lrcn data make`.",
    ]
    for part, settings in by_part([*all_settings(), *world_settings()]):
        lines += [
            "",
            f"## {part}",
            "",
            "| setting | takes | default | meaning |",
            "|---|---|---|---|",
        ]
        for setting in settings:
            cells = (setting.type_name, show_default(setting), setting.help)
            texts = " | ".join(cell.replace("|", "\\|") for cell in cells)
            lines.append(f"| `{flag_of(setting)}` | {texts} |")
    return "\n".join(lines) + "\n"


def recipes_page() -> str:
    """All recipes with command, data, time and expected score."""
    from lrcn.recipes import RECIPES

    lines = [
        "# Recipes",
        "",
        _MADE,
        "",
        "`lrcn recipes` lists them; `lrcn recipes NAME --yaml` prints the settings of one.",
    ]
    for name, function in RECIPES.items():
        module = inspect.getmodule(function)
        source = module.__name__.replace(".", "/") if module else ""
        text = inspect.getdoc(function) or ""
        lines += ["", f"## {name}", "", *_as_markdown(text), "", f"Source: `src/{source}.py`."]
    return "\n".join(lines) + "\n"


def _as_markdown(text: str) -> list[str]:
    """A recipe's docstring: its labelled lines become a list."""
    lines = []
    for line in text.splitlines():
        label, colon, rest = line.partition(": ")
        if colon and label in ("Command", "Data", "Time", "Expected"):
            shown = f"`{rest}`" if label == "Command" else rest
            lines.append(f"- **{label}**: {shown}")
        elif line.startswith("    "):
            lines.append("  " + line.strip())
        else:
            lines.append(line)
    return lines


def main(folder: str) -> None:
    """Write every page into a folder."""
    for name, text in pages().items():
        write_file(Path(folder) / name, text)


if __name__ == "__main__":
    main(*sys.argv[1:])
