"""Predictions in the terminal: a table of utterances, and how the mood is shared out among the speakers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from moodline.core.prediction import Prediction
from moodline.report.presentation import clean, presentation_of

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

_SPEAKER = 16  # characters of the speakers' column, at most
_WIDE = 110  # columns from which on the experts stand on one line


def prediction_table(prediction: Prediction) -> Table:
    """The utterances of a conversation as a table for ``rich``.

    Columns: number, time (if any is known), speaker (if any is known), text, emotion (followed by ``?`` where the
    recognizer abstained), confidence as a bar and in per cent, and the experts' weights. Of a regression, the
    value as a bar from the middle of the range, and the interval.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    timed = any(u.start is not None for u in prediction.utterances)
    named = any(u.speaker for u in prediction.utterances)
    table = Table(title=Text(clean(prediction.conversation)), caption=_caption(prediction), box=box.SIMPLE_HEAD)
    table.padding, table.pad_edge = (0, 1, 0, 0), False
    table.add_column("#", justify="right", style="dim", no_wrap=True)
    if timed:
        table.add_column("time", justify="right", no_wrap=True)
    if named:
        table.add_column("speaker", style="bold", min_width=_longest_word(prediction), max_width=_SPEAKER)
    table.add_column("text", ratio=1, min_width=12, overflow="fold")
    shown = presentation_of(prediction)
    for name in shown.heads:
        table.add_column(name, no_wrap=True)
    table.add_column("experts", no_wrap=True)
    for number, u in enumerate(prediction.utterances, start=1):
        cells: list[RenderableType] = [str(number)]
        if timed:
            cells.append("" if u.start is None else _clock(u.start))
        if named:
            cells.append(Text(clean(u.speaker or "")))
        cells += [Text(clean(u.text or "…")), *shown.cells(u), _Weights(u.weights, u.contradiction)]
        table.add_row(*cells)
    return table


def mood_summary(prediction: Prediction) -> Text:
    """One line for every speaker: the shares of the emotions among their utterances, the largest first.

    Utterances on which the recognizer abstained count as ``unsure``. Of a regression: the mean value, and the
    lowest and highest.
    """
    from rich.cells import cell_len, set_cell_size
    from rich.text import Text

    speakers = list(dict.fromkeys(u.speaker for u in prediction.utterances))
    names = {s: clean(s) if s else ("everyone" if len(speakers) == 1 else "unknown speaker") for s in speakers}
    width = max((cell_len(name) for name in names.values()), default=0)
    shown, lines = presentation_of(prediction), []
    for speaker in speakers:
        own = [u for u in prediction.utterances if u.speaker == speaker]
        turns = (f"  ({len(own)} {'turn' if len(own) == 1 else 'turns'})", "dim")
        mood = shown.speaker(own)
        lines.append(Text.assemble((set_cell_size(names[speaker], width + 2), "bold"), mood, turns))
    return Text("\n").join(lines)


def _caption(prediction: Prediction) -> Text:
    from rich.text import Text

    lines = [f"{clean(prediction.model)} · Moodline {clean(prediction.version)}", clean(prediction.terms)]
    return Text("\n".join(filter(None, lines)), "dim")


def _longest_word(prediction: Prediction) -> int:
    """Characters of the longest word in a speaker's name, so that narrow terminals break names between words."""
    words = (word for u in prediction.utterances for word in clean(u.speaker or "").split())
    return min(_SPEAKER, max(map(len, words), default=0))


def _clock(seconds: float) -> str:
    """``m:ss``, or ``h:mm:ss`` from one hour on; the fraction is cut off."""
    whole = int(seconds)
    minutes = f"{whole // 60 % 60:02d}" if whole >= 3600 else f"{whole // 60}"
    return (f"{whole // 3600}:" if whole >= 3600 else "") + f"{minutes}:{whole % 60:02d}"


class _Weights:
    """``text 1.00``, or ``speech .2 text .3 fusion .5``: on one line in a wide table, one below the other else.

    Below them what voice and words say where they contradict each other.
    """

    def __init__(self, weights: dict[str, float], contradiction: dict[str, str]) -> None:
        alone = len(weights) == 1
        self.contradiction = [f"{name}: {clean(label)}" for name, label in contradiction.items()]
        self.pairs = [f"{clean(name)} {f'{w:.2f}' if alone else _tenths(w)}" for name, w in weights.items()]

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        from rich.measure import Measurement

        least = max(map(len, self.contradiction), default=0)
        narrow, wide = max([least, *map(len, self.pairs)]), max(least, len(" ".join(self.pairs)))
        return Measurement(narrow, wide if console.width >= _WIDE else narrow)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        from rich.text import Text

        line = " ".join(self.pairs)
        yield Text(line if len(line) <= options.max_width else "\n".join(self.pairs))
        if self.contradiction:
            yield Text("\n".join(self.contradiction), "bold yellow")


def _tenths(weight: float) -> str:
    return f"{weight:.1f}".removeprefix("0") if weight < 0.95 else "1"
