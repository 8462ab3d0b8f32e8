"""Karpathy's JSON with restval, images in folders by part, and tokens without raw text."""

from pathlib import Path

from tests.fakes.captions import FakeCaptions, put_json, put_photo


def build(root: Path) -> FakeCaptions:
    put_photo(root / "images" / "train2014" / "a.jpg", 0)
    put_photo(root / "images" / "val2014" / "b.jpg", 1)
    put_photo(root / "images" / "val2014" / "ç.jpg", 2)
    images = [
        image("train2014", "a.jpg", 11, "train", [{"raw": "A dog.", "tokens": ["a", "dog"]}]),
        image("val2014", "b.jpg", 12, "restval", [{"tokens": ["two", "cats"]}]),
        image("val2014", "ç.jpg", 13, "test", [{"raw": "Üç kedi."}, {"raw": "Kediler."}]),
    ]
    return FakeCaptions(
        data=put_json(root / "dataset_coco.json", {"images": images, "dataset": "coco"}),
        layout="karpathy",
        captions={"11": ("A dog.",), "12": ("two cats",), "13": ("Üç kedi.", "Kediler.")},
        splits={"11": "train", "12": "train", "13": "test"},
        official=True,
        listed=root / "images" / "val2014" / "b.jpg",
    )


def image(
    folder: str, name: str, cocoid: int, split: str, sentences: list[dict[str, object]]
) -> dict[str, object]:
    return {
        "filepath": folder,
        "filename": name,
        "cocoid": cocoid,
        "imgid": cocoid - 11,
        "split": split,
        "sentences": sentences,
    }
