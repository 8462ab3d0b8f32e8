"""How long the program takes to start: `import lrcn` under 0.2 s, `lrcn --help` under 0.5 s.

    python benchmarks/startup.py

Beside them: an empty interpreter, which is part of both, and what `import torch` would add.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

CASES = {
    "empty interpreter": (["-c", "pass"], None),
    "import lrcn": (["-c", "import lrcn"], 0.2),
    "lrcn --help": (["-m", "lrcn", "--help"], 0.5),
    "lrcn evaluate --hlp (misspelt)": (["-m", "lrcn", "evaluate", "--hlp"], None),
    "import torch": (["-c", "import torch"], None),
}
ROUNDS = 9


def seconds(arguments: list[str]) -> float:
    """Median wall clock of a process, from start to exit."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], capture_output=True, check=False)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    """Measure every case and print the table."""
    measured = {name: seconds(arguments) for name, (arguments, _) in CASES.items()}
    base = measured["import torch"]
    print(f"{'case':40} {'seconds':>8} {'bound':>6} {'of import torch':>16}")
    for name, (_, bound) in CASES.items():
        limit = "" if bound is None else f"{bound:.1f}"
        print(f"{name:40} {measured[name]:8.3f} {limit:>6} {measured[name] / base:15.2f}x")


if __name__ == "__main__":
    main()
