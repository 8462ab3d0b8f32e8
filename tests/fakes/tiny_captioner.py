"""A captioner of a few units that says different sentences about different pictures."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lrcn.checkpoint import SavedCaptioner
from lrcn.decoding.options import DecodingOptions
from lrcn.models.image_captioner import CaptionerConfig, create_captioner
from lrcn.structures import Media
from lrcn.text.vocabulary import SPECIAL_TOKENS, Vocabulary

WORDS = ("red", "green", "blue", "dog", "runs", "on", "grass", "a")


def tiny_captioner(
    *, backbone: str = "small", media: Media = "image", visual: str = "static"
) -> SavedCaptioner:
    """Weights are random and large, so that sentences differ; the words are `WORDS`."""
    config = CaptionerConfig(
        backbone=backbone,
        weights="random",
        feature_dim=6 if backbone == "none" else None,
        input_px=32 if backbone == "small" else None,
        hidden_size=12,
        embedding_size=12,
        visual=visual,  # type: ignore[arg-type]
    )
    model = create_captioner(config, Vocabulary((*SPECIAL_TOKENS, *WORDS)), seed=3).eval()
    with torch.no_grad():
        for part in (model.embedding, model.recurrent, model.predictor):
            for parameter in part.parameters():
                parameter.mul_(4.0)
    decoding = DecodingOptions(beam_size=3, max_tokens=6)
    return SavedCaptioner(model, media=media, decoding=decoding)


def picture(seed: int = 0, height: int = 40, width: int = 60) -> Image.Image:
    """Coarse coloured noise, so that it survives JPEG and resizing."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3)).astype(np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR)


def write_odd_pictures(folder: Path) -> tuple[list[str], list[str]]:
    """Photos of every kind, and files that are none; their names.

    Returns:
        Those that can be read, those that cannot.
    """
    (folder / "deep").mkdir(parents=True)
    image = picture()
    pixels = np.asarray(image)
    image.convert("L").save(folder / "grey.png")
    image.convert("P").save(folder / "palette.png")
    image.convert("RGBA").save(folder / "alpha.png")
    image.convert("CMYK").save(folder / "cmyk.jpg")
    Image.fromarray(pixels[..., 0].astype(np.uint16) * 257).save(folder / "deep16.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(folder / "turned.jpg", exif=exif)
    others = [picture(1), picture(2)]
    image.save(folder / "deep" / "moving.gif", save_all=True, append_images=others)
    image.save(folder / "deep" / "moving.webp", save_all=True, append_images=others)
    good = ["alpha.png", "cmyk.jpg", "deep/moving.gif", "deep/moving.webp", "deep16.png"]
    good += ["grey.png", "palette.png", "turned.jpg"]

    buffer = io.BytesIO()
    image.save(buffer, "JPEG")
    (folder / "cut.jpg").write_bytes(buffer.getvalue()[:200])
    (folder / "nothing.jpg").write_bytes(b"")
    (folder / "prose.png").write_text("no picture")
    (folder / "bomb.png").write_bytes(_bomb())
    (folder / "notes.txt").write_text("passed over")
    return good, ["bomb.png", "cut.jpg", "nothing.jpg", "prose.png"]


def _bomb() -> bytes:
    """A PNG of a few bytes that says it is 60,000 pixels wide and high."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)
