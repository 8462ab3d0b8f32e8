"""CSV with numbered columns, one of them empty, a byte-order mark, and commas in quotes."""

from pathlib import Path

from tests.fakes.captions import FakeCaptions, put_photo
from tests.fakes.dataset import put_text


def build(root: Path) -> FakeCaptions:
    for number, name in enumerate(("a.png", "狗.png", "sub/c.png")):
        put_photo(root / "images" / name, number)
    text = (
        "\ufeffImage,Caption_1,caption_2,split\n"
        'images/a.png,"A dog, running.",A dog.,training\n'
        "images/狗.png,两只狗。,,valid\n"
        "\n"
        'images\\sub\\c.png,"He says ""hi"".",Two lines.,test\n'
    )
    return FakeCaptions(
        data=put_text(root / "captions.csv", text),
        layout="csv",
        captions={
            "images/a.png": ("A dog, running.", "A dog."),
            "images/狗.png": ("两只狗。",),
            "images/sub/c.png": ('He says "hi".', "Two lines."),
        },
        splits={"images/a.png": "train", "images/狗.png": "val", "images/sub/c.png": "test"},
        listed=root / "images" / "sub" / "c.png",
    )
