"""The frame of every report: one HTML file that loads nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

from lrcn.errors import OutputError
from lrcn.report.markup import paragraph, text
from lrcn.version import __version__


def page(
    parts: Iterable[str],
    navigation: Sequence[tuple[str, str]],
    *,
    title: str,
    intro: str,
    numbers: str,
) -> str:
    """The page as text.

    Args:
        parts: Its sections.
        navigation: Key and name of sections; those that are there are linked.
        title: Of the page.
        intro: A sentence or two for readers, or nothing.
        numbers: HTML below it.
    """
    body = "\n".join(part for part in parts if part)
    links = "".join(
        f'<a href="#{key}">{name}</a>' for key, name in navigation if f'<section id="{key}"' in body
    )
    style = resources.files("lrcn.report").joinpath("style.css").read_text(encoding="utf-8")
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="lrcn {__version__}">
<title>{text(title)}</title>
<style>
{style}</style>
</head>
<body>
<header><div>
<h1>{text(title)}</h1>
{paragraph(intro, "lead") if intro else ""}
{numbers}
<nav aria-label="Sections">{links}</nav>
</div></header>
<main>
{body}
</main>
<footer><p>Made by lrcn {__version__}, {made}. This page is one file: it loads nothing.</p></footer>
</body>
</html>
"""


def write_page(out: Path, content: str) -> Path:
    """Write it whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        draft = out.with_name(f".{out.name}.{os.getpid()}")
        # A lone surrogate (a file name that is no UTF-8) was replaced already.
        draft.write_text(content, encoding="utf-8")
        draft.replace(out)
    except OSError as error:
        raise OutputError(
            f"the report cannot be written to {out}: {error.strerror or error}."
            " A place that may be written is needed; choose another"
        ) from error
    return out
