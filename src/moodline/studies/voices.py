"""What the predictions of one run say without any training: single experts, votes, gate weights, classes, one talk."""

from __future__ import annotations

from typing import Any

import numpy as np

from moodline.metrics import Floats, Ints, confusion, f1_from_confusion, percent
from moodline.studies.numbers import DRAWS, RunNumbers, difference, f1_of, spread

SHORTEST, LONGEST = 8, 40
RULE = (
    f"Of the test conversations with {SHORTEST} to {LONGEST} labelled utterances, the one in which the first seed's "
    "experts contradict each other in the largest share of utterances; of equal ones the first."
)


def voices(base: RunNumbers, draws: int = DRAWS) -> list[dict[str, Any]]:
    """The mixture, each expert alone, their majority vote and the average of their probabilities.

    Returns:
        for each ``name``, ``test`` (weighted F1 over seeds) and, but for the mixture, ``versus_mixture``: the paired
        test, voice minus mixture. Nothing for a model with one expert.
    """
    p = base.predictions
    if len(p.experts) < 2:
        return []
    said = {f"{name} expert": classes for name, classes in p.experts.items()}
    said["majority vote of the experts"] = majority(base)
    said["average of the experts' probabilities"] = average(base).argmax(-1)
    found: list[dict[str, Any]] = [{"name": "mixture", "test": f1_of(base.counts)}]
    for name, classes in said.items():
        counts = base.counts_of(classes)
        test = difference(base.counts, counts, draws)
        found.append({"name": name, "test": f1_of(counts), "versus_mixture": test})
    return found


def majority(run: RunNumbers) -> Ints:
    """[S, N] the class that most experts name; of equally many, the one with the larger sum of probabilities.

    An expert that cannot say anything of an utterance (its gate weight is 0) does not vote.
    """
    p = run.predictions
    votes = np.zeros((*p.predicted.shape, len(p.labels)))
    for name, classes in p.experts.items():
        votes += np.eye(len(p.labels))[classes] * (p.weights[name] > 0)[..., None]
    return (votes + average(run) / 2).argmax(-1)  # an average is at most 1, so it only decides between equals


def average(run: RunNumbers) -> Floats:
    """[S, N, C] the experts' probabilities, averaged over those that can say anything of the utterance."""
    p = run.predictions
    can = {name: (w > 0)[..., None].astype(float) for name, w in p.weights.items()}
    total = np.sum([p.expert_scores[name] * can[name] for name in p.experts], axis=0)
    return total / np.maximum(np.sum(list(can.values()), axis=0), 1)


def gate(base: RunNumbers) -> dict[str, Any]:
    """Mean gate weights, over seeds and by true class: ``mean, sd, per_class``. Empty for a model with one expert."""
    p = base.predictions
    if len(p.experts) < 2:
        return {}
    of_seed = {name: w.mean(1) for name, w in p.weights.items()}
    return {
        "mean": {name: round(float(w.mean()), 4) for name, w in of_seed.items()},
        "sd": {name: spread(list(w), 4)["sd"] for name, w in of_seed.items()},
        "per_class": {
            label: {name: round(float(w[:, p.truth == c].mean()), 4) for name, w in p.weights.items()}
            for c, label in enumerate(p.labels)
            if (p.truth == c).any()
        },
    }


def classes(base: RunNumbers) -> dict[str, Any]:
    """F1 of each class over seeds (``per_class``) and the confusion counts of all seeds together (``confusion``)."""
    p = base.predictions
    f1 = f1_from_confusion(base.counts.sum(1))
    total = sum(confusion(p.truth, row, len(p.labels)) for row in p.predicted)
    return {
        "per_class": {
            label: {"f1": spread([percent(x) for x in f1[:, c]]), "support": int((p.truth == c).sum())}
            for c, label in enumerate(p.labels)
        },
        "confusion": np.asarray(total).tolist(),
    }


def case(base: RunNumbers) -> dict[str, Any]:
    """One conversation, chosen by ``RULE``: ids, labels, what each expert said, gate weights; no words.

    Returns:
        ``rule, conversation, seed, disagreement`` and ``utterances``; empty for a model with one expert.
    """
    p = base.predictions
    if len(p.experts) < 2:
        return {}
    said = np.stack([row[0] for row in p.experts.values()])  # [K, N]
    apart = (said != said[0]).any(0)
    groups = [np.flatnonzero(p.clusters == g) for g in range(int(p.clusters.max()) + 1)]
    fitting = [g for g in groups if SHORTEST <= len(g) <= LONGEST] or groups
    chosen = max(fitting, key=lambda g: apart[g].mean())
    return {
        "rule": RULE,
        "conversation": p.conversations[chosen[0]],
        "seed": p.seeds[0],
        "disagreement": round(float(apart[chosen].mean()), 3),
        "utterances": [
            {
                "id": p.utterances[n],
                "label": p.labels[p.truth[n]],
                "mixture": p.labels[p.predicted[0, n]],
                "experts": {name: p.labels[row[0, n]] for name, row in p.experts.items()},
                "weights": {name: round(float(w[0, n]), 3) for name, w in p.weights.items()},
            }
            for n in chosen
        ],
    }
