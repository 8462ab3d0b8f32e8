"""`lrcn caption`: photos of every kind, lists, n-best, results for a server; what is refused."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.fakes.command_line import Run
from tests.fakes.tiny import tiny_saved
from tests.fakes.tiny_captioner import picture, tiny_captioner, write_odd_pictures

from lrcn.checkpoint import save_model

FAST = ("--threads", "1", "--precision", "float32")


class Place(NamedTuple):
    model: Path
    photos: Path
    good: list[str]
    bad: list[str]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    root = tmp_path_factory.mktemp("caption")
    save_model(root / "model", tiny_captioner())
    good, bad = write_odd_pictures(root / "photos")
    return Place(root / "model", root / "photos", good, bad)


def test_a_folder_of_odd_photos(lrcn: Run, place: Place) -> None:
    code, out, err = lrcn("caption", place.model, place.photos, "--json", *FAST)

    assert code == 1
    found = {str(Path(entry["path"]).relative_to(place.photos)): entry for entry in json.loads(out)}
    assert sorted(name for name, entry in found.items() if "error" not in entry) == place.good
    assert sorted(name for name, entry in found.items() if "error" in entry) == place.bad
    for name in place.good:
        entry = found[name]
        assert entry["caption"]
        assert entry["captions"][0]["caption"] == entry["caption"]
        assert entry["log_prob"] < 0
        assert entry["item_id"] == Path(name).stem
    assert found["palette.png"]["caption"] == found["alpha.png"]["caption"]
    assert "pixels" in found["bomb.png"]["error"]
    assert "4 of 12 failed" in err
    assert "not read, no image by its name" in err
    assert "notes.txt" in err


def test_text_is_a_line_a_photo_and_faults_go_to_stderr(lrcn: Run, place: Place) -> None:
    pattern = str(place.photos / "*.png")
    code, out, err = lrcn("caption", place.model, pattern, "nowhere.jpg", "--quiet", *FAST)

    assert code == 1
    lines = [line.split(": ", 1) for line in out.splitlines()]
    assert [Path(path).name for path, _ in lines] == [
        "alpha.png",
        "deep16.png",
        "grey.png",
        "palette.png",
    ]
    assert all(text for _, text in lines)
    assert "nowhere.jpg" in err
    assert "3 of 7 failed" in err


def test_n_best_csv_and_a_list_on_stdin(
    lrcn: Run, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = f"{place.photos / 'grey.png'}\n\n{place.photos / 'deep'}\n{place.photos / 'cut.jpg'}\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(listed))
    code, out, _ = lrcn("caption", place.model, "-", "--csv", "--n-best", "2", "--quiet", *FAST)

    assert code == 1
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [Path(row["path"]).name for row in rows] == [
        "grey.png",
        "moving.gif",
        "moving.webp",
        "cut.jpg",
    ]
    assert all(float(row["score"]) >= float(row["score_2"]) for row in rows[:3])
    assert all(row["caption"] != row["caption_2"] for row in rows[:3])
    assert rows[3]["caption"] == ""
    assert "replace it" in rows[3]["error"]


def test_coco_results_for_a_server(lrcn: Run, place: Place, tmp_path: Path) -> None:
    names = ["COCO_test2014_000000000041.jpg", "COCO_test2014_000000000007.jpg"]
    for seed, name in enumerate(names):
        picture(seed).save(tmp_path / name)
    (tmp_path / "COCO_test2014_000000000099.jpg").write_bytes(b"")
    out = tmp_path / "results" / "captions.json"
    command = ("caption", place.model, tmp_path, "--coco-results", out, "--quiet", *FAST)
    code, shown, _ = lrcn(*command)

    assert code == 1
    said = dict(line.split(": ", 1) for line in shown.splitlines())
    assert json.loads(out.read_text()) == [
        {"image_id": 7, "caption": said[str(tmp_path / names[1])]},
        {"image_id": 41, "caption": said[str(tmp_path / names[0])]},
    ]
    code, _, err = lrcn(*command)
    assert code == 2
    assert "--overwrite" in err
    listed = tmp_path / "images.json"
    listed.write_text(json.dumps({"images": [{"file_name": names[0], "id": 5}]}))
    photo = tmp_path / names[0]
    code, _, _ = lrcn(
        "caption", place.model, photo, "--coco-results", out, "--overwrite", "--image-ids", listed,
        "--quiet", *FAST,
    )  # fmt: skip
    assert code == 0
    assert json.loads(out.read_text())[0]["image_id"] == 5


def test_the_search_is_chosen(lrcn: Run, place: Place) -> None:
    photo = place.photos / "grey.png"

    def said(*flags: str) -> str:
        code, out, err = lrcn("caption", place.model, photo, "--quiet", *FAST, *flags)
        assert code == 0, err
        return out.removeprefix(f"{photo}: ").rstrip("\n")

    assert "blue" in said("--force-word", "blue").split()
    assert len(said("--max-tokens", "3").split()) <= 3
    drawn = ("--method", "sample", "--num-samples", "3", "--seed", "5")
    assert said(*drawn) == said(*drawn)
    assert said("--decoder", "greedy")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--n-bets", "2"), "Did you mean --n-best?"),
        (("--n-best", "9"), "raise beam_size"),
        (("--json", "--csv"), "exclude each other"),
        (("--force-word", "dogg"), "Did you mean 'dog'?"),
        (("--force-word", "<unk>"), "'<unk>', so it cannot say it. Words that"),
        (("--method", "greedy", "--beam-size", "3"), "no effect with method greedy: leave it out"),
        (("--min-tokens", "9", "--max-tokens", "5"), "must be below max_tokens"),
        (
            ("--force-word", "blue", "--force-word", "dog", "--max-tokens", "1"),
            "2 forced words are more than",
        ),
        (("--decoder", "greedi"), "Did you mean 'greedy'?"),
        (("--batch-size", "0"), "1 or more"),
        (("--image-ids", "x.json"), "goes with --coco-results"),
    ],
)
def test_wrong_usage_is_exit_code_2_in_one_line(
    lrcn: Run, place: Place, flags: tuple[str, ...], message: str
) -> None:
    code, out, err = lrcn("caption", place.model, place.photos / "grey.png", *flags)

    assert code == 2
    assert out == ""
    assert message in err
    assert err.count("\n") == 1


def test_the_other_kind_of_model_names_the_right_command(
    lrcn: Run, place: Place, tmp_path: Path
) -> None:
    code, _, err = lrcn("predict", place.model, place.photos / "grey.png")
    assert code == 2
    assert "`lrcn caption`" in err
    save_model(tmp_path / "recogniser", tiny_saved())
    code, _, err = lrcn("caption", tmp_path / "recogniser", place.photos / "grey.png")
    assert code == 2
    assert "`lrcn predict`" in err
    save_model(tmp_path / "words", tiny_captioner(backbone="none", visual="none"))
    code, _, err = lrcn("caption", tmp_path / "words", place.photos / "grey.png")
    assert code == 2
    assert "sees no picture" in err


def test_nothing_to_describe(lrcn: Run, place: Place, tmp_path: Path) -> None:
    assert lrcn("caption", place.model)[0] == 2
    code, out, _ = lrcn("caption", place.model, tmp_path, "--json", "--quiet", *FAST)
    assert code == 1
    assert "holds no photo" in json.loads(out)[0]["error"]
