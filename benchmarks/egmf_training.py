"""What a training step of EGMF's language model costs: memory with and without checkpointing, tokens a second.

    python benchmarks/egmf_training.py [--backbone gemma3-270m] [--shape llama-3.1-8b] [--device cuda]
                                       [--dtype bfloat16] [--utterances 8] [--tokens 32] [--peak TFLOPS]
                                       [--threads 1] [--json FILE]

A step is one forward and backward pass of prompts with pseudo tokens in them, with the language model's loss on the
answers; LoRA and the pseudo tokens get gradients, and that nothing else does is asserted. ``kept`` are the bytes that
the forward pass keeps for the backward pass, each storage once and weights left out: the same on every machine.
``--shape`` takes random weights of a published model's sizes in place of ``--backbone``. ``share_of_peak`` counts 4
operations a parameter and token (2 forward, 2 back through frozen weights), 2 more with checkpointing.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from moodline.nn.label_scoring import LabelScorer
from moodline.nn.language_model import DTYPES, LanguageModel, LoraConfig
from moodline.nn.prompting import Prompt

SHAPES = {
    "llama-3.1-8b": {
        "vocab_size": 128256, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 8192,
    },
    "tiny": {
        "vocab_size": 1000, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 4,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512,
    },
}  # fmt: skip


def load(options: argparse.Namespace, checkpointing: bool) -> LanguageModel:
    """The language model with LoRA on its query and value projections."""
    lora = LoraConfig(rank=8)
    if options.shape is None:
        return LanguageModel.load(options.backbone, options.dtype, lora, checkpointing).to(options.device)
    from transformers import AutoModelForCausalLM, LlamaConfig

    with torch.device(options.device):
        config = LlamaConfig(**SHAPES[options.shape])
        network = AutoModelForCausalLM.from_config(config, dtype=DTYPES[options.dtype])
    model = LanguageModel(network, None, options.shape, "random")
    model.probe()
    model.inject(lora)
    if checkpointing:
        network.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    return model.to(options.device)


def kept_bytes(work: Any, weights: set[int]) -> tuple[Any, int]:
    """What ``work`` gives, and the bytes it keeps for the backward pass."""
    seen: dict[int, int] = {}

    def pack(x: torch.Tensor) -> torch.Tensor:
        storage = x.untyped_storage()
        if storage.data_ptr() not in weights:
            seen[storage.data_ptr()] = storage.nbytes()
        return x

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        found = work()
    return found, sum(seen.values())


def measure(options: argparse.Namespace, checkpointing: bool) -> dict[str, float]:
    """Steps with or without checkpointing."""
    torch.manual_seed(0)
    model = load(options, checkpointing).train()
    vocabulary = model.network.get_input_embeddings().num_embeddings
    prompt = Prompt((5,), (6,), (), (7,), (8, 9), tuple((20 + n,) for n in range(7)), 10)
    answerer = LabelScorer(model, prompt, constrained=False)
    words = torch.randint(11, vocabulary, (options.utterances, options.tokens)).tolist()
    pseudo = nn.Parameter(0.02 * torch.randn(options.utterances, 4, model.width, device=options.device))
    chosen = torch.arange(options.utterances, device=options.device) % 7
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    frozen = [p for n, p in model.named_parameters() if ".lora_" not in n]
    seconds, kept = [], 0
    for _ in range(options.steps + 1):
        start = time.perf_counter()
        loss, kept = kept_bytes(lambda: -answerer.log_probability_of(pseudo, words, chosen).mean(), weights)
        loss.backward()
        if options.device != "cpu":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
        assert all(p.grad is None for p in frozen)
        assert all(p.grad is not None for n, p in model.named_parameters() if ".lora_" in n)
        assert pseudo.grad is not None
    tokens = sum(map(len, answerer.prompts(words, 4))) + options.utterances
    best = min(seconds[1:])
    body = sum(p.numel() for n, p in model.named_parameters() if "embed" not in n)
    out = {
        "kept_mb": round(kept / 1e6, 1),
        "seconds": round(best, 4),
        "tokens_per_second": round(tokens / best, 1),
        "learned_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
    }
    if options.peak:
        out["share_of_peak"] = round((6 if checkpointing else 4) * body * tokens / best / options.peak / 1e12, 4)
    if options.device != "cpu":
        out["peak_memory_gb"] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
        torch.cuda.reset_peak_memory_stats()
    return out


def main() -> None:
    """HeadlineMetric and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="gemma3-270m")
    parser.add_argument("--shape", choices=SHAPES)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=DTYPES, default="float32")
    parser.add_argument("--utterances", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=32, help="words of an utterance, in tokens")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--peak", type=float, help="of the device, in 10^12 operations a second")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    names = ("backbone", "shape", "device", "dtype", "utterances", "tokens", "threads")
    result: dict[str, Any] = {n: getattr(options, n) for n in names}
    result["backbone"] = options.shape or options.backbone
    for checkpointing in (False, True):
        result["checkpointing" if checkpointing else "plain"] = measure(options, checkpointing)
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
