"""Every benchmark in turn: `python -m benchmarks`, or `python -m benchmarks decoding startup`.

Each script stands for one claim, prints a table with ratios, and runs alone as well.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main(names: list[str]) -> int:
    """Run the named scripts, or all; 1 when one of them failed."""
    scripts = sorted(p for p in HERE.glob("*.py") if not p.stem.startswith("_"))
    unknown = set(names) - {script.stem for script in scripts}
    if unknown:
        print(f"no benchmark {', '.join(sorted(unknown))}; there are", *(s.stem for s in scripts))
        return 2
    failed = 0
    for script in scripts:
        if names and script.stem not in names:
            continue
        print(f"\n== {script.stem}", flush=True)
        failed += bool(subprocess.run([sys.executable, script], check=False).returncode)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
