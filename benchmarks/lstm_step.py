"""One streaming step of the LSTM, and a training unroll, against `torch.nn.LSTM`.

Claim: a step is at least 3.3 times faster than `nn.LSTM` with T = 1 (it packs its weights anew on
every call), and an unroll of a training batch is as fast as `nn.LSTM`, padded or not.

    python benchmarks/lstm_step.py [threads]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import nn

from lrcn.nn.recurrent import LSTMState, Recurrent

STEP_SIZES = [(512, 256), (1280, 256), (4096, 256), (1000, 1000)]
UNROLL_SIZES = [(1280, 256, 64, 16), (4096, 256, 24, 16), (512, 128, 32, 32)]


def medians(runs: list[Callable[[], object]], repeats: int, block: int = 1) -> list[float]:
    """Seconds of each, measured in turn, so that a busy moment hits all of them alike.

    In blocks of several calls, two warm ones before: a stream runs one of them over and over, with
    its own weights in the cache and not the other's.
    """
    seconds: list[list[float]] = [[] for _ in runs]
    for _ in range(repeats):
        for run, found in zip(runs, seconds, strict=True):
            run()
            run()
            for _ in range(block):
                started = time.perf_counter()
                run()
                found.append(time.perf_counter() - started)
    return [statistics.median(found) for found in seconds]


def twin(module: Recurrent, input_size: int) -> nn.LSTM:
    """torch's LSTM with the same weights."""
    lstm = nn.LSTM(input_size, module.hidden_size, batch_first=True)
    layer = module.layers[0]
    with torch.no_grad():
        lstm.weight_ih_l0.copy_(layer.weight_ih)
        lstm.weight_hh_l0.copy_(layer.weight_hh)
        lstm.bias_ih_l0.copy_(layer.bias)
        lstm.bias_hh_l0.zero_()
    return lstm


@torch.inference_mode()
def measure_steps() -> None:
    print("streaming step, one row    in    units   nn.LSTM us   step us   times    difference")
    for input_size, hidden_size in STEP_SIZES:
        module = Recurrent(input_size, hidden_size, init="modern").eval()
        lstm = twin(module, input_size)
        x, state = torch.randn(1, input_size), module.initial_state(1)
        assert isinstance(state, LSTMState)
        theirs, _ = lstm(x[:, None], (state.hidden, state.cell))
        ours, _ = module.step(x, state)
        runs = [
            lambda x=x, s=state, m=lstm: m(x[:, None], (s.hidden, s.cell)),
            lambda x=x, s=state, m=module: m.step(x, s),
        ]
        a, b = medians(runs, 20, block=20)
        gap = (theirs[:, 0] - ours).abs().max().item()
        sizes = f"{input_size:6d} {hidden_size:8d}"
        print(f"{'':24}{sizes} {a * 1e6:11.0f} {b * 1e6:9.0f} {a / b:7.1f} {gap:13.1e}")


def measure_unrolls() -> None:
    print("training unroll      in    units   batch  steps   nn.LSTM ms   full ms   60 % valid ms")
    for input_size, hidden_size, batch, steps in UNROLL_SIZES:
        module = Recurrent(input_size, hidden_size, init="modern")
        lstm = twin(module, input_size)
        x = torch.randn(batch, steps, input_size)
        lengths = torch.linspace(0.2, 1.0, batch).mul(steps).round().long()
        valid = torch.arange(steps) < lengths[:, None]
        runs = [
            lambda x=x, m=lstm: m(x)[0].sum().backward(),
            lambda x=x, m=module: m.unroll(x)[0].sum().backward(),
            lambda x=x, m=module, v=valid: m.unroll(x, valid_mask_BT=v)[0].sum().backward(),
        ]
        a, b, c = medians(runs, 15)
        sizes = f"{input_size:6d} {hidden_size:8d} {batch:7d} {steps:6d}"
        print(f"{'':17}{sizes} {a * 1e3:12.1f} {b * 1e3:9.1f} {c * 1e3:15.1f}")


def main() -> None:
    if len(sys.argv) > 1:
        torch.set_num_threads(int(sys.argv[1]))
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    measure_steps()
    measure_unrolls()


if __name__ == "__main__":
    main()
