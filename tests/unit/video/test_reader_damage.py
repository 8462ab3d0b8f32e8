"""Files that are cut off, damaged or no videos at all: used as far as they go, or MediaError."""

from __future__ import annotations

import gc
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.fakes.media import KINDS, NUM_FRAMES, make, make_base, real_clip, run_ffmpeg

from lrcn.errors import MediaError
from lrcn.video.reader import VideoReader


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged")


@pytest.fixture(scope="module")
def base(folder: Path) -> Path:
    return make_base(folder, real_clip())


@pytest.fixture(scope="module")
def victims(base: Path, folder: Path) -> list[Path]:
    names = (
        *("xvid_packed_b", "xvid_b", "mjpeg_avi", "h264_gop12", "fragmented", "matroska"),
        *("transport_stream", "vp9_no_counts", "gif", "hevc", "flv_h264", "vp8_alt_ref"),
    )
    return [make(KINDS[name], base, folder) for name in names]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("xvid_packed_b", ""),
        ("xvid_b", ""),
        ("mjpeg_avi", ""),
        ("moov_first", "-c:v libx264 -g 12 -movflags +faststart"),
        ("fragmented", ""),
        ("matroska", ""),
        ("transport_stream", ""),
        ("gif", ""),
        ("flv_h264", ""),
    ],
)
def test_a_file_cut_off_is_used_as_far_as_it_goes(base, folder, name, arguments):
    if arguments:
        whole = folder / f"{name}.mp4"
        run_ffmpeg("-i", base, *arguments.split(), whole)
    else:
        whole = make(KINDS[name], base, folder)
    path = folder / f"cut_{whole.name}"
    content = whole.read_bytes()
    end = int(len(content) * 0.6)
    if name == "fragmented":  # cut in a fragment's header, FFmpeg refuses the file: cut in its data
        end = content.rindex(b"mdat", 0, end) + 1000
    path.write_bytes(content[:end])
    with VideoReader(whole) as reader:
        intact = torch.cat([clip.frames_TCHW for clip in reader.iterate()])
        assert not reader.truncated

    with VideoReader(path) as reader:
        clips = list(reader.iterate())
        frames = torch.cat([clip.frames_TCHW for clip in clips])
        assert reader.truncated
        assert clips[-1].truncated
    with VideoReader(path) as reader:
        count = reader.count()
        last = reader.read([count - 1])
        assert reader.truncated

    assert 5 < len(frames) < NUM_FRAMES
    sure = len(frames) - 4  # the packet at the cut may be concealed, and so what leans on it
    assert torch.equal(frames[:sure], intact[:sure])
    assert count == len(frames)
    assert torch.equal(last.frames_TCHW[0], frames[-1])


def test_a_bad_packet_in_the_middle_costs_no_more_than_its_group(base, folder):
    whole = make(KINDS["h264_gop12"], base, folder)
    content = bytearray(whole.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 300] = random.Random(0).randbytes(300)
    path = folder / "damaged.mp4"
    path.write_bytes(content)

    with VideoReader(path) as reader:
        frames = torch.cat([clip.frames_TCHW for clip in reader.iterate()])
        assert reader.truncated
        # What it has not got, it answers with the last frame that there is.
        clip = reader.read([NUM_FRAMES - 1])

    assert len(frames) > NUM_FRAMES - 12
    assert torch.equal(clip.frames_TCHW[0], frames[int(clip.frame_indices_T[0])])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"just some text\n" * 40, "cannot be read as a video"),
        (bytes(4096), "cannot be read as a video"),
        (random.Random(0).randbytes(5000), "cannot be read as a video"),
        (b"\x00\x00\x00\x18ftypmp42" + bytes(3000), "cannot be read as a video"),
    ],
)
def test_what_is_no_video_is_named_with_the_reason(tmp_path, content, reason):
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)

    with pytest.raises(MediaError, match=reason) as caught:
        VideoReader(path)

    assert str(path) in str(caught.value)


def test_text_is_no_video_whatever_its_ending(tmp_path):
    """FFmpeg would draw a .txt file as pictures, and follow the addresses in a play list."""
    for name, text in [
        ("notes.txt", "some notes\n" * 50),
        ("art.ans", "\x1b[31mred\n" * 50),
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nother.ts\n"),
        ("list.ffconcat", "ffconcat version 1.0\nfile other.mp4\n"),
    ]:
        (tmp_path / name).write_text(text)
        with pytest.raises(MediaError, match=name):
            VideoReader(tmp_path / name)


def test_folders_devices_and_absent_files_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")

    with pytest.raises(MediaError, match="is a folder"):
        VideoReader(tmp_path)
    with pytest.raises(MediaError, match="a device or a pipe"):
        VideoReader(tmp_path / "pipe.mp4")
    with pytest.raises(MediaError, match="No such file"):
        VideoReader(tmp_path / "absent.mp4")
    with pytest.raises(MediaError, match="No such file"):
        VideoReader("http://localhost:1/clip.mp4")
    with pytest.raises(MediaError, match="cannot be opened"):
        VideoReader(tmp_path / ("x" * 300 + ".mp4"))


def test_sound_alone_is_refused(folder):
    path = folder / "sound.m4a"
    run_ffmpeg("-f", "lavfi", "-i", "sine=d=0.5", "-c:a", "aac", path)

    with pytest.raises(MediaError, match=r"holds no video stream \(found: audio\)"):
        VideoReader(path)


def damaged_variants(victims: list[Path], number: int, *, seed: int):
    """Bytes of real files with cuts, flips, holes, insertions and broken headers."""
    rng = random.Random(seed)
    for i in range(number):
        path = victims[i % len(victims)]
        content = bytearray(path.read_bytes())
        size = len(content)
        match rng.choice(("cut", "flip", "flips", "hole", "header", "insert")):
            case "cut":
                del content[rng.randrange(size) :]
            case "flip":
                for _ in range(rng.randrange(1, 8)):
                    content[rng.randrange(size)] ^= 1 << rng.randrange(8)
            case "flips":
                for _ in range(300):
                    content[rng.randrange(size)] = rng.randrange(256)
            case "hole":
                start = rng.randrange(size)
                end = min(size, start + rng.randrange(1, 4000))
                content[start:end] = bytes(end - start)
            case "header":
                for _ in range(20):
                    content[rng.randrange(min(size, 600))] = rng.randrange(256)
            case _:
                start = rng.randrange(size)
                content[start:start] = rng.randbytes(rng.randrange(1, 500))
        yield i, path.suffix, bytes(content)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_two_hundred_damaged_files_give_frames_or_media_errors(victims, tmp_path):
    outcomes = {"frames": 0, "truncated": 0, "refused": 0}
    for i, suffix, content in damaged_variants(victims, 200, seed=7):
        path = tmp_path / f"{i}{suffix}"
        path.write_bytes(content)
        try:
            with VideoReader(path) as reader:
                clips = list(reader.iterate(chunk=16))
                times = torch.cat([clip.pts_seconds_T for clip in clips])
                outcomes["truncated"] += reader.truncated
            with VideoReader(path) as reader:
                count = reader.count()
                clip = reader.read([0, count // 2, count - 1])
        except MediaError as error:
            outcomes["refused"] += str(path) in str(error)
            continue
        finally:
            path.unlink()
        outcomes["frames"] += 1
        assert len(clip) == 3
        assert times[0] == 0
        assert (times[1:] >= times[:-1]).all()

    assert sum((outcomes["frames"], outcomes["refused"])) == 200
    assert min(outcomes.values()) > 10  # the variants reach all three


@pytest.mark.slow  # imports torch in a new process
def test_ffmpeg_says_nothing_on_stderr(victims, folder):
    """Its log is C code's own: only another process shows it."""
    content = bytearray(victims[0].read_bytes())
    content[3000:3400] = bytes(400)
    path = folder / "noisy.avi"
    path.write_bytes(content)
    code = (
        "import sys; from lrcn.video.reader import VideoReader\n"
        "reader = VideoReader(sys.argv[1]); print(sum(len(c) for c in reader.iterate()))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )

    assert int(done.stdout) > 5
    assert done.stderr == ""


@pytest.mark.slow
def test_nothing_leaks_over_hundreds_of_files(victims):
    """Descriptors exactly; memory after a warm-up, with room for the allocator's moods."""

    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    def resident_mib() -> float:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def use(path: Path) -> None:
        with VideoReader(path) as reader:
            next(reader.iterate(chunk=4))  # abandoned half-way
            reader.read([9])
        with pytest.raises(MediaError):
            VideoReader(__file__)

    if not Path("/proc/self/statm").exists():
        pytest.skip("counts open files and memory in /proc")
    small = victims[:4]
    for i in range(60):
        use(small[i % 4])
    gc.collect()  # pytest.raises keeps what it caught, frames and all, until the next collection
    files, memory = open_files(), resident_mib()
    for i in range(300):
        use(small[i % 4])
    gc.collect()

    assert open_files() == files
    assert resident_mib() - memory < 12
