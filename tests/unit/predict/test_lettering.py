"""Texts are drawn in a font that has their letters, and what none has is told."""

from __future__ import annotations

import pytest
from PIL import ImageFont

from lrcn.predict import lettering
from lrcn.predict.lettering import choose_lettering


def test_english_is_drawn_in_the_built_in_font() -> None:
    chosen = choose_lettering(["a dog's 2 bones & more", "it runs -> far"], 14)
    assert chosen.missing == ""
    assert chosen.spell("it runs") == "it runs"
    assert chosen.font.getmask("dog").size == ImageFont.load_default(size=14).getmask("dog").size


def test_without_other_fonts_accents_are_left_out_and_scripts_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lettering, "SYSTEM_FONTS", ("no such font.ttf",))
    chosen = choose_lettering(["naïve café", "кот", "a cat"], 14)
    assert chosen.missing == "кот"
    assert chosen.spell("naïve café, a cat") == "naive cafe, a cat"


def test_a_font_of_the_system_is_taken_where_it_draws_more() -> None:
    try:
        wide = ImageFont.truetype("DejaVuSans.ttf", 14)
    except OSError:
        pytest.skip("DejaVuSans.ttf is not installed on this system")
    chosen = choose_lettering(["кошка"], 14)
    assert chosen.missing == ""
    assert bytes(chosen.font.getmask("кошка")) == bytes(wide.getmask("кошка"))
