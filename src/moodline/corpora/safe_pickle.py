"""Unpickle arrays and plain containers, and nothing else.

A pickle is a program. This loader never hands a real class or function to it: every global that the program
may name is answered with an inert token of ours, which only describes an array or a container. After the
program has ended, the descriptions are checked and turned into arrays. What is not on the list is refused
by name. Python-2 pickles and NumPy's old module names are understood.
"""

from __future__ import annotations

import copyreg
import io
import math
import pickle
import pickletools
import re
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from moodline.core.errors import CorpusError, UnsafePickleError
from moodline.corpora.files import unreadable

_SCAN_LIMIT = 8 << 20
"""Files up to this many bytes are looked through, operation by operation, before they are run."""

_DTYPE = re.compile(r"[<>=|]?(b1|[iu][1248]|f(2|4|8|16)|c(8|16|32)|[SU]\d{1,7}|O8?|\?)")
_PLAIN: dict[str, Any] = {
    "list": list, "dict": dict, "set": set, "frozenset": frozenset, "tuple": tuple,
    "int": int, "float": float, "bool": bool, "str": str,
}  # fmt: skip
_OPERATIONS = {o.code: o for o in pickletools.opcodes}
_CONTAINERS = ("list", "dict", "set", "frozenset", "tuple")


class _Refused(Exception):
    """Something in a pickle that is not admitted; becomes an UnsafePickleError with the file's name."""


class _Token:
    """What a global's name is answered with: it can be called with checked arguments, and that is all."""

    __slots__ = ("call", "name")
    name: str
    call: Callable[..., Any]

    def __init__(self, name: str, call: Callable[..., Any]) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "call", call)

    def __call__(self, *args: Any) -> Any:
        return self.call(*args)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise _Refused(f"an assignment to {self.name}")

    def __setstate__(self, state: Any) -> NoReturn:
        raise _Refused(f"an assignment to {self.name}")


class _Dtype:
    """A description of an array's element type."""

    __slots__ = ("code", "order")

    def __init__(self, code: Any = None, align: Any = False, copy: Any = False) -> None:
        if not isinstance(code, str) or not _DTYPE.fullmatch(code):
            raise _Refused(f"the element type {str(code)[:40]!r}")
        self.code, self.order = code.lstrip("<>=|"), code[0] if code[0] in "<>=|" else "="

    def __setstate__(self, state: Any) -> None:
        # (version, byte order, subarray, names, fields, item size, alignment, flags); all but the order must be empty.
        if not isinstance(state, tuple) or len(state) < 5 or any(s is not None for s in state[2:5]):
            raise _Refused("an element type with fields")
        if state[1] not in ("<", ">", "=", "|"):
            raise _Refused("an unknown byte order")
        self.order = state[1]

    def real(self) -> np.dtype[Any]:
        """The NumPy type."""
        if self.code.startswith("O"):
            return np.dtype(object)
        return np.dtype(f"{self.order}{self.code}")


class _Array:
    """A description of an array: shape, element type and its data."""

    __slots__ = ("axes", "data", "dtype", "order", "shape")
    __hash__ = None  # type: ignore[assignment]  # arrays are no keys

    def __init__(self) -> None:
        self.shape: tuple[int, ...] = (0,)
        self.dtype, self.order = _Dtype("b1"), "C"
        self.data: bytes | bytearray | list[Any] = b""
        self.axes: tuple[int, ...] | None = None

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) not in (4, 5):
            raise _Refused("an array with an unknown state")
        shape, dtype, fortran, data = state[-4:]
        self.fill(shape, dtype, "F" if fortran else "C", data)

    def fill(self, shape: Any, dtype: Any, order: str, data: Any) -> None:
        """Take the parts after checking that they fit each other."""
        if isinstance(shape, int):
            shape = (shape,)
        if not isinstance(dtype, _Dtype) or not isinstance(shape, tuple):
            raise _Refused("an array with an unknown state")
        if not all(type(n) is int and n >= 0 for n in shape) or len(shape) > 32:
            raise _Refused("an array with an impossible shape")
        real = dtype.real()
        if isinstance(data, str):  # Python 2 kept the bytes in a str
            data = data.encode("latin-1")
        kind = list if real.hasobject else (bytes, bytearray)
        size = 1 if real.hasobject else real.itemsize
        if not size or not isinstance(data, kind) or len(data) != math.prod(shape) * size:
            raise _Refused("an array whose data does not fit its shape")
        self.shape, self.dtype, self.order, self.data = shape, dtype, order, data

    def real(self) -> np.ndarray:
        """The array, writable and with its own memory; elements of object arrays are still descriptions."""
        if isinstance(self.data, list):
            array = np.empty(len(self.data), object)
            for n, value in enumerate(self.data):
                array[n] = value
        else:
            array = np.zeros(len(self.data) // self.dtype.real().itemsize, self.dtype.real())
            if array.size:
                array[:] = np.frombuffer(self.data, array.dtype)
        array = array.reshape(self.shape, order=self.order)  # type: ignore[call-overload]
        return array if self.axes is None else array.transpose(self.axes)


def _reconstruct(subtype: Any, shape: Any = None, code: Any = None) -> _Array:
    if not isinstance(subtype, _Token) or subtype.name != "numpy.ndarray":
        raise _Refused("an array of an unknown class")
    return _Array()


def _frombuffer(data: Any, dtype: Any, shape: Any, order: Any, axes: Any = None) -> _Array:
    array = _Array()
    if order == "K" and isinstance(axes, tuple) and sorted(axes) == list(range(len(shape))):
        array.axes, order = axes, "C"
    if order not in ("C", "F"):
        raise _Refused("an array with an unknown memory order")
    array.fill(shape, dtype, order, data)
    return array


def _scalar(dtype: Any, data: Any = None) -> Any:
    array = _Array()
    array.fill((1,), dtype, "C", data)
    return array.real()[0]


def _ndarray(*args: Any) -> NoReturn:
    raise _Refused("a call of numpy.ndarray")


def _encode(text: Any, encoding: Any = "utf-8") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise _Refused("a call of _codecs.encode")
    return text.encode("latin-1")


def _bytes(*args: Any) -> bytes:
    if args and not (len(args) == 1 and isinstance(args[0], bytes)):
        raise _Refused("a call of bytes")
    return args[0] if args else b""


def _plain(name: str) -> Callable[..., Any]:
    """A container's constructor for one container, or a number's or a string's for nothing."""
    kind = _PLAIN[name]

    def call(*args: Any) -> Any:
        if args and not (len(args) == 1 and name in _CONTAINERS and isinstance(args[0], list | tuple | dict)):
            raise _Refused(f"a call of {name}")
        return kind(*args)

    return call


def _ordered(*args: Any) -> OrderedDict[Any, Any]:
    return OrderedDict(*args)


def _default(factory: Any = None, *args: Any) -> defaultdict[Any, Any]:
    if factory is not None and not (isinstance(factory, _Token) and factory.name.removeprefix("builtins.") in _PLAIN):
        raise _Refused("a defaultdict with an unknown factory")
    return defaultdict(_PLAIN[factory.name.removeprefix("builtins.")] if factory else None, *args)


def _globals() -> dict[tuple[str, str], _Token]:
    table: dict[str, Callable[..., Any]] = {
        "numpy.ndarray": _ndarray,
        "numpy.dtype": _Dtype,
        "_codecs.encode": _encode,
        "collections.OrderedDict": _ordered,
        "collections.defaultdict": _default,
        "builtins.bytes": _bytes,
        **{f"builtins.{name}": _plain(name) for name in _PLAIN},
    }
    for core in ("numpy.core", "numpy._core"):
        table |= {f"{core}.multiarray._reconstruct": _reconstruct, f"{core}.multiarray.scalar": _scalar}
        table |= {f"{core}.numeric._frombuffer": _frombuffer}
    out = {}
    for name, call in table.items():
        module, attribute = name.rsplit(".", 1)
        out[module, attribute] = _Token(name, call)
        if module == "builtins":
            out["__builtin__", attribute] = out[module, attribute]
    return out


_GLOBALS = _globals()


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _GLOBALS[module, name]
        except KeyError:
            raise _Refused(f"{module}.{name}") from None

    def persistent_load(self, pid: Any) -> NoReturn:
        raise _Refused("a persistent id")


def _operations(data: bytes) -> Iterator[tuple[str, Any]]:
    """The operations of a pickle and their arguments; ends at the first that is unknown."""
    stream = io.BytesIO(data)
    name = ""
    while name != "STOP":
        operation = _OPERATIONS.get(stream.read(1).decode("latin-1"))
        if operation is None:
            return
        name = operation.name
        if name == "STRING":  # pickletools reads ASCII only here, Python 2 wrote more
            yield name, stream.readline()
        else:
            yield name, None if operation.arg is None else operation.arg.reader(stream)


def _scan(data: bytes) -> None:
    """Refuse what the unpickler itself would do carelessly: registered extensions and giant memo indices."""
    for name, argument in _operations(data):
        if name in ("EXT1", "EXT2", "EXT4"):
            raise _Refused(f"the registered extension {argument}")
        if name == "DUP":  # no pickler writes it; some forty of them make a key that takes years to hash
            raise _Refused("the operation DUP")
        if name in ("PUT", "LONG_BINPUT") and argument > len(data):
            raise _Refused(f"a memory of {argument} entries")


def _rebuild(value: Any, seen: dict[int, tuple[Any, Any]]) -> Any:
    """Turn descriptions into arrays and containers into fresh plain ones; refuse everything else."""
    kind = type(value)
    if value is None or kind in (str, bytes, int, float, bool) or isinstance(value, np.generic):
        return value
    if id(value) in seen:
        return seen[id(value)][1]
    out: Any
    if kind is list:
        out = []
        seen[id(value)] = (value, out)
        out.extend(_rebuild(v, seen) for v in value)
    elif kind in (dict, OrderedDict, defaultdict):
        out = defaultdict(value.default_factory) if kind is defaultdict else kind()
        seen[id(value)] = (value, out)
        for k, v in dict.items(value):
            out[_rebuild(k, seen)] = _rebuild(v, seen)
    elif kind in (tuple, set, frozenset):
        out = kind([_rebuild(v, seen) for v in value])
        seen[id(value)] = (value, out)
    elif kind is _Array:
        out = value.real()
        value.data = b""  # large files: hold the numbers once
        seen[id(value)] = (value, out)
        if out.dtype.hasobject:
            flat = out.reshape(-1, order=value.order)
            for n in range(flat.size):
                flat[n] = _rebuild(flat[n], seen)
    elif kind is _Dtype:
        out = value.real()
    else:
        raise _Refused(value.name if kind is _Token else f"a {kind.__name__.lstrip('_').lower()}")
    return out


def load_pickle(path: Path) -> Any:
    """Load a pickle that holds only arrays and plain containers; nothing in it is ever executed.

    Admitted: NumPy arrays (numbers, strings, and object arrays of admitted things), NumPy scalars, dict,
    OrderedDict, defaultdict (of plain factories), list, tuple, set, frozenset, str, bytes, int, float, bool
    and None, written by Python 2 or 3 in any protocol.

    Args:
        path: the file.

    Returns:
        The object; byte strings of Python 2 come as str (latin-1).

    Raises:
        UnsafePickleError: it asks for anything else; the message names it.
        CorpusError: not a pickle, or cut off.
    """
    try:
        with path.open("rb") as file:
            if path.stat().st_size <= _SCAN_LIMIT or getattr(copyreg, "_extension_cache", None):
                _scan(file.read())
                file.seek(0)
            described = _Unpickler(file, encoding="latin1").load()
        return _rebuild(described, {})
    except OSError as error:
        raise unreadable(path, error) from None
    except _Refused as refusal:
        raise UnsafePickleError(
            f"{path.name}: a pickle may hold only NumPy arrays and plain containers",
            refusal,
            "Convert tensors and other objects to arrays with the program that wrote the file.",
        ) from None
    except Exception as error:  # a broken pickle can raise nearly anything
        reason = "too deeply nested" if isinstance(error, RecursionError) else type(error).__name__
        raise CorpusError(
            f"{path.name} is not a readable pickle",
            reason,
            "Download or write the file again.",
        ) from None
