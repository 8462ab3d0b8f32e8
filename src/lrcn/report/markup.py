"""HTML by small functions: whatever comes from a user is escaped here."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence

from lrcn.evaluate.results import Interval

_forbidden = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\ud800-\\udfff\\ufdd0-\\ufdef\\ufffe\\uffff]"
)
"""Control characters, halves of surrogate pairs, codes that stand for no character."""


def clean(value: object) -> str:
    """Anything as text, without the characters that HTML does not allow, escaped or not."""
    return _forbidden.sub("�", str(value))


def text(value: object) -> str:
    """Anything as text that is safe between tags and in quoted attributes."""
    return html.escape(clean(value), quote=True)


def section(key: str, title: str, *parts: str) -> str:
    """A titled part of the page; `key` is its anchor. Nothing without content."""
    body = "\n".join(part for part in parts if part)
    if not body:
        return ""
    return (
        f'<section id="{key}" aria-labelledby="{key}-title">\n'
        f'<h2 id="{key}-title">{text(title)}</h2>\n{body}\n</section>'
    )


def paragraph(words: str, kind: str = "") -> str:
    """A paragraph of plain words."""
    return f'<p class="{kind}">{text(words)}</p>' if kind else f"<p>{text(words)}</p>"


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Iterable[int] = (),
    best: int = -1,
) -> str:
    """A table whose cells are HTML already; the columns `numbers` stand to the right."""
    right = set(numbers)

    def cell(tag: str, place: int, content: str) -> str:
        attributes = ' class="num"' if place in right else ""
        scope = ' scope="col"' if tag == "th" else ""
        return f"<{tag}{scope}{attributes}>{content}</{tag}>"

    top = "".join(cell("th", i, text(name)) for i, name in enumerate(head))
    body = "\n".join(
        ('<tr class="best">' if r == best else "<tr>")
        + "".join(cell("td", i, content) for i, content in enumerate(row))
        + "</tr>"
        for r, row in enumerate(rows)
    )
    return (
        '<div class="scroll"><table class="wide"><thead><tr>'
        f"{top}</tr></thead><tbody>\n{body}\n</tbody></table></div>"
    )


def definitions(pairs: Mapping[str, object]) -> str:
    """Names and values; those without a value are left out."""
    rows = "\n".join(
        f"<dt>{text(name)}</dt><dd>{text(value)}</dd>"
        for name, value in pairs.items()
        if value not in (None, "")
    )
    return f"<dl>\n{rows}\n</dl>"


def details(summary: str, *parts: str) -> str:
    """Something that opens on a click."""
    return f"<details><summary>{text(summary)}</summary>\n{''.join(parts)}\n</details>"


def figure(picture: str, *, wide: bool = False) -> str:
    """A picture; a wide one scrolls on a narrow screen instead of shrinking."""
    return f'<figure class="wide">{picture}</figure>' if wide else f"<figure>{picture}</figure>"


def percent(value: float | None, digits: int = 1) -> str:
    """A fraction in percent, or a dash."""
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def between(interval: Interval | None) -> str:
    """An interval in percent, or nothing."""
    return "" if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f} %"


def range_bar(value: float | None, interval: Interval | None) -> str:
    """A value between 0 and 1 as a mark, its interval as a bar; the numbers stand beside it."""
    if value is None:
        return ""
    low, high = interval or (value, value)
    return (
        '<span class="range" aria-hidden="true">'
        f'<i style="left:{100 * low:.2f}%;width:{100 * (high - low):.2f}%"></i>'
        f'<em style="left:{100 * value:.2f}%"></em></span>'
    )
