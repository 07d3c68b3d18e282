"""Adapters on disk in the layout of the library peft, so that its own ``PeftModel`` can load them.

adapter_config.json         what was adapted, how, and the base: name and revision
adapter_model.safetensors   base_model.model.<layer>.lora_A.weight [r, in] and .lora_B.weight [out, r]

Names of layers are the network's. Those of models of transformers, and of MiniLM, are the ones that transformers has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from moodline.core.errors import CheckpointError
from moodline.encoders.settings import FinetuneConfig

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_PREFIX, _SUFFIX = "base_model.model.", ".weight"


def adapter_config(
    state: Mapping[str, Tensor], config: FinetuneConfig, base: str, revision: str, transposed: bool = False
) -> bytes:
    """The content of ``adapter_config.json``.

    Args:
        state: what ``lora_state`` gave.
        config: of the fine-tuning.
        base: the folder or the hub's id of the base model.
        revision: its commit, or the hash of its files.
        transposed: whether the layers hold their weights as [in, out].
    """
    layers = sorted({key.rsplit(".", 1)[0] for key in state})
    record = {
        "peft_type": "LORA",
        "task_type": "FEATURE_EXTRACTION",
        "base_model_name_or_path": base,
        "revision": revision,
        "r": config.rank,
        "lora_alpha": config.alpha,
        "lora_dropout": config.lora_dropout,
        "target_modules": layers,
        "bias": "none",
        "fan_in_fan_out": transposed,
        "inference_mode": True,
    }
    return json.dumps(record, indent=2, ensure_ascii=False).encode() + b"\n"


def to_peft(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Matrices under peft's names."""
    return {f"{_PREFIX}{name}{_SUFFIX}": value for name, value in state.items()}


def from_peft(weights: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Matrices under the names of ``lora_state``.

    Raises:
        CheckpointError: there is something else in the file.
    """
    odd = [n for n in weights if not (n.startswith(_PREFIX) and n.endswith((".lora_A.weight", ".lora_B.weight")))]
    if odd:
        raise CheckpointError(f"{path}: expected LoRA matrices, {_PREFIX}<layer>.lora_A{_SUFFIX} and .lora_B", odd[0])
    return {n.removeprefix(_PREFIX).removesuffix(_SUFFIX): v for n, v in weights.items()}


def check_config(path: Path, config: FinetuneConfig) -> None:
    """That ``adapter_config.json`` says what ``encoder.json`` says.

    Raises:
        CheckpointError: it is corrupt, or of another adapter.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        scale, wanted = (found["r"], float(found["lora_alpha"])), (config.rank, float(config.alpha))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: corrupt", f"{type(error).__name__}: {error}") from None
    if scale != wanted:
        raise CheckpointError(
            f"{path}: expected r {wanted[0]} and lora_alpha {wanted[1]:g}", f"{scale[0]}, {scale[1]:g}"
        )
