"""Precomputed features: one array T x D per video, from `.npy`, `.npz` or `.h5` files."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lrcn.errors import MediaError

FEATURE_EXTENSIONS = frozenset((".npy", ".npz", ".h5", ".hdf5"))
"""Endings (lower case) of feature files."""


def is_feature_path(path: str | os.PathLike[str]) -> bool:
    """Whether the name looks like a feature file's; the file is not opened."""
    return Path(path).suffix.lower() in FEATURE_EXTENSIONS


def read_features(path: str | os.PathLike[str], video_id: str | None = None) -> torch.Tensor:
    """The features of one video.

    `.npy` holds the array itself; `.npz` one array under any key, or one per video under its
    id; `.h5` a data set per video under its id (slashes are groups), or a single one.

    Args:
        path: The file.
        video_id: Which array, where the file has several.

    Returns:
        T x D float32; a single vector becomes 1 x D.

    Raises:
        MediaError: The file is damaged, lacks the video, or its array is not T x D numbers.
    """
    name = os.fspath(path)
    suffix = Path(path).suffix.lower()
    if suffix not in FEATURE_EXTENSIONS:
        raise MediaError(
            f"{name}: is no feature file; allowed are {', '.join(sorted(FEATURE_EXTENSIONS))}"
        )
    if not Path(path).is_file():
        raise MediaError(f"{name}: no such file; check the path")
    reader = {".npy": _read_npy, ".npz": _read_npz}.get(suffix, _read_h5)
    try:
        array = reader(Path(path), video_id)
    except (OSError, ValueError, EOFError, KeyError, TypeError, RuntimeError) as error:
        raise MediaError(f"{name}: cannot be read as features ({error}); save it anew") from error
    except (zipfile.BadZipFile, zlib.error, SyntaxError, TokenError, MemoryError) as error:
        raise MediaError(f"{name}: is damaged ({error}); save it anew") from error
    return _checked(array, name)


def list_feature_ids(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """The names of the arrays in an `.npz` or `.h5` file; none for `.npy`. No array is read.

    Raises:
        MediaError: The file is absent or damaged.
    """
    place = Path(path)
    suffix = place.suffix.lower()
    try:
        if suffix == ".npy":
            return ()
        if suffix == ".npz":
            with zipfile.ZipFile(place) as archive:
                return tuple(name.removesuffix(".npy") for name in archive.namelist())
        return tuple(_h5_names(place))
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile) as error:
        raise MediaError(f"{place}: cannot be read as features ({error}); save it anew") from error


def _read_npy(path: Path, video_id: str | None) -> NDArray[Any]:
    del video_id  # one array per file
    with path.open("rb") as file:
        array = np.load(file, allow_pickle=False)
    if not isinstance(array, np.ndarray):
        raise MediaError(f"{path}: is an archive of arrays, not one; name it .npz")
    return array


def _read_npz(path: Path, video_id: str | None) -> NDArray[Any]:
    # numpy leaves a damaged archive open that it opened itself.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise MediaError(f"{path}: is one array, not an archive of them; name it .npy")
        array: NDArray[Any] = archive[_choose(archive.files, video_id, path)]
        return array


def _read_h5(path: Path, video_id: str | None) -> NDArray[Any]:
    import h5py

    with h5py.File(path, "r") as file:
        # Asking for the id itself first: walking through hundreds of data sets for each of them
        # takes longer than reading one.
        asked = [] if video_id is None else [video_id, Path(video_id).name]
        known = [key for key in asked if isinstance(file.get(key), h5py.Dataset)]
        key = known[0] if known else _choose(_h5_names(path), video_id, path)
        array: NDArray[Any] = np.asarray(file[key])
        return array


def _h5_names(path: Path) -> list[str]:
    import h5py

    names: list[str] = []
    with h5py.File(path, "r") as file:
        file.visititems(
            lambda key, value: names.append(key) if isinstance(value, h5py.Dataset) else None
        )
    return names


def _choose(keys: list[str], video_id: str | None, path: Path) -> str:
    """The key of the video: its id, the id's last part, or the only key there is."""
    if video_id is not None:
        for key in (video_id, Path(video_id).name, Path(video_id).stem):
            if key in keys:
                return key
    if len(keys) == 1:
        return keys[0]
    shown = ", ".join(sorted(keys)[:3]) + (", ..." if len(keys) > 3 else "")
    wanted = "no video id was given" if video_id is None else f"none is named {video_id!r}"
    raise MediaError(f"{path}: holds {len(keys)} arrays ({shown}), and {wanted}")


def _checked(array: NDArray[Any], name: str) -> torch.Tensor:
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2 or 0 in array.shape:
        raise MediaError(
            f"{name}: has shape {array.shape}; features of one video are T x D, neither zero"
        )
    if array.dtype.kind not in "fiu":
        raise MediaError(f"{name}: holds {array.dtype}; features are real numbers")
    with np.errstate(over="ignore"):
        numbers = array.astype(np.float32)
    bad = np.argwhere(~np.isfinite(numbers))
    if len(bad):
        row, column = (int(i) for i in bad[0])
        raise MediaError(
            f"{name}: {len(bad)} values are not finite, the first at frame {row}, feature {column};"
            " compute them anew"
        )
    return torch.from_numpy(np.ascontiguousarray(numbers))
