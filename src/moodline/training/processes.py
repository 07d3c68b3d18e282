"""The processes of a run: one, or as many as torchrun or ``accelerate launch`` has started."""

from __future__ import annotations

import os
from typing import Any

import torch

from moodline.errors import ConfigError


def processes() -> Any:
    """Accelerate's ``PartialState``: who is the main process, and how to wait for the others.

    Accelerate takes processes without an accelerator for strangers, each a main process, unless it is told that
    they work on CPUs; so call this before anything else of Accelerate.

    Raises:
        ConfigError: Accelerate was told to share weights out by itself.
    """
    from accelerate import PartialState
    from accelerate.utils import parse_flag_from_env

    if parse_flag_from_env("ACCELERATE_USE_FSDP"):
        raise ConfigError(
            "accelerate: its own FSDP is not for this training loop",
            fix="Set distributed_type to MULTI_GPU, and finetune.model.shard=true to share weights out.",
        )
    together = int(os.environ.get("WORLD_SIZE", "1")) > 1
    return PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU") or (together and not torch.cuda.is_available()))
