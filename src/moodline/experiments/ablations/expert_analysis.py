"""What the predictions of one run say without any training: single experts, votes, gate weights, classes, one talk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodline.evaluation.headline import DRAWS
from moodline.evaluation.metrics import Floats, Ints, confusion, f1_from_confusion, mean_and_sd, percent
from moodline.evaluation.tasks import Classification, Regression
from moodline.experiments.ablations.run_metrics import RunNumbers

SHORTEST, LONGEST = 8, 40
_OF = f"Of the test conversations with {SHORTEST} to {LONGEST} labelled utterances, the one in which the first seed's "
RULE = _OF + "experts contradict each other in the largest share of utterances; of equal ones the first."
SCORE_RULE = (
    _OF.replace("labelled", "scored") + "experts' scores lie furthest apart, on average; of equal ones the first."
)
PARTS = 3
"""Gate weights are reported for so many equal parts of the range of values."""


class Analysis(ABC):
    """What differs between classes and values.

    Attributes:
        rule: how the conversation of ``case`` is chosen.
        parts: the key of gate weights by what is true.
    """

    rule: str
    parts: str

    @abstractmethod
    def answers(self, p: Any, expert: str) -> Floats:
        """[S, N, C] an expert's probabilities; of values [S, N, 1]."""

    @abstractmethod
    def ungated(self, base: RunNumbers) -> dict[str, NDArray[Any]]:
        """Name to [S, N], what the experts say together without a gate."""

    @abstractmethod
    def by_truth(self, p: Any, weights: Any) -> Any:
        """Mean gate weights by what is true, from ``weights`` of a mask [N]."""

    @abstractmethod
    def target(self, base: RunNumbers) -> dict[str, Any]:
        """See ``target``."""

    @abstractmethod
    def disagreement(self, p: Any) -> Floats:
        """[N] how much the first seed's experts disagree."""

    @abstractmethod
    def answers_of(self, p: Any, n: Any) -> dict[str, Any]:
        """The truth of utterance ``n``, and the answers of the first seed's mixture and experts."""


class ClassAnalysis(Analysis):
    """Classes."""

    rule, parts = RULE, "per_class"

    def answers(self, p: Any, expert: str) -> Floats:
        """Probabilities."""
        found: Floats = p.expert_probabilities[expert]
        return found

    def ungated(self, base: RunNumbers) -> dict[str, NDArray[Any]]:
        """A majority vote, and the average of probabilities."""
        return {
            "majority vote of the experts": majority(base),
            "average of the experts' probabilities": average(base).argmax(-1),
        }

    def by_truth(self, p: Any, weights: Any) -> dict[str, dict[str, float]]:
        """By class."""
        every = {label: p.truth == c for c, label in enumerate(p.labels)}
        return {label: weights(here) for label, here in every.items() if here.any()}

    def target(self, base: RunNumbers) -> dict[str, Any]:
        """Labels, the F1 of each over seeds, and the confusion counts of all seeds together."""
        p: Any = base.predictions
        f1 = f1_from_confusion(base.sums.sum(1))
        total = sum(confusion(p.truth, row, len(p.labels)) for row in p.predicted)
        return {
            "labels": list(p.labels),
            "per_class": {
                label: {"f1": mean_and_sd([percent(x) for x in f1[:, c]]), "support": int((p.truth == c).sum())}
                for c, label in enumerate(p.labels)
            },
            "confusion": np.asarray(total).tolist(),
        }

    def disagreement(self, p: Any) -> Floats:
        """1 where experts that have something to read contradict each other, else 0."""
        answers = np.stack([row[0] for row in p.experts.values()])  # [K, N]
        can = np.stack([p.weights[name][0] > 0 for name in p.experts])
        least = np.where(can, answers, len(p.labels)).min(0)
        most = np.where(can, answers, -1).max(0)
        return (most > least).astype(np.float64)

    def answers_of(self, p: Any, n: Any) -> dict[str, Any]:
        """Labels."""
        experts = {name: p.labels[row[0, n]] for name, row in p.experts.items()}
        return {"label": p.labels[p.truth[n]], "mixture": p.labels[p.predicted[0, n]], "experts": experts}


class ValueAnalysis(Analysis):
    """Values."""

    rule, parts = SCORE_RULE, "per_range"

    def answers(self, p: Any, expert: str) -> Floats:
        """Values."""
        found: Floats = p.experts[expert][..., None]
        return found

    def ungated(self, base: RunNumbers) -> dict[str, NDArray[Any]]:
        """The average."""
        return {"average of the experts' scores": average(base)[..., 0]}

    def by_truth(self, p: Any, weights: Any) -> list[dict[str, Any]]:
        """By equal parts of the range."""
        edges = np.linspace(p.scale.low, p.scale.high, PARTS + 1)
        part = np.clip(np.digitize(p.truth, edges) - 1, 0, PARTS - 1)  # a value on an edge belongs to the part above

        def rows() -> Iterator[dict[str, Any]]:
            for n in range(PARTS):
                here = part == n
                if here.any():
                    low, high = round(float(edges[n]), 4), round(float(edges[n + 1]), 4)
                    yield {"low": low, "high": high, "utterances": int(here.sum()), "weights": weights(here)}

        return list(rows())

    def target(self, base: RunNumbers) -> dict[str, Any]:
        """The task, no labels, and the scale."""
        p: Any = base.predictions
        scale = {"name": p.scale.name, "low": p.scale.low, "high": p.scale.high}
        return {"task": base.task, "labels": [], "scale": scale}

    def disagreement(self, p: Any) -> Floats:
        """The distance between the least and the greatest value, of experts whose modality is there."""
        said = np.stack([row[0] for row in p.experts.values()])  # [K, N]
        can = np.stack([p.weights[name][0] > 0 for name in p.experts])
        least, most = np.where(can, said, np.inf).min(0), np.where(can, said, -np.inf).max(0)
        return np.maximum(most - least, 0.0)

    def answers_of(self, p: Any, n: Any) -> dict[str, Any]:
        """Values."""
        experts = {name: round(float(row[0, n]), 3) for name, row in p.experts.items()}
        return {"score": round(float(p.truth[n]), 3), "mixture": round(float(p.predicted[0, n]), 3), "experts": experts}


ANALYSES: dict[str, Analysis] = {Classification.key: ClassAnalysis(), Regression.key: ValueAnalysis()}


def analysis_of(task: str) -> Analysis:
    """What is done for a task, by its key."""
    return ANALYSES[task]


def voices(base: RunNumbers, draws: int = DRAWS) -> list[dict[str, Any]]:
    """The mixture, each expert alone, and what they say together without a gate.

    Together: of classes by majority vote and by the average of probabilities, of values by their average.

    Returns:
        for each ``name``, ``test`` (the headline metric over seeds) and, but for the mixture, ``versus_mixture``: the
        paired test, voice minus mixture. Nothing for a model with one expert.
    """
    p = base.predictions
    if len(p.experts) < 2:
        return []
    said: dict[str, NDArray[Any]] = {f"{name} expert": answers for name, answers in p.experts.items()}
    said |= analysis_of(p.task).ungated(base)
    measure = base.measure
    found: list[dict[str, Any]] = [{"name": "mixture", "test": measure.over_seeds(base.sums)}]
    for name, answers in said.items():
        sums = base.sums_of(answers)
        test = measure.difference(base.sums, sums, draws)
        found.append({"name": name, "test": measure.over_seeds(sums), "versus_mixture": test})
    return found


def majority(run: RunNumbers) -> Ints:
    """[S, N] the class that most experts name; of equally many, the one with the larger sum of probabilities.

    An expert that cannot say anything of an utterance (its gate weight is 0) does not vote.
    """
    p: Any = run.predictions
    votes = np.zeros((*p.predicted.shape, len(p.labels)))
    for name, classes in p.experts.items():
        votes += np.eye(len(p.labels))[classes] * (p.weights[name] > 0)[..., None]
    return (votes + average(run) / 2).argmax(-1)  # an average is at most 1, so it only decides between equals


def average(run: RunNumbers) -> Floats:
    """[S, N, C] the experts' probabilities (values: [S, N, 1]), averaged over those whose modality is there."""
    p = run.predictions
    can = {name: (w > 0)[..., None].astype(float) for name, w in p.weights.items()}
    total = np.sum([analysis_of(p.task).answers(p, name) * can[name] for name in p.experts], axis=0)
    return total / np.maximum(np.sum(list(can.values()), axis=0), 1)


def gate(base: RunNumbers) -> dict[str, Any]:
    """Mean gate weights, over seeds and by what is true.

    Returns:
        ``mean, sd`` and ``per_class``, of values ``per_range``: for equal parts of their range ``low, high``,
        ``utterances`` and ``weights``. Empty for a model with one expert.
    """
    p = base.predictions
    if len(p.experts) < 2:
        return {}
    of_seed = {name: w.mean(1) for name, w in p.weights.items()}

    def weights(here: NDArray[np.bool_]) -> dict[str, float]:
        return {name: round(float(w[:, here].mean()), 4) for name, w in p.weights.items()}

    analysis = analysis_of(p.task)
    return {
        "mean": {name: round(float(w.mean()), 4) for name, w in of_seed.items()},
        "sd": {name: mean_and_sd(list(w), 4)["sd"] for name, w in of_seed.items()},
        analysis.parts: analysis.by_truth(p, weights),
    }


def target(base: RunNumbers) -> dict[str, Any]:
    """What the runs learn, and the base's numbers that only this task has.

    Returns:
        Of classes ``labels``, the F1 of each over seeds (``per_class``) and the confusion counts of all seeds together
        (``confusion``); of values ``task``, no ``labels``, and their ``scale``.
    """
    return analysis_of(base.task).target(base)


def case(base: RunNumbers) -> dict[str, Any]:
    """One conversation, chosen by a rule: ids, truth, what each expert said, gate weights; no words.

    Returns:
        ``rule, conversation, seed, disagreement`` (the share of utterances in which the experts contradict each other;
        of values the mean distance between the least and the greatest) and ``utterances``; empty for a model with one
        expert.
    """
    p = base.predictions
    if len(p.experts) < 2:
        return {}
    analysis = analysis_of(p.task)
    apart = analysis.disagreement(p)
    groups = [np.flatnonzero(p.clusters == g) for g in range(int(p.clusters.max()) + 1)]
    fitting = [g for g in groups if SHORTEST <= len(g) <= LONGEST] or groups
    chosen = max(fitting, key=lambda g: apart[g].mean())
    return {
        "rule": analysis.rule,
        "conversation": p.conversations[chosen[0]],
        "seed": p.seeds[0],
        "disagreement": round(float(apart[chosen].mean()), 3),
        "utterances": [
            {"id": p.utterances[n], **analysis.answers_of(p, n)}
            | {"weights": {name: round(float(w[0, n]), 3) for name, w in p.weights.items()}}
            for n in chosen
        ],
    }
