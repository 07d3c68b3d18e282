"""EGMF's answers: all labels scored in one pass, beside free generation of each utterance, in one run.

    python benchmarks/egmf_answers.py --data DIR [--recipe egmf/meld-gemma270m] [--run RUN/seed-0] [--wording en]
                                      [--utterances 48] [--new-tokens 16] [--threads 1] [--json FILE]

The first test utterances of the recipe's corpus are answered four times with the same prompts and weights: greedy
``generate`` of each utterance by itself, whose text is then parsed, with room for ``--new-tokens`` (nothing says
beforehand how long free text will be), and again with room for the longest label only (``generate_short``); label
scoring among all tokens; label scoring among those that may follow. Generation stops at the end marker. ``--run`` takes
a trained model, else the language model is as it was downloaded and the adapter is random. ``invalid`` is the share of
generated texts that are no label: ``exact`` wants the label and the end, ``first_word`` forgives what comes after it.
Scored answers are always labels. Speedups are of utterances a second, and of processor seconds, which other load on the
machine hardly changes. Accuracy is told to see that nothing broke, and is no result.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from moodline.corpora.registry import read_corpus
from moodline.models.egmf import Egmf
from moodline.nn.label_scoring import LabelScorer
from moodline.nn.packing import PackedUtterances
from moodline.pipeline.checkpoint import build_model, load_checkpoint
from moodline.pipeline.encoders import encoder_for
from moodline.pipeline.examples import make_examples
from moodline.pipeline.features import feature_size, gather_features
from moodline.pipeline.recipe import load_recipe
from moodline.training.data import collate


def prepare(options: argparse.Namespace) -> tuple[Egmf, Any]:
    """The model and a batch of test utterances."""
    sets = [f"model.wording={options.wording}"] if options.wording else []
    recipe = load_recipe(options.recipe, sets)
    corpus = read_corpus(recipe.corpus.name, options.data, **recipe.corpus.options)
    chosen, count = [], 0
    for conversation in corpus.splits["test"]:
        chosen.append(conversation)
        count += len(conversation)
        if count >= options.utterances:
            break
    part = replace(corpus, splits={"test": tuple(chosen)})
    features = {
        m: gather_features(part, m, spec, encoder_for(m, spec, None) if spec.encoder else None)
        for m, spec in recipe.modalities.items()
    }
    dims = {m: feature_size(f) for m, f in features.items()}
    torch.manual_seed(0)
    if options.run:
        model: Any = load_checkpoint(options.run).model
    else:
        model = build_model(recipe.model, dims, len(corpus.labels), labels=corpus.labels.labels).eval()
    return model, collate(make_examples(chosen, features, dims, corpus.labels, Egmf.reads))


@torch.inference_mode()
def pseudo_tokens(model: Egmf, batch: Any) -> tuple[torch.Tensor, list[list[int]], torch.Tensor]:
    """Pseudo tokens, words and labels of all utterances, so that only the language model is timed."""
    rows = PackedUtterances(batch.valid)
    present = {m: rows.pack(batch.present[m]) for m in model.modalities}
    f = model._fuse(batch, rows, present)
    f = model.guidance(f)[0] if model.config.experts else f
    pseudo = model.answerer.language.scale * model.speak(f)
    repeated = pseudo[:, None].expand(-1, model.config.pseudo_tokens, -1)
    return repeated, model._words(batch, rows, present), rows.pack(batch.labels)


@torch.inference_mode()
def generate(answerer: LabelScorer, pseudo: torch.Tensor, words: list[list[int]], room: int) -> list[list[int]]:
    """What the language model says of each utterance, one after the other, in at most ``room`` tokens."""
    network, said = answerer.language.network, []
    for n in range(len(pseudo)):
        (prompt,) = answerer.prompts([words[n]], pseudo.shape[1])
        embeddings, lengths = answerer.embed([prompt], pseudo[n : n + 1])
        ids = network.generate(
            inputs_embeds=embeddings, attention_mask=torch.ones(1, int(lengths[0]), dtype=torch.int64),
            max_new_tokens=room, do_sample=False, use_cache=True, eos_token_id=answerer.prompt.end,
            pad_token_id=answerer.prompt.end,
        )  # fmt: skip
        said.append(ids[0].tolist())
    return said


def parse(said: list[str], answers: list[str], end: str, exact: bool) -> list[int | None]:
    """The label that each text is, by number; None where it is none."""
    out: list[int | None] = []
    for text in said:
        whole, _, _ = text.partition(end)
        found = whole.strip().lower() if exact else (whole.split() or [""])[0].strip(".,!?\"'").lower()
        fits = [n for n, a in enumerate(answers) if (a.lower() == found)]
        out.append(fits[0] if fits and (not exact or end in text) else None)
    return out


def main() -> None:
    """HeadlineMetric and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--recipe", default="egmf/meld-gemma270m")
    parser.add_argument("--run", type=Path)
    parser.add_argument("--wording")
    parser.add_argument("--utterances", type=int, default=48)
    parser.add_argument("--new-tokens", type=int, default=16, help="room for generated text")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model, batch = prepare(options)
    pseudo, words, labels = pseudo_tokens(model, batch)
    language, prompt = model.answerer.language, model.answerer.prompt
    count, answers = len(pseudo), list(model.config.labels)
    result: dict[str, Any] = {
        "backbone": language.id, "wording": model.config.wording, "trained": bool(options.run), "utterances": count,
        "threads": options.threads,
        "prompt_tokens": round(sum(map(len, model.answerer.prompts(words, pseudo.shape[1]))) / count, 1),
    }  # fmt: skip

    def told(start: tuple[float, float], predicted: list[int | None]) -> dict[str, float]:
        wall, cpu = time.perf_counter() - start[0], time.process_time() - start[1]
        right = sum(p == int(y) for p, y in zip(predicted, labels, strict=True)) / count
        return {
            "utterances_per_second": round(count / wall, 3),
            "cpu_seconds": round(cpu, 3),
            "accuracy": round(100 * right, 1),
        }

    generate(model.answerer, pseudo[:1], words[:1], 2)  # warm
    end = language.tokenizer.decode([prompt.end])
    rooms = {"generate": options.new_tokens, "generate_short": max(len(a) for a in prompt.answers) + 1}
    for name, room in rooms.items():
        start = (time.perf_counter(), time.process_time())
        ids = generate(model.answerer, pseudo, words, room)
        said = [language.tokenizer.decode(i, skip_special_tokens=False) for i in ids]
        found = {kind: parse(said, answers, end, exact=kind == "exact") for kind in ("exact", "first_word")}
        result[name] = told(start, found["first_word"]) | {
            "tokens": round(sum(map(len, ids)) / count, 1),
            "invalid": {kind: round(100 * f.count(None) / count, 1) for kind, f in found.items()},
        }
    for kind in ("all", "constrained"):
        answerer = LabelScorer(language, prompt, kind == "constrained")
        start = (time.perf_counter(), time.process_time())
        with torch.inference_mode():
            scores = answerer(pseudo, words)
        result[kind] = told(start, scores.argmax(-1).tolist()) | {"invalid": 0.0}
        for name in rooms:
            result[kind][f"speedup_over_{name}"] = round(
                result[kind]["utterances_per_second"] / result[name]["utterances_per_second"], 2
            )
            result[kind][f"cpu_speedup_over_{name}"] = round(
                result[name]["cpu_seconds"] / result[kind]["cpu_seconds"], 2
            )
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
