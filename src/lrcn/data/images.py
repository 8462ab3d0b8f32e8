"""Photos of any kind as upright RGB: from a path, bytes, a Pillow image, an array or a tensor."""

from __future__ import annotations

import io
import os
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, JpegImagePlugin
from torch import Tensor

from lrcn.errors import MediaError
from lrcn.video.arrays import ArrayVideo
from lrcn.video.frames import IMAGE_EXTENSIONS, is_picture, picture_to_rgb

PHOTO_EXTENSIONS = IMAGE_EXTENSIONS | {".gif", ".jfif", ".jpe", ".avif", ".jp2", ".tga", ".pgm"}
"""Endings (lower case) by which photos are found in folders; a file named outright needs none."""

MAX_PIXELS = 128_000_000
"""Larger pictures are refused: decoded, they take 512 MB, and a small file can claim any size."""

MAX_JPEG_PIXELS = 178_000_000
"""Of JPEG, which is decoded at a fraction of its size."""

_KEPT_PIXELS = 50_000_000
"""Larger ones are halved in both directions, and halved again, until they are not."""

_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, KeyError)


def is_photo_path(path: str | os.PathLike[str]) -> bool:
    """Whether the name looks like a photo's; the file is not opened."""
    return Path(path).suffix.lower() in PHOTO_EXTENSIONS


def read_image(source: Any, *, for_px: int | None = None) -> Tensor:
    """A photo as RGB, as a person would see it.

    EXIF rotation is applied; grey, palette, CMYK and 16-bit pictures become RGB, transparency is
    laid over white, an animation gives its first picture. Memory is bounded: a JPEG is decoded at
    the fraction that is needed, and what is larger than `MAX_PIXELS` is refused.

    Args:
        source: Path, bytes, binary file, Pillow image, array or tensor (H x W x C, C x H x W or
            H x W; uint8, uint16, or floats within 0...1).
        for_px: The short side that it will be resized to. A larger picture may then come at half,
            a quarter or an eighth of its size, its short side at least twice `for_px`.

    Returns:
        frames_CHW: uint8, C = 3.

    Raises:
        MediaError: It is absent, broken, too large, or no picture.
    """
    if isinstance(source, str | os.PathLike):
        _refuse_pipe(os.fspath(source))
        return _read_file(os.fspath(source), os.fspath(source), for_px)
    if isinstance(source, io.IOBase):
        source = source.read()
    if isinstance(source, bytes | bytearray | memoryview):
        return _read_file(io.BytesIO(source), "<bytes>", for_px)
    if is_picture(source):
        return _from_pillow(source, "<picture>", for_px)
    if isinstance(source, np.ndarray | Tensor):
        return _from_array(source)
    raise MediaError(
        f"a {type(source).__name__} is no picture; give a path, bytes, a Pillow image, an array or "
        "a tensor (H x W x 3)"
    )


def _refuse_pipe(path: str) -> None:
    """A pipe, socket or device may keep a reader waiting for ever.

    Raises:
        MediaError: it is one.
    """
    place = Path(path)
    if place.exists() and not (place.is_file() or place.is_dir()):
        raise MediaError(f"{path} is a pipe or device and no file; save the picture to a file")


def _read_file(file: Any, name: str, for_px: int | None) -> Tensor:
    _quiet_pillow()
    try:
        with Image.open(file) as image:
            return _from_pillow(image, name, for_px)
    except Image.DecompressionBombError as error:
        raise MediaError(
            f"{name}: the picture is too large ({error}); at most {MAX_JPEG_PIXELS:,} pixels are "
            "read, since a small file can claim any size. Make it smaller"
        ) from error
    except (*_BROKEN, struct.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise MediaError(
            f"{name}: the picture cannot be read ({reason}); replace it or leave it out"
        ) from error


def _from_pillow(image: Image.Image, name: str, for_px: int | None) -> Tensor:
    width, height = image.size
    jpeg = isinstance(image, JpegImagePlugin.JpegImageFile)
    limit = MAX_JPEG_PIXELS if jpeg else MAX_PIXELS
    if width * height > limit:
        raise MediaError(
            f"{name}: the picture is {width}x{height} pixels; at most {limit:,} are read, since a "
            "small file can claim any size. Make it smaller"
        )
    factor = _factor(width, height, for_px)
    if jpeg and factor > 1:
        image.draft(None, (width // factor, height // factor))
        factor = _factor(*image.size, None)
    try:
        if factor > 1:
            image = _reduced(image, factor)
        pixels_HWC = picture_to_rgb(image)
    except _BROKEN as error:
        raise MediaError(
            f"{name}: the picture cannot be read ({error}); replace it or leave it out"
        ) from error
    if 0 in pixels_HWC.shape:
        raise MediaError(f"{name}: the picture has no pixels; replace it or leave it out")
    return torch.from_numpy(np.array(pixels_HWC)).permute(2, 0, 1)


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    """Smaller by a whole factor; Pillow keeps the EXIF, by which it is turned afterwards."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
    elif image.mode in ("1", "P"):
        image = image.convert("RGB")
    return image.reduce(factor)


def _factor(width: int, height: int, for_px: int | None) -> int:
    """By which the picture can be made smaller: 1, 2, 4 or 8; more only for the bound."""
    factor = 1
    if for_px is not None:
        while factor < 8 and min(width, height) // (2 * factor) >= 2 * for_px:
            factor *= 2
    while width * height > _KEPT_PIXELS * factor**2:
        factor *= 2
    return factor


def _from_array(array: Any) -> Tensor:
    if isinstance(array, Tensor) and array.dtype == torch.uint16:
        array = array.to(torch.int64) // 257
    elif isinstance(array, np.ndarray) and array.dtype == np.uint16:
        array = (array // 257).astype(np.uint8)
    if array.ndim == 4 and len(array) == 1:
        array = array[0]
    if array.ndim not in (2, 3):
        raise MediaError(
            f"an array of shape {tuple(array.shape)} is no picture; allowed are H x W x C, "
            "C x H x W (C = 1, 3 or 4) and H x W. Give one picture"
        )
    return ArrayVideo([array], name="<array>").read([0]).frames_TCHW[0]


def _quiet_pillow() -> None:
    """Pillow warns of pictures above 89 million pixels; here they are reduced or refused."""
    wanted = ("ignore", Image.DecompressionBombWarning)
    if not any((rule[0], rule[2]) == wanted for rule in warnings.filters):
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
