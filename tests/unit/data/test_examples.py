"""The photos that come with the source: read by the commands, small, attributed."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from lrcn.data.captions import read_captions
from lrcn.data.score_files import read_references

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


def test_they_are_a_data_set_with_three_parts() -> None:
    captions = read_captions(EXAMPLES / "captions.json", images=EXAMPLES)
    assert len(captions) == 12
    assert [item.split for item in captions.items].count("train") == 8
    assert {item.split for item in captions.items} == {"train", "val", "test"}
    assert all(len(item.captions) == 5 for item in captions.items)
    assert not captions.notes
    found = read_references([EXAMPLES / "captions.json"])
    assert {item.item_id: list(item.captions) for item in captions.items} == found


def test_each_is_small_open_and_attributed() -> None:
    listed = json.loads((EXAMPLES / "captions.json").read_text("utf-8"))
    attribution = (EXAMPLES / "ATTRIBUTION.md").read_text("utf-8")
    assert [entry["name"] for entry in listed["licenses"]] == ["Attribution License"]
    photos = sorted(EXAMPLES.glob("*.jpg"))
    assert [p.name for p in photos] == sorted(i["file_name"] for i in listed["images"])
    for entry in listed["images"]:
        path = EXAMPLES / entry["file_name"]
        assert path.stat().st_size <= 120 * 1024
        with Image.open(path) as photo:
            assert photo.size == (entry["width"], entry["height"])
        assert entry["license"] == listed["licenses"][0]["id"]
        assert entry["file_name"] in attribution
        assert entry["flickr_url"] in attribution
