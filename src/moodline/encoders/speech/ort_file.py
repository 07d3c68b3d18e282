"""Weights out of an onnxruntime ``.ort`` file, without onnxruntime.

The file is a flatbuffer (https://flatbuffers.dev/internals; schema: onnxruntime/core/flatbuffers/schema/ort.fbs).
Only the few fields that hold weights are read. Reading it takes 30 ms; importing onnxruntime's own reader takes two
seconds. ``MatMul`` weights are stored as int8 with one scale and one zero point each: w = scale · (q − zero).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodline.core.errors import CheckpointError

# Field numbers of the schema's tables.
_SESSION_MODEL, _MODEL_GRAPH = 1, 7
_GRAPH_TENSORS, _GRAPH_NODES = 0, 2
_TENSOR_NAME, _TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_DATA = 0, 2, 3, 4
_NODE_NAME, _NODE_INPUTS = 0, 8
_TYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype("<f4"),
    2: np.dtype("u1"),
    3: np.dtype("i1"),
    6: np.dtype("<i4"),
    7: np.dtype("<i8"),
}


class OrtFile:
    """The weights of an ``.ort`` model.

    Args:
        path: the file.

    Raises:
        CheckpointError: not such a file, or truncated.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._data = path, path.read_bytes()
        try:
            if self._data[4:8] != b"ORTM":
                raise ValueError("no ORTM mark")
            graph = self._table(self._table(self._at("<I", 0), _SESSION_MODEL), _MODEL_GRAPH)
            self.tensors = dict(self._tensor(at) for at in self._vector(graph, _GRAPH_TENSORS))
            self.inputs = {self._string(at, _NODE_NAME): self._node(at) for at in self._vector(graph, _GRAPH_NODES)}
        except (struct.error, ValueError, KeyError, IndexError, UnicodeDecodeError) as error:
            raise CheckpointError(f"{path.name}: truncated, corrupt or not an .ort model", error) from None

    def matmul(self, node: str) -> NDArray[np.float32]:
        """The weight of a quantized ``MatMul`` node as float32 [out, in].

        Raises:
            CheckpointError: the file has no such node.
        """
        names = [n for n in self.inputs.get(node, []) if n.endswith("_quantized") and n in self.tensors]
        if len(names) != 1:
            raise CheckpointError(f"{self._path.name}: expected a quantized weight at {node}", names)
        stem = names[0].removesuffix("_quantized")
        scale, zero = (self.tensors[stem + end].astype(np.float32) for end in ("_scale", "_zero_point"))
        weight = self.tensors[names[0]].astype(np.float32) - zero
        return np.ascontiguousarray((weight * scale).T)

    # A flatbuffer's table begins with the (backwards) distance to its vtable: two u16 sizes, a u16 place per field.

    def _at(self, form: str, place: int) -> int:
        return int(struct.unpack_from(form, self._data, place)[0])

    def _field(self, table: int, number: int) -> int:
        vtable = table - self._at("<i", table)
        slot = 4 + 2 * number
        offset = self._at("<H", vtable + slot) if slot < self._at("<H", vtable) else 0
        if not offset:
            raise KeyError(f"field {number}")
        return table + offset

    def _follow(self, place: int) -> int:
        return place + self._at("<I", place)

    def _table(self, table: int, number: int) -> int:
        return self._follow(self._field(table, number))

    def _vector(self, table: int, number: int) -> list[int]:
        start = self._table(table, number)
        return [self._follow(start + 4 + 4 * n) for n in range(self._at("<I", start))]

    def _text(self, place: int) -> str:
        return self._data[place + 4 : place + 4 + self._at("<I", place)].decode()

    def _string(self, table: int, number: int) -> str:
        return self._text(self._table(table, number))

    def _node(self, table: int) -> list[str]:
        return [self._text(place) for place in self._vector(table, _NODE_INPUTS)]

    def _tensor(self, table: int) -> tuple[str, NDArray[np.generic]]:
        kind = _TYPES[self._at("<i", self._field(table, _TENSOR_TYPE))]
        dims = self._table(table, _TENSOR_DIMS)
        shape = [self._at("<q", dims + 4 + 8 * n) for n in range(self._at("<I", dims))]
        data = self._table(table, _TENSOR_DATA)
        size = self._at("<I", data)
        array = np.frombuffer(self._data, kind, size // kind.itemsize, data + 4)
        return self._string(table, _TENSOR_NAME), array.reshape(shape)
