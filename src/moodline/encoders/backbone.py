"""Pretrained networks that show their hidden states, and the encoder that pools them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from moodline.core.errors import ConfigError, DeviceMemoryError
from moodline.encoders.base import length_batches
from moodline.encoders.settings import EncoderSpec
from moodline.encoders.speech.sound import clip_seconds
from moodline.nn import pooling
from moodline.nn.lora import check_run

TORCH_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Backbone(nn.Module):
    """A pretrained network with the preparation of its inputs; the base of all of them.

    A subclass sets the attributes and defines ``prepare``, ``length`` and ``forward``.

    Attributes:
        id: the name it was loaded by.
        revision: a hash of the weights' files, or the hub's commit.
        modality: ``"text"`` or ``"speech"``.
        spec: settings with all defaults filled in.
        network: the module that fine-tuning changes.
        hidden_size: H.
        depth: how many blocks; there are depth + 1 hidden states.
        budget: most padded length (inputs × the longest) of one forward pass.
        frozen: how many of the lowest blocks ``tensors["hidden"]`` has been through, where it is given.
        stem_frozen: whether what lies below the blocks (embeddings, convolutions) stays as it was loaded.
        kept: the type in which states after ``frozen`` blocks are kept, see ``encoders.frozen``.
        checked: whether the first pass in training is over, which tells whether LoRA took part.
        adapted: how the names of those parts of the network begin that fine-tuning may change; the others stay as they
            were loaded, without dropout.
    """

    id: str
    revision: str
    modality: str
    spec: EncoderSpec
    network: nn.Module
    hidden_size: int
    depth: int
    budget: int
    frozen: int = 0
    stem_frozen: bool = False
    kept: torch.dtype = torch.float16
    checked: bool
    adapted: tuple[str, ...] = ("",)

    def __init__(self) -> None:
        super().__init__()
        self.checked = False
        self.register_forward_hook(_check_first_step)

    def units(self, inputs: Sequence[Any]) -> tuple[list[Any], list[tuple[int, int]]]:
        """What goes through the network: the units to ``prepare``, and for each input its unit and the row in it.

        An input is its own unit, except where neighbouring turns are read together (``EncoderSpec.window``).
        """
        return list(inputs), [(n, 0) for n in range(len(inputs))]

    def rows(self, unit: Any) -> int:
        """How many rows a unit gives in ``forward``."""
        return 1

    def prepare(self, inputs: Sequence[Any]) -> dict[str, Tensor]:
        """Units as padded tensors, batch first, on the CPU."""
        raise NotImplementedError

    def cuts(self, inputs: Sequence[Any]) -> list[bool]:
        """See ``Limited.cuts``; here of clips of sound."""
        return [clip_seconds(item) > self.spec.max_seconds for item in inputs]

    def length(self, item: Any) -> int:
        """How long an input is, roughly: for sorting and for ``budget``."""
        raise NotImplementedError

    def forward(self, tensors: dict[str, Tensor]) -> tuple[tuple[Tensor, ...], Tensor]:
        """Hidden states.

        Args:
            tensors: what ``prepare`` gave, on this module's device.

        Returns:
            depth + 1 states [B, T, H], the embedding layer first; bool [B, T], True where a frame enters the pooling.
            B counts rows: more than units where a unit has several turns.
        """
        raise NotImplementedError

    def lower(self, tensors: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The state after ``frozen`` blocks [B, T, H], before turns are parted, and bool [B, T], True where it is
        real; only where ``resumable``."""
        raise NotImplementedError

    def prepare_from_hidden(self, inputs: Sequence[Any], hidden: Sequence[Tensor]) -> dict[str, Tensor]:
        """As ``prepare``, where the state after ``frozen`` blocks is known: float [T, H] for each unit."""
        return {**self.prepare(inputs), "hidden": nn.utils.rnn.pad_sequence(list(hidden), batch_first=True)}

    @property
    def reading(self) -> dict[str, Any]:
        """What results depend on beside inputs, weights and spec, where it is otherwise than in earlier versions."""
        return {}

    @property
    def resumable(self) -> bool:
        """Whether ``forward`` takes ``tensors["hidden"]``."""
        return False

    @property
    def blocks(self) -> nn.Module:
        """The part of the network whose blocks ``gradient_checkpointing`` is about."""
        return self.network

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.network.parameters()).device


def _check_first_step(backbone: Backbone, *_: Any) -> None:
    """After the first pass in training: what is to learn took part."""
    if backbone.training and not backbone.checked:
        backbone.checked = True
        check_run(backbone.network)


def chosen_layers(layers: str | tuple[int, ...] | None, depth: int, name: str) -> tuple[int, ...]:
    """Numbers 0 … depth of the hidden states that ``EncoderSpec.layers`` asks for.

    Raises:
        ConfigError: a number outside.
    """
    if layers == "all":
        return tuple(range(depth + 1))
    if layers is None or isinstance(layers, str):
        return (depth,)
    wrong = [n for n in layers if not -depth - 1 <= n <= depth]
    if wrong:
        raise ConfigError(f"encoder {name}: layers must lie between {-depth - 1} and {depth}", wrong)
    return tuple(n % (depth + 1) for n in layers)


class PooledEncoder:
    """A frozen backbone, chosen layers, a pooling: an ``Encoder``.

    Args:
        backbone: the network; ``backbone.spec`` says how to pool.
    """

    def __init__(self, backbone: Backbone) -> None:
        spec = backbone.spec
        self.backbone = backbone.eval().requires_grad_(False)
        self.layers = chosen_layers(spec.layers, backbone.depth, spec.name)
        self.id, self.revision, self.modality = backbone.id, backbone.revision, backbone.modality
        width = backbone.hidden_size * (len(self.layers) if spec.combine == "concat" else 1)
        self.dim = width * (2 if spec.pooling == "mean_std" else 1)
        self.kind: Literal["utterance", "frames"] = "frames" if spec.pooling == "none" else "utterance"

    @property
    def settings(self) -> dict[str, Any]:
        """What results depend on beside weights and inputs."""
        return result_settings(replace(self.backbone.spec, layers=self.layers), self.modality) | self.backbone.reading

    def encode(self, inputs: Sequence[Any]) -> list[np.ndarray]:
        """See ``Encoder.encode``."""
        return run_sorted(self.backbone, inputs, self._pool)

    def cuts(self, inputs: Sequence[Any]) -> list[bool]:
        """See ``Limited.cuts``."""
        return self.backbone.cuts(inputs)

    def _pool(self, states: tuple[Tensor, ...], mask: Tensor) -> list[np.ndarray]:
        spec = self.backbone.spec
        chosen = [states[n].float() for n in self.layers]
        if spec.layer_norm:
            chosen = [nn.functional.layer_norm(x, x.shape[-1:]) for x in chosen]
        if spec.combine == "average":
            chosen = [torch.stack(chosen).mean(dim=0)] if len(chosen) > 1 else chosen
        if spec.pooling == "none":
            joined = torch.cat(chosen, dim=-1).cpu().numpy()
            return [row[keep].copy() for row, keep in zip(joined, mask.cpu().numpy(), strict=True)]
        pool = pooling.POOLINGS[spec.pooling]
        return list(torch.cat([pool(x, mask) for x in chosen], dim=-1).cpu().numpy())


TEXT_ONLY = frozenset(
    ("max_tokens", "context_turns", "context_after", "context_speakers", "speaker_letters", "pool_context", "window")
)
NETWORK_ONLY = frozenset(("layers", "combine", "layer_norm", "dtype", "quantize", "prompt"))
VISUAL_ONLY = frozenset(("frames_per_second", "face_share", "face_sides"))


def result_settings(spec: EncoderSpec, modality: str) -> dict[str, Any]:
    """Those fields of a spec that change results of a modality (not the name, not the batch size).

    What decides about inputs (``face_sides``), comes after results (``face_share``) or is told by the weights' own
    revision is not among them; nor are ``quantize`` and ``prompt`` where they are not set, as in earlier versions.
    """
    drop = {"name", "batch_size", "padding", "revision"}
    drop |= {name for name, unset in (("quantize", "none"), ("prompt", None)) if getattr(spec, name) == unset}
    drop |= {
        "text": {"max_seconds", "prompt"} | VISUAL_ONLY,
        "visual": TEXT_ONLY | NETWORK_ONLY | {"face_share", "face_sides"},
    }.get(modality, TEXT_ONLY | VISUAL_ONLY)
    return {k: v for k, v in spec.to_dict().items() if k not in drop}


def run_sorted(
    backbone: Backbone,
    inputs: Sequence[Any],
    finish: Callable[[tuple[Tensor, ...], Tensor], list[np.ndarray]],
    frozen: Callable[[Sequence[Any]], list[np.ndarray]] | None = None,
) -> list[np.ndarray]:
    """Run a backbone over inputs in batches of similar length, without gradients; a batch that does not fit is halved.

    Args:
        backbone: the network, in eval mode.
        inputs: anything it prepares.
        finish: (hidden states, mask) to one array per row.
        frozen: units to what the frozen blocks give for them, see ``encoders.frozen``.

    Returns:
        The arrays in the order of ``inputs``.

    Raises:
        DeviceMemoryError: not even one input fits.
    """
    units, places = backbone.units(inputs)
    found: list[Any] = [None] * len(units)
    device = backbone.device
    batches = [*length_batches([backbone.length(u) for u in units], backbone.spec.batch_size, backbone.budget)][::-1]
    with torch.inference_mode():
        while batches:
            batch = batches.pop()
            chosen = [units[n] for n in batch]
            if frozen is None:
                tensors = backbone.prepare(chosen)
            else:
                tensors = backbone.prepare_from_hidden(chosen, [torch.from_numpy(x).float() for x in frozen(chosen)])
            try:
                arrays = iter(finish(*backbone({k: v.to(device) for k, v in tensors.items()})))
            except torch.OutOfMemoryError as error:
                if len(batch) == 1:
                    raise DeviceMemoryError(
                        f"encoder {backbone.id}: the device's memory does not hold it and one input",
                        str(error).split(". ")[0],
                        "Take a larger device, dtype bfloat16 or quantize.",
                    ) from error
                batches += [batch[len(batch) // 2 :], batch[: len(batch) // 2]]
                continue
            for n in batch:
                found[n] = [next(arrays) for _ in range(backbone.rows(units[n]))]
    return [found[unit][row] for unit, row in places]
