"""The Penn Treebank tokens, against what coco-caption's tokenizer (Java) makes of the same text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrcn.text import ptb
from lrcn.text.ptb import PUNCTUATION, ptb_tokenize, ptb_tokenize_all

OFFICIAL = [
    ("A man's dog can't run; it's tired.", "a man 's dog ca n't run it 's tired"),
    (
        "They cannot, gonna, wanna, gotta, lemme, gimme: 'twas 'tis",
        "they can not gon na wan na got ta lem me gim me 't was 't is",
    ),
    (
        "I'd've couldn't've DON'T ain`t don’t it’s",
        "i 'd 've could n't 've do n't ai n`t do n't it 's",
    ),
    (
        "y'all y'know o'clock O'Malley d'Avignon rock 'n' roll rock'n'roll",
        "y' all y' know o'clock o'malley d'avignon rock 'n' roll rock 'n' roll",
    ),
    ("the '90s, in '90 and 1990's", "the '90s in '90 and 1990 's"),
    (
        "somethin' ol' runnin' dogs' 'em 'till li'l c'mon nor'easter",
        "somethin' ol' runnin dogs 'em 'till li'l c'mon nor'easter",
    ),
    (
        "He said \"hello\" and ``bye'' or “so” and ‘this’ «that»",
        "he said hello and bye or so and this that",
    ),
    ("dash - two -- three --- five ----- em — en –", "dash two three five ----- em en"),
    ("wait... no . . . so.. …", "wait no so"),
    (
        "1 1/2 cups, 3-1/2 inches, ½ cup, ⅔, 3/4 and 2½",
        "1\xa01/2 cups 3-1/2 inches 1/2 cup 2/3 3/4 and 2 1/2",
    ),
    (
        "1,000.5 at 12:30, -5, +1, .5, 3.:4 and 10th 50mph 8x10",
        "1,000.5 at 12:30 -5 +1 .5 3. :4 and 10th 50mph 8x10",
    ),
    (
        "5'10\" tall, 25°C, 10% off, $5, US$5, £5, €5, ¥5, 5¢",
        "5 10 tall 25 ° c 10 % off $ 5 us$ 5 # 5 $ 5 ¥ 5 5 cents",
    ),
    (
        "(555) 123-4567 or 555-1234 or 555.123.4567",
        "-lrb-555-rrb-\xa0123-4567 or 555-1234 or 555.123.4567",
    ),
    ("on 10/12/2014 or 10-12-14", "on 10/12/2014 or 10-12-14"),
    (
        "see http://foo.com/bar?x=1 or www.foo.com, foo.org/x. and me@x.com <me@x.com>",
        "see http://foo.com/bar?x=1 or www.foo.com foo.org / x. and me@x.com <me@x.com>",
    ),
    (
        "@name #tag foo.jpg bar.mp3, foo.3gp c++ c# f#",
        "@name #tag foo.jpg bar.mp3 foo .3 gp c++ c# f#",
    ),
    (
        "black-and-white t-shirt, 3-D, 2.5-mile, mother-in-law's, e-mail",
        "black-and-white t-shirt 3-d 2.5-mile mother-in-law 's e-mail",
    ),
    (
        "and/or he/she a/b AT&T R&B &amp; rock & roll A+B S&P-500",
        "and/or he/she a/b at&t r&b & rock & roll a+b s&p-500",
    ),
    (
        "at 5 p.m. the U.S. flag. U.S. The Mr. Smith, Dr. X, St. Mary, Ph.D. etc.",
        "at 5 p.m. the u.s. flag u.s. the mr. smith dr. x st. mary ph.d. etc.",
    ),
    ("I. The cat and I. the cat", "i the cat and i. the cat"),
    (
        "fig. 5 no. 3 fig. x pp. 4 Jan. 5 Sat. 6 Pt. 5 Prop. 8",
        "fig. 5 no. 3 fig x pp. 4 jan. 5 sat 6 pt 5 prop. 8",
    ),
    (
        'a dog (a big one) [sic] {so} <b>x</b> <a href="x y"> 3 < 5 > 2 << >>',
        "a dog -lrb- a big one -rrb- -lsb- sic -rsb- -lcb- so -rcb- <b> x </b>"
        ' <a\xa0href="x\xa0y"> 3 < 5 > 2 << >>',
    ),
    (":-) ;P =D ^_^ (^_^) <3 -> =>", ":--rrb- ;p =d ^_^ -lrb-^_^-rrb- < 3 > = >"),
    ("what?! really!!! ok? good.night x!y word.,", "what ?! really !!! ok good.night x!y word."),
    ("* ** \\* ~ ^ | \\ / _ __ + = == % & # @@", "* ** \\* ~ ^ | \\ / _ __ + = = = % & # @@"),
    (
        "café naïve Straße ÉCOLE Ünder привет 中文 Σίσυφος &eacute;t&eacute;",
        "café naïve straße école ünder привет 中文 σίσυφος &eacute;t&eacute;",
    ),
    ("a cat 😀 smiles 👩\u200d👩\u200d👧 ™ © ✓ ♥", "a cat smiles ™ © ✓ ♥"),
    (
        "soft\xadhyphen non‑breaking hard‐hyphen a b c&nbsp;d",
        "softhyphen non‑breaking hard‐hyphen a b c d",
    ),
    ("either⁄or ⁄ 1⁄2 ␤", "either ⁄ or ⁄ 1⁄2 ␤"),
    ("x² 10³ H₂O ① Ⅷ", "x ² 10 ³ h ₂ o ①"),
    (
        "pty. ltd. co. limited -LRB- pro- anti- Cap'n c'est",
        "pty. ltd. co. limited -lrb- pro- anti- cap'n c'est",
    ),
    ("2009-08-20T12:30:00Z ", "2009-08-20t12 :30:00 z"),
]
"""Texts, and the tokens of pycocoevalcap 1.2 with OpenJDK 17, joined by single spaces."""

PIECES = st.one_of(
    st.sampled_from(["a", "The", "I.", "dog.", "cat's", "don't", "U.S.", "fig.", "5", "1/2", "."]),
    st.sampled_from([",", "-", "(", '"', "'", "<b>", "…", "é", "cannot", "no.", ":)", "", "etc."]),
)


@pytest.mark.parametrize(("text", "tokens"), OFFICIAL)
def test_tokens_are_the_official_ones(text: str, tokens: str) -> None:
    assert " ".join(ptb_tokenize(text)) == tokens


@pytest.mark.parametrize("text", ["", " ", "\n", " . ", "?", "\u200b"])
def test_nothing_gives_no_tokens(text: str) -> None:
    assert ptb_tokenize(text) == []


def test_a_line_break_is_a_space_and_the_next_line_has_no_say() -> None:
    assert ptb_tokenize("a dog\nsits\r\nhere") == ["a", "dog", "sits", "here"]
    assert ptb_tokenize("see fig.") == ["see", "fig"]


def test_an_abbreviation_before_a_number_keeps_its_stop_over_the_end_of_a_caption() -> None:
    captions = ["see fig.", "5 dogs", "see fig.", "dogs"]
    assert ptb_tokenize_all(captions) == [["see", "fig."], ["5", "dogs"], ["see", "fig"], ["dogs"]]


def test_a_space_inside_a_token_is_unbreakable() -> None:
    assert ptb_tokenize("1 1/2 cups") == ["1\u00a01/2", "cups"]


@given(st.lists(PIECES, max_size=8).map(" ".join))
def test_the_remembered_pieces_change_nothing(text: str) -> None:
    assert ptb_tokenize(text) == ptb._scan(" ".join(text.splitlines()))


@given(st.text(max_size=30))
def test_any_text_has_tokens_without_spaces_and_punctuation(text: str) -> None:
    tokens = ptb_tokenize(text)
    assert not PUNCTUATION & set(tokens)
    assert all(token and " " not in token and "\n" not in token for token in tokens)


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["coco_fakecap_126", "coco_human_vs_human_500"])
def test_real_captions_have_the_official_tokens(real_data: Path, name: str) -> None:
    text = (real_data / "caption-eval-reference" / f"{name}.json").read_text(encoding="utf-8")
    document = json.loads(text)
    seen = 0
    for item, captions in document["references"].items():
        for caption, tokens in zip(captions, document["references_tokenized"][item], strict=True):
            assert " ".join(ptb_tokenize(caption)) == tokens
            seen += 1
    for item, caption in document["candidates"].items():
        assert " ".join(ptb_tokenize(caption)) == document["candidates_tokenized"][item]
        seen += 1
    assert seen >= 126 * 5
