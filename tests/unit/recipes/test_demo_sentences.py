"""The demo's captioner on a few pictures: it runs, is measured by what is true, and is shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lrcn.data.motion import make_motion
from lrcn.data.motion_config import MotionConfig
from lrcn.evaluate.caption_results import newest_caption_results
from lrcn.recipes.demo_sentences import Place, describe_clips, describe_pictures
from lrcn.recipes.motion import lrcn
from lrcn.train.run import load_any_experiment

PLACE = Place(device="cpu", threads=1, precision="float32", seed=1, quiet=True)


def test_render_train_measure_and_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = describe_pictures(tmp_path, PLACE, num_train=64, num_epochs=1)

    assert 0 <= results.metrics["accuracy_exact"] <= 1
    assert len(results.captions) == 200
    assert newest_caption_results(tmp_path / "captioner") is not None
    page = (tmp_path / "captions.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg") >= 20
    shown = capsys.readouterr().out
    assert "exactly true: " in shown
    assert results.captions[0].references[0].split()[-1] in shown


@pytest.mark.slow
def test_a_recogniser_starts_a_captioner_of_clips(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world, recogniser = tmp_path / "world", tmp_path / "lrcn"
    make_motion(world, MotionConfig(), num_train=16, num_val=8, num_test=8)
    base = lrcn()
    quick = replace(base.train, epochs=1)
    PLACE.train(replace(base, train=quick), world, recogniser)

    results = describe_clips(tmp_path, recogniser, world, PLACE, num_epochs=1)

    assert len(results.captions) == 8
    assert 0 <= results.metrics["accuracy_exact"] <= 1
    started = load_any_experiment(tmp_path / "clip_captioner")
    assert started.init == str(recogniser)
    assert (tmp_path / "clips.html").read_text(encoding="utf-8").count("data:image/jpeg") >= 8
    assert "exactly true: " in capsys.readouterr().out
