"""Results files of captioners, read back."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from lrcn.errors import ResultsError
from lrcn.evaluate.captions import CaptionProtocol, CaptionResult, CaptionResults
from lrcn.evaluate.results import FOLDER
from lrcn.structures import SkippedFile


def load_caption_results(path: Path) -> CaptionResults:
    """Read a results file.

    Raises:
        ResultsError: it is absent or damaged, or holds no sentences.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ResultsError(
            f"{path} cannot be read: {error}. A results file is needed; evaluate again"
        ) from error
    if not isinstance(document, dict) or document.get("task") != "caption":
        raise ResultsError(f"{path} holds no results of a captioner; evaluate one again")
    try:
        return _from_dict(document)
    except (KeyError, TypeError, ValueError) as error:
        raise ResultsError(f"{path} is damaged ({error!r}); evaluate again") from error


def newest_caption_results(run_dir: Path) -> CaptionResults | None:
    """The results of a run folder that were written last; None where there are none.

    Raises:
        ResultsError: they are damaged.
    """
    paths = sorted(
        (run_dir / FOLDER).glob("*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name)
    )
    return load_caption_results(paths[-1]) if paths else None


def _from_dict(document: dict[str, Any]) -> CaptionResults:
    about = dict(document["protocol"])
    about["warnings"] = tuple(about["warnings"])
    own = {"format", "task", "created", "protocol", "captions", "skipped"}
    scores = {key: value for key, value in document.items() if key not in own}
    return CaptionResults(
        created=document["created"],
        metrics={k: float(v) for k, v in scores.items() if not isinstance(v, list)},
        intervals={
            key.removesuffix("_interval"): (float(low), float(high))
            for key, (low, high) in (item for item in scores.items() if isinstance(item[1], list))
        },
        protocol=CaptionProtocol(**_known(CaptionProtocol, about)),
        captions=tuple(
            CaptionResult(**{**entry, "references": tuple(entry["references"])})
            for entry in document["captions"]
        ),
        skipped=tuple(SkippedFile(**entry) for entry in document["skipped"]),
    )


def _known(kind: type, values: dict[str, Any]) -> dict[str, Any]:
    """Without what a newer version may have added."""
    names = {field.name for field in dataclasses.fields(kind)}
    return {name: value for name, value in values.items() if name in names}
