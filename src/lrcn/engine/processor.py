"""What to compute on, and with which numbers: decided at run time, from what is there."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch

from lrcn.errors import ConfigError

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
"""Options of glibc's `mallopt`."""

Precision = Literal["auto", "float32", "bfloat16"]


def choose_device(name: str = "auto") -> torch.device:
    """The device to compute on.

    Args:
        name: "auto" (a GPU where there is one, else the processor), "cpu", "cuda", "cuda:1", "mps".

    Raises:
        ConfigError: the name is unknown, or no such device is here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(_device_message(name, "is not the name of a device")) from error
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not available.get(device.type, False):
        raise ConfigError(_device_message(name, "is not available here"))
    return device


def _device_message(name: str, what: str) -> str:
    here = ["auto", "cpu"]
    here += [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    here += ["mps"] if torch.backends.mps.is_available() else []
    return f"device {name!r} {what}; here: {', '.join(here)}. Choose one of these with --device."


def set_threads(threads: int | None) -> int:
    """Set how many threads the processor computes with.

    Args:
        threads: the number; None takes OMP_NUM_THREADS where it is set, otherwise every core that
            this process may use (not every core of the machine).

    Returns:
        The number now in force.

    Raises:
        ConfigError: the number is below 1.
    """
    if threads is not None and threads < 1:
        raise ConfigError(
            f"threads is {threads}; it must be 1 or more. Leave it out for all cores."
        )
    if threads is None:
        text = os.environ.get("OMP_NUM_THREADS", "")
        threads = int(text) if text.isdigit() and int(text) > 0 else usable_cores()
    torch.set_num_threads(threads)
    return threads


def usable_cores() -> int:
    """Cores that this process may run on."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    else:
        return os.cpu_count() or 1


def keep_memory() -> bool:
    """Let memory that is freed stay with this process, for the tensors of the next step.

    glibc gives blocks above 32 MiB back at once, and the system clears every page of them when the
    next step asks again: a fifth to a quarter of a joint training step. The peak grows by a tenth.
    No number changes.

    Returns:
        Whether the C library can do so (glibc's can; others are left alone).
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, -1))
    return all(mallopt(option, value) == 1 for option, value in settings)


def choose_precision(requested: Precision, device: torch.device) -> torch.dtype:
    """The type to compute with: the requested one, or the faster one that is accurate enough.

    "auto" depends on the hardware alone, never on a timing, so that the same machine always gives
    the same numbers.

    Args:
        requested: "auto", "float32" or "bfloat16".
        device: where the computation runs.

    Raises:
        ConfigError: the word is unknown.
    """
    if requested == "float32":
        return torch.float32
    if requested == "bfloat16":
        return torch.bfloat16
    if requested != "auto":
        raise ConfigError(
            f"precision is {requested!r}; it can be auto, float32 or bfloat16. "
            "Leave it out to let the processor decide."
        )
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    if device.type != "cpu":
        return torch.float32
    features = processor_features()
    fast = features["amx"] or features["avx512_bf16"]
    return torch.bfloat16 if fast else torch.float32


def processor_features() -> dict[str, bool]:
    """Instruction sets that decide about speed: avx2, avx512, avx512_bf16, avx512_vnni, amx."""
    # Private but stable since torch 2.2; their public form (get_capabilities) came after 2.9.
    cpu = torch.cpu
    return {
        "avx2": cpu._is_avx2_supported(),
        "avx512": cpu._is_avx512_supported(),
        "avx512_bf16": cpu._is_avx512_bf16_supported(),
        "avx512_vnni": cpu._is_vnni_supported(),
        "amx": cpu._is_amx_tile_supported(),
    }


def describe_processor() -> dict[str, Any]:
    """What computes here, for reports and `lrcn doctor`: plain strings, numbers and booleans."""
    device = choose_device()
    found: dict[str, Any] = {
        "processor": _processor_name(),
        "architecture": platform.machine(),
        "cores": usable_cores(),
        "threads": torch.get_num_threads(),
        **processor_features(),
        "onednn": bool(torch._C._has_mkldnn),
        "cpp_compiler": cpp_compiler(),
        "torch": torch.__version__,
        "device": str(device),
        "precision": str(choose_precision("auto", device)).removeprefix("torch."),
    }
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name(0)
    return found


def _processor_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123 - not a user's file
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def cpp_compiler() -> str | None:
    """Path of the C++ compiler that `torch.compile` would use on the processor, if any."""
    named = os.environ.get("CXX")
    for name in (named, "g++", "clang++", "c++"):
        if name and (path := shutil.which(name)):
            return path
    return None


def autocast_train(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[Any]:
    """The context of a training forward pass: autocast for bfloat16, nothing for float32.

    Only for training: with gradients off autocast converts the weights again in every call.
    """
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=dtype)
