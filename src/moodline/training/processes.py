"""The processes of a run: one, or as many as torchrun or ``accelerate launch`` has started."""

from __future__ import annotations

import os
from typing import Any

import torch

from moodline.core.device import best_device

SHARE = "MOODLINE_SHARE_WEIGHTS"


def processes() -> Any:
    """Accelerate's ``PartialState``: who is the main process, and how to wait for the others.

    Accelerate takes processes without an accelerator for strangers, each a main process, unless it is told that
    they work on CPUs; it would also train on Apple's GPU, which ``best_device`` does not take; so call this before
    anything else of Accelerate. A wish for FSDP is noted for ``share_weights_out`` and taken from Accelerate, which
    would share out what learns, too.
    """
    from accelerate import PartialState
    from accelerate.utils import parse_flag_from_env

    if parse_flag_from_env("ACCELERATE_USE_FSDP"):
        del os.environ["ACCELERATE_USE_FSDP"]
        os.environ[SHARE] = "true"
    other = int(os.environ.get("WORLD_SIZE", "1")) > 1 or torch.backends.mps.is_available()
    return PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU") or (other and best_device() == "cpu"))


def share_weights_out() -> bool:
    """Whether ``accelerate launch`` was given a configuration of FSDP."""
    processes()
    return os.environ.get(SHARE) == "true"
