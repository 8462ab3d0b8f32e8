"""The pages that are made from the code: commands, settings, recipes, the paper row by row.

`python -m lrcn.cli.reference docs/reference` writes them; a test says when they are stale.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lrcn.cli.main import COMMANDS, GROUP_HELP, HELP
from lrcn.cli.output import write_file
from lrcn.cli.parser import make_app, reference
from lrcn.cli.settings import all_settings, by_part, flag_of, show_default, world_settings

if TYPE_CHECKING:
    from lrcn.recipes.rows import PaperRow

_MADE = "<!-- Made by `python -m lrcn.cli.reference docs/reference`; change the code instead. -->"


def pages() -> dict[str, str]:
    """Path from `docs/reference` → content of every page."""
    return {
        "cli.md": commands_page(),
        "settings.md": settings_page(),
        "recipes.md": recipes_page(),
        "../paper-row-by-row.md": rows_page(),
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
        "Those of `world` and `picture` belong to `lrcn data make`.",
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
    from lrcn.recipes import all_recipes

    lines = [
        "# Recipes",
        "",
        _MADE,
        "",
        "`lrcn recipes` lists them; `lrcn recipes NAME --yaml` prints the settings of one.",
    ]
    for name, function in all_recipes().items():
        module = inspect.getmodule(function)
        source = module.__name__.replace(".", "/") if module else ""
        text = inspect.getdoc(function) or ""
        lines += ["", f"## {name}", "", *_as_markdown(text), "", f"Source: `src/{source}.py`."]
    return "\n".join(lines) + "\n"


_ROWS_INTRODUCTION = """
Every system and study of the paper: what to type, what was published, what was run where this
program was written, and what could not be.
`lrcn recipes` lists the rows, `lrcn recipes A6` shows one.
Settings, and where they deviate from the original, stand with the [recipes](reference/recipes.md).
"CVPR" is the conference paper of 2015, "journal" the version of 2016 (arXiv 1411.4389v4).
Scores are fractions.
"""

_PARTS = {
    "A": """## Activity recognition

UCF101 is a folder as downloaded: `UCF-101/` with the videos beside `ucfTrainTestlist/` with the
official lists.
Commands are run from the folder that UCF101 lies in, in the order of this page: later ones use
the `models/`, `runs/` and `results/` of earlier ones.
All train on fold 1; for the mean of three folds add `--fold 2` and `--fold 3` to `lrcn train`, and
write to other folders.
How videos become answers is told by [the paper's protocol](guides/paper-protocol.md).
""",
    "C": """## Image description

COCO is a folder with `train2014/`, `val2014/` and `test2014/` as downloaded, FLICKR30K one with
the photos; `dataset_coco.json` and `dataset_flickr30k.json` are Karpathy's lists.
Later commands use the `models/` and `runs/` of earlier ones.
[Describe photos](guides/captioning.md), [decoding](guides/decoding.md) and
[retrieval](guides/retrieval.md) tell what the commands do.
""",
    "V": """## Video description

The paper's own data, TACoS multilevel with the predictions of a CRF, are not public; the commands
are for MSVD. See [describing videos](guides/describing-videos.md).
""",
}
"""First letter of a row → what stands before its part; M1 goes with the A rows."""


def rows_page() -> str:
    """The paper's rows: commands, what was published, what was run here and what was not."""
    from lrcn.recipes import all_rows

    rows = all_rows()
    lines = ["# The paper, row by row", "", _MADE, _ROWS_INTRODUCTION.rstrip(), ""]
    lines += ["| row | what it is | recipes | published |", "|---|---|---|---|"]
    for name, row in rows.items():
        recipes = ", ".join(f"`{recipe}`" for recipe in row.recipes) or "none"
        scores = "; ".join(f"{key}: {value:.4f}" for key, value in row.expected.items())
        lines.append(f"| {name} | {row.title} | {recipes} | {scores or 'no number'} |")
    part = ""
    for name, row in rows.items():
        if name[0] in _PARTS and name[0] != part:
            part = name[0]
            lines += ["", _PARTS[part].rstrip()]
        lines += _row_text(name, row)
    return "\n".join(lines) + "\n"


def _row_text(name: str, row: PaperRow) -> list[str]:
    lines = ["", f"### {name}: {row.title}", "", "```sh", *row.commands, "```"]
    if row.expected:
        lines += ["", "| published | score |", "|---|---|"]
        lines += [f"| {key} | {value:.4f} |" for key, value in row.expected.items()]
    facts = [f"- **Published**: {row.published}"] if row.published else []
    facts += [f"- **Note**: {row.notes}"] if row.notes else []
    facts += [f"- **Run here**: {row.here}.", f"- **Not here**: {row.not_here}."]
    return [*lines, "", *facts]


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
