"""Flow on the command line: stored, shown, trained on, measured, predicted with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.fakes.flow import sliding_frames
from tests.fakes.worlds import write_pixel_world

from lrcn.checkpoint import load_model, weights_hash
from lrcn.cli.main import main
from lrcn.video.frames import write_picture


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight short videos in two class folders."""
    return write_pixel_world(tmp_path_factory.mktemp("clips"))


def test_flow_of_a_data_set(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "flow"

    assert main(["flow", str(clips), str(out), "--json", "--quiet"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert (first["num_made"], first["num_kept"], first["num_images"]) == (8, 0, 88)
    assert first["storage"]["flow"]["scale"] == 16.0

    assert main(["flow", str(clips), str(out)]) == 0
    shown = capsys.readouterr()
    assert "flow images of 0 videos" in shown.out
    assert "8 were there" in shown.out

    assert main(["flow", str(clips), str(out), "--scale", "8", "--format", "ffv1"]) == 0
    shown = capsys.readouterr()
    assert "made again: left/" in shown.err
    assert "and 3 more" in shown.err
    same = ["flow", str(clips), str(out), "--scale", "8", "--format", "ffv1"]
    assert main([*same, "--overwrite"]) == 0
    shown = capsys.readouterr()
    assert "flow images of 8 videos" in shown.out
    assert "0 were there" in shown.out


def test_a_broken_video_is_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_pixel_world(tmp_path / "data", num_videos=2)
    (data / "left" / "broken.avi").write_bytes(b"no video")

    assert main(["flow", str(data), str(tmp_path / "flow")]) == 1

    shown = capsys.readouterr()
    assert "flow images of 2 videos" in shown.out
    assert "broken.avi" in shown.err


def test_show_two_frames_and_a_video(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = sliding_frames(2, 3.0, 0.0, height=60, width=80)
    for name, frame in zip("ab", frames, strict=True):
        write_picture(tmp_path / f"{name}.png", frame)
    out = tmp_path / "sheet.png"
    two = ["flow", "--show", str(tmp_path / "a.png"), str(tmp_path / "b.png"), "--out", str(out)]

    assert main([*two, "--json"]) == 0

    about = json.loads(capsys.readouterr().out)
    assert about["mean_px"] == pytest.approx(3.0, abs=0.3)
    sheet = np.asarray(Image.open(out))
    assert sheet.shape == (124, 164, 3)
    assert np.array_equal(sheet[:60, :80], frames[0])
    assert np.array_equal(sheet[:60, 84:], frames[1])
    colours, image = sheet[64:, :80], sheet[64:, 84:]
    assert np.median(image[20:40, 20:60, 0]) == pytest.approx(128 + 48, abs=3)
    # To the right is red.
    assert (np.median(colours[20:, 20:60].reshape(-1, 3), axis=0) > 200).tolist() == [1, 0, 0]

    assert main(two) == 2
    assert "--overwrite" in capsys.readouterr().err
    video = sorted(clips.rglob("*.mkv"))[0]
    assert main(["flow", "--show", str(video), "--out", str(tmp_path / "v.png"), "--at", "0"]) == 0
    assert "at 0.04 seconds" in capsys.readouterr().out
    for at in ("99", "-1", "nan"):
        assert (
            main(["flow", "--show", str(video), "--out", str(tmp_path / "x.png"), "--at", at]) == 2
        )
        assert "choose a time among them" in capsys.readouterr().err


@pytest.mark.parametrize("file_format", ["png", "ffv1"])
def test_show_stored_flow(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], file_format: str
) -> None:
    stored, video = tmp_path / "flow", sorted(clips.rglob("*.mkv"))[0]
    make = ["flow", str(video), str(stored), "--scale", "20", "--format", file_format, "--quiet"]
    assert main(make) == 0
    out, live = tmp_path / "stored.png", tmp_path / "live.png"
    flow = next(stored.glob(f"{video.stem}*"))
    capsys.readouterr()

    assert main(["flow", "--show", str(flow), "--at", "0.2", "--out", str(out), "--json"]) == 0

    about = json.loads(capsys.readouterr().out)
    show = ["flow", "--show", str(video), "--at", "0.2", "--out", str(live), "--json"]
    assert main([*show, "--scale", "20"]) == 0
    computed = json.loads(capsys.readouterr().out)
    assert about["seconds"] == pytest.approx(computed["seconds"])
    assert about["method"] == "dis_medium"
    assert about["mean_px"] == pytest.approx(computed["mean_px"], abs=0.5 / 20)
    # The sheet of a video has both frames above, and a gap.
    sheet, whole = np.asarray(Image.open(out)), np.asarray(Image.open(live))
    height, width = sheet.shape[:2]
    assert whole.shape == (2 * height + 4, width, 3)
    assert np.array_equal(sheet[:, width // 2 + 2 :], whole[-height:, width // 2 + 2 :])

    assert main(["flow", "--show", str(flow), str(video), "--out", str(live), "--overwrite"]) == 2
    assert "holds flow already" in capsys.readouterr().err


def test_show_frames_of_one_pixel(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / "one").mkdir(exist_ok=True)
        write_picture(tmp_path / "one" / f"{number}.png", np.zeros((1, 1, 3), np.uint8))

    assert main(["flow", "--show", str(tmp_path / "one"), "--out", str(tmp_path / "x.png")]) == 0

    assert np.asarray(Image.open(tmp_path / "x.png")).shape == (6, 6, 3)


def test_a_sheet_that_cannot_be_written_is_told(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    video = sorted(clips.rglob("*.mkv"))[0]

    assert main(["flow", "--show", str(video), "--out", str(tmp_path / "file" / "x.png")]) == 2

    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["only-data"], "OUT is missing"),
        (["a", "b", "c"], "3 paths are too many"),
        (["a", "b", "--out", "c.png"], "--show"),
        (["--show", "a.png"], "--out is missing"),
        (["--show", "a.png", "--out", "b.txt"], "--out is b.txt; with --show it names the .png"),
        (["--show", "a", "b", "c", "--out", "d.png"], "not 3 paths"),
        (["a", "b", "--quality", "0"], "1 to 100"),
        (["a", "b", "--scale", "-1"], "flow.scale"),
        (["a", "b", "--method", "dis_mediun"], "dis_mediun"),
    ],
)
def test_wrong_usage_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["flow", *arguments]) == 2

    shown = capsys.readouterr()
    assert shown.err.count("\n") == 1
    assert message in shown.err


SMALL = (
    "--backbone small --model.input-px 32 --model.hidden-size 8 --model.kind single_frame"
    " --batch-size 4 --clip-length 8 --threads 1 --quiet"
    " --precision float32"
)


def _train(data: Path, run: Path, *options: str, epochs: int = 2, unfreeze_at: str = "0") -> int:
    options = (*options, "--epochs", str(epochs), "--train.unfreeze-at", unfreeze_at)
    return main(["train", "--data", str(data), "--out", str(run), *SMALL.split(), *options])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, clips: Path) -> Path:
    """A run of two joint epochs on computed flow. Tests read it only."""
    run = tmp_path_factory.mktemp("runs") / "flow"
    assert _train(clips, run, "--modality", "flow") == 0
    return run


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, clips: Path) -> Path:
    """The flow images of the clips, without loss."""
    out = tmp_path_factory.mktemp("stored") / "flow"
    assert main(["flow", str(clips), str(out), "--format", "ffv1", "--quiet"]) == 0
    return out


def test_the_model_folder_says_what_the_model_sees(trained: Path) -> None:
    own = load_model(trained).model.preprocessing

    assert own is not None
    assert (own.modality, own.flow.method, own.pixel_mean) == ("flow", "dis_medium", (128.0,) * 3)
    config = json.loads((trained / "best" / "config.json").read_text("utf-8"))
    assert config["preprocessing"]["modality"] == "flow"


def test_stored_and_computed_flow_train_the_same_model(
    trained: Path, stored: Path, clips: Path, tmp_path: Path
) -> None:
    assert _train(stored, tmp_path / "run", "--modality", "flow") == 0

    # Decoding every clip anew, in place of kept frames.
    assert _train(clips, tmp_path / "2", "--modality", "flow", "--dataset.cache", "none") == 0
    runs = (trained, tmp_path / "run", tmp_path / "2")
    assert len({weights_hash(load_model(run / "last").model) for run in runs}) == 1


@pytest.mark.parametrize("crops", ["1", "10"])
def test_stored_and_computed_flow_are_measured_and_predicted_alike(
    trained: Path, stored: Path, clips: Path, crops: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    for data in (clips, stored):
        options = ["--split", "all", "--allow-leaks", "--crops", crops, "--json", "--quiet"]
        assert main(["evaluate", str(trained), "--data", str(data), *options]) == 0
        results = json.loads(capsys.readouterr().out)
        assert main(["predict", str(trained), str(data), "--crops", crops, "--json"]) == 0
        predictions = json.loads(capsys.readouterr().out)
        probs = [p["prob"] for p in predictions]
        found.append((results["accuracy_top1"], [v["probs"] for v in results["videos"]], probs))

    assert found[0] == found[1]


def test_a_frozen_net_on_flow_features(clips: Path, stored: Path, tmp_path: Path) -> None:
    hashes = set()
    assert _train(clips, tmp_path / "a", "--modality", "flow") == 0
    for name, data in (("b", stored), ("c", clips)):
        start = ["--modality", "flow", "--init", str(tmp_path / "a")]
        assert _train(data, tmp_path / name, *start, unfreeze_at="none") == 0
        hashes.add(weights_hash(load_model(tmp_path / name / "last").model))

    assert len(hashes) == 1


def test_a_flow_net_starts_from_an_rgb_net_and_brings_its_modality_along(
    clips: Path, tmp_path: Path
) -> None:
    assert _train(clips, tmp_path / "rgb") == 0
    start = ["--init", str(tmp_path / "rgb"), "--train.lr", "1e-12"]
    assert _train(clips, tmp_path / "flow", "--modality", "flow", *start, epochs=1) == 0
    assert _train(clips, tmp_path / "again", "--init", str(tmp_path / "flow")) == 0

    rgb, flow, again = (
        load_model(tmp_path / name / "last").model for name in ("rgb", "flow", "again")
    )
    for name in ("convs.0.0.weight", "spots.weight"):
        before = dict(rgb.backbone.named_parameters())[name]
        after = dict(flow.backbone.named_parameters())[name]
        assert (before - after).abs().max() < 1e-6
    assert rgb.preprocessing.modality == "rgb"
    assert flow.preprocessing.pixel_mean == (128.0,) * 3
    assert again.preprocessing == flow.preprocessing


def test_what_does_not_fit_is_refused(
    trained: Path, stored: Path, clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _train(stored, tmp_path / "1") == 2
    assert "--modality flow" in capsys.readouterr().err
    assert _train(stored, tmp_path / "1", "--modality", "flow", "--flow", "computed") == 2
    assert "already" in capsys.readouterr().err
    assert _train(clips, tmp_path / "1", "--flow", "stored") == 2
    assert "dataset.modality flow" in capsys.readouterr().err
    jitter = ["--modality", "flow", "--dataset.transform.hue", "0.1"]
    assert _train(clips, tmp_path / "1", *jitter) == 2
    assert "hue" in capsys.readouterr().err
    assert _train(stored, tmp_path / "1", "--modality", "flow", "--dataset.flow.scale", "8") == 2
    assert "scale 16.0 where" in capsys.readouterr().err
    assert not (tmp_path / "1").exists()
    other = tmp_path / "other"
    assert main(["flow", str(clips), str(other), "--scale", "8", "--quiet"]) == 0
    everything = ["--split", "all", "--allow-leaks"]
    assert main(["evaluate", str(trained), "--data", str(other), *everything]) == 2
    assert "scale 8.0 where the model has 16.0" in capsys.readouterr().err
    assert main(["predict", str(trained), str(other)]) == 1
    assert "scale 8.0" in capsys.readouterr().err


def test_settings_of_stored_flow_go_into_the_model(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "flow"
    settings = ["--scale", "20", "--method", "dis_fast", "--format", "jpeg", "--quality", "90"]
    assert main(["flow", str(clips), str(out), *settings, "--quiet"]) == 0

    assert _train(out, tmp_path / "run", "--modality", "flow") == 0

    own = load_model(tmp_path / "run").model.preprocessing
    assert own is not None
    assert (own.flow.scale, own.flow.method) == (20.0, "dis_fast")
    text = (tmp_path / "run" / "experiment.yaml").read_text("utf-8")
    assert "method: dis_fast" in text
    capsys.readouterr()
    assert main(["train", "--out", str(tmp_path / "run"), "--resume", "--quiet"]) == 0
