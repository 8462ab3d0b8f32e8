"""MSR-VTT's JSON, whose times are those of the source, and videos in a folder."""

from pathlib import Path

from tests.fakes.captions import FakeCaptions, put_json
from tests.fakes.dataset import put_video


def build(root: Path) -> FakeCaptions:
    for number in range(3):
        put_video(root / "TrainValVideo" / f"video{number}.mp4", number)
    document = {
        "info": {},
        "videos": [
            {"video_id": f"video{n}", "start time": 137.7, "end time": 149.4, "split": split}
            for n, split in enumerate(("train", "train", "validate"))
        ],
        "sentences": [
            {"caption": "a cartoon", "video_id": "video0", "sen_id": 0},
            {"caption": "köpek", "video_id": "video2", "sen_id": 1},
            {"caption": "a car", "video_id": "video1", "sen_id": 2},
            {"caption": "a film", "video_id": "video0", "sen_id": 3},
        ],
    }
    return FakeCaptions(
        data=put_json(root / "train_val_videodatainfo.json", document),
        layout="msrvtt",
        media="video",
        captions={
            "video0": ("a cartoon", "a film"),
            "video1": ("a car",),
            "video2": ("köpek",),
        },
        splits={"video0": "train", "video1": "train", "video2": "val"},
        official=True,
        listed=root / "TrainValVideo" / "video1.mp4",
    )
