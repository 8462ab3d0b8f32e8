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


def _ranked(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, dict, str]:
    import json

    code = main([*words, "--json", "--threads", "1", "--precision", "float32"])
    shown = capsys.readouterr()
    return code, json.loads(shown.out) if shown.out else {}, shown.err


def test_an_index_spares_the_cnn_and_follows_the_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    save_model(tmp_path / "model", tiny_captioner())
    photos, index = tmp_path / "photos", tmp_path / "photos.index"
    photos.mkdir()
    for seed in range(4):
        picture(seed).save(photos / f"{seed}.png")
    start = ["retrieve", str(tmp_path / "model"), "a red dog", "--index", str(index)]
    words = [*start, "--images", str(photos)]
    code, first, err = _ranked(words, capsys)
    assert (code, first["num_photos"]) == (0, 4)
    assert "0 photos known, 4 new" in err
    written = index.read_bytes()

    def no_cnn(self: object) -> None:
        raise AssertionError("the CNN is not needed for known photos")

    with monkeypatch.context() as patched:
        patched.setattr("lrcn.predict.describe.fast_backbone", no_cnn)
        (photos / "0.png").rename(photos / "moved.png")  # the same bytes at another place
        _, again, err = _ranked(words, capsys)
        assert "4 photos known, 0 new" in err
        by_path = {m["path"]: m["log_prob"] for m in again["matches"]}
        assert by_path.pop(str(photos / "moved.png")) in {m["log_prob"] for m in first["matches"]}
        assert by_path.items() <= {m["path"]: m["log_prob"] for m in first["matches"]}.items()
        _, alone, _ = _ranked(start, capsys)  # without the folder
        assert alone["matches"] == again["matches"]
    assert index.read_bytes() != written

    picture(9).save(photos / "1.png")  # replaced
    (photos / "2.png").unlink()
    _, changed, err = _ranked(words, capsys)
    assert "2 photos known, 1 new" in err
    paths = {m["path"] for m in changed["matches"]}
    assert paths == {str(photos / name) for name in ("1.png", "3.png", "moved.png")}
    fresh = _ranked([*start[:3], "--images", str(photos)], capsys)[1]
    assert changed["matches"] == fresh["matches"]
    assert [one for one in tmp_path.iterdir() if one.suffix == ".tmp"] == []


def test_an_index_of_another_model_or_kind_is_refused(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = tmp_path / "photos.index"
    save_model(tmp_path / "model", tiny_captioner())
    start = ["retrieve", str(tmp_path / "model"), "a dog", "--index", str(index)]
    code, _, err = _ranked(start, capsys)
    assert code == 2
    assert "add --images" in err
    assert _ranked([*start, "--images", str(photos / "0.png")], capsys)[0] == 0

    other = tiny_captioner()
    other.model.predictor.bias.data += 1
    save_model(tmp_path / "other", other)
    start[1] = str(tmp_path / "other")
    code, _, err = _ranked([*start, "--images", str(photos / "0.png")], capsys)
    assert code == 2
    assert "another model" in err
    assert err.count("\n") == 1
    assert _ranked([*start, "--images", str(photos / "0.png"), "--overwrite"], capsys)[0] == 0

    good = index.read_bytes()
    for damaged in (b"", b"prose, no index", good[:-3], good[:-4] + bytes(4)):
        index.write_bytes(damaged)
        code, _, err = _ranked([*start, "--images", str(photos), "--overwrite"], capsys)
        assert code == 2, damaged
        assert str(index) in err
        assert index.read_bytes() == damaged  # what is no index of ours is never replaced
