"""Stage 1: fine-tune an encoder on single utterances before the conversation model is trained on its embeddings."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from moodline.core.cache import cache_directory
from moodline.core.errors import ConfigError, FeatureError
from moodline.core.labels import IGNORE
from moodline.core.progress import Progress
from moodline.corpora.base import Corpus
from moodline.encoders.backbones import load_backbone
from moodline.encoders.finetuning import (
    Collate,
    Example,
    UtteranceClassifier,
    make_examples,
    parameter_groups,
    save_finetuned,
)
from moodline.encoders.finetuning.activation_cache import FrozenStates
from moodline.encoders.finetuning.sharding import shard_frozen
from moodline.evaluation.selection import judge_by_weighted_f1
from moodline.pipeline.recipe import ModalitySpec
from moodline.training.loop import fit
from moodline.training.processes import processes, share_weights_out


def finetune_encoder(
    corpus: Corpus, modality: str, spec: ModalitySpec, directory: Path, seed: int, quiet: bool = False
) -> Path:
    """Fine-tune a modality's encoder, chosen on dev; begun runs are resumed, finished ones are left alone.

    Args:
        corpus: its training view.
        modality: text or speech.
        spec: with ``encoder`` and ``finetune``.
        directory: of the seed; the encoder goes to ``encoder-<modality>`` in it.
        seed: of everything random.
        quiet: show no bar.

    Returns:
        The encoder's folder.

    Raises:
        FeatureError: no labelled utterance has the modality.
    """
    if spec.encoder is None or spec.finetune is None:
        raise ConfigError(f"{modality}: fine-tuning needs encoder and finetune")
    target = directory / f"encoder-{modality}"
    if (target / "encoder.json").is_file():
        return target
    gc.collect()  # the network of the seed before, which is part of cycles: two would not fit
    torch.cuda.empty_cache()
    torch.manual_seed(seed)
    here = processes()
    together = here.num_processes > 1 and (spec.finetune.model.shard or share_weights_out())
    backbone = load_backbone(spec.encoder, device="cpu" if together else str(here.device))
    train = make_examples(corpus.splits["train"], corpus.labels, backbone, training=True)
    dev = make_examples(corpus.splits["dev"], corpus.labels, backbone)
    if not train or not dev:
        raise FeatureError(f"{modality}: no labelled utterance has it", fix="Leave this modality out.")
    weights = class_weights(train, len(corpus.labels), spec.finetune.model.balance)
    for task, other in enumerate(corpus.auxiliary, 1):
        train += make_examples(other.splits["train"], other.labels, backbone, training=True, task=task)
    tuning = spec.finetune.model
    backbone.frozen, backbone.stem_frozen = tuning.freeze_blocks, tuning.stem_frozen
    if FrozenStates.usable(backbone) and not tuning.crop_seconds:
        states = FrozenStates(backbone, cache_directory() / "frozen")
        for part in (train, dev):
            with Progress(f"frozen blocks, {modality}", total=1, quiet=quiet or not here.is_main_process) as bar:
                known = _frozen_states(states, [e.input for e in part], bar)
            part[:] = [dataclasses.replace(e, hidden=h) for e, h in zip(part, known, strict=True)]
    others = [len(other.labels) for other in corpus.auxiliary]
    model = UtteranceClassifier(backbone, len(corpus.labels), spec.finetune.model, weights, others)
    if together:
        shard_frozen(model, backbone, here.device.type)
    fit(
        model,
        train,
        dev,
        Collate(backbone, spec.finetune.model.crop_seconds),
        judge=judge_by_weighted_f1(len(corpus.labels)),
        config=dataclasses.replace(spec.finetune.training, seed=seed),
        directory=directory / f"training-{modality}",
        parameters=parameter_groups(model, spec.finetune.model),
        title=f"stage 1, {modality}, seed {seed}",
        quiet=quiet,
    )
    if here.is_main_process:
        save_finetuned(model, target, corpus.labels)
    here.wait_for_everyone()
    return target


def _frozen_states(states: FrozenStates, units: Sequence[Any], bar: Progress) -> list[np.ndarray]:
    """States of units; each of several processes computes its share, then reads what the others have written."""
    here = processes()
    if here.num_processes > 1:
        states(states.share(units, here.process_index, here.num_processes), bar.share)
        here.wait_for_everyone()
    return states(units, bar.share)


def class_weights(examples: Sequence[Example], classes: int, balance: float) -> torch.Tensor | None:
    """Weights of the classes in the loss, float [C], their mean over the examples 1; None if all weigh alike.

    Args:
        examples: of training.
        classes: C.
        balance: see ``FinetuneConfig.balance``.
    """
    if not balance:
        return None
    labels = torch.tensor([label for e in examples for label in e.labels if label != IGNORE])
    counts = torch.bincount(labels, minlength=classes).clamp_min(1).float()
    weights = counts**-balance
    return weights * counts.sum() / (weights * counts).sum()
