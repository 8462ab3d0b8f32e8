"""Captions are divided by photo, with copies on one side, whatever the order of the list."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tests.fakes.captions import put_photo

from lrcn.data.caption_split import divide_captions, refuse_caption_leaks
from lrcn.errors import ConfigError, DataError, LeakError
from lrcn.structures import CaptionItem, CaptionList


@pytest.fixture
def photos(tmp_path: Path) -> CaptionList:
    """Twenty photos with two captions each; 18 and 19 are copies of 0."""
    items = []
    for number in range(20):
        path = tmp_path / f"{number:02d}.png"
        if number >= 18:
            shutil.copy(tmp_path / "00.png", path)
        else:
            put_photo(path, number)
        items.append(CaptionItem(path=str(path), item_id=path.name, captions=("one", "two")))
    return CaptionList(items=tuple(items), layout="csv", source="photos.csv")


def ids(part: CaptionList | None) -> set[str]:
    return {item.item_id for item in part.items} if part else set()


def test_holds_out_photos(photos: CaptionList) -> None:
    made = divide_captions(photos, val_fraction=0.25, test_fraction=0.1, seed=3)

    assert (len(made.parts["val"]), made.how, made.val_how) == (
        len(ids(made.val)),
        "by image",
        "by image",
    )
    assert 4 <= len(ids(made.val)) <= 6
    assert ids(made.test)
    assert ids(made.train) | ids(made.val) | ids(made.test) == ids(photos)
    assert len(made.train) + len(ids(made.val)) + len(ids(made.test)) == 20
    for name, part in made.parts.items():
        assert {item.split for item in part.items} == {name}
        assert all(len(item.captions) == 2 for item in part.items)


@pytest.mark.parametrize("seed", range(6))
def test_equal_content_stays_on_one_side(photos: CaptionList, seed: int) -> None:
    made = divide_captions(photos, val_fraction=0.5, seed=seed)

    copies = {"00.png", "18.png", "19.png"}
    assert copies <= ids(made.train) or copies <= ids(made.val)
    assert made.warnings == ("3 files of equal content kept on one side: 00.png, 18.png, 19.png",)
    assert not refuse_caption_leaks({str(k): v for k, v in made.parts.items()})


def test_same_seed_same_division_in_any_order(photos: CaptionList) -> None:
    turned = replace(photos, items=tuple(reversed(photos.items)))
    divisions = [divide_captions(each, seed=5) for each in (photos, turned, photos)]

    assert len({frozenset(ids(made.val)) for made in divisions}) == 1
    others = {frozenset(ids(divide_captions(photos, seed=seed).val)) for seed in range(6)}
    assert len(others) > 1


def test_intervals_of_one_video_stay_together(photos: CaptionList) -> None:
    parts = [
        replace(photos.items[1], item_id=f"v#{n}", start_seconds=n, end_seconds=n + 1)
        for n in range(5)
    ]
    videos = replace(photos, items=(*photos.items[2:6], *parts), media="video")
    for seed in range(5):
        made = divide_captions(videos, val_fraction=0.4, seed=seed)
        inside = {part.item_id for part in parts} & ids(made.val)
        assert made.how == "by video"
        assert len(inside) in (0, 5)


def test_given_parts_stay(photos: CaptionList) -> None:
    named = [replace(i, split="test" if n < 3 else "train") for n, i in enumerate(photos.items)]
    made = divide_captions(replace(photos, items=tuple(named), official_split=True), seed=1)

    assert ids(made.test) == {"00.png", "01.png", "02.png"}
    assert ids(made.val)
    assert not ids(made.val) & ids(made.test)
    assert (made.how, made.val_how) == ("official", "by image")
    column = divide_captions(replace(photos, items=tuple(named)), val_fraction=0)
    assert (column.how, column.val, column.val_how) == ("column", None, None)


def test_too_little_to_divide(photos: CaptionList) -> None:
    with pytest.raises(DataError, match="has 1 image to train on, too few to hold out val"):
        divide_captions(replace(photos, items=photos.items[:1]))
    two = divide_captions(replace(photos, items=photos.items[:2]), val_fraction=0.01)
    assert (len(two.train), len(ids(two.val))) == (1, 1)
    most = divide_captions(replace(photos, items=photos.items[:3]), val_fraction=0.9)
    assert len(most.train) == 1
    both = divide_captions(
        replace(photos, items=photos.items[:10]), val_fraction=0.6, test_fraction=0.39
    )
    assert (len(both.train), len(ids(both.val)), len(ids(both.test))) == (1, 6, 3)


def test_refused(photos: CaptionList) -> None:
    with pytest.raises(ConfigError, match=r"val_fraction is 1\.0"):
        divide_captions(photos, val_fraction=1.0)
    with pytest.raises(ConfigError, match="leave nothing to train on"):
        divide_captions(photos, val_fraction=0.5, test_fraction=0.5)
    only_test = [replace(item, split="test") for item in photos.items]
    with pytest.raises(DataError, match="has no train part, only test"):
        divide_captions(replace(photos, items=tuple(only_test)))


def test_leaks_between_files(photos: CaptionList) -> None:
    train = replace(photos, items=photos.items[:5])
    val = replace(photos, items=photos.items[10:])

    with pytest.raises(LeakError, match=r"equal content \(00\.png and 18\.png\) in train and val"):
        refuse_caption_leaks({"train": train, "val": val})
    assert refuse_caption_leaks({"train": train, "val": val}, allow_leaks=True)
