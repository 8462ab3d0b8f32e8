"""JSON lines about intervals of videos, with lists of captions and own ids."""

from pathlib import Path

from tests.fakes.captions import FakeCaptions
from tests.fakes.dataset import put_text, put_video


def build(root: Path) -> FakeCaptions:
    put_video(root / "a.mp4", 0)
    put_video(root / "ö.mp4", 1)
    lines = (
        '{"path": "a.mp4", "captions": ["Ein Mann läuft.", "Er läuft."], "end": 0.2}\n'
        '{"path": "a.mp4", "captions": "Er springt.", "start_seconds": 0.2, "end": 0.4}\n'
        "\n"
        '{"path": "./ö.mp4", "captions": ["", "Sie winkt."]}\n'
    )
    return FakeCaptions(
        data=put_text(root / "list.jsonl", lines),
        layout="jsonl",
        media="video",
        captions={
            "a.mp4#0-0.2": ("Ein Mann läuft.", "Er läuft."),
            "a.mp4#0.2-0.4": ("Er springt.",),
            "ö.mp4": ("Sie winkt.",),
        },
        listed=root / "ö.mp4",
    )
