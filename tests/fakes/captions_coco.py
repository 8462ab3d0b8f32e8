"""COCO captions in a folder: two parts, an image without captions, repeated captions."""

from pathlib import Path

from tests.fakes.captions import FakeCaptions, put_json, put_photo


def build(root: Path) -> FakeCaptions:
    put_photo(root / "images" / "größe.jpg", 0)
    put_photo(root / "images" / "b.jpg", 1)
    put_photo(root / "images" / "c.jpg", 2)
    train = {
        "images": [{"id": 7, "file_name": "größe.jpg"}, {"id": 8, "file_name": "b.jpg"}],
        "annotations": [
            {"id": 1, "image_id": 8, "caption": "A dog."},
            {"id": 2, "image_id": 7, "caption": "Zwei Bären."},
            {"id": 3, "image_id": 8, "caption": "A dog."},
        ],
    }
    val = {
        "images": [{"id": 9, "file_name": "c.jpg"}],
        "annotations": [{"id": 4, "image_id": 9, "caption": "A cat\nsleeps."}],
    }
    put_json(root / "annotations" / "captions_train2014.json", train)
    put_json(root / "annotations" / "captions_val2014.json", val)
    return FakeCaptions(
        data=root,
        layout="coco",
        captions={"7": ("Zwei Bären.",), "8": ("A dog.", "A dog."), "9": ("A cat sleeps.",)},
        splits={"7": "train", "8": "train", "9": "val"},
        official=True,
        listed=root / "images" / "b.jpg",
    )
