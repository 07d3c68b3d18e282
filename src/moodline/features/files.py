"""The bytes of a feature store: safetensors heads, memory maps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from moodline.core.errors import CheckpointError
from moodline.core.files import write_bytes

RERUN = "Delete that folder and run the same command again."
"""What helps against a damaged store."""


def safetensors_head(shapes: Mapping[str, tuple[str, tuple[int, ...]]], metadata: dict[str, str]) -> bytes:
    """The head of a safetensors file, so that values can be streamed behind it (the library wants them in memory)."""
    head: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    at = 0
    for name, (dtype, shape) in shapes.items():
        size = int(np.prod(shape)) * (8 if dtype == "I64" else 4)
        head[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def write_arrays(path: Path, arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    """Write int64 and float32 arrays as one safetensors file, atomically."""
    shapes = {k: ("I64" if v.dtype == np.int64 else "F32", v.shape) for k, v in arrays.items()}
    blocks = [np.ascontiguousarray(a).data for a in arrays.values()]
    write_bytes(path, [safetensors_head(shapes, metadata), *blocks])


def map_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file as read-only memory maps."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy"):  # verifies the head and the file's length
            pass
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            head = json.loads(file.read(length))
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: truncated or corrupt", str(error).splitlines()[0], RERUN) from None
    head.pop("__metadata__", None)
    types: dict[str, np.dtype[Any]] = {"I64": np.dtype("<i8"), "F32": np.dtype("<f4")}
    if any(info["dtype"] not in types for info in head.values()):
        raise CheckpointError(f"{path}: expected int64 offsets and float32 values", fix=RERUN)
    return {
        name: np.memmap(
            path, types[info["dtype"]], "r", offset=8 + length + info["data_offsets"][0], shape=tuple(info["shape"])
        )
        for name, info in head.items()
    }
