"""The report of a captioner: its scores, and pictures with what it and people say of them."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lrcn.data.images import is_photo_path, read_image
from lrcn.errors import LrcnError, ResultsError
from lrcn.evaluate.caption_results import newest_caption_results, newest_retrieval_results
from lrcn.evaluate.captions import CaptionResult, CaptionResults
from lrcn.evaluate.retrieval import RetrievalResults
from lrcn.report import figures
from lrcn.report.log import Curve, curves_of, read_log
from lrcn.report.markup import definitions, details, figure, paragraph, section, table, text
from lrcn.report.page import page, write_page
from lrcn.report.retrieval import retrieval_section
from lrcn.report.strips import film_strip
from lrcn.video.features import is_feature_path
from lrcn.video.source import is_video_path

NAMES = {
    "accuracy_exact": "exactly true",
    "cider_d": "CIDEr-D",
    "bleu_4": "BLEU-4",
    "meteor": "METEOR",
    "rouge_l": "ROUGE-L",
    "cider": "CIDEr",
    "bleu_1": "BLEU-1",
    "bleu_2": "BLEU-2",
    "bleu_3": "BLEU-3",
}
"""Result keys, and what people call them; the first four that there are, are shown large."""

_NAVIGATION = (
    ("models", "Models"),
    ("scores", "Scores"),
    ("best", "Best"),
    ("worst", "Worst"),
    ("sentences", "Sentences"),
    ("retrieval", "Retrieval"),
    ("training", "Training"),
    ("files", "Files"),
    ("protocol", "Protocol"),
)
_NUM_CARDS = 12
_THUMBNAIL_PX = 320


@dataclass(frozen=True, kw_only=True)
class CaptionRun:
    """One captioner's part of a report. Everything but the name may be absent."""

    name: str
    results: CaptionResults | None = None
    retrieval: RetrievalResults | None = None
    curves: Mapping[str, Mapping[str, Curve]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    """What the watch over collapsing sentences said in training."""
    experiment: str = ""


def load_caption_run(run_dir: Path) -> CaptionRun:
    """Gather what a run folder holds.

    Raises:
        ResultsError: it has neither results nor a log, or the results are damaged.
    """
    results = newest_caption_results(run_dir)
    retrieval = newest_retrieval_results(run_dir)
    log = read_log(run_dir / "log.jsonl")
    curves = curves_of(log)
    curves.pop("accuracy", None)  # of single words; CIDEr-D says more
    if results is None and retrieval is None and not curves:
        raise ResultsError(
            f"{run_dir} holds neither results nor a training log; a report needs a run folder."
            " Train one with `lrcn train`, and measure it with `lrcn evaluate`"
        )
    experiment = run_dir / "experiment.yaml"
    return CaptionRun(
        name=run_dir.resolve().name,
        results=results,
        retrieval=retrieval,
        curves=curves,
        warnings=tuple(
            f"epoch {entry.get('epoch', -1) + 1}: {entry['warning']}"
            for entry in log
            if entry.get("warning")
        ),
        experiment=experiment.read_text("utf-8", "replace") if experiment.is_file() else "",
    )


def build_caption_report(
    runs: Sequence[CaptionRun], out: Path, *, title: str | None = None
) -> Path:
    """Write the report; the last run is the one that it is about.

    Raises:
        OutputError: it cannot be written.
    """
    main = runs[-1]
    results = main.results
    parts = [_models(runs)]
    if results is None:
        numbers = paragraph("Not measured yet: run lrcn evaluate, then lrcn report again.", "lead")
    else:
        numbers = paragraph(_protocol_words(results), "lead") + _warnings(results) + _cards(results)
        parts += [_scores(results), *_pictures(results), _sentences(results)]
    if main.retrieval is not None:
        parts.append(retrieval_section(main.retrieval))
    parts.append(_training(runs))
    if results is not None:
        parts.append(_files(results))
    parts.append(_conditions(main))
    return write_page(
        out, page(parts, _NAVIGATION, title=title or main.name, intro="", numbers=numbers)
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _interval(results: CaptionResults, key: str) -> str:
    found = results.intervals.get(key)
    return "" if found is None else f"{found[0]:.3f} to {found[1]:.3f}"


def _cards(results: CaptionResults) -> str:
    keys = [key for key in NAMES if key in results.metrics][:4]
    cards = [
        f'<div class="card{" main" if i == 0 else ""}"><b>{_number(results.metrics[key])}</b>'
        f"<span>{NAMES[key]}</span>"
        f"<span>{_interval(results, key)} <small>95 % interval</small></span></div>"
        for i, key in enumerate(keys)
    ]
    return f'<div class="cards">\n{"".join(cards)}\n</div>'


def _protocol_words(results: CaptionResults) -> str:
    p = results.protocol
    where = "all of the data" if p.split == "all" else f"its {p.split} part ({p.split_how})"
    search = p.decoding
    how = f"{search.get('method')} search"
    if search.get("method") == "beam":
        how = f"beam search of width {search.get('beam_size')}"
        if search.get("length_penalty"):
            how += f", length exponent {search['length_penalty']:g}"
    return (
        f"{p.num_items} {p.media}s of {p.data}: {where}, with {p.num_references} human sentences."
        f" Sentences are found by {how} and scored as coco-caption does;"
        f" document frequencies from {p.document_frequencies}."
    )


def _warnings(results: CaptionResults) -> str:
    p = results.protocol
    found = [*p.warnings, *(f"{name} is left out: {why}" for name, why in p.left_out.items())]
    if p.num_skipped:
        found.append(f"{p.num_skipped} files were left out")
    if not found:
        return ""
    words = "; ".join(dict.fromkeys(word.rstrip(".") for word in found))
    return f'<div class="warning" role="note"><b>⚠ Mind this:</b> {text(words)}.</div>'


def _models(runs: Sequence[CaptionRun]) -> str:
    """Several captioners beside each other."""
    measured = [(run, run.results) for run in runs if run.results is not None]
    if len(measured) < 2:
        return ""
    keys = [key for key in NAMES if any(key in r.metrics for _, r in measured)][:4]
    rows = [
        (
            text(run.name),
            text(f"{r.protocol.model_kind}, {r.protocol.backbone}"),
            _interval(r, "cider_d"),
            *(_number(r.metrics.get(key)) for key in keys),
        )
        for run, r in measured
    ]
    values = [r.metrics.get("cider_d", 0.0) for _, r in measured]
    head = ("model", "network", "CIDEr-D, 95 % interval", *(NAMES[key] for key in keys))
    note = ""
    if len({r.protocol.list_hash for _, r in measured}) > 1:
        note = paragraph("These models were not measured on the same items.", "note")
    body = table(head, rows, numbers=range(3, 3 + len(keys)), best=values.index(max(values)))
    return section("models", "Models", body, note)


def _scores(results: CaptionResults) -> str:
    rows = [
        (name, _number(results.metrics[key]), _interval(results, key))
        for key, name in NAMES.items()
        if key in results.metrics
    ]
    note = paragraph(
        f"Intervals: {results.protocol.interval_method}. On few items CIDEr-D depends on which"
        " ones, since rare words are rare among their references.",
        "note",
    )
    return section("scores", "Scores", table(("score", "value", "95 %"), rows, numbers=(1,)), note)


def _pictures(results: CaptionResults) -> list[str]:
    """The items with the best and the worst sentences; none of them twice."""
    key = "cider_d" if all("cider_d" in c.scores for c in results.captions) else "rouge_l"
    if not all(key in c.scores for c in results.captions):
        return []
    ranked = sorted(results.captions, key=lambda c: (-c.scores[key], c.item_id))
    number = min(_NUM_CARDS, -(-len(ranked) // 2))
    best, worst = ranked[:number], ranked[number:][::-1][:number]
    lead = paragraph(
        f"Ranked by the {NAMES[key]} of the generated sentence, which stands first; below it what"
        " people wrote.",
        "note",
    )
    kind = "clips photos" if results.protocol.media == "image" else "clips"
    return [
        section(part, title, lead, f'<div class="{kind}">\n{"".join(cards)}\n</div>')
        for part, title, cards in (
            ("best", "Best sentences", [_card(one, key) for one in best]),
            ("worst", "Worst sentences", [_card(one, key) for one in worst]),
        )
        if cards
    ]


def _card(one: CaptionResult, key: str) -> str:
    source = _thumbnail(one.path)
    if source is None:
        shown = '<div class="noframes">The picture cannot be shown.</div>'
    else:
        shown = f'<img src="{source}" alt="{text(one.caption)}">'
    people = "".join(f"<li>{text(sentence)}</li>" for sentence in one.references)
    return (
        f'<article class="clip">{shown}<div><b>{text(one.caption) or "(nothing)"}</b>'
        f'<div class="note">{NAMES[key]} {_number(one.scores[key])},'
        f" log-probability {one.log_prob:.2f}</div>"
        f'<ul class="note">{people}</ul><div class="name">{text(one.item_id)}</div></div></article>'
    )


def _thumbnail(path: str) -> str | None:
    """A small JPEG as data URI; frames of a video; None if there is nothing to see."""
    if is_feature_path(path):
        return None
    if Path(path).is_dir() or (is_video_path(path) and not is_photo_path(path)):
        return film_strip(path)
    from PIL import Image

    try:
        pixels_CHW = read_image(path, for_px=_THUMBNAIL_PX)
    except (LrcnError, OSError):
        return None
    picture = Image.fromarray(pixels_CHW.permute(1, 2, 0).contiguous().numpy())
    picture.thumbnail((2 * _THUMBNAIL_PX, _THUMBNAIL_PX))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _sentences(results: CaptionResults) -> str:
    """Whether it looks at the picture: how many sentences differ, and which come most often."""
    counts = Counter(c.caption for c in results.captions)
    lengths = [len(c.caption.split()) for c in results.captions]
    human = [len(r.split()) for c in results.captions for r in c.references]
    about = definitions(
        {
            "different sentences": f"{len(counts)} of {len(results.captions)}",
            "words in a sentence": f"{sum(lengths) / max(len(lengths), 1):.1f}",
            "words in a human one": f"{sum(human) / max(len(human), 1):.1f}",
            "different words": str(len({w for c in counts for w in c.split()})),
            "sentences with <unk>": str(sum("<unk>" in c.caption for c in results.captions)),
        }
    )
    rows = [(text(words), str(count)) for words, count in counts.most_common(10)]
    often = details(
        "The sentences said most often", table(("sentence", "times"), rows, numbers=(1,))
    )
    return section("sentences", "What the sentences look like", about, often)


def _training(runs: Sequence[CaptionRun]) -> str:
    parts = []
    logged = [run for run in runs if run.curves]
    for i, run in enumerate(logged):
        if len(logged) > 1:
            parts.append(f"<h3>{text(run.name)}</h3>")
        parts.append(figure(figures.training_curves(run.curves, f"curves{i}"), wide=True))
        if run.warnings:
            lines = "".join(f"<li>{text(line)}</li>" for line in run.warnings)
            parts.append(f"<h3>The watch over the sentences said</h3><ul>{lines}</ul>")
    return section("training", "Training", *parts)


def _files(results: CaptionResults) -> str:
    if not results.skipped:
        return ""
    lines = "".join(
        f"<li><code>{text(f'{file.path}: {file.reason}')}</code></li>" for file in results.skipped
    )
    return section("files", "Files that were left out", f'<ul class="files">{lines}</ul>')


def _conditions(run: CaptionRun) -> str:
    parts = []
    if run.results is not None:
        pairs = {
            name.replace("_", " "): _words(v) for name, v in vars(run.results.protocol).items()
        }
        parts.append(paragraph(_protocol_words(run.results)))
        parts.append(details("The protocol in full", definitions(pairs)))
    if run.experiment:
        parts.append(
            details("The settings of the run", f"<pre><code>{text(run.experiment)}</code></pre>")
        )
    return section("protocol", "How it was measured", *parts)


def _words(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_words(v)}" for name, v in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(_words(v) for v in value)
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
