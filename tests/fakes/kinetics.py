"""A Kinetics list: cut clips in class folders and flat, and one whole video with an interval."""

from pathlib import Path

from tests.fakes.dataset import FakeDataset, put_text, put_video


def build(root: Path) -> FakeDataset:
    put_video(root / "clips" / "long jump" / "-Aé_34567890_000003_000013.mp4", 0)
    put_video(root / "clips" / "bcdefghijk1_000010_000020.mp4", 1)
    put_video(root / "clips" / "cdefghijk12.mp4", 2)
    text = (
        "label,youtube_id,time_start,time_end,split,is_cc\n"
        "long jump,-Aé_34567890,3,13,train,0\n"
        '"eating, slowly",bcdefghijk1,10,20,train,0\n'
        "long jump,cdefghijk12,0,0.3,validate,0\n"
        ",dddddddddd1,0,10,test,0\n"
    )
    return FakeDataset(
        data=put_text(root / "kinetics.csv", text),
        layout="kinetics",
        num_items=3,
        class_names=("eating, slowly", "long jump"),
        listed=root / "clips" / "bcdefghijk1_000010_000020.mp4",
        splits=frozenset({"train", "val"}),
    )
