"""What fine-tuning an encoder costs: parameters, memory and arithmetic, counted on networks without weights.

Activations are the tensors that autograd keeps for the way back, floating-point operations those that torch counts,
forward and backward; each is linear in the number of blocks, so that two shallow networks tell the deep one's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from moodline.encoders.finetuning.classifier import UtteranceHead, checkpoint_network
from moodline.encoders.settings import EncoderSpec, FinetuneConfig
from moodline.encoders.weights import leave_frozen_convolutions
from moodline.experiments.finetuning.cost_model import Part, parts_of
from moodline.experiments.finetuning.meta_attention import fused_attention
from moodline.nn.lora import default_targets, inject_lora

PER_TRAINABLE = 20
"""Bytes: the weight, its gradient, Adam's two means, the copy of the best epoch, all float32."""
QUANTIZED = {"none": None, "8bit": 1.0, "4bit": 0.52}
"""Bytes for a weight of a linear layer; NF4 has its scales, themselves quantized."""
OVERHEAD, SLACK = 0.8e9, 1.1
"""The device's own libraries, in bytes; what the allocator cannot use, as a factor on activations."""


@dataclass(frozen=True)
class Cost:
    """Of one step over a batch.

    Args:
        total, trainable: parameters, those of the classifier included.
        adapted: those that learn in the encoder itself.
        weights: bytes of what does not learn.
        learning: bytes of what does, with gradients and optimizer.
        activations: bytes kept for the way back.
        flops: forward and backward, of one batch.
    """

    total: int
    trainable: int
    adapted: int
    weights: float
    learning: float
    activations: float
    flops: float

    @property
    def memory(self) -> float:
        """Bytes in all."""
        return self.weights + self.learning + SLACK * self.activations + OVERHEAD


@dataclass(frozen=True)
class _Count:
    """Of one part, for one example; ``saving`` is what checkpointing keeps less, ``again`` what it computes more."""

    total: float
    trainable: float
    size: float
    linear: float
    kept: float
    flops: float
    saving: float
    again: float

    def line(self, other: _Count, steps: int) -> _Count:
        """``steps`` blocks deeper than self, as ``other`` is one block deeper."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return _Count(*(a + (b - a) * steps for a, b in pairs))


def cost(spec: EncoderSpec, config: FinetuneConfig, classes: int, batch: int, length: float) -> Cost:
    """What a step costs.

    Args:
        spec: the encoder.
        config: of the fine-tuning.
        classes: C.
        batch: examples in a forward pass.
        length: of each, tokens or seconds.

    Raises:
        ConfigError: see ``parts_of``.
    """
    total = trainable = weights = activations = flops = 0.0
    for part, found, block in _counted(spec, replace(config, gradient_checkpointing=False), round(length, 2)):
        total, trainable = total + found.total, trainable + found.trainable
        few = QUANTIZED[spec.quantize]
        weights += found.size - (found.linear * (found.size / found.total - few) if few and part.quantized else 0)
        activations += batch * found.kept
        flops += batch * found.flops
        if config.gradient_checkpointing:
            activations -= batch * (found.saving - block)
            flops += batch * found.again
    parts = parts_of(spec)
    depth = parts[-1].depth
    states = depth + 1 if spec.layers == "all" else len(spec.layers) if isinstance(spec.layers, tuple) else 1
    own, kept = _head(config, parts[-1].hidden, states, classes, _frames(spec, round(length, 2)))
    if config.method == "full":
        weights = 0.0
    return Cost(
        int(total + trainable * (config.method == "lora")) + own,
        int(trainable) + own,
        int(trainable),
        weights,
        PER_TRAINABLE * (trainable + own),
        activations + batch * kept,
        flops,
    )


SHALLOW = 2
"""Blocks of the shallower network: the first block of all is unlike the others, for nothing below it learns."""


@cache
def _counted(spec: EncoderSpec, config: FinetuneConfig, length: float) -> tuple[tuple[Part, _Count, float], ...]:
    """Each part at its real depth, for one example, and what one block keeps while it is computed again."""
    out = []
    for part in parts_of(spec):
        low, high = (_count(part, config, SHALLOW + n, length) for n in (0, 1))
        out.append((part, low.line(high, part.depth - SHALLOW), high.saving - low.saving))
    return tuple(out)


def _count(part: Part, config: FinetuneConfig, depth: int, length: float) -> _Count:
    """One part with so many blocks, one example."""
    network = part.build(depth)
    total = part.beside + sum(p.numel() for p in network.parameters())
    size = 4 * part.beside + sum(p.numel() * p.element_size() for p in network.parameters())
    linear = sum(m.weight.numel() for m in network.modules() if isinstance(m, nn.Linear))
    learns = part.learns and config.method != "frozen"
    network.requires_grad_(learns and config.method == "full")
    if learns and config.method == "lora":
        names = {n.rsplit(".", 1)[-1] for n, m in network.named_modules() if isinstance(m, nn.Linear)}
        targets = tuple(t for t in config.targets if t in names) if config.targets else default_targets(network)
        if targets:
            inject_lora(network, config.rank, config.alpha, config.lora_dropout, targets)
    leave_frozen_convolutions(network)
    trainable = sum(p.numel() for p in network.parameters() if p.requires_grad)
    plain = checkpointed = _run(part, network, length, trainable > 0)
    if trainable and part.checkpointed and getattr(network, "supports_gradient_checkpointing", False):
        checkpoint_network(network)
        checkpointed = _run(part, network, length, True)
    saving, again = plain.kept - checkpointed.kept, checkpointed.flops - plain.flops
    return _Count(total, trainable, size, linear, plain.kept, plain.flops, saving, again)


@dataclass(frozen=True)
class _Pass:
    kept: float
    flops: float


def _run(part: Part, network: nn.Module, length: float, learning: bool) -> _Pass:
    """Forward, and backward if something learns: bytes that autograd keeps, floating-point operations."""
    network.train(learning)
    known = {p.untyped_storage()._cdata for p in network.parameters()}
    kept: dict[int, Tensor] = {}

    def keep(x: Tensor) -> Tensor:
        if x.untyped_storage()._cdata not in known:
            kept.setdefault(x.untyped_storage()._cdata, x)
        return x

    counter = FlopCounterMode(display=False)
    with fused_attention():
        if not learning:
            with counter, torch.no_grad():
                part.run(network, 1, length)
            return _Pass(0.0, counter.get_total_flops())
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
            with counter:
                states = part.run(network, 1, length)
            forward = counter.get_total_flops()
            size = float(sum(x.untyped_storage().nbytes() for x in kept.values()))
            with counter:
                states.float().sum().backward()
    return _Pass(size, forward + counter.get_total_flops())


def _frames(spec: EncoderSpec, length: float) -> int:
    """How many states an example of this length has."""
    part = parts_of(spec)[-1]
    with torch.no_grad():
        return int(part.run(part.build(1).eval(), 1, length).shape[1])


def _head(config: FinetuneConfig, hidden: int, states: int, classes: int, frames: int) -> tuple[int, float]:
    """The classifier's parameters, and the bytes that autograd keeps in it for one example."""
    kept: dict[int, Tensor] = {}

    def keep(x: Tensor) -> Tensor:
        kept.setdefault(x.untyped_storage()._cdata, x)
        return x

    with torch.device("meta"):
        head = UtteranceHead(hidden, states, classes, config)
        inputs = [torch.zeros(1, frames, hidden, requires_grad=True) for _ in range(states)]
        mask = torch.ones(1, frames, dtype=torch.bool)
    own = {p.untyped_storage()._cdata for p in head.parameters()}
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        head.eval()(head.embed(inputs, mask))
    size = float(sum(x.untyped_storage().nbytes() for key, x in kept.items() if key not in own))
    return sum(p.numel() for p in head.parameters()), size
