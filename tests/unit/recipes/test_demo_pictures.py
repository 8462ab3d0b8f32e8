"""The demo's captioner on a few pictures: it runs, is measured by what is true, and is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrcn.evaluate.caption_results import newest_caption_results
from lrcn.recipes.demo_pictures import describe_pictures


def test_render_train_measure_and_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = describe_pictures(
        tmp_path,
        device="cpu",
        threads=1,
        precision="float32",
        seed=1,
        quiet=True,
        num_train=64,
        num_epochs=1,
    )

    assert 0 <= results.metrics["accuracy_exact"] <= 1
    assert len(results.captions) == 200
    assert newest_caption_results(tmp_path / "captioner") is not None
    page = (tmp_path / "captions.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg") >= 20
    shown = capsys.readouterr().out
    assert "exactly true: " in shown
    assert results.captions[0].references[0].split()[-1] in shown
