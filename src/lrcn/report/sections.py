"""The parts of the page, each from the results alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lrcn.evaluate.results import (
    ClassResult,
    EvaluationProtocol,
    Results,
)
from lrcn.report import figures
from lrcn.report.markup import (
    between,
    definitions,
    details,
    figure,
    paragraph,
    percent,
    range_bar,
    section,
    table,
    text,
)
from lrcn.report.run import ReportRun

_MAX_NAMED_CLASSES = 20
"""A confusion matrix of more classes is a picture, with its largest entries named."""
_MAX_BARS = 40


def headline(results: Results) -> str:
    """The numbers, as cards."""
    metrics, intervals = results.metrics, results.intervals
    names = {
        "accuracy_top1": "of videos right",
        "mean_average_precision": "mean average precision",
        "f1_micro": "F1 over all labels",
        "f1_macro": "F1, mean of classes",
        "accuracy_exact": "of videos with every label right",
        "accuracy_top5": "true class among the first five",
        "mean_class_accuracy": "right, mean of classes",
        "frame_accuracy": "of frames right in long videos",
        "segment_f1": "segment F1 at IoU 0.5",
    }
    shown = [key for key in names if metrics.get(key) is not None]
    cards = []
    for i, key in enumerate(shown):
        interval = between(intervals.get(key))
        note = f"<span>{interval} <small>95 % interval</small></span>" if interval else ""
        main = " main" if i == 0 else ""
        cards.append(
            f'<div class="card{main}"><b>{percent(metrics[key])}</b>'
            f"<span>{text(names[key])}</span>{note}</div>"
        )
    return f'<div class="cards">\n{"".join(cards)}\n</div>'


def protocol_words(p: EvaluationProtocol) -> str:
    """How it was measured, in two sentences."""
    where = "all of the data" if p.split == "all" else f"its {p.split} part ({p.split_how})"
    rate = f", thinned to {p.sample_fps:g} frames a second" if p.sample_fps else ""
    rate += f", every {p.frame_stride}. frame" if p.frame_stride > 1 else ""
    crops = "the centre crop" if p.num_crops == 1 else f"{p.num_crops} crops"
    if p.protocol != "whole_video":
        twice = "" if p.protocol == "clips" else f" and counted twice, as {p.protocol} does"
        how = (
            f"Clips of {p.clip_length} frames, one every {p.clip_stride} frames and the last one"
            f" aligned to the end{twice}{rate}, {crops};"
            " probabilities are averaged over steps, clips and crops."
        )
    else:
        how = (
            f"Whole videos in one pass with the state carried{rate}, {crops};"
            " probabilities are averaged over steps."
        )
    return f"{p.num_videos} videos of {p.data}: {where}. {how}"


def warnings(results: Results) -> str:
    """What a reader must know before the numbers."""
    p = results.protocol
    found = list(p.warnings)
    if p.allow_leaks:
        found.append("the same group or file was allowed on both sides of the split")
    if p.num_skipped:
        files = "1 file was" if p.num_skipped == 1 else f"{p.num_skipped} files were"
        found.append(f"{files} left out, listed below")
    if not found:
        return ""
    words = "; ".join(dict.fromkeys(found))
    return f'<div class="warning" role="note"><b>⚠ Mind this:</b> {text(words)}.</div>'


def models_table(runs: Sequence[ReportRun]) -> str:
    """Models beside each other."""
    measured = [(run, run.results) for run in runs if run.results is not None]
    if len(measured) < 2:
        return ""
    key = "mean_average_precision" if measured[0][1].protocol.multi_label else "accuracy_top1"
    values = [r.metrics.get(key) or 0.0 for _, r in measured]
    rows = [
        (
            text(run.name),
            text(f"{r.protocol.model_kind}, {r.protocol.backbone}"),
            percent(r.metrics.get(key)),
            between(r.intervals.get(key)),
            range_bar(r.metrics.get(key), r.intervals.get(key)),
            percent(r.metrics.get("mean_class_accuracy")),
            percent(r.metrics.get("frame_accuracy")),
        )
        for run, r in measured
    ]
    head = (
        "model", "network", "accuracy" if key == "accuracy_top1" else "mAP", "95 % interval",
        "0 to 100 %", "mean of classes", "frames",
    )  # fmt: skip
    note = ""
    if len({(r.protocol.list_hash, r.protocol.protocol) for _, r in measured}) > 1:
        note = paragraph("These models were not measured on the same videos and protocol.", "note")
    body = table(head, rows, numbers=(2, 5, 6), best=values.index(max(values)))
    return section("models", "Models", body, note)


def training(runs: Sequence[ReportRun]) -> str:
    """Curves of every run that has a log."""
    parts = []
    logged = [run for run in runs if run.curves]
    for i, run in enumerate(logged):
        if len(logged) > 1:
            parts.append(f"<h3>{text(run.name)}</h3>")
        parts.append(figure(figures.training_curves(run.curves, f"curves{i}"), wide=True))
    return section("training", "Training", *parts)


def classes(runs: Sequence[ReportRun], results: Results) -> str:
    """Bars of each class, and everything about it in a table."""
    models: dict[str, Sequence[ClassResult]] = {
        run.name: run.results.per_class
        for run in runs
        if run.results is not None and run.results.class_names == results.class_names
    }
    note = ""
    names = [c.class_name for c in results.per_class]
    if len(names) > _MAX_BARS:
        order = sorted(range(len(names)), key=lambda k: _recall_rank(results.per_class[k]))
        chosen = order[: _MAX_BARS // 2] + order[-_MAX_BARS // 2 :]
        models = {model: [found[k] for k in chosen] for model, found in models.items()}
        note = paragraph(
            f"The {_MAX_BARS // 2} worst and the {_MAX_BARS // 2} best of {len(names)} classes"
            " are drawn; the table has all.",
            "note",
        )
    rows = [
        (
            text(c.class_name),
            str(c.num_videos),
            percent(c.recall),
            between(c.recall_interval),
            percent(c.precision),
            percent(c.f1),
            *([percent(c.average_precision)] if results.protocol.multi_label else []),
        )
        for c in results.per_class
    ]
    head = ["class", "videos", "found (recall)", "95 % interval", "precision", "F1"]
    if results.protocol.multi_label:
        head.append("average precision")
    lead = paragraph(
        "Share of each class's videos that were found. The thin line is the 95 % interval"
        " (Wilson's): with few videos it is wide.",
        "note",
    )
    return section(
        "classes",
        "Classes",
        lead,
        note,
        figure(figures.class_bars(models, "bars"), wide=True),
        details("All numbers of all classes", table(head, rows, numbers=(1, 2, 4, 5, 6))),
    )


def _recall_rank(c: ClassResult) -> tuple[float, str]:
    return (2.0 if c.recall is None else c.recall, c.class_name)


def confusion(results: Results) -> str:
    """Which class is taken for which."""
    matrix, names = results.confusion, results.class_names
    if matrix is None:
        return ""
    lead = paragraph("Rows are the truth, columns the answer; numbers are videos.", "note")
    if len(names) > _MAX_NAMED_CLASSES:
        picture = figure(figures.confusion_map(matrix, "confusion"))
    else:
        picture = _confusion_table(matrix, names)
    mixed = sorted(
        (-matrix[i][j], names[i], names[j])
        for i in range(len(names))
        for j in range(len(names))
        if i != j and matrix[i][j]
    )
    if mixed:
        rows = [(text(a), text(b), str(-count)) for count, a, b in mixed[:8]]
        beside = "<h3>Most often confused</h3>" + table(
            ("truth", "taken for", "videos"), rows, numbers=(2,)
        )
    else:
        beside = paragraph("No video was taken for another class.")
    return section(
        "confusion", "Confusion", lead, f'<div class="pair">{picture}<div>{beside}</div></div>'
    )


def _confusion_table(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> str:
    head = "".join(f'<th scope="col"><span>{text(name)}</span></th>' for name in names)
    rows = []
    for i, row in enumerate(matrix):
        total = max(sum(row), 1)
        cells = []
        for j, count in enumerate(row):
            own = ' class="own"' if i == j else ""
            heat = f' style="background:rgba(var(--heat),{0.75 * count / total:.3f})"'
            cells.append(f"<td{own}{heat if count else ''}>{count if count else '·'}</td>")
        rows.append(f'<tr><th scope="row">{text(names[i])}</th>{"".join(cells)}</tr>')
    return (
        '<div class="scroll"><table class="confusion"><thead><tr><td></td>'
        f"{head}</tr></thead><tbody>\n{chr(10).join(rows)}\n</tbody></table></div>"
    )


def calibration(results: Results) -> str:
    """Whether the probabilities can be believed."""
    if results.protocol.multi_label:
        return ""
    ece, nll = results.metrics.get("ece"), results.metrics.get("nll")
    words = (
        "When the model says 80 %, is it right in 80 of 100 videos? Points on the dotted line are;"
        " points below it are promises that were not kept."
    )
    numbers = definitions(
        {
            "mean gap (ECE)": percent(ece),
            "negative log-likelihood": "" if nll is None else f"{nll:.3f}",
            "temperature of the logits": f"{results.protocol.temperature:.3g}",
        }
    )
    picture = figure(figures.reliability(results.videos, "reliability"))
    return section(
        "calibration",
        "Calibration",
        f'<div class="pair">{picture}<div>{paragraph(words)}{numbers}</div></div>',
    )


def files(results: Results) -> str:
    """Files that were left out or end early."""
    parts = []
    for title, lines in (
        ("Left out", [f"{s.path}: {s.reason}" for s in results.skipped]),
        ("Truncated, used as far as they go", list(results.truncated)),
    ):
        if lines:
            items = "".join(f"<li><code>{text(line)}</code></li>" for line in lines)
            parts.append(f'<h3>{title} ({len(lines)})</h3><ul class="files">{items}</ul>')
    return section("files", "Files with faults", *parts)


def conditions(run: ReportRun) -> str:
    """The protocol in full, the settings, the machine."""
    parts = []
    if run.results is not None:
        p = run.results.protocol
        parts.append(paragraph(protocol_words(p)))
        flat = {
            name.replace("_", " "): _words(value)
            for name, value in vars(p).items()
            if name not in ("warnings", "versions", "preprocessing")
            and (name != "fusion" or value is not None)
        }
        versions = ", ".join(f"{name} {v}" for name, v in p.versions.items())
        preprocessing = ", ".join(f"{name} {_words(v)}" for name, v in p.preprocessing.items())
        every = {**flat, "preprocessing": preprocessing, "versions": versions}
        parts.append(details("The protocol in full", definitions(every)))
    if run.experiment:
        parts.append(
            details("The settings of the run", f"<pre><code>{text(run.experiment)}</code></pre>")
        )
    if run.environment:
        machine = {name.replace("_", " "): _words(v) for name, v in run.environment.items()}
        parts.append(details("Where it was trained", definitions(machine)))
    return section("protocol", "How it was measured", *parts)


def _words(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_words(v)}" for name, v in value.items())
    if isinstance(value, list | tuple):
        between = "; " if any(isinstance(v, Mapping) for v in value) else " "
        return between.join(_words(v) for v in value)
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
