"""A prediction as a table of pandas and of a notebook."""

from __future__ import annotations

import html.parser
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from moodline.core.labels import ValueScale
from moodline.core.prediction import Prediction, UtterancePrediction

pandas = pytest.importorskip("pandas")
EVIL = "<script>alert('x')</script> & \"so\""


def utterance(name: str, start: float | None, joy: float) -> UtterancePrediction:
    probabilities = dict(sorted({"neutral": 1 - joy, "joy": joy}.items(), key=lambda pair: -pair[1]))
    return UtterancePrediction(
        id=name,
        speaker="Ada" if start is None else None,
        start=start,
        end=None if start is None else start + 1.5,
        text=EVIL,
        probabilities=probabilities,
        abstained=joy < 0.5,
        experts={"text": {"neutral": 0.2, "joy": 0.8}, "speech": {"neutral": 0.9, "joy": 0.1}},
        weights={"text": 0.7, "speech": 0.3},
        uncertainty={"text": 0.5} if start is None else {},
    )


CLASSES = Prediction(
    "talk", "a <model>", "1", ("neutral", "joy"), (utterance("a", None, 0.75), utterance("b", 61.25, 0.25))
)
VALUES = replace(
    CLASSES,
    labels=(),
    scale=ValueScale("sentiment", -3.0, 3.0),
    level=0.9,
    utterances=tuple(
        replace(u, probabilities={}, experts={}, value=1.0, interval=(0.5, 1.5), expert_values={"text": 2.0})
        for u in CLASSES.utterances
    ),
)


def test_the_table_is_indexed_as_audformat_s_is() -> None:
    table = replace(CLASSES, media=Path("call.wav")).to_dataframe()
    assert table.index.names == ["file", "start", "end"]
    assert [str(kind) for kind in table.index.dtypes] == ["string", "timedelta64[ns]", "timedelta64[ns]"]
    assert list(table.index.get_level_values("file")) == ["call.wav"] * 2
    assert pandas.isna(table.index[0][1])
    assert pandas.isna(table.index[0][2])
    assert table.index[1][1:] == (pandas.Timedelta(seconds=61.25), pandas.Timedelta(seconds=62.75))
    assert set(CLASSES.to_dataframe().index.get_level_values("file")) == {"talk"}
    audformat = pytest.importorskip("audformat")
    own = audformat.segmented_index(["call.wav"], [pandas.Timedelta(seconds=61.25)], [pandas.Timedelta(seconds=62.75)])
    assert list(own.dtypes) == list(table.index.dtypes)
    assert table.loc[own]["id"].to_list() == ["b"]
    assert audformat.utils.to_segmented_index(table).index.equals(table.index)


def test_the_columns_of_classes() -> None:
    table = CLASSES.to_dataframe()
    assert table["emotion"].to_list() == ["joy", "neutral"]
    assert table["confidence"].to_list() == [0.75, 0.75]
    assert table["abstained"].to_list() == [False, True]
    assert table["probability_joy"].to_list() == [0.75, 0.25]
    assert table["weight_speech"].to_list() == [0.3, 0.3]
    assert table["uncertainty_text"].isna().to_list() == [False, True]
    assert "value" not in table


def test_the_columns_of_values() -> None:
    table = VALUES.to_dataframe()
    assert table[["value", "value_low", "value_high", "value_text"]].iloc[0].to_list() == [1.0, 0.5, 1.5, 2.0]
    assert table["value_speech"].isna().all()
    assert "emotion" not in table


@pytest.mark.parametrize("prediction", [CLASSES, VALUES], ids=["classes", "values"])
def test_the_columns_are_those_of_the_csv_file(prediction: Prediction) -> None:
    from moodline.report.write import prediction_rows

    table = prediction.to_dataframe()
    columns = [name for name in prediction_rows([prediction])[0] if name not in ("start", "end")]
    assert list(table.columns) == columns


def test_no_utterance_is_an_empty_table() -> None:
    table = replace(CLASSES, utterances=()).to_dataframe()
    assert len(table) == 0
    assert [str(kind) for kind in table.index.dtypes] == ["string", "timedelta64[ns]", "timedelta64[ns]"]


def test_without_pandas_one_line_says_how_to_get_it() -> None:
    code = """
import sys
sys.modules["pandas"] = None  # as if it were not installed
from moodline import MoodlineError, Prediction
try:
    Prediction("c", "m", "1", (), ()).to_dataframe()
except MoodlineError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (line,) = done.stdout.splitlines()
    assert line.startswith("Prediction.to_dataframe needs the package pandas")
    assert "pandas]" in line


class Reader(html.parser.HTMLParser):
    """The names of elements, whether they nest, and the text outside of them."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.seen, self.words = list[str](), list[str](), list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.mark.parametrize("prediction", [CLASSES, VALUES], ids=["classes", "values"])
def test_a_notebook_shows_a_table_with_every_text_escaped(prediction: Prediction) -> None:
    given = replace(
        prediction,
        conversation=EVIL,
        notes=(EVIL,),
        utterances=tuple(replace(u, speaker=EVIL, weights={EVIL: 1.0}) for u in prediction.utterances),
    )
    reader = Reader()
    reader.feed(given._repr_html_())
    reader.close()
    assert not reader.open
    assert set(reader.seen) <= {"div", "p", "b", "span", "table", "thead", "tbody", "tr", "th", "td", "br"}
    assert reader.words.count(EVIL) == 2 + 2 * 2  # name and note; speaker and text of both
    assert reader.seen.count("tr") == 3
    assert "1:01.2" in reader.words
    shown = " ".join(reader.words)
    assert ("75%" in shown and "(abstained)" in shown) if prediction.scale is None else "0.50 to 1.50" in shown


def test_the_notebook_s_table_leaves_out_empty_columns() -> None:
    bare = replace(
        CLASSES, utterances=tuple(replace(u, start=None, end=None, speaker=None) for u in CLASSES.utterances)
    )
    heads = bare._repr_html_().split("</thead>")[0]
    assert "Time" not in heads
    assert "Speaker" not in heads
    assert "text 70%: joy<br>speech 30%: neutral" in bare._repr_html_()
