"""Fixtures for every test: the shared real data, and no state left behind."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes.meteor_package import write_meteor_package

ROOT = Path(__file__).resolve().parent.parent


def _real_data_root() -> Path:
    return Path(os.environ.get("LRCN_TEST_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture
def real_data() -> Path:
    """The folder of shared real data; the test is skipped where it is absent."""
    root = _real_data_root()
    if not root.is_dir():
        pytest.skip(f"needs the shared real data at {root} (set LRCN_TEST_DATA)")
    return root


@pytest.fixture(autouse=True)
def _restore_random_state() -> Iterator[None]:
    """Python's, numpy's and torch's generators are as before after each test."""
    import numpy as np
    import torch

    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002 - saved, not used
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    yield
    random.setstate(states[0])
    np.random.set_state(states[1])  # noqa: NPY002 - restored, not used
    torch.set_rng_state(states[2])
    torch.set_num_threads(threads)
    torch.set_default_dtype(dtype)


@pytest.fixture(autouse=True)
def _private_cache(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests never read or fill the user's own cache."""
    monkeypatch.setenv("LRCN_CACHE", str(tmp_path_factory.getbasetemp() / "lrcn-cache"))


@pytest.fixture(scope="session", autouse=True)
def _small_meteor_tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """METEOR reads tables of a few lines, indexed already: the real index takes half a minute."""
    from lrcn.metrics.meteor_tables import open_tables

    folder = tmp_path_factory.mktemp("packages")
    files = write_meteor_package(folder)
    open_tables(files, tmp_path_factory.getbasetemp() / "lrcn-cache" / "meteor")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
        patch.syspath_prepend(folder)
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests on real data ran."""
    ran = skipped = 0
    for kind in ("passed", "failed", "skipped"):
        for report in terminalreporter.stats.get(kind, []):
            if "real_data" in getattr(report, "keywords", {}):
                ran += kind != "skipped"
                skipped += kind == "skipped"
    terminalreporter.write_line(f"tests on real data: {ran} ran, {skipped} skipped")
