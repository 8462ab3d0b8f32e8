"""Retrieval by a captioner, as a section of its report."""

from __future__ import annotations

from lrcn.evaluate.retrieval import RetrievalResults
from lrcn.report.markup import paragraph, section, table

_COLUMNS = {
    "recall_at_1": "Recall@1",
    "recall_at_5": "Recall@5",
    "recall_at_10": "Recall@10",
    "median_rank": "median rank",
}
_WAYS = {
    "caption_to_image": "the photo of a sentence",
    "image_to_caption": "a sentence of a photo",
}


def retrieval_section(results: RetrievalResults) -> str:
    """Both directions with intervals, beside chance."""
    rows = []
    for way, name in _WAYS.items():
        keys = [f"{way}_{column}" for column in _COLUMNS]
        rows.append((name, *(f"{results.metrics[key]:.3f}" for key in keys)))
        bounds = [results.intervals[key] for key in keys]
        rows.append(("95 %", *(f"{low:.3f} to {high:.3f}" for low, high in bounds)))
        rows.append(("chance", *(f"{results.chance[key]:.3f}" for key in keys)))
    protocol, how = results.protocol, results.protocol.retrieval or {}
    drawn = f", drawn from {how['drawn_from']}" if how.get("drawn_from") else ""
    score = "what a photo adds to it" if how.get("normalised") else "its log-probability"
    end = "its end is scored" if how.get("count_eos") else "its end is not scored"
    lead = paragraph(
        f"{how.get('num_images')} {protocol.media}s{drawn} and {how.get('num_captions')} sentences"
        f" of {protocol.data}, each ranked by {score}; {end}.",
        "note",
    )
    shown = table(("looking for", *_COLUMNS.values()), rows, numbers=range(1, 5))
    return section("retrieval", "Retrieval", lead, shown)
