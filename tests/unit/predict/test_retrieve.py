"""A sentence ranks photos as its log-probability for each does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.fakes.tiny_captioner import picture, tiny_captioner

from lrcn.checkpoint import save_model
from lrcn.cli.main import main
from lrcn.errors import ConfigError, DataError
from lrcn.predict.retrieve import Retriever


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for seed in range(5):
        picture(seed).save(folder / f"{seed}.png")
    (folder / "broken.jpg").write_text("no photo")
    return folder


def test_a_photos_own_log_prob_ranks_it(photos: Path) -> None:
    paths = [str(photos / f"{seed}.png") for seed in range(5)]
    retriever = Retriever(tiny_captioner(), precision="float32", batch_size=2)
    assert [one.path for one in retriever.add([*paths, str(photos / "broken.jpg")])] == [
        str(photos / "broken.jpg")
    ]
    matches = retriever("a dog runs")
    assert sorted(match.path for match in matches) == paths
    assert [match.rank for match in matches] == [1, 2, 3, 4, 5]
    log_probs = np.array([match.log_prob for match in matches])
    assert (np.diff(log_probs) <= 0).all()
    assert np.ptp(log_probs) > 1e-3
    assert np.mean(np.exp([match.score for match in matches])) == pytest.approx(1)

    for match in matches:
        alone = Retriever(tiny_captioner(), precision="float32")
        alone.add([match.path])
        assert alone("a dog runs")[0].log_prob == pytest.approx(match.log_prob, abs=1e-4)
    assert retriever("a dog runs", count_eos=True)[0].log_prob < log_probs.max()
    assert retriever.unknown_words("a zebra runs") == 1


def test_nothing_to_look_for_or_in() -> None:
    retriever = Retriever(tiny_captioner())
    with pytest.raises(ConfigError, match="no word"):
        retriever(" . ")
    with pytest.raises(DataError, match="no photo"):
        retriever("a dog")


def test_the_command(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import json

    save_model(tmp_path / "model", tiny_captioner())
    words = ["retrieve", str(tmp_path / "model"), "--images", str(photos), "a red dog"]
    assert main([*words, "--json", "--top-k", "3"]) == 1  # one is broken
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert [match["rank"] for match in found["matches"]] == [1, 2, 3]
    assert found["num_photos"] == 5
    assert "broken.jpg" in shown.err
    assert main(words[:-1]) == 2
    assert main([*words[:2], "a dog"]) == 2
