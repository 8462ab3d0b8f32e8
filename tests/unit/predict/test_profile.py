"""The profile measures every part on the same frames."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fakes.tiny import CLASSES, FEATURE_DIM, moving_frames, tiny_saved

from lrcn.checkpoint import SavedModel
from lrcn.errors import ModelError
from lrcn.models.activity import ActivityConfig, create_model
from lrcn.predict.profile import PLAIN, WHOLE, profile
from lrcn.video.sampling import SamplingConfig
from lrcn.video.writer import VideoWriter


def test_every_part_is_measured_on_the_first_frames(tmp_path: Path) -> None:
    for name, num_frames in (("a", 9), ("b", 30)):
        with VideoWriter(
            tmp_path / f"{name}.mkv", fps=10, width=30, height=20, codec="ffv1"
        ) as out:
            for frame in moving_frames(num_frames):
                out.write(frame)
    found = profile(tiny_saved(), [tmp_path / "a.mkv", tmp_path / "b.mkv"], rounds=1, max_frames=20)
    assert (found.num_videos, found.num_frames) == (2, 29)
    assert [row.part for row in found.parts] == ["decode", "resize", "CNN", "LSTM", WHOLE, PLAIN]
    for row in found.parts:
        assert row.frames_per_second == pytest.approx(1000 / row.ms_per_frame)
    ratios = [row.speed_ratio for row in found.parts]
    assert ratios[:4] == [None] * 4
    assert ratios[5] == 1.0
    assert ratios[4] == pytest.approx(
        found.parts[4].frames_per_second / found.parts[5].frames_per_second
    )
    assert "float32" in found.engine or "bfloat16" in found.engine


def test_a_model_of_features_has_nothing_to_measure() -> None:
    config = ActivityConfig(backbone="none", feature_dim=FEATURE_DIM)
    saved = SavedModel(create_model(config, CLASSES), SamplingConfig())
    with pytest.raises(ModelError, match="no CNN"):
        profile(saved, [])
