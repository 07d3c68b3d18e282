"""``moodline finetune``, and ``encode`` with fine-tuned encoders."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Literal

from moodline.cli.console import print_json, print_table, stdout
from moodline.core.progress import progress_bar


def run_finetune(
    modality: Literal["text", "speech"],
    recipe: str,
    data: Path,
    corpus: str | None,
    out: Path | None,
    seeds: int,
    settings: list[str],
    json_: bool,
    quiet: bool,
) -> None:
    """Fine-tune and print each seed's dev numbers."""
    from moodline.experiments.finetuning.recipe import load_encoder_recipe
    from moodline.experiments.finetuning.run import finetune, read_for, slow_precision
    from moodline.experiments.finetuning.timing import weights_available

    talks = os.environ.get("RANK", "0") == "0"  # with several processes, one of them does
    loaded = load_encoder_recipe(modality, recipe, settings)
    if talks and not quiet and (slow := slow_precision(loaded)) and weights_available(loaded.encoder):
        print(f"Note: {slow}", file=sys.stderr)
    if out is None:
        named, _ = read_for(loaded, data, corpus)
        assert named.corpus is not None
        out = Path("runs") / (loaded.name if loaded.corpus else f"{loaded.name}-{named.corpus.name}")
    found = finetune(loaded, data, out, corpus, range(seeds), quiet or json_)
    if not talks:
        return
    if json_:
        rows = [
            {"seed": t.seed, "encoder": str(t.directory), "epoch": t.epoch, "dev": {"weighted_f1": t.weighted_f1}}
            for t in found
        ]
        print_json({"recipe": loaded.name, "out": str(out), "seeds": rows})
    elif not quiet:
        columns = ("seed", "epoch", "weighted F1", "seconds")
        print_table(f"{loaded.name}: dev", columns, [(t.seed, t.epoch, t.weighted_f1, t.seconds) for t in found])
        stdout().print(f"encoders: {out}   next: moodline encode CORPUS {data} FEATURES --{modality} {out}")


def run_encode_with(
    name: str, data: Path, out: Path, sources: dict[str, str], seed: int, device: str, json_: bool, quiet: bool
) -> None:
    """Encode all splits of a corpus with chosen encoders and write them as a house directory."""
    from moodline.cli.corpora import print_encoded
    from moodline.corpora.convert import check_free, write_house
    from moodline.experiments.finetuning.features import encode_with

    check_free(out)
    with progress_bar(quiet or json_) as progress:
        corpus = encode_with(name, data, sources, seed, device, progress)
    if os.environ.get("RANK", "0") == "0":
        write_house(corpus, out)
        print_encoded(corpus, out, json_, quiet)
