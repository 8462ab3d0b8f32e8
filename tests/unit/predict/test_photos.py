"""Which photos are meant, and which image_id each has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lrcn.errors import DataError
from lrcn.predict.coco_results import coco_image_ids, coco_results
from lrcn.predict.photos import expand_photos, photos_passed_over
from lrcn.structures import Caption, Description


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    names = ("b.JPG", "a.png", "deep/1.jpg", "deep/2.webp", "deep/.hidden.jpg", ".cache/x.jpg")
    for name in (*names, "notes.txt", "films/f.mp4", "texts/t.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "deep" / "again").symlink_to(tmp_path / "deep")
    return tmp_path


def names(paths: list[str], tree: Path) -> list[str]:
    return [str(Path(path).relative_to(tree)) for path in paths]


def test_a_folder_is_searched_for_photos_and_each_comes_once(tree: Path) -> None:
    wanted = ["a.png", "b.JPG", "deep/1.jpg", "deep/2.webp"]
    assert names(expand_photos([str(tree)]), tree) == wanted
    given = [str(tree / "deep/2.webp"), str(tree / "deep"), str(tree / "gone.jpg")]
    assert names(expand_photos(given), tree) == ["deep/2.webp", "deep/1.jpg", "gone.jpg"]
    assert names(expand_photos([str(tree / "films")]), tree) == ["films/f.mp4"]


def test_patterns(tree: Path) -> None:
    assert names(expand_photos([str(tree / "**" / "*.webp")]), tree) == ["deep/2.webp"]
    with pytest.raises(DataError, match="no file matches"):
        expand_photos([str(tree / "*.tiff")])


def test_folders_without_photos_say_what_they_hold(tree: Path) -> None:
    with pytest.raises(DataError, match=r"holds no photo \(it is empty\)"):
        expand_photos([str(tree / "empty")])
    with pytest.raises(DataError, match=r"only 1 \.txt"):
        expand_photos([str(tree / "texts")])


def test_what_is_passed_over_is_named(tree: Path) -> None:
    found = names(photos_passed_over([str(tree), str(tree / "a.png")]), tree)
    assert found == ["notes.txt", "films/f.mp4", "texts/t.txt"]


def test_image_ids_are_numbers_where_every_name_ends_in_its_own() -> None:
    ids = coco_image_ids(["x/COCO_val2014_000000000042.jpg", "000000000007.jpg"])
    assert list(ids.values()) == [42, 7]
    assert list(coco_image_ids(["a/1.jpg", "b/cat.jpg"]).values()) == ["1", "cat"]
    assert list(coco_image_ids(["a/1.jpg", "b/1.jpg"]).values()) == ["a/1.jpg", "b/1.jpg"]


def test_image_ids_of_a_list(tmp_path: Path) -> None:
    listed = tmp_path / "captions.json"
    images = [{"file_name": "train/cat.jpg", "id": 5}]
    listed.write_text(json.dumps({"images": images}))
    ids = coco_image_ids(["photos/cat.jpg"], listed)
    caption = Caption(text="a cat", token_ids=(4, 2), log_prob=-1.0, score=-1.0)
    found = [
        Description(path="photos/cat.jpg", item_id="cat", captions=(caption,)),
        Description(path="broken.jpg", item_id="broken", error="broken"),
    ]
    assert coco_results(found, ids) == [{"image_id": 5, "caption": "a cat"}]
    with pytest.raises(DataError, match=r"1 of 2 photos are not in .*dog\.jpg"):
        coco_image_ids(["cat.jpg", "dog.jpg"], listed)
    listed.write_text("[]")
    with pytest.raises(DataError, match="no list of images"):
        coco_image_ids(["cat.jpg"], listed)
