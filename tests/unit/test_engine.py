"""Devices, threads, precision; the fast way through a backbone gives the backbone's features."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest
import torch

from lrcn.engine import (
    autocast_train,
    choose_device,
    choose_precision,
    describe_processor,
    set_threads,
)
from lrcn.engine import processor as processor_module
from lrcn.errors import ConfigError

CPU = torch.device("cpu")


def test_device_by_name() -> None:
    assert choose_device("cpu") == CPU
    assert choose_device().type in {"cpu", "cuda"}


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "", "xla"])
def test_an_unknown_or_absent_device_is_refused_with_the_list(name: str) -> None:
    with pytest.raises(ConfigError, match=r"auto, cpu.*--device"):
        choose_device(name)


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set_threads(1) == 1
    assert torch.get_num_threads() == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert set_threads(None) == 2
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert set_threads(None) == processor_module.usable_cores()
    with pytest.raises(ConfigError, match="1 or more"):
        set_threads(0)


def test_requested_precision_is_taken_as_it_is() -> None:
    assert choose_precision("float32", CPU) == torch.float32
    assert choose_precision("bfloat16", CPU) == torch.bfloat16
    with pytest.raises(ConfigError, match="auto, float32 or bfloat16"):
        choose_precision("float16", CPU)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("amx", "avx512_bf16", "expected"),
    [
        (True, True, torch.bfloat16),
        (False, True, torch.bfloat16),
        (False, False, torch.float32),
    ],
)
def test_automatic_precision_follows_what_the_processor_offers(
    monkeypatch: pytest.MonkeyPatch, amx: bool, avx512_bf16: bool, expected: torch.dtype
) -> None:
    features = {"amx": amx, "avx512_bf16": avx512_bf16}
    monkeypatch.setattr(processor_module, "processor_features", lambda: features)
    assert choose_precision("auto", CPU) == expected


def test_description_is_plain() -> None:
    found = describe_processor()
    assert {"processor", "cores", "threads", "amx", "precision"} <= found.keys()
    assert all(value is None or isinstance(value, str | int | bool) for value in found.values())


def test_autocast_is_for_bfloat16_only() -> None:
    layer, x = torch.nn.Linear(4, 4), torch.ones(1, 4)
    with autocast_train(CPU, torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16
    with autocast_train(CPU, torch.float32):
        assert layer(x).dtype == torch.float32


FAULTS = """
import resource, sys, torch
from lrcn.engine import keep_memory
assert sys.argv[1] == "no" or keep_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**26)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(sum(faults() >= 128 for _ in range(12)))
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")
def test_memory_that_is_kept_is_not_cleared_again() -> None:
    """256 MB are 128 pages at least, and those of the system are cleared at their first use.

    A tensor may move to another place of the heap once or twice before it stays (seen: at the third
    of a row), so what counts is in how many of 12 rounds pages were cleared.
    """
    found = {
        keep: int(subprocess.check_output([sys.executable, "-c", FAULTS, keep]))
        for keep in ("yes", "no")
    }

    assert found["no"] == 12
    assert found["yes"] <= 4
