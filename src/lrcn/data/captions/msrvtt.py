"""MSR-VTT: `train_val_videodatainfo.json` and `test_videodatainfo.json`, with videoN.mp4 files.

A list `videos` with `video_id` and `split`, and a list `sentences` with `video_id` and `caption`.
The times in `videos` are those in the source on YouTube: the files are cut already.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from lrcn.data.captions.entries import CaptionEntry, CaptionListing, CaptionRequest, join
from lrcn.data.captions.files import caption_of, list_of_objects, read_json, text_of
from lrcn.data.datasets.entries import count, read_split_word
from lrcn.data.datasets.walk import visible
from lrcn.errors import DataError

_FOLDERS = ("videos", "TrainValVideo", "TestVideo", "train_val", "test", "all", "clips", "")


def read_msrvtt(request: CaptionRequest) -> CaptionListing:
    """The reader of the layout "msrvtt".

    Raises:
        DataError: no file, or one that is not understood.
    """
    data = request.data
    files = [data] if data.is_file() else find_files(data)
    if not files:
        raise DataError(
            f"{data} has no *videodatainfo*.json, nor has its folder annotations. The layout "
            f"msrvtt needs one; give it as DATA."
        )
    return join([parse(read_json(path), path) for path in files])


def find_files(folder: Path) -> list[Path]:
    """The annotation files of a folder, or of its folder `annotations`."""
    for place in (folder, folder / "annotations"):
        if place.is_dir():
            found = [
                path
                for path in visible(place)
                if "videodatainfo" in path.name.lower() and path.suffix.lower() == ".json"
            ]
            if found:
                return found
    return []


def parse(document: Any, path: Path) -> CaptionListing:
    """The content of a file.

    Raises:
        DataError: it is not understood.
    """
    if not isinstance(document, dict) or not {"videos", "sentences"} <= set(document):
        raise DataError(
            f"{path.name} has no lists of videos and sentences; MSR-VTT's files have both. Check "
            f"that it is the right file."
        )
    captions: dict[str, list[str]] = defaultdict(list)
    sentences = list_of_objects(document["sentences"], f"{path.name}, sentences")
    for place, sentence in enumerate(sentences):
        where = f"{path.name}, sentences[{place}]"
        video_id = text_of(sentence, "video_id", where)
        captions[video_id].append(caption_of(sentence.get("caption"), where))
    roots = tuple(base / name for base in (path.parent, path.parent.parent) for name in _FOLDERS)
    entries = []
    for place, video in enumerate(list_of_objects(document["videos"], f"{path.name}, videos")):
        where = f"{path.name}, videos[{place}]"
        video_id = text_of(video, "video_id", where)
        entries.append(
            CaptionEntry(
                name=f"{video_id}.mp4",
                names=(f"{video_id}.avi", f"{video_id}.webm", f"{video_id}.npy", video_id),
                item_id=video_id,
                captions=tuple(captions.pop(video_id, ())),
                roots=roots,
                split=read_split_word(str(video.get("split") or ""), where),
                where=where,
            )
        )
    notes: tuple[str, ...] = ()
    if captions:
        number = sum(map(len, captions.values()))
        notes = (
            f"{count(number, 'caption')} of {count(len(captions), 'video')} that {path.name} does "
            f"not list left out",
        )
    official = any(entry.split is not None for entry in entries)
    return CaptionListing(
        entries=tuple(entries), media="video", official_split=official, notes=notes
    )
