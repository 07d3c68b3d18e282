"""Low-rank adaptation (Hu et al. 2021): peft puts it in for training, a few lines merge it for inference.

W' = W + α/r · B A. Merging needs no peft, whose import takes seconds. Weights of few bits cannot take the sum without
losing it, so that there the matrices stay beside them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from moodline.core.errors import CheckpointError, ConfigError
from moodline.nn.blocks import layer_index

QUERY_VALUE = (
    "query", "value", "q_proj", "v_proj", "query_proj", "value_proj", "q_lin", "v_lin",
    "linear_q", "linear_v", "q", "v", "c_attn", "query_key_value", "qkv_proj", "Wqkv", "in_proj",
)  # fmt: skip
"""What models call their query and value projections, or those that give them together."""

FEED_FORWARD = ("intermediate_dense", "output_dense")
"""What takes their place in WavLM."""
_PAST = ("WavLMAttention", "MultiheadAttention")
"""Classes that hand the weights of their linear layers to torch's attention: what is put around those is not run."""
_ADAPTER = "default"
_CONV1D = "Conv1D"
"""The class of transformers for linear layers of GPT-2."""


def default_targets(network: nn.Module, within: tuple[str, ...] = ("",)) -> tuple[str, ...]:
    """The last names of the query and value projections of a network, or of the parts whose names so begin.

    Raises:
        ConfigError: it has none that are known.
    """
    found = {n.rsplit(".", 1)[-1] for n in _linear_layers(network, within)}
    targets = tuple(name for name in QUERY_VALUE if name in found)
    targets = targets or tuple(name for name in FEED_FORWARD if name in found)
    if not targets:
        raise ConfigError("LoRA: its layers must be named (targets)", f"linear layers {_few(found)}")
    return targets


def inject_lora(
    network: nn.Module,
    rank: int,
    alpha: float,
    dropout: float,
    targets: tuple[str, ...] | None = None,
    layers: Sequence[int] | None = None,
    within: tuple[str, ...] = ("",),
) -> None:
    """Put LoRA layers into a network, in place; only they are trainable afterwards.

    Args:
        network: any module with linear layers.
        rank: r.
        alpha: α.
        dropout: before A.
        targets: last names of linear layers; None for ``default_targets``.
        layers: numbers of the blocks that get them; None for all.
        within: how the names of the parts begin that may get them.

    Raises:
        ConfigError: a target is no linear layer's name, or none is in these blocks.
    """
    from peft import LoraConfig, inject_adapter_in_model

    targets = targets or default_targets(network, within)
    linear = _linear_layers(network, within)
    unknown = [target for target in targets if not any(_ends(name, target) for name in linear)]
    if unknown:
        has = _few({name.rsplit(".", 1)[-1] for name in linear})
        if any(_ends(name, unknown[0]) for name in _linear_layers(network, within, past=True)):
            raise ConfigError(
                "LoRA: a target learns nothing here, attention takes its weight and goes past the layer",
                ", ".join(unknown),
                f"There are also {has}.",
            )
        raise ConfigError("LoRA: no linear layer has the name given as target", ", ".join(unknown), f"It has {has}.")
    names = [
        name
        for name in linear
        if any(_ends(name, target) for target in targets) and (layers is None or layer_index(f"{name}.") in layers)
    ]
    if not names and not layers:
        raise ConfigError("LoRA: all blocks are frozen", fix="Set freeze_blocks lower, or method frozen.")
    if not names:
        found = ", ".join(map(str, layers or ()))
        raise ConfigError("LoRA: none of its targets is in the blocks that may have it", found)
    config: Any = LoraConfig(
        r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=names, fan_in_fan_out=transposed(network, names)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        inject_adapter_in_model(config, network, adapter_name=_ADAPTER)
    for _, module in _lora_layers(network):  # they learn in float32, whatever the weights are
        for matrices in (module.lora_A, module.lora_B):
            matrices.float()
        module.was_run = False
        module.register_forward_pre_hook(_note_run)


def _note_run(layer: Any, *_: Any) -> None:
    """A hook: a layer is run, see ``check_run``."""
    layer.was_run = True


def check_run(network: nn.Module) -> None:
    """That a network with LoRA, which has computed something, went through the layers that are to learn.

    Raises:
        ConfigError: it went past all layers of some name, as attention does that reads their weights alone.
    """
    run: dict[str, bool] = {}
    for name, module in _lora_layers(network):
        last = name.rsplit(".", 1)[-1]
        run[last] = run.get(last, False) or module.was_run
    idle = sorted(name for name, was_run in run.items() if not was_run)
    if idle:
        raise ConfigError(
            "LoRA: the network goes past these layers, they would learn nothing", ", ".join(idle), "Set other targets."
        )


def _ends(name: str, target: str) -> bool:
    return f".{name}".endswith(f".{target}")


def _few(names: set[str]) -> str:
    return ", ".join(sorted(names)[:12])


def _linear_layers(network: nn.Module, within: tuple[str, ...], past: bool = False) -> list[str]:
    """Names of the linear layers in these parts, in order.

    Args:
        network: any.
        within: see ``inject_lora``.
        past: whether also those that their owner goes past.
    """
    modules = dict(network.named_modules())
    return [
        name
        for name, module in modules.items()
        if _is_linear(module)
        and name.startswith(within)
        and (past or type(modules[name.rpartition(".")[0]]).__name__ not in _PAST)
    ]


def _is_linear(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) or type(module).__name__ == _CONV1D


def transposed(network: nn.Module, names: Sequence[str]) -> bool:
    """Whether these layers hold their weights as [in, out], as those of GPT-2 do."""
    layers = (network.get_submodule(name) for name in names)
    return any(type(getattr(layer, "base_layer", layer)).__name__ == _CONV1D for layer in layers)


def lora_state(network: nn.Module) -> dict[str, Tensor]:
    """The matrices: ``<layer>.lora_A`` [r, in] and ``<layer>.lora_B`` [out, r], layers named as before LoRA."""
    return {
        f"{name}.{which}": getattr(module, which)[_ADAPTER].weight.detach()
        for name, module in _lora_layers(network)
        for which in ("lora_A", "lora_B")
    }


def attach_lora(network: nn.Module, state: Mapping[str, Tensor], rank: int, alpha: float) -> None:
    """Make a network compute what it learned: merged where it is held in float32, else beside it, in place.

    Args:
        network: the backbone as it was loaded.
        state: what ``lora_state`` gave.
        rank: r.
        alpha: α.

    Raises:
        CheckpointError: the matrices do not fit the network.
    """
    layers = {key.rsplit(".", 1)[0] for key in state}
    modules = dict(network.named_modules())
    weights = [getattr(modules.get(name), "weight", None) for name in layers]
    if all(w is None or w.dtype == torch.float32 for w in weights):
        merge_lora(network, state, alpha / rank)
        return
    inject_lora(network, rank, alpha, 0.0, tuple(sorted(layers)))
    with torch.no_grad():
        for name, module in _lora_layers(network):
            for which in ("lora_A", "lora_B"):
                own, saved = getattr(module, which)[_ADAPTER].weight, state.get(f"{name}.{which}")
                if saved is None or own.shape != saved.shape:
                    raise CheckpointError(f"adapter: it does not fit the layer {name} of the backbone")
                own.copy_(saved)


def _lora_layers(network: nn.Module) -> Iterator[tuple[str, Any]]:
    for name, module in network.named_modules():
        if hasattr(module, "lora_A") and hasattr(module, "base_layer"):
            yield name, module


@torch.no_grad()
def merge_lora(network: nn.Module, state: Mapping[str, Tensor], scale: float) -> None:
    """Add saved updates to the weights of a network without LoRA layers, in place and in float32.

    Args:
        network: the backbone as it was loaded.
        state: what ``lora_state`` gave.
        scale: α/r.

    Raises:
        CheckpointError: a layer or a matrix is missing, or of another size.
    """
    for name in sorted({key.rsplit(".", 1)[0] for key in state}):
        try:
            weight: Any = network.get_submodule(name).weight
            update = state[f"{name}.lora_B"].float() @ state[f"{name}.lora_A"].float() * scale
            update = (update.T if transposed(network, [name]) else update).to(weight.device)
            weight.copy_(weight.float() + update)  # rounded once, where weights are not held in float32
        except (AttributeError, KeyError, RuntimeError) as error:
            raise CheckpointError(f"adapter: it does not fit the layer {name} of the backbone", error) from None
