"""Answers of every registered model with weights and inputs by formula: no random number, so no processor's either."""

from __future__ import annotations

import zlib
from typing import Any

import torch
from torch import Tensor, nn

from moodline.core.batch import Batch
from moodline.core.labels import IGNORE
from moodline.pipeline.checkpoint import build_model
from tests.models.helpers import tiny_backbone

CLASSES = 4
LENGTHS = (5, 2, 1)
RANGE = (-1.0, 1.0)
MODELS: dict[str, tuple[dict[str, object], ...]] = {
    "mister-e": ({"hidden": 8, "gru_layers": 2, "fusion_layers": 2, "heads": 2, "head_width": 4},),
    "sure": ({"hidden": 8, "expert_hidden": 8, "heads": 2, "feed_forward": 16},),
    "egmf": (
        {"hidden": 8, "heads": 2, "frame_hidden": {"speech": 6, "visual": 4}},
        {"hidden": 8, "heads": 2, "frame_hidden": {"speech": 6, "visual": 4}, "prompt_words": True},
    ),
    "linear": ({},),
    "voice-evidence": ({"components": 4},),
    **{
        name: ({"hidden": 4},)
        for name in ("bc-lstm", "dialogue-rnn", "mmgcn", "mm-dfn", "sdt", "hcam", "tfn", "lmf", "mult", "misa")
    },
}
"""Model to the settings it is tried with."""
DIMS = ({"text": 6}, {"speech": 5, "text": 6, "visual": 3})
BOTH: dict[str, tuple[dict[str, int], ...]] = {"voice-evidence": ({"speech": 5, "text": 6},)}
"""Models of classes that read other modalities than ``DIMS``."""


def cases() -> dict[str, tuple[str, dict[str, object], dict[str, int], bool]]:
    """Name of each case to model, settings, sizes of the modalities, and whether values are predicted."""
    return {
        f"{name}-{n}-{'-'.join(dims)}-{'values' if values else 'classes'}": (name, settings, dims, values)
        for name, choices in MODELS.items()
        for n, settings in enumerate(choices)
        for dims in BOTH.get(name, DIMS)
        for values in ((False,) if name in BOTH else (False, True))
    }


def wave(name: str, shape: tuple[int, ...] | torch.Size, step: float = 0.7) -> Tensor:
    """Numbers from −1 to 1 that depend on a name, computed in double precision."""
    count = int(torch.Size(shape).numel())
    start = zlib.crc32(name.encode()) % 1000
    return torch.sin(torch.arange(count, dtype=torch.float64) * step + start).view(shape).float()


def batch(dims: dict[str, int], values: bool) -> Batch:
    """Three conversations; every fourth utterance has no speech, every fifth no words."""
    shape = (len(LENGTHS), max(LENGTHS))
    number = torch.arange(shape[0] * shape[1]).view(shape)
    valid = torch.arange(shape[1])[None] < torch.tensor(LENGTHS)[:, None]
    gaps = {"speech": 4, "text": 5, "visual": 3}
    present = {m: valid & (number % gaps[m] != 1) for m in dims}
    real = {m: (torch.arange(4) < 1 + number[..., None] % 4) & present[m][..., None] for m in dims}
    truth = 0.9 * wave("targets", shape)
    sequences: dict[str, Any] = {
        "frames": {m: wave(f"frames {m}", (*shape, 4, d)) for m, d in dims.items() if m != "text"},
        "frames_valid": {m: real[m] for m in dims if m != "text"},
        "tokens": 2000 + 7 * torch.arange(shape[0] * shape[1] * 4).view(*shape, 4),
        "tokens_valid": real["text"],
        "tokens_own": real["text"],
    }
    return Batch(
        features={m: wave(m, (*shape, d)) for m, d in dims.items()},
        present=present,
        valid=valid,
        labels=torch.where(valid & (not values), number % CLASSES, torch.tensor(IGNORE)),
        targets=truth.masked_fill(~valid, float("nan")) if values else None,
        **sequences,
    ).check()


def model(name: str, settings: dict[str, object], dims: dict[str, int], values: bool) -> nn.Module:
    """The model with statistics of the batch and weights by formula."""
    made = {"backbone": tiny_backbone()} if name == "egmf" else {}
    network = build_model(
        {"name": name, **settings, **made}, dims, 1 if values else CLASSES, RANGE if values else None
    ).eval()
    network.fit_statistics([batch(dims, values)])  # type: ignore[operator]
    with torch.no_grad():
        for key, p in network.named_parameters():
            p.copy_(0.3 * wave(key, p.shape) + (1.0 if key.endswith(("norm.weight", "scale")) else 0.0))
    return network


def answers(name: str, settings: dict[str, object], dims: dict[str, int], values: bool) -> dict[str, list[float]]:
    """Numbers of one case: real answers of the mixture and the experts, gate weights, loss, size of its gradient."""
    network, inputs = model(name, settings, dims, values), batch(dims, values)
    output = network(inputs)
    loss = network.loss(inputs, output)["total"]  # type: ignore[operator]
    loss.backward()
    squares = [p.grad.double().square().sum() for p in network.parameters() if p.grad is not None]
    found = {"logits": output.logits, **{f"expert {k}": z for k, z in output.experts.items()}}
    if output.weights is not None:
        found["weights"] = output.weights
    numbers = {key: z[inputs.valid].flatten().tolist() for key, z in found.items()}
    return numbers | {"loss": [loss.item()], "gradient": [torch.stack(squares).sum().sqrt().item()]}
