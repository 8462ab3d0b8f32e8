"""`lrcn evaluate`: how good a model is on videos that it has not seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from lrcn.cli.decoding import NO_DECODING, DecodingFlags
from lrcn.cli.evaluate_captions import evaluate_captioner
from lrcn.cli.evaluate_retrieval import NO_RETRIEVAL, RetrievalFlags
from lrcn.cli.measuring import (
    DataSource,
    FlowChoice,
    Missing,
    measure,
    protocol_of,
    runs_of,
    seen_as,
)
from lrcn.cli.options import DEFAULTS, ComputeOptions, SegmentOptions
from lrcn.cli.output import (
    print_json,
    print_line,
    print_table,
    refuse_existing_file,
    report_skipped,
    say,
    watcher,
    write_file,
)
from lrcn.cli.parser import UsageError, option
from lrcn.cli.parts import Part, Run, choose_part, trained_on
from lrcn.models.segment_config import DEFAULT_SEGMENTS

if TYPE_CHECKING:
    from lrcn.checkpoint import SavedModel
    from lrcn.evaluate.protocol import DataChoice, ProtocolConfig
    from lrcn.evaluate.results import Results
    from lrcn.fusion_folder import SavedFusion
    from lrcn.structures import VideoList

_HEADLINES = 12
"""Metrics shown to people; the JSON has all."""


def evaluate(
    model: Path,
    /,
    *,
    data: Path | None = None,
    split: Part | None = None,
    fold: int | None = None,
    layout: str | None = None,
    images: Path | None = None,
    semantics: str | None = None,
    semantic_noise: float = 0.0,
    videos_root: Path | None = None,
    missing: Missing | None = None,
    allow_leaks: bool = False,
    protocol: Literal["clips", "whole_video", "classify_video", "lrcn_evaluate"] = "clips",
    num_crops: Annotated[Literal[1, 10] | None, option("--crops", "--num-crops")] = None,
    clip_length: int | None = None,
    clip_stride: int | None = None,
    frame_stride: int | None = None,
    sample_fps: float | None = None,
    calibrate: bool = False,
    val_data: Path | None = None,
    flow: FlowChoice | None = None,
    no_cache: bool = False,
    as_json: Annotated[bool, option("--json")] = False,
    out: Path | None = None,
    overwrite: bool = False,
    segment_options: SegmentOptions = DEFAULT_SEGMENTS,
    decoding: DecodingFlags = NO_DECODING,
    retrieval: RetrievalFlags = NO_RETRIEVAL,
    compute: ComputeOptions = DEFAULTS,
) -> int:
    """Measure a model by the paper's protocol: clips of 16 frames, stride 8, mean of softmax.

    A captioner is measured by the sentences that it writes: BLEU, ROUGE-L, CIDEr-D, METEOR; or,
    with --retrieval, by how well it finds the photo of a sentence and the sentence of a photo.

    Measured is the part that --split names; else DATA's test part; else, of the data that the
    run was trained on, the part that it held out; else everything. Clip length, stride and rate
    are the model's own unless given. In a run folder, or a fused model's, the results are also
    kept in results/.

    Args:
        model: Run folder or model folder; of `lrcn fuse` too.
        data: Folder or list file with labelled videos; default: the data of the run.
        split: train, val, test or all.
        fold: Official division of UCF101 or HMDB51: 1, 2 or 3.
        layout: Name of the data's layout; default: recognised.
        images: Where the photos or videos of a list of captions lie.
        semantics: Of a captioner that was trained on semantic predictions: those of these items;
            default: the file of its run.
        semantic_noise: Share of every such distribution that goes to false labels, 0 to 1, drawn
            by --seed.
        videos_root: Where the listed files lie, when not beside the list.
        missing: What happens when a listed file is absent or unreadable.
        allow_leaks: Measure although training videos are among them; the results say so.
        protocol: clips, the paper's text; classify_video (ten crops) or lrcn_evaluate (centre),
            as the original's programs of these names, which count the clip at the end twice; or
            whole_video: one pass with the state carried.
        num_crops: 1 = centre; 10 = corners and centre, each mirrored too; default: 1, for
            classify_video 10.
        clip_length: Frames in a clip.
        clip_stride: Frames from the start of one clip to the next.
        frame_stride: Take every n-th frame.
        sample_fps: Thin videos to this rate, by time.
        calibrate: First fit a temperature (and thresholds) on validation data, kept in the model.
        val_data: What --calibrate fits on; default: the run's validation part, or DATA's.
        flow: Models of flow: compute it from the videos, or DATA are stored flow images.
        no_cache: Neither use nor fill the cache of features.
        as_json: Print one JSON document.
        out: Also write the results to this file.
        overwrite: Replace the file named by --out.
        segment_options: How segments are found, where the truth has start and end.
        decoding: How a captioner searches for sentences.
        retrieval: Finding photos by sentences and sentences by photos.
        compute: Options of every command that computes.
    """
    if out is not None:
        refuse_existing_file(out, overwrite=overwrite)
    from lrcn.checkpoint import CAPTION_TASK, find_model_folder, task_of

    if task_of(model) == CAPTION_TASK:
        return evaluate_captioner(
            find_model_folder(model),
            data=data,
            images=images,
            layout=layout,
            split=split,
            missing=missing,
            allow_leaks=allow_leaks,
            decoding=decoding,
            no_cache=no_cache,
            as_json=as_json,
            out=out,
            compute=compute,
            semantics=semantics,
            semantic_noise=semantic_noise,
            retrieval=retrieval,
        )
    _refuse_flags_of_captioners(images, semantics, semantic_noise, retrieval)
    device = compute.start()
    from lrcn.data.cache import FeatureCache
    from lrcn.evaluate.protocol import CROPS_OF, ProtocolConfig
    from lrcn.fusion_folder import SavedFusion, load_any

    num_crops = num_crops or CROPS_OF.get(protocol, 1)
    ProtocolConfig(protocol=protocol, num_crops=num_crops)  # refuses before any work
    folder = find_model_folder(model)
    saved = load_any(folder)
    runs = runs_of(model, saved)
    run = next(iter(runs), None)
    given = {
        "protocol": protocol,
        "num_crops": num_crops,
        "clip_length": clip_length,
        "clip_stride": clip_stride,
        "frame_stride": frame_stride,
        "sample_fps": sample_fps,
        "segment_options": segment_options,
    }
    source = DataSource(data, run, layout, fold, videos_root, missing)
    source_of_flow = flow or (source.own.flow_source if source.own else "auto")
    videos = seen_as(source.read(), saved, source_of_flow)
    chosen, choice = choose_part(videos, run, split=split, allow_leaks=allow_leaks)
    for other in runs[1:]:
        trained = trained_on(chosen, other, knowingly=split in ("train", "all"), allow=allow_leaks)
        choice = replace(choice, warnings=(*choice.warnings, *trained))
    if isinstance(saved, SavedFusion):
        choice = _after_search(choice, chosen, saved)
    work: dict[str, Any] = {
        "device": device,
        "precision": compute.precision,
        "cache": None if no_cache else FeatureCache(),
        "decode_threads": 2,
        "missing": source.missing,
    }
    if calibrate:
        if isinstance(saved, SavedFusion):
            raise UsageError(
                f"--calibrate fits one model, and {folder} holds several fused ones."
                " Calibrate each of them, then fuse them again"
            )
        val = _validation_part(videos, run, val_data)
        val = seen_as(val, saved, source_of_flow)
        with watcher("calibrating", quiet=compute.quiet) as watch:
            settings = protocol_of(saved, **given)
            saved = _calibrate(saved, folder, val, settings, {**work, "watch": watch})
        choice = _after_fitting(choice, chosen, val)
        kept = f"temperature {float(saved.model.temperature):.3f} is kept in {folder}"
        say(f"{kept}, fitted on {len(val)} validation videos", quiet=compute.quiet)
    say(f"measuring on {len(chosen)} videos: {choice.split} ({choice.how})", quiet=compute.quiet)
    for note in (*choice.warnings, *videos.notes):
        say(f"note: {note}", quiet=compute.quiet)
    with watcher("evaluating", quiet=compute.quiet) as watch:
        results = measure(
            saved,
            chosen,
            given,
            source_of_flow,
            choice=choice,
            seed=compute.seed_or_zero,
            model_path=str(folder),
            watch=watch,
            **work,
        )
    kept_in = []
    if isinstance(saved, SavedFusion):
        kept_in.append(results.save(folder))
    elif run is not None:
        kept_in.append(results.save(run.folder))
    if out is not None:
        write_file(out, results.to_json())
        kept_in.append(out)
    if as_json:
        print_json(results.to_dict())
    else:
        show_results(results)
    for place in kept_in:
        say(f"results: {place}", quiet=compute.quiet)
    return report_skipped(results.skipped, quiet=compute.quiet)


def _refuse_flags_of_captioners(
    images: Path | None, semantics: str | None, semantic_noise: float, retrieval: RetrievalFlags
) -> None:
    if retrieval != NO_RETRIEVAL:
        raise UsageError("--retrieval belongs to captioners: leave it out for classes")
    if semantics is not None or semantic_noise:
        raise UsageError("--semantics belongs to captioners: leave it out for classes")
    if images is not None:
        raise UsageError("--images belongs to captioners; for classes use --videos-root")


def _validation_part(videos: VideoList, run: Run | None, val_data: Path | None) -> VideoList:
    """What a temperature is fitted on: data of their own, or the part named val."""
    from lrcn.data.datasets import read_dataset

    if val_data is not None:
        return read_dataset(val_data, min_classes=1)
    return choose_part(videos, run, split="val", allow_leaks=False)[0]


def _after_fitting(choice: DataChoice, chosen: VideoList, val: VideoList) -> DataChoice:
    """A warning where the temperature was fitted on videos that are then measured."""
    if not {item.path for item in val.items} & {item.path for item in chosen.items}:
        return choice
    note = "the temperature was fitted on some of these videos: calibration looks too good"
    return replace(choice, warnings=(*choice.warnings, note))


def _after_search(choice: DataChoice, chosen: VideoList, saved: SavedFusion) -> DataChoice:
    """A warning where the fusion weights were searched on videos that are then measured."""
    shared = {item.video_id for item in chosen.items} & set(saved.search_video_ids)
    if not shared:
        return choice
    note = (
        f"the fusion weights were searched on {len(shared)} of these videos: scores look too good"
    )
    return replace(choice, warnings=(*choice.warnings, note))


def _calibrate(
    saved: SavedModel,
    folder: Path,
    val: VideoList,
    settings: ProtocolConfig,
    work: dict[str, Any],
) -> SavedModel:
    """Fit temperature and thresholds on validation data and keep them in the model folder."""
    from lrcn.checkpoint import SavedModel, save_model
    from lrcn.evaluate.calibrate import fit_on_validation

    device = work.pop("device")
    fitted = fit_on_validation(saved.model.to(device), val, settings, **work)
    saved.model.temperature.fill_(fitted.temperature)
    result = SavedModel(
        saved.model,
        saved.sampling,
        saved.card,
        thresholds=fitted.thresholds,
        source=saved.source,
    )
    save_model(folder, result)
    return result


def show_results(results: Results) -> None:
    """Results for people."""
    protocol = results.protocol
    print_line(
        f"{protocol.num_videos} videos of {protocol.data}"
        f" (split: {protocol.split}, {protocol.split_how})"
    )
    for key, value in list(results.metrics.items())[:_HEADLINES]:
        shown = "-" if value is None else f"{value:.4f}"
        interval = results.intervals.get(key)
        note = f"   95 % interval {interval[0]:.4f} to {interval[1]:.4f}" if interval else ""
        print_line(f"  {key:24} {shown:>8}{note}")
    print_line()
    print_table(
        ("class", "videos", "predicted", "recall", "precision", "f1"),
        [
            (c.class_name, c.num_videos, c.num_predicted, c.recall, c.precision, c.f1)
            for c in results.per_class
        ],
    )
    for title, entries in (
        ("left out", [f"{s.path}: {s.reason}" for s in results.skipped]),
        ("truncated, used as far as they go", list(results.truncated)),
    ):
        if entries:
            print_line(f"{len(entries)} {title}")
