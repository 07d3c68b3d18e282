"""Progress bars: shown on a terminal, silent when the output is piped."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

ProgressCallback = Callable[[str, int, int], None]
"""Called with the name of the work, the number of finished items, and their total."""


class Progress:
    """A bar over epochs with the latest numbers beside it.

    Args:
        title: what is going on.
        total: number of epochs.
        done: epochs already done.
        quiet: show nothing at all.
    """

    def __init__(self, title: str, total: int, done: int = 0, quiet: bool = False) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        console = Console(stderr=True)
        self._bars = Bars(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=quiet or not console.is_terminal,
        )
        self._done = done
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
        self._bars.update(self._task, completed=self._done + share)

    def share(self, done: int, total: int) -> None:
        """Within an epoch: ``done`` of ``total`` are done."""
        self.step(done / max(total, 1))

    def epoch(self, done: int, name: str, score: float, best: float, loss: float) -> None:
        """An epoch is done; show its loss and its dev number, as it is written, and the best so far."""
        self._done = done
        text = f"loss {loss:.3f}  dev {name} {score:.2f}  best {best:.2f}"
        self._bars.update(self._task, completed=done, numbers=text)
