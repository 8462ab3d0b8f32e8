"""`lrcn fuse`: several models as one, by the weighted mean of their probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from lrcn.cli.evaluate import show_results
from lrcn.cli.measuring import DataSource, Missing, measure, runs_of, seen_as
from lrcn.cli.options import DEFAULTS, ComputeOptions
from lrcn.cli.output import (
    print_json,
    print_line,
    refuse_existing_file,
    refuse_existing_folder,
    say,
    watcher,
    write_file,
)
from lrcn.cli.parser import UsageError, option
from lrcn.cli.parts import Run, identity_of

if TYPE_CHECKING:
    from lrcn.evaluate.results import Results
    from lrcn.structures import VideoItem, VideoList

_PROTOCOL_KEYS = (
    "protocol",
    "num_crops",
    "clip_length",
    "clip_stride",
    "frame_stride",
    "sample_fps",
)


def fuse(
    *members: Path,
    out: Path,
    weights: str | None = None,
    search: Path | None = None,
    allow_unlike: bool = False,
    missing: Missing | None = None,
    overwrite: bool = False,
    as_json: Annotated[bool, option("--json")] = False,
    compute: ComputeOptions = DEFAULTS,
) -> int:
    """Fuse models, or results of the same videos: the weighted mean of their probabilities.

    Of results files, or with an OUT that ends in .json, OUT is a results file: videos are matched
    by id, classes by name, and the fused answers are measured. Of run and model folders OUT is a
    model folder that holds them all, for `lrcn predict`, `evaluate` and `report`; a fused model
    among them brings its members, which share its weight.

    Args:
        members: Two or more run folders, model folders or results files.
        out: What to write: a results file (.json), or the folder of a fused model.
        weights: One for each, for example 1,2 or 1/3,2/3; default: equal ones.
        search: Labelled validation videos on which the best weights are looked for.
        allow_unlike: Fuse although protocols, videos or sampling differ; only shared videos count.
        missing: What happens when a file of --search is absent or unreadable.
        overwrite: Replace what --out names.
        as_json: Print one JSON document.
        compute: Options of every command that computes.
    """
    if len(members) < 2:
        raise UsageError("MEMBERS are missing: give two or more models, or results files, to fuse")
    if weights is not None and search is not None:
        raise UsageError("--weights and --search exclude each other: give one of them")
    given = None if weights is None else _parsed(weights, len(members))
    to_results = out.suffix == ".json" or any(_only_results(member) for member in members)
    if to_results:
        refuse_existing_file(out, overwrite=overwrite)
    else:
        from lrcn.fusion_folder import is_fusion_folder

        refuse_existing_folder(
            out, overwrite=overwrite, is_ours=is_fusion_folder, what="a fused model"
        )
    task = _Task(tuple(members), out, given, search, allow_unlike, missing, as_json, compute)
    return task.fuse_results() if to_results else task.fuse_models()


@dataclass(frozen=True)
class _Task:
    """One command line."""

    members: tuple[Path, ...]
    out: Path
    given: tuple[float, ...] | None
    search: Path | None
    allow_unlike: bool
    missing: Missing | None
    as_json: bool
    compute: ComputeOptions

    def fuse_results(self) -> int:
        """Results files to a results file."""
        from lrcn.evaluate.fuse import fuse_results, match
        from lrcn.evaluate.results import load_results
        from lrcn.evaluate.results_folder import results_path

        found = [load_results(member) for member in self.members]
        names = [str(results_path(member)) for member in self.members]
        # What cannot be fused is refused before the work of a search.
        matched = match(found, names=names, allow_unlike=self.allow_unlike)
        weights, weights_from = self.given, _origin(self.given)
        if self.search is not None:
            places = [_model_of(m, r) for m, r in zip(self.members, found, strict=True)]
            protocols = [{k: getattr(r.protocol, k) for k in _PROTOCOL_KEYS} for r in found]
            weights, weights_from, _ = self._searched(places, protocols, matched.items)
        results = fuse_results(
            found,
            weights,
            names=names,
            weights_from=weights_from,
            allow_unlike=self.allow_unlike,
            seed=self.compute.seed_or_zero,
        )
        for warning in results.protocol.warnings:
            say(f"note: {warning}", quiet=self.compute.quiet)
        write_file(self.out, results.to_json())
        if self.as_json:
            print_json(results.to_dict())
            return 0
        assert results.protocol.fusion is not None
        for entry in results.protocol.fusion["members"]:
            main = entry.get("accuracy_top1", entry.get("mean_average_precision"))
            shown = "" if main is None else f" alone {main:.4f}"
            print_line(f"weight {entry['fusion_weight']:.4f} {shown}  {entry['results']}")
        print_line(f"weights: {weights_from}")
        print_line()
        show_results(results)
        say(f"results: {self.out}", quiet=self.compute.quiet)
        return 0

    def fuse_models(self) -> int:
        """Models to a model folder."""
        from lrcn.fusion_folder import make_fusion, save_fusion

        weights, weights_from = self.given, _origin(self.given)
        searched: tuple[str, ...] = ()
        if self.search is not None:
            # What cannot be fused is refused before the work.
            make_fusion(self.members, None, weights_from="", allow_unlike=self.allow_unlike)
            protocols: list[dict[str, Any]] = [{} for _ in self.members]
            weights, weights_from, searched = self._searched(self.members, protocols, ())
        fusion = make_fusion(
            self.members,
            weights,
            weights_from=weights_from,
            search_video_ids=searched,
            allow_unlike=self.allow_unlike,
        )
        for text in fusion.unlike:
            say(f"warning: {text}", quiet=self.compute.quiet)
        save_fusion(self.out, fusion)
        if self.as_json:
            print_json(
                {
                    "model": self.out,
                    "fusion_weights": fusion.fusion_weights,
                    "weights_from": weights_from,
                    "members": fusion.origins,
                }
            )
            return 0
        for weight, origin in zip(fusion.fusion_weights, fusion.origins, strict=True):
            print_line(f"weight {weight:.4f}  {origin}")
        print_line(f"weights: {weights_from}")
        print_line(str(self.out))
        return 0

    def _searched(
        self,
        places: Sequence[Path],
        protocols: Sequence[Mapping[str, Any]],
        measured: Sequence[VideoItem],
    ) -> tuple[tuple[float, ...], str, tuple[str, ...]]:
        """The best weights, how they were found, and on which videos."""
        assert self.search is not None
        device = self.compute.start()
        from lrcn.data.cache import FeatureCache
        from lrcn.evaluate.fuse import find_weights, match
        from lrcn.fusion_folder import load_any

        models = [load_any(place) for place in places]
        runs = [run for pair in zip(places, models, strict=True) for run in runs_of(*pair)]
        source = DataSource(self.search, next(iter(runs), None), None, None, None, self.missing)
        videos = _validation_part(source.read(), runs, measured)
        names = [str(place) for place in places]
        found: list[Results] = []
        for place, saved, own in zip(places, models, protocols, strict=True):
            with watcher(f"measuring {place}", quiet=self.compute.quiet) as watch:
                found.append(
                    measure(
                        saved,
                        seen_as(videos, saved, "auto"),
                        own,
                        "auto",
                        device=device,
                        model_path=str(place),
                        seed=self.compute.seed_or_zero,
                        precision=self.compute.precision,
                        cache=FeatureCache(),
                        decode_threads=2,
                        missing=source.missing,
                        watch=watch,
                    )
                )
        # Sampling was compared, or allowed to differ, already.
        matched = match(found, names=names, allow_unlike=True)
        best = find_weights(matched)
        how = (
            f"searched on {best.num_videos} validation videos of {self.search}"
            f" (accuracy {best.accuracy:.4f}, nll {best.nll:.4f} there)"
        )
        ids = tuple(sorted(video.video_id for video in matched.videos))
        return best.fusion_weights, how, ids


def _only_results(member: Path) -> bool:
    """Whether results can be had there, and no model."""
    from lrcn.checkpoint import find_model_folder
    from lrcn.errors import ModelError, ResultsError
    from lrcn.evaluate.results_folder import results_path

    try:
        find_model_folder(member)
    except ModelError:
        try:
            results_path(member)
        except ResultsError:
            return False
        return True
    return False


def _parsed(text: str, num_members: int) -> tuple[float, ...]:
    """The weights of "1,2" or "1/3,2/3", summing to one.

    Raises:
        UsageError: it is no list of numbers.
        ConfigError: they do not fit.
    """
    from lrcn.models.fusion import normalised

    try:
        values = [float(Fraction(part.strip())) for part in text.split(",")]
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise UsageError(
            f"--weights {text!r} is no list of numbers; give one for each member,"
            " with commas: 1,2 or 0.3,0.7 or 1/3,2/3"
        ) from error
    return normalised(values, num_members)


def _origin(given: tuple[float, ...] | None) -> str:
    return "equal" if given is None else "given"


def _model_of(member: Path, results: Results) -> Path:
    """The model that gave some results.

    Raises:
        ResultsError: it is not there any more, or is another one.
    """
    from lrcn.checkpoint import load_model, weights_hash
    from lrcn.errors import ModelError, ResultsError

    near = member.parent.parent if member.is_file() else member
    for place in (Path(results.protocol.model), near):
        try:
            saved = load_model(place)
        except ModelError:
            continue
        if weights_hash(saved.model) == results.protocol.model_hash:
            return place
    raise ResultsError(
        f"--search needs the model behind {member}, and it is not at {results.protocol.model} as"
        " it was measured. Evaluate the model again, or give --weights"
    )


def _validation_part(
    videos: VideoList, runs: Sequence[Run], measured: Sequence[VideoItem]
) -> VideoList:
    """The videos on which weights may be chosen: none that were tested or trained on.

    Raises:
        DataError: there is no validation part, or it holds videos of the test.
        LeakError: it holds videos that a member was trained on.
    """
    from lrcn.data.datasets import with_items
    from lrcn.errors import DataError

    divisions = [run.division.items for run in runs if run.division is not None]
    known = {identity_of(item): item.split for items in reversed(divisions) for item in items}
    parts = [known.get(identity_of(item), item.split) for item in videos.items]
    held = sorted({part for part in parts if part is not None})
    if held and "val" not in held:
        raise DataError(
            f"{videos.source} has no validation part, only {', '.join(held)}. Fusion weights are"
            " chosen on validation data, never on the test part; name other data, or give --weights"
        )
    chosen = [i for i, part in zip(videos.items, parts, strict=True) if part == "val" or not held]
    found = with_items(videos, chosen)
    tested = [item for items in divisions for item in items if item.split == "test"]
    _refuse_shared(found, [*tested, *measured], "are tested on")
    _refuse_shared(
        found, [i for items in divisions for i in items if i.split == "train"], "were trained on"
    )
    return found


def _refuse_shared(found: VideoList, others: Sequence[VideoItem], what: str) -> None:
    from lrcn.data.datasets import with_items
    from lrcn.data.leaks import check_leaks
    from lrcn.errors import LeakError

    present = [item for item in others if Path(item.path).exists()]
    leaks = check_leaks(with_items(found, present), found)
    if leaks:
        raise LeakError(
            f"{len(leaks)} sources of the validation videos in {found.source} {what}, first:"
            f" {leaks[0]}. Fusion weights chosen on them would make the score worthless; name"
            " other data, or give --weights"
        )
