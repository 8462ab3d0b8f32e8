"""Features by video id: a list of ids (or paths) and labels, and T x D arrays that bear the ids.

The arrays are `<video_id>.npy` or `.npz` below DATA or --videos-root, or datasets of `.h5` files
(the original code writes `extracted_features_%d.h5`, one dataset per video name: paper.md 5.3).
Class folders of feature files need no list; they are read as the layout "folder" does.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lrcn.data.datasets.entries import Entry, Listing, Request
from lrcn.data.datasets.folder import read_folder
from lrcn.data.datasets.listfile import join_listings, read_list
from lrcn.data.datasets.lists import find_lists
from lrcn.data.datasets.walk import exists, find_media, strip_media_extension
from lrcn.errors import DataError
from lrcn.video.features import is_feature_path, list_feature_ids


def read_features_set(request: Request) -> Listing:
    """The reader of the layout "features".

    Raises:
        DataError: no feature files, or a line of the list is not understood.
    """
    data = request.data
    lists = find_lists(data) if data.is_dir() else [(data, None)]
    if not lists:
        return read_folder(request)
    plain = replace(request, videos_root=None)
    listing = join_listings([read_list(path, plain, split=split) for path, split in lists])
    index = FeatureIndex(request.videos_root or (data if data.is_dir() else data.parent))
    return replace(listing, entries=tuple(index.place(entry) for entry in listing.entries))


MANY_EXTENSIONS = frozenset({".h5", ".hdf5"})
"""Files of these kinds hold many videos by id; an .npz may."""


class FeatureIndex:
    """Where the features of a video id lie: a file of that name, or a dataset of an .h5 file."""

    def __init__(self, root: Path) -> None:
        if root.is_dir():
            files = find_media(root).features
        elif is_feature_path(root) and root.is_file():
            files = [root]
        else:
            raise DataError(
                f"{root} is neither a folder of feature files nor such a file. Check the path."
            )
        self.root = root
        self._files: dict[str, Path] = {}
        self._datasets: dict[str, Path] = {}
        for path in files:
            keys = list_feature_ids(path)
            if len(keys) > 1 or path.suffix.lower() in MANY_EXTENSIONS:
                for key in keys:
                    self._datasets.setdefault(key, path)
            else:
                below = path.relative_to(root).as_posix()
                self._files.setdefault(strip_media_extension(below), path)
                self._files.setdefault(path.stem, path)
        self._folded = {key.casefold(): key for key in (*self._datasets, *self._files)}

    def place(self, entry: Entry) -> Entry:
        """The entry with the path (and id) of its features; absent files keep their path."""
        if exists(entry.path):
            return entry
        wanted = entry.video_id or strip_media_extension(entry.name)
        names = [wanted, strip_media_extension(wanted), wanted.split("/")[-1]]
        # Letter case aside, last: HandstandPushups and HandStandPushups (paper.md 5.3).
        names += [self._folded.get(name.casefold(), name) for name in names]
        for name in dict.fromkeys(names):
            if name in self._files:
                return replace(entry, path=self._files[name])
            if name in self._datasets:
                return replace(entry, path=self._datasets[name], video_id=name)
        return replace(entry, path=self.root / f"{wanted}.npy") if entry.video_id else entry
