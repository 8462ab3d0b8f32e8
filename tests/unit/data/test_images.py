"""Photos of every kind become upright RGB, and broken or boundless ones are refused."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lrcn.data import images
from lrcn.data.content import content_hash
from lrcn.data.images import is_photo_path, read_image
from lrcn.errors import MediaError

RED_OVER_BLUE = np.zeros((32, 16, 3), np.uint8)
RED_OVER_BLUE[:16, :, 0] = 255
RED_OVER_BLUE[16:, :, 2] = 255


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def looks_red_over_blue(frames_CHW: torch.Tensor, tolerance: int = 12) -> bool:
    height = frames_CHW.shape[1]
    top, bottom = frames_CHW[:, : height // 4].float(), frames_CHW[:, -height // 4 :].float()
    red, blue = torch.tensor([255.0, 0, 0]), torch.tensor([0, 0, 255.0])
    return bool(
        (top.mean((1, 2)) - red).abs().max() <= tolerance
        and (bottom.mean((1, 2)) - blue).abs().max() <= tolerance
    )


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"])
def test_formats(kind: str) -> None:
    frames_CHW = read_image(encoded(Image.fromarray(RED_OVER_BLUE), kind))

    assert frames_CHW.shape == (3, 32, 16)
    assert frames_CHW.dtype == torch.uint8
    assert looks_red_over_blue(frames_CHW)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK", "RGBX"])
def test_modes(mode: str) -> None:
    assert looks_red_over_blue(read_image(Image.fromarray(RED_OVER_BLUE).convert(mode)))


def test_cmyk_file() -> None:
    image = Image.fromarray(RED_OVER_BLUE).convert("CMYK")
    assert looks_red_over_blue(read_image(encoded(image, "JPEG", quality=95)))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16"])
def test_grey(mode: str) -> None:
    values = np.repeat(np.array([[0], [255]], np.uint8), 4, axis=1)
    image = Image.fromarray(values)
    if mode == "I;16":
        image = Image.fromarray(values.astype(np.uint16) * 257)
    elif mode != "L":
        image = image.convert(mode)
    frames_CHW = read_image(encoded(image, "PNG"))

    assert frames_CHW[:, 0].eq(0).all()
    assert frames_CHW[:, 1].eq(255).all()


def test_transparency_is_laid_over_white() -> None:
    image = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    image.putpixel((1, 0), (255, 0, 0, 255))
    palette = Image.new("P", (2, 1), 0)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    palette.putpixel((1, 0), 1)

    for data in (encoded(image, "PNG"), encoded(palette, "PNG", transparency=0)):
        assert read_image(data)[:, 0].tolist() == [[255, 255], [255, 0], [255, 0]]


def test_exif_rotation() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    lying = Image.fromarray(np.ascontiguousarray(np.rot90(RED_OVER_BLUE).repeat(9, 0).repeat(9, 1)))
    data = encoded(lying, "JPEG", exif=exif, quality=95)

    assert read_image(data).shape == (3, 288, 144)
    assert looks_red_over_blue(read_image(data))
    small = read_image(data, for_px=16)
    assert small.shape == (3, 72, 36)
    assert looks_red_over_blue(small)
    for kind in ("PNG", "TIFF", "WEBP"):
        small = read_image(encoded(lying, kind, exif=exif), for_px=16)
        assert small.shape == (3, 72, 36)
        assert looks_red_over_blue(small)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_animation_gives_its_first_picture(kind: str) -> None:
    first, second = Image.fromarray(RED_OVER_BLUE), Image.new("RGB", (16, 32), (0, 255, 0))
    data = encoded(first, kind, save_all=True, append_images=[second, second])

    assert looks_red_over_blue(read_image(data))


def test_sources_agree(tmp_path: Path) -> None:
    path = tmp_path / "größe.png"
    path.write_bytes(encoded(Image.fromarray(RED_OVER_BLUE), "PNG"))
    expected = torch.from_numpy(RED_OVER_BLUE).permute(2, 0, 1)
    sources: list[Any] = [
        path,
        str(path),
        path.read_bytes(),
        io.BytesIO(path.read_bytes()),
        Image.open(path),
        RED_OVER_BLUE,
        RED_OVER_BLUE.astype(np.float32) / 255,
        RED_OVER_BLUE.astype(np.uint16) * 257,
        expected,
        expected[None],
        expected.double() / 255,
    ]
    for source in sources:
        assert torch.equal(read_image(source), expected)


def test_array_of_one_channel() -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)

    for source in (grey, grey[:, :, None], torch.from_numpy(grey), torch.from_numpy(grey)[None]):
        assert torch.equal(read_image(source), torch.from_numpy(grey).expand(3, 3, 4))


def test_large_picture_is_decoded_at_a_fraction() -> None:
    big = Image.fromarray(RED_OVER_BLUE.repeat(60, 0).repeat(60, 1))  # 960 x 1920
    for data in (encoded(big, "JPEG"), encoded(big, "PNG")):
        small = read_image(data, for_px=100)
        assert small.shape == (3, 480, 240)
        assert looks_red_over_blue(small)
        assert read_image(data, for_px=900).shape == (3, 1920, 960)


def test_huge_picture_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "_KEPT_PIXELS", 1000)
    big = Image.fromarray(RED_OVER_BLUE.repeat(4, 0).repeat(4, 1))
    for image in (big, big.convert("P"), big.convert("RGBA"), big.convert("1")):
        frames_CHW = read_image(encoded(image, "PNG"))
        assert frames_CHW.shape[1] * frames_CHW.shape[2] <= 1000
    assert looks_red_over_blue(read_image(encoded(big, "JPEG")))


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims a size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(13_000, 13_000), (60_000, 60_000)])
def test_decompression_bomb_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(MediaError, match=r"<bytes>: the picture is .*\d+,000,000 .*Make it small"):
        read_image(bomb(*size))


def test_large_claim_below_the_limit_warns_nobody() -> None:
    with pytest.raises(MediaError, match="cannot be read"):  # truncated, and no warning
        read_image(bomb(10_000, 10_000))


def test_broken_pictures(tmp_path: Path) -> None:
    whole = encoded(Image.fromarray(RED_OVER_BLUE.repeat(9, 0).repeat(9, 1)), "JPEG")
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.png").touch()
    for source in (whole[: len(whole) // 2], b"", tmp_path / "text.jpg", tmp_path / "empty.png"):
        with pytest.raises(MediaError, match="picture cannot be read"):
            read_image(source)
    with pytest.raises(MediaError, match=r"none\.jpg: the picture cannot be read \(No such file"):
        read_image(tmp_path / "none.jpg")
    with pytest.raises(MediaError, match="picture cannot be read"):
        read_image(tmp_path)


def test_what_is_no_picture() -> None:
    with pytest.raises(MediaError, match="a dict is no picture"):
        read_image({})
    with pytest.raises(MediaError, match=r"shape \(2, 4, 4, 3\) is no picture"):
        read_image(np.zeros((2, 4, 4, 3), np.uint8))
    with pytest.raises(MediaError, match="floats without a known range"):
        read_image(Image.fromarray(np.ones((4, 4), np.float32)))


def test_names_of_photos() -> None:
    assert is_photo_path("a/B.JPG")
    assert is_photo_path("a.gif")
    assert not is_photo_path("a.mp4")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(MediaError, match="pipe or device"):
        read_image(tmp_path / "pipe.jpg")
    with pytest.raises(MediaError, match="pipe or device"):
        content_hash(tmp_path / "pipe.jpg")
