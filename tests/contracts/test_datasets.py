"""Every layout of the table is read, from a fake of three items or more in tests/fakes."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from tests.fakes.dataset import FakeDataset

from lrcn.data.datasets import LAYOUTS, check_readable, read_dataset
from lrcn.data.split import divide
from lrcn.errors import MissingFilesError


@pytest.fixture(params=sorted(LAYOUTS))
def fake(request: pytest.FixtureRequest, tmp_path: Path) -> FakeDataset:
    build = importlib.import_module(f"tests.fakes.{request.param}").build
    made = build(tmp_path / "data set v1.2")
    assert isinstance(made, FakeDataset)
    assert made.layout == request.param
    return made


def test_finds_the_items_by_itself(fake: FakeDataset) -> None:
    video_list = read_dataset(fake.data, **fake.arguments)

    assert video_list.layout == fake.layout
    assert len(video_list) == fake.num_items >= 3
    assert {item.split for item in video_list.items} == fake.splits
    assert all(Path(item.path).exists() for item in video_list.items)
    assert read_dataset(fake.data, layout=fake.layout, **fake.arguments) == video_list


def test_class_order_is_stable(fake: FakeDataset) -> None:
    video_list = read_dataset(fake.data, **fake.arguments)

    assert video_list.class_names == fake.class_names
    used = {name for item in video_list.items for name in item.class_names}
    assert used == set(fake.class_names)


def test_ids_are_unique_and_plain(fake: FakeDataset) -> None:
    items = read_dataset(fake.data, **fake.arguments).items

    places = {(item.path, item.video_id) for item in items}
    assert len({item.video_id for item in items}) == len(places)
    for item in items:
        assert "\\" not in item.video_id
        assert not item.video_id.startswith(("/", "."))
        assert not item.video_id.lower().endswith((".mp4", ".avi", ".npy"))


def test_names_beyond_ascii_survive(fake: FakeDataset) -> None:
    items = read_dataset(fake.data, **fake.arguments).items

    words = [item.video_id + "".join(item.class_names) for item in items]
    assert fake.layout == "ucf101" or any(not word.isascii() for word in words)


def test_every_file_opens(fake: FakeDataset) -> None:
    video_list = read_dataset(fake.data, **fake.arguments)

    assert check_readable(video_list, missing="error") == video_list


def test_absent_file_is_an_error_that_names_it(fake: FakeDataset) -> None:
    fake.lose_a_file()

    with pytest.raises(MissingFilesError, match=r"^1 of \d listed files .* the first: ") as caught:
        read_dataset(fake.data, **fake.arguments)
    assert fake.listed.stem in str(caught.value)
    assert "--missing skip" in str(caught.value)


def test_absent_file_is_skipped_and_counted(fake: FakeDataset) -> None:
    fake.lose_a_file()

    video_list = read_dataset(fake.data, missing="skip", min_classes=1, **fake.arguments)

    assert len(video_list) == fake.num_items - 1
    assert [Path(file.path).stem for file in video_list.skipped] == [fake.listed.stem]
    assert any(note.startswith("1 listed file not found") for note in video_list.notes)


def test_published_parts_stay_as_they_are(fake: FakeDataset) -> None:
    video_list = read_dataset(fake.data, **fake.arguments)
    if "train" not in fake.splits:
        assert fake.splits == {None}
        return

    division = divide(video_list, val_fraction=0)

    for name, part in division.parts.items():
        assert [i for i in video_list.items if i.split == name] == list(part.items)
    assert division.how in ("official", "column", "folders")


def test_saw_every_layout() -> None:
    fakes = {path.stem for path in (Path(__file__).parent.parent / "fakes").glob("*.py")}

    assert set(LAYOUTS) <= fakes
    assert len(LAYOUTS) == 10
