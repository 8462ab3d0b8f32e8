"""The paper's lists of single frames: a line per picture, labels from 0, folders flat."""

from pathlib import Path

from tests.fakes.dataset import FakeDataset, put_frames, put_text

NAMES = {
    "v_Archery_g01_c01": 0,
    "v_HandStandPushups_g09_c01": 36,
    "v_Zumbä_g08_c01": 100,
    "v_Archery_g08_c01": 0,
}


def build(root: Path) -> FakeDataset:
    for number, name in enumerate(NAMES):
        put_frames(root / "frames" / name, number, pattern=name + ".{:04d}.jpg")
    lines = [
        f"{name}/{name}.{k:04d}.jpg {label}\n" for name, label in NAMES.items() for k in (1, 2, 3)
    ]
    put_text(root / "ucf101_singleFrame_RGB_train_split1.txt", "".join(lines[:9]))
    put_text(root / "ucf101_singleFrame_RGB_test_split1.txt", "".join(lines[9:]))
    return FakeDataset(
        data=root,
        layout="paper_images",
        num_items=4,
        class_names=("Archery", "HandstandPushups", "Zumbä"),
        listed=root / "frames" / "v_Archery_g01_c01",
        splits=frozenset({"train", "test"}),
    )
