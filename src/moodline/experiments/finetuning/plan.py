"""What a fine-tuning will take, before it is begun: steps, tokens, memory by setting, time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from moodline.core.errors import ConfigError
from moodline.corpora.base import Corpus
from moodline.encoders.inputs import TextInput, conversation_inputs
from moodline.encoders.settings import EncoderSpec, FinetuneConfig
from moodline.experiments.finetuning.cost_model import parts_of
from moodline.experiments.finetuning.memory import OVERHEAD, Cost, cost
from moodline.experiments.finetuning.recipe import EncoderRecipe

CHIPS = {"A100": (312e12, 2.0e12), "H100": (989e12, 3.35e12), "RTX 4090": (165e12, 1.0e12)}
"""Operations a second in bfloat16, without sparsity, and bytes a second from memory, as their makers say."""
SHARE = 0.35
"""Of a chip's peak that fine-tuning of this kind reaches, assumed."""


def seconds_on(chip: str, flops: float, batches: int, weights: float) -> float:
    """Estimated seconds: by arithmetic, or by reading the weights there and back for every batch, whichever is more.

    Args:
        chip: of ``CHIPS``.
        flops: in all.
        batches: forward passes, as many backward.
        weights: bytes.
    """
    peak, bandwidth = CHIPS[chip]
    return max(flops / peak, 2 * batches * weights / bandwidth) / SHARE


@dataclass(frozen=True)
class Lengths:
    """Of a split's utterances.

    Args:
        each: tokens of text or seconds of sound, as the encoder is given them in training.
        unit: ``"tokens"`` or ``"seconds of sound"``.
        guessed: whether tokens were guessed from characters, because the tokenizer is not here.
    """

    each: tuple[float, ...]
    unit: str
    guessed: bool


@dataclass(frozen=True)
class Option:
    """A way to set the recipe, and the bytes it would take.

    Args:
        settings: as ``--set`` takes them; none for the recipe as it is.
        cost: of its longest batch.
    """

    settings: tuple[str, ...]
    cost: Cost


@dataclass(frozen=True)
class FinetunePlan:
    """What a recipe will take on a corpus.

    Args:
        recipe: the recipe.
        train, dev: lengths of the utterances.
        steps: of an epoch.
        options: the recipe as it is, then with less memory, in the order of the price paid in time or exactness.
        flops: of an epoch.
    """

    recipe: EncoderRecipe
    train: Lengths
    dev: Lengths
    steps: int
    options: tuple[Option, ...]
    flops: float

    def hours(self, chip: str) -> float:
        """An epoch's hours on a chip of ``CHIPS``, estimated."""
        first = self.options[0].cost
        batches = -(-len(self.train.each) // self.recipe.finetune.training.batch_size)
        return seconds_on(chip, self.flops, batches, first.weights + 4 * first.trainable) / 3600

    def fitting(self, memory: float) -> Option | None:
        """The first option that takes at most so many bytes."""
        return next((o for o in self.options if o.cost.memory <= memory), None)


def make_plan(recipe: EncoderRecipe, corpus: Corpus, processes: int = 1) -> FinetunePlan:
    """FinetunePlan a fine-tuning.

    Args:
        recipe: what is to be done.
        corpus: with train and dev.
        processes: how many will work together.

    Raises:
        ConfigError: see ``parts_of``.
    """
    train, dev = (lengths(recipe, corpus, split) for split in ("train", "dev"))
    if not train.each or not dev.each:
        raise ConfigError(f"{corpus.name}: no labelled utterance of train or of dev has {recipe.modality}")
    tuning = recipe.finetune.training
    steps = -(-len(train.each) // (tuning.batch_size * tuning.accumulate * processes))
    mean = sum(train.each) / len(train.each)
    one = cost(recipe.encoder, recipe.finetune.model, len(corpus.labels), 1, max(mean, 1.0))
    if recipe.finetune.model.method == "lora" and not one.adapted:
        raise ConfigError(
            f"fine-tuning: no linear layer of {recipe.encoder.name} has the names given as targets",
            ", ".join(recipe.finetune.model.targets or ()),
        )
    flops = one.flops * len(train.each)
    return FinetunePlan(recipe, train, dev, steps, options(recipe, len(corpus.labels), max(train.each)), flops)


def options(recipe: EncoderRecipe, classes: int, longest: float) -> tuple[Option, ...]:
    """The recipe as it is, then with smaller batches, gradient checkpointing and few bits, and all of them.

    Args:
        recipe: what is to be done.
        classes: C.
        longest: tokens or seconds of the longest utterance.
    """
    tuning, encoder, model = recipe.finetune.training, recipe.encoder, recipe.finetune.model
    batch = "finetune.training.batch_size={} finetune.training.accumulate={}"
    halves = []
    size = tuning.batch_size
    while size > 1:
        size //= 2
        halves.append((size, -(-tuning.batch_size * tuning.accumulate // size)))
    of_transformers = encoder.name.startswith(("hf-", "salmonn:"))
    checkpointing = "finetune.model.gradient_checkpointing=true"
    ways: list[tuple[tuple[str, ...], EncoderSpec, FinetuneConfig, int]] = [((), encoder, model, tuning.batch_size)]
    ways += [(tuple(batch.format(b, a).split()), encoder, model, b) for b, a in halves]
    if of_transformers and not model.gradient_checkpointing:
        saving = replace(model, gradient_checkpointing=True)
        ways.append(((checkpointing,), encoder, saving, tuning.batch_size))
        ways += [((checkpointing, *batch.format(b, a).split()), encoder, saving, b) for b, a in halves]
    if takes_few_bits(encoder) and model.method == "lora" and encoder.quantize == "none":
        least = replace(model, gradient_checkpointing=of_transformers)
        for bits in ("8bit", "4bit"):
            few, b, a = replace(encoder, quantize=bits), *(halves[-1] if halves else (1, tuning.accumulate))
            way = (f"encoder.quantize={bits}", checkpointing, *batch.format(b, a).split())
            ways.append((way, few, least, b))
    found = [Option(settings, cost(spec, config, classes, size, longest)) for settings, spec, config, size in ways]
    kept = [found[0]]
    for option in found[1:]:  # an option that saves nothing is none
        if option.cost.memory - OVERHEAD < 0.97 * min(o.cost.memory - OVERHEAD for o in kept):
            kept.append(option)
    return tuple(kept)


def takes_few_bits(spec: EncoderSpec) -> bool:
    """Whether an encoder's weights can be quantized."""
    return spec.name.startswith("hf-") and any(part.quantized for part in parts_of(spec))


def lengths(recipe: EncoderRecipe, corpus: Corpus, split: str) -> Lengths:
    """How long the labelled utterances of a split are."""
    spec, finetune = recipe.encoder, recipe.finetune
    inputs = [
        x
        for conversation in corpus.splits.get(split, ())
        for u, x in zip(conversation, conversation_inputs(conversation, recipe.modality, spec), strict=True)
        if x is not None and u.emotion is not None
    ]
    if recipe.modality == "speech":
        most = min(spec.max_seconds, finetune.model.crop_seconds or spec.max_seconds)
        return Lengths(tuple(min(most, max(0.05, x.seconds())) for x in inputs), "seconds of sound", False)
    texts = ["\n".join((*x.context, x.text)) if isinstance(x, TextInput) else " ".join(x.window.turns) for x in inputs]
    tokenizer = _tokenizer(spec)
    counts = _guess(texts) if tokenizer is None else [len(ids) for ids in tokenizer(texts)["input_ids"]]
    return Lengths(tuple(float(min(spec.max_tokens, max(1, n))) for n in counts), "tokens", tokenizer is None)


def _guess(texts: Sequence[str]) -> list[int]:
    return [len(text) // 4 + 2 for text in texts]


def _tokenizer(spec: EncoderSpec) -> Any:
    """The tokenizer of a model of transformers, if it is on this machine."""
    from moodline.core.errors import CheckpointError
    from moodline.encoders.weights import encoder_files, from_pretrained
    from moodline.nn.pretrained import model_source

    prefix, _, rest = spec.name.partition(":")
    if prefix != "hf-text":
        return None
    try:
        files, _ = encoder_files(spec, model_source(rest), "AutoTokenizer", ask=False)
        return from_pretrained("AutoTokenizer", files, spec.name)
    except CheckpointError:
        return None


def advice(recipe: EncoderRecipe, classes: int, longest: float, memory: float) -> str:
    """What to do about a device whose memory is full: the first settings that would fit it, by the estimate.

    Args:
        recipe: what ran.
        classes: C.
        longest: tokens or seconds of the longest utterance.
        memory: the device's bytes.
    """
    smaller = [o for o in options(recipe, classes, longest)[1:] if o.cost.memory <= memory]
    if not smaller:
        return "No setting of this encoder is likely to fit: take a smaller encoder or a larger device."
    best = smaller[0]
    sets = " ".join(f"--set {s}" for s in best.settings)
    return f"By estimate {best.cost.memory / 2**30:.1f} GiB suffice with: {sets}"
