"""A probe: does each file of a list open and give a first frame?"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from lrcn.data.datasets.build import Missing, with_items
from lrcn.data.datasets.entries import count
from lrcn.errors import MediaError, MissingFilesError
from lrcn.structures import SkippedFile, VideoItem, VideoList
from lrcn.video.features import is_feature_path, read_features
from lrcn.video.source import open_video


def check_readable(
    video_list: VideoList,
    *,
    missing: Missing = "error",
    threads: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> VideoList:
    """Open every file and decode its first frame; a file that decodes in part passes.

    Args:
        video_list: as read.
        missing: "error" refuses the whole list, "skip" leaves unreadable files out, listed in
            `skipped` with the reason.
        threads: files opened at a time; 0 for the number of processors.
        progress: called with (files done, files in all).

    Raises:
        MissingFilesError: a file cannot be read and `missing` is "error"; or none can.
    """
    firsts = {_key(item): item for item in reversed(video_list.items)}
    keys = list(dict.fromkeys(_key(item) for item in video_list.items))
    reasons: dict[tuple[str, str], str] = {}
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        probes = pool.map(lambda key: probe(firsts[key]), keys)
        for done, (key, reason) in enumerate(zip(keys, probes, strict=True), 1):
            if reason is not None:
                reasons[key] = reason
            if progress is not None:
                progress(done, len(keys))
    if not reasons:
        return video_list
    bad = [SkippedFile(path=firsts[k].path, reason=reason) for k, reason in reasons.items()]
    good = [item for item in video_list.items if _key(item) not in reasons]
    if missing == "error" or not good:
        some = "; ".join(file.reason for file in bad[:3]) + ("; ..." if len(bad) > 3 else "")
        raise MissingFilesError(
            f"{len(bad):,} of {count(len(keys), 'file')} cannot be read: {some}. Replace them, or "
            f"leave them out (--missing skip)."
        )
    note = f"{count(len(bad), 'unreadable file')} left out"
    return with_items(video_list, good, skipped=bad, notes=[note])


def _key(item: VideoItem) -> tuple[str, str]:
    """A file, or one dataset of an .h5 file."""
    return item.path, item.video_id


def probe(item: VideoItem) -> str | None:
    """Why the item's file cannot be read, or None when its first frame can."""
    try:
        if is_feature_path(item.path):
            read_features(item.path, item.video_id)
        else:
            with open_video(item.path) as video:
                if next(iter(video.iterate(chunk=1)), None) is None:
                    return f"{item.path} has no frame that can be decoded"
    except (MediaError, OSError) as error:
        return str(error)
    return None
