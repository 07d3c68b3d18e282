"""Weights in 8 or 4 bits, by bitsandbytes: what LoRA leaves alone need not be stored in full (Dettmers et al. 2023)."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moodline.core.errors import MissingDependencyError
from moodline.encoders.settings import EncoderSpec
from moodline.nn.pretrained import few_bits


def loading_options(spec: EncoderSpec, device: str = "cpu") -> dict[str, Any]:
    """What ``from_pretrained`` needs beside the files: type of the weights, quantization, the device.

    Args:
        spec: the encoder.
        device: where the weights go: at once, so that they are never all in the machine's memory.

    Raises:
        MissingDependencyError: something is to be quantized, and bitsandbytes is not installed.
    """
    torch: Any = importlib.import_module("torch")
    dtype = getattr(torch, spec.dtype)
    options: dict[str, Any] = {"dtype": dtype}
    if spec.quantize != "none" or torch.device(device).type != "cpu":
        options["device_map"] = {"": device}
    if spec.quantize == "none":
        return options
    if importlib.util.find_spec("bitsandbytes") is None:
        raise MissingDependencyError("bitsandbytes", "quantize", f"encoder {spec.name}: quantize {spec.quantize}")
    return options | {"quantization_config": few_bits(8 if spec.quantize == "8bit" else 4, dtype)}


@contextmanager
def quiet(spec: EncoderSpec) -> Iterator[None]:
    """Without bitsandbytes' remark, at every layer, that 8 bit products are computed in float16."""
    if spec.quantize == "none":
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "MatMul8bitLt", UserWarning)
        yield
