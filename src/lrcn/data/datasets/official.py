"""What UCF101, HMDB51 and the paper's lists share: folds, and finding the listed files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lrcn.data.datasets.entries import Request
from lrcn.data.datasets.walk import Finder
from lrcn.errors import ConfigError, DataError

FOLDS = (1, 2, 3)


def fold_of(request: Request, available: Sequence[int]) -> int:
    """The fold asked for, or the first that is there.

    Raises:
        ConfigError: another number than the lists offer.
    """
    fold = request.fold if request.fold is not None else min(available, default=1)
    if fold not in available:
        raise ConfigError(
            f"fold {fold} was asked for; {request.data} has lists for the folds "
            f"{', '.join(map(str, sorted(available)))}. Choose one of them."
        )
    return fold


def best_root(request: Request, candidates: Sequence[Path], names: Sequence[str]) -> Finder:
    """The folder below which most of the listed files lie, of a sample of the names.

    Raises:
        DataError: `videos_root` was given and is no folder.
    """
    if request.videos_root is not None:
        if not request.videos_root.is_dir():
            raise DataError(
                f"--videos-root {request.videos_root} is not a folder; it holds the listed "
                f"videos. Check the path."
            )
        return Finder(request.videos_root)
    finders = [Finder(path) for path in candidates if path.is_dir()] or [Finder(request.data)]
    if len(finders) == 1:
        return finders[0]
    folders = sorted({name.split("/")[0] for name in names})
    return max(finders, key=lambda f: sum(f.find(folder) is not None for folder in folders))


def read_lines(path: Path) -> list[tuple[str, str]]:
    """(where, line) of every line that is not blank.

    Raises:
        DataError: unreadable or not text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read as UTF-8 text: {error}. It belongs to the data set's official "
            f"lists; fetch it again."
        ) from error
    return [
        (f"{path.name}, line {number}", line.strip())
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip()
    ]
