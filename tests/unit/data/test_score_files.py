"""Files of references and hypotheses: every form, and what is said of a wrong one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lrcn.data.score_files import read_hypotheses, read_references
from lrcn.errors import DataError

COCO = {
    "images": [{"id": 7}, {"id": 8}],
    "annotations": [
        {"id": 1, "image_id": 7, "caption": "a dog"},
        {"id": 2, "image_id": 8, "caption": "a cat"},
        {"id": 3, "image_id": 7, "caption": "the dog"},
    ],
}
READ = {"7": ["a dog", "the dog"], "8": ["a cat"]}


def _file(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("coco.json", COCO),
        ("by_id.json", {"7": ["a dog", "the dog"], "8": "a cat"}),
        (
            "lines.jsonl",
            '{"image_id": 7, "captions": ["a dog", "the dog"]}\n\n'
            '{"id": "8", "caption": "a cat"}\n',
        ),
        ("table.csv", "\ufefffile_name,caption\n7,a dog\n8,a cat\n7,the dog\n"),
    ],
)
def test_references_are_read_from_each_form(tmp_path: Path, name: str, content: object) -> None:
    assert read_references([_file(tmp_path, name, content)]) == READ


def test_references_of_text_are_lines_of_several_files_or_parted_by_tabs(tmp_path: Path) -> None:
    first = _file(tmp_path, "ref0.txt", "a dog\r\na cat\tthe cat\nred\u2028car\n")
    second = _file(tmp_path, "ref1.txt", "the dog\n\na car")
    found = {"1": ["a dog", "the dog"], "2": ["a cat", "the cat"], "3": ["red\u2028car", "a car"]}
    assert read_references([first, second]) == found


def test_hypotheses_are_read_from_each_form(tmp_path: Path) -> None:
    results = [{"image_id": 7, "caption": "a dog"}, {"image_id": 8, "caption": ""}]
    expected = {"7": "a dog", "8": ""}
    assert read_hypotheses(_file(tmp_path, "results.json", results)) == expected
    floats = [{"image_id": 7.0, "caption": "a dog"}, {"image_id": "8", "caption": ""}]
    assert read_hypotheses(_file(tmp_path, "floats.json", floats)) == expected
    assert read_hypotheses(_file(tmp_path, "by_id.json", expected)) == expected
    assert read_hypotheses(_file(tmp_path, "table.csv", "id,caption\n7,a dog\n8,\n")) == expected
    assert read_hypotheses(_file(tmp_path, "plain.txt", "a dog\n\n")) == {"1": "a dog", "2": ""}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "{", "a.json is no JSON"),
        ("a.jsonl", '{"id": 1, "caption": "a"}\n{', "a.jsonl, line 2 is no JSON"),
        ("a.json", [{"caption": "a"}], r'entry 1 is \{"caption": "a"\}; an id'),
        ("a.json", [{"id": 1, "caption": 5}], "entry 1 is"),
        ("a.json", [{"id": True, "caption": "a"}], "entry 1 is .*a text or a whole number"),
        ("a.json", [{"id": 1, "caption": None}], "entry 1 is .*`caption` .a text. are needed"),
        ("a.json", "[" * 100_000, "a.json is no JSON"),
        ("a.csv", 'id,caption\n1,"' + "a" * 200_000, "a.csv is no CSV: field larger"),
        ("a.json", [3], "entry 1 is 3"),
        ("a.json", 5, "holds no captions"),
        ("a.json", {}, "holds no captions"),
        ("a.csv", "id,words\n1,a\n", "entry 1 is"),
        ("a.json", [{"id": 1, "caption": "a"}] * 2, "2 captions for 1 items, several for '1'"),
        ("a.txt", "1\ta dog\n", "line 1 has a tab"),
    ],
)
def test_a_wrong_file_of_hypotheses_is_named(
    tmp_path: Path, name: str, content: object, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_hypotheses(_file(tmp_path, name, content))


def test_references_that_do_not_match_are_named(tmp_path: Path) -> None:
    two, three = _file(tmp_path, "two.txt", "a\nb\n"), _file(tmp_path, "three.txt", "a\nb\nc\n")
    with pytest.raises(DataError, match=r"two\.txt has 2 lines, .*three\.txt has 3 lines"):
        read_references([two, three])
    with pytest.raises(DataError, match=r"1 items have no reference \(the first is line 2"):
        read_references([_file(tmp_path, "gap.txt", "a\n\nb\n")])
    latin = tmp_path / "latin.txt"
    latin.write_bytes("é".encode("latin-1"))
    with pytest.raises(DataError, match="no UTF-8 text"):
        read_references([latin])
