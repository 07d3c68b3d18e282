"""Progress on standard error: bars on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

ProgressCallback = Callable[[str, int, int], None]
"""Called with the name of the work, the number of finished items, and their total."""

LINE_SECONDS = 10.0
"""Seconds between two lines where standard error is no terminal, such as a log file; shorter work prints none."""


class ProgressLines:
    """Lines for a log: the first after ``LINE_SECONDS``, then one for each ``LINE_SECONDS``.

    Args:
        quiet: print nothing.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._quiet, self._begun = quiet, time.monotonic()
        self._printed = self._begun

    def update(self, text: Callable[[], str]) -> None:
        """Print ``text()`` and the seconds so far, if it is time for a line."""
        now = time.monotonic()
        if not self._quiet and now - self._printed >= LINE_SECONDS:
            self._printed = now
            print(f"{text()}, {now - self._begun:.0f} s", file=sys.stderr, flush=True)


class Progress:
    """A bar over epochs with the latest numbers beside it, or lines where standard error is no terminal.

    Args:
        title: what is going on.
        total: number of epochs.
        done: epochs already done.
        quiet: show nothing at all.
    """

    def __init__(self, title: str, total: int, done: int = 0, quiet: bool = False) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self._bars, terminal = _bars(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            quiet=quiet,
        )
        self._lines = ProgressLines(quiet or terminal)
        self._title, self._total, self._done, self._numbers = title, total, done, ""
        self._task = self._bars.add_task(title, total=total, completed=done, numbers="")

    def __enter__(self) -> Progress:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def step(self, share: float) -> None:
        """Within an epoch: ``share`` of its steps are done."""
        done = self._done + share
        self._bars.update(self._task, completed=done)
        self._lines.update(lambda: f"{self._title}: {done:.1f} of {self._total}{self._numbers}")

    def share(self, done: int, total: int) -> None:
        """Within an epoch: ``done`` of ``total`` are done."""
        self.step(done / max(total, 1))

    def epoch(self, done: int, name: str, score: float, best: float, loss: float) -> None:
        """An epoch is done; show its loss and its dev number, as it is written, and the best so far."""
        self._done = done
        text = f"loss {loss:.3f}  dev {name} {score:.2f}  best {best:.2f}"
        self._numbers = f"  {text}"
        self._bars.update(self._task, completed=done, numbers=text)
        self._lines.update(lambda: f"{self._title}: {done} of {self._total}{self._numbers}")


@contextmanager
def progress_bar(quiet: bool = False) -> Iterator[ProgressCallback]:
    """A callback (title, done, total) that drives a bar on a terminal, and prints lines elsewhere.

    The bars are there only while something is to be done, so that others (training's) may be shown in between.

    Args:
        quiet: show nothing at all.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bars, terminal = _bars(*columns, quiet=quiet, transient=True)
    tasks: dict[str, Any] = {}
    lines: dict[str, ProgressLines] = {}
    begun: dict[str, float] = {}

    def step(title: str, done: int, total: int) -> None:
        if title not in tasks:
            tasks[title] = bars.add_task(title, total=total)
            lines[title], begun[title] = ProgressLines(quiet or terminal), time.monotonic()
        bars.update(tasks[title], completed=done, total=total)
        lines[title].update(lambda: f"{title}: {done} of {total}{_left(done, total, time.monotonic() - begun[title])}")
        if done < total:
            bars.start()
        else:
            bars.remove_task(tasks.pop(title))
            if not tasks:
                bars.stop()

    try:
        yield step
    finally:
        bars.stop()


def _left(done: int, total: int, seconds: float) -> str:
    """Rate and time left, for a line; empty where nothing is done yet."""
    if not done or seconds <= 0:
        return ""
    rate, left = done / seconds, round((total - done) * seconds / done)
    shown = f"{rate:.1f} a second" if rate >= 1 else f"{rate * 60:.1f} a minute"
    return f" ({shown}, {left // 3600}:{left // 60 % 60:02}:{left % 60:02} left)"


def _bars(*columns: Any, quiet: bool, transient: bool = False) -> tuple[Any, bool]:
    """Rich's bars on standard error, and whether that is a terminal; elsewhere they show nothing."""
    from rich.console import Console
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    disable = quiet or not console.is_terminal
    return Bars(*columns, console=console, transient=transient, disable=disable), console.is_terminal
