"""`lrcn narrate`: sentences in time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from lrcn.cli.decoding import NO_DECODING, DecodingFlags
from lrcn.cli.inputs import copy_places, given_videos, output_places
from lrcn.cli.options import DEFAULTS, ComputeOptions, SegmentOptions
from lrcn.cli.output import print_json, print_line, print_table, say, watcher, with_path
from lrcn.cli.parser import UsageError, flattened, option
from lrcn.models.segment_config import DEFAULT_SEGMENTS, SegmentConfig
from lrcn.predict.narration_config import DEFAULT_NARRATION, NarrationConfig
from lrcn.structures import SkippedFile
from lrcn.train.stop import stop_on_signal

if TYPE_CHECKING:
    from lrcn.predict.narrate import Narration, Watching
    from lrcn.predict.narrators import Narrator
    from lrcn.predict.subtitles import Sentence, SubtitleFile

NarrationOptions = Annotated[NarrationConfig, flattened("Intervals")]
"""Where sentences begin and end."""

_Watch = Callable[[int, int, str], None]


def narrate(
    model: Path,
    /,
    *paths: str,
    vtt: Path | None = None,
    srt: Path | None = None,
    annotate: Path | None = None,
    overwrite: bool = False,
    threshold: float | None = None,
    flow: Literal["auto", "computed", "stored"] = "auto",
    as_json: Annotated[bool, option("--json")] = False,
    narration_options: NarrationOptions = DEFAULT_NARRATION,
    segment_options: SegmentOptions = DEFAULT_SEGMENTS,
    decoding: DecodingFlags = NO_DECODING,
    compute: ComputeOptions = DEFAULTS,
) -> int:
    """Say in sentences what happens in videos, and when.

    A captioner describes, a recogniser says its label. A video of any length is read once, in
    bounded memory. Ctrl-C ends it early: table, JSON and subtitles then hold what was done. A file
    that cannot be read is reported and does not stop the others; the exit code is then 1.

    Args:
        model: Run folder or model folder.
        paths: Files, folders, patterns ("clips/*.mp4"), or - for a list on stdin.
        vtt: Write WebVTT subtitles (several videos: a folder).
        srt: Write SRT subtitles (several videos: a folder).
        annotate: Write a copy of the video with the sentences burnt in (several: a folder).
        overwrite: Replace what --vtt, --srt and --annotate name.
        threshold: Of a recogniser: below this probability nothing is said.
        flow: Models of flow: compute it from the videos, or the inputs are stored flow images.
        as_json: Print one JSON document: a list with an entry per video.
        narration_options: Where sentences begin and end.
        segment_options: With --cut state, how a change is found; the shortest of every kind.
        decoding: Of a captioner: how to search for sentences.
        compute: Options of every command that computes.
    """
    device = compute.start()
    from lrcn.predict.inputs import passed_over
    from lrcn.predict.narrators import load_narrator

    if not paths:
        raise UsageError(
            "PATHS is missing: give files, folders, patterns, or - for a list on stdin"
        )
    narrator = load_narrator(
        model,
        device=device,
        precision=compute.precision,
        threshold=threshold,
        decoding=None if decoding == NO_DECODING else decoding.options,
        seed=compute.seed_or_zero,
    )
    no_frames = narrator.preprocessing is None
    inputs = list(given_videos(paths, features=no_frames, command="narrate"))
    for path in passed_over(paths):
        say(f"not read, no video by its name: {path}", quiet=compute.quiet)
    places = _Places.of(inputs, vtt=vtt, srt=srt, annotate=annotate, overwrite=overwrite)
    work = _Work(narrator, narration_options, segment_options, flow, places, quiet=compute.quiet)
    found = work.run(inputs)
    if as_json:
        print_json([narration.to_dict() for narration in found])
    else:
        _show(found)
    code = _report_failures(found, len(inputs))
    if work.stopped:
        sys.stdout.flush()
        raise KeyboardInterrupt(_told_at_stop(found, len(inputs)))
    return code


@dataclass(frozen=True)
class _Places:
    """Path of a video → where its files go."""

    vtt: Mapping[str, Path]
    srt: Mapping[str, Path]
    annotate: Mapping[str, Path]

    @staticmethod
    def of(
        inputs: Sequence[str | SkippedFile],
        *,
        vtt: Path | None,
        srt: Path | None,
        annotate: Path | None,
        overwrite: bool,
    ) -> _Places:
        """Make sure that everything can be written.

        Raises:
            OutputError: a file exists and may not be replaced.
            UsageError: one file is named for several videos, or for several purposes.
        """
        paths = [one for one in inputs if isinstance(one, str)]
        vtts = output_places(vtt, paths, option="--vtt", suffix=".vtt", overwrite=overwrite)
        srts = output_places(srt, paths, option="--srt", suffix=".srt", overwrite=overwrite)
        copies = copy_places(annotate, paths, overwrite=overwrite)
        every = [place.absolute() for kind in (vtts, srts, copies) for place in kind.values()]
        twice = next((place for place in every if every.count(place) > 1), None)
        if twice is not None:
            raise UsageError(
                f"{twice} is named for two kinds of file; give --vtt, --srt and --annotate"
                " different names"
            )
        return _Places(vtts, srts, copies)


class _Work:
    """Narrates one video after the other, until all are done or Ctrl-C."""

    def __init__(
        self,
        narrator: Narrator,
        config: NarrationConfig,
        segments: SegmentConfig,
        flow: Literal["auto", "computed", "stored"],
        places: _Places,
        *,
        quiet: bool,
    ) -> None:
        self.stopped = False
        self._narrator = narrator
        self._config, self._segments, self._flow = config, segments, flow
        self._places = places
        self._quiet = quiet

    def run(self, inputs: Sequence[str | SkippedFile]) -> list[Narration]:
        """What was said of each, in order; of those after Ctrl-C nothing."""
        from lrcn.predict.narrate import Narration

        found: list[Narration] = []
        with stop_on_signal(self._stop), watcher("narrating", quiet=self._quiet) as watch:
            for number, one in enumerate(inputs, 1):
                if self.stopped:
                    break
                if isinstance(one, SkippedFile):
                    found.append(Narration(path=one.path, video_id=one.path, error=one.reason))
                    continue
                narration = self._one(one, f"{number}/{len(inputs)} {Path(one).name}", watch)
                if one in self._places.annotate and not self.stopped:
                    narration = self._annotated(narration, self._places.annotate[one])
                found.append(narration)
        return found

    def _one(self, path: str, name: str, watch: _Watch | None) -> Narration:
        """Narrate a video into its subtitle files."""
        from lrcn.predict.narrate import narrate
        from lrcn.predict.subtitles import SubtitleFile

        with ExitStack() as stack:
            files = []
            if path in self._places.vtt:
                files.append(stack.enter_context(SubtitleFile(self._places.vtt[path], "vtt")))
            if path in self._places.srt:
                files.append(stack.enter_context(SubtitleFile(self._places.srt[path], "srt")))
            narration = narrate(
                self._narrator,
                path,
                config=self._config,
                segments=self._segments,
                flow_source=self._flow,
                watching=_watching(files, lambda: self.stopped, name, watch),
            )
            if narration.error is not None:
                for file in files:
                    file.abort()
        if narration.error is None:
            for file in files:
                say(f"subtitles: {file.path}", quiet=self._quiet)
        return narration

    def _annotated(self, narration: Narration, out: Path) -> Narration:
        """Write the copy with the sentences; a video that cannot be drawn on is a failed one."""
        from lrcn.errors import MediaError
        from lrcn.predict.annotate import burn_in
        from lrcn.predict.narrate import Narration

        if narration.error is not None:
            return narration
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            missing = burn_in(narration.path, narration.sentences, out, stop=lambda: self.stopped)
        except KeyboardInterrupt:  # no copy, but what was said is shown
            self.stopped = True
            return narration
        except MediaError as error:
            return Narration(path=narration.path, video_id=narration.video_id, error=str(error))
        say(f"annotated: {out}", quiet=self._quiet)
        if missing:
            say(
                f"warning: no font here draws {missing[:20]!r}: boxes stand for these letters in"
                f" {out}. Install a font that has them, or use --vtt or --srt"
            )
        return narration

    def _stop(self) -> None:
        """At the first Ctrl-C end in order, at the second at once."""
        if self.stopped:
            raise KeyboardInterrupt("interrupted")
        self.stopped = True


def _watching(
    files: Sequence[SubtitleFile], stopped: Callable[[], bool], name: str, watch: _Watch | None
) -> Watching:
    """Writes every sentence as soon as it is final."""
    from lrcn.predict.narrate import Watching

    class Writing(Watching):
        def on_sentence(self, sentence: Sentence) -> None:
            for file in files:
                file.write(sentence)

        def on_progress(self, done_seconds: float, total_seconds: float | None) -> None:
            if watch is not None:
                watch(round(done_seconds), round(total_seconds or done_seconds), name)

        def stop(self) -> bool:
            return stopped()

    return Writing()


def _show(found: Sequence[Narration]) -> None:
    answered = [narration for narration in found if narration.error is None]
    for place, narration in enumerate(answered):
        notes = {"truncated": narration.truncated, "interrupted": narration.interrupted}
        note = ", ".join(name for name, holds in notes.items() if holds)
        gap = "\n" if place else ""
        print_line(f"{gap}{narration.path}{f' ({note})' if note else ''}")
        if narration.sentences:
            print_table(
                ("from seconds", "to seconds", "sentence", "log prob"),
                [
                    (round(s.start_seconds, 3), round(s.end_seconds, 3), s.text, s.log_prob)
                    for s in narration.sentences
                ],
            )
        else:
            print_line("nothing was said")


def _report_failures(found: Sequence[Narration], num_inputs: int) -> int:
    """Name what failed, on stderr; 1 when something did."""
    failed = [narration for narration in found if narration.error is not None]
    for narration in failed:
        say(f"failed: {with_path(narration.path, narration.error or '')}")
    if failed:
        say(f"{len(failed)} of {num_inputs} failed")
    return 1 if failed else 0


def _told_at_stop(found: Sequence[Narration], num_inputs: int) -> str:
    """What is done, and what is not."""
    last = found[-1] if found else None
    if last is None or not last.interrupted:
        return f"interrupted; {len(found)} of {num_inputs} videos are narrated"
    return (
        f"interrupted {last.end_seconds:.1f} seconds into {last.path}, and written up to there;"
        f" {len(found) - 1} of {num_inputs} videos are narrated whole"
    )
