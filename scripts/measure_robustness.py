"""How runs bear noise: their features corrupted, swapped and hidden; what SURE's σ and its experts make of it.

    python scripts/measure_robustness.py RUN [RUN ...] --data DIR [--split dev] [--json FILE] [--page FILE.md]
    python scripts/measure_robustness.py --from FILE --page FILE.md      only the page

Every seed of every run reads the same corrupted features: Gaussian noise of 0.1, 0.3 and 1 standard deviation of the
training set on each modality alone and on all, a modality taken from another utterance of the split, a modality
missing everywhere, and 30 % of all (utterance, modality) pairs missing. Nothing is trained and nothing chosen here.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from moodline.core.labels import IGNORE
from moodline.corpora.registry import read_corpus
from moodline.evaluation.metrics import weighted_f1
from moodline.experiments.evaluate import checkpoint_encoders
from moodline.experiments.runs import Run, seed_directory
from moodline.nn.experts import usage_entropy
from moodline.pipeline.checkpoint import Checkpoint, load_checkpoint
from moodline.pipeline.examples import make_examples
from moodline.pipeline.features import gather_features
from moodline.training.data import ConversationExample, collate

NOISE = (0.1, 0.3, 1.0)
Change = Callable[[dict[str, Any], dict[str, Any], np.random.Generator], None]


def conditions(modalities: list[str], sd: Mapping[str, Any]) -> dict[str, Change]:
    """Name to what it does to the rows and masks of all utterances, laid end to end."""

    def noise(names: list[str], strength: float) -> Change:
        def change(x: dict[str, Any], present: dict[str, Any], rng: np.random.Generator) -> None:
            for m in names:
                x[m] = (x[m] + strength * sd[m] * rng.standard_normal(x[m].shape)).astype(np.float32)

        return change

    def swap(m: str) -> Change:
        def change(x: dict[str, Any], present: dict[str, Any], rng: np.random.Generator) -> None:
            real = np.flatnonzero(present[m])
            order = rng.permutation(len(real))
            x[m][real[order]] = x[m][real[np.roll(order, 1)]]  # one cycle: nobody keeps its own

        return change

    def hide(m: str) -> Change:
        def change(x: dict[str, Any], present: dict[str, Any], rng: np.random.Generator) -> None:
            present[m][:] = False

        return change

    def hide_some(x: dict[str, Any], present: dict[str, Any], rng: np.random.Generator) -> None:
        for m in present:
            present[m] &= rng.random(len(present[m])) >= 0.3

    found: dict[str, Change] = {"clean": lambda x, present, rng: None}
    for names in ([[m] for m in modalities] if len(modalities) > 1 else []) + [modalities]:
        title = names[0] if len(names) == 1 else "everything"
        found |= {f"noise {s:g} sd on {title}": noise(names, s) for s in NOISE}
    found |= {f"{m} of another utterance": swap(m) for m in modalities}
    if len(modalities) > 1:
        found |= {f"{m} missing": hide(m) for m in modalities}
    return found | {"30 % missing": hide_some}


def corrupted(examples: list[ConversationExample], change: Change, seed: int) -> list[ConversationExample]:
    """The examples with their features changed; the same for all runs and seeds of models."""
    ends = np.cumsum([len(e) for e in examples])[:-1]
    x = {m: np.concatenate([e.features[m] for e in examples]).copy() for m in examples[0].features}
    present = {m: np.concatenate([e.present[m] for e in examples]).copy() for m in examples[0].present}
    change(x, present, np.random.default_rng(seed))
    rows, masks = ({m: np.split(a, ends) for m, a in part.items()} for part in (x, present))
    return [
        dataclasses.replace(e, features={m: r[i] for m, r in rows.items()}, present={m: r[i] for m, r in masks.items()})
        for i, e in enumerate(examples)
    ]


@torch.inference_mode()
def measure(model: torch.nn.Module, examples: list[ConversationExample], classes: int) -> dict[str, Any]:
    """Weighted F1, mean σ of present utterances, and usage of the experts."""
    predicted, truth = [], []
    sigma: dict[str, list[Any]] = {}
    usage: dict[str, list[Any]] = {}
    for start in range(0, len(examples), 16):
        batch = collate(examples[start : start + 16])
        output = model(batch)
        assert batch.labels is not None
        real = batch.labels != IGNORE
        predicted.append(output.logits[real].argmax(-1).numpy())
        truth.append(batch.labels[real].numpy())
        for m, values in output.extras.get("uncertainty", {}).items():
            here = batch.present[m]
            sigma.setdefault(m, []).append(values[here])
            usage.setdefault(m, []).append(output.extras["usage"][m][here])
    found: dict[str, Any] = {"f1": 100 * weighted_f1(np.concatenate(truth), np.concatenate(predicted), classes)}
    for m, parts in sigma.items():
        if sum(map(len, parts)):
            used = torch.cat(usage[m])
            found[f"sigma {m}"] = float(torch.cat(parts).mean())
            found[f"evenness {m}"] = float(usage_entropy(used))
            found[f"usage {m}"] = (used.mean(0) / used.mean(0).sum()).tolist()
    return found


def measure_run(run: Run, data: Path, split: str) -> dict[str, Any]:
    """All conditions, the mean and sd over seeds of each number."""
    corpus = read_corpus(run.recipe.corpus.name, data, **run.recipe.corpus.options)
    part = dataclasses.replace(corpus, splits={split: corpus.splits[split]})
    seeds: dict[str, list[dict[str, Any]]] = {}
    for seed in run.seeds:
        checkpoint: Checkpoint = load_checkpoint(seed_directory(run.directory, seed))
        encoders = checkpoint_encoders(checkpoint)
        features = {m: gather_features(part, m, s, encoders.get(m)) for m, s in checkpoint.modalities.items()}
        examples = make_examples(part.splits[split], features, checkpoint.config["dims"], corpus.labels)
        sd = {m: block.scale.numpy() for m, block in checkpoint.model.inputs.items()}  # type: ignore[operator, union-attr]
        for name, change in conditions(list(features), sd).items():
            found = measure(checkpoint.model, corrupted(examples, change, 0), len(corpus.labels))
            seeds.setdefault(name, []).append(found)
        print(f"{run.recipe.name} seed {seed}: clean {seeds['clean'][-1]['f1']:.1f}", flush=True)
    return {name: summary(with_moved(rows, seeds["clean"])) for name, rows in seeds.items()}


def with_moved(rows: list[dict[str, Any]], clean: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with ``moved``, the share of the experts' work that went to others, in place of ``usage``."""
    out = []
    for row, before in zip(rows, clean, strict=True):
        used = {k: v for k, v in row.items() if k.startswith("usage ")}
        moved = {
            k.replace("usage", "moved"): float(np.abs(np.subtract(v, before[k])).sum() / 2) for k, v in used.items()
        }
        out.append({k: v for k, v in row.items() if k not in used} | moved)
    return out


def summary(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Mean and sd over seeds of every number."""

    def spread(values: list[float]) -> float:
        return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0

    columns = {key: [row[key] for row in rows] for key in rows[0]}
    return {k: {"mean": round(float(np.mean(v)), 4), "sd": round(spread(v), 4)} for k, v in columns.items()}


HEAD = """# SURE and noise

What corrupted features do to weighted F1, and to what SURE says of itself: σ of each modality, and how much of its
experts' work moves to others (0 none, 1 all). Means over {seeds} seeds ± standard deviation on the {split} split of
{corpus}; every run and seed reads the same corrupted features; noise is in standard deviations of the training set.
Only `sure/mosi-noise` was trained with noise. σ reads one utterance alone, so it cannot notice that a vector belongs to
another utterance. Made by `scripts/measure_robustness.py` from `{source}`; do not edit.
"""


def page(data: dict[str, Any], source: str) -> str:
    """The whole page."""
    runs: dict[str, Any] = data["runs"]
    first = next(iter(runs.values()))["conditions"]
    count = max(r["seeds"] for r in runs.values())
    parts = [HEAD.format(seeds=count, split=data["split"], corpus=data["corpus"], source=source), "## Weighted F1\n"]
    rows = [[name, *(_told(r["conditions"][name]["f1"], 1) for r in runs.values())] for name in first]
    parts.append(_table(["features", *runs], rows))
    for title, r in runs.items():
        keys = [k for k in r["conditions"]["clean"] if k.startswith(("sigma ", "moved "))]
        if keys:
            rows = [[n, *(_told(c[k], 3) if k in c else "–" for k in keys)] for n, c in r["conditions"].items()]
            heads = [k.replace("sigma", "σ of").replace("moved", "moved in") for k in keys]
            parts += [f"## What {title} says of itself\n", _table(["features", *heads], rows)]
    return "\n".join(parts)


def _told(value: dict[str, float], digits: int) -> str:
    return f"{value['mean']:.{digits}f} ± {value['sd']:.{digits}f}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"


def main() -> None:
    """HeadlineMetric, or only write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "runs", nargs="*", type=Path, metavar="RUN", help="directories of moodline train, of one corpus"
    )
    parser.add_argument("--data", type=Path, help="the corpus directory")
    parser.add_argument("--split", default="test")
    parser.add_argument("--json", type=Path, help="write the numbers there")
    parser.add_argument("--from", dest="source", type=Path, help="read the numbers from there")
    parser.add_argument("--page", type=Path, help="write the page there")
    options = parser.parse_args()
    source = options.source or options.json
    if options.source:
        data = json.loads(options.source.read_text(encoding="utf-8"))
    else:
        if not options.runs or options.data is None:
            parser.error("give runs and --data, or --from FILE")
        found = [Run.load(path) for path in options.runs]
        data = {"split": options.split, "corpus": found[0].recipe.corpus.name, "runs": {}}
        for path, run in zip(options.runs, found, strict=True):
            told = {"seeds": len(run.seeds), "conditions": measure_run(run, options.data, options.split)}
            name = run.recipe.name if run.recipe.name not in data["runs"] else f"{run.recipe.name}, {path.name}"
            data["runs"][name] = told
        print(page(data, str(source or "")))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    if options.page:
        options.page.write_text(page(data, source.as_posix() if source else ""), encoding="utf-8")


if __name__ == "__main__":
    main()
