"""`lrcn predict`: what happens in these videos."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from lrcn.cli.inputs import copy_places, given_videos
from lrcn.cli.options import DEFAULTS, ComputeOptions, SegmentOptions
from lrcn.cli.output import (
    print_json,
    print_line,
    print_table,
    say,
    watcher,
    with_path,
)
from lrcn.cli.parser import UsageError, option
from lrcn.models.segment_config import DEFAULT_SEGMENTS

if TYPE_CHECKING:
    from lrcn.models.segment_config import SegmentConfig
    from lrcn.predict.fused import FusedPredictor
    from lrcn.predict.predictor import Predictor
    from lrcn.structures import Prediction, VideoItem


def predict(
    model: Path,
    /,
    *paths: str,
    top_k: int = 5,
    threshold: float | None = None,
    segments: bool = False,
    frame_probs: bool = False,
    annotate: Path | None = None,
    overwrite: bool = False,
    num_crops: Annotated[Literal[1, 10], option("--crops", "--num-crops")] = 1,
    whole_video: bool = False,
    flow: Literal["auto", "computed", "stored"] = "auto",
    as_json: Annotated[bool, option("--json")] = False,
    as_csv: Annotated[bool, option("--csv")] = False,
    segment_options: SegmentOptions = DEFAULT_SEGMENTS,
    compute: ComputeOptions = DEFAULTS,
) -> int:
    """Name what happens in videos, in each as a whole and when.

    A folder of numbered images is one video; any other folder is searched for videos. A file of
    features that holds an array per video gives an answer for each. A file that cannot be read is
    reported and does not stop the others; the exit code is then 1.

    Args:
        model: Run folder or model folder; of `lrcn fuse` too.
        paths: Files, folders, patterns ("clips/*.mp4"), or - for a list on stdin.
        top_k: How many classes to list per video.
        threshold: Below this probability the answer is none of the classes.
        segments: Show what happens when in the table (JSON always has it).
        frame_probs: Also give the probabilities of every frame.
        annotate: Write a copy of the video with the answers drawn into it (several: a folder).
        overwrite: Replace what --annotate names.
        num_crops: 1 = centre; 10 = corners and centre, each mirrored too.
        whole_video: Carry the state through the whole video instead of starting anew per clip.
        flow: Models of flow: compute it from the videos, or the inputs are stored flow images.
        as_json: Print one JSON document: a list with an entry per video.
        as_csv: Print CSV, a line per video (with --frame-probs per frame).
        segment_options: How segments are found.
        compute: Options of every command that computes.
    """
    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other: give one of them")
    if not paths:
        raise UsageError(
            "PATHS is missing: give files, folders, patterns, or - for a list on stdin"
        )
    device = compute.start()
    from lrcn.fusion_folder import SavedFusion, load_any
    from lrcn.predict.inputs import passed_over
    from lrcn.predict.predictor import predictor_of

    saved = load_any(model)
    first = saved.members[0] if isinstance(saved, SavedFusion) else saved
    inputs = list(_inputs(paths, features=first.model.backbone is None))
    for path in passed_over(paths):
        say(f"not read, no video by its name: {path}", quiet=compute.quiet)
    videos = [i for i in inputs if isinstance(i, str)]
    copies = copy_places(annotate, videos, overwrite=overwrite)
    predictor = predictor_of(
        saved,
        device=device,
        precision=compute.precision,
        num_crops=num_crops,
        whole_video=whole_video,
        decode_threads=2,
        flow_source=flow,
    )
    found: list[Prediction] = []
    with watcher("predicting", quiet=compute.quiet) as watch:
        for prediction in _answers(predictor, inputs, top_k, threshold, segment_options):
            if prediction.error is None and prediction.path in copies:
                prediction = _annotated(prediction, copies[prediction.path], quiet=compute.quiet)
            found.append(prediction)
            if watch is not None:
                watch(len(found), len(inputs), prediction.video_id)
    if as_json:
        print_json([_document(p, frame_probs=frame_probs) for p in found])
    elif as_csv:
        _print_csv(found, top_k, frame_probs=frame_probs)
    else:
        _show(found, segments=segments, frame_probs=frame_probs)
    return _report_failures(found)


def _inputs(paths: Sequence[str], *, features: bool) -> Iterator[str | VideoItem | Prediction]:
    """Every video that is meant, each once; what leads to none becomes a failed answer."""
    from lrcn.errors import MediaError
    from lrcn.structures import Prediction, VideoItem
    from lrcn.video.features import is_feature_path, list_feature_ids

    for one in given_videos(paths, features=features, command="predict"):
        if not isinstance(one, str):
            yield Prediction(path=one.path, video_id=one.path, error=one.reason)
            continue
        try:
            ids = list_feature_ids(one) if is_feature_path(one) else ()
        except MediaError:
            ids = ()  # said when its turn comes
        if len(ids) < 2 or Path(one).stem in ids:
            yield one
        else:
            yield from (VideoItem(path=one, video_id=name, class_names=()) for name in ids)


def _answers(
    predictor: Predictor | FusedPredictor,
    inputs: Sequence[str | VideoItem | Prediction],
    top_k: int,
    threshold: float | None,
    config: SegmentConfig,
) -> Iterator[Prediction]:
    """An answer per input, in order."""
    from lrcn.structures import Prediction

    readable = (one for one in inputs if not isinstance(one, Prediction))
    answers = predictor.predict_many(readable, top_k=top_k, threshold=threshold, segments=config)
    for one in inputs:
        yield one if isinstance(one, Prediction) else next(answers)


def _annotated(prediction: Prediction, out: Path, *, quiet: bool) -> Prediction:
    """Write the annotated copy; a video that cannot be drawn on is a failed one."""
    from lrcn.errors import MediaError
    from lrcn.predict.annotate import annotate_video
    from lrcn.structures import Prediction

    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        annotate_video(prediction.path, prediction, out)
    except MediaError as error:
        return Prediction(path=prediction.path, video_id=prediction.video_id, error=str(error))
    say(f"annotated: {out}", quiet=quiet)
    return prediction


def _document(prediction: Prediction, *, frame_probs: bool) -> dict[str, Any]:
    document = prediction.to_dict()
    if frame_probs and prediction.probs_TK is not None:
        assert prediction.pts_seconds_T is not None
        document["frame_probs"] = {
            "class_names": list(prediction.class_names),
            "pts_seconds": prediction.pts_seconds_T.tolist(),
            "probs": prediction.probs_TK.tolist(),
        }
    return document


def _print_csv(found: Sequence[Prediction], top_k: int, *, frame_probs: bool) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if frame_probs:
        names = next((p.class_names for p in found if p.class_names), ())
        writer.writerow(["path", "video_id", "pts_seconds", *names])
        for p in found:
            if p.probs_TK is not None and p.pts_seconds_T is not None:
                for seconds, probs in zip(
                    p.pts_seconds_T.tolist(), p.probs_TK.tolist(), strict=True
                ):
                    writer.writerow([p.path, p.video_id, seconds, *probs])
        return
    num_ranks = min(top_k, max((len(p.top_k) for p in found), default=0))
    ranks = [f"{what}_{i + 1}" for i in range(num_ranks) for what in ("class_name", "prob")]
    writer.writerow(["path", "video_id", "class_name", "prob", *ranks, "truncated", "error"])
    for p in found:
        ranked = [cell for pair in p.top_k[:num_ranks] for cell in pair]
        ranked += [""] * (2 * num_ranks - len(ranked))
        answer = [p.class_name or "", "" if p.prob is None else p.prob]
        cut = "" if p.error else str(p.truncated).lower()
        writer.writerow([p.path, p.video_id, *answer, *ranked, cut, p.error or ""])


def _show(found: Sequence[Prediction], *, segments: bool, frame_probs: bool) -> None:
    answered = [p for p in found if p.error is None]
    files = Counter(p.path for p in found)
    titles = {id(p): p.path if files[p.path] == 1 else f"{p.path}: {p.video_id}" for p in answered}
    if answered:
        print_table(
            ("video", "class", "prob", "next"),
            [
                (
                    titles[id(p)] + (" (truncated)" if p.truncated else ""),
                    p.class_name or "none of these",
                    p.prob,
                    ", ".join(f"{n} {v:.2f}" for n, v in p.top_k if n != p.class_name),
                )
                for p in answered
            ],
        )
    for p in answered:
        if segments:
            print_line(f"\n{titles[id(p)]}")
            rows = [(s.start_seconds, s.end_seconds, s.class_name, s.prob) for s in p.segments]
            print_table(("from seconds", "to seconds", "class", "prob"), rows)
        if frame_probs and p.probs_TK is not None and p.pts_seconds_T is not None:
            print_line(f"\n{titles[id(p)]}")
            best = p.probs_TK.max(dim=1)
            names = [p.class_names[k] for k in best.indices.tolist()]
            columns = (p.pts_seconds_T.tolist(), names, best.values.tolist())
            print_table(("seconds", "class", "prob"), list(zip(*columns, strict=True)))


def _report_failures(found: Sequence[Prediction]) -> int:
    """Name what failed, on stderr; 1 when something did."""
    failed = [p for p in found if p.error is not None]
    for p in failed:
        say(f"failed: {with_path(p.path, p.error or '')}")
    if failed:
        say(f"{len(failed)} of {len(found)} failed")
    return 1 if failed else 0
