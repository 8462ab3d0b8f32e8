"""`lrcn evaluate`: how good a model is on videos that it has not seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

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
from lrcn.cli.parts import Part, Run, choose_part, find_run
from lrcn.models.segment_config import DEFAULT_SEGMENTS

if TYPE_CHECKING:
    from lrcn.checkpoint import SavedModel
    from lrcn.evaluate.protocol import DataChoice, ProtocolConfig
    from lrcn.evaluate.results import Results
    from lrcn.structures import VideoList
    from lrcn.train.config import DatasetConfig

Missing = Literal["error", "skip"]
FlowChoice = Literal["auto", "computed", "stored"]

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
    videos_root: Path | None = None,
    missing: Missing | None = None,
    allow_leaks: bool = False,
    protocol: Literal["clips", "whole_video"] = "clips",
    num_crops: Annotated[Literal[1, 10], option("--crops", "--num-crops")] = 1,
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
    compute: ComputeOptions = DEFAULTS,
) -> int:
    """Measure a model by the paper's protocol: clips of 16 frames, stride 8, mean of softmax.

    Measured is the part that --split names; else DATA's test part; else, of the data that the
    run was trained on, the part that it held out; else everything. Clip length, stride and rate
    are the model's own unless given. In a run folder the results are also kept in results/.

    Args:
        model: Run folder or model folder.
        data: Folder or list file with labelled videos; default: the data of the run.
        split: train, val, test or all.
        fold: Official division of UCF101 or HMDB51: 1, 2 or 3.
        layout: Name of the data's layout; default: recognised.
        videos_root: Where the listed files lie, when not beside the list.
        missing: What happens when a listed file is absent or unreadable.
        allow_leaks: Measure although training videos are among them; the results say so.
        protocol: clips, or whole_video: one pass with the state carried.
        num_crops: 1 = centre; 10 = corners and centre, each mirrored too.
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
        compute: Options of every command that computes.
    """
    if out is not None:
        refuse_existing_file(out, overwrite=overwrite)
    device = compute.start()
    from lrcn.checkpoint import find_model_folder, load_model
    from lrcn.data.cache import FeatureCache
    from lrcn.evaluate.loop import evaluate_videos

    folder, run = find_model_folder(model), find_run(model)
    saved = load_model(folder)
    settings = _protocol(
        saved,
        protocol=protocol,
        num_crops=num_crops,
        clip_length=clip_length,
        clip_stride=clip_stride,
        frame_stride=frame_stride,
        sample_fps=sample_fps,
        segment_options=segment_options,
    )
    source = _Source(data, run, layout, fold, videos_root, missing)
    source_of_flow = flow or (source.own.flow_source if source.own else "auto")
    videos = _seen_as(source.read(), saved, source_of_flow)
    chosen, choice = choose_part(videos, run, split=split, allow_leaks=allow_leaks)
    saved.model.to(device)
    work: dict[str, Any] = {
        "precision": compute.precision,
        "cache": None if no_cache else FeatureCache(),
        "decode_threads": 2,
        "missing": source.missing,
    }
    if calibrate:
        val = _validation_part(videos, run, val_data)
        val = _seen_as(val, saved, source_of_flow)
        with watcher("calibrating", quiet=compute.quiet) as watch:
            saved = _calibrate(saved, folder, val, settings, {**work, "watch": watch})
        choice = _after_fitting(choice, chosen, val)
        kept = f"temperature {float(saved.model.temperature):.3f} is kept in {folder}"
        say(f"{kept}, fitted on {len(val)} validation videos", quiet=compute.quiet)
    say(f"measuring on {len(chosen)} videos: {choice.split} ({choice.how})", quiet=compute.quiet)
    for note in (*choice.warnings, *videos.notes):
        say(f"note: {note}", quiet=compute.quiet)
    with watcher("evaluating", quiet=compute.quiet) as watch:
        results = evaluate_videos(
            saved.model,
            chosen,
            settings,
            choice=choice,
            thresholds=saved.thresholds,
            seed=compute.seed_or_zero,
            model_path=str(folder),
            watch=watch,
            **work,
        )
    kept_in = [results.save(run.folder)] if run is not None else []
    if out is not None:
        write_file(out, results.to_json())
        kept_in.append(out)
    if as_json:
        print_json(results.to_dict())
    else:
        _show(results)
    for place in kept_in:
        say(f"results: {place}", quiet=compute.quiet)
    return report_skipped(results.skipped, quiet=compute.quiet)


@dataclass(frozen=True)
class _Source:
    """DATA and how it is read: a run's own data as the run read them, unless told otherwise."""

    data: Path | None
    run: Run | None
    layout: str | None
    fold: int | None
    videos_root: Path | None
    given_missing: Missing | None

    @property
    def own(self) -> DatasetConfig | None:
        """The run's settings, where DATA is what it was trained on."""
        if self.run is None:
            return None
        own = self.run.experiment.dataset
        is_own = self.data is None or self.data.resolve() == Path(own.data).resolve()
        return own if is_own else None

    @property
    def missing(self) -> Missing:
        """What happens with absent or unreadable files."""
        if self.given_missing is not None:
            return self.given_missing
        return "error" if self.own is None else self.own.missing

    def read(self) -> VideoList:
        """The list of videos.

        Raises:
            UsageError: there is neither DATA nor a run that knows its own.
        """
        from lrcn.data.datasets import read_dataset

        own = self.own
        data = self.data if own is None else Path(own.data)
        if data is None:
            raise UsageError(
                "--data is missing: a model folder on its own does not know its data."
                " Give a folder or a list file with labelled videos"
            )
        return read_dataset(
            data,
            layout=self.layout or (own.layout if own else None),
            fold=self.fold or (own.fold if own else None),
            videos_root=self.videos_root or (own.videos_root if own else None),
            missing=self.missing,
            group_by=own.group_by if own else None,
            group_pattern=own.group_pattern if own else None,
            min_classes=1,
        )


def _seen_as(videos: VideoList, saved: SavedModel, source: FlowChoice) -> VideoList:
    """The videos as what the model sees, pictures or flow images.

    Raises:
        DataError: they do not fit the model.
    """
    from lrcn.data.modality import settle_modality

    own = saved.model.preprocessing
    if saved.model.backbone is None or own is None:
        return videos
    settled = settle_modality(
        videos, modality=own.modality, source=source, flow=own.flow, adopt=False
    )
    return replace(settled.videos, notes=(*settled.videos.notes, *settled.notes))


def _protocol(saved: SavedModel, **given: Any) -> ProtocolConfig:
    """The paper's protocol with the model's own sampling, and what was given over it."""
    from lrcn.evaluate.protocol import ProtocolConfig

    own = {
        name: getattr(saved.sampling, name)
        for name in ("clip_length", "clip_stride", "frame_stride", "sample_fps")
    }
    return ProtocolConfig(**own | {k: v for k, v in given.items() if v is not None})


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

    fitted = fit_on_validation(saved.model, val, settings, **work)
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


def _show(results: Results) -> None:
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
