"""A token file, lists of the parts, images in a folder of its own, and one image in no list."""

from pathlib import Path

from tests.fakes.captions import FakeCaptions, put_photo
from tests.fakes.dataset import put_text


def build(root: Path) -> FakeCaptions:
    for number, name in enumerate(("1_a.jpg", "2_b.jpg", "3_é.jpg", "4_d.jpg")):
        put_photo(root / "pictures" / name, number)
    lines = (
        "1_a.jpg#0\tA dog , running .\r\n1_a.jpg#1\tA brown dog .\r\n"
        '2_b.jpg#0\tA cat .\r\n3_é.jpg#0\tUn chat "noir" .\r\n4_d.jpg#0\tA bird .\r\n'
    )
    put_text(root / "text" / "Flickr8k.token.txt", lines)
    put_text(root / "text" / "Flickr_8k.trainImages.txt", "1_a.jpg\n2_b.jpg\n")
    put_text(root / "text" / "Flickr_8k.devImages.txt", "\n")
    put_text(root / "text" / "Flickr_8k.testImages.txt", "3_é.jpg")
    return FakeCaptions(
        data=root / "text",
        layout="flickr",
        captions={
            "1_a.jpg": ("A dog , running .", "A brown dog ."),
            "2_b.jpg": ("A cat .",),
            "3_é.jpg": ('Un chat "noir" .',),
        },
        splits={"1_a.jpg": "train", "2_b.jpg": "train", "3_é.jpg": "test"},
        official=True,
        listed=root / "pictures" / "2_b.jpg",
        arguments={"images": root / "pictures"},
    )
