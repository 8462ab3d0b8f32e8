"""Makers of real video files for tests, of the kinds that break readers.

The clips come from a real video where the shared data is at hand, else from rendered frames; the
files are made by the ffmpeg program of `imageio-ffmpeg`, which also serves as the outside oracle
for what a reader should see. Everything is small: 40 frames of 96x72 pixels unless a kind says so.
"""

from __future__ import annotations

import functools
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

NUM_FRAMES = 40
HEIGHT, WIDTH = 72, 96
FPS = 25


@dataclass(frozen=True)
class Kind:
    """One kind of file: ffmpeg's arguments before and after the input, and what to expect."""

    name: str
    suffix: str
    output: str
    """Arguments of the encoding pass."""
    copy: str | None = None
    """If set, a second pass over the encoded file that copies packets with these arguments."""
    copy_input: str = ""
    """Arguments of the second pass that stand before its input."""
    first_suffix: str = ".mp4"
    """Container of the first pass, where there are two."""
    num_frames: int | None = NUM_FRAMES
    """How many frames a reader must find; None where only the oracle knows."""
    rgb_tolerance: float = 2.0
    """Mean absolute difference to ffmpeg's RGB that chroma scaling and rounding explain."""


_X264 = "-c:v libx264 -preset veryfast -threads 1"
_VP9 = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 300k"
_X265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none:pools=none"

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        # AVI, as UCF101 and MSVD have it.
        Kind("xvid_packed_b", ".avi", "-c:v libxvid -bf 2 -g 12 -q:v 4", num_frames=None),
        Kind("xvid_b", ".avi", "-c:v mpeg4 -vtag XVID -bf 2 -g 12 -q:v 4"),
        Kind("mpeg4", ".avi", "-c:v mpeg4 -vtag XVID -g 12 -q:v 4"),
        Kind("mpeg4_one_key", ".avi", "-c:v mpeg4 -g 600 -q:v 4"),
        Kind("h264_avi", ".avi", f"{_X264} -bf 2 -g 12"),
        Kind("mjpeg_avi", ".avi", "-c:v mjpeg -q:v 4"),
        Kind("msmpeg4_avi", ".avi", "-c:v msmpeg4 -g 12 -q:v 4"),
        # H.264 in MP4 and what is done with it.
        Kind("h264_gop250", ".mp4", f"{_X264} -bf 3 -g 250"),
        Kind("h264_gop12", ".mp4", f"{_X264} -bf 3 -g 12"),
        Kind("h264_open_gop", ".mkv", f"{_X264} -bf 3 -g 10 -x264-params open-gop=1:scenecut=0"),
        Kind("h264_pyramid", ".mp4", f"{_X264} -bf 8 -g 20 -x264-params b-pyramid=normal:ref=4"),
        Kind("h264_intra_refresh", ".mp4", f"{_X264} -g 10 -x264-params intra-refresh=1"),
        Kind("h264_interlaced", ".ts", f"{_X264} -g 12 -bf 2 -x264-params interlaced=1:tff=1"),
        Kind("fragmented", ".mp4", f"{_X264} -g 12 -movflags frag_keyframe+empty_moov"),
        Kind(
            "edit_list", ".mp4", f"{_X264} -bf 2 -g 250", "", copy_input="-ss 0.5", num_frames=None
        ),
        Kind("rotated_90", ".mp4", f"{_X264} -g 12", "", copy_input="-display_rotation 90"),
        Kind("rotated_180", ".mp4", f"{_X264} -g 12", "", copy_input="-display_rotation 180"),
        Kind("rotated_270", ".mp4", f"{_X264} -g 12", "", copy_input="-display_rotation 270"),
        Kind("mirrored", ".mp4", f"{_X264} -g 12", "", copy_input="-display_hflip"),
        Kind("odd_444", ".mp4", f"-vf scale=85:61 {_X264} -pix_fmt yuv444p -g 12"),
        Kind("h264_10bit", ".mp4", f"{_X264} -pix_fmt yuv420p10le -g 12"),
        Kind("full_range", ".mp4", f"{_X264} -pix_fmt yuvj420p -g 12"),
        Kind("grey", ".mp4", f"{_X264} -pix_fmt gray -g 12"),
        Kind("bt709", ".mp4", f"{_X264} -vf scale=out_color_matrix=bt709 -colorspace bt709 -g 12"),
        Kind("no_faststart", ".mov", f"{_X264} -bf 2 -g 12"),
        Kind(
            "variable_rate",
            ".mp4",
            f"-vf select='not(mod(n,3))+gt(n,20)' -fps_mode vfr {_X264} -bf 2 -g 12",
            num_frames=26,
        ),
        Kind("matroska", ".mkv", f"{_X264} -bf 2 -g 12"),
        Kind("transport_stream", ".ts", f"{_X264} -bf 2 -g 12"),
        Kind("raw_h264", ".264", f"{_X264} -bf 2 -g 12"),
        Kind("flv_h264", ".flv", f"{_X264} -bf 2 -g 12"),
        # Newer codecs.
        Kind("hevc", ".mp4", f"{_X265} -g 12 -tag:v hvc1"),
        Kind("hevc_10bit", ".mkv", f"{_X265} -pix_fmt yuv420p10le -g 12"),
        Kind("vp9_no_counts", ".webm", f"{_VP9} -g 12 -live 1"),
        Kind(
            "vp9_alt_ref",
            ".webm",
            "-c:v libvpx-vp9 -cpu-used 8 -auto-alt-ref 1 -lag-in-frames 16 -b:v 100k -g 20",
        ),
        Kind("vp9_odd", ".webm", f"-vf scale=85:61 {_VP9} -g 12"),
        Kind("vp8_alt_ref", ".webm", "-c:v libvpx -auto-alt-ref 1 -lag-in-frames 16 -b:v 100k"),
        Kind("av1", ".mp4", "-c:v libaom-av1 -cpu-used 8 -usage realtime -g 12 -b:v 200k"),
        # Older and other ones.
        Kind("mpeg2_interlaced", ".ts", "-c:v mpeg2video -flags +ilme+ildct -bf 2 -g 12 -q:v 4"),
        Kind("mpeg1_program", ".mpg", "-c:v mpeg1video -bf 2 -g 12 -q:v 4"),
        Kind("wmv", ".wmv", "-c:v wmv2 -g 12 -q:v 4"),
        Kind("flv1", ".flv", "-c:v flv1 -g 12 -q:v 4"),
        Kind("prores", ".mov", "-c:v prores -profile:v 0"),
        Kind("ffv1", ".mkv", "-c:v ffv1 -pix_fmt bgr0"),
        Kind("y4m", ".y4m", "-pix_fmt yuv420p"),
        Kind("png_alpha", ".mov", "-c:v png -pix_fmt rgba", num_frames=NUM_FRAMES),
        Kind("gif", ".gif", ""),
        # Length.
        Kind("one_frame", ".mp4", f"-frames:v 1 {_X264}", num_frames=1),
        Kind("one_frame_avi", ".avi", "-frames:v 1 -c:v mpeg4", num_frames=1),
    )
}
"""Intact files: every reader must find all frames, and the same by index as in sequence."""


@functools.cache
def ffmpeg_program() -> str:
    """The ffmpeg binary that a development extra brings."""
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())


def run_ffmpeg(*arguments: str | Path) -> bytes:
    """Run ffmpeg quietly; its standard output."""
    command = [ffmpeg_program(), "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr.decode(errors='replace')}")
    return done.stdout


def synthetic_frames(
    num_frames: int = NUM_FRAMES, height: int = HEIGHT, width: int = WIDTH, *, seed: int = 0
) -> NDArray[np.uint8]:
    """T x H x W x 3: a coarse texture that drifts, every frame unlike every other."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(20, 236, (height // 8 + 2, width // 8 + 2, 3), dtype=np.uint8)
    texture = np.kron(coarse, np.ones((8, 8, 1), np.uint8))
    return np.stack(
        [
            np.roll(texture, (i, 3 * i), (0, 1))[:height, :width] // 2 + np.uint8(2 * (i % 60))
            for i in range(num_frames)
        ]
    )


def real_clip() -> Path | None:
    """A real clip of the shared data (UCF101), where it is at hand."""
    root = Path(__file__).resolve().parents[2]
    data = Path(os.environ.get("LRCN_TEST_DATA", root.parent / "shared" / "data"))
    return next(iter(sorted(data.glob("ucf101-6/videos/HorseRace/*_g10_c02.avi"))), None)


def make_base(folder: Path, real_clip: Path | None = None) -> Path:
    """The lossless clip that all kinds are made from."""
    path = folder / "base.mkv"
    size = f"{WIDTH}x{HEIGHT}"
    lossless = ["-c:v", "ffv1", "-pix_fmt", "yuv420p", "-frames:v", str(NUM_FRAMES)]
    if real_clip is not None:
        scaling = ["-vf", f"scale={WIDTH}:{HEIGHT},setpts=N/{FPS}/TB", "-r", str(FPS), "-an"]
        run_ffmpeg("-i", real_clip, *scaling, *lossless, path)
        return path
    raw = folder / "base.rgb"
    raw.write_bytes(synthetic_frames().tobytes())
    video_in = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", str(FPS)]
    run_ffmpeg(*video_in, "-i", raw, *lossless, path)
    return path


def make(kind: Kind, base: Path, folder: Path) -> Path:
    """A file of the kind, made from the base clip."""
    path = folder / f"{kind.name}{kind.suffix}"
    if kind.copy is None:
        run_ffmpeg("-i", base, "-an", *kind.output.split(), path)
        return path
    first = folder / f"{kind.name}_first{kind.first_suffix}"
    run_ffmpeg("-i", base, "-an", *kind.output.split(), first)
    run_ffmpeg(*kind.copy_input.split(), "-i", first, "-c", "copy", *kind.copy.split(), path)
    return path


def decoded_by_ffmpeg(path: Path, height: int, width: int) -> NDArray[np.uint8]:
    """All frames as the ffmpeg program shows them, upright, T x H x W x 3."""
    raw = run_ffmpeg(
        "-i", path, "-map", "0:V:0", "-fps_mode", "passthrough", "-f", "rawvideo",
        "-pix_fmt", "rgb24", "-",
    )  # fmt: skip
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)
