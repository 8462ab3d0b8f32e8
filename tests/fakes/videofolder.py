"""Hugging Face's layout: metadata in each split folder, the class from the folder in one."""

from pathlib import Path

from tests.fakes.dataset import FakeDataset, put_text, put_video


def build(root: Path) -> FakeDataset:
    put_video(root / "train" / "ä.mp4", 0)
    put_video(root / "train" / "b.mp4", 1)
    put_text(root / "train" / "metadata.csv", "file_name,label\nä.mp4,run\nb.mp4,walk\n")
    put_video(root / "test" / "walk" / "ä.mp4", 2)
    put_text(root / "test" / "metadata.jsonl", '{"file_name": "walk/ä.mp4", "text": "hello"}\n')
    return FakeDataset(
        data=root,
        layout="videofolder",
        num_items=3,
        class_names=("run", "walk"),
        listed=root / "train" / "b.mp4",
        splits=frozenset({"train", "test"}),
    )
