"""The table in the terminal and the summary below it."""

from __future__ import annotations

import dataclasses
import io
import subprocess
import sys
from collections.abc import Callable

import pytest
from rich.console import Console

from moodline.core.prediction import Prediction
from moodline.report.table import mood_summary, prediction_table

Make = Callable[..., Prediction]


def shown(what: object, width: int = 120, **options: object) -> str:
    console = Console(file=io.StringIO(), width=width, **options)
    console.print(what)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_table_shows_everything_without_colour(make: Make) -> None:
    text = shown(prediction_table(make()))
    for part in (
        "talk",
        "tiny · Moodline 0.1.0",
        "0:00",
        "1:01:01",
        "Ann",
        "Did you see that?",
        "joy",
        "81%",
        "anger?",
    ):
        assert part in text
    assert "speech .3 text .3 fusion .3" in text
    assert "\x1b" not in text


def test_columns_that_would_be_empty_are_left_out(make: Make) -> None:
    prediction = make(timed=False, experts=("text",))
    silent = tuple(dataclasses.replace(u, speaker=None) for u in prediction.utterances)
    text = shown(prediction_table(dataclasses.replace(prediction, utterances=silent)))
    assert "time" not in text
    assert "speaker" not in text
    assert "text 1.00" in text


@pytest.mark.parametrize("width", [50, 80, 110, 200])
def test_no_line_is_longer_than_the_terminal(make: Make, width: int) -> None:
    assert max(map(len, shown(prediction_table(make()), width).splitlines())) <= width


def test_at_eighty_columns_emotion_and_experts_are_whole(make: Make) -> None:
    lines = shown(prediction_table(make()), 80).splitlines()
    row = next(n for n, line in enumerate(lines) if "81%" in line)
    assert "joy" in lines[row]
    assert [line.rstrip().split("  ")[-1].strip() for line in lines[row : row + 3]] == [
        "speech .3",
        "text .3",
        "fusion .3",
    ]


def test_text_cannot_steer_the_terminal_nor_the_markup(make: Make) -> None:
    prediction = make()
    evil = dataclasses.replace(prediction.utterances[0], text="[red]a[/red]\x1b[2J\x07\nb", speaker="\x1b]0;x\x07Bo")
    prediction = dataclasses.replace(prediction, utterances=(evil,))
    for text in (shown(prediction_table(prediction)), shown(mood_summary(prediction))):
        assert "\x1b" not in text
        assert "\x07" not in text
    assert "[red]a[/red][2J b" in shown(prediction_table(prediction))


def test_emotions_are_coloured_where_colours_are_shown(make: Make) -> None:
    assert "\x1b[33mjoy" in shown(prediction_table(make()), force_terminal=True, color_system="standard")


def test_a_terminal_without_unicode_gets_none_in_the_frame(make: Make) -> None:
    prediction = make()
    prediction = dataclasses.replace(prediction, utterances=prediction.utterances[:1])
    buffer = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="replace")
    Console(file=buffer, width=100).print(prediction_table(prediction))
    buffer.flush()
    body = buffer.buffer.getvalue().decode()  # type: ignore[attr-defined]
    assert "81%" in body
    assert "---" in body


def test_the_summary_has_one_line_for_every_speaker(make: Make) -> None:
    prediction = make()
    again = dataclasses.replace(prediction.utterances[0], id="u9", probabilities={"neutral": 1.0})
    prediction = dataclasses.replace(prediction, utterances=(*prediction.utterances, again))
    assert mood_summary(prediction).plain.splitlines() == [
        "Ann                    joy 50% · neutral 50%  (2 turns)",
        "SPEAKER_00             unsure 100%  (1 turn)",
        "the man from upstairs  neutral 100%  (1 turn)",
        "unknown speaker        joy 100%  (1 turn)",
    ]


def test_the_summary_of_an_unnamed_conversation_and_of_many_emotions(make: Make) -> None:
    one = make().utterances[0]
    utterances = tuple(
        dataclasses.replace(one, id=str(n), speaker=None, probabilities={label: 1.0})
        for n, label in enumerate("aaabbcdef")
    )
    prediction = dataclasses.replace(make(), utterances=utterances)
    assert mood_summary(prediction).plain == "everyone  a 33% · b 22% · c 11% · d 11% · other 22%  (9 turns)"


def test_importing_the_table_does_not_import_rich() -> None:
    code = "import sys, moodline.report.table, moodline.report.write; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"rich", "matplotlib", "pyarrow", "torch"} & set(loaded)
