"""Predictions in the terminal: a table of utterances, and how the mood is shared out among the speakers."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from moodline.core.labels import ValueScale
from moodline.core.prediction import Prediction, UtterancePrediction
from moodline.report.tiers import interval, score

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

STYLES: dict[str, tuple[str, ...]] = {
    "yellow": ("joy", "joyful", "happy", "happiness", "excited"),
    "blue": ("sad", "sadness"),
    "red": ("anger", "angry", "mad", "negative"),
    "dark_orange": ("frustrated", "frustration"),
    "magenta": ("fear", "fearful", "scared"),
    "cyan": ("surprise", "surprised"),
    "green": ("disgust", "disgusted", "positive"),
    "bright_green": ("powerful",),
    "bright_blue": ("calm", "peaceful"),
    "dim": ("neutral",),
}
"""Colour to the emotions that are shown in it; others stay plain. The word always stands beside the colour."""

_STYLE_OF = {emotion: style for style, emotions in STYLES.items() for emotion in emotions}
_BAR = 8  # characters of a full confidence bar
_HALF = 5  # of a bar of scores, on either side of the middle
_SPEAKER = 16  # characters of the speakers' column, at most
_WIDE = 110  # columns from which on the experts stand on one line
_MOST = 4  # emotions named in a line of the summary


def prediction_table(prediction: Prediction) -> Table:
    """The utterances of a conversation as a table for ``rich``.

    Columns: number, time (if any is known), speaker (if any is known), text, emotion (followed by ``?`` where the
    recognizer abstained), confidence as a bar and in per cent, and the experts' weights. Of a model of scores, the
    score as a bar from the middle of the range, and the interval.
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
    for name in ("emotion", "confidence") if prediction.scale is None else ("score", "true score expected in"):
        table.add_column(name, no_wrap=True)
    table.add_column("experts", no_wrap=True)
    for number, u in enumerate(prediction.utterances, start=1):
        cells: list[RenderableType] = [str(number)]
        if timed:
            cells.append("" if u.start is None else _clock(u.start))
        if named:
            cells.append(Text(clean(u.speaker or "")))
        said = (_emotion(u), _confidence(u)) if prediction.scale is None else (_score(u, prediction.scale), interval(u))
        cells += [Text(clean(u.text or "…")), *said, _Weights(u.weights)]
        table.add_row(*cells)
    return table


def mood_summary(prediction: Prediction) -> Text:
    """One line for every speaker: the shares of the emotions among their utterances, the largest first.

    Utterances on which the recognizer abstained count as ``unsure``. Of a model of scores: the mean score, and the
    lowest and highest.
    """
    from rich.cells import cell_len, set_cell_size
    from rich.text import Text

    speakers = list(dict.fromkeys(u.speaker for u in prediction.utterances))
    names = {s: clean(s) if s else ("everyone" if len(speakers) == 1 else "unknown speaker") for s in speakers}
    width = max((cell_len(name) for name in names.values()), default=0)
    lines = []
    for speaker in speakers:
        own = [u for u in prediction.utterances if u.speaker == speaker]
        turns = (f"  ({len(own)} {'turn' if len(own) == 1 else 'turns'})", "dim")
        if prediction.scale is not None:
            scores = [u.value or 0.0 for u in own]
            said = f"mean {score(sum(scores) / len(scores))}, from {score(min(scores))} to {score(max(scores))}"
            lines.append(Text.assemble((set_cell_size(names[speaker], width + 2), "bold"), said, turns))
            continue
        shares = Counter("unsure" if u.abstained else u.emotion for u in own).most_common()
        shown = shares if len(shares) <= _MOST + 1 else shares[:_MOST]
        parts = [
            Text(f"{clean(emotion)} {n / len(own):.0%}", _STYLE_OF.get(emotion.lower(), "")) for emotion, n in shown
        ]
        if rest := sum(n for _, n in shares[len(shown) :]):
            parts.append(Text(f"other {rest / len(own):.0%}"))
        lines.append(Text.assemble((set_cell_size(names[speaker], width + 2), "bold"), Text(" · ").join(parts), turns))
    return Text("\n").join(lines)


def clean(text: str) -> str:
    """The text on one line, without characters that could steer the terminal."""
    return "".join(c for c in " ".join(text.split()) if unicodedata.category(c) not in ("Cc", "Cs"))


def _caption(prediction: Prediction) -> Text:
    from rich.text import Text

    return Text(f"{clean(prediction.model)} · Moodline {clean(prediction.version)}", "dim")


def _longest_word(prediction: Prediction) -> int:
    """Characters of the longest word in a speaker's name, so that narrow terminals break names between words."""
    words = (word for u in prediction.utterances for word in clean(u.speaker or "").split())
    return min(_SPEAKER, max(map(len, words), default=0))


def _clock(seconds: float) -> str:
    """``m:ss``, or ``h:mm:ss`` from one hour on; the fraction is cut off."""
    whole = int(seconds)
    minutes = f"{whole // 60 % 60:02d}" if whole >= 3600 else f"{whole // 60}"
    return (f"{whole // 3600}:" if whole >= 3600 else "") + f"{minutes}:{whole % 60:02d}"


def _emotion(u: UtterancePrediction) -> Text:
    from rich.text import Text

    return Text(clean(u.emotion) + ("?" if u.abstained else ""), _STYLE_OF.get(u.emotion.lower(), ""))


def _score(u: UtterancePrediction, scale: ValueScale) -> Text:
    """A bar from the middle of the range to the score, and the score."""
    from rich.text import Text

    value = u.value or 0.0
    share = (2 * value - scale.low - scale.high) / (scale.high - scale.low)
    filled = min(_HALF, round(abs(share) * _HALF))
    bar = "█" * filled
    sides = (bar.rjust(_HALF), " " * _HALF) if share < 0 else (" " * _HALF, bar.ljust(_HALF))
    style = "red" if share < 0 else "green"
    return Text.assemble((sides[0], style), ("│", "dim"), (sides[1], style), f" {score(value):>5}")


def _confidence(u: UtterancePrediction) -> RenderableType:
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    style = "dim" if u.abstained else "default"
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=_BAR)
    grid.add_column(justify="right", width=4)
    bar = ProgressBar(total=1.0, completed=u.confidence, width=_BAR, complete_style=style, finished_style=style)
    grid.add_row(bar, f"{u.confidence:.0%}")
    return grid


class _Weights:
    """``text 1.00``, or ``speech .2 text .3 fusion .5``: on one line in a wide table, one below the other else."""

    def __init__(self, weights: dict[str, float]) -> None:
        alone = len(weights) == 1
        self.pairs = [f"{clean(name)} {f'{w:.2f}' if alone else _tenths(w)}" for name, w in weights.items()]

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        from rich.measure import Measurement

        narrow, wide = max(map(len, self.pairs), default=0), len(" ".join(self.pairs))
        return Measurement(narrow, wide if console.width >= _WIDE else narrow)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        from rich.text import Text

        line = " ".join(self.pairs)
        yield Text(line if len(line) <= options.max_width else "\n".join(self.pairs))


def _tenths(weight: float) -> str:
    return f"{weight:.1f}".removeprefix("0") if weight < 0.95 else "1"
