"""`lrcn predict` against a plain loop, everything included: start, model, decoding, answers.

    python benchmarks/predict.py [--model MODEL] [--videos FOLDER] [--clips 48]

Claim: at least 3.5 times the frames per second of the loop (4.5 times once warm), the same labels,
probabilities within 0.01. The loop is what one writes first: PyAV's `to_ndarray`, resize, the
network in eager float32 (16 frames a call, which is its fastest; or `--plain-batch 0`: the whole
clip), the same clip protocol, one clip after the other. Both run as processes of their own, in
turn. Besides the wall clock, which suffers where others compute, processor seconds are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("LRCN_TEST_DATA", ROOT.parent / "shared" / "data"))


def plain_loop(model_folder: str, paths: list[str], batch: int) -> dict[str, Any]:
    """Probabilities of each clip's classes; seconds of the loop alone."""
    import av
    import torch

    from lrcn.checkpoint import load_model
    from lrcn.data.transforms import EvalTransform
    from lrcn.models.views import clip_probs, video_probs

    saved = load_model(model_folder)
    model, sampling = saved.model, saved.sampling
    transform = EvalTransform(model.preprocessing)
    started, num_frames, found = time.perf_counter(), 0, {}
    for path in paths:
        with av.open(path) as container:
            arrays = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        frames_TCHW = torch.stack([torch.from_numpy(array) for array in arrays]).permute(0, 3, 1, 2)
        pixels_TCHW = transform(frames_TCHW)[0].contiguous()
        with torch.no_grad():
            parts = torch.split(pixels_TCHW, batch or len(pixels_TCHW))
            features_TD = torch.cat([model.features(part) for part in parts])
            views = clip_probs(
                model,
                features_TD[None],
                clip_length=sampling.clip_length,
                clip_stride=sampling.clip_stride,
            )
        found[path] = video_probs(views).tolist()
        num_frames += len(arrays)
    return {
        "probs": found,
        "num_frames": num_frames,
        "seconds": time.perf_counter() - started,
        "class_names": model.class_names,
    }


def warm(model_folder: str, paths: list[str]) -> dict[str, Any]:
    """Seconds of a predictor that has answered before."""
    import lrcn
    from lrcn.engine import set_threads

    set_threads(None)
    predictor = lrcn.load(model_folder)
    predictor(paths[0])
    started = time.perf_counter()
    found = {p.path: p.probs_K.tolist() for p in predictor.predict_many(paths)}
    return {
        "probs": found,
        "seconds": time.perf_counter() - started,
        "engine": predictor.description,
    }


def run(command: list[str]) -> tuple[Any, float, float]:
    """What a process printed as JSON, its wall clock and its processor seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, cwd=ROOT
    )
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:4])} failed:\n{done.stderr[-2000:]}")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(done.stdout), seconds, used


def untrained(folder: Path) -> Path:
    from lrcn.checkpoint import SavedModel, save_model
    from lrcn.models.activity import ActivityConfig, create_model
    from lrcn.video.sampling import SamplingConfig

    model = create_model(ActivityConfig(), tuple("abcdef")).eval()
    save_model(folder, SavedModel(model, SamplingConfig()))
    return folder


def clips_of(folder: Path | None, wanted: int, scratch: Path) -> list[str]:
    """Test clips of UCF101's first fold (groups 1 to 7), the user's videos, or rendered ones."""
    if folder is None and (DATA / "ucf101-6").is_dir():
        found = sorted((DATA / "ucf101-6" / "videos").glob("*/*_g0[1-7]_*.avi"))
    elif folder is not None:
        from lrcn.predict.inputs import expand_inputs

        found = [Path(path) for path in expand_inputs([str(folder)])]
    else:
        from benchmarks.decoding import render

        found = [
            render(scratch / f"{i}.mp4", height=240, width=320, num_frames=150)
            for i in range(wanted)
        ]
    step = max(1, len(found) // wanted)
    return [str(path) for path in found[::step][:wanted]]


def largest_difference(a: dict[str, list[float]], b: dict[str, list[float]]) -> tuple[float, int]:
    """Of a probability, and the number of clips with another label."""
    worst = max(abs(x - y) for path in a for x, y in zip(a[path], b[path], strict=True))
    other = sum(a[p].index(max(a[p])) != b[p].index(max(b[p])) for p in a)
    return worst, other


def compare(model: Path, paths: list[str], batch: int) -> None:
    """Run all three and print the table."""
    me = str(Path(__file__).resolve())
    names_of = ["-m", "lrcn", "predict", str(model), *paths, "--json", "--quiet"]
    plain, plain_seconds, plain_used = run([me, "--plain", str(batch), str(model), *paths])
    names = plain["class_names"]
    answers, cold_seconds, cold_used = run([*names_of, "--top-k", str(len(names))])
    warmed, _, _ = run([me, "--warm", str(model), *paths])
    cold = {}
    for answer in answers:
        probs = {entry["class_name"]: entry["prob"] for entry in answer["top_k"]}
        cold[answer["path"]] = [probs[name] for name in names]
    num = plain["num_frames"]
    print(f"{len(paths)} clips, {num} frames; CNN: {warmed['engine']}")
    print(f"{'':34} {'frames/s':>9} {'ratio':>7} {'processor s':>12} {'ratio':>7}")
    for name, seconds, base, used in (
        ("plain loop, whole process", plain_seconds, plain_seconds, plain_used),
        ("lrcn predict, whole process", cold_seconds, plain_seconds, cold_used),
        ("plain loop, loop alone", plain["seconds"], plain["seconds"], None),
        ("Predictor, warm", warmed["seconds"], plain["seconds"], None),
    ):
        processor = "" if used is None else f"{used:12.1f} {plain_used / used:6.2f}x"
        print(f"{name:34} {num / seconds:9.1f} {base / seconds:6.2f}x {processor}")
    for name, probs in (("lrcn predict", cold), ("warm", warmed["probs"])):
        worst, other = largest_difference(plain["probs"], probs)
        print(f"{name}: largest difference of a probability {worst:.2g}, other labels {other}")


def main() -> None:
    """Measure, or be one of the measured processes."""
    if len(sys.argv) > 2 and sys.argv[1] == "--plain":
        print(json.dumps(plain_loop(sys.argv[3], sys.argv[4:], int(sys.argv[2]))))
        return
    if len(sys.argv) > 2 and sys.argv[1] == "--warm":
        print(json.dumps(warm(sys.argv[2], sys.argv[3:])))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="default: an untrained LRCN")
    parser.add_argument("--videos", type=Path)
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--plain-batch", type=int, default=16, help="0: the whole clip")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        model = arguments.model or untrained(Path(scratch) / "model")
        paths = clips_of(arguments.videos, arguments.clips, Path(scratch))
        compare(model.resolve(), paths, arguments.plain_batch)


if __name__ == "__main__":
    main()
