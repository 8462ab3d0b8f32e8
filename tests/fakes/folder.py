"""Class folders with videos, a folder of frames, and files that are none."""

from pathlib import Path

from tests.fakes.dataset import FakeDataset, put_frames, put_text, put_video


def build(root: Path) -> FakeDataset:
    put_video(root / "läuft" / "über den Weg, 1.2.mp4", 0)
    put_video(root / "läuft" / "b.AVI", 1)
    listed = put_video(root / "springt" / "c.mp4", 2)
    put_frames(root / "springt" / "d v1.5", 3)
    put_text(root / "springt" / "notes.txt", "no video")
    put_text(root / "springt" / "._c.mp4", "a resource fork")
    put_text(root / ".cache" / "x.mp4", "hidden")
    return FakeDataset(
        data=root, layout="folder", num_items=4, class_names=("läuft", "springt"), listed=listed
    )
