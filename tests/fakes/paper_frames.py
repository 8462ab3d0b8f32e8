"""The paper's files: flat folders of frames from 1 on, lists without extensions, labels from 0."""

from pathlib import Path

from tests.fakes.dataset import FakeDataset, put_frames, put_text


def build(root: Path) -> FakeDataset:
    names = [
        "v_Archery_g01_c01",
        "v_Archery_g08_c01",
        "v_HandStandPushups_g09_c01",
        "v_Zumbä_g8_c1",
    ]
    for number, name in enumerate(names):
        put_frames(root / "frames" / name, number, pattern=name + ".{:04d}.jpg")
    train = f"Archery/{names[1]} 0\nHandstandPushups/{names[2]} 36\nAerobics/{names[3]} 100\n"
    put_text(root / "ucf101_split1_trainVideos.txt", train)
    put_text(root / "ucf101_split1_testVideos.txt", f"Archery/{names[0]} 0\n")
    return FakeDataset(
        data=root,
        layout="paper_frames",
        num_items=4,
        class_names=("Archery", "HandstandPushups", "Aerobics"),
        listed=root / "frames" / names[1],
        splits=frozenset({"train", "test"}),
    )


def add_flow(root: Path) -> Path:
    """Flow images beside the frames of the fake: from 0002 on, one fewer."""
    for number, folder in enumerate(sorted((root / "frames").iterdir())):
        flow = root / "flow_images" / folder.name
        put_frames(flow, number, pattern=f"flow_image_{folder.name}.{{:04d}}.jpg")
        (flow / f"flow_image_{folder.name}.0001.jpg").unlink()
    return root / "flow_images"
