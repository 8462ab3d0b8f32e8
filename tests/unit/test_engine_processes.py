"""One process is the trivial case; two gloo processes average gradients and gather objects."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lrcn.engine import init_processes
from lrcn.errors import ConfigError

WORKER = """
import sys, torch
from lrcn.engine import init_processes
processes = init_processes(timeout_seconds=60)
torch.manual_seed(0)
model = torch.nn.Linear(3, 2)
x = torch.arange(12.0).reshape(4, 3)[processes.rank * 2:][:2]
(model(x).square().sum() / 8).backward()
processes.sum_gradients(model.parameters())
gathered = processes.gather_objects({"rank": processes.rank})
assert gathered == [{"rank": 0}, {"rank": 1}], gathered
assert processes.broadcast(processes.rank + 7) == 7
assert processes.all_reduce_mean(torch.tensor(float(processes.rank))).item() == 0.5
assert processes.all_reduce_sum(torch.tensor([1.0])).item() == 2.0
processes.barrier()
if processes.is_main:
    torch.save(model.weight.grad, sys.argv[1])
processes.close()
"""


def test_alone_nothing_is_initialised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    processes = init_processes()
    assert (processes.rank, processes.world_size, processes.is_main) == (0, 1, True)
    assert not torch.distributed.is_initialized()
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.grad = torch.tensor([3.0, 4.0])
    processes.sum_gradients([parameter])
    assert parameter.grad.tolist() == [3.0, 4.0]
    assert processes.gather_objects("a") == ["a"]
    assert processes.broadcast(3) == 3
    tensor = torch.tensor([2.0])
    assert processes.all_reduce_mean(tensor).item() == 2.0
    assert processes.all_reduce_sum(tensor) is not tensor
    processes.barrier()
    processes.close()


@pytest.mark.parametrize(("name", "value"), [("WORLD_SIZE", "two"), ("WORLD_SIZE", "2")])
def test_an_incomplete_environment_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="torchrun"):
        init_processes()


@pytest.mark.slow
def test_two_processes_give_the_gradient_of_one(tmp_path: Path) -> None:
    (tmp_path / "worker.py").write_text(WORKER)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    workers = [
        subprocess.Popen(
            [sys.executable, str(tmp_path / "worker.py"), str(tmp_path / "grad.pt")],
            env={**environment, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    for worker in workers:
        _, messages = worker.communicate(timeout=120)
        assert worker.returncode == 0, messages
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    model(torch.arange(12.0).reshape(4, 3)).square().mean().backward()
    gradient = torch.load(tmp_path / "grad.pt", weights_only=True)
    torch.testing.assert_close(gradient, model.weight.grad, rtol=1e-6, atol=1e-7)
