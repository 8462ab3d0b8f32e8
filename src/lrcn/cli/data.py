"""`lrcn data make|check|split`: data sets rendered, inspected, divided."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from lrcn.cli.data_captions import check_captions, is_caption_data, split_captions
from lrcn.cli.options import DEFAULTS, ComputeOptions
from lrcn.cli.output import (
    print_json,
    print_line,
    print_table,
    refuse_existing_file,
    refuse_existing_folder,
    report_skipped,
    say,
    watcher,
)
from lrcn.cli.parser import UsageError, hidden_from_parser, option
from lrcn.cli.settings import WorldSettings, with_switches, world_settings

GroupBy = Literal["column", "folder", "pattern", "file"]
World = Literal["motion", "pictures", "events"]
_ALL_PARTS = ("world", "picture", "events")


def data_make(
    world: World,
    out: Path,
    /,
    *,
    num_train: int = 4000,
    num_val: int = 80,
    num_test: int = 240,
    difficulty: Literal["default", "hard", "harder"] = "default",
    width: int | None = None,
    height: int | None = None,
    num_frames: int | None = None,
    fps: float | None = None,
    overwrite: bool = False,
    as_json: Annotated[bool, option("--json")] = False,
    compute: ComputeOptions = DEFAULTS,
    settings: Annotated[Mapping[str, str | None], hidden_from_parser],
) -> int:
    """Render a world of shapes: clips in which no single frame tells the class, or sentences.

    motion: real H.264 files in the parts train, val and test with a folder per class, and exact
    sentences about every clip. pictures: PNG files in these parts with a sentence about each that
    is exactly true (shape, colour, size, place). events: clips of several motions, one after the
    other, with a sentence that is true in that order only. The same seed and settings give the
    same files. Everything about a world, its difficulty too, is a setting.

    Args:
        world: motion, where shapes slide, rise, sink, spin, grow, shrink, turn back; pictures; or
            events.
        out: Folder to make.
        num_train: Clips or pictures to train on.
        num_val: Clips or pictures to choose the best model by.
        num_test: Clips or pictures to measure on.
        difficulty: Named world to start from: default, hard (smaller, slower, noisier, two
            shapes), harder (much of it all, and everything sways).
        width: Pixels.
        height: Pixels.
        num_frames: Frames per clip.
        fps: Frames per second of clips.
        overwrite: Replace a world that was rendered there.
        as_json: Print one JSON document.
        compute: Options of every command that computes.
        settings: Dotted settings, taken out before parsing.
    """
    names = {"motion": "motion.json", "pictures": "pictures.json", "events": "events.json"}
    refuse_existing_folder(
        out,
        overwrite=overwrite,
        is_ours=lambda folder: any((folder / name).is_file() for name in names.values()),
        what="a rendered world",
    )
    flags = {"width": width, "height": height, "num_frames": num_frames, "fps": fps}
    dotted = with_switches(settings, world_settings())
    given = {key: value for key, value in flags.items() if value is not None}
    counts = {"train": num_train, "val": num_val, "test": num_test}
    with watcher("rendering", quiet=compute.quiet) as watch:
        made = _render(
            world,
            out,
            difficulty,
            given,
            dotted,
            num_train=num_train,
            num_val=num_val,
            num_test=num_test,
            seed=compute.seed_or_zero,
            threads=compute.threads or os.cpu_count() or 1,
            progress=(lambda done, total: watch(done, total, "")) if watch else None,
        )
    if as_json:
        classes = {"class_names": sorted(made.world.actions)} if world == "motion" else {}
        print_json(
            {
                "world": world,
                "difficulty": difficulty,
                "out": out,
                **classes,
                ("num_images" if world == "pictures" else "num_videos"): counts,
                "settings": _settings_of(world, made),
                "seed": compute.seed_or_zero,
            }
        )
    else:
        parts = ", ".join(f"{number} {name}" for name, number in counts.items())
        least, most = made.events.num_events
        what = {
            "motion": f"clips of {len(made.world.actions)} classes",
            "pictures": "pictures with a sentence each",
            "events": f"clips of {least} to {most} events with a sentence each",
        }
        print_line(f"{out}: {parts} {what[world]}")
    return 0


_PARTS: Mapping[World, tuple[str, ...]] = {
    "motion": ("world",),
    "pictures": ("picture",),
    "events": ("world", "events"),
}
"""World → its parts of `WorldSettings`; --width and the like belong to the first."""

_NOT_OF: Mapping[World, tuple[str, ...]] = {
    "motion": (),
    "pictures": ("picture.num_frames", "picture.fps"),
    "events": ("world.num_frames", "world.two_shapes", "world.second_shape"),
}
"""World → settings that say nothing there."""


def _render(
    world: World,
    out: Path,
    difficulty: str,
    flags: Mapping[str, Any],
    dotted: Mapping[str, str],
    **how: Any,
) -> WorldSettings:
    """Make the files with the resolved settings, in place of a world that was there."""
    from lrcn.data.events import make_events
    from lrcn.data.events_config import EVENT_DIFFICULTIES
    from lrcn.data.motion import make_motion
    from lrcn.data.motion_config import DIFFICULTIES
    from lrcn.data.pictures import make_pictures
    from lrcn.data.pictures_config import PICTURE_DIFFICULTIES
    from lrcn.settings import override

    own = _PARTS[world]
    given = {f"{own[0]}.{key}": value for key, value in flags.items()}
    strange = [f"--{key}" for key in dotted if key.partition(".")[0] in {*_ALL_PARTS} - {*own}]
    strange += [f"--{key}" for key in dotted if key in _NOT_OF[world]]
    strange += ["--" + k.partition(".")[2].replace("_", "-") for k in given if k in _NOT_OF[world]]
    if strange:
        raise UsageError(
            f"{strange[0].replace('_', '-')} is no setting of {world}, whose settings start with"
            f" {' or '.join(f'--{part}' for part in own)}. Leave it out"
        )
    motions = EVENT_DIFFICULTIES if world == "events" else DIFFICULTIES
    base = WorldSettings(world=motions[difficulty], picture=PICTURE_DIFFICULTIES[difficulty])
    chosen = override(base, {**given, **dotted})
    if out.is_dir():
        shutil.rmtree(out)
    if world == "motion":
        make_motion(out, chosen.world, **how)
    elif world == "pictures":
        make_pictures(out, chosen.picture, **how)
    else:
        make_events(out, chosen.events, chosen.world, **how)
    return chosen


def _settings_of(world: World, made: WorldSettings) -> dict[str, Any]:
    """The settings that count, as JSON; of worlds with several parts by part."""
    from lrcn.settings import to_dict

    parts = {part: to_dict(getattr(made, part)) for part in _PARTS[world]}
    return parts if len(parts) > 1 else parts[_PARTS[world][0]]


def data_check(
    data: Path,
    /,
    *,
    out: Path | None = None,
    layout: str | None = None,
    fold: int | None = None,
    videos_root: Path | None = None,
    images: Path | None = None,
    group_by: GroupBy | None = None,
    group_pattern: str | None = None,
    overwrite: bool = False,
    as_json: Annotated[bool, option("--json")] = False,
    compute: ComputeOptions = DEFAULTS,
) -> int:
    """Read every file of a data set from end to end and say what is there and what is wrong.

    Lists unreadable, truncated, absent, duplicate and mislabelled-looking files, lengths, rates,
    class balance and leaks between the parts. Exit code 1 when a clean list would leave
    something out.

    Args:
        data: Folder or list file with labelled videos, or with captions of photos or videos.
        out: Clean list to write (CSV, of captions JSON lines): DATA without what cannot be used.
        layout: Name of the data's layout; default: recognised.
        fold: Official division of UCF101 or HMDB51: 1, 2 or 3.
        videos_root: Where the listed files lie, when not beside the list.
        images: Where the photos or videos of a list of captions lie.
        group_by: How sources are told: column, folder, pattern, or file (every file for itself).
        group_pattern: Regular expression on paths; its brackets are the source.
        overwrite: Replace the file named by --out.
        as_json: Print one JSON document.
        compute: Options of every command that computes.
    """
    if out is not None:
        refuse_existing_file(out, overwrite=overwrite)
    compute.start()
    if is_caption_data(data, layout):
        return check_captions(
            data, out=out, layout=layout, images=images, as_json=as_json, compute=compute
        )
    from lrcn.data.inspect import inspect

    with watcher("reading", quiet=compute.quiet) as watch:
        found = inspect(
            data,
            threads=compute.threads or 0,
            progress=(lambda done, total: watch(done, total, "")) if watch else None,
            layout=layout,
            fold=fold,
            videos_root=videos_root,
            group_by=group_by,
            group_pattern=group_pattern,
        )
    if as_json:
        print_json(found.to_dict())
    else:
        print_line(str(found))
    if out is not None:
        number = found.clean_list(out)
        say(f"clean list of {number} items: {out}", quiet=compute.quiet)
    return 1 if found.left_out() or found.video_list.skipped else 0


def data_split(
    data: Path,
    /,
    *,
    out: Path,
    val_fraction: float = 0.2,
    test_fraction: float = 0.2,
    layout: str | None = None,
    fold: int | None = None,
    videos_root: Path | None = None,
    images: Path | None = None,
    missing: Literal["error", "skip"] = "error",
    group_by: GroupBy | None = None,
    group_pattern: str | None = None,
    allow_leaks: bool = False,
    overwrite: bool = False,
    as_json: Annotated[bool, option("--json")] = False,
    compute: ComputeOptions = DEFAULTS,
) -> int:
    """Divide a data set into train, val and test, and write the division to a list file.

    Clips of one source stay together: by column, folder or file name. The list file is itself
    DATA: `lrcn train --data FILE` uses its train and val, `lrcn evaluate` its test. Parts that
    the data set has already are kept; the same --seed gives the same division.

    Args:
        data: Folder or list file with labelled videos, or with captions of photos or videos.
        out: List file to write (CSV, of captions JSON lines).
        val_fraction: Part of each class (of captions: of the photos) for validation.
        test_fraction: Part of each class (of the photos) for testing; 0 for none.
        layout: Name of the data's layout; default: recognised.
        fold: Official division of UCF101 or HMDB51: 1, 2 or 3.
        videos_root: Where the listed files lie, when not beside the list.
        images: Where the photos or videos of a list of captions lie.
        missing: What happens when a listed file is absent.
        group_by: How sources are told: column, folder, pattern, or file (every file for itself).
        group_pattern: Regular expression on paths; its brackets are the source.
        allow_leaks: Write the division although sources stand on two sides.
        overwrite: Replace the file.
        as_json: Print one JSON document.
        compute: Options of every command that computes.
    """
    refuse_existing_file(out, overwrite=overwrite)
    if is_caption_data(data, layout):
        return split_captions(
            data,
            out=out,
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            layout=layout,
            images=images,
            missing=missing,
            allow_leaks=allow_leaks,
            as_json=as_json,
            compute=compute,
        )
    from lrcn.data.datasets import read_dataset
    from lrcn.data.leaks import refuse_leaks
    from lrcn.data.split import divide
    from lrcn.data.split_file import save_division

    videos = read_dataset(
        data,
        layout=layout,
        fold=fold,
        videos_root=videos_root,
        missing=missing,
        group_by=group_by,
        group_pattern=group_pattern,
    )
    division = divide(
        videos,
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        seed=compute.seed_or_zero,
    )
    parts = {str(name): part for name, part in division.parts.items()}
    leaks = refuse_leaks(parts, allow_leaks=allow_leaks)
    save_division(division, out)
    warnings = [*division.warnings, *(f"leak allowed: {leak}" for _, _, leak in leaks)]
    for warning in (*videos.notes, *warnings):
        say(f"note: {warning}", quiet=compute.quiet)
    counts = {
        name: Counter(c for item in part.items for c in item.class_names)
        for name, part in parts.items()
    }
    if as_json:
        print_json(
            {
                "out": out,
                "split": division.how,
                "grouping": videos.grouping,
                "num_videos": {name: len(part) for name, part in parts.items()},
                "per_class": counts,
                "warnings": warnings,
                "skipped": [{"path": s.path, "reason": s.reason} for s in videos.skipped],
            }
        )
    else:
        grouping = f" ({videos.grouping})" if videos.grouping else ""
        print_line(f"split: {division.how}{grouping}, written to {out}")
        rows = [(name, *(counts[part][name] for part in parts)) for name in videos.class_names]
        print_table(
            ("class", *parts), [*rows, ("all videos", *(len(part) for part in parts.values()))]
        )
    return report_skipped(videos.skipped, quiet=compute.quiet)
