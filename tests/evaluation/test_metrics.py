"""Metrics and statistics against scikit-learn, plain loops and cases whose answer is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import ConfigError
from moodline.core.groups import ALONE, Groups
from moodline.evaluation.calibration import calibrate, fit_temperature, negative_log_likelihood, softmax
from moodline.evaluation.compare import compare
from moodline.evaluation.metrics import (
    abstention_threshold,
    bootstrap,
    classification_report,
    clustered_confusions,
    confusion,
    expected_calibration_error,
    interval,
    percent,
    risk_coverage,
    weighted_f1,
    weighted_f1_from_confusion,
)
from moodline.evaluation.resampling import ResamplingUnits

CLASSES = 4
pairs = st.lists(st.tuples(st.integers(0, CLASSES - 1), st.integers(0, CLASSES - 1)), min_size=1, max_size=60)
quick = settings(max_examples=60, deadline=None)


@quick
@given(pairs)
def test_weighted_f1_is_that_of_scikit_learn(rows: list[tuple[int, int]]) -> None:
    labels, predicted = np.array(rows).T
    expected = f1_score(labels, predicted, average="weighted", labels=list(range(CLASSES)), zero_division=0)
    assert weighted_f1(labels, predicted, CLASSES) == pytest.approx(expected, abs=1e-12)


@quick
@given(pairs)
def test_the_report_is_that_of_scikit_learn(rows: list[tuple[int, int]]) -> None:
    labels, predicted = np.array(rows).T
    names = ["a", "b", "c", "d"]
    report = classification_report(labels, predicted, names)
    every = {"labels": list(range(CLASSES)), "zero_division": 0}
    assert report["weighted_f1"] == percent(f1_score(labels, predicted, average="weighted", **every))
    assert report["macro_f1"] == percent(f1_score(labels, predicted, average="macro", **every))
    assert report["accuracy"] == percent(accuracy_score(labels, predicted))
    assert report["utterances"] == len(rows) == np.sum(report["confusion"])
    matrix = np.array(report["confusion"])
    for c, name in enumerate(names):
        row = report["per_class"][name]
        assert row["support"] == matrix[c].sum()
        assert row["recall"] == percent(matrix[c, c] / max(matrix[c].sum(), 1))
        assert row["precision"] == percent(matrix[c, c] / max(matrix[:, c].sum(), 1))


@quick
@given(pairs, st.integers(1, 5))
def test_confusions_of_conversations_add_up(rows: list[tuple[int, int]], groups: int) -> None:
    labels, predicted = np.array(rows).T
    clusters = np.arange(len(rows)) % groups
    clusters[-1] = groups - 1  # every conversation is counted, also one without labels
    counts = clustered_confusions(labels, np.stack([predicted, labels]), clusters, CLASSES)
    assert counts.shape == (2, groups, CLASSES, CLASSES)
    assert (counts[0].sum(0) == confusion(labels, predicted, CLASSES)).all()
    for g in range(groups):
        here = clusters == g
        assert (counts[0, g] == confusion(labels[here], predicted[here], CLASSES)).all()


def invented(conversations: int, each: int, right: float, seed: int, seeds: int = 1) -> Any:
    """Confusions [S, G, C, C] of predictions that are right with a probability that varies with the conversation."""
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(conversations), each)
    labels = rng.integers(0, CLASSES, len(clusters))
    share = np.clip(right + rng.normal(scale=0.25, size=conversations), 0, 1)[clusters]
    wrong = (labels + rng.integers(1, CLASSES, (seeds, len(labels)))) % CLASSES
    predicted = np.where(rng.random((seeds, len(labels))) < share, labels, wrong)
    return clustered_confusions(labels, predicted, clusters, CLASSES)


def test_the_interval_holds_the_figure_and_is_the_same_every_time() -> None:
    counts = invented(40, 10, 0.6, 0, seeds=3)
    draws = bootstrap(counts, draws=400)
    low, high = interval(draws)
    assert low < weighted_f1_from_confusion(counts.sum(1)).mean() < high
    assert np.array_equal(draws, bootstrap(counts, draws=400))
    assert not np.array_equal(draws, bootstrap(counts, draws=400, seed=1))
    wider = interval(draws, 0.99)
    assert wider[0] < low < high < wider[1]


def test_more_data_gives_a_narrower_interval_and_dependent_utterances_a_wider_one() -> None:
    def width(counts: Any) -> float:
        low, high = interval(bootstrap(counts, draws=400))
        return high - low

    few, many = invented(20, 10, 0.6, 1), invented(320, 10, 0.6, 1)
    assert width(many) < 0.5 * width(few)
    rng = np.random.default_rng(2)  # whole conversations right or wrong: as few facts as conversations
    right = rng.random(30) < 0.6
    labels, clusters = rng.integers(0, CLASSES, 300), np.repeat(np.arange(30), 10)
    predicted = np.where(right[clusters], labels, (labels + 1) % CLASSES)[None]
    together = clustered_confusions(labels, predicted, clusters, CLASSES)
    apart = clustered_confusions(labels, predicted, np.arange(300), CLASSES)
    assert width(together) > 1.8 * width(apart)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    truth = float(weighted_f1_from_confusion(invented(4000, 10, 0.6, 99).sum(1)).mean())
    hits = 0
    for trial in range(60):
        low, high = interval(bootstrap(invented(60, 10, 0.6, trial), draws=200), 0.9)
        hits += low <= truth <= high
    assert hits >= 46  # 54 expected; fewer than 46 happens to a true 90 % about once in a thousand


def test_one_perfect_conversation() -> None:
    counts = clustered_confusions(np.array([0, 1]), np.array([[0, 1]]), np.array([0, 0]), 2)
    assert interval(bootstrap(counts, draws=10)) == (1.0, 1.0)


def plain_ece(probabilities: Any, labels: Any, bins: int) -> float:
    total = 0.0
    for b in range(bins):
        inside = [
            (max(p), int(np.argmax(p)) == y)
            for p, y in zip(probabilities, labels, strict=True)
            if b / bins <= max(p) < (b + 1) / bins or (b == bins - 1 and max(p) == 1)
        ]
        if inside:
            confidence, right = (sum(column) / len(inside) for column in zip(*inside, strict=True))
            total += len(inside) / len(labels) * abs(right - confidence)
    return total


@quick
@given(st.integers(1, 80), st.sampled_from([1, 4, 15]), st.integers(0, 999))
def test_calibration_error_is_that_of_a_plain_loop(count: int, bins: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    probabilities = softmax(rng.normal(size=(count, 3)) * 3)
    labels = rng.integers(0, 3, count)
    expected = plain_ece(probabilities, labels, bins)
    assert expected_calibration_error(probabilities, labels, bins) == pytest.approx(expected, abs=1e-9)


def test_calibration_error_of_known_cases() -> None:
    sure = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert expected_calibration_error(sure, np.array([0, 0])) == 0.0
    assert expected_calibration_error(sure, np.array([1, 1])) == 1.0
    assert expected_calibration_error(np.full((4, 2), 0.5), np.array([0, 0, 1, 1])) == 0.0


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5, 6.0])
def test_a_known_temperature_is_found_again(temperature: float) -> None:
    rng = np.random.default_rng(7)
    true = rng.normal(size=(6000, 5)) * 2
    probabilities = softmax(true)
    labels = np.array([rng.choice(5, p=p) for p in probabilities])
    assert fit_temperature(true * temperature, labels) == pytest.approx(temperature, rel=0.08)


def test_calibration_never_makes_dev_likelihood_worse_and_stays_in_bounds() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 50)
    logits = rng.normal(size=(50, 3)) * 4 + 5 * np.eye(3)[labels]
    found = calibrate(logits, {"text": logits / 2}, labels)
    assert found["nll"]["after"] <= found["nll"]["before"]
    assert found["experts"]["text"] == pytest.approx(found["temperature"] / 2, rel=0.01)
    assert 0.05 <= fit_temperature(np.eye(3) * 50, np.arange(3)) <= 20  # always right: as sharp as allowed
    assert negative_log_likelihood(np.eye(3) * 1e4, np.array([1, 2, 0])) < 30  # finite, however wrong


PROBABILITIES = st.integers(1, 60).flatmap(
    lambda n: st.tuples(
        st.lists(st.lists(st.integers(1, 4), min_size=3, max_size=3), min_size=n, max_size=n),
        st.lists(st.integers(0, 2), min_size=n, max_size=n),
    )
)


@given(PROBABILITIES, st.floats(0, 1), st.floats(0, 1))
def test_threshold_is_the_lowest_that_is_right_often_enough(
    drawn: tuple[list[list[int]], list[int]], accuracy: float, coverage: float
) -> None:
    probabilities, labels = np.array(drawn[0], float), np.array(drawn[1])
    probabilities /= probabilities.sum(1, keepdims=True)
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    found = abstention_threshold(probabilities, labels, accuracy, coverage)
    answered = (confidence >= found).sum()
    enough = [int((confidence >= c).sum()) for c in confidence if (confidence >= c).mean() >= coverage]
    good = [int((confidence >= c).sum()) for c in confidence if right[confidence >= c].mean() >= accuracy]
    assert answered == max([*good, min(enough)])


@given(PROBABILITIES)
def test_risk_over_coverage_ends_at_the_error_of_all_answers(drawn: tuple[list[list[int]], list[int]]) -> None:
    probabilities, labels = np.array(drawn[0], float), np.array(drawn[1])
    probabilities /= probabilities.sum(1, keepdims=True)
    curve = risk_coverage(probabilities, labels)
    assert curve[-1]["coverage"] == 100
    assert curve[-1]["risk"] == pytest.approx(100 * np.mean(probabilities.argmax(1) != labels), abs=0.006)
    for step in curve:
        answered = probabilities.max(1) >= step["confidence"] - 5e-5
        assert step["coverage"] == pytest.approx(100 * answered.mean(), abs=0.006)
    assert [s["coverage"] for s in curve] == sorted({s["coverage"] for s in curve})


def write_run(directory: Path, seeds: dict[int, list[str]], labels: list[str | None], first: int = 0) -> Path:
    """A run with nothing but predictions; conversations of five utterances."""
    directory.mkdir()
    rows = [
        {"seed": s, "conversation": f"c{u // 5}", "utterance": f"u{first + u}", "label": y, "predicted": p}
        for s, predicted in seeds.items()
        for u, (y, p) in enumerate(zip(labels, predicted, strict=True))
    ]
    schema = pa.schema([("seed", pa.int64()), *((n, pa.string()) for n in list(rows[0])[1:])])
    pq.write_table(pa.Table.from_pylist(rows, schema), directory / "predictions.parquet")
    return directory


def guesses(labels: list[str], right: float, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [y if rng.random() < right else str(rng.choice(["joy", "anger", "fear"])) for y in labels]


def test_compare(tmp_path: Path) -> None:
    labels = [str(y) for y in np.random.default_rng(0).choice(["joy", "anger"], 200)]
    bad = write_run(tmp_path / "bad", {s: guesses(labels, 0.4, s) for s in range(3)}, labels)
    good = write_run(tmp_path / "good", {s: guesses(labels, 0.8, 9 + s) for s in range(4)}, labels)
    same = compare(bad, bad, draws=200)
    assert (same["verdict"], same["difference"]) == ("not distinguishable", 0.0)
    assert same["p"] > 0.9
    better = compare(bad, good, draws=200)
    assert better["verdict"] == "second is better"
    assert better["p"] < 0.02
    assert better["interval"][0] > 0
    assert better["interval"][0] < better["difference"] < better["interval"][1]
    assert (better["first"]["seeds"], better["second"]["seeds"]) == (3, 4)
    expected = np.mean([f1_score(labels, guesses(labels, 0.8, 9 + s), average="weighted") for s in range(4)])
    assert better["second"]["weighted_f1"] == percent(expected)
    worse = compare(good, bad, draws=200)
    assert (worse["verdict"], worse["difference"]) == ("first is better", -better["difference"])
    assert better == compare(bad, good, draws=200)


def test_one_seed_each_can_be_compared(tmp_path: Path) -> None:
    labels = ["joy", "anger"] * 20
    a = write_run(tmp_path / "a", {0: guesses(labels, 0.6, 1)}, labels)
    assert compare(a, a, draws=50)["p"] == 1.0
    b = write_run(tmp_path / "b", {0: labels}, labels)
    assert compare(a, b, draws=50)["verdict"] == "too few seeds"


def test_unlabelled_utterances_do_not_count(tmp_path: Path) -> None:
    labels: list[str | None] = ["joy", "anger", "joy", None, None]
    a = write_run(tmp_path / "a", {0: ["joy"] * 5}, labels)
    b = write_run(tmp_path / "b", {0: ["joy", "joy", "joy", "anger", "anger"]}, labels)
    assert compare(a, b, draws=20)["difference"] == 0.0


def test_runs_of_different_utterances_or_labels_are_not_compared(tmp_path: Path) -> None:
    labels = ["joy", "anger"] * 5
    a = write_run(tmp_path / "a", {0: labels}, labels)
    other = write_run(tmp_path / "other", {0: labels}, labels, first=1)
    relabelled = write_run(tmp_path / "relabelled", {0: labels}, ["fear", "anger"] * 5)
    for second in (other, relabelled):
        with pytest.raises(ConfigError, match="different utterances, labels or values"):
            compare(a, second)
    with pytest.raises(ConfigError, match=r"no predictions\.parquet"):
        compare(a, tmp_path)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "predictions.parquet").write_bytes(b"PAR1")
    with pytest.raises(ConfigError, match="not readable predictions"):
        compare(a, tmp_path / "broken")
    pq.write_table(pa.table({"seed": [0]}), tmp_path / "broken" / "predictions.parquet")
    with pytest.raises(ConfigError, match="not readable predictions"):
        compare(a, tmp_path / "broken")
    empty = write_run(tmp_path / "empty", {0: labels}, [None] * 10)
    with pytest.raises(ConfigError, match="0 rows"):
        compare(a, empty)


def test_how_an_interval_is_told() -> None:
    talks = [Conversation(f"c{n}", (Utterance(f"u{n}", text="x"),)) for n in range(12)]
    alone = ResamplingUnits.of(talks, ALONE)
    assert alone.number.tolist() == list(range(12))
    assert alone.method(5) == "95 % bootstrap, 2000 draws of test conversations and of seeds"
    assert "one seed" in alone.method(1)
    grouped = ResamplingUnits.of(talks, Groups("actors", {f"c{n}": "ab"[n % 2] for n in range(11)}))
    assert grouped.number.tolist() == [*([0, 1] * 6)[:11], 2]
    assert grouped.method(5).endswith("test actors and of seeds; with 3 actors it is too narrow")
