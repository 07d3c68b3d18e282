"""Scores as a task, from files to answers."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from moodline.core.batch import Batch
from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import CheckpointError, ConfigError, FeatureError, LabelError, MoodlineError
from moodline.core.labels import MOSI_SCALE, ValueScale
from moodline.corpora.convert import convert
from moodline.corpora.registry import read_corpus
from moodline.evaluation.compare import compare
from moodline.evaluation.predictions import RegressionPredictions, read_any_predictions
from moodline.experiments.evaluate import evaluate
from moodline.experiments.runs import Run
from moodline.experiments.search.run import search
from moodline.experiments.search.space import Axis, Space
from moodline.experiments.train import train
from moodline.pipeline.checkpoint import load_checkpoint
from moodline.pipeline.recipe import load_recipe
from moodline.pipeline.recognizer import Recognizer
from moodline.report.results import draw_plots, markdown_table
from moodline.training.data import collate, make_example
from tests.experiments.test_train_evaluate import check_result_file
from tests.tiny import SCORES, TEXT, call, write_recipe, write_scored


@pytest.fixture(scope="module")
def scored(house: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scored(house, tmp_path_factory.mktemp("scored") / "house")


@pytest.fixture(scope="module")
def run(scored: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two modalities, two seeds, tested."""
    folder = tmp_path_factory.mktemp("runs")
    recipe = SCORES | {"training": {**SCORES["training"], "epochs": 12}}
    done = train(load_recipe(str(write_recipe(folder / "tiny-scores.yaml", recipe))), scored, folder / "run", range(2))
    evaluate(done, scored)
    return done


@pytest.fixture(scope="module")
def words(scored: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that reads words."""
    folder = tmp_path_factory.mktemp("words")
    recipe = TEXT | {"task": "scores", "model": {"name": "sure", "hidden": 8, "expert_hidden": 8, "heads": 2}}
    path = write_recipe(folder / "tiny-words.yaml", recipe)
    return train(load_recipe(str(path)), scored, folder / "run").directory / "seed-0"


@pytest.mark.train
def test_results_are_those_of_the_predictions(run: Run) -> None:
    results = json.loads((run.directory / "results.json").read_text())
    check_result_file(run.directory / "results.json")
    said = read_any_predictions(run.directory)
    assert isinstance(said, RegressionPredictions)
    errors = np.abs(said.predicted - said.truth)
    assert [s["test"]["mae"] for s in results["seeds"]] == pytest.approx(errors.mean(1), abs=1e-4)
    assert results["mean"]["mae"] == pytest.approx(errors.mean(), abs=1e-4)
    low, high = results["interval"]["mae"]
    assert low < results["mean"]["mae"] < high
    assert results["mean"]["mae"] < 0.8 * results["mean"]["mae_constant"], "it has learned something"
    weights = said.weights["speech"] + said.weights["text"] + said.weights["fusion"]
    assert weights == pytest.approx(np.ones_like(weights), abs=1e-5)
    mixed = sum(said.weights[e] * said.experts[e] for e in said.experts)
    assert mixed == pytest.approx(said.predicted, abs=1e-4), "the gate weighs the experts' numbers"


def test_the_epoch_is_the_one_with_the_least_dev_error(run: Run) -> None:
    for seed in run.seeds:
        directory = run.directory / f"seed-{seed}"
        history = json.loads((directory / "training" / "history.json").read_text())
        metrics = json.loads((directory / "metrics.json").read_text())
        errors = [epoch["dev_mae"] for epoch in history]
        assert metrics["best_epoch"] == int(np.argmin(errors))
        assert metrics["dev"]["mae"] == pytest.approx(min(errors), abs=1e-4)
        assert json.loads((directory / "calibration.json").read_text())["mae"] == metrics["dev"]["mae"]


def test_utterances_without_a_score_are_not_tested(run: Run, scored: Path) -> None:
    test = read_corpus("house", scored).splits["test"]
    known = [u.id for c in test for u in c if u.value is not None]
    assert len(known) < sum(map(len, test))
    assert list(read_any_predictions(run.directory).utterances) == known


@pytest.mark.train
def test_tables_plots_and_the_paired_test(run: Run, tmp_path: Path) -> None:
    results = json.loads((run.directory / "results.json").read_text())
    table = markdown_table([results])
    assert "Has0 acc-2" in table
    assert "weighted F1" not in table
    copy = Path(shutil.copytree(run.directory, tmp_path / "run"))
    draw_plots(copy, results)
    names = {"agreement", "errors", "learning-curves"}
    assert {p.name for p in (copy / "plots").iterdir()} == {f"{n}.{s}" for n in names for s in ("png", "svg")}
    found = compare(run.directory, copy)
    assert (found["verdict"], found["difference"]) == ("not distinguishable", 0.0)
    assert found["first"]["mae"] == results["mean"]["mae"]


def test_less_error_is_better(run: Run, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.compute
    import pyarrow.parquet as pq

    worse = Path(shutil.copytree(run.directory, tmp_path / "worse"))
    table = pq.read_table(worse / "predictions.parquet")
    place = table.schema.get_field_index("predicted")
    column = pa.array(np.asarray(table["predicted"]) + 2.5, pa.float32())
    pq.write_table(table.set_column(place, "predicted", column), worse / "predictions.parquet")
    assert compare(run.directory, worse)["verdict"] == "too few seeds"
    better = Path(shutil.copytree(run.directory, tmp_path / "better"))
    for folder in (better, worse):  # a third seed, a copy of the first
        table = pq.read_table(folder / "predictions.parquet")
        first = table.filter(pa.compute.equal(table["seed"], 0))
        third = first.set_column(0, "seed", pa.array([2] * len(first), pa.int64()))
        pq.write_table(pa.concat_tables([table, third]), folder / "predictions.parquet")
    found = compare(better, worse)
    assert found["difference"] > 0
    assert found["verdict"] == "first is better"


def test_classes_and_scores_are_not_compared(run: Run, text_run: Path, house: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(text_run, tmp_path / "classes"))
    evaluate(Run.load(other), house)
    with pytest.raises(ConfigError, match="different utterances, labels or values"):
        compare(run.directory, other)


def test_answers_lie_in_the_range_with_their_intervals(words: Path) -> None:
    turns = [Utterance(f"u{n}", "Ann", text=t) for n, t in enumerate(["hooray, we won", "I hate this", "a bus"])]
    recognizer = Recognizer.load(words)
    said = recognizer.recognize(Conversation("talk", tuple(turns)))
    assert said.scale == MOSI_SCALE
    assert (said.labels, recognizer.labels, said.level) == ((), (), 0.8)
    width = recognizer.checkpoint.calibration["half_widths"]["0.8"]
    for u in said.utterances:
        assert u.value is not None
        assert u.interval is not None
        assert -3 <= u.interval[0] <= u.value <= u.interval[1] <= 3
        assert u.interval[1] - u.interval[0] <= 2 * width + 1e-6
        assert u.to_dict().keys() >= {"value", "interval", "experts", "weights"}
        assert not u.to_dict().keys() & {"emotion", "confidence", "probabilities", "abstained"}
    with pytest.raises(ConfigError, match="no confidence to abstain below"):
        recognizer.recognize(Conversation("talk", tuple(turns)), 0.5)


@pytest.mark.train
def test_every_format_holds_the_scores(words: Path, tmp_path: Path) -> None:
    turns = [{"id": "a", "speaker": "Ann", "start": 0, "end": 1, "text": "hooray, we won"},
             {"id": "b", "speaker": "Ben", "start": 1, "end": 3, "text": "</script><b>I hate this"}]  # fmt: skip
    (tmp_path / "talk.json").write_text(json.dumps({"id": "talk", "utterances": turns}))
    kinds = ("json", "jsonl", "csv", "parquet", "srt", "vtt", "textgrid", "eaf", "html", "svg", "png")
    outputs: list[Any] = [x for kind in kinds for x in ("-o", tmp_path / f"out.{kind}")]
    code, out, error = call("analyze", tmp_path / "talk.json", "--model", words, *outputs)
    assert (code, error) == (0, "")
    first, second = json.loads((tmp_path / "out.json").read_text())["utterances"]
    shown = f"{first['value']:+.2f}"
    assert shown in out
    assert f"[{shown}] Ann: hooray, we won" in (tmp_path / "out.srt").read_text()
    assert f'"{shown}"' in (tmp_path / "out.textgrid").read_text()
    assert "Ann [score]" in (tmp_path / "out.eaf").read_text()
    with (tmp_path / "out.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    assert float(row["value"]) == float(row["value_model"]) == first["value"]
    assert [float(row["value_low"]), float(row["value_high"])] == first["interval"]
    assert "emotion" not in row
    page = (tmp_path / "out.html").read_text()
    assert f'"v":{second["value"]}' in page
    assert "</script><b>" not in page
    for kind in ("srt", "vtt", "textgrid", "eaf"):  # what was written is read back without the scores
        code, out, _ = call("analyze", tmp_path / f"out.{kind}", "--model", words, "--json")
        again = json.loads(out)["utterances"]
        assert code == 0
        assert (again[0]["speaker"], again[0]["text"]) == ("Ann", "hooray, we won"), kind


def test_a_recipe_of_scores_needs_scores(house: Path, scored: Path, tmp_path: Path) -> None:
    recipe = load_recipe(str(write_recipe(tmp_path / "tiny.yaml", SCORES)))
    with pytest.raises(ConfigError, match="its task is scores, and the files of house bring none"):
        train(recipe, house, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    folder = Path(shutil.copytree(scored, tmp_path / "corpus"))
    text = (folder / "dev.jsonl").read_text()
    (folder / "dev.jsonl").write_text(text.replace('"score"', '"start"').replace('"start": -', '"start": '))
    with pytest.raises(MoodlineError, match="no dev utterance has a value"):
        train(recipe, folder, tmp_path / "run")
    for wrong, words in (
        ({"task": "score"}, "task: input should be 'classes', 'scores', 'classification' or 'regression'"),
        ({"model": {"name": "sure", "class_weights": True}}, "class_weights goes with classes"),
        ({"model": {"name": "sure", "score_loss": "huber"}}, "score_loss"),
    ):
        path = write_recipe(tmp_path / "wrong.yaml", SCORES | wrong)
        with pytest.raises(ConfigError, match=words):
            load_recipe(str(path))


def test_scores_of_the_house_format(scored: Path, tmp_path: Path) -> None:
    corpus = read_corpus("house", scored)
    assert corpus.scale == MOSI_SCALE
    convert(scored, tmp_path / "again")
    again = read_corpus("house", tmp_path / "again")
    assert (again.scale, again.splits) == (corpus.scale, corpus.splits)
    for content, words in (
        ('{"name": "mosi", "low": -1, "high": 1}', "expected values from -3 to 3"),
        ('{"name": "mine", "low": 0, "high": 1}', "utterance .* lies between 0 and 1"),
        ('{"name": "mine", "low": 3, "high": -3}', "expected low < high"),
        ('{"name": "mine", "low": "a", "high": 1}', "must be {name, low, high}"),
        ("[]", "must hold an object"),
        ("{", "is not JSON"),
    ):
        folder = Path(shutil.copytree(scored, tmp_path / "wrong", dirs_exist_ok=True))
        (folder / "scores.json").write_text(content)
        with pytest.raises(MoodlineError, match=words) as error:
            read_corpus("house", folder)
        assert "\n" not in str(error.value)


def test_a_corpus_of_scores_alone_needs_no_labels(tmp_path: Path) -> None:
    line = {"id": "a", "utterances": [{"id": "a1", "text": "fine", "score": 0.5}, {"id": "a2", "text": "no"}]}
    (tmp_path / "test.jsonl").write_text(json.dumps(line))
    (tmp_path / "scores.json").write_text('{"name": "mine", "low": 0, "high": 1}')
    corpus = read_corpus("house", tmp_path)
    assert corpus.scale == ValueScale("mine", 0, 1)
    example = make_example(corpus.splits["test"][0], {"text": {"a1": np.ones(3)}}, {"text": 3}, corpus.scale)
    batch = collate([example])
    assert batch.count() == 1
    assert batch.targets is not None
    assert batch.targets[0, 0] == 0.5
    assert batch.targets[0, 1].isnan()


def test_batches_say_where_scores_are_wrong() -> None:
    import torch

    valid = torch.tensor([[True, False]])
    features = {"text": torch.zeros(1, 2, 3)}
    for scores, words in (
        (torch.tensor([[0.5, 0.5]]), "NaN outside valid"),
        (torch.tensor([[0.5]]), "NaN outside valid"),
        (torch.tensor([[float("inf"), float("nan")]]), "finite"),
    ):
        with pytest.raises(FeatureError, match=words):
            Batch(features, {"text": valid}, valid, targets=scores).check()


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("scores.json", None, "expected scores.json"),
        ("scores.json", {"name": "mosi", "low": -1, "high": 1}, "expected values from -3 to 3"),
        ("scores.json", {"name": "x", "low": 1, "high": 1}, "low < high"),
        ("scores.json", {"name": "x"}, "KeyError"),
        ("calibration.json", {"half_widths": {}}, "half_widths"),
        ("calibration.json", {"half_widths": {"0.8": -1}}, "half_widths"),
        ("calibration.json", {}, "KeyError"),
    ],
)
def test_a_damaged_checkpoint_of_scores_is_one_line(
    run: Run, tmp_path: Path, file: str, content: Any, words: str
) -> None:
    folder = Path(
        shutil.copytree(run.directory / "seed-0", tmp_path / "seed", ignore=shutil.ignore_patterns("training"))
    )
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=words) as error:
        load_checkpoint(folder)
    assert "\n" not in str(error.value)


def test_a_checkpoint_of_another_scale_or_task_is_refused(run: Run, scored: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run.directory, tmp_path / "run"))
    for seed in run.seeds:
        (copy / f"seed-{seed}" / "scores.json").write_text('{"name": "mine", "low": 0, "high": 1}')
    with pytest.raises(LabelError, match="expected values from -3 to 3"):
        evaluate(Run.load(copy), scored, again=True)
    recipe = yaml.safe_load((copy / "recipe.yaml").read_text()) | {"task": "classes"}
    (copy / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    with pytest.raises(LabelError, match="expected a model of classes"):
        evaluate(Run.load(copy), scored, again=True)


@pytest.mark.train
def test_the_command_line_tells_scores(run: Run, scored: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "tiny.yaml", SCORES | {"training": {**SCORES["training"], "epochs": 1}})
    code, out, error = call("train", recipe, "--data", scored, "--out", tmp_path / "run")
    assert (code, error) == (0, "")
    assert "mean absolute error" in out
    code, out, error = call("evaluate", run.directory, "--data", scored, "--publish", tmp_path / "results")
    assert (code, error) == (0, "")
    assert "always the median" in out
    code, out, error = call("compare", run.directory, run.directory)
    assert (code, error) == (0, "")
    assert "less is better" in " ".join(out.split())
    code, out, error = call("results", tmp_path / "results")
    assert (code, error) == (0, "")
    assert "| recipe of scores |" in out


def test_a_search_of_scores_wants_the_smallest_error(scored: Path, tmp_path: Path) -> None:
    recipe = load_recipe(
        str(write_recipe(tmp_path / "tiny.yaml", SCORES | {"training": {**SCORES["training"], "epochs": 2}}))
    )
    space = Space("rates", {"training.learning_rate": Axis(values=(1e-6, 1e-2))})
    out = tmp_path / "search"
    found = search(recipe, scored, space, out, 4)
    errors = {r["params"]["training.learning_rate"]: r["dev"] for r in found}
    assert errors[1e-2] < errors[1e-6]
    best = load_recipe(str(out / "best.yaml"))
    assert best.training.learning_rate == 1e-2
    assert f"(mean absolute error {errors[1e-2]:.4f})" in best.description
    (tmp_path / "space.yaml").write_text("training.learning_rate: {values: [1.0e-6, 1.0e-2]}")
    code, told, error = call(
        "search", tmp_path / "tiny.yaml", "--data", scored, "--space", tmp_path / "space.yaml", "--trials", 2,
        "--out", tmp_path / "other",
    )  # fmt: skip
    assert (code, error) == (0, "")
    assert "dev mean absolute error" in told
    assert (tmp_path / "other" / "plots" / "course.png").is_file()
