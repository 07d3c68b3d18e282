"""The table of docs/how-to/large-encoders.md: what each packaged encoder recipe takes, by the estimator of --dry-run.

python scripts/encoder_costs.py            write the table into the page
python scripts/encoder_costs.py --check    change nothing, fail if it is out of date
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from moodline.experiments.finetuning.memory import cost
from moodline.experiments.finetuning.plan import seconds_on, takes_few_bits
from moodline.experiments.finetuning.recipe import MODALITIES, EncoderRecipe, load_encoder_recipe, packaged

PAGE = Path(__file__).resolve().parents[1] / "docs" / "how-to" / "large-encoders.md"
BEGIN, END = "<!-- costs: begin (made by scripts/encoder_costs.py) -->", "<!-- costs: end -->"
CLASSES, UTTERANCES = 7, 10_000
LONGEST, MEAN = {"text": 128.0, "speech": 5.0}, {"text": 16.0, "speech": 3.0}
"""Tokens, or seconds of sound in training."""
CHIP = "A100"


def gibibytes(recipe: EncoderRecipe, checkpointing: bool, quantize: str = "none") -> str:
    """Estimated memory for the longest batch, with the recipe's other settings."""
    encoder = replace(recipe.encoder, quantize=quantize)
    model = replace(recipe.finetune.model, gradient_checkpointing=checkpointing)
    longest = LONGEST[recipe.modality]
    found = cost(encoder, model, CLASSES, recipe.finetune.training.batch_size, longest)
    return f"{found.memory / 2**30:.0f}" if found.memory > 10 * 2**30 else f"{found.memory / 2**30:.1f}"


def row(recipe: EncoderRecipe) -> str:
    """One line of the table."""
    model, tuning = recipe.finetune.model, recipe.finetune.training
    one = cost(recipe.encoder, model, CLASSES, 1, MEAN[recipe.modality])
    batches = UTTERANCES // tuning.batch_size
    minutes = seconds_on(CHIP, one.flops * UTTERANCES, batches, one.weights + 4 * one.trainable) / 60
    few = takes_few_bits(recipe.encoder) and model.method == "lora"
    cells = [
        f"`{recipe.name}`",
        f"{one.total / 1e9:.2f} B",
        f"{one.trainable / 1e6:.1f} M",
        str(tuning.batch_size),
        gibibytes(recipe, False),
        gibibytes(recipe, True) if recipe.encoder.name.startswith(("hf-", "salmonn:")) else "–",
        gibibytes(recipe, True, "4bit") if few else "–",
        f"{minutes:.2g}",
    ]
    return f"| {' | '.join(cells)} |"


def table() -> str:
    """All of it, in Markdown."""
    heads = ["encoder", "parameters", "learn", "batch", "GiB", "GiB, checkpointing", "GiB, and 4 bits", "min an epoch"]
    lines = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    lines += [row(load_encoder_recipe(m, name)) for m in MODALITIES for name in packaged(m)]
    return "\n".join(lines)


def main() -> int:
    """Write or check the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    new = f"{before}{BEGIN}\n{table()}\n{END}{after}"
    if "--check" in sys.argv[1:]:
        return int(new != text)
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
