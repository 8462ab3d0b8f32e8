"""Which font draws a text: Pillow's own has the letters of English, systems have more."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

SYSTEM_FONTS: Final = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "Arial.ttf",
    "arial.ttf",
    "NotoSansCJK-Regular.ttc",
    "wqy-microhei.ttc",
    "Arial Unicode.ttf",
    "PingFang.ttc",
    "msyh.ttc",
)
"""Looked for by Pillow where the system keeps its fonts; the first ones are preferred."""


@dataclass(frozen=True)
class Lettering:
    """A font, and how texts are spelt in it."""

    font: Font
    size_px: int
    missing: str
    """Letters of the texts that it was chosen for, but does not draw; in their order."""
    plain: frozenset[str]
    """Letters that are drawn without their accents."""

    def spell(self, text: str) -> str:
        """The text as it is drawn."""
        return "".join(_base(letter) if letter in self.plain else letter for letter in text)


def choose_lettering(texts: Iterable[str], size_px: int) -> Lettering:
    """The first font that draws all letters, or the one that lacks the fewest.

    Accents are left out where their letter is missing and the bare one is not: "cafe".

    Args:
        texts: To be drawn.
        size_px: Height of the letters.
    """
    letters = list(dict.fromkeys(c for text in texts for c in text if not c.isspace()))
    found: list[Lettering] = []
    for name in (None, *SYSTEM_FONTS):
        font = _load(name, size_px)
        if font is None:
            continue
        lacking = [letter for letter in letters if not _draws(font, letter)]
        if not lacking:
            return Lettering(font, size_px, "", frozenset())
        plain = frozenset(c for c in lacking if _base(c) != c and _draws(font, _base(c)))
        missing = "".join(c for c in lacking if c not in plain)
        found.append(Lettering(font, size_px, missing, plain))
    return min(found, key=lambda one: (len(one.missing), len(one.plain)))


def _load(name: str | None, size_px: int) -> Font | None:
    """A font of the system, or Pillow's own; None where there is none of that name."""
    if name is None:
        return ImageFont.load_default(size=size_px)
    try:
        return ImageFont.truetype(name, size_px)
    except OSError:
        return None


def _draws(font: Font, letter: str) -> bool:
    """Whether the font has the letter: what it lacks looks like what no font has."""
    nothing = font.getmask("\U0010ffff")
    mask = font.getmask(letter)
    return mask.size != nothing.size or bytes(mask) != bytes(nothing)


def _base(letter: str) -> str:
    """The letter without accents."""
    parts = unicodedata.normalize("NFKD", letter)
    return "".join(part for part in parts if not unicodedata.combining(part)) or letter
