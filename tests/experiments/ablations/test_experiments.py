"""Experiments of many runs: plan, resuming, verdicts, pages, on a tiny invented corpus and on made-up predictions."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import yaml

from moodline.core.answers import Answers
from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import ConfigError, MoodlineError, UnknownNameError
from moodline.core.groups import Groups
from moodline.core.labels import IGNORE, LabelSet
from moodline.evaluation.compare import compare
from moodline.evaluation.predictions import Predictions, read_any_predictions, write_predictions
from moodline.evaluation.results import read_results
from moodline.evaluation.significance import TOO_FEW, UNCLEAR
from moodline.evaluation.tasks import Classification, task_in
from moodline.experiments.ablations import claims
from moodline.experiments.ablations import expert_analysis as voices
from moodline.experiments.ablations.analysis import analyse
from moodline.experiments.ablations.files import find_experiments, read_experiment, result_name
from moodline.experiments.ablations.plan import (
    BASE,
    Claim,
    Experiment,
    ExperimentPlan,
    Planned,
    experiment_names,
    load_experiment,
    make_plan,
)
from moodline.experiments.ablations.run_metrics import RunNumbers, load_tested
from moodline.experiments.ablations.runner import duration, evaluate_all, train_all, what_is_left
from moodline.report import experiment_files as study_files
from moodline.report import experiment_page as experiment_page_text
from moodline.report.experiment_plots import axis_reach, draw_experiment
from tests.tiny import FEATURES, LABELS, SAYINGS, TEXT, call, write_recipe

SCHEMA = json.loads((Path(experiment_page_text.__file__).parent / "experiment.schema.json").read_text())
SMALL: dict[str, Any] = {
    "title": "Tiny",
    "description": "A few variants.",
    "page": "tiny",
    "bases": {"house": "none"},
    "sweeps": {
        "gamma": {"title": "γ of it", "symbol": "γ", "source": "Fig. 1", "setting": "model.gamma", "values": [0, 2]},
        "beta": {"title": "β", "symbol": "β", "source": "Fig. 2", "setting": "model.beta", "values": [0, 0.1],
                 "several_experts": True},
    },
    "variants": {
        "monolithic": {"title": "one network", "source": "§1", "set": {"model.structure": "monolithic"},
                       "several_experts": True},
    },
    "claims": {
        "focal": {"statement": "Focal helps.", "source": "Fig. 1", "better": ["gamma-2"], "worse": ["gamma-0"]},
        "modular": {"statement": "Modular helps.", "source": "§1", "better": ["base"], "worse": ["monolithic"]},
        "mixture": {"statement": "The mixture helps.", "source": "§2", "better": ["base"], "worse": ["base:experts"]},
        "gate": {"statement": "It prefers text.", "source": "§2", "preferred": {"house": "text"}},
        "worst": {"statement": "Joy is worst.", "source": "§3", "worst": {"house": "joy"}},
        "elsewhere": {"statement": "Fear is worst.", "source": "§3", "worst": {"meld": "fear"}},
    },
}  # fmt: skip


def small(folder: Path, base: dict[str, Any] = FEATURES, only: tuple[str, ...] = (), **changes: Any) -> ExperimentPlan:
    folder.mkdir(exist_ok=True)
    (folder / "small.yaml").write_text(yaml.safe_dump({**SMALL, **changes}, sort_keys=False))
    recipe = write_recipe(folder / "tiny.yaml", {**base, "training": {**base["training"], "epochs": 2}})
    return make_plan(str(folder / "small.yaml"), base=str(recipe), only=only)


def run(plan: ExperimentPlan, house: Path, out: Path, seeds: int) -> list[str]:
    said: list[str] = []
    train_all(plan, house, out, range(seeds), said.append, quiet=True)
    evaluate_all(plan, house, out, said.append)
    return said


def stamps(folder: Path) -> dict[Path, int]:
    return {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def done(house: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small experiment with two seeds, run, analysed and drawn."""
    folder = tmp_path_factory.mktemp("study")
    plan = small(folder / "plan")
    run(plan, house, folder / "out", 2)
    found = analyse(plan, folder / "out", range(2), draws=200)
    (folder / "out" / "experiment.json").write_text(json.dumps(found))
    study_files.write_experiment(found, folder / "out")
    return folder / "out"


# -- the plan -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", experiment_names())
def test_packaged_experiments_resolve_for_every_corpus(name: str) -> None:
    study = load_experiment(name)
    for corpus in study.bases:
        plan = make_plan(name, corpus)
        assert plan.corpus == corpus
        assert plan.variants[0].name == BASE
        settings = [repr(r) for r in plan.runs.values()]
        assert len(set(settings)) == len(settings)
        for v in plan.variants:
            assert bool(v.skipped) == (v.recipe is None)
            assert v.skipped or v.run in plan.runs


def test_equal_settings_are_run_once() -> None:
    plan = make_plan("mister-e/ablations", "mosi")
    shared = {v.name: v.run for v in plan.variants if v.run != v.name}
    assert shared == {"gamma-1": BASE, "beta-0.5": BASE, "lambda-0.1": BASE}
    assert len(plan.runs) == 17
    assert plan.runs["beta-2"].model["beta"] == 2
    assert plan.runs["no-loss-moe"].model["expert_losses"] is False


def test_a_model_with_one_expert_runs_what_makes_sense() -> None:
    plan = make_plan("mister-e/ablations", "emorynlp")
    assert set(plan.runs) == {BASE, "gamma-0", "gamma-2", "gamma-3", "gamma-5"}
    skipped = [v for v in plan.variants if v.skipped]
    assert {v.group for v in skipped} == {"beta", "lambda", "structure"}
    assert all("needs several experts" in v.skipped for v in skipped)


def test_the_modalities_of_sure_in_all_combinations() -> None:
    names = ("words-only", "voice-only", "face-only", "without-words", "without-voice", "without-face")
    three = make_plan("sure/ablations", "mosi", "sure/mosi-video", names).runs
    assert {frozenset(three[name].modalities) for name in names} == {
        frozenset(s)
        for s in (["text"], ["speech"], ["visual"], ["speech", "visual"], ["text", "visual"], ["text", "speech"])
    }
    two = {v.name: v for v in make_plan("sure/ablations", "mosi", only=names).variants}
    assert (two["voice-only"].run, two["without-face"].run) == ("without-words", BASE)
    assert "no modality beside" in two["face-only"].skipped


def test_only_some_variants() -> None:
    plan = make_plan("mister-e/ablations", "mosi", only=["gamma", "feat-moe"])
    assert [v.name for v in plan.variants] == [BASE, *(f"gamma-{n}" for n in (0, 1, 2, 3, 5)), "feat-moe"]
    with pytest.raises(UnknownNameError, match="Did you mean gamma-2"):
        make_plan("mister-e/ablations", "mosi", only=["gama-2"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mister-e/ablation", "mosi"), "Did you mean mister-e/ablations"),
        (("mister-e/ablations", None), "needs a corpus"),
        (("mister-e/ablations", "ravdess"), "no base recipe for corpus 'ravdess'"),
        (("mister-e/ablations", "mosi", "mister-e/meld-minilm"), "a recipe for meld, not for mosi"),
        (("nowhere.yaml", "mosi"), "cannot be read"),
    ],
)
def test_what_cannot_be_planned(arguments: Any, message: str) -> None:
    with pytest.raises(MoodlineError, match=message):
        make_plan(*arguments)


def test_a_wrong_experiment_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"claims\.x: unknown variant gamma-9"):
        small(tmp_path, claims={"x": {"statement": "x", "source": "x", "better": ["gamma-9"], "worse": ["base"]}})
    with pytest.raises(ConfigError, match="better and worse, or preferred, or worst"):
        small(tmp_path, claims={"x": {"statement": "x", "source": "x", "better": ["base"]}})
    with pytest.raises(ConfigError, match="unknown key"):
        small(tmp_path, variant={})


# -- running --------------------------------------------------------------------------------------------------


@pytest.mark.train
def test_a_stopped_experiment_goes_on(house: Path, done: Path, tmp_path: Path) -> None:
    """One seed, then another: what is finished is not touched, and the numbers are those of a single go."""
    plan = small(tmp_path, only=("gamma",))
    out = tmp_path / "out"
    assert what_is_left(plan, out, range(2)).seconds is None
    said = run(plan, house, out, 1)
    assert [line.partition(":")[0] for line in said[:2]] == ["[1/2] base, seed 0", "[2/2] gamma-2, seed 0"]
    first = {p: t for p, t in stamps(out).items() if "seed-0" in p.parts}
    left = what_is_left(plan, out, range(2))
    assert left.missing == (("base", 1), ("gamma-2", 1))
    assert left.seconds is not None
    assert run(plan, house, out, 2)[0] == "2 of 4 models are trained already"
    assert {p: t for p, t in stamps(out).items() if "seed-0" in p.parts} == first
    before = stamps(out)
    assert run(plan, house, out, 2) == []
    assert stamps(out) == before
    whole = [read_results(folder / "runs" / "gamma-2")["seeds"] for folder in (out, done)]
    assert whole[0] == whole[1]


def test_another_base_in_the_same_place_is_refused(house: Path, done: Path, tmp_path: Path) -> None:
    other = small(tmp_path, {**FEATURES, "model": {**FEATURES["model"], "hidden": 10}})
    with pytest.raises(ConfigError, match="another recipe or other settings"):
        run(other, house, done, 2)
    with pytest.raises(ConfigError, match="another recipe or other settings"):
        run(other, house, done, 3)


def test_durations() -> None:
    assert [duration(s) for s in (0.2, 61, 600, 9000)] == [
        "about 1 s",
        "about 61 s",
        "about 10 min",
        "about 2 h 30 min",
    ]


def test_everything_is_in_the_file(done: Path) -> None:
    data = read_experiment(done)
    jsonschema.validate(data, SCHEMA)
    by_name = {v["name"]: v for v in data["variants"]}
    assert list(by_name) == ["base", "gamma-0", "gamma-2", "beta-0", "beta-0.1", "monolithic"]
    assert by_name["gamma-0"]["run"] == by_name["beta-0.1"]["run"] == "base"
    assert by_name["gamma-0"]["test"] == by_name["base"]["test"]
    for name in ("base", "gamma-2", "beta-0", "monolithic"):
        results = read_results(done / "runs" / name)
        assert by_name[name]["test"]["seeds"] == [s["test"]["weighted_f1"] for s in results["seeds"]]
        assert by_name[name]["dev"]["seeds"] == [s["dev"]["weighted_f1"] for s in results["seeds"]]
        assert by_name[name]["test"]["mean"] == results["mean"]["weighted_f1"]
        assert results["tested"] == 1
    assert by_name["monolithic"]["versus_base"]["difference"] == pytest.approx(
        by_name["monolithic"]["test"]["mean"] - by_name["base"]["test"]["mean"], abs=0.02
    )
    results = read_results(done / "runs" / "base")
    for v in data["voices"][1:4]:
        expert = v["name"].removesuffix(" expert")
        assert v["test"]["seeds"] == [s["test"]["experts"][expert]["weighted_f1"] for s in results["seeds"]]
    assert data["gate"]["mean"] == pytest.approx(
        {
            e: np.mean([s["test"]["gate_weights"]["mean"][e] for s in results["seeds"]])
            for e in ("speech", "text", "fusion")
        },
        abs=2e-4,
    )
    assert np.sum(data["confusion"]) == 2 * data["test"]["utterances"]
    tested = {c["name"]: c for c in data["claims"] if "p" in c}
    assert set(tested) == {"focal", "modular", "mixture", "gate", "worst"}
    assert data["claims"][-1] == {
        "name": "elsewhere",
        "statement": "Fear is worst.",
        "source": "§3",
        "verdict": claims.UNTESTED,
        "reason": "the paper says it of meld",
    }
    both = compare(done / "runs" / "monolithic", done / "runs" / "base", draws=20)
    assert tested["modular"]["difference"] == both["difference"]
    same = next(v for v in data["variants"] if v["name"] == "monolithic")["versus_base"]
    assert same["interval"] == [-x for x in tested["modular"]["interval"][::-1]]
    assert same["p"] == tested["modular"]["p"]


@pytest.mark.train
def test_one_expert_end_to_end(house: Path, tmp_path: Path) -> None:
    """A text-only base: the sweep of γ, and everything else says why it is left out."""
    plan = small(tmp_path, TEXT)
    assert set(plan.runs) == {BASE, "gamma-2"}
    run(plan, house, tmp_path / "out", 1)
    found = analyse(plan, tmp_path / "out", range(1), draws=50)
    jsonschema.validate(found, SCHEMA)
    assert (found["voices"], found["gate"], found["case"]) == ([], {}, {})
    reasons = {c["name"]: c.get("reason", "") for c in found["claims"]}
    assert "one expert" in reasons["mixture"]
    assert "one expert" in reasons["gate"]
    assert "one expert" in reasons["modular"]
    assert reasons["focal"] == reasons["worst"] == ""
    study_files.write_experiment(found, tmp_path / "out")
    page = (tmp_path / "out" / "README.md").read_text()
    assert "Left out: `beta-0`, `beta-0.1`, `monolithic`: needs several experts" in page
    assert "## Gate weights" not in page


# -- the page -------------------------------------------------------------------------------------------------


@pytest.mark.train
def test_the_page_shows_the_file_and_nothing_of_the_corpus(done: Path, tmp_path: Path) -> None:
    data = read_experiment(done)
    page = (done / "README.md").read_text()
    assert page == experiment_page_text.experiment_page_text(data)
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", page)
    assert len(pictures) == 7
    assert all((done / p).is_file() and (done / p).with_suffix(".svg").is_file() for p in pictures)
    for c in data["claims"]:
        assert f"| {c['statement']} | {c['source']} | **{c['verdict']}** |" in page
    for v in data["variants"]:
        assert f"{v['test']['mean']:.1f} ± {v['test']['sd']:.1f}" in page
    again = tmp_path / "again"
    draw_experiment(data, again)
    for path in again.iterdir():
        assert path.read_bytes() == (done / "plots" / path.name).read_bytes(), "the same data give the same bytes"
    target = tmp_path / "results" / "experiments" / "tiny" / "house"
    study_files.publish_experiment(done, target)
    names = {p.name for p in target.iterdir()}
    assert {"experiment.json", "recipe.yaml", "sweeps.png", "case.png"} <= names
    shown = (done / "README.md").read_text()
    assert all(f"plots/{n})" in shown for n in names if n.endswith((".png", ".svg"))), "a picture that no page shows"
    assert not [n for n in names if n.endswith((".parquet", ".safetensors"))]
    for path in target.iterdir():
        if path.suffix in (".json", ".md", ".yaml"):
            text = path.read_text()
            assert not [s for sayings in SAYINGS.values() for s in sayings if s in text]


def test_docs_cannot_be_stale(done: Path, tmp_path: Path) -> None:
    published, docs = tmp_path / "results", tmp_path / "docs" / "experiments"
    study_files.publish_experiment(done, published / "experiments" / "tiny" / "house")
    pages = [docs / "tiny-house.md", docs / "tiny.md"]
    arguments = ("experiment", "--pages", docs, "--published", published)
    assert call(*arguments, "--check")[0] == 2
    assert not docs.exists()
    assert call(*arguments) == (0, "", "")
    assert call(*arguments, "--check") == (0, "", "")
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", pages[0].read_text()):
        assert (docs / picture).is_file()
    assert "[house](tiny-house.md)" in pages[1].read_text()
    pages[0].write_text(pages[0].read_text().replace("Focal helps", "Focal hurts"))
    pages[1].unlink()
    mine, old = docs / "mine.md", docs / "tiny-gone.md"
    mine.write_text("# My notes\n")
    old.write_text(pages[0].read_text())
    assert study_files.write_docs(published, docs, check=True) == [*pages, old]
    code, _, error = call(*arguments, "--check")
    assert code == 2
    assert "tiny-house.md" in error
    assert "make docs" in error
    study_files.write_docs(published, docs)
    assert study_files.write_docs(published, docs, check=True) == []
    assert mine.is_file()
    assert not old.exists()
    number = json.loads((published / "experiments/tiny/house/experiment.json").read_text())
    number["variants"][0]["test"]["mean"] += 1
    (published / "experiments/tiny/house/experiment.json").write_text(json.dumps(number))
    assert study_files.write_docs(published, docs, check=True) == pages


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 1}', '{"schema": 99}', '{"schema": 1, "task": []}'])
def test_a_broken_experiment_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "experiment.json").write_text(text)
    with pytest.raises(ConfigError, match=r"broken JSON|expected an experiment file"):
        find_experiments(tmp_path)
    with pytest.raises(ConfigError, match="no such folder"):
        find_experiments(tmp_path / "nowhere")


def test_committed_experiments_are_whole(root: Path) -> None:
    for path in sorted((root / "results").rglob("experiment.json")):
        data = read_experiment(path)
        jsonschema.validate(data, SCHEMA)
        assert path.parent.name == result_name(data["corpus"], task_in(data).key)
        for picture in re.findall(r"!\[.*?\]\((.*?)\)", experiment_page_text.experiment_page_text(data, ".")):
            assert (path.parent / picture).is_file()


# -- the command line -----------------------------------------------------------------------------------------


@pytest.mark.train
def test_training_alone_leaves_the_test_split(house: Path, tmp_path: Path) -> None:
    """Seeds may be added session by session; the test split is looked at once, at the end."""
    plan, out = tmp_path / "plan", tmp_path / "out"
    small(plan)
    common = ("experiment", plan / "small.yaml", "--base", plan / "tiny.yaml", "--out", out, "--data", house)
    code, text, error = call(*common, "--seeds", 1, "--only", "gamma", "--train-only")
    assert (code, text) == (0, "")
    assert "nothing to publish" in call(*common, "--train-only", "--publish", tmp_path / "results")[2]
    assert error.endswith("run the command again without --train-only when all seeds are trained\n")
    assert (out / "runs" / "base" / "seed-0" / "metrics.json").is_file()
    assert not list(out.rglob("results.json")) + list(out.rglob("predictions.parquet")) + list(out.glob("*.md"))
    code, _, error = call(*common, "--seeds", 1, "--only", "gamma", "-q")
    assert (code, error) == (0, "")
    assert {json.loads(p.read_text())["tested"] for p in out.rglob("results.json")} == {1}


@pytest.mark.train
def test_the_command_line(house: Path, done: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan"
    small(plan)
    out = Path(shutil.copytree(done, tmp_path / "out"))
    (out / "experiment.json").unlink()
    common = ("experiment", plan / "small.yaml", "--base", plan / "tiny.yaml", "--out", out, "--seeds", 2)
    code, text, error = call(*common, "--dry-run", "--json")
    assert (code, error) == (0, "")
    shown = json.loads(text)
    assert (shown["models"], len(shown["variants"])) == (0, 6)
    code, text, error = call(*common, "--dry-run")
    assert (code, error) == (0, "")
    assert "shares base" in text
    assert "2 of 2 seeds trained" in text
    assert "nothing to train" in text
    assert not (out / "experiment.json").exists()
    before = stamps(out / "runs")
    code, text, error = call(*common, "--data", house, "--publish", tmp_path / "results")
    assert (code, error) == (0, "comparing …\n")
    assert "Focal helps." in text
    assert "experiment.json" in text
    assert stamps(out / "runs") == before
    (published,) = find_experiments(tmp_path / "results")
    assert published[0] == tmp_path / "results" / "experiments" / "small" / "house"
    assert published[1] == read_experiment(out)
    code, text, error = call(*common)
    assert code == 2
    assert "give --data" in error.lower()


def test_experiments_are_listed() -> None:
    code, text, error = call("experiment", "--list", "--json")
    assert (code, error) == (0, "")
    assert [row["name"] for row in json.loads(text)] == experiment_names()
    code, text, _ = call("experiment", "--list")
    assert code == 0
    assert "mister-e/ablations" in text
    code, text, error = call("experiment")
    assert (code, text) == (2, "")
    assert "--list" in error


# -- predictions ----------------------------------------------------------------------------------------------


def test_predictions_come_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    talks = [Conversation(f"c{n}", tuple(Utterance(f"c{n}_u{u}", text="x") for u in range(3))) for n in range(2)]
    labels = LabelSet("x", ("joy", "anger"))

    def answers() -> Answers:
        logits = {e: rng.normal(size=(3, 2)).astype(np.float32) for e in ("text", "fusion")}
        weights = rng.dirichlet([1, 1], 3).astype(np.float32)
        mixed = sum(weights[:, [k]] * z for k, z in enumerate(logits.values()))
        return Answers(np.asarray(mixed), logits, weights, np.array([0, IGNORE, 1]))

    said = [[answers() for _ in talks] for _ in range(2)]
    write_predictions(tmp_path, Classification(labels), (3, 5), talks, said)
    p = read_any_predictions(tmp_path)
    assert isinstance(p, Predictions)
    assert (p.labels, p.seeds, list(p.experts)) == (("joy", "anger"), (3, 5), ["text", "fusion"])
    assert p.utterances == ("c0_u0", "c0_u2", "c1_u0", "c1_u2")
    assert p.clusters.tolist() == [0, 0, 1, 1]
    assert p.truth.tolist() == [0, 1, 0, 1]
    rows = [0, 2]
    for s, seed in enumerate(said):
        for name in p.experts:
            logits = np.concatenate([a.experts[name][rows] for a in seed])
            assert p.experts[name][s].tolist() == logits.argmax(-1).tolist()
            shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
            assert p.expert_probabilities[name][s] == pytest.approx(shares, abs=1e-6)
        assert p.weights["fusion"][s] == pytest.approx(np.concatenate([a.weights[rows, 1] for a in seed]))
        assert p.predicted[s].tolist() == np.concatenate([a.logits[rows] for a in seed]).argmax(-1).tolist()
    assert p.probabilities is not None
    assert (p.probabilities.argmax(-1) == p.predicted).all()
    with pytest.raises(ConfigError, match="the predictions lack seeds 4"):
        load_tested(tmp_path, [3, 4])
    write_predictions(tmp_path, Classification(labels), (3, 5), talks, said, Groups("actors", {"c0": "a", "c1": "a"}))
    grouped = read_any_predictions(tmp_path)
    assert (grouped.units, grouped.clusters.tolist()) == ("actors", [0, 0, 0, 0])
    assert (p.units, grouped.utterances) == ("conversations", p.utterances)


# -- claims, on made-up predictions ---------------------------------------------------------------------------

N = 300
TRUTH = np.random.default_rng(7).integers(0, 3, N)


def guess(share: float, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return np.where(rng.random((3, N)) < share, TRUTH, rng.integers(0, 3, (3, N)))


def made(
    mixture: float, dev: float, weights: tuple[float, float] = (0.3, 0.7), **experts: tuple[float, float]
) -> RunNumbers:
    """A run of three seeds that is right in a share of the utterances; experts: (share, dev)."""
    said = {name: guess(share, n + 50) for n, (name, (share, _)) in enumerate(experts.items())}
    p = Predictions(
        labels=LABELS,
        seeds=(0, 1, 2),
        conversations=tuple(f"c{n // 10}" for n in range(N)),
        utterances=tuple(f"u{n}" for n in range(N)),
        truth=TRUTH,
        predicted=guess(mixture, int(1000 * mixture)),
        experts=said,
        weights={e: np.full((3, N), w) for e, w in zip(said, weights, strict=False)},
        expert_probabilities={e: np.eye(3)[y] * 0.8 + 0.2 / 3 for e, y in said.items()},
    )
    one = {
        "weighted_f1": dev,
        "experts": {e: {"weighted_f1": d} for e, (_, d) in experts.items()},
        "gate_weights": {"mean": dict(zip(said, weights, strict=False))},
        "per_class": {label: {"f1": dev - n} for n, label in enumerate(LABELS)},
    }
    return RunNumbers({"seeds": [{"seed": s, "dev": one} for s in range(3)], "tested": 1}, p)


def plan_of(corpus: str, *variants: str, **stated: Claim) -> ExperimentPlan:
    study = Experiment("x", "x", "x", {}, claims={})
    object.__setattr__(study, "claims", stated)
    rows = tuple(Planned(v, "x", v, None, None, v) for v in variants)
    return ExperimentPlan("x", study, corpus, "x", rows)


def test_verdicts() -> None:
    tested = {
        "base": made(0.7, 70, text=(0.3, 30), fusion=(0.5, 50)),
        "good": made(1.0, 90),
        "same": made(0.7, 70),
        "bad": made(0.4, 40),
    }
    plan = plan_of(
        "meld",
        *tested,
        up=Claim("a", "s", better=("good", "bad"), worse=("base",)),
        down=Claim("b", "s", better=("bad",), worse=("base",)),
        level=Claim("c", "s", better=("same",), worse=("base",)),
        gone=Claim("d", "s", better=("base",), worse=("gone",)),
        experts=Claim("e", "s", better=("base",), worse=("base:experts",)),
        gate=Claim("f", "s", preferred={"meld": "fusion"}),
        gate_wrong=Claim("g", "s", preferred={"meld": "text"}),
        gate_elsewhere=Claim("h", "s", preferred={"iemocap": "text", "mosi": "text"}),
        no_class=Claim("i", "s", worst={"meld": "fear"}),
    )
    found = {c["name"]: c for c in claims.judge(plan, tested, draws=400)}
    verdicts = {name: c["verdict"] for name, c in found.items()}
    assert verdicts == {
        "up": claims.HOLDS,
        "down": claims.FAILS,
        "level": UNCLEAR,
        "gone": claims.NOT_RUN,
        "experts": claims.HOLDS,
        "gate": claims.HOLDS,
        "gate_wrong": claims.FAILS,
        "gate_elsewhere": claims.UNTESTED,
        "no_class": claims.UNTESTED,
    }
    assert found["up"]["better"]["name"] == "good"
    assert found["up"]["better"]["chosen_on_dev_from"] == ["good", "bad"]
    assert found["experts"]["worse"]["name"] == "base, fusion expert alone"
    assert found["gate"]["difference"] == pytest.approx(0.4)
    assert found["gone"]["reason"] == "gone was not run"
    assert found["gate_elsewhere"]["reason"] == "the paper says it of iemocap and mosi"
    assert found["no_class"]["reason"] == "there is no class fear"
    tests = [c["p"] for c in found.values() if "p" in c]
    assert [c["p_holm"] for c in found.values() if "p" in c] == pytest.approx(claims.holm(tests), abs=1e-4)


def test_the_choice_is_made_on_dev_though_test_says_otherwise() -> None:
    tested = {"base": made(0.5, 50), "lucky": made(0.9, 40), "chosen": made(0.6, 60)}
    plan = plan_of("meld", *tested, one=Claim("a", "s", better=("lucky", "chosen"), worse=("base",)))
    (found,) = claims.judge(plan, tested, draws=50)
    assert found["better"]["name"] == "chosen"


def test_who_an_expert_or_a_class_is_set_against_is_chosen_on_dev() -> None:
    base = made(0.8, 80, (0.5, 0.3, 0.2), fusion=(0.8, 80), text=(0.5, 50), speech=(0.4, 40))  # weights on test, dev
    for seed in base.results["seeds"]:
        seed["dev"] = seed["dev"] | {
            "gate_weights": {"mean": {"fusion": 0.5, "text": 0.2, "speech": 0.3}},
            "per_class": {label: {"f1": f1} for label, f1 in zip(LABELS, (50.0, 40.0, 60.0), strict=True)},
        }
    base.predictions.predicted[:, TRUTH == 2] = 0  # on test the last class is worst
    stated = {
        "gate": Claim("a", "s", preferred={"meld": "fusion"}),
        "worst": Claim("b", "s", worst={"meld": LABELS[0]}),
    }
    gate, worst = claims.judge(plan_of("meld", "base", **stated), {"base": base}, draws=50)
    assert gate["worse"]["name"] == "speech"
    assert worst["better"]["name"] == LABELS[1]


def test_fewer_than_three_seeds_hold_nothing() -> None:
    def of_seeds(run: RunNumbers, seeds: tuple[int, ...]) -> RunNumbers:
        return RunNumbers(run.results, run.predictions.of_seeds(seeds))

    tested = {"base": made(0.5, 50), "good": made(0.9, 90), "same": made(0.5, 50)}
    stated = {n: Claim("a", "s", better=(n,), worse=("base",)) for n in ("good", "same")}
    plan = plan_of("meld", *tested, **stated)
    for seeds, verdict in (((0, 1, 2), claims.HOLDS), ((0, 1), TOO_FEW), ((2,), TOO_FEW)):
        found = claims.judge(plan, {n: of_seeds(run, seeds) for n, run in tested.items()}, draws=400)
        assert [c["verdict"] for c in found] == [verdict, UNCLEAR], seeds


def test_the_worst_class() -> None:
    tested = {"base": made(0.8, 80)}
    p = tested["base"].predictions
    p.predicted[:, TRUTH == 1] = 0  # joy is never found
    plan = plan_of(
        "meld", "base", one=Claim("a", "s", worst={"meld": "joy"}), two=Claim("b", "s", worst={"meld": "anger"})
    )
    found = claims.judge(plan, tested, draws=200)
    assert [c["verdict"] for c in found] == [claims.HOLDS, claims.FAILS]
    assert found[0]["worse"] == {"name": "joy", "value": 0.0}


def test_holm() -> None:
    assert claims.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert claims.holm([0.5, 0.9]) == [1.0, 1.0]
    assert claims.holm([]) == []
    assert claims.holm([0.02]) == [0.02]


# -- voices ---------------------------------------------------------------------------------------------------


def test_vote_and_average() -> None:
    scores = {
        "speech": [[0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.9, 0.1, 0.0], [0.5, 0.4, 0.1]],
        "text": [[0.6, 0.4, 0.0], [0.4, 0.1, 0.5], [0.0, 0.1, 0.9], [0.0, 0.0, 1.0]],
        "fusion": [[0.0, 1.0, 0.0], [0.6, 0.3, 0.1], [0.0, 0.2, 0.8], [0.1, 0.6, 0.3]],
    }
    arrays = {e: np.array([x]) for e, x in scores.items()}
    weights = {e: np.full((1, 4), 1 / 3) for e in scores}
    weights["text"] = np.array([[0.3, 0.3, 0.3, 0.0]])  # has nothing to say of the last one
    p = Predictions(
        LABELS, (0,), ("c",) * 4, tuple("abcd"), np.zeros(4, int), np.zeros((1, 4), int),
        experts={e: x.argmax(-1) for e, x in arrays.items()}, weights=weights, expert_probabilities=arrays,
    )  # fmt: skip
    one = RunNumbers({}, p)
    assert voices.majority(one).tolist() == [[0, 1, 2, 1]]
    assert voices.average(one).argmax(-1).tolist() == [[1, 1, 2, 1]]
    assert voices.average(one).sum(-1) == pytest.approx(np.ones((1, 4)))


def test_an_absent_expert_contradicts_nobody() -> None:
    classes = {"speech": [0, 1, 0], "text": [0, 0, 1], "fusion": [0, 0, 1]}
    weights = {e: np.full((1, 3), 1 / 3) for e in classes} | {"speech": np.array([[1 / 3, 1 / 3, 0.0]])}
    p = Predictions(
        LABELS, (0,), ("c",) * 3, tuple("abc"), np.zeros(3, int), np.zeros((1, 3), int),
        experts={e: np.array([x]) for e, x in classes.items()}, weights=weights, expert_probabilities={},
    )  # fmt: skip
    assert voices.analysis_of("classes").disagreement(p).tolist() == [0, 1, 0]


def test_the_conversation_is_chosen_by_the_rule() -> None:
    one = made(0.7, 70, text=(1.0, 30), fusion=(1.0, 50))
    p = one.predictions
    p.experts["text"][0, 30:38] = (TRUTH[30:38] + 1) % 3
    p.experts["text"][1, 50:60] = (TRUTH[50:60] + 1) % 3  # of another seed: does not count
    found = voices.case(one)
    assert (found["conversation"], found["seed"], found["disagreement"]) == ("c3", 0, 0.8)
    assert [u["id"] for u in found["utterances"]] == [f"u{n}" for n in range(30, 40)]
    assert set(found["utterances"][0]) == {"id", "label", "mixture", "experts", "weights"}


def test_a_difference_out_of_all_proportion_does_not_flatten_the_others() -> None:
    near = [(-1.0, 2.0), (-3.0, -0.5), (0.0, 0.0), (0.2, 4.0)]
    assert axis_reach(near) == 4.0
    assert axis_reach([*near, (-68.1, -48.9)]) == 4.0
    assert axis_reach([(-68.1, -48.9)]) == 68.1
    assert axis_reach([(0.0, 0.0)]) == 0.0
