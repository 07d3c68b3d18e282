"""Fine-tuning an encoder by its recipe, into a run's directory; finding what it left there.

RUN/finetune.json                     the recipe as resolved, the corpus and the hash of its files
RUN/seed-N/encoder-MODALITY/          the encoder, see ``encoders.finetune_io``
RUN/seed-N/training-MODALITY/         state to resume, history
RUN/seed-N/encoder-MODALITY.json      the epoch chosen on dev, its weighted F1 in percent, seconds
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from moodline.core.errors import ConfigError, DeviceMemoryError, StorageError
from moodline.core.files import write_json
from moodline.corpora.base import Corpus
from moodline.corpora.inspect import corpus_hash
from moodline.corpora.registry import detect_corpus, read_corpus
from moodline.experiments.auxiliary_corpora import read_auxiliary, with_auxiliary
from moodline.experiments.finetuning.recipe import EncoderRecipe, Modality
from moodline.experiments.same_run import check_same_run
from moodline.pipeline.examples import training_view
from moodline.pipeline.recipe import CorpusSpec, ModalitySpec, to_plain
from moodline.training.processes import processes


@dataclass(frozen=True)
class Tuned:
    """What came of one seed.

    Args:
        seed: which.
        directory: the encoder's folder.
        epoch: the chosen one, from 0.
        weighted_f1: of its own classifier on dev, in percent.
        seconds: that training took.
    """

    seed: int
    directory: Path
    epoch: int
    weighted_f1: float
    seconds: float


def read_for(recipe: EncoderRecipe, data: Path, corpus: str | None = None) -> tuple[EncoderRecipe, Corpus]:
    """The corpus of a recipe, with all its splits, and the recipe that names it.

    Args:
        recipe: what is to be done.
        data: the corpus directory.
        corpus: a name of ``moodline corpora``; None takes the recipe's, or what the files look like.

    Raises:
        MoodlineError: see ``read_corpus``.
    """
    spec = CorpusSpec(corpus) if corpus is not None else recipe.corpus or CorpusSpec(detect_corpus(data))
    if recipe.corpus is not None and spec.name == recipe.corpus.name:
        spec = recipe.corpus
    return replace(recipe, corpus=spec), read_corpus(spec.name, data, **spec.options)


def finetune(
    recipe: EncoderRecipe,
    data: Path,
    out: Path,
    corpus: str | None = None,
    seeds: Sequence[int] = (0,),
    quiet: bool = False,
) -> list[Tuned]:
    """Fine-tune an encoder on a corpus's train split, chosen on dev; finished seeds are skipped, begun ones resumed.

    Args:
        recipe: what to do.
        data: the corpus directory.
        out: the run's directory.
        corpus: see ``read_for``.
        seeds: one encoder for each.
        quiet: show no bars.

    Raises:
        MoodlineError: see the corpus readers, ``stage1`` and ``fit``; ``out`` belongs to another recipe or corpus.
    """
    from moodline.experiments.encoder_stage import finetune_encoder

    recipe, whole = read_for(recipe, data, corpus)
    here = processes()
    if here.is_main_process:
        _begin(recipe, whole, out)
    here.wait_for_everyone()
    spec = ModalitySpec(encoder=recipe.encoder, finetune=recipe.finetune)
    view = training_view(with_auxiliary(whole, read_auxiliary([spec], data)))
    found = []
    for seed in seeds:
        directory = out / f"seed-{seed}"
        try:
            folder = finetune_encoder(view, recipe.modality, spec, directory, seed, quiet)
        except (DeviceMemoryError, torch.OutOfMemoryError) as error:
            raise _too_large(recipe, whole, error) from error
        found.append(_outcome(folder, recipe.modality, seed, here.is_main_process))
    return found


def _too_large(recipe: EncoderRecipe, corpus: Corpus, error: Exception) -> DeviceMemoryError:
    """What to say of a device whose memory is full: which settings would fit."""
    from moodline.experiments.finetuning.plan import advice, lengths

    longest = max((*lengths(recipe, corpus, "train").each, *lengths(recipe, corpus, "dev").each))
    size = recipe.finetune.training.batch_size
    return DeviceMemoryError(
        f"{recipe.name}: the memory of {device_name()} is full with batches of {size}",
        getattr(error, "found", None) or str(error).split(". ")[0],
        advice(recipe, len(corpus.labels), longest, device_memory()),
    )


def device_memory() -> float:
    """Bytes of the device that training would take: of the GPU, or of the machine."""
    if torch.cuda.is_available():
        return float(torch.cuda.get_device_properties(processes().device).total_memory)
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def device_name() -> str:
    """What to call it."""
    return torch.cuda.get_device_name(processes().device) if torch.cuda.is_available() else "this machine"


def slow_precision(recipe: EncoderRecipe) -> str | None:
    """What to say where this machine computes bfloat16 many times as slowly as float32; None where it does not."""
    settings = []
    if recipe.encoder.dtype == "bfloat16":
        settings.append("encoder.dtype=float32")
    if recipe.finetune.training.precision == "bf16":
        settings.append("finetune.training.precision=fp32")
    if torch.cuda.is_available():
        able, device = torch.cuda.is_bf16_supported(including_emulation=False), "GPU"
    else:
        able, device = "AVX512" in torch.backends.cpu.get_cpu_capability(), "processor"
    if not settings or able:
        return None
    return f"this {device} has no bfloat16 and imitates it, slowly: " + " ".join(f"--set {s}" for s in settings)


def _begin(recipe: EncoderRecipe, corpus: Corpus, out: Path) -> None:
    """Note what the run is of, or check that it is of the same.

    Raises:
        ConfigError: it is of something else.
        StorageError: the disk refused.
    """
    path, record = out / "finetune.json", {"recipe": to_plain(recipe), "corpus_hash": corpus_hash(corpus)}
    if path.is_file() and any((*out.glob("seed-*/*/state.pt"), *out.glob("seed-*/*/encoder.json"))):
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            before = None
        if isinstance(before, dict):
            before["recipe"] = _held_as(before.get("recipe"), record["recipe"])
        check_same_run(out, before, record, recipe)
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError.writing(out, error) from error
    write_json(path, record)


SAVE_MEMORY = ("gradient_checkpointing", "shard")
"""Settings that save memory and change no result, so that a run may go on with others."""


def _held_as(before: Any, now: dict[str, Any]) -> Any:
    """A recipe as it was written, but with the present settings of ``SAVE_MEMORY``."""
    try:
        model = {**before["finetune"]["model"], **{k: now["finetune"]["model"][k] for k in SAVE_MEMORY}}
        return {**before, "finetune": {**before["finetune"], "model": model}}
    except (TypeError, KeyError):
        return before


def _outcome(folder: Path, modality: Modality, seed: int, write: bool) -> Tuned:
    """The numbers of the chosen epoch, kept beside the encoder."""
    path = folder.with_suffix(".json")
    if not path.is_file():
        history: list[dict[str, float]] = json.loads(
            (folder.parent / f"training-{modality}" / "history.json").read_text()
        )
        best = max(history, key=lambda row: row["dev_weighted_f1"])  # the first of equals, as in training
        numbers: dict[str, Any] = {
            "epoch": int(best["epoch"]),
            "dev": {"weighted_f1": round(100 * best["dev_weighted_f1"], 2)},
            "seconds": history[-1]["seconds"],
        }
        if write:
            write_json(path, numbers)
    else:
        numbers = json.loads(path.read_text(encoding="utf-8"))
    return Tuned(seed, folder, numbers["epoch"], numbers["dev"]["weighted_f1"], numbers["seconds"])


def tuned_encoder(run: Path, modality: Modality, seed: int = 0) -> Path:
    """The folder of a fine-tuned encoder.

    Args:
        run: a run of ``moodline finetune`` or of ``moodline train``, a seed's directory in it, or the folder itself.
        modality: text or speech.
        seed: which of the run's seeds.

    Raises:
        ConfigError: there is none.
    """
    inside = f"encoder-{modality}"
    for folder in (run, run / inside, run / f"seed-{seed}" / inside):
        if (folder / "encoder.json").is_file():
            return folder
    begun = " (begun, not finished: run the same moodline finetune command again)" if run.is_dir() else ""
    raise ConfigError(
        f"{run}: expected a fine-tuned {modality} encoder of seed {seed}{begun}",
        f"no {Path(f'seed-{seed}') / inside / 'encoder.json'}",
        f"Give the --out directory of moodline finetune {modality}, or the name of an encoder.",
    )
