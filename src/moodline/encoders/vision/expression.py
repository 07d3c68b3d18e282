"""The facial expression network of face-api, in plain torch, with the weights that come with Moodline.

A small dense network of depthwise separable convolutions over a face of 112 × 112 pixels, by the authors of
face-api.js (MIT): 256 numbers and the scores of seven expressions. ``pretrained/face-expression`` has the weights as
bytes, their licence and where they come from; a test compares this network with what the original gave.

What it sees is the shape of a face in one picture. It is crude (eyes that look down count as sad), and an expression
is not a feeling.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from moodline.core.errors import CheckpointError

SIDE = 112
"""Pixels of the square that the network reads."""

EXPRESSIONS = ("neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised")
"""The network's classes, in its order."""

EMBEDDING = 256
MEAN = (122.782, 117.001, 104.298)
"""The average red, green and blue of the pictures it was trained on."""

BATCH = 32
"""Faces in a forward pass; never changes a result beyond rounding."""


class ExpressionNetwork(nn.Module):
    """Faces to embeddings and expression logits: four dense blocks, an average over 7 × 7, one linear layer."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 32, 64, 128, EMBEDDING)
        self.blocks = nn.ModuleList(_Block(widths[n], widths[n + 1], first=n == 0) for n in range(4))
        self.fc = nn.Linear(EMBEDDING, len(EXPRESSIONS))
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings and logits.

        Args:
            faces: float [B, 3, 112, 112], red, green and blue from 0 to 255.

        Returns:
            [B, 256]; [B, 7] in the order of ``EXPRESSIONS``.
        """
        x = (faces - self.mean) / 255
        for block in self.blocks:
            x = block(x)
        embeddings = x.mean(dim=(2, 3))
        return embeddings, self.fc(embeddings)


class _Block(nn.Module):
    """Four convolutions, the first halving the picture; each of the others sees the sum of all before it."""

    def __init__(self, before: int, width: int, first: bool) -> None:
        super().__init__()
        self.conv0 = _Convolution(before, width, 2, separable=not first)
        self.conv1, self.conv2, self.conv3 = (_Convolution(width, width, 1) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        total = F.relu(self.conv0(x))
        for conv in (self.conv1, self.conv2, self.conv3):
            total = total + conv(F.relu(total))
        return F.relu(total)


class _Convolution(nn.Module):
    """3 × 3 with padding as TensorFlow's "same": nothing before and one after where the stride is 2."""

    def __init__(self, before: int, width: int, stride: int, separable: bool = True) -> None:
        super().__init__()
        self.stride = stride
        if separable:
            self.depthwise = nn.Conv2d(before, before, 3, stride, groups=before, bias=False)
            self.pointwise = nn.Conv2d(before, width, 1)
        else:
            self.full = nn.Conv2d(before, width, 3, stride)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (0, 1, 0, 1) if self.stride == 2 else (1, 1, 1, 1))
        return self.pointwise(self.depthwise(x)) if hasattr(self, "depthwise") else self.full(x)


def weights_file() -> Path:
    """The packaged weights."""
    return Path(str(files("moodline") / "pretrained" / "face-expression" / "model.safetensors"))


def load_expression_network(device: str = "cpu") -> ExpressionNetwork:
    """The network with the packaged weights, ready for inference.

    Raises:
        CheckpointError: the weights are missing, corrupt or not those of this network.
    """
    from safetensors import SafetensorError, safe_open

    path, network = weights_file(), ExpressionNetwork()
    try:
        with safe_open(path, "np") as file:
            rules = json.loads(file.metadata()["quantization"])
            raw = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no mapping
        network.load_state_dict(_state(raw, rules))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path.name}: the weights of the encoder faces cannot be read", error) from None
    return network.eval().requires_grad_(False).to(device)


def _state(raw: dict[str, NDArray[np.generic]], rules: dict[str, list[float]]) -> dict[str, Tensor]:
    """face-api's tensors, TensorFlow's layout, as this network's state."""
    state: dict[str, Tensor] = {}
    for name, stored in raw.items():
        scale, least = rules.get(name, (1.0, 0.0))
        tensor = torch.from_numpy((stored.astype(np.float64) * scale + least).astype(np.float32))
        block, _, rest = name.partition("/")
        if block == "fc":
            state["fc.weight" if rest == "weights" else "fc.bias"] = tensor.T if rest == "weights" else tensor
            continue
        conv, _, part = rest.partition("/")
        place = f"blocks.{int(block.removeprefix('dense'))}.{conv}"
        if part == "depthwise_filter":  # [3, 3, C, 1]
            state[f"{place}.depthwise.weight"] = tensor.permute(2, 3, 0, 1)
        elif part == "pointwise_filter":  # [1, 1, C, W]
            state[f"{place}.pointwise.weight"] = tensor.permute(3, 2, 0, 1)
        elif part == "filters":  # [3, 3, C, W]
            state[f"{place}.full.weight"] = tensor.permute(3, 2, 0, 1)
        elif part == "bias":
            full = f"{block}/{conv}/filters" in raw
            state[f"{place}.{'full' if full else 'pointwise'}.bias"] = tensor
    return {name: tensor.contiguous() for name, tensor in state.items()}


def read_expressions(network: ExpressionNetwork, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Embeddings and class probabilities of faces.

    Args:
        network: of ``load_expression_network``.
        faces: RGB [N, 112, 112, 3].

    Returns:
        float32 [N, 256 + 7].
    """
    device = network.fc.weight.device
    rows = [np.zeros((0, EMBEDDING + len(EXPRESSIONS)), dtype=np.float32)]
    with torch.inference_mode():
        for n in range(0, len(faces), BATCH):
            batch = torch.from_numpy(np.array(faces[n : n + BATCH])).to(device)
            embeddings, logits = network(batch.permute(0, 3, 1, 2).float())
            rows.append(torch.cat([embeddings, logits.softmax(dim=-1)], dim=-1).cpu().numpy())
    return np.concatenate(rows)
