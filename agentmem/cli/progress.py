"""Bars for what takes over a second: on stderr, only on a terminal, gone when done."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from rich.progress import Progress

PATIENCE_S = 1.0


class Bar:
    """A bar that shows itself only once the work has taken a second.

    Args:
        label: what is being done.
        total: how many steps, or None where it cannot be known: then it only shows that work goes on.
        unit: `bytes`, or what the steps are.
    """

    def __init__(self, label: str, total: int | None = None, unit: str = "") -> None:
        self._label = label
        self._total = total
        self._unit = unit
        self._done = 0
        self._lock = threading.Lock()
        self._progress: Progress | None = None
        self._task: Any = None
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._timer = threading.Timer(PATIENCE_S, self._show)
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        with self._lock:
            self._timer = None
            if self._progress is not None:
                self._progress.stop()

    def advance_to(self, done: int, total: int | None = None) -> None:
        """Show that `done` steps (of `total`) are behind us."""
        with self._lock:
            self._done = done
            self._total = total or self._total
            if self._progress is not None:
                self._progress.update(self._task, completed=done, total=self._total)

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns: list[Any] = [TextColumn("{task.description}"), BarColumn()]
        if self._unit == "bytes":
            columns.append(DownloadColumn())
        elif self._total is not None:
            columns.append(MofNCompleteColumn())
        columns += (
            [TimeElapsedColumn()] if self._total is None else [TimeElapsedColumn(), TimeRemainingColumn()]
        )
        with self._lock:
            if self._timer is None:
                return
            self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._progress.add_task(self._label, total=self._total, completed=self._done)
            self._progress.start()
