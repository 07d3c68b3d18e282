"""Build a packaged text model again from MELD: train, choose the seed on dev, test once, pack.

    python scripts/build_text_model.py --data DIR [--model meld-text] [--seeds 1] [--run DIR]

DIR is the folder of the corpora or of MELD. A run that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from packing import PACKAGED, pack

from moodline.experiments.evaluate import evaluate
from moodline.experiments.train import train
from moodline.pipeline.recipe import load_recipe
from moodline.report.results import draw_plots

RECIPES = {"meld-text": "mister-e/meld-minilm-lora"}


def card(text: str, name: str, results: dict[str, object], seed: int) -> str:
    """The checkpoint's model card with the test numbers, taken from the result file."""
    (test,) = [s["test"] for s in results["seeds"] if s["seed"] == seed]  # type: ignore[attr-defined]
    lines = [
        "\n## Test\n",
        "MELD test split, tested once, this seed:\n",
        "| weighted F1 | accuracy | macro F1 | ECE |",
        "|---|---|---|---|",
        f"| {test['weighted_f1']} | {test['accuracy']} | {test['macro_f1']} | {test['ece']} |",
        "",
        "| class | precision | recall | F1 | utterances |",
        "|---|---|---|---|---|",
        *(
            f"| {label} | {c['precision']} | {c['recall']} | {c['f1']} | {c['support']} |"
            for label, c in test["per_class"].items()
        ),
        "",
        "Trained on the transcripts of a television comedy in English (MELD; GPL-3 data). The weights are the",
        "project's own; MELD's terms apply to uses that they restrict.",
        f"Made by `make model` (`scripts/build_text_model.py --model {name}`).",
    ]
    return text + "\n".join(lines) + "\n"


def main() -> None:
    """Train, test, pack."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--model", choices=RECIPES, default="meld-text")
    parser.add_argument("--run", type=Path, help="default: runs/MODEL")
    parser.add_argument("--target", type=Path, help="default: the package's own folder")
    options = parser.parse_args()
    directory = options.run or Path("runs") / options.model
    target = options.target or PACKAGED / options.model
    run = train(load_recipe(RECIPES[options.model]), options.data, directory, range(options.seeds))
    results = evaluate(run, options.data)
    draw_plots(run.directory, results)
    best = max(results["seeds"], key=lambda s: s["dev"]["weighted_f1"])
    seed = best["seed"]
    pack(options.model, run.directory / f"seed-{seed}", target, lambda text: card(text, options.model, results, seed))
    print(f"packed seed {seed} (dev weighted F1 {best['dev']['weighted_f1']}) into {target.name}")


if __name__ == "__main__":
    main()
