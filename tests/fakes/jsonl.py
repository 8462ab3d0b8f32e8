"""JSON lines with intervals of one video, several labels, and paths with "..": multi-label."""

from pathlib import Path

from tests.fakes.dataset import FakeDataset, put_text, put_video


def build(root: Path) -> FakeDataset:
    put_video(root / "videos" / "größe.mp4", 0)
    put_video(root / "videos" / "b.mp4", 1)
    lines = (
        '{"video": "../videos/größe.mp4", "labels": ["run", "jump"], "start": 0, "end": 0.2}\n'
        '{"video": "../videos/größe.mp4", "labels": [], "start": 0.2, "end": 0.4}\n'
        "\n"
        '{"video": "../videos/b.mp4", "labels": "run; walk"}\n'
    )
    return FakeDataset(
        data=put_text(root / "lists" / "all.jsonl", lines),
        layout="jsonl",
        num_items=3,
        class_names=("jump", "run", "walk"),
        listed=root / "videos" / "b.mp4",
    )
