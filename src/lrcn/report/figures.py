"""Pictures of the report: matplotlib draws, the page's own colours and fonts are put in.

Figures are SVG inside the page, not images beside it: text stays text, and colours are CSS
variables, so that the light, the dark and the printed page each have their own.
"""

from __future__ import annotations

import io
import itertools
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lrcn.evaluate.results import ClassResult, Highlight, VideoResult
from lrcn.report.log import Curve
from lrcn.report.markup import clean
from lrcn.report.markup import text as escaped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK, _MUTED, _GRID = "#010101", "#020202", "#030303"
_SERIES = ("#040400", "#040401", "#040402", "#040403", "#040404", "#040405")
_THEME = {
    _INK: "var(--ink)",
    _MUTED: "var(--muted)",
    _GRID: "var(--grid)",
    **{color: f"var(--s{i})" for i, color in enumerate(_SERIES)},
}
"""Colours that nobody would choose, and what stands in the page for each."""
_DASHES = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))
_HATCHES = ("", "////", "....", "xxxx", "----", "oooo")
_RC = {
    "svg.fonttype": "none",
    "svg.hashsalt": "lrcn",
    "text.parse_math": False,
    "font.size": 10,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _MUTED,
    "axes.titlecolor": _INK,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "text.color": _INK,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "hatch.color": _GRID,
    "hatch.linewidth": 0.7,
}
_ids = re.compile(r'(\bid="|href="#|url\(#)')
_colors = re.compile(r'((?:fill|stroke)(?:: |="))(#0[1-4]0[1-4]0[0-5])\b')
_fonts = re.compile(r"font: ([^;\"']*?)'[^;\"]*?(?=[;\"])")


def _svg(figure: Figure, key: str, alt: str) -> str:
    """The figure as an `<svg>` element for the page.

    Args:
        figure: matplotlib's.
        key: put before every id, so that figures of one page do not meet.
        alt: what a reader who does not see it should know.
    """
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # The page's font draws the text; what glyphs matplotlib's own has is of no matter.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    # Its style sheet would hold for the whole page.
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r'\s(xmlns(:\w+)?|version)="[^"]*"', "", text)
    text = text.replace("xlink:href", "href")
    text = _ids.sub(rf"\g<1>{key}-", text)
    text = _fonts.sub(r"font: \1inherit", text)
    text = _colors.sub(lambda found: found[1] + _THEME.get(found[2], found[2]), text)
    label = escaped(alt)
    return text.replace("<svg", f'<svg role="img" aria-label="{label}"', 1).strip()


def _draw(
    paint: Callable[[Figure], None], key: str, alt: str, *, width: float, height: float
) -> str:
    """Make a figure of so many inches, paint it, return it for the page."""
    import matplotlib as mpl
    from matplotlib.figure import Figure as NewFigure

    with mpl.rc_context(_RC):
        figure = NewFigure(figsize=(width, height), layout="constrained")
        paint(figure)
        return _svg(figure, key, alt)


def training_curves(curves: Mapping[str, Mapping[str, Curve]], key: str) -> str:
    """Panels side by side, one for each kind of number, lines over update steps.

    Args:
        curves: panel title → line name → points.
        key: unique in the page.
    """

    def paint(figure: Figure) -> None:
        for i, (title, lines) in enumerate(curves.items()):
            axes: Axes = figure.add_subplot(1, len(curves), i + 1)
            axes.set_title(title)
            axes.set_xlabel("update step")
            for (name, curve), color, dash in zip(lines.items(), _SERIES, _DASHES, strict=False):
                marker = "o" if len(curve.values) < 12 else ""
                axes.plot(
                    curve.steps, curve.values, linestyle=dash, color=color, label=name, lw=1.8,
                    marker=marker, ms=4,
                )  # fmt: skip
            if title == "accuracy":
                axes.set_ylim(-0.02, 1.02)
                axes.yaxis.set_major_formatter(_percent)
            elif title == "loss":
                axes.set_ylim(bottom=0)
            if len(lines) > 1:
                axes.legend(frameon=False, fontsize=9, labelcolor=_INK)

    ends = "; ".join(
        f"{title}, {name}: {curve.values[0]:.3g} to {curve.values[-1]:.3g}"
        for title, lines in curves.items()
        for name, curve in lines.items()
    )
    return _draw(paint, key, f"Training curves. {ends}", width=10.2, height=2.9)


def class_bars(models: Mapping[str, Sequence[ClassResult]], key: str) -> str:
    """A bar for each class and model, with its interval and its number."""
    names = [c.class_name for c in next(iter(models.values()))]
    num_models = len(models)
    thick = 0.8 / num_models

    def paint(figure: Figure) -> None:
        axes: Axes = figure.add_subplot()
        for m, (model, classes) in enumerate(models.items()):
            places = np.arange(len(names)) + (m - (num_models - 1) / 2) * thick
            values = [c.recall or 0.0 for c in classes]
            axes.barh(
                places, values, height=thick * 0.86, color=_SERIES[m % 6], alpha=0.85,
                hatch=_HATCHES[m % 6], label=_label(model),
            )  # fmt: skip
            for place, c in zip(places, classes, strict=True):
                _class_number(axes, place, c)
        axes.set_yticks(range(len(names)), [_label(name) for name in names], color=_INK)
        axes.invert_yaxis()
        axes.set_ylim(len(names) - 0.45, -0.55)
        axes.set_xlim(0, 1.17)
        axes.set_xticks(np.linspace(0, 1, 6))
        axes.xaxis.set_major_formatter(_percent)
        axes.grid(visible=False, axis="y")
        axes.tick_params(length=0)
        if num_models > 1:
            axes.legend(
                frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(0, 1), ncols=num_models
            )

    height = 0.7 + len(names) * max(0.3, 0.2 * num_models)
    parts = [
        f"{model}: " + ", ".join(f"{c.class_name} {_share(c.recall)}" for c in classes)
        for model, classes in models.items()
    ]
    alt = "Accuracy of each class. " + ". ".join(parts)
    return _draw(paint, key, alt, width=10.2, height=height)


def _class_number(axes: Axes, place: float, c: ClassResult) -> None:
    if c.recall is None or c.recall_interval is None:
        axes.text(0.01, place, "no videos", va="center", fontsize=8.5, color=_MUTED)
        return
    low, high = c.recall_interval
    axes.plot([low, high], [place, place], color=_INK, lw=1.1, alpha=0.75)
    axes.plot([low, high], [place, place], "|", color=_INK, ms=5, alpha=0.75)
    axes.text(1.16, place, _share(c.recall), va="center", ha="right", fontsize=9)


def frame_curves(highlight: Highlight, truth: Sequence[str], key: str) -> str:
    """Probabilities of the followed classes over the time of one video."""
    order = sorted(
        range(len(highlight.class_names)),
        key=lambda i: (highlight.class_names[i] not in truth, -float(np.mean(highlight.probs[i]))),
    )

    def paint(figure: Figure) -> None:
        axes: Axes = figure.add_subplot()
        for place, i in enumerate(order):
            name = highlight.class_names[i]
            true = name in truth
            axes.plot(
                highlight.pts_seconds,
                highlight.probs[i],
                linestyle=_DASHES[place % 6],
                color=_SERIES[place % 6],
                lw=2.4 if true else 1.4,
                label=_label(f"{name} (truth)" if true else name),
                marker="o" if len(highlight.pts_seconds) == 1 else "",
            )
        axes.set_ylim(-0.03, 1.03)
        axes.set_yticks([0, 0.5, 1])
        axes.yaxis.set_major_formatter(_percent)
        axes.margins(x=0)
        axes.set_xlabel("seconds", fontsize=9)
        axes.legend(
            frameon=False, fontsize=8.5, loc="lower left", bbox_to_anchor=(0, 1), ncols=2,
            borderpad=0, handlelength=2.4,
        )  # fmt: skip

    means = ", ".join(
        f"{highlight.class_names[i]} {_share(float(np.mean(highlight.probs[i])))}" for i in order
    )
    alt = f"Probabilities over {highlight.pts_seconds[-1]:.1f} seconds; means: {means}"
    return _draw(paint, key, alt, width=5.2, height=2.3)


def reliability(videos: Sequence[VideoResult], key: str, *, num_bins: int = 10) -> str:
    """How often the answer is right, for answers of about equal probability."""
    probs = np.array([v.prob for v in videos])
    right = np.array([v.correct for v in videos], dtype=float)
    bins = np.clip(np.ceil(probs * num_bins).astype(int) - 1, 0, num_bins - 1)
    found = [(b, np.flatnonzero(bins == b)) for b in range(num_bins)]
    filled = [(b, rows) for b, rows in found if len(rows)]

    def paint(figure: Figure) -> None:
        left, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        left.plot([0, 1], [0, 1], ":", color=_MUTED, lw=1.2, label="perfectly calibrated")
        left.plot(
            [probs[rows].mean() for _, rows in filled],
            [right[rows].mean() for _, rows in filled],
            "o-", color=_SERIES[0], lw=1.8, ms=5, label="this model",
        )  # fmt: skip
        left.set_ylabel("share right")
        left.yaxis.set_major_formatter(_percent)
        left.set_ylim(-0.03, 1.05)
        left.legend(frameon=False, fontsize=9, loc="upper left")
        counts = [len(rows) for _, rows in found]
        below.bar((np.arange(num_bins) + 0.5) / num_bins, counts, 0.85 / num_bins, color=_SERIES[5])
        below.set_ylabel("videos")
        below.set_xlabel("probability of the answer")
        below.xaxis.set_major_formatter(_percent)
        below.set_xlim(0, 1)

    points = "; ".join(
        f"said {_share(probs[rows].mean())}, right {_share(right[rows].mean())} of {len(rows)}"
        for _, rows in filled
    )
    return _draw(paint, key, f"Calibration. {points}", width=4.6, height=3.5)


def confusion_map(matrix: Sequence[Sequence[int]], key: str) -> str:
    """Many classes: a picture without names, darker where more of a class's videos went."""
    counts = np.array(matrix, dtype=float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    def paint(figure: Figure) -> None:
        axes: Axes = figure.add_subplot()
        axes.set_aspect("equal")
        axes.grid(visible=False)
        rows, columns = np.nonzero(shares)
        side = 0.92
        for i, j in itertools.zip_longest(rows, columns):
            axes.fill(
                [j, j + side, j + side, j], [i, i, i + side, i + side],
                color=_SERIES[0], alpha=max(0.12, float(shares[i, j])), lw=0,
            )  # fmt: skip
        axes.set_xlim(0, len(counts))
        axes.set_ylim(len(counts), 0)
        axes.set_xlabel("predicted class, by number")
        axes.set_ylabel("true class, by number")

    right = float(np.trace(counts) / max(counts.sum(), 1))
    alt = f"Confusion matrix of {len(counts)} classes; {_share(right)} of videos on the diagonal"
    return _draw(paint, key, alt, width=7.5, height=7.5)


def _label(name: str) -> str:
    """A user's name as matplotlib takes it: in one line, and not hidden by a leading "_"."""
    shown = " ".join(clean(name).split())
    return f"\u200b{shown}" if shown.startswith("_") else shown


def _percent(value: float, place: Any = None) -> str:
    del place
    return f"{100 * value:.0f} %"


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:.1f} %"
