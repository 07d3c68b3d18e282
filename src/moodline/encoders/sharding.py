"""Weights that stay as they are, shared out among processes (FSDP2): each holds a part, and gathers a block to use it.

What learns is small and stays whole in every process, so that optimizer, checkpoints and saved encoders are as ever.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from moodline.encoders.backbone import Backbone
from moodline.errors import ConfigError
from moodline.nn.blocks import block_number


def shard_frozen(model: nn.Module, backbone: Backbone) -> None:
    """Share out the frozen weights of a backbone's blocks among the processes of this run, in place.

    Args:
        model: what is trained, with the backbone in it; told which weights need no synchronising.
        backbone: its LoRA layers are already there.

    Raises:
        ConfigError: its weights are quantized, or nothing in it is frozen.
    """
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    if backbone.spec.quantize != "none":
        raise ConfigError(f"encoder {backbone.id}: shard and quantize exclude each other", backbone.spec.quantize)
    mesh: Any = init_device_mesh("cuda" if torch.cuda.is_available() else "cpu", (dist.get_world_size(),))
    shared = 0
    for name, module in backbone.network.named_modules():
        is_block = name.rpartition(".")[2].isdigit() and block_number(name) is not None
        frozen = [p for p in module.parameters() if not p.requires_grad]
        if is_block and frozen:
            learning = {p for p in module.parameters() if p.requires_grad}
            fully_shard(module, mesh=mesh, ignored_params=learning)
            shared += len(frozen)
    if not shared:
        raise ConfigError(f"encoder {backbone.id}: shard needs blocks with weights that stay as they are")
    ignored = [name for name, parameter in model.named_parameters() if not parameter.requires_grad]
    model._ddp_params_and_buffers_to_ignore = ignored  # type: ignore[assignment]
