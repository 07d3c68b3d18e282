"""How far two annotators agree: Cohen's κ, and for each class on its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ClassAgreement:
    """Agreement on one class against all others.

    Args:
        label: the class.
        first, second, both: how many utterances the first, the second, both annotators gave it.
        kappa: κ of this class against the rest; None where neither or both gave it everywhere.
        specific: specific agreement, 2 · both / (first + second), from 0 to 1; the same as F1.
    """

    label: str
    first: int
    second: int
    both: int
    kappa: float | None
    specific: float


@dataclass(frozen=True)
class Agreement:
    """Agreement of two annotators on the same utterances.

    Args:
        utterances: how many both labelled.
        observed: the share on which they agree.
        kappa: Cohen's κ; None where chance alone agrees everywhere.
        classes: each class that occurs, the most frequent first.
        confusion: (label of the first, label of the second) to number, where they differ, the most frequent first.
    """

    utterances: int
    observed: float
    kappa: float | None
    classes: tuple[ClassAgreement, ...]
    confusion: tuple[tuple[str, str, int], ...]


def cohens_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """κ = (observed − expected) / (1 − expected); None where the agreement expected by chance is 1.

    Args:
        pairs: the two labels of each utterance, at least one.
    """
    n = len(pairs)
    observed = sum(a == b for a, b in pairs) / n
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    expected = sum(first[label] * second[label] for label in first) / (n * n)
    return None if expected >= 1.0 else (observed - expected) / (1.0 - expected)


def agreement(pairs: Sequence[tuple[str, str]]) -> Agreement:
    """The agreement of two annotators.

    Args:
        pairs: the two labels of each utterance, at least one.
    """
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    both = Counter(a for a, b in pairs if a == b)
    labels = sorted(first.keys() | second.keys(), key=lambda label: (-first[label] - second[label], label))
    classes = tuple(
        ClassAgreement(
            label,
            first[label],
            second[label],
            both[label],
            cohens_kappa([(str(a == label), str(b == label)) for a, b in pairs]),
            2 * both[label] / (first[label] + second[label]),
        )
        for label in labels
    )
    differ = Counter((a, b) for a, b in pairs if a != b)
    confusion = tuple((a, b, n) for (a, b), n in sorted(differ.items(), key=lambda entry: (-entry[1], entry[0])))
    return Agreement(len(pairs), sum(both.values()) / len(pairs), cohens_kappa(pairs), classes, confusion)
