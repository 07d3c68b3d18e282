"""Build a packaged text model again from MELD: train, choose the seed on dev, test once, pack.

    python scripts/build_text_model.py --data DIR [--model meld-text] [--seeds 1] [--run DIR]

DIR is the folder of the corpora or of MELD. A run that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file

from moodline.checkpoint import load_checkpoint, save_checkpoint
from moodline.config import load_recipe
from moodline.experiment import evaluate, train
from moodline.report.results import draw_plots
from moodline.runs import Run

RECIPES = {"meld-text": "mister-e/meld-minilm-lora"}
PACKAGED = Path(__file__).resolve().parents[1] / "src" / "moodline" / "pretrained"


def pack(name: str, run: Run, seed: int, results: dict[str, object], target: Path) -> None:
    """Copy one seed's checkpoint to the package, weights as float16."""
    source = run.directory / f"seed-{seed}"
    checkpoint = load_checkpoint(source)
    shutil.rmtree(target, ignore_errors=True)
    for folder in sorted(source.glob("encoder-*")):
        (target / folder.name).mkdir(parents=True)
        shutil.copyfile(folder / "encoder.json", target / folder.name / "encoder.json")
        for file in folder.glob("*.safetensors"):
            halves = {k: v.half() if v.is_floating_point() else v for k, v in load_file(file).items()}
            save_file(halves, target / folder.name / file.name)
    save_checkpoint(
        target,
        name=name,
        model=checkpoint.model,
        settings=checkpoint.config["model"],
        dims=checkpoint.config["dims"],
        labels=checkpoint.labels,
        modalities=checkpoint.modalities,
        calibration=checkpoint.calibration,
        metrics=json.loads((source / "metrics.json").read_text(encoding="utf-8")),
        card=card(name, (source / "README.md").read_text(encoding="utf-8"), results, seed),
        half=True,
    )
    for path in target.rglob("*.safetensors"):
        path.chmod(0o644)


def card(name: str, text: str, results: dict[str, object], seed: int) -> str:
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
    _, _, rest = text.partition("\n")
    rest = rest.replace("--model DIRECTORY", f"--model {name}").replace('load("DIRECTORY")', f'load("{name}")')
    return f"# {name}\n{rest}" + "\n".join(lines) + "\n"


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
    pack(options.model, run, best["seed"], results, target)
    print(f"packed seed {best['seed']} (dev weighted F1 {best['dev']['weighted_f1']}) into {target.name}")


if __name__ == "__main__":
    main()
