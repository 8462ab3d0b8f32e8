"""What a run tells: a JSON-lines file and TensorBoard events always, a progress bar to people."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

LOG_NAME = "log.jsonl"


class RunLog:
    """The log of one run. With `run_dir=None` (processes other than the first) it is silent.

    Args:
        run_dir: Where `log.jsonl` and the event file go.
        quiet: No progress bar and no lines on stderr.
        resume_step: Lines of later steps are dropped: they will be written again.
    """

    def __init__(
        self, run_dir: Path | None, *, quiet: bool = False, resume_step: int | None = None
    ) -> None:
        self.console = Console(stderr=True, quiet=quiet or run_dir is None, highlight=False)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._file = None
        self._events: Any = None
        self._last_bar = 0.0
        if run_dir is None:
            return
        path = run_dir / LOG_NAME
        if resume_step is not None and path.exists():
            _drop_later_lines(path, resume_step)
        self._file = path.open("a" if resume_step is not None else "w", encoding="utf-8")
        from torch.utils.tensorboard import SummaryWriter

        self._events = SummaryWriter(str(run_dir), purge_step=resume_step)

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop_bar()
        if self._file is not None:
            self._file.close()
        if self._events is not None:
            self._events.close()

    def write(self, event: str, step: int, values: Mapping[str, Any]) -> None:
        """One line of JSON, and one event per number."""
        if self._file is None:
            return
        line = {"event": event, "step": step, **values}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        for key, value in _numbers(values):
            self._events.add_scalar(f"{event}/{key}", value, step)

    def say(self, message: str) -> None:
        """A line for people, on stderr."""
        self.console.print(message, markup=False, soft_wrap=True)

    def start_bar(self, label: str, total: int) -> None:
        """Show a bar for the coming phase."""
        self.stop_bar()
        if not (self.console.is_terminal and not self.console.quiet):
            return
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self.console,
            transient=True,
        )
        self._task = self._bar.add_task(label, total=total, note="")
        self._bar.start()

    def move_bar(self, done: int, note: str = "") -> None:
        """Move the bar; drawn at most ten times a second."""
        now = time.monotonic()
        if self._bar is not None and self._task is not None and now - self._last_bar > 0.1:
            self._last_bar = now
            self._bar.update(self._task, completed=done, note=note)

    def stop_bar(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        sys.stderr.flush()


def _numbers(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    """The plain numbers of nested values, with their path as name."""
    found: list[tuple[str, float]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            found += _numbers(value, f"{prefix}{key}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found.append((f"{prefix}{key}", float(value)))
    return found


def _drop_later_lines(path: Path, step: int) -> None:
    """Keep the lines up to `step`; a line cut short by a crash goes too."""
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line)
        except (ValueError, KeyError):
            continue
    draft = path.with_suffix(".draft")
    draft.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
    draft.replace(path)
