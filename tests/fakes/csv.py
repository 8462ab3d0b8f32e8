"""A CSV as a spreadsheet writes it: byte-order mark, CRLF, quoted cells, blank lines."""

from pathlib import Path

from tests.fakes.dataset import FakeDataset, put_text, put_video


def build(root: Path) -> FakeDataset:
    for number, name in enumerate(("a b.mp4", "ü, v1.2.mp4", "c.mp4")):
        put_video(root / "clips" / name, number)
    text = (
        "\ufeffPath,Label,Group,split\r\n"
        "clips/a b.mp4,run,one,train\r\n"
        '"clips/ü, v1.2.mp4","walk ""fast""",two,validation\r\n'
        "\r\n"
        "clips/c.mp4,run,three,TEST\r\n"
    )
    return FakeDataset(
        data=put_text(root / "list.csv", text),
        layout="csv",
        num_items=3,
        class_names=("run", 'walk "fast"'),
        listed=root / "clips" / "c.mp4",
        splits=frozenset({"train", "val", "test"}),
    )
