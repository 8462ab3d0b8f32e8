"""Flow images of many videos: in parallel, each whole or not at all, and nothing made twice.

A video is finished when its folder (or file) has been moved to its place and noted in the
manifest. Whoever stops a run in between, by Ctrl-C or by pulling the plug, loses the videos that
were being worked on and no other: the same command goes on from there.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from lrcn.data.content import content_hash
from lrcn.data.datasets.walk import strip_media_extension
from lrcn.data.flow_manifest import (
    IMAGE_PREFIX,
    MANIFEST_NAME,
    FlowRecord,
    FlowStorage,
    ManifestWriter,
    read_manifest,
    regular_times,
)
from lrcn.data.flow_plan import FlowJob, FlowPlan
from lrcn.errors import MediaError, OutputError
from lrcn.structures import SkippedFile
from lrcn.video.flow import FlowEstimator
from lrcn.video.flow_video import FlowVideo
from lrcn.video.frames import write_picture
from lrcn.video.pixels import Pixels
from lrcn.video.repeats import RepeatFinder
from lrcn.video.source import open_video
from lrcn.video.stills import DEFAULT_FPS
from lrcn.video.writer import VideoWriter

FIRST_NUMBER = 2
"""Number in the name of a video's first flow image, which belongs to its second frame."""

_DRAFTS = ".lrcn-flow-"
"""Followed by the process's id: the folder in OUT in which it puts videos together."""

_SAME_SECONDS = 1e-6

Watch = Callable[[int, int, str], None]
"""Called after each video: how many are done, of how many, its name."""


@dataclass(frozen=True, kw_only=True)
class FlowSummary:
    """What was done."""

    made: tuple[FlowRecord, ...]
    kept: tuple[FlowRecord, ...]
    """Finished before, of the same content with the same settings."""
    skipped: tuple[SkippedFile, ...]
    """Could not be read."""
    remade: tuple[str, ...]
    """Names of those of `made` that had been there, with another content or other settings."""
    gone: tuple[str, ...]
    """Names of videos whose flow is in OUT, and which DATA has no more; it stays."""
    seconds: float

    @property
    def repeated(self) -> tuple[FlowRecord, ...]:
        """Videos in which frames repeat the one before: those flow images are blank."""
        return tuple(r for r in (*self.made, *self.kept) if r.repeats.notable)


def make_flow(
    plan: FlowPlan,
    out: Path,
    storage: FlowStorage,
    *,
    threads: int = 1,
    again: bool = False,
    watch: Watch | None = None,
) -> FlowSummary:
    """Compute and store the flow images of all videos of a plan.

    Args:
        plan: From `plan_flow`.
        out: Folder to make or to go on with.
        storage: Method, encoding, format and names.
        threads: Videos worked on at the same time.
        again: Make also what is finished.
        watch: Told of the progress.

    Raises:
        ConfigError: the method is not installed.
        OutputError: OUT holds something else, or cannot be written.
    """
    started = time.monotonic()
    FlowEstimator(storage.flow)
    before = _before(out)
    manifest = ManifestWriter(out, storage, plan.data)
    _remove_unfinished(out)
    maker = _Maker(out, storage, manifest, before, again=again)
    made: list[FlowRecord] = []
    kept: list[FlowRecord] = []
    skipped: list[SkippedFile] = list(plan.skipped)
    try:
        with closing(_in_parallel(plan.jobs, maker, threads)) as results:
            for done, (job, result) in enumerate(results, 1):
                if isinstance(result, SkippedFile):
                    skipped.append(result)
                elif result is before.get(job.name):
                    kept.append(result)
                else:
                    made.append(result)
                if watch is not None:
                    watch(done, len(plan.jobs), job.name)
    finally:
        _remove(maker.drafts)
    plan.finish(out)
    names = {job.name for job in plan.jobs}
    return FlowSummary(
        made=tuple(made),
        kept=tuple(kept),
        skipped=tuple(skipped),
        remade=tuple(record.name for record in made if record.name in before),
        gone=tuple(name for name in before if name not in names),
        seconds=time.monotonic() - started,
    )


def _before(out: Path) -> dict[str, FlowRecord]:
    """The videos that an earlier run finished, by name.

    Raises:
        OutputError: OUT is there and no earlier run made it.
    """
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file; OUT is a folder. Choose another place")
    found = read_manifest(out)
    if found is None:
        if out.is_dir() and any(out.iterdir()):
            raise OutputError(
                f"{out} holds other files and no {MANIFEST_NAME}, so `lrcn flow` did not make it."
                " Choose another place"
            )
        return {}
    return {record.name: record for record in found.records.values()}


def _in_parallel(
    jobs: tuple[FlowJob, ...], maker: _Maker, threads: int
) -> Generator[tuple[FlowJob, FlowRecord | SkippedFile], None, None]:
    """Results as they come; when the consumer leaves, workers stop at the next clip."""
    with ThreadPoolExecutor(threads, thread_name_prefix="lrcn-flow") as pool:
        running: dict[Future[FlowRecord | SkippedFile], FlowJob] = {}
        try:
            for job in jobs:
                running[pool.submit(maker, job)] = job
                if len(running) > threads:
                    yield from _finished(running)
            while running:
                yield from _finished(running)
        finally:
            maker.stop.set()


def _finished(
    running: dict[Future[FlowRecord | SkippedFile], FlowJob],
) -> Iterator[tuple[FlowJob, FlowRecord | SkippedFile]]:
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        yield running.pop(future), future.result()


class _StoppedError(Exception):
    """The run was stopped."""


class _Maker:
    """The work of the threads: one video, unless it is finished already."""

    def __init__(
        self,
        out: Path,
        storage: FlowStorage,
        manifest: ManifestWriter,
        before: dict[str, FlowRecord],
        *,
        again: bool,
    ) -> None:
        self.stop = threading.Event()
        self.drafts = out / f"{_DRAFTS}{os.getpid()}"
        self._out = out
        self._storage = storage
        self._manifest = manifest
        self._before = before
        self._again = again

    def __call__(self, job: FlowJob) -> FlowRecord | SkippedFile:
        try:
            content = content_hash(job.source)
            known = self._before.get(job.name)
            if known is not None and self._is_finished(known, job, content):
                return known
            record = self._make(job, content)
        except MediaError as error:
            reason = str(error).removeprefix(f"{job.source}: ")
            return SkippedFile(path=str(job.source), reason=reason)
        except OSError as error:
            raise OutputError(
                f"{self._out / job.target} cannot be written: {error.strerror or error}. Check the"
                " place and its free space"
            ) from error
        if known is not None and known.path != record.path:
            _remove(self._out / known.path)
        self._manifest.add(record)
        return record

    def _is_finished(self, known: FlowRecord, job: FlowJob, content: str) -> bool:
        wanted = self._storage.digest, content, job.target
        if self._again or (known.settings, known.content, known.path) != wanted:
            return False
        target = self._out / known.path
        if self._storage.format == "ffv1":
            return target.is_file()
        return target.is_dir() and sum(1 for _ in target.iterdir()) == known.num_images

    def _make(self, job: FlowJob, content: str) -> FlowRecord:
        """All flow images of a video, put together in a draft and moved to their place."""
        target = self._out / job.target
        draft = self.drafts / f"{threading.get_ident()}{target.suffix}"
        finder = RepeatFinder()
        times: list[float] = []
        try:
            draft.parent.mkdir(parents=True, exist_ok=True)
            source = open_video(job.source)
            with FlowVideo(source, self._storage.flow, repeat_finder=finder) as video:
                if self._storage.format == "ffv1":
                    num_images = self._write_video(video, draft, times)
                else:
                    num_images = self._write_images(video, draft, job, times)
                fps, truncated = video.info.fps, video.truncated
            self._replace(draft, target)
        finally:
            _remove(draft)
        repeats = finder.result()
        return FlowRecord(
            name=job.name,
            path=job.target,
            content=content,
            settings=self._storage.digest,
            num_images=num_images,
            fps=fps,
            truncated=truncated,
            num_repeated=0 if repeats is None else repeats.num_repeated,
            every=None if repeats is None else repeats.every,
            pts_seconds=None if _is_regular(times, fps) else tuple(times),
        )

    def _write_video(self, video: FlowVideo, draft: Path, times: list[float]) -> int:
        num_images = 0
        with VideoWriter(
            draft,
            fps=video.info.fps or DEFAULT_FPS,
            width=video.info.width,
            height=video.info.height,
            codec="ffv1",
        ) as writer:
            for image_HWC in self._images(video, times):
                writer.write(image_HWC)
                num_images += 1
        return num_images

    def _write_images(self, video: FlowVideo, draft: Path, job: FlowJob, times: list[float]) -> int:
        stem = strip_media_extension(job.name.rsplit("/", 1)[-1])
        ending = "png" if self._storage.format == "png" else "jpg"
        draft.mkdir()
        number = FIRST_NUMBER
        for image_HWC in self._images(video, times):
            path = draft / f"{IMAGE_PREFIX}{stem}.{number:04d}.{ending}"
            write_picture(path, image_HWC, quality=self._storage.quality)
            number += 1
        return number - FIRST_NUMBER

    def _images(self, video: FlowVideo, times: list[float]) -> Iterator[Pixels]:
        """The flow images; their times are added to `times`."""
        for clip in video.iterate():
            if self.stop.is_set():
                raise _StoppedError
            times += clip.pts_seconds_T.tolist()
            yield from clip.frames_TCHW.permute(0, 2, 3, 1).numpy()

    @staticmethod
    def _replace(draft: Path, target: Path) -> None:
        """Move what is finished to its place; an old one is gone afterwards."""
        aside = draft.with_name(f"{draft.name}-old")
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            target.rename(aside)
        draft.replace(target)
        _remove(aside)


def _is_regular(times: list[float], fps: float | None) -> bool:
    usual = regular_times(len(times), fps)
    return all(abs(a - b) < _SAME_SECONDS for a, b in zip(times, usual, strict=True))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _remove_unfinished(out: Path) -> None:
    """What runs that were killed left."""
    for path in out.glob(f"{_DRAFTS}*"):
        pid = path.name.removeprefix(_DRAFTS)
        if pid.isdigit() and (int(pid) == os.getpid() or not _runs(int(pid))):
            _remove(path)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
