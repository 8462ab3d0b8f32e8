"""Hugging Face's folders: a metadata file in each part."""

from pathlib import Path

from tests.fakes.captions import FakeCaptions, put_photo
from tests.fakes.dataset import put_text


def build(root: Path) -> FakeCaptions:
    put_photo(root / "train" / "1.png", 0)
    put_photo(root / "train" / "2.png", 1)
    put_photo(root / "test" / "1.png", 2)
    put_text(root / "train" / "metadata.csv", "file_name,text\n1.png,A dog.\n2.png,İki kedi.\n")
    put_text(root / "test" / "metadata.csv", "file_name,text\n1.png,A bird.\n")
    return FakeCaptions(
        data=root,
        layout="imagefolder",
        captions={
            "train/1.png": ("A dog.",),
            "train/2.png": ("İki kedi.",),
            "test/1.png": ("A bird.",),
        },
        splits={"train/1.png": "train", "train/2.png": "train", "test/1.png": "test"},
        listed=root / "train" / "2.png",
    )
