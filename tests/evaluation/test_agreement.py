"""Cohen's kappa against scikit-learn's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from moodline.evaluation.agreement import agreement, cohens_kappa

labels = st.sampled_from(["joy", "anger", "neutral"])


@given(st.lists(st.tuples(labels, labels), min_size=2, max_size=40))
def test_kappa_is_that_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    found = cohens_kappa(pairs)
    if found is None:
        assert len({a for pair in pairs for a in pair}) == 1
    else:
        first, second = zip(*pairs, strict=True)
        assert found == pytest.approx(cohen_kappa_score(first, second), abs=1e-9)


def test_classes_and_confusion() -> None:
    found = agreement([("joy", "joy"), ("joy", "anger"), ("joy", "anger"), ("neutral", "neutral")])
    assert (found.utterances, found.observed) == (4, 0.5)
    assert [(c.label, c.first, c.second, c.both) for c in found.classes] == [
        ("joy", 3, 1, 1), ("anger", 0, 2, 0), ("neutral", 1, 1, 1),
    ]  # fmt: skip
    assert found.classes[0].specific == 0.5
    assert found.confusion == (("joy", "anger", 2),)
