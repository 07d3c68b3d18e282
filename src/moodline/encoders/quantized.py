"""Weights in 8 or 4 bits, by bitsandbytes: what LoRA leaves alone need not be stored in full (Dettmers et al. 2023)."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from moodline.encoders.settings import EncoderSpec
from moodline.errors import MissingDependencyError
from moodline.hub import few_bits


def loading_options(spec: EncoderSpec, source: str | Path, device: str = "cpu") -> dict[str, Any]:
    """What ``from_pretrained`` needs beside the source: type of the weights, quantization, the hub's revision.

    Args:
        spec: the encoder.
        source: a folder or a hub's id; only the latter has revisions.
        device: where quantized weights go; they cannot be moved as freely as others.

    Raises:
        MissingDependencyError: something is to be quantized, and bitsandbytes is not installed.
    """
    torch: Any = importlib.import_module("torch")
    dtype = getattr(torch, spec.dtype)
    options: dict[str, Any] = {"dtype": dtype} | hub_options(spec, source)
    if spec.quantize == "none":
        return options
    if importlib.util.find_spec("bitsandbytes") is None:
        raise MissingDependencyError("bitsandbytes", "quantize", f"encoder {spec.name}: quantize {spec.quantize}")
    config = few_bits(8 if spec.quantize == "8bit" else 4, dtype)
    return options | {"quantization_config": config, "device_map": {"": device}}


def hub_options(spec: EncoderSpec, source: str | Path) -> dict[str, Any]:
    """The hub's revision, where there is a hub and a wish."""
    return {"revision": spec.revision} if spec.revision and not isinstance(source, Path) else {}


@contextmanager
def quiet(spec: EncoderSpec) -> Iterator[None]:
    """Without bitsandbytes' remark, at every layer, that 8 bit products are computed in float16."""
    if spec.quantize == "none":
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "MatMul8bitLt", UserWarning)
        yield
