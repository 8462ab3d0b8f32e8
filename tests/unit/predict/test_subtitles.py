"""Whatever is said, and whenever: a strict parser reads the file back."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.fakes.subtitles import Cue, parse_srt, parse_vtt

from lrcn.errors import OutputError
from lrcn.predict.subtitles import Sentence, SubtitleFile, SubtitleFormat, subtitle_time

PARSERS: dict[SubtitleFormat, Callable[[bytes], list[Cue]]] = {"vtt": parse_vtt, "srt": parse_srt}
KINDS = pytest.mark.parametrize("kind", list(PARSERS))


def said(text: str, start: float = 0.0, end: float = 1.0) -> Sentence:
    return Sentence(start_seconds=start, end_seconds=end, text=text, log_prob=-1.0)


def written(kind: SubtitleFormat, sentences: list[Sentence]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out"
        with SubtitleFile(path, kind) as file:
            for sentence in sentences:
                file.write(sentence)
        return path.read_bytes()


@KINDS
@settings(deadline=None)
@given(texts=st.lists(st.text(), max_size=5))
@example(texts=["a --> b", "<b>&amp;</b>", "a\r\n\r\nb", "--", "->", "\n1\n00:00:01,000 --> "])
@example(texts=["", " ", "\n\n", "\x00", "\ud800", "\u2028", "{\\an8}x", "NOTE", "WEBVTT", "7"])
def test_any_text_is_read_back(kind: SubtitleFormat, texts: list[str]) -> None:
    sentences = [said(text, k, k + 1) for k, text in enumerate(texts)]

    cues = PARSERS[kind](written(kind, sentences))

    assert len(cues) <= len(texts)
    if kind == "vtt":
        plain = [t for t in texts if t.isprintable() and t.strip()]
        shown = [cue.text for cue in cues]
        assert all(text.strip() in shown for text in plain)


@KINDS
@settings(deadline=None)
@given(
    borders=st.lists(
        st.one_of(st.floats(0, 1e6), st.integers(0, 3000).map(lambda n: n / 1500)), max_size=12
    )
)
@example(borders=[0, 0.0001, 0.0002, 0.0003, 0.0004, 0.0005])
@example(borders=[0.0005, 0.0015, 0.0025])
def test_adjacent_sentences_never_overlap(kind: SubtitleFormat, borders: list[float]) -> None:
    pairs = list(itertools.pairwise(sorted(borders)))

    cues = PARSERS[kind](written(kind, [said("x", a, b) for a, b in pairs]))

    assert len(cues) == len(pairs)
    if all(b - a > 0.002 for a, b in pairs):
        for cue, (start, end) in zip(cues, pairs, strict=True):
            assert abs(cue.start_ms - 1000 * start) <= 0.5 + 1e-6
            assert abs(cue.end_ms - 1000 * end) <= 0.5 + 1e-6


def test_the_bytes_of_both_formats() -> None:
    sentences = [said("a < b & c", 0.0, 1.5), said("two\n\nlines", 3661.0624, 360_000.0)]

    assert written("vtt", sentences) == (
        b"WEBVTT\n\n00:00:00.000 --> 00:00:01.500\na &lt; b &amp; c\n"
        b"\n01:01:01.062 --> 100:00:00.000\ntwo\nlines\n"
    )
    assert written("srt", sentences) == (
        b"1\n00:00:00,000 --> 00:00:01,500\na < b & c\n"
        b"\n2\n01:01:01,062 --> 100:00:00,000\ntwo\nlines\n"
    )
    assert subtitle_time(359_999_999) == "99:59:59.999"


def test_nothing_said_is_a_valid_file_too() -> None:
    assert parse_vtt(written("vtt", [])) == []
    assert parse_srt(written("srt", [])) == []


@pytest.mark.parametrize(("start", "end"), [(-1, 1), (2, 1), (float("nan"), 1), (0, float("inf"))])
def test_impossible_times_are_refused(start: float, end: float) -> None:
    with pytest.raises(ValueError, match="times are finite"):
        written("vtt", [said("x", start, end)])


def test_sentences_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="give sentences in order"):
        written("srt", [said("x", 0, 2), said("y", 1, 3)])


@KINDS
def test_the_file_appears_when_it_is_whole_and_what_was_there_stays_till_then(
    tmp_path: Path, kind: SubtitleFormat
) -> None:
    path = tmp_path / "new" / "out.txt"
    with SubtitleFile(path, kind) as file:
        file.write(said("one"))
        drafts = list(path.parent.iterdir())
        assert path not in drafts
        assert len(PARSERS[kind](drafts[0].read_bytes())) == 1
    before = path.read_bytes()

    def broken() -> None:
        with SubtitleFile(path, kind) as file:
            file.write(said("two"))
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        broken()
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@KINDS
def test_an_interruption_leaves_what_was_whole(tmp_path: Path, kind: SubtitleFormat) -> None:
    path = tmp_path / "out.txt"

    def interrupted() -> None:
        with SubtitleFile(path, kind) as file:
            file.write(said("one"))
            # In the middle of a cue: its first bytes are in the draft, and are not counted.
            draft = next(tmp_path.iterdir())
            with draft.open("ab") as other:
                other.write(b"\n00:00:01.000 --> 00:0")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [cue.text for cue in PARSERS[kind](path.read_bytes())] == ["one"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match="cannot write"):
        SubtitleFile(tmp_path / "file" / "out.vtt", "vtt")


@pytest.mark.parametrize(
    "broken",
    [
        b"", b"WEBVTT", b"WEBVT\n\n", b"WEBVTT\n00:00.000 --> 00:01.000\nx\n",
        b"WEBVTT\n\n00:00:00,000 --> 00:00:01,000\nx\n", b"WEBVTT\n\n00:00.000 --> 00:00.000\nx\n",
        b"WEBVTT\n\n00:00.000 --> 00:01.000\na & b\n", b"WEBVTT\n\n00:00.000 --> 00:01.000\n",
        b"WEBVTT\n\n00:00.000 --> 00:01.000\na\n\nb\n", b"WEBVTT\n\n00:60.000 --> 01:01.000\na\n",
    ],
)  # fmt: skip
def test_the_vtt_parser_is_strict(broken: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_vtt(broken)


@pytest.mark.parametrize(
    "broken",
    [
        b"0\n00:00:00,000 --> 00:00:01,000\nx\n", b"1\n00:00:00.000 --> 00:00:01.000\nx\n",
        b"1\n00:00:00,000 --> 00:00:01,000\n", b"1\n00:00:00,000 --> 00:00:01,000\n<i>x</i>\n",
        b"1\n00:00:00,000 --> 00:00:01,000\nx", b"1\n00:00:01,000 --> 00:00:01,000\nx\n",
        b"1\n00:00:00,000 --> 00:00:01,000\nx\n\n\n2\n00:00:01,000 --> 00:00:02,000\nx\n",
        b"1\n00:00:00,000 --> 00:00:01,000\nx\n\n2\n00:00:00,500 --> 00:00:02,000\nx\n",
    ],
)  # fmt: skip
def test_the_srt_parser_is_strict(broken: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_srt(broken)
