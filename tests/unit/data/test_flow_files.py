"""Stored flow: equal to computed flow, made once, whole or not at all, and a data set again."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.fakes.flow import sliding_frames

from lrcn.data.datasets import read_dataset
from lrcn.data.flow_files import FlowSummary, make_flow
from lrcn.data.flow_manifest import MANIFEST_NAME, FlowStorage, read_manifest
from lrcn.data.flow_plan import plan_flow
from lrcn.data.modality import open_pictures
from lrcn.errors import ConfigError, DataError, OutputError
from lrcn.structures import FlowConfig, Preprocessing
from lrcn.video.flow_video import open_flow
from lrcn.video.frames import FrameFolder, write_picture
from lrcn.video.writer import VideoWriter

FAST = FlowConfig(method="dis_ultrafast")
SEES_FLOW = Preprocessing(input_px=16, modality="flow", flow=FAST)


def _video(path, *, u=1.0, num_frames=6, fps=30):
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, fps=fps, width=64, height=48, codec="ffv1") as writer:
        for frame in sliding_frames(num_frames, u, 0.0):
            writer.write(frame)
    return path


def _frames(folder, *, first=1, num_frames=5):
    folder.mkdir(parents=True)
    for number, frame in enumerate(sliding_frames(num_frames, 0.0, 1.0), first):
        write_picture(folder / f"{folder.name}.{number:04}.png", frame)
    return folder


@pytest.fixture
def data(tmp_path):
    root = tmp_path / "DATA"
    _video(root / "left" / "v_left_g01_c01.mkv", u=-1.0)
    _video(root / "right" / "v_right_g01_c01.mkv", u=1.0)
    _frames(root / "right" / "v_right_g02_c01")
    return root


def _make(data, out, **changes) -> FlowSummary:
    settings = {"flow": FAST, **changes}
    storage = FlowStorage(**settings)
    return make_flow(plan_flow(Path(data), Path(out), storage), Path(out), storage, threads=2)


def _all(video):
    with video:
        return torch.cat([clip.frames_TCHW for clip in video.iterate()])


def _tree(out):
    return sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file())


@pytest.mark.parametrize("file_format", ["png", "ffv1"])
def test_stored_losslessly_is_equal_to_computed(data, tmp_path, file_format):
    out = tmp_path / "OUT"
    summary = _make(data, out, format=file_format)

    videos = read_dataset(out)

    assert (len(summary.made), len(summary.kept), summary.skipped) == (3, 0, ())
    assert videos.class_names == ("left", "right")
    sources = {item.video_id: item.path for item in read_dataset(data).items}
    assert [item.video_id for item in videos.items] == sorted(sources)
    for item in videos.items:
        stored = _all(open_pictures(item.path, SEES_FLOW))
        assert torch.equal(stored, _all(open_flow(sources[item.video_id], FAST)))


def _read(video, **reading):
    """Pixels, indices and times of a source, which is closed."""
    with video:
        clips = list(video.iterate(chunk=4, **reading))
        assert video.frame_range() and len(video.pts_seconds()) == video.count()
    return (
        torch.cat([clip.frames_TCHW for clip in clips]),
        torch.cat([clip.frame_indices_T for clip in clips]).tolist(),
        torch.cat([clip.pts_seconds_T for clip in clips]).tolist(),
    )


@pytest.mark.parametrize("file_format", ["png", "ffv1"])
@pytest.mark.parametrize(("fps", "variable"), [(25, False), (29.97, False), (25, True)])
@pytest.mark.parametrize(
    ("interval", "thinning"),
    [
        ((None, None), {}),
        ((None, None), {"sample_fps": 7.0}),
        ((None, 0.35), {"sample_fps": 10.0}),
        ((0.1, 0.35), {"frame_stride": 2}),
    ],
)
def test_stored_flow_has_the_times_of_its_source(
    tmp_path, file_format, fps, variable, interval, thinning
):
    path = tmp_path / "source.mkv"
    times = [i / 25 + (0.1 if i > 7 else 0.0) for i in range(14)]
    size = {"width": 64, "height": 48, "codec": "ffv1"}
    with VideoWriter(path, fps=fps, variable_rate=variable, **size) as writer:
        for frame, seconds in zip(sliding_frames(14, 1.0, 0.0), times, strict=True):
            writer.write(frame, pts_seconds=seconds if variable else None)
    out = tmp_path / "OUT"
    _make(path, out, format=file_format)
    within = dict(zip(("start_seconds", "end_seconds"), interval, strict=True))
    flow = out / path.stem if file_format == "png" else out / f"{path.stem}.mkv"

    stored = _read(open_pictures(flow, SEES_FLOW, **within), **thinning)
    computed = _read(open_pictures(path, SEES_FLOW, **within), **thinning)

    assert torch.equal(stored[0], computed[0])
    assert stored[1] == computed[1]
    assert stored[2] == pytest.approx(computed[2], abs=1e-6)
    with open_pictures(flow, SEES_FLOW, **within) as video:
        wanted = [video.frame_range()[i] for i in (2, 0, 2)]
        clip = video.read(wanted)
        with pytest.raises(ValueError, match="was asked for"):
            video.read([0])
    assert clip.frame_indices_T.tolist() == wanted


def test_names_are_those_of_the_original(data, tmp_path):
    _make(data, tmp_path / "OUT")

    folder = FrameFolder(tmp_path / "OUT" / "left" / "v_left_g01_c01")

    assert folder.frame_numbers == (2, 3, 4, 5, 6)
    assert _tree(tmp_path / "OUT")[0] == "left/v_left_g01_c01/flow_image_v_left_g01_c01.0002.png"


def test_the_originals_own_layout(data, tmp_path):
    _make(data, tmp_path / "OUT", naming="original", format="jpeg", quality=90)

    tree = _tree(tmp_path / "OUT")

    assert tree[0] == "flow_images/v_left_g01_c01/flow_image_v_left_g01_c01.0002.jpg"
    assert len(tree) == 5 + 5 + 4 + 1


def test_jpeg_is_near_and_its_quality_counts(data, tmp_path):
    exact = _all(open_flow(data / "left" / "v_left_g01_c01.mkv", FAST)).float()
    errors = []
    for quality in (30, 95):
        out = tmp_path / str(quality)
        _make(data, out, format="jpeg", quality=quality)
        found = _all(open_pictures(out / "left" / "v_left_g01_c01", SEES_FLOW)).float()
        errors.append(float((found - exact).abs().mean()))

    assert 0 < errors[1] < errors[0]
    assert errors[1] < 1.5


def test_the_rate_of_the_source_is_kept(data, tmp_path):
    _make(data, tmp_path / "OUT")

    with open_pictures(tmp_path / "OUT" / "left" / "v_left_g01_c01", SEES_FLOW) as stored:
        assert stored.info.fps == pytest.approx(30)


def test_what_is_finished_is_not_made_again(data, tmp_path):
    out = tmp_path / "OUT"
    _make(data, out)
    before = {p: (out / p).stat().st_mtime_ns for p in _tree(out) if p != MANIFEST_NAME}

    again = _make(data, out)

    assert (len(again.made), len(again.kept)) == (0, 3)
    assert before == {p: (out / p).stat().st_mtime_ns for p in _tree(out) if p != MANIFEST_NAME}


def test_a_changed_source_is_made_again(data, tmp_path):
    out = tmp_path / "OUT"
    _make(data, out)
    source = _video(data / "left" / "v_left_g01_c01.mkv", u=2.0, num_frames=4)

    again = _make(data, out)

    assert (len(again.made), len(again.remade), len(again.kept)) == (1, 1, 2)
    stored = _all(open_pictures(out / "left" / "v_left_g01_c01", SEES_FLOW))
    assert torch.equal(stored, _all(open_flow(source, FAST)))


def test_changed_settings_make_everything_again(data, tmp_path):
    out = tmp_path / "OUT"
    _make(data, out)
    other = FlowConfig(method="dis_ultrafast", scale=8.0)

    again = _make(data, out, flow=other)

    assert (len(again.made), len(again.remade)) == (3, 3)
    assert read_manifest(out).storage.flow == other
    assert len(_make(data, out, flow=other).kept) == 3


def test_another_format_replaces_the_files(data, tmp_path):
    out = tmp_path / "OUT"
    _make(data, out)
    _make(data, out, format="ffv1")

    assert _tree(out) == [
        "left/v_left_g01_c01.mkv",
        MANIFEST_NAME,
        "right/v_right_g01_c01.mkv",
        "right/v_right_g02_c01.mkv",
    ]


def test_a_lost_image_is_made_again(data, tmp_path):
    out = tmp_path / "OUT"
    _make(data, out)
    (out / "left" / "v_left_g01_c01" / "flow_image_v_left_g01_c01.0004.png").unlink()

    assert len(_make(data, out).made) == 1
    assert len(_tree(out)) == 5 + 5 + 4 + 1


def test_a_broken_video_is_named_and_the_others_are_done(data, tmp_path):
    (data / "left" / "broken.avi").write_bytes(b"no video")

    summary = _make(data, tmp_path / "OUT")

    assert len(summary.made) == 3
    assert [Path(s.path).name for s in summary.skipped] == ["broken.avi"]
    assert not list((tmp_path / "OUT").glob("**/broken*"))


def test_repeated_frames_are_reported(tmp_path):
    path = tmp_path / "DATA" / "a" / "v.mkv"
    path.parent.mkdir(parents=True)
    frames = sliding_frames(31, 1.0, 0.5)
    with VideoWriter(path, fps=30, width=64, height=48, codec="ffv1") as writer:
        for t in range(36):
            writer.write(frames[t - t // 6])

    summary = _make(tmp_path / "DATA", tmp_path / "OUT")

    assert [(r.num_repeated, r.every) for r in summary.repeated] == [(5, 6)]
    again = _make(tmp_path / "DATA", tmp_path / "OUT")
    assert [(r.num_repeated, r.every) for r in again.repeated] == [(5, 6)]


def test_one_video_and_one_folder_of_frames(data, tmp_path):
    _make(data / "left" / "v_left_g01_c01.mkv", tmp_path / "1")
    _make(data / "right" / "v_right_g02_c01", tmp_path / "2")

    assert len(_tree(tmp_path / "1")) == 5 + 1
    assert _tree(tmp_path / "2")[1] == "v_right_g02_c01/flow_image_v_right_g02_c01.0002.png"


def test_names_that_differ_in_their_ending_alone(tmp_path):
    _video(tmp_path / "DATA" / "a" / "v.mkv")
    _video(tmp_path / "DATA" / "a" / "v.avi")

    _make(tmp_path / "DATA", tmp_path / "OUT", format="ffv1")

    assert _tree(tmp_path / "OUT")[:2] == ["a/v.avi.mkv", "a/v.mkv.mkv"]
    with pytest.raises(DataError, match="would both go to"):
        _make(tmp_path / "DATA", tmp_path / "OUT2", naming="original")


def test_a_list_becomes_a_list_of_flow_images(data, tmp_path):
    rows = [
        "path,label,split,group",
        "left/v_left_g01_c01.mkv,go left,train,1",
        "right/v_right_g01_c01.mkv,go right,test,2",
        "right/absent.mkv,go right,test,2",
    ]
    (data / "clips.csv").write_text("\n".join(rows) + "\n", "utf-8")

    summary = _make(data / "clips.csv", tmp_path / "OUT")

    videos = read_dataset(tmp_path / "OUT")
    assert [s.path for s in summary.skipped] == [str(data / "right" / "absent.mkv")]
    assert [(i.class_names, i.split, i.group) for i in videos.items] == [
        (("go left",), "train", "1"),
        (("go right",), "test", "2"),
    ]
    assert _all(open_pictures(videos.items[0].path, SEES_FLOW)).shape == (5, 3, 48, 64)


def test_official_lists_come_along(tmp_path):
    root = tmp_path / "UCF"
    _video(root / "videos" / "A" / "v_A_g01_c01.avi")
    _video(root / "videos" / "B" / "v_B_g02_c01.avi")
    lists = root / "ucfTrainTestlist"
    lists.mkdir()
    (lists / "classInd.txt").write_text("1 A\n2 B\n", "utf-8")
    (lists / "trainlist01.txt").write_text("A/v_A_g01_c01.avi 1\n", "utf-8")
    (lists / "testlist01.txt").write_text("B/v_B_g02_c01.avi\n", "utf-8")

    for file_format in ("png", "ffv1"):
        out = tmp_path / file_format
        _make(root, out, format=file_format)

        videos = read_dataset(out)
        assert videos.layout == "ucf101"
        assert [(i.video_id, i.split) for i in videos.items] == [
            (i.video_id, i.split) for i in read_dataset(root).items
        ]
        assert all(Path(i.path).exists() for i in videos.items)


def _paper(root):
    """Frames and flow images of the original beside its list; and both roots."""
    frames, flow = root / "frames", root / "flow_images"
    for number, name in enumerate(("v_A_g01_c01", "v_A_g02_c01")):
        _frames(frames / name, num_frames=3 + number)
        folder = _frames(flow / name, first=2, num_frames=2 + number)
        for file in sorted(folder.iterdir()):
            file.rename(folder / f"flow_image_{file.name}")
    rows = "A/v_A_g01_c01 0\nA/v_A_g02_c01 0\n"
    (root / "ucf101_split1_trainVideos.txt").write_text(rows, "utf-8")
    return frames, flow


def test_flow_images_of_others_are_no_videos(tmp_path):
    frames, flow = _paper(tmp_path / "DATA")

    summary = _make(tmp_path / "DATA", tmp_path / "OUT", naming="original")

    assert sorted(r.num_images for r in summary.made) == [2, 3]
    for data in (flow, flow / "v_A_g01_c01"):
        with pytest.raises(DataError, match="holds flow images already"):
            _make(data, tmp_path / "OUT2")
    with pytest.raises(DataError, match="holds flow images already"):
        _plan(frames.parent / "ucf101_split1_trainVideos.txt", videos_root=flow)


def _plan(data, **choice):
    return plan_flow(Path(data), Path(data).parent / "OUT", FlowStorage(flow=FAST), **choice)


def test_a_fold_and_a_root_are_honoured_or_refused(data, tmp_path):
    frames, _ = _paper(tmp_path / "PAPER")
    moved = frames.rename(tmp_path / "elsewhere")

    plan = _plan(tmp_path / "PAPER", videos_root=moved, fold=1)

    assert [job.source.parent for job in plan.jobs] == [moved, moved]
    assert [item.split for item in plan.items] == ["train", "train"]
    with pytest.raises(ConfigError, match="has no folds"):
        _plan(data, fold=2)
    with pytest.raises(ConfigError, match="holds its videos itself"):
        _plan(data, videos_root=moved)
    for choice in ({"fold": 1}, {"videos_root": moved}, {"layout": "folder"}):
        with pytest.raises(ConfigError, match="is one video"):
            _plan(data / "left" / "v_left_g01_c01.mkv", **choice)


def test_places_that_do_not_fit_are_refused(data, tmp_path):
    with pytest.raises(DataError, match="lies in"):
        _make(data, data / "flow")
    with pytest.raises(DataError, match="does not exist"):
        _make(tmp_path / "absent", tmp_path / "OUT")
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").touch()
    with pytest.raises(OutputError, match="did not make it"):
        _make(data, full)
    _make(data, tmp_path / "OUT")
    with pytest.raises(DataError, match="already"):
        _make(tmp_path / "OUT", tmp_path / "OUT2")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match="holds no video"):
        _make(empty, tmp_path / "OUT3")


def test_a_method_that_is_not_installed_is_refused_at_once(data, tmp_path):
    from lrcn.video.flow import available_methods

    if "deepflow" in available_methods():
        pytest.skip("the contrib build is installed")
    with pytest.raises(ConfigError, match="pip install opencv-contrib"):
        _make(data, tmp_path / "OUT", flow=FlowConfig(method="deepflow"))
    assert not (tmp_path / "OUT").exists()


def test_after_an_error_nothing_half_done_is_left(data, tmp_path):
    out = tmp_path / "OUT"
    storage = FlowStorage(flow=FAST)
    seen = []

    def stop(done, total, name):
        seen.append(name)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_flow(plan_flow(data, out, storage), out, storage, threads=1, watch=stop)

    finished = {record.path for record in read_manifest(out).records.values()}
    assert 1 <= len(finished) < 3
    assert {str(Path(p).parent) for p in _tree(out) if p != MANIFEST_NAME} == finished
    assert threading.active_count() < 10
    assert len(_make(data, out).made) == 3 - len(finished)


def test_after_a_kill_the_same_command_goes_on(tmp_path):
    data, out = tmp_path / "DATA", tmp_path / "OUT"
    for i in range(12):
        _video(data / "a" / f"v{i:02}.mkv", num_frames=12)
    code = (
        "from pathlib import Path; import sys;"
        "from lrcn.data.flow_files import make_flow;"
        "from lrcn.data.flow_manifest import FlowStorage;"
        "from lrcn.data.flow_plan import plan_flow;"
        "from lrcn.structures import FlowConfig;"
        "s = FlowStorage(flow=FlowConfig(method='dis_precise'));"
        "d, o = Path(sys.argv[1]), Path(sys.argv[2]);"
        "make_flow(plan_flow(d, o, s), o, s, threads=1)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(data), str(out)])
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = out / MANIFEST_NAME
        if found.is_file() and len(found.read_text("utf-8").splitlines()) > 2:
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with (out / MANIFEST_NAME).open("a", encoding="utf-8") as file:
        file.write('{"name": "torn')
    finished = len(read_manifest(out).records)
    assert 0 < finished < 12

    again = _make(data, out, flow=FlowConfig(method="dis_precise"))

    assert (len(again.kept), len(again.made)) == (finished, 12 - finished)
    assert not [p for p in out.iterdir() if p.name.startswith(".")]
    assert len(read_manifest(out).records) == 12
    for i in range(12):
        stored = np.stack([f.permute(1, 2, 0) for f in _all(FrameFolder(out / "a" / f"v{i:02}"))])
        assert stored.shape == (11, 48, 64, 3)


@pytest.mark.real_data
def test_a_real_clip_that_repeats_frames(real_data, tmp_path):
    clip = real_data / "ucf101-6" / "videos" / "HorseRace" / "v_HorseRace_g04_c03.avi"
    summary = _make(clip, tmp_path / "OUT", format="ffv1")

    assert [(r.num_images, r.every) for r in summary.repeated] == [(77, 2)]
    with open_pictures(tmp_path / "OUT" / "v_HorseRace_g04_c03.mkv", SEES_FLOW) as stored:
        images = _all(stored)
    assert torch.equal(images, _all(open_flow(clip, FAST)))
    # A camera that follows horses: most pixels move.
    assert (images[:, 2].float() - 128).mean() > 8
