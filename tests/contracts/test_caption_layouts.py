"""Every layout of captions is read, from a fake of three items in tests/fakes."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from tests.fakes.captions import FakeCaptions

from lrcn.data.captions import CAPTION_LAYOUTS, holds_captions, read_captions
from lrcn.errors import MissingFilesError


@pytest.fixture(params=sorted(CAPTION_LAYOUTS))
def fake(request: pytest.FixtureRequest, tmp_path: Path) -> FakeCaptions:
    made = importlib.import_module(f"tests.fakes.captions_{request.param}").build(tmp_path / "set")
    assert isinstance(made, FakeCaptions)
    assert made.layout == request.param
    return made


def test_finds_the_items_by_itself(fake: FakeCaptions) -> None:
    found = read_captions(fake.data, **fake.arguments)

    assert found.layout == fake.layout
    assert found.media == fake.media
    assert found.official_split == fake.official
    assert {item.item_id: item.captions for item in found.items} == fake.captions
    assert len(found) == len(fake.captions) == 3
    assert {i.item_id: i.split for i in found.items if i.split} == fake.splits
    assert all(Path(item.path).is_file() for item in found.items)
    assert not found.skipped
    assert holds_captions(fake.data)


def test_named_layout_reads_the_same(fake: FakeCaptions) -> None:
    found = read_captions(fake.data, **fake.arguments)

    assert read_captions(fake.data, layout=fake.layout, **fake.arguments) == found


def test_absent_file_is_an_error_that_names_it(fake: FakeCaptions) -> None:
    fake.listed.unlink()

    with pytest.raises(
        MissingFilesError, match=r"^1 of 3 listed files are absent, the first: "
    ) as e:
        read_captions(fake.data, **fake.arguments)
    assert fake.listed.stem in str(e.value)
    assert "--missing skip" in str(e.value)


def test_absent_file_is_skipped_and_counted(fake: FakeCaptions) -> None:
    fake.listed.unlink()
    found = read_captions(fake.data, missing="skip", **fake.arguments)

    assert len(found) == 2
    assert [Path(file.path).stem for file in found.skipped] == [fake.listed.stem]
    assert found.skipped[0].reason == "file not found"
    assert "1 listed file not found and left out" in found.notes


def test_sentences_alone_need_no_file(fake: FakeCaptions) -> None:
    fake.listed.unlink()
    found = read_captions(fake.data, need_media=False, **fake.arguments)

    assert {item.item_id: item.captions for item in found.items} == fake.captions


def test_one_part(fake: FakeCaptions) -> None:
    if not fake.splits:
        return
    found = read_captions(fake.data, split="train", **fake.arguments)

    assert {i.item_id for i in found.items} == {k for k, v in fake.splits.items() if v == "train"}


def test_saw_every_layout() -> None:
    folder = Path(__file__).parent.parent / "fakes"
    fakes = {path.stem.removeprefix("captions_") for path in folder.glob("captions_*.py")}

    assert set(CAPTION_LAYOUTS) == fakes
    assert len(CAPTION_LAYOUTS) == 8
