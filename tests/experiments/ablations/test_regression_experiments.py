"""Experiments of recipes of scores: what is left out, which side of a claim is ahead, files, pages, folds."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import yaml

from moodline.core.labels import ValueScale
from moodline.evaluation.compare import compare
from moodline.evaluation.predictions import RegressionPredictions
from moodline.evaluation.results import read_results
from moodline.evaluation.significance import TOO_FEW, UNCLEAR
from moodline.experiments.ablations import claims
from moodline.experiments.ablations import expert_analysis as voices
from moodline.experiments.ablations.analysis import analyse
from moodline.experiments.ablations.files import find_experiments, read_experiment
from moodline.experiments.ablations.plan import BASE, Claim, ExperimentPlan, make_plan
from moodline.experiments.ablations.run_metrics import RunNumbers
from moodline.experiments.ablations.runner import evaluate_all, train_all, what_is_left
from moodline.report import experiment_files as study_files
from moodline.report import experiment_page as experiment_page_text
from moodline.report.plots import VERMILLION
from tests.experiments.ablations.test_experiments import SCHEMA, SMALL, plan_of, stamps
from tests.tiny import SAYINGS, SCORES, call, write_recipe, write_scored

STUDY: dict[str, Any] = {
    **SMALL,
    "sweeps": {
        "gamma": {**SMALL["sweeps"]["gamma"], "classes_only": True},
        "beta": {**SMALL["sweeps"]["beta"], "values": [0.1, 1]},
    },
    "variants": {
        "idle": {"title": "learns nothing", "source": "§1", "set": {"training.learning_rate": 1.0e-9}},
        "feat-moe": {"title": "features mixed", "source": "§2", "set": {"model.gate_at": "features"},
                     "several_experts": True},
    },
    "claims": {
        "focal": SMALL["claims"]["focal"],
        "learning": {"statement": "Learning helps.", "source": "§1", "better": ["base", "idle"], "worse": ["idle"]},
        "idling": {"statement": "Idling helps.", "source": "§1", "better": ["idle"], "worse": ["base"]},
        "mixture": SMALL["claims"]["mixture"],
        "gate": SMALL["claims"]["gate"],
        "worst": SMALL["claims"]["worst"],
    },
}  # fmt: skip
BASE_RECIPE = {**SCORES, "training": {**SCORES["training"], "epochs": 6}}


def run_all(plan: ExperimentPlan, data: Path, out: Path, say: Callable[[str], None]) -> None:
    """Train with one seed, then test."""
    train_all(plan, data, out, range(1), say, quiet=True)
    evaluate_all(plan, data, out, say)


@pytest.fixture(scope="module")
def scored(house: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scored(house, tmp_path_factory.mktemp("scored") / "house")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The experiment's file and its base recipe."""
    folder = tmp_path_factory.mktemp("plan")
    (folder / "small.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False))
    return folder / "small.yaml", write_recipe(folder / "tiny.yaml", BASE_RECIPE)


@pytest.fixture(scope="module")
def done(scored: Path, files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The experiment with one seed, then by the command line with two; published beside it."""
    folder = tmp_path_factory.mktemp("study")
    common = ("experiment", files[0], "--base", files[1], "--data", scored, "--out", folder / "out")
    said: list[str] = []
    run_all(make_plan(str(files[0]), base=str(files[1])), scored, folder / "out", said.append)
    assert said[0].startswith("[1/4] base, seed 0: dev mean absolute error 0.")
    first = {p: t for p, t in stamps(folder / "out" / "runs").items() if "seed-0" in p.parts}
    code, text, error = call(*common, "--seeds", 2, "--publish", folder / "results")
    assert code == 0
    assert "4 of 8 models are trained already" in error
    now = {p: t for p, t in stamps(folder / "out" / "runs").items() if "seed-0" in p.parts}
    assert now == first, "what is finished is not touched"
    assert "mean absolute error, less is better" in text
    return folder / "out"


# -- the plan -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "left_out", "runs"),
    [
        ("mister-e/mosi-scores", {f"gamma-{n}" for n in (0, 1, 2, 3, 5)}, 13),
        ("sure/mosi-scores", {"class-weights"}, 19),
        ("egmf/mosei", set(), 20),
    ],
)
def test_packaged_experiments_take_recipes_of_scores(base: str, left_out: set[str], runs: int) -> None:
    """What goes with classes is left out and says so; all else learns scores."""
    plan = make_plan(f"{base.partition('/')[0]}/ablations", base=base)
    assert plan.place == f"{plan.corpus}-scores"
    assert {recipe.task for recipe in plan.runs.values()} == {"scores"}
    reason = f"goes with classes; {base} learns scores"
    assert {v.name for v in plan.variants if v.skipped == reason} == left_out
    assert len(plan.runs) == runs


def test_they_go_where_those_of_classes_are_not(files: tuple[Path, Path]) -> None:
    code, text, _ = call("experiment", files[0], "--base", files[1], "--dry-run", "--json")
    assert code == 0
    shown = json.loads(text)
    assert shown["out"].endswith("experiments/small/house-scores")
    states = {v["variant"]: v["state"] for v in shown["variants"]}
    assert states["gamma-0"] == states["gamma-2"] == "goes with classes; tiny learns scores"
    assert (states["beta-0.1"], shown["models"]) == ("shares base", 20)


# -- the file -------------------------------------------------------------------------------------------------


@pytest.mark.train
def test_everything_is_in_the_file(done: Path) -> None:
    data = read_experiment(done)
    jsonschema.validate(data, SCHEMA)
    assert (data["task"], data["labels"], data["scale"]) == ("scores", [], {"name": "mosi", "low": -3, "high": 3})
    assert not {"per_class", "confusion"} & set(data)
    by_name = {v["name"]: v for v in data["variants"]}
    assert list(by_name) == ["base", "gamma-0", "gamma-2", "beta-0.1", "beta-1", "idle", "feat-moe"]
    runs = {name: read_results(done / "runs" / name) for name in ("base", "beta-1", "idle", "feat-moe")}
    for name, results in runs.items():
        for part in ("dev", "test"):
            assert by_name[name][part]["seeds"] == [s[part]["mae"] for s in results["seeds"]]
        assert by_name[name]["test"]["mean"] == pytest.approx(results["mean"]["mae"], abs=1e-4)
        assert (results["tested"], data["tested"][name]) == (2, 2), "once with one seed, once with two"
    for v in data["voices"][1:4]:
        expert = v["name"].removesuffix(" expert")
        assert v["test"]["seeds"] == [s["test"]["experts"][expert]["mae"] for s in runs["base"]["seeds"]]
    assert [v["name"] for v in data["voices"][4:]] == ["average of the experts' scores"]
    weights = [s["test"]["gate_weights"]["mean"] for s in runs["base"]["seeds"]]
    for e in ("speech", "text", "fusion"):
        assert data["gate"]["mean"][e] == pytest.approx(np.mean([w[e] for w in weights]), abs=2e-4)
        parts = data["gate"]["per_range"]
        assert np.average([r["weights"][e] for r in parts], weights=[r["utterances"] for r in parts]) == pytest.approx(
            data["gate"]["mean"][e], abs=2e-4
        )
    assert sum(r["utterances"] for r in parts) == data["test"]["utterances"]


def test_the_side_with_less_error_is_ahead(done: Path) -> None:
    data = read_experiment(done)
    found = {c["name"]: c for c in data["claims"]}
    assert found["learning"]["verdict"] == found["idling"]["verdict"] == TOO_FEW, "two seeds"
    assert found["learning"]["difference"] == -found["idling"]["difference"]
    assert found["learning"]["better"]["name"] == "base", "of base and idle the one with less error on dev"
    assert found["learning"]["unit"] == "mean absolute error"
    both = compare(done / "runs" / "idle", done / "runs" / "base", draws=20)
    assert found["learning"]["difference"] == both["difference"] < 0
    idle = next(v for v in data["variants"] if v["name"] == "idle")["versus_base"]
    assert idle["interval"] == [-x for x in found["learning"]["interval"][::-1]]
    assert "p" in found["mixture"]
    assert found["mixture"]["worse"]["chosen_on_dev_from"]
    assert found["gate"]["unit"] == "mean gate weight"
    assert found["worst"]["reason"] == "the recipe learns scores, there are no classes"
    assert found["focal"]["reason"] == "goes with classes; tiny learns scores"


# -- the page -------------------------------------------------------------------------------------------------


def test_the_page_tells_errors(done: Path) -> None:
    data = read_experiment(done)
    page = (done / "README.md").read_text()
    assert page == experiment_page_text.experiment_page_text(data)
    assert page.startswith("# Tiny: house, mosi scores from −3 to 3\n")
    assert "## Classes" not in page
    assert "F1" not in page
    assert "Left out: `gamma-0`, `gamma-2`: goes with classes; tiny learns scores." in page
    for v in data["variants"]:
        assert "skipped" in v or f"{v['test']['mean']:.4f} ± {v['test']['sd']:.4f}" in page
    assert "difference to the base, below 0 is better (95 % interval)" in page
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", page)
    assert sorted(pictures) == [f"plots/{n}.png" for n in ("case", "differences", "gate-weights", "sweeps", "voices")]
    drawn = {p.name for p in (done / "plots").iterdir()}
    assert drawn == {Path(p).with_suffix(kind).name for p in pictures for kind in (".png", ".svg")}
    differences = (done / "plots" / "differences.svg").read_text().lower()
    assert VERMILLION.lower() in differences, "more error is worse"
    first = data["case"]["utterances"][0]
    said = ["score", "mixture"]
    assert f"| `{first['id']}` | {' | '.join(f'{first[k]:+.2f}'.replace('-', '−') for k in said)} |" in page
    for path in (done / "README.md", done / "experiment.json"):
        assert not [s for sayings in SAYINGS.values() for s in sayings if s in path.read_text()]


def test_pages_of_classes_and_of_scores_lie_side_by_side(done: Path, tmp_path: Path, root: Path) -> None:
    """The page of the committed class experiment is what it was, though scores of the same corpus are published."""
    published, docs = tmp_path / "results", tmp_path / "docs" / "experiments"
    ((folder, own),) = find_experiments(done.parent / "results")
    assert folder == done.parent / "results" / "experiments" / "small" / "house-scores"
    assert own == read_experiment(done)
    classes = root / "results" / "experiments" / "mister-e-ablations" / "mosi"
    shutil.copytree(classes, published / "experiments" / "mister-e-ablations" / "mosi")
    shutil.copytree(folder, published / "experiments" / "mister-e-ablations" / "mosi-scores")
    path = published / "experiments" / "mister-e-ablations" / "mosi-scores" / "experiment.json"
    path.write_text(json.dumps(own | {"page": "mister-e", "corpus": "mosi"}))
    study_files.write_docs(published, docs)
    assert {p.name for p in docs.iterdir()} == {"mister-e.md", "mister-e-mosi.md", "mister-e-mosi-scores.md"}
    committed = root / "docs" / "experiments" / "mister-e-mosi.md"
    assert (docs / "mister-e-mosi.md").read_text() == committed.read_text()
    overview = (docs / "mister-e.md").read_text()
    base = own["variants"][0]["test"]
    assert "| claim | source | [mosi](mister-e-mosi.md) | [mosi-scores](mister-e-mosi-scores.md) |" in overview
    assert f"| {base['mean']:.4f} ± {base['sd']:.4f} MAE |" in overview
    assert "below 0 for the claim" in overview


def test_a_model_that_is_its_own_expert(scored: Path, tmp_path: Path) -> None:
    """SURE has one voice: its ablations on scores are run and told, without experts, gate and conversation."""
    model = {"name": "sure", "hidden": 8, "expert_hidden": 8, "heads": 2, "feed_forward": 8, "speakers": 0}
    recipe = {**SCORES, "model": model, "training": {**SCORES["training"], "epochs": 1}}
    base = write_recipe(tmp_path / "tiny.yaml", recipe)
    plan = make_plan("sure/ablations", base=str(base), only=["class-weights", "no-experts", "words-only"])
    assert [v.name for v in plan.variants if v.skipped] == ["class-weights"]
    run_all(plan, scored, tmp_path / "out", lambda line: None)
    found = analyse(plan, tmp_path / "out", range(1), draws=50)
    jsonschema.validate(found, SCHEMA)
    assert (found["voices"], found["gate"], found["case"]) == ([], {}, {})
    assert {c["name"] for c in found["claims"] if "p" in c} == {"experts", "text"}
    study_files.write_experiment(found, tmp_path / "out")
    assert {p.stem for p in (tmp_path / "out" / "plots").iterdir()} == {"differences"}


# -- folds ----------------------------------------------------------------------------------------------------


@pytest.mark.train
def test_folds_in_an_experiment(scored: Path, files: tuple[Path, Path], tmp_path: Path) -> None:
    """Every fold counts: a seed is missing until all are trained, and all are tested together."""
    data = Path(shutil.copytree(scored, tmp_path / "house"))
    ids = [json.loads(row)["id"] for p in sorted(data.glob("*.jsonl")) for row in p.read_text().splitlines()]
    (data / "folds.json").write_text(json.dumps([ids[k::3] for k in range(3)]))
    recipe = {**SCORES, "training": {**SCORES["training"], "epochs": 1}, "folds": 3}
    plan = make_plan(str(files[0]), base=str(write_recipe(tmp_path / "folds.yaml", recipe)), only=["idle"])
    out, said = tmp_path / "out", list[str]()
    run_all(plan, data, out, said.append)
    each = [json.loads(p.read_text())["dev"]["mae"] for p in out.glob("runs/base/fold-*/seed-0/metrics.json")]
    assert len(each) == 3
    assert said[0].startswith(f"[1/2] base, seed 0: dev mean absolute error {np.mean(each):.4f}")
    assert what_is_left(plan, out, range(1)).missing == ()
    (out / "runs" / "idle" / "fold-1" / "seed-0" / "config.json").unlink()
    assert what_is_left(plan, out, range(1)).missing == (("idle", 0),)
    found = analyse(plan, out, range(1), draws=50)
    jsonschema.validate(found, SCHEMA)
    rows = [json.loads(row) for p in data.glob("*.jsonl") for row in p.read_text().splitlines()]
    assert found["test"]["utterances"] == sum("score" in u for talk in rows for u in talk["utterances"])


# -- made-up predictions --------------------------------------------------------------------------------------

N = 300
TRUTH = np.random.default_rng(3).uniform(-1, 1, N)
SCALE = ValueScale("sims", -1, 1)


def guess(error: float, seed: int) -> Any:
    """Three seeds' scores whose mean absolute error is about ``error``."""
    return TRUTH + np.random.default_rng(seed).normal(0, error / 0.8, (3, N))


def made(error: float, dev: float, **experts: tuple[float, float]) -> RunNumbers:
    """A run of three seeds; experts: (error, dev)."""
    said = {name: guess(e, n + 50) for n, (name, (e, _)) in enumerate(experts.items())}
    p = RegressionPredictions(
        scale=SCALE,
        seeds=(0, 1, 2),
        conversations=tuple(f"c{n // 10}" for n in range(N)),
        utterances=tuple(f"u{n}" for n in range(N)),
        truth=TRUTH,
        predicted=guess(error, int(1000 * error)),
        experts=said,
        weights={e: np.full((3, N), w) for e, w in zip(said, (0.3, 0.7), strict=False)},
    )
    one = {
        "mae": dev,
        "experts": {e: {"mae": d} for e, (_, d) in experts.items()},
        "gate_weights": {"mean": dict(zip(said, (0.3, 0.7), strict=False))},
    }
    return RunNumbers({"seeds": [{"seed": s, "dev": one} for s in range(3)], "tested": 1}, p)


def test_verdicts() -> None:
    tested = {
        BASE: made(0.3, 0.3, text=(0.7, 0.7), fusion=(0.5, 0.5)),
        "good": made(0.1, 0.1),
        "same": made(0.3, 0.3),
        "bad": made(0.6, 0.6),
        "lucky": made(0.05, 0.4),
    }
    plan = plan_of(
        "meld",
        *tested,
        up=Claim("a", "s", better=("bad", "good", "lucky"), worse=("base",)),
        down=Claim("b", "s", better=("bad",), worse=("base",)),
        level=Claim("c", "s", better=("same",), worse=("base",)),
        experts=Claim("d", "s", better=("base",), worse=("base:experts",)),
        gate=Claim("e", "s", preferred={"meld": "fusion"}),
        gate_wrong=Claim("f", "s", preferred={"meld": "text"}),
        a_class=Claim("g", "s", worst={"meld": "fear"}),
    )
    found = {c["name"]: c for c in claims.judge(plan, tested, draws=400)}
    assert {name: c["verdict"] for name, c in found.items()} == {
        "up": claims.HOLDS,
        "down": claims.FAILS,
        "level": UNCLEAR,
        "experts": claims.HOLDS,
        "gate": claims.HOLDS,
        "gate_wrong": claims.FAILS,
        "a_class": claims.UNTESTED,
    }
    assert found["up"]["better"]["name"] == "good", "the least error on dev, whatever test says"
    errors = np.abs(tested["good"].predictions.predicted - TRUTH)
    assert found["up"]["better"]["value"] == pytest.approx(errors.mean(), abs=1e-4)
    assert found["up"]["difference"] == pytest.approx(-0.2, abs=0.03)
    assert found["experts"]["worse"]["name"] == "base, fusion expert alone"
    assert found["gate"]["difference"] == pytest.approx(0.4)


def test_experts_average_leaves_out_who_knows_nothing() -> None:
    experts = {"text": np.array([[0.5, 0.9]]), "fusion": np.array([[0.1, -0.3]])}
    weights = {"text": np.array([[0.2, 0.0]]), "fusion": np.array([[0.8, 1.0]])}
    p = RegressionPredictions(
        SCALE, (0,), ("c", "c"), ("a", "b"), np.array([0.3, -0.3]), np.zeros((1, 2)), experts, weights
    )
    one = RunNumbers({}, p)
    assert voices.average(one) == pytest.approx(np.array([[[0.3], [-0.3]]]))
    assert voices.voices(one, draws=20)[-1]["test"]["mean"] == 0.0
    assert voices.case(one)["disagreement"] == 0.2, "half of 0.4: of the second utterance only one knows anything"
    assert [(r["low"], r["high"], r["utterances"]) for r in voices.gate(one)["per_range"]] == [(-0.3333, 0.3333, 2)]


def test_the_conversation_with_the_experts_furthest_apart() -> None:
    one = made(0.3, 0.3, text=(0.0, 0.1), fusion=(0.0, 0.1))
    p = one.predictions
    p.experts["text"][0, 30:40] += 0.5
    p.experts["text"][1, 50:60] += 2.0  # of another seed: does not count
    found = voices.case(one)
    assert (found["conversation"], found["seed"], found["disagreement"]) == ("c3", 0, 0.5)
    assert [u["score"] for u in found["utterances"]] == pytest.approx(TRUTH[30:40], abs=5e-4)
