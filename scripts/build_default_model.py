"""Build the packaged model of voice and words again: compose, train, choose the seed on dev, test once, pack.

    python scripts/build_default_model.py --data DIR [--seeds 0 1 2 3 4] [--work runs/voice-words]

DIR is the folder that holds MELD, EmoryNLP and RAVDESS. Whatever was done before an interruption is not done again.
Writes results/models/voice-words.json and the package's own folder.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import compose_corpus
import numpy as np
from packing import PACKAGED, pack
from voice_words_cases import answers_to, composed_cases, numbers, voice_cases

from moodline.core.files import replacing_folder, write_json
from moodline.core.progress import progress_bar
from moodline.corpora.inspect import corpus_hash
from moodline.corpora.registry import read_corpus
from moodline.evaluation.results import provenance
from moodline.experiments.evaluate import checkpoint_encoders
from moodline.experiments.runs import Run, begin_run
from moodline.experiments.train import train
from moodline.pipeline.checkpoint import load_checkpoint
from moodline.pipeline.recipe import load_recipe
from moodline.report.plots import plot_reliability, plot_risk_coverage

NAME, RECIPE, TEXT = "voice-words", "mister-e/voice-words", "mister-e/meld-minilm-lora"
RESULTS = Path(__file__).resolve().parents[1] / "results" / "models"


def prepare(data: Path, work: Path, seeds: list[int], text_run: Path) -> Run:
    """The corpus, the text encoders (fine-tuned on MELD, not on composed dialogues), the models of all seeds."""
    compose_corpus.compose_all(data, work)
    train(load_recipe(TEXT), data, text_run, seeds)
    recipe, composed, out = load_recipe(RECIPE), work / "composed", work / "run"
    begin_run(recipe, corpus_hash(read_corpus("house", composed)), out)
    for seed in seeds:
        target = out / f"seed-{seed}" / "encoder-text"
        if not target.exists():
            with replacing_folder(target) as folder:
                shutil.copytree(text_run / f"seed-{seed}" / "encoder-text", folder, dirs_exist_ok=True)
    with progress_bar() as progress:
        return train(recipe, composed, out, seeds, progress)


def examine(directory: Path, data: Path, work: Path) -> dict[str, Any]:
    """Every case's numbers for one model; kept beside it, for testing is done once."""
    kept = directory / "cases.json"
    if kept.is_file():
        found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        return found
    checkpoint = load_checkpoint(directory)
    encoders = checkpoint_encoders(checkpoint)
    composed, voice = read_corpus("house", work / "composed"), read_corpus("house", work / "voice")
    meld = read_corpus("meld", data)
    cases = {"words of MELD": list(meld.splits["test"]), **composed_cases(composed.splits["test"], work / "audio")}
    heard = voice_cases(voice.splits["test"], work / "audio")
    found = {"composed": {}, "voice": {}}
    for kind, group in (("composed", cases), ("voice", heard)):
        for case, conversations in group.items():
            answers = answers_to(checkpoint, composed, conversations, encoders)
            found[kind][case] = numbers(checkpoint, answers, composed, case in ("words of MELD", "as composed"))
            print(f"{directory.name}, {case}: weighted F1 {found[kind][case]['weighted_f1']}", flush=True)
    write_json(kept, found)
    return found


def without_answers(found: dict[str, Any]) -> dict[str, Any]:
    """The numbers without each answer's own."""
    return {
        kind: {case: {k: v for k, v in row.items() if k != "answers"} for case, row in cases.items()}
        for kind, cases in found.items()
    }


def draw(cases: dict[str, Any], folder: Path) -> None:
    """Reliability and risk over coverage of the packed seed, on test."""
    folder.mkdir(parents=True, exist_ok=True)
    answers = cases["as composed"]["answers"]
    plot_reliability(answers["confidence"], answers["right"], folder / "reliability.svg", answers["before"])
    named = {"voice and words (composed)": cases["as composed"], "words of MELD": cases["words of MELD"]}
    chosen = {n: (c["abstain"]["coverage"], 100 - c["abstain"]["accuracy"]) for n, c in named.items()}
    plot_risk_coverage({n: c["abstain"]["curve"] for n, c in named.items()}, folder / "risk-coverage.svg", chosen)


def over_seeds(rows: list[Any]) -> Any:
    """The same structure with ``[mean, sd]`` in place of numbers; what is not a number is the first one's."""
    first = rows[0]
    if isinstance(first, dict):
        return {k: over_seeds([r[k] for r in rows]) for k in first if all(k in r for r in rows)}
    if isinstance(first, bool) or not isinstance(first, int | float):
        return first
    sd = float(np.std(rows, ddof=1)) if len(rows) > 1 else 0.0
    return [round(float(np.mean(rows)), 4), round(sd, 4)]


def main() -> None:
    """Compose, train, test, pack."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--work", type=Path, default=Path("runs/voice-words"))
    parser.add_argument("--text-run", type=Path, default=Path("runs/meld-text"), help=f"a run of {TEXT}")
    parser.add_argument("--target", type=Path, default=PACKAGED / NAME)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    run = prepare(options.data, options.work, options.seeds, options.text_run)
    seeds = [s for s in run.seeds if s in options.seeds]
    found = {s: examine(run.directory / f"seed-{s}", options.data, options.work) for s in seeds}
    metrics = {s: json.loads((run.directory / f"seed-{s}" / "metrics.json").read_text("utf-8")) for s in seeds}
    best = max(seeds, key=lambda s: metrics[s]["dev"]["weighted_f1"])
    results = {
        "model": NAME,
        "recipe": RECIPE,
        "chosen_on": "dev of the composed corpus",
        "packed_seed": best,
        "seeds": [
            {"seed": s, "dev": metrics[s]["dev"], "seconds": metrics[s].get("seconds"), **without_answers(found[s])}
            for s in seeds
        ],
        "summary": over_seeds([without_answers(found[s]) for s in seeds]),
        "provenance": provenance(run.corpus_hash, {}, {}),
    }
    options.results.mkdir(parents=True, exist_ok=True)
    write_json(options.results / f"{NAME}.json", results)
    draw(found[best]["composed"], options.results / NAME)
    pack(NAME, run.directory / f"seed-{best}", options.target, lambda text: card(text, results))
    print(f"packed seed {best} into {options.target.name}")


def card(text: str, results: dict[str, Any]) -> str:
    """The checkpoint's model card with the cases' numbers, taken from the results of the packed seed."""
    (mine,) = [s for s in results["seeds"] if s["seed"] == results["packed_seed"]]
    rows = [
        f"| {case} | {c['weighted_f1']} | {c['accuracy']} | {c['ece']['after']} | {c['utterances']} |"
        for case, c in {**mine["composed"], **mine["voice"]}.items()
    ]
    lines = [
        "\n## Test\n",
        "This seed; words: MELD's test split; voices: actors 21 to 24 of RAVDESS; conversations composed of both:\n",
        "| case | weighted F1 | accuracy | ECE | utterances |",
        "|---|---|---|---|---|",
        *rows,
        "",
        "## Data and licence\n",
        "Words: MELD and EmoryNLP, transcripts of a television comedy. Voices: RAVDESS (Livingstone & Russo 2018), two",
        "sentences acted in North American English, **CC BY-NC-SA 4.0: these weights inherit it, so they are for",
        "non-commercial use** and whatever is made of them must be shared alike. The conversations are composed",
        "(`scripts/compose_corpus.py`): words and voice of an utterance were never said together. Acted emotions are",
        "stronger than those of everyday talk, so expect the voice to tell less than the table says.",
        "",
        "It must not be used to judge, rank, hire, grade, police, interrogate or medically assess people, nor to infer",
        "anyone's emotions at work or in education, which the law forbids in places.",
        f"Made by `scripts/build_default_model.py`, recipe `{RECIPE}`.",
    ]
    text = text.replace("encoder minilm, fine-tuned on the corpus", "encoder minilm, fine-tuned on MELD")
    return text + "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
