"""`lrcn demo`: the whole way on the embedded world: render, train, measure, use, report."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from lrcn.checkpoint import load_model
from lrcn.data.cache import FeatureCache
from lrcn.data.datasets import read_dataset
from lrcn.data.motion import make_long_video, make_motion
from lrcn.data.motion_config import MotionConfig
from lrcn.data.split import select
from lrcn.engine import Precision, choose_device, set_threads
from lrcn.errors import OutputError
from lrcn.evaluate.captions import CaptionResults
from lrcn.evaluate.loop import evaluate_videos
from lrcn.evaluate.protocol import DataChoice, ProtocolConfig
from lrcn.evaluate.results import Results
from lrcn.evaluate.truth import EXACT_KEY
from lrcn.models.segment_config import SegmentConfig
from lrcn.models.segments import find_segments
from lrcn.predict.predictor import Predictor
from lrcn.recipes.demo_sentences import (
    NUM_PICTURES,
    Place,
    describe_clips,
    describe_pictures,
)
from lrcn.recipes.motion import lrcn, single_frame
from lrcn.report.build import build_report
from lrcn.report.run import load_run
from lrcn.structures import Segment, VideoList
from lrcn.train.run import write_text
from lrcn.video.source import open_video

MARK_NAME = "demo.json"
"""Lies in a demo's folder from its first moment, so that only a demo is ever overwritten."""

NUM_TRAIN, NUM_VAL, NUM_TEST = 4000, 80, 240


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """What the demo found."""

    single_frame: Results
    lrcn: Results
    described: CaptionResults
    """What the captioner said of unseen pictures."""
    clips_described: CaptionResults
    """What the captioner that goes on from the LRCN said of unseen clips."""
    frame_accuracy: float
    """Of the long video, frame by frame, from the carried state alone: no later frame is used."""
    num_frames: int
    segments: tuple[Segment, ...]
    report: Path
    seconds: float


def run_demo(
    out: Path,
    *,
    overwrite: bool = False,
    device: str = "auto",
    threads: int | None = None,
    precision: Precision = "auto",
    seed: int = 0,
    quiet: bool = False,
) -> DemoResult:
    """Render the world, train two models on it, measure both, use the better one; then captioners.

    Args:
        out: Folder to make: `world/`, `single_frame/`, `lrcn/`, `long/`, `report.html`; of the
            captioner of pictures `pictures/`, `captioner/`, `captions.html`; of the one of clips
            `clip_captioner/`, `clips.html`.
        overwrite: Replace an earlier demo there.
        device: "auto", "cpu", "cuda", ...
        threads: Of the processor; None = what is there.
        precision: "auto", "float32" or "bfloat16".
        seed: Of the world, the weights and the order of the clips.
        quiet: No messages on stderr.

    Raises:
        OutputError: `out` exists and may not be replaced.
    """
    started = time.monotonic()
    say = Console(stderr=True, quiet=quiet, highlight=False).print
    place = Place(device=device, threads=threads, precision=precision, seed=seed, quiet=quiet)
    set_threads(threads)
    _prepare(out, overwrite=overwrite)
    config = MotionConfig()
    chance = 1 / len(config.actions)
    say(f"1/7 rendering {NUM_TRAIN + NUM_VAL + NUM_TEST} clips of {len(config.actions)} classes")
    world = out / "world"
    make_motion(world, config, num_train=NUM_TRAIN, num_val=NUM_VAL, num_test=NUM_TEST, seed=seed)
    say("2/7 training a single-frame model: no frame alone tells the class")
    frame = out / "single_frame"
    place.train(single_frame(), world, frame)
    say("3/7 training an LRCN: the same CNN with an LSTM on top, end to end")
    recurrent = out / "lrcn"
    place.train(lrcn(), world, recurrent)
    say("4/7 measuring both on held-out clips")
    test = select(read_dataset(world), "test")
    measured = [_measure(run, test, "test", place) for run in (frame, recurrent)]
    _print_table(measured[0], measured[1], chance)
    say("5/7 playing one long unseen video through the carried state")
    video = make_long_video(out / "long", config, seed=seed + 1)
    played = _play(recurrent, video.path, video.segments, place)
    _print_long(played, video.segments)
    _measure(recurrent, read_dataset(video.list_path), "test", place)
    report = build_report(
        [
            load_run(frame, name="single frame", results=measured[0]),
            load_run(recurrent, name="LRCN", results=measured[1]),
        ],
        out / "report.html",
        title="lrcn demo",
        intro="A rendered world in which no single frame tells the class: the same small CNN"
        " alone, and with an LSTM on top.",
    )
    say(f"6/7 training a captioner on {NUM_PICTURES} rendered pictures with a sentence each")
    described = describe_pictures(out, place)
    say(f"7/7 training a captioner of clips, from the LRCN on: {NUM_TRAIN} sentences")
    clips_described = describe_clips(out, recurrent, world, place)
    result = DemoResult(
        described=described,
        clips_described=clips_described,
        single_frame=measured[0],
        lrcn=measured[1],
        frame_accuracy=played.frame_accuracy,
        num_frames=played.num_frames,
        segments=played.segments,
        report=report,
        seconds=time.monotonic() - started,
    )
    _keep(out, result, chance)
    pages = ", ".join(str(out / name) for name in ("captions.html", "clips.html"))
    Console(file=sys.stdout).print(
        f"reports: {report}, {pages}\ndone in {result.seconds:.0f} seconds",
        soft_wrap=True,
        highlight=False,
    )
    return result


@dataclass(frozen=True, kw_only=True)
class _Played:
    """A long video as the carried state saw it."""

    frame_accuracy: float
    num_frames: int
    segments: tuple[Segment, ...]


def _prepare(out: Path, *, overwrite: bool) -> None:
    """An empty folder with our mark in it."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        if not overwrite:
            raise OutputError(
                f"{out} exists already. Add --overwrite to replace it, or choose another --out"
            )
        if not (out / MARK_NAME).is_file():
            raise OutputError(
                f"{out} is no demo's folder (no {MARK_NAME} in it), so it is not overwritten."
                " Remove it yourself, or choose another --out"
            )
        shutil.rmtree(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / MARK_NAME, "{}\n")
    except OSError as error:
        raise OutputError(f"cannot write to {out}: {error}. Choose another --out") from error


def _measure(run: Path, videos: VideoList, split: str, place: Place) -> Results:
    """Evaluate a run's best model and keep the results in the run."""
    saved = load_model(run)
    saved.model.to(choose_device(place.device))
    sampling = saved.sampling
    results = evaluate_videos(
        saved.model,
        videos,
        ProtocolConfig(clip_length=sampling.clip_length, clip_stride=sampling.clip_stride),
        choice=DataChoice(split=split, how="rendered apart from the training clips"),
        precision=place.precision,
        cache=FeatureCache(run / "features"),
        seed=place.seed,
        model_path=str(run),
    )
    shutil.rmtree(run / "features", ignore_errors=True)
    results.save(run)
    return results


def _play(run: Path, path: Path, truth: Sequence[Segment], place: Place) -> _Played:
    """Push a video through the stream frame by frame; score every frame as it comes."""
    device = choose_device(place.device)
    predictor = Predictor(load_model(run), device=device, precision=place.precision)
    names = predictor.class_names
    stream = predictor.stream()
    probs, times = [], []
    with open_video(path) as video:
        for clip in video.iterate():
            for frame_CHW, seconds in zip(clip.frames_TCHW, clip.pts_seconds_T, strict=True):
                probs.append(stream.push(frame_CHW, seconds=float(seconds)))
                times.append(float(seconds))
    probs_TK, pts_seconds_T = torch.cat(probs), torch.tensor(times)
    right = 0
    for seconds, label in zip(times, probs_TK.argmax(dim=1).tolist(), strict=True):
        right += any(
            s.start_seconds <= seconds < s.end_seconds and s.class_name == names[label]
            for s in truth
        )
    segments = find_segments(probs_TK, pts_seconds_T, names, SegmentConfig())
    return _Played(
        frame_accuracy=right / len(times), num_frames=len(times), segments=tuple(segments)
    )


def _print_table(single: Results, recurrent: Results, chance: float) -> None:
    table = Table(title="held-out clips, video accuracy (95 % interval)")
    table.add_column("model")
    table.add_column("accuracy_top1", justify="right")
    table.add_column("interval", justify="right")
    for name, results in (("single frame", single), ("LRCN", recurrent)):
        low, high = results.intervals["accuracy_top1"]
        value = results.metrics["accuracy_top1"]
        assert value is not None
        table.add_row(name, f"{value:.3f}", f"{low:.3f} to {high:.3f}")
    table.add_row("chance", f"{chance:.3f}", "")
    Console(file=sys.stdout).print(table)


def _print_long(played: _Played, truth: Sequence[Segment]) -> None:
    """What happens when, beside what really happened."""
    table = Table(title="one long unseen video through the carried state")
    for name in ("seconds", "seen", "prob", "true there"):
        table.add_column(name, justify="right" if name in ("seconds", "prob") else "left")
    for segment in played.segments:
        middle = (segment.start_seconds + segment.end_seconds) / 2
        real = next(
            (t.class_name for t in truth if t.start_seconds <= middle < t.end_seconds), "nothing"
        )
        table.add_row(
            f"{segment.start_seconds:.2f} to {segment.end_seconds:.2f}",
            segment.class_name,
            f"{segment.prob:.2f}" if segment.prob is not None else "",
            real if real == segment.class_name else f"{real} (missed)",
        )
    console = Console(file=sys.stdout)
    console.print(table)
    console.print(
        f"frames right: {played.frame_accuracy:.3f} of {played.num_frames},"
        " each judged as it came, by nothing later"
    )


def _keep(out: Path, result: DemoResult, chance: float) -> None:
    """The numbers as JSON, in the file that marks the folder as a demo's."""
    numbers = {
        "chance": chance,
        "accuracy_top1_single_frame": result.single_frame.metrics["accuracy_top1"],
        "accuracy_top1_lrcn": result.lrcn.metrics["accuracy_top1"],
        "frame_accuracy_long_video": result.frame_accuracy,
        "num_frames_long_video": result.num_frames,
        "accuracy_exact_captions": result.described.metrics[EXACT_KEY],
        "accuracy_exact_clips": result.clips_described.metrics[EXACT_KEY],
        "seconds": round(result.seconds, 1),
    }
    write_text(out / MARK_NAME, json.dumps(numbers, indent=2) + "\n")
