"""Which videos `lrcn flow` works on, and where their flow images go.

OUT looks like DATA, so that it is a data set of the same layout: class folders and parts stay, the
official lists of UCF101, HMDB51 and the paper's layout are copied. Where DATA is a list of files,
or a fold or the place of its videos is named, the flow images lie in OUT/videos and OUT/list.csv
names them with their labels.
"""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from lrcn.data.datasets import read_dataset
from lrcn.data.datasets.detect import detect_layout
from lrcn.data.datasets.walk import find_media, has_media_name, strip_media_extension, visible
from lrcn.data.flow_manifest import FlowStorage
from lrcn.data.modality import recognised
from lrcn.data.split_file import write_items
from lrcn.errors import ConfigError, DataError, OutputError
from lrcn.structures import SkippedFile, VideoItem
from lrcn.video.features import is_feature_path
from lrcn.video.frames import is_frame_folder

LIST_NAME = "list.csv"

_TREES = ("folder", "ucf101", "hmdb51", "paper_frames")
"""Layouts that OUT repeats as a tree; the others become a list."""

_LIST_ENDINGS = (".txt", ".csv")
_LARGEST_LIST = 64 * 2**20


@dataclass(frozen=True)
class FlowJob:
    """One video."""

    source: Path
    name: str
    """Below DATA, "/" between its parts, with its ending."""
    target: str
    """Of its flow images below OUT: a folder, or a file ending in .mkv."""


@dataclass(frozen=True)
class FlowPlan:
    """All videos, and what makes OUT a data set."""

    data: str
    jobs: tuple[FlowJob, ...]
    lists: tuple[tuple[Path, str], ...] = ()
    """Official lists and where they go below OUT."""
    items: tuple[VideoItem, ...] = ()
    """Where DATA is a list: its lines."""
    skipped: tuple[SkippedFile, ...] = ()

    def finish(self, out: Path) -> None:
        """Copy or write the lists, once flow images are there.

        Raises:
            OutputError: they cannot be written.
        """
        targets = {str(job.source): out / job.target for job in self.jobs}
        made = [i for i in self.items if i.path in targets and targets[i.path].exists()]
        if made:
            moved = [replace(item, path=str(targets[item.path])) for item in made]
            write_items(moved, out / LIST_NAME, None)
        for path, below in self.lists:
            try:
                (out / below).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, out / below)
            except OSError as error:
                raise OutputError(
                    f"{out / below} cannot be written: {error.strerror or error}. Check the place"
                    " and its free space"
                ) from error


def plan_flow(
    data: Path,
    out: Path,
    storage: FlowStorage,
    *,
    layout: str | None = None,
    fold: int | None = None,
    videos_root: Path | None = None,
) -> FlowPlan:
    """Find the videos of DATA: a video, a folder of frames, a folder of both, or a list of them.

    Raises:
        DataError: there is no video, DATA holds flow images already, or OUT lies in it.
        ConfigError: an unknown layout or fold, or settings of data sets for one video.
    """
    if not data.exists():
        raise DataError(
            f"{data} does not exist. DATA is a video, a folder of videos or of frames, or a list"
            " of them; check the path"
        )
    if recognised(data):
        raise _flow_already(data)
    if data.is_dir() and out.resolve().is_relative_to(data.resolve()):
        raise DataError(
            f"{out} lies in {data}, where flow images would be taken for videos of it. Choose a"
            " place beside it"
        )
    if (data.is_file() and has_media_name(data)) or is_frame_folder(data):
        if layout or fold is not None or videos_root is not None:
            raise ConfigError(
                f"{data} is one video; a layout, a fold and --videos-root are for data sets. Leave"
                " them out"
            )
        return FlowPlan(str(data), _jobs([(data, data.name)], storage))
    layout = layout or detect_layout(data)
    if data.is_dir() and layout in _TREES and fold is None and videos_root is None:
        return _tree(data, storage, with_lists=layout != "folder")
    return _listed(data, storage, layout=layout, fold=fold, videos_root=videos_root)


def _flow_already(path: str | Path) -> DataError:
    return DataError(
        f"{path} holds flow images already, of which no flow is computed; give the videos, or the"
        " folders of their frames"
    )


def _tree(data: Path, storage: FlowStorage, *, with_lists: bool) -> FlowPlan:
    found = find_media(data).videos
    videos = [path for path in found if not recognised(path)]  # the original's lie beside frames
    if found and not videos:
        raise _flow_already(found[0])
    if not videos:
        raise DataError(f"{data} holds no video and no folder of numbered images; check the path")
    named = [(path, path.relative_to(data).as_posix()) for path in videos]
    return FlowPlan(str(data), _jobs(named, storage), lists=_lists(data) if with_lists else ())


def _lists(data: Path) -> tuple[tuple[Path, str], ...]:
    """Text files of DATA and of the folders directly in it."""
    folders = [data, *(path for path in visible(data) if path.is_dir())]
    return tuple(
        (path, path.relative_to(data).as_posix())
        for folder in folders
        for path in visible(folder)
        if path.suffix.lower() in _LIST_ENDINGS
        and path.is_file()
        and path.stat().st_size <= _LARGEST_LIST
    )


def _listed(
    data: Path,
    storage: FlowStorage,
    *,
    layout: str,
    fold: int | None,
    videos_root: Path | None,
) -> FlowPlan:
    videos = read_dataset(
        data, layout=layout, fold=fold, videos_root=videos_root, missing="skip", min_classes=1
    )
    items = tuple(item for item in videos.items if not is_feature_path(item.path))
    if not items:
        raise DataError(
            f"{data} lists feature files only; flow is computed of videos and folders of frames"
        )
    names: dict[str, str] = {}
    for item in items:
        if recognised(item.path):
            raise _flow_already(item.path)
        safe = [part for part in item.video_id.split("/") if part not in ("", ".", "..")]
        names.setdefault(item.path, "/".join(["videos", *safe]) + Path(item.path).suffix)
    named = [(Path(path), name) for path, name in names.items()]
    return FlowPlan(str(data), _jobs(named, storage), items=items, skipped=videos.skipped)


def _jobs(named: list[tuple[Path, str]], storage: FlowStorage) -> tuple[FlowJob, ...]:
    """Where each goes; names that differ in their ending alone keep it.

    Raises:
        DataError: two videos would go to one place (naming original has no class folders).
    """
    original = storage.naming == "original"
    bare = [strip_media_extension(name) for _, name in named]
    if original:
        bare = [f"flow_images/{name.rsplit('/', 1)[-1]}" for name in bare]
    counts = Counter(bare)
    jobs: dict[str, FlowJob] = {}
    for (path, name), target in zip(named, bare, strict=True):
        if counts[target] > 1 and not original:
            target = name
        target += ".mkv" if storage.format == "ffv1" else ""
        if target in jobs:
            raise DataError(
                f"{jobs[target].name} and {name} would both go to {target}: naming original has no"
                " class folders. Use naming nested, or rename one"
            )
        jobs[target] = FlowJob(path, name, target)
    return tuple(jobs.values())
