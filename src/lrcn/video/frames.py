"""Folders of numbered images as videos, and single pictures as RGB arrays.

The only file of this room that imports Pillow.
"""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from lrcn.errors import MediaError, OutputError
from lrcn.video.pixels import Pixels, over_white
from lrcn.video.stills import StillsVideo

IMAGE_EXTENSIONS = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm"))
"""Endings (lower case) of pictures in folders of frames."""

BROWSER_FILES = frozenset({"thumbs.db", "desktop.ini"})
"""What file browsers leave behind, besides hidden files."""

_PNG_LEVEL = 1
"""For flow images level 6 takes four times as long, and the files are a quarter smaller."""


class FrameFolder(StillsVideo):
    """A folder of numbered images, in the order of their numbers: 2 comes before 10.

    The number (`frame_number`) is the last run of digits in a file's name; what stands before and
    after must be the same in all of them. Frame indices count from 0 whatever the first number
    is, and a gap in the numbers is no error: the frames that exist follow each other.
    `frame_numbers[frame_index]` leads back to the files. EXIF rotation is applied, grey, palette,
    CMYK and 16-bit pictures become RGB, transparency is laid over white.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        fps: float | None = None,
        start_seconds: float | None = None,
        end_seconds: float | None = None,
        as_listed: bool = False,
    ) -> None:
        """Read the folder and the size of its first picture.

        Args:
            path: The folder.
            fps: Frames per second of the source; without it times count 25 per second.
            start_seconds: Frames before are left out.
            end_seconds: Frames from there on are left out.
            as_listed: In the order in which the disk lists them, not in that of their numbers.

        Raises:
            MediaError: It holds anything but numbered images, or the first one is broken.
        """
        files, problem = _numbered_images(Path(path), as_listed=as_listed)
        if problem:
            raise MediaError(
                f"{os.fspath(path)}: {problem}; a folder of frames holds only images whose names "
                "differ in their number, such as frame_0001.jpg"
            )
        self.frame_numbers = tuple(number for number, _ in files)
        self._files = [file for _, file in files]
        height, width = read_picture(self._files[0]).shape[:2]
        super().__init__(
            os.fspath(path),
            num_frames=len(files),
            height=height,
            width=width,
            fps=fps,
            start_seconds=start_seconds,
            end_seconds=end_seconds,
            container="images",
        )

    def _picture(self, frame_index: int) -> Pixels:
        file = self._files[frame_index]
        picture = read_picture(file)
        if picture.shape[:2] != (self.info.height, self.info.width):
            height, width = picture.shape[:2]
            raise MediaError(
                f"{file}: is {width}x{height} pixels, but {self._files[0].name} is "
                f"{self.info.width}x{self.info.height}; frames of one video have one size"
            )
        return picture


class SinglePicture(StillsVideo):
    """A picture as a video of one frame."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        start_seconds: float | None = None,
        end_seconds: float | None = None,
    ) -> None:
        """Read the picture; it is shown at 0 seconds.

        Raises:
            MediaError: It is absent, broken, or of a kind without an RGB form.
        """
        self._pictures = [read_picture(Path(path))]
        height, width = self._pictures[0].shape[:2]
        super().__init__(
            os.fspath(path),
            num_frames=1,
            height=height,
            width=width,
            fps=None,
            start_seconds=start_seconds,
            end_seconds=end_seconds,
            container="images",
        )

    def _picture(self, frame_index: int) -> Pixels:
        return self._pictures[frame_index]


def is_single_picture(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a picture by its ending, and does not move (.png and .webp may)."""
    ending = Path(path).suffix.lower()
    if ending not in IMAGE_EXTENSIONS:
        return False
    if ending not in (".png", ".webp"):
        return True
    try:
        with Image.open(path) as image:
            return getattr(image, "n_frames", 1) == 1
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return True


def is_frame_folder(path: str | os.PathLike[str]) -> bool:
    """Whether the folder holds numbered images and nothing else (hidden files do not count)."""
    return Path(path).is_dir() and not _numbered_images(Path(path))[1]


def read_picture(path: Path) -> Pixels:
    """An image file as H x W x 3 uint8 RGB.

    Raises:
        MediaError: It is absent, broken, or of a kind without an RGB form.
    """
    try:
        with Image.open(path) as image:
            return picture_to_rgb(image)
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        IndexError,
        TypeError,
        struct.error,
        Image.DecompressionBombError,
    ) as error:
        raise MediaError(
            f"{path}: the image cannot be read ({error}); replace it or remove the video"
        ) from error


def write_picture(path: Path, picture_HW3: Pixels, *, quality: int = 95) -> None:
    """Write an RGB array as an image of the kind that the name's ending says.

    PNG keeps every value. JPEG is written without halving the resolution of its colours, which in
    flow images are no colours.

    Args:
        path: Ends in .png or .jpg.
        picture_HW3: uint8.
        quality: Of JPEG, 1 to 100.

    Raises:
        OutputError: it cannot be written.
    """
    image = Image.fromarray(np.ascontiguousarray(picture_HW3))
    try:
        if path.suffix.lower() == ".png":
            image.save(path, compress_level=_PNG_LEVEL)
        else:
            image.save(path, quality=quality, subsampling=0)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}. Check the place and its free"
            " space"
        ) from error


def picture_to_rgb(image: Any) -> Pixels:
    """A Pillow image as H x W x 3 uint8 RGB, upright.

    Raises:
        ValueError: Float pixels, which have no agreed range.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode == "F":
        raise ValueError("its pixels are floats without a known range")
    if image.mode.startswith("I"):
        deep = np.asarray(image).astype(np.int64)
        grey = np.clip(deep // (257 if deep.max(initial=0) > 255 else 1), 0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        return over_white(np.asarray(image.convert("RGBA")))
    return np.asarray(image.convert("RGB"))


def is_picture(value: Any) -> bool:
    """Whether the value is a Pillow image."""
    return isinstance(value, Image.Image)


def _numbered_images(
    folder: Path, *, as_listed: bool = False
) -> tuple[list[tuple[int, Path]], str]:
    """Files with their numbers, in order; and what speaks against a folder of frames, or ""."""
    found: dict[int, Path] = {}
    pattern: tuple[str, str] | None = None
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        return [], f"cannot be opened ({error.strerror})"
    for file in entries if as_listed else sorted(entries):
        if file.name.startswith(".") or file.name.lower() in BROWSER_FILES:
            continue
        if file.is_dir():
            return [], f"holds a folder ({file.name})"
        match = _last_number(file.stem)
        if file.suffix.lower() not in IMAGE_EXTENSIONS:
            return [], f"holds {file.name}, which is no image"
        if match is None:
            return [], f"holds {file.name}, which has no number"
        prefix, number, rest = match
        pattern = pattern or (prefix, rest)
        if (prefix, rest) != pattern:
            return [], f"holds {file.name}, which is named unlike the others"
        if number in found:
            return [], f"holds number {number} twice ({found[number].name}, {file.name})"
        found[number] = file
    numbered = list(found.items()) if as_listed else sorted(found.items())
    return numbered, "" if found else "holds no images"


def _last_number(stem: str) -> tuple[str, int, str] | None:
    match = re.fullmatch(r"(.*?)(\d+)(\D*)", stem, re.DOTALL)
    return None if match is None else (match[1], int(match[2]), match[3])
