"""`lrcn flow`: the motion between frames, as images that a model can learn from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from lrcn.cli.options import DEFAULTS, ComputeOptions
from lrcn.cli.output import (
    print_json,
    print_line,
    refuse_existing_file,
    report_skipped,
    say,
    watcher,
)
from lrcn.cli.parser import UsageError, flattened, option
from lrcn.errors import ConfigError, OutputError

if TYPE_CHECKING:
    from lrcn.data.flow_files import FlowSummary
    from lrcn.data.flow_manifest import FlowStorage
    from lrcn.structures import FlowConfig

_SHOWN = 5
"""Videos named in a message; the JSON has all."""


@flattened("Flow")
@dataclass(frozen=True, kw_only=True)
class FlowOptions:
    """How flow is found and written as grey levels."""

    method: Literal[
        "dis_ultrafast", "dis_fast", "dis_medium", "dis_precise", "farneback", "tvl1", "deepflow"
    ] = "dis_medium"
    """dis_medium: 0.3 px off in the mean, faster than a CNN; dis_precise: 0.1 px off, a fifth as
    fast; tvl1 and deepflow need OpenCV's contrib build."""
    scale: float = 16.0
    """Grey levels per pixel of motion; with 16, motion beyond 7.9 pixels saturates."""
    centre: float = 128.0
    """Grey level of no motion."""
    short_px: int = 240
    """Larger frames are first reduced to this short side, so that motion means the same at every
    resolution; 0 = never."""

    def config(self) -> FlowConfig:
        """The settings of the library.

        Raises:
            ConfigError: one of them has no sense.
        """
        from lrcn.structures import FlowConfig

        try:
            return FlowConfig(**{**asdict(self), "short_px": self.short_px or None})
        except ValueError as error:
            raise ConfigError(str(error)) from error


FLOW = FlowOptions()


def flow(
    *paths: Path,
    file_format: Annotated[
        Literal["png", "ffv1", "jpeg"], option("--format", "--file-format")
    ] = "png",
    quality: int = 95,
    naming: Literal["nested", "original"] = "nested",
    layout: str | None = None,
    fold: int | None = None,
    videos_root: Path | None = None,
    show: bool = False,
    at: float | None = None,
    out: Path | None = None,
    overwrite: bool = False,
    as_json: Annotated[bool, option("--json")] = False,
    flow_options: FlowOptions = FLOW,
    compute: ComputeOptions = DEFAULTS,
) -> int:
    """Compute the optical flow of videos and store it as images: lrcn flow DATA OUT.

    DATA is a video, a folder of frames, a folder of both, or a list. OUT gets the same class
    folders and lists, so that `lrcn train --data OUT --modality flow` works. What is finished is
    not made again; what was changed, or is asked for with other settings, is. Training and
    prediction also compute flow by themselves: storing it pays where it is used often.
    With --show: draw the flow between two pictures, in the middle of a video, or stored flow,
    into --out.

    Args:
        paths: DATA and OUT; with --show FRAME_A and FRAME_B, VIDEO, or a video's stored flow.
        file_format: png, ffv1 (one lossless .mkv per video), or jpeg as the original code.
        quality: Of jpeg, 1 to 100.
        naming: nested keeps the folders of DATA; original is flow_images/VIDEO/, without them.
        layout: Name of the data's layout; default: recognised.
        fold: Official division of UCF101 or HMDB51, where DATA becomes a list.
        videos_root: Where the listed files lie, when not beside the list.
        show: Draw both frames, the flow in colours of the wheel, and the flow image.
        at: With --show VIDEO: seconds; default: the middle.
        out: With --show: the PNG to write.
        overwrite: Make what is finished again; with --show replace the file named by --out.
        as_json: Print one JSON document.
        flow_options: How flow is found.
        compute: Options of every command that computes.
    """
    if not paths:
        raise UsageError("DATA is missing: give videos and the folder to make: lrcn flow DATA OUT")
    config = flow_options.config()
    compute.start()
    if show:
        return _show(paths, config, at=at, out=out, overwrite=overwrite, as_json=as_json)
    if out is not None or at is not None:
        raise UsageError("--out and --at belong to --show; without it: lrcn flow DATA OUT")
    if len(paths) != 2:
        missing = "OUT is missing" if len(paths) == 1 else f"{len(paths)} paths are too many"
        raise UsageError(f"{missing}: lrcn flow takes DATA and OUT")
    from lrcn.data.flow_files import make_flow
    from lrcn.data.flow_manifest import FlowStorage
    from lrcn.data.flow_plan import plan_flow
    from lrcn.engine import set_threads

    data, target = paths
    storage = FlowStorage(flow=config, format=file_format, quality=_checked(quality), naming=naming)
    plan = plan_flow(data, target, storage, layout=layout, fold=fold, videos_root=videos_root)
    threads = set_threads(compute.threads)  # one video each
    with watcher("flow", quiet=compute.quiet) as watch:
        summary = make_flow(plan, target, storage, threads=threads, again=overwrite, watch=watch)
    _report(summary, storage, target, again=overwrite, as_json=as_json, quiet=compute.quiet)
    return report_skipped(summary.skipped, quiet=compute.quiet)


def _checked(quality: int) -> int:
    if not 1 <= quality <= 100:
        raise UsageError(f"--quality is {quality}; it takes 1 to 100")
    return quality


def _report(
    summary: FlowSummary,
    storage: FlowStorage,
    out: Path,
    *,
    again: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """What was made, on stdout; what should be known about it, on stderr."""
    repeated = summary.repeated
    for record in repeated[:_SHOWN]:
        say(f"note: {record.name}: {record.repeats}", quiet=quiet)
    if len(repeated) > _SHOWN:
        say(f"note: {len(repeated) - _SHOWN} more videos with repeated frames", quiet=quiet)
    truncated = [r.name for r in (*summary.made, *summary.kept) if r.truncated]
    if truncated:
        say(f"note: damaged, used as far as they go: {_few(truncated)}", quiet=quiet)
    if summary.remade and not again:
        say(f"note: source or settings changed, made again: {_few(summary.remade)}", quiet=quiet)
    if summary.gone:
        say(
            f"note: no source in DATA any more, left as they are: {_few(summary.gone)}", quiet=quiet
        )
    images = sum(record.num_images for record in summary.made)
    if as_json:
        print_json(_document(summary, storage, out))
        return
    rate = f", {images / max(summary.seconds, 1e-9):.0f} a second" if images else ""
    print_line(
        f"{out}: flow images of {len(summary.made)} videos ({images} images{rate},"
        f" {storage.flow.method}); {len(summary.kept)} were there, {len(summary.skipped)} left out"
    )


def _few(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _document(summary: FlowSummary, storage: FlowStorage, out: Path) -> dict[str, Any]:
    from lrcn.settings import to_dict

    return {
        "out": out,
        "storage": to_dict(storage),
        "num_made": len(summary.made),
        "num_kept": len(summary.kept),
        "num_remade": len(summary.remade),
        "num_images": sum(record.num_images for record in (*summary.made, *summary.kept)),
        "seconds": summary.seconds,
        "repeated": [
            {"name": r.name, "num_repeated": r.num_repeated, "every": r.every}
            for r in summary.repeated
        ],
        "truncated": [r.name for r in (*summary.made, *summary.kept) if r.truncated],
        "skipped": [{"path": s.path, "reason": s.reason} for s in summary.skipped],
    }


def _show(
    paths: Sequence[Path],
    config: FlowConfig,
    *,
    at: float | None,
    out: Path | None,
    overwrite: bool,
    as_json: bool,
) -> int:
    """Draw the flow between two frames, or stored flow."""
    if len(paths) > 2:
        raise UsageError(f"--show takes FRAME_A FRAME_B or VIDEO, not {len(paths)} paths")
    if out is None:
        raise UsageError("--out is missing: with --show name the .png to write")
    if out.suffix.lower() != ".png":
        raise UsageError(f"--out is {out}; with --show it names the .png to write")
    refuse_existing_file(out, overwrite=overwrite)
    from lrcn.data.modality import recognised

    stored = [path for path in paths if recognised(path)]
    if stored and len(paths) == 2:
        raise UsageError(f"{stored[0]} holds flow already; give it alone, and --at for its place")
    shown = _stored(paths[0], config, at) if stored else _computed(paths, config, at)
    _write_sheet(out, shown.sheet)
    length = shown.length_px
    mean_px, largest_px = float(length.mean()), float(length.max())
    if as_json:
        print_json(
            {
                "out": out,
                "method": shown.method,
                "seconds": shown.seconds,
                "mean_px": mean_px,
                "largest_px": largest_px,
                "saturated": shown.saturated,
            }
        )
    else:
        where = "" if shown.seconds is None else f" at {shown.seconds:.2f} seconds"
        print_line(
            f"{out}: motion{where} of {mean_px:.2f} pixels in the mean, at most {largest_px:.2f};"
            f" {100 * shown.saturated:.1f} % of it is beyond the range"
        )
    return 0


@dataclass(frozen=True)
class _Shown:
    """What --show draws and tells."""

    sheet: Any
    length_px: Any
    """Length of every vector, H x W."""
    saturated: float
    """Share of pixels that a flow image cannot tell."""
    method: str | None
    """None where foreign flow images do not say it."""
    seconds: float | None


def _computed(paths: Sequence[Path], config: FlowConfig, at: float | None) -> _Shown:
    """The flow between two pictures, or in a video."""
    import numpy as np

    from lrcn.video.flow import FlowEstimator
    from lrcn.video.flow_picture import flow_sheet

    before, after, seconds = _two_frames(paths, at)
    estimator = FlowEstimator(config)
    found = estimator.flow(estimator.grey(before), estimator.grey(after))
    length = np.hypot(found[..., 0], found[..., 1])
    saturated = float((np.abs(found).max(axis=-1) * config.scale > 127).mean())
    sheet = flow_sheet(before, after, found, config)
    return _Shown(sheet, length, saturated, config.method, seconds)


def _stored(path: Path, config: FlowConfig, at: float | None) -> _Shown:
    """A flow image that is there; its settings are the manifest's, where it has one."""
    import numpy as np

    from lrcn.data.flow_manifest import find_manifest
    from lrcn.data.modality import open_pictures
    from lrcn.structures import Preprocessing
    from lrcn.video.flow import flow_vectors
    from lrcn.video.flow_picture import flow_pair

    manifest = find_manifest(path)
    own = config if manifest is None else manifest.storage.flow
    with open_pictures(path, Preprocessing(input_px=1, modality="flow", flow=own)) as video:
        times = video.pts_seconds().tolist()
        place = _place_of(path, times, at)
        clip = video.read([video.frame_range()[place]])
    image = clip.frames_TCHW[0].permute(1, 2, 0).numpy()
    vectors = flow_vectors(image, own)
    at_end = (image[..., :2] <= own.lowest) | (image[..., :2] >= own.highest)
    return _Shown(
        flow_pair(vectors, image),
        np.hypot(vectors[..., 0], vectors[..., 1]),
        float(at_end.any(axis=-1).mean()),
        None if manifest is None else own.method,
        times[place],
    )


def _write_sheet(out: Path, sheet: Any) -> None:
    """Write a PNG whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    from lrcn.video.frames import write_picture

    draft = out.with_name(f".{out.stem}.draft-{os.getpid()}.png")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_picture(draft, sheet)
        draft.replace(out)
    except OSError as error:
        raise OutputError(
            f"{out} cannot be written: {error.strerror or error}. Check the place"
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _two_frames(paths: Sequence[Path], at: float | None) -> tuple[Any, Any, float | None]:
    """Two pictures of one size, or two adjacent frames of a video with the time of the second."""
    from lrcn.errors import MediaError
    from lrcn.video.frames import read_picture
    from lrcn.video.source import open_video

    if len(paths) == 2:
        if at is not None:
            raise UsageError("--at belongs to a video; two pictures have no time")
        before, after = (read_picture(path) for path in paths)
        if before.shape != after.shape:
            raise MediaError(
                f"{paths[1]}: is {after.shape[1]}x{after.shape[0]} pixels, {paths[0]}"
                f" {before.shape[1]}x{before.shape[0]}; flow needs two frames of one size"
            )
        return before, after, None
    with open_video(paths[0]) as video:
        times = video.pts_seconds().tolist()
        frames = video.frame_range()
        if len(times) < 2:
            raise MediaError(f"{paths[0]}: has a single frame, and motion needs two")
        place = max(1, _place_of(paths[0], times, at))
        clip = video.read([frames[place - 1], frames[place]])
    before, after = clip.frames_TCHW.permute(0, 2, 3, 1).numpy()
    return before, after, times[place]


def _place_of(path: Path, times: Sequence[float], at: float | None) -> int:
    """The frame nearest to a time; by default the one in the middle.

    Raises:
        UsageError: the video does not reach so far.
    """
    wanted = (times[0] + times[-1]) / 2 if at is None else at
    if not 0 <= wanted <= times[-1] + 1:
        raise UsageError(
            f"--at is {wanted:g}, and the frames of {path} lie from {times[0]:.2f} to"
            f" {times[-1]:.2f} seconds; choose a time among them"
        )
    return min(range(len(times)), key=lambda i: abs(times[i] - wanted))
