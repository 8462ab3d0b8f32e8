"""`data check` tells of frames that repeat the one before, and of blank flow images."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fakes.flow import sliding_frames

from lrcn.data.inspect import inspect
from lrcn.video.frames import write_picture
from lrcn.video.writer import VideoWriter


def _video(path: Path, places: list[int]) -> None:
    frames = sliding_frames(max(places) + 1, 1.0, 0.5)
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, fps=30, width=64, height=48, codec="ffv1") as writer:
        for place in places:
            writer.write(frames[place])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video whose every sixth frame is a copy, one with a single copy, one without."""
    root = tmp_path_factory.mktemp("repeats")
    _video(root / "a" / "thirty.mkv", [t - t // 6 for t in range(36)])
    _video(root / "a" / "once.mkv", [*range(20), 19, *range(20, 40)])
    _video(root / "b" / "good.mkv", list(range(30)))
    return root


def test_videos_with_repeated_frames_are_named(data: Path) -> None:
    found = inspect(data, threads=1)

    assert [Path(r.path).name for r in found.repeating] == ["thirty.mkv"]
    assert found.to_dict()["repeating"] == [
        {
            "path": str(data / "a" / "thirty.mkv"),
            "num_frames": 36,
            "num_repeated": 5,
            "every": 6,
        }
    ]
    text = str(found)
    assert "repeated frames (without motion: blank flow): 1" in text
    assert "5 of 36 frames repeat the one before, one in 6" in text
    # They can be used: a clean list has them.
    assert found.num_problems == 0
    assert not found.left_out()


def test_blank_flow_images_of_the_original_code_are_named(tmp_path: Path) -> None:
    moving = sliding_frames(12, 3.0, 1.0)
    for name, blank in (("v_x", (3, 8)), ("v_y", ())):
        folder = tmp_path / "a" / name
        folder.mkdir(parents=True)
        for number in range(2, 12):
            image = moving[number].copy()
            image[...] = 128 if number in blank else image
            write_picture(folder / f"flow_image_{name}.{number:04}.jpg", image, quality=90)

    found = inspect(tmp_path, threads=1)

    assert [(Path(r.path).name, r.num_blank) for r in found.blank] == [("v_x", 2)]
    assert found.repeating == ()
    assert found.to_dict()["blank_flow"][0]["num_blank"] == 2
    assert "2 of 10 show no motion" in str(found)
