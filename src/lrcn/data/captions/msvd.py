"""MSVD (YouTube2Text): `sents_{train,val,test}_lc_nopunc.txt` and the map from vidN to clips.

The lists have lines of `vidN<TAB>sentence`; `youtube_video_to_id_mapping.txt` has lines of
`<clip name> vidN`. Clips lie in `clips` or `YouTubeClips`, in DATA or beside it. Few people have
all of them: `--missing skip` uses those that are there.
"""

from __future__ import annotations

import re
from pathlib import Path

from lrcn.data.captions.entries import CaptionEntry, CaptionListing, CaptionRequest
from lrcn.data.captions.files import read_text
from lrcn.data.datasets.entries import SPLIT_WORDS
from lrcn.data.datasets.walk import visible
from lrcn.errors import DataError
from lrcn.structures import Split

_LIST = re.compile(r"sents_(train|val|test)(?:_.*)?\.txt", re.IGNORECASE)
_MAP = "youtube_video_to_id_mapping.txt"
_FOLDERS = ("clips", "YouTubeClips", "videos", "")


def read_msvd(request: CaptionRequest) -> CaptionListing:
    """The reader of the layout "msvd".

    Raises:
        DataError: no list, or a line is not understood.
    """
    data = request.data
    lists = find_lists(data if data.is_dir() else data.parent)
    if data.is_file():
        lists = [(path, split) for path, split in lists if path == data]
    if not lists:
        raise DataError(
            f"{data} has no sents_train_lc_nopunc.txt, nor has its folder text. The layout msvd "
            f"needs the lists of sentences; check the path."
        )
    text_folder = lists[0][0].parent
    clips = _read_map(text_folder / _MAP)
    roots = tuple(base / name for base in (text_folder, text_folder.parent) for name in _FOLDERS)
    entries = [entry for path, split in lists for entry in _read_list(path, split, clips, roots)]
    return CaptionListing(entries=tuple(entries), media="video", official_split=True)


def find_lists(folder: Path) -> list[tuple[Path, Split]]:
    """The lists of sentences in a folder, or in its folder `text`."""
    for place in (folder, folder / "text"):
        if place.is_dir():
            found = [
                (path, SPLIT_WORDS[match[1].lower()])
                for path in visible(place)
                if (match := _LIST.fullmatch(path.name))
            ]
            if found:
                return found
    return []


def _read_map(path: Path) -> dict[str, str]:
    """The clip's name of every vidN; empty where the map is absent."""
    if not path.is_file():
        return {}
    clips = {}
    for number, line in enumerate(read_text(path).split("\n"), 1):
        cells = line.split()
        if cells and len(cells) != 2:
            raise DataError(
                f"{path.name}, line {number} is {line[:120]!r}; every line is a clip's name, a "
                f"blank and its id. Mend the line."
            )
        if cells:
            clips[cells[1]] = cells[0]
    return clips


def _read_list(
    path: Path, split: Split, clips: dict[str, str], roots: tuple[Path, ...]
) -> list[CaptionEntry]:
    captions: dict[str, list[str]] = {}
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        video_id, tab, sentence = line.partition("\t")
        if not tab or not video_id.strip():
            raise DataError(
                f"{path.name}, line {number} is {line[:120]!r}; every line is an id, a tab and a "
                f"sentence. Mend the line."
            )
        captions.setdefault(video_id.strip(), []).append(sentence)
    return [
        CaptionEntry(
            name=f"{clips.get(video_id, video_id)}.avi",
            names=tuple(
                f"{name}{end}"
                for name in dict.fromkeys((clips.get(video_id, video_id), video_id))
                for end in (".mp4", ".avi", ".webm", ".npy", "")
            ),
            item_id=video_id,
            captions=tuple(sentences),
            roots=roots,
            split=split,
            where=f"{path.name}, {video_id}",
        )
        for video_id, sentences in captions.items()
    ]
