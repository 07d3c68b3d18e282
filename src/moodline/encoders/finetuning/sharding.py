"""Weights that stay as they are, shared out among processes (FSDP2): each holds a part, and gathers a block to use it.

What learns is small and stays whole in every process, so that optimizer, checkpoints and saved encoders are as ever;
``training.shared`` keeps it the same everywhere. So do embeddings within a block, as of positions: they are small, too,
and networks read one of them for all blocks (BEATs).
"""

from __future__ import annotations

import warnings
from typing import Any

from torch import nn

from moodline.core.errors import ConfigError
from moodline.encoders.backbone import Backbone
from moodline.nn.blocks import layer_index


def shard_frozen(model: nn.Module, backbone: Backbone, device: str) -> None:
    """Share out the frozen weights of a backbone's blocks among the processes of this run, in place.

    A block is whole only while it computes, forward and on the way back.

    Args:
        model: what is trained, with the backbone in it: all blocks run within its ``forward``.
        backbone: its LoRA layers are already there.
        device: the kind of device that the processes train on, cuda or cpu.

    Raises:
        ConfigError: its weights are quantized, or nothing in it is frozen.
    """
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard
    from torch.distributed.tensor import DTensor

    if backbone.spec.quantize != "none":
        raise ConfigError(f"encoder {backbone.id}: shard and quantize exclude each other", backbone.spec.quantize)
    mesh: Any = init_device_mesh(device, (dist.get_world_size(),))
    shared = 0
    for name, module in backbone.network.named_modules():
        if not name.rpartition(".")[2].isdigit() or layer_index(name) is None:
            continue
        tables = {p for part in module.modules() if isinstance(part, nn.Embedding) for p in part.parameters()}
        whole = {p for p in module.parameters() if p.requires_grad or isinstance(p, DTensor)} | tables
        if frozen := set(module.parameters()) - whole:
            fully_shard(module, mesh=mesh, reshard_after_forward=True, ignored_params=whole)
            shared += len(frozen)
    if not shared:
        raise ConfigError(f"encoder {backbone.id}: shard needs blocks with weights that stay as they are")
    # the model as the root lets blocks share buffers and streams; it holds nothing itself, so its outputs may be views
    warnings.filterwarnings("ignore", "FSDP2-wrapped module", UserWarning)
    fully_shard(model, mesh=mesh, ignored_params={p for p in model.parameters() if not isinstance(p, DTensor)})
