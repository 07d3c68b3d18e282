"""The time of an epoch, from a few real steps on this machine."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from moodline.core.device import default_device
from moodline.core.errors import CheckpointError
from moodline.corpora.base import Corpus
from moodline.encoders.backbones import load_backbone
from moodline.encoders.finetuning import Collate, UtteranceClassifier, make_examples, parameter_groups
from moodline.encoders.finetuning.activation_cache import FrozenStates
from moodline.encoders.settings import EncoderSpec
from moodline.encoders.weights import encoder_files
from moodline.experiments.finetuning.recipe import EncoderRecipe
from moodline.nn.pretrained import model_source
from moodline.pipeline.examples import training_view
from moodline.training.data import epoch_batches

STEPS = 3
"""Batches that are timed, after one that is not."""


@dataclass(frozen=True)
class Sample:
    """What was measured.

    Args:
        seconds: of an epoch's training, from so many timed batches, by their padded lengths.
        once: seconds before the first epoch, for what frozen blocks give.
        memory: most bytes in use on the GPU; None elsewhere.
        device: where.
    """

    seconds: float
    once: float
    memory: int | None
    device: str


def weights_available(spec: EncoderSpec) -> bool:
    """Whether all of an encoder is on this machine: a plan downloads nothing."""
    prefix, _, rest = spec.name.partition(":")
    if not rest or isinstance(source := model_source(rest), Path):
        return True
    if prefix == "salmonn":
        return False
    try:
        encoder_files(
            spec, source, "AutoModel", "AutoTokenizer" if prefix == "hf-text" else "AutoFeatureExtractor", ask=False
        )
    except CheckpointError:
        return False
    return True


def measure(recipe: EncoderRecipe, corpus: Corpus) -> Sample:
    """Take a few steps, and keep nothing of them.

    Args:
        recipe: what is to be done.
        corpus: with train and dev.

    Raises:
        MoodlineError: the encoder cannot be loaded.
        torch.OutOfMemoryError: the device's memory is full.
    """
    device, tuning = default_device(), recipe.finetune.training
    torch.manual_seed(tuning.seed)
    backbone = load_backbone(recipe.encoder, device=device)
    view = training_view(corpus)
    examples = make_examples(view.splits["train"], view.labels, backbone, training=True)
    model = UtteranceClassifier(backbone, len(view.labels), recipe.finetune.model)
    groups = [{**g, "lr": 0.0} for g in parameter_groups(model, recipe.finetune.model)]
    optimizer = torch.optim.AdamW(groups)
    collate = Collate(backbone, recipe.finetune.model.crop_seconds)
    batches = epoch_batches([len(e) for e in examples], tuning.batch_size, tuning.seed, 0)
    padded = [len(b) * max(len(examples[i]) for i in b) for b in batches]
    chosen = [n % len(batches) for n in range(STEPS + 1)]
    once = 0.0
    if FrozenStates.usable(backbone) and not recipe.finetune.model.crop_seconds:
        wanted = sorted({i for n in chosen for i in batches[n]})
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            states = FrozenStates(backbone, Path(folder))([examples[i].input for i in wanted])
        rate = (time.perf_counter() - begun) / sum(len(examples[i]) for i in wanted)
        once = rate * (
            sum(map(len, examples)) + sum(map(len, make_examples(view.splits["dev"], view.labels, backbone)))
        )
        for i, state in zip(wanted, states, strict=True):
            examples[i] = replace(examples[i], hidden=state)
    model.train()
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
    spent = 0.0
    for number, n in enumerate(chosen):
        begun = time.perf_counter()
        _step(model, optimizer, collate([examples[i] for i in batches[n]]).to(device), tuning.precision == "bf16")
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        spent += time.perf_counter() - begun if number else 0.0
    rate = spent / sum(padded[n] for n in chosen[1:])
    peak = torch.cuda.max_memory_allocated() if device.startswith("cuda") else None
    return Sample(rate * sum(padded), once, peak, device)


def _step(model: UtteranceClassifier, optimizer: Any, batch: Any, half: bool) -> None:
    with torch.autocast(batch.labels.device.type, torch.bfloat16, enabled=half):
        loss = model.loss(batch, model(batch))["total"]
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
