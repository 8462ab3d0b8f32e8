"""Class-per-folder: DATA/<Class>/..., or DATA/train/<Class>/..., DATA/val/..., DATA/test/...

The class is the folder on the first level; below it videos, folders of frames or feature files
lie at any depth, and a sub-folder counts as a group when each class has several.
"""

from __future__ import annotations

from pathlib import Path

from lrcn.data.datasets.entries import SPLIT_WORDS, Entry, Listing, Request, count
from lrcn.data.datasets.walk import Found, find_media, has_media_name, visible
from lrcn.errors import DataError
from lrcn.structures import SkippedFile, Split
from lrcn.video.frames import is_frame_folder


def read_folder(request: Request) -> Listing:
    """The reader of the layout "folder".

    Raises:
        DataError: not a folder, no class folders, nothing in them, or two readings are possible.
    """
    root = request.data
    if not root.is_dir():
        raise DataError(f"{root} is not a folder; class folders were expected. Check the path.")
    folders = [path for path in visible(root) if path.is_dir()]
    splits = split_folders(root, folders)
    class_folders: list[tuple[Path, Split | None]] = [
        (folder, split) for top, split in splits for folder in visible(top) if folder.is_dir()
    ]
    if not splits:
        class_folders = [(folder, None) for folder in folders]
    _refuse_flat_frames(root, [folder for folder, _ in class_folders])
    found = [(folder, split, find_media(folder)) for folder, split in class_folders]
    videos = any(contents.videos for _, _, contents in found)
    entries = [
        _entry(root, folder, path, split)
        for folder, split, contents in found
        for path in (contents.videos if videos else contents.features)
    ]
    if not entries:
        raise DataError(_nothing_found(root, folders))
    empty = [folder for folder, split, contents in found if split is None and not contents.media]
    notes = _notes([contents for _, _, contents in found], empty, features_left=videos)
    return Listing(
        entries=tuple(entries),
        skipped=_strays([root, *(top for top, _ in splits)], empty),
        others=tuple(path for _, _, contents in found for path in contents.others),
        notes=tuple(notes),
    )


def split_folders(root: Path, folders: list[Path]) -> list[tuple[Path, Split]]:
    """The folders of the first level as parts of a split; empty when they are classes.

    Only when there is a "train" or "test" among them and all others bear such names too: a class
    may be called "train" (beside "bus").

    Raises:
        DataError: "train" and "test" stand beside other folders with media in them.
    """
    named = [(f, SPLIT_WORDS[f.name.lower()]) for f in folders if f.name.lower() in SPLIT_WORDS]
    parts = {split for _, split in named}
    others = [f for f in folders if f.name.lower() not in SPLIT_WORDS]
    if "train" not in parts and "test" not in parts:
        return []
    if not others:
        return named
    if len(parts) == 1:
        return []
    with_media = [f for f in others if find_media(f).media]
    if with_media:
        raise DataError(
            f"{root} has the folders {', '.join(f.name for f, _ in named)} and beside them "
            f"{with_media[0].name} with videos: parts of a split, or classes? Put classes into "
            f"the parts, or move {with_media[0].name} away, or give a list file."
        )
    return named


def _entry(root: Path, class_folder: Path, path: Path, split: Split | None) -> Entry:
    below = path.relative_to(class_folder).parts
    return Entry(
        path=path,
        name=path.relative_to(root).as_posix(),
        class_names=(class_folder.name,),
        folder_group="/".join(below[:-1]) or None,
        split=split,
    )


def _refuse_flat_frames(root: Path, class_folders: list[Path]) -> None:
    """Folders of images directly below DATA are videos without a class."""
    flat = [folder for folder in class_folders if is_frame_folder(folder)]
    if flat and len(flat) == len(class_folders):
        raise DataError(
            f"the folders of {root} hold numbered images ({flat[0].name}, ...): each is one video, "
            f"and nothing says its class. Put them into class folders, or give a list with path "
            f"and label, or the paper's split list beside them (layout paper_frames)."
        )


def _nothing_found(root: Path, folders: list[Path]) -> str:
    loose = [p for p in visible(root) if p.is_file() and has_media_name(p)]
    if loose:
        return (
            f"{root} holds {count(len(loose), 'video')} directly ({loose[0].name}, ...) and no "
            f"class folders. Labels come from folders or from a list: put the files into one "
            f"folder per class, or give a CSV with the columns path and label."
        )
    return (
        f"{root} holds no videos: {count(len(folders), 'folder')} searched, no video file, folder "
        f"of numbered images or feature file found. Expected {root}/<Class>/<video>, or a list "
        f"file. Check the path."
    )


def _strays(roots: list[Path], empty: list[Path]) -> tuple[SkippedFile, ...]:
    """Media beside the class folders have no class."""
    return tuple(
        SkippedFile(path=str(path), reason="not in a class folder")
        for root in roots
        for path in visible(root)
        if has_media_name(path) and (path in empty or not path.is_dir())
    )


def _notes(found: list[Found], empty: list[Path], *, features_left: bool) -> list[str]:
    notes = []
    plain = [folder.name for folder in empty if not has_media_name(folder)]
    if plain:
        notes.append(f"{count(len(plain), 'folder')} without media left alone: {', '.join(plain)}")
    features = sum(len(contents.features) for contents in found)
    if features_left and features:
        notes.append(f"{count(features, 'feature file')} beside videos left alone")
    return notes
