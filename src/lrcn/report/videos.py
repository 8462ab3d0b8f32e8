"""Single videos: clips right and wrong with their frames; long videos with what happens when."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from lrcn.evaluate.results import Highlight, Results, SourceResult, VideoResult
from lrcn.report import figures
from lrcn.report.markup import details, figure, paragraph, percent, section, table, text
from lrcn.report.strips import film_strip
from lrcn.structures import Segment

_BAND_COLORS = (
    "#8fb8f2", "#f6b26b", "#93d3ae", "#c9aef0", "#f2a3c4", "#a9c0cb",
    "#e9d77a", "#f19f92", "#86d0d8", "#c8cf8a", "#d9b99b", "#b7b3e8",
)  # fmt: skip
"""Light enough for black letters on the light and on the dark page."""


def clips(results: Results) -> str:
    """The videos most often right and most wrong, with frames and probabilities over time."""
    videos = {video.key: video for video in results.videos}
    parts = []
    for kind, title in (("wrong", "Most wrong"), ("right", "Most often right")):
        cards = [
            _clip_card(highlight, videos[highlight.key], f"{kind}{i}")
            for i, highlight in enumerate(h for h in results.highlights if h.kind == kind)
            if highlight.key in videos
        ]
        if cards:
            parts.append(f'<h3>{title}</h3>\n<div class="clips">\n{"".join(cards)}\n</div>')
    if parts and not any(h.kind == "wrong" for h in results.highlights):
        parts.insert(0, paragraph("No video was wrong."))
    if parts:
        lead = (
            "Ranked by how many of a video's frames are right, then by how sure the answer is."
            " The curves are the probabilities frame by frame."
        )
        parts.insert(0, paragraph(lead, "note"))
    return section("clips", "Clips", *parts)


def _clip_card(highlight: Highlight, video: VideoResult, key: str) -> str:
    strip = film_strip(video.path, start_seconds=video.start_seconds, end_seconds=video.end_seconds)
    seconds = highlight.pts_seconds[-1] - highlight.pts_seconds[0]
    if strip is None:
        frames = '<div class="noframes">The frames cannot be shown: the file was not found.</div>'
    else:
        alt = f"Frames of {video.video_id} in order of time, over {seconds:.1f} seconds"
        frames = f'<img src="{strip}" alt="{text(alt)}">'
    mark, word = ("✓", "right") if video.correct else ("✗", "wrong")
    truth = "" if video.correct else f", truth <b>{text(video.class_name)}</b>"
    note = " (truncated file)" if video.truncated else ""
    if highlight.share_right is not None:
        note = f"; {percent(highlight.share_right)} of the frames right{note}"
    return (
        f'<article class="clip">{frames}<div>'
        f'<span class="verdict {word}">{mark} {word}:</span> said'
        f" <b>{text(video.predicted or 'none')}</b> ({percent(video.prob)}){truth}{note}"
        f'<div class="name">{text(video.key)}</div></div>'
        f"{figure(figures.frame_curves(highlight, _labels(video, highlight), key))}</article>"
    )


def _labels(video: VideoResult, highlight: Highlight) -> list[str]:
    """The true classes; several are joined by ";" unless a class is named so."""
    if video.class_name in highlight.class_names:
        return [video.class_name]
    return video.class_name.split(";")


def long_videos(sources: Sequence[SourceResult], class_names: Sequence[str]) -> str:
    """What happens when: truth above, answer below."""
    if not sources:
        return ""
    color = {n: _BAND_COLORS[k % len(_BAND_COLORS)] for k, n in enumerate(class_names)}
    lead = paragraph(
        "Each video went through the model once, frame by frame, with its state carried."
        " A predicted segment counts when its class is right and it overlaps the true one by half"
        " or more of their union.",
        "note",
    )
    shown = sources[:12]
    parts = [_source(source, color) for source in shown]
    if len(sources) > len(shown):
        parts.append(
            paragraph(f"{len(sources) - len(shown)} more are in the results file.", "note")
        )
    return section("long", "Long videos", lead, *parts)


def _source(source: SourceResult, color: Mapping[str, str]) -> str:
    end = max([source.end_seconds, *(s.end_seconds for s in source.true_segments), 1e-9])
    step = next(
        (s for s in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600) if end / s <= 10), end
    )
    ticks = [i * step for i in range(int(end / step) + 1)]
    marks = "".join(f'<span style="left:{100 * t / end:.2f}%">{t:g} s</span>' for t in ticks)
    rows = [
        (f"{s.start_seconds:.2f}", f"{s.end_seconds:.2f}", text(s.class_name), whose)
        for whose, found in (("truth", source.true_segments), ("answer", source.predicted_segments))
        for s in found
    ]
    return (
        f"<h3>{text(source.path)}</h3>"
        + paragraph(
            f"{percent(source.frame_accuracy)} of {source.num_labelled_frames} labelled frames"
            f" right, segment F1 {percent(source.segment_f1)}."
        )
        + '<div class="bands">'
        + _bands("truth", source.true_segments, end, color)
        + _bands("answer", source.predicted_segments, end, color)
        + "<span>agree</span>"
        + _agreement(source, end)
        + f'<span></span><div class="ticks" aria-hidden="true">{marks}</div></div>'
        + details(
            "The same as a table", table(("from", "to", "class", "whose"), rows, numbers=(0, 1))
        )
    )


def _bands(whose: str, segments: Sequence[Segment], end: float, color: Mapping[str, str]) -> str:
    """One band; where classes happen at the same time, as many as keep them apart."""
    lanes: list[list[Segment]] = [[]]
    for s in sorted(segments, key=lambda s: s.start_seconds):
        at = s.start_seconds + 1e-6
        lane = next((x for x in lanes if not x or x[-1].end_seconds <= at), None)
        if lane is None:
            lanes.append(lane := [])
        lane.append(s)
    names = [whose] + [""] * (len(lanes) - 1)
    return "".join(
        f"<span>{name}</span>{_band(whose, lane, end, color)}"
        for name, lane in zip(names, lanes, strict=True)
    )


def _band(whose: str, segments: Sequence[Segment], end: float, color: Mapping[str, str]) -> str:
    spans = "".join(
        f'<span style="left:{100 * s.start_seconds / end:.3f}%;'
        f"width:{100 * (s.end_seconds - s.start_seconds) / end:.3f}%;"
        f'background:{color.get(s.class_name, "#bbbbbb")}"'
        f' title="{text(f"{s.class_name}, {s.start_seconds:.1f} to {s.end_seconds:.1f} s")}">'
        f"{text(s.class_name)}</span>"
        for s in segments
    )
    label = "; ".join(
        f"{s.class_name} from {s.start_seconds:.1f} to {s.end_seconds:.1f} s" for s in segments
    )
    return f'<div class="band" role="img" aria-label="{text(f"{whose}: {label}")}">{spans}</div>'


def _agreement(source: SourceResult, end: float) -> str:
    """A thin band, marked where the answer is the truth."""
    spans = []
    both = (*source.true_segments, *source.predicted_segments)
    times = sorted({t for s in both for t in (s.start_seconds, s.end_seconds)})
    for start, stop in itertools.pairwise(times):
        true, said = (
            {s.class_name for s in found if s.start_seconds <= start and stop <= s.end_seconds}
            for found in (source.true_segments, source.predicted_segments)
        )
        if true and said:
            same = true == said
            spans.append(
                f'<span style="left:{100 * start / end:.3f}%;'
                f"width:{100 * (stop - start) / end:.3f}%;"
                f'background:{"#9ad7b4" if same else "#f0a090"}">{"✓" if same else "✗"}</span>'
            )
    return f'<div class="band thin" aria-hidden="true">{"".join(spans)}</div>'
