"""The words of an experiment's page and pictures that depend on what its models learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from moodline.evaluation.tasks import Classification, Regression, task_in


@dataclass(frozen=True)
class Words:
    """Words for classes, or for values.

    Args:
        together: the beginning of a sentence about what experts say without a gate.
        all_of: the row of all utterances, in bold, in the table of gate weights.
        everything: the same in its picture.
        by: what gate weights are shown by.
        truth: the head of the column of what is true.
        key: what an utterance of ``case`` calls the truth, and the head of its column.
        shown: an answer and the truth to the cell.
        apart: how far the experts of ``case`` are apart, from the disagreement.
        title: the corpus, and what is learned of it.
        gate_rows: from ``gate`` of the file to mean gate weights by what is true.
        sections: names of sections of the page that only this task has.
        case: the name of the picture of one conversation.
        plots: names of further pictures.
    """

    together: str
    all_of: str
    everything: str
    by: str
    truth: str
    key: str
    shown: Callable[[Any, Any], str]
    apart: Callable[[float], str]
    title: Callable[[Mapping[str, Any]], str]
    gate_rows: Callable[[Mapping[str, Any]], dict[str, dict[str, float]]]
    sections: tuple[str, ...]
    case: str
    plots: tuple[str, ...]

    def all_gate_rows(self, gate: Mapping[str, Any]) -> dict[str, dict[str, float]]:
        """The mean over all utterances, then by what is true."""
        return {self.everything: gate["mean"], **self.gate_rows(gate)}


def signed(x: float, digits: int = 1) -> str:
    """A difference with its sign; a zero has none."""
    text = f"{x:+.{digits}f}".replace("-", "−")
    return text[1:] if float(text[1:]) == 0 else text


def range_name(limits: Mapping[str, float]) -> str:
    """``low`` and ``high`` in words."""
    return f"{limits['low']:.3g} to {limits['high']:.3g}".replace("-", "−")


WORDS = {
    Classification.key: Words(
        together="The vote and the average leave",
        all_of="all classes",
        everything="all classes",
        by="class",
        truth="true class",
        key="label",
        shown=lambda answer, label: answer if answer == label else f"*{answer}*",
        apart=lambda x: f"they contradict each other in {x:.0%}. Wrong answers are in italics.",
        title=lambda data: data["corpus"],
        gate_rows=lambda gate: dict(gate["per_class"]),
        sections=("classes",),
        case="case",
        plots=("per-class-f1", "confusion"),
    ),
    Regression.key: Words(
        together="The average leaves",
        all_of="all",
        everything="all scores",
        by="score",
        truth="true score",
        key="score",
        shown=lambda answer, _: signed(answer, 2),
        apart=lambda x: (
            f"the least and the greatest are {x:.2f} apart. An expert of weight 0 knows nothing of the utterance."
        ),
        title=lambda data: f"{data['corpus']}, {data['scale']['name']} scores from {range_name(data['scale'])}",
        gate_rows=lambda gate: {range_name(row): row["weights"] for row in gate["per_range"]},
        sections=(),
        case="value-case",
        plots=(),
    ),
}


def words_of(data: Mapping[str, Any]) -> Words:
    """The words for the content of an ``experiment.json``."""
    return WORDS[task_in(data).key]
