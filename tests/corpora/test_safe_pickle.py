"""The unpickler: what it admits comes back equal, everything else is refused and nothing runs."""

import collections
import contextlib
import copyreg
import io
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodline.core.errors import CorpusError, MoodlineError, UnsafePickleError
from moodline.corpora.safe_pickle import load_pickle

from .helpers import dump

PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
KEYS = st.booleans() | st.integers() | st.text() | st.binary() | st.tuples(st.integers(), st.text())
THINGS = st.recursive(
    PLAIN | st.frozensets(KEYS, max_size=3) | st.sets(KEYS, max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(KEYS, inner, max_size=3)
        | st.dictionaries(KEYS, inner, max_size=3).map(collections.OrderedDict)
        | st.dictionaries(KEYS, inner, max_size=3).map(lambda d: collections.defaultdict(list, d))
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(thing=THINGS, protocol=st.integers(0, 5))
def test_plain_containers_come_back_equal(
    thing: object, protocol: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "thing.pkl"
    dump(path, thing, protocol)
    back = load_pickle(path)
    assert back == thing
    assert type(back) is type(thing)


ARRAYS = [
    np.arange(6, dtype=np.float32).reshape(2, 3),
    np.asfortranarray(np.arange(6, dtype=">f8").reshape(2, 3)),
    np.arange(24, dtype=np.int64).reshape(2, 3, 4).transpose(1, 0, 2),
    np.array(3, dtype=np.int16),
    np.zeros((0, 5), np.float64),
    np.array(["ja", "nein"]),
    np.array([b"a", b"bc"]),
    np.array([True, False]),
    np.array([1 + 2j]),
]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype}{a.shape}")
def test_arrays(array: np.ndarray, protocol: int, tmp_path: Path) -> None:
    back = load_pickle(dump(tmp_path / "a.pkl", {"x": [array], "y": array}, protocol))
    assert back["x"][0] is back["y"]
    np.testing.assert_array_equal(back["y"], array)
    assert back["y"].dtype == array.dtype
    assert back["y"].flags.writeable


@pytest.mark.parametrize("protocol", range(6))
def test_scalars_and_object_arrays(protocol: int, tmp_path: Path) -> None:
    ragged = np.empty((2, 2), object)
    ragged[0, 0], ragged[0, 1], ragged[1, 0], ragged[1, 1] = np.ones(3), [1, "a"], None, ({2},)
    back = load_pickle(
        dump(tmp_path / "a.pkl", (np.float32(1.5), np.int64(7), np.str_("x"), np.dtype("<f4"), ragged), protocol)
    )
    assert back[0] == 1.5
    assert back[1] == 7
    assert back[2] == "x"
    assert back[3] == np.dtype("<f4")
    np.testing.assert_array_equal(back[4][0, 0], np.ones(3))
    assert back[4][0, 1] == [1, "a"]
    assert back[4][1, 0] is None
    assert back[4][1, 1] == ({2},)


def test_containers_that_hold_themselves(tmp_path: Path) -> None:
    loop: list[object] = [1]
    loop.append(loop)
    back = load_pickle(dump(tmp_path / "a.pkl", loop))
    assert back[1] is back


def test_python_2(tmp_path: Path) -> None:
    """As Python 2 and an old NumPy wrote them: the old module names, bytes as str."""
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I2\ntcnumpy\ndtype\n"
        b"(S'f4'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\nS'" + b"\\x00\\x00\\x80?\\x00\\x00\\x00@" + b"'\ntb."
    )
    path = tmp_path / "old.pkl"
    path.write_bytes(array)
    np.testing.assert_array_equal(load_pickle(path), np.array([1, 2], np.float32))
    path.write_bytes(b"(S'caf\\xc3\\xa9'\nc__builtin__\nset\n((lI1\natRt.")
    assert load_pickle(path) == ("cafÃ©", {1})


class Runs:
    """Runs something when it is unpickled the usual way."""

    def __init__(self, call: object, *args: object) -> None:
        self.call, self.args = call, args

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call, self.args


def touch(path: Path) -> str:
    return f"touch {path}"


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("nest", ["bare", "list", "key", "object array", "dtype"])
def test_nothing_runs(protocol: int, nest: str, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    evil: object = Runs(os.system, touch(mark))
    if nest == "list":
        evil = {"a": [({"b": evil},)]}
    elif nest == "key":
        evil = [collections.OrderedDict(a=1), (1, evil)]
    elif nest == "object array":
        holder = np.empty(1, object)
        holder[0] = evil
        evil = holder
    elif nest == "dtype":
        evil = Runs(np.dtype, evil)
    with pytest.raises(UnsafePickleError, match=r"a\.pkl.*posix\.system|a\.pkl.*nt\.system"):
        load_pickle(dump(tmp_path / "a.pkl", evil, protocol))
    assert not mark.exists()


@pytest.mark.parametrize(
    ("call", "args", "named"),
    [
        (eval, ("1",), "builtins.eval"),
        (exec, ("1",), "builtins.exec"),
        (getattr, ([], "append"), "builtins.getattr"),
        (__import__, ("os",), "builtins.__import__"),
        (open, ("x", "w"), "open"),
        (np.load, ("x",), "numpy.load"),
        (np.fromfile, ("x",), "fromfile"),
        (np.zeros, ((10**9,),), "zeros"),
        (bytearray, (10**9,), "bytearray"),
        (bytes, (10**9,), "a call of bytes"),
        (int, ("9" * 10,), "a call of int"),
        (str, (b"x", "utf-8"), "a call of str"),
        (np.ndarray, ((10**9,),), "numpy.ndarray"),
        (np.dtype, ([("a", "O")],), "element type"),
        (collections.defaultdict, (print,), "print"),
        (collections.Counter, (), "Counter"),
        (range, (3,), "range"),
    ],
)  # fmt: skip
def test_other_calls_are_refused(call: object, args: tuple[object, ...], named: str, tmp_path: Path) -> None:
    path = dump(tmp_path / "a.pkl", [Runs(call, *args)], 4)
    with pytest.raises(UnsafePickleError) as error:
        load_pickle(path)
    assert named in str(error.value)
    assert "\n" not in str(error.value)


RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
NDARRAY = b"cnumpy\nndarray\n"
FLOAT = b"cnumpy\ndtype\n(S'f4'\nI0\nI1\ntR"
OBJECT = b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR"


def array_state(shape: bytes, dtype: bytes, data: bytes) -> bytes:
    return RECONSTRUCT + b"(" + NDARRAY + b"(I0\ntS'b'\ntR(I1\n" + shape + dtype + b"I00\n" + data + b"tb."


@pytest.mark.parametrize(
    ("program", "says"),
    [
        (RECONSTRUCT + b"(cos\nsystem\n(I0\ntS'b'\ntR.", "system"),
        (RECONSTRUCT + b"(c__builtin__\nlist\n(I0\ntS'b'\ntR.", "unknown class"),
        (array_state(b"(I1000000000\nt", FLOAT, b"S''\n"), "does not fit"),
        (array_state(b"(I-1\nt", FLOAT, b"S''\n"), "impossible shape"),
        (array_state(b"(I1\nt", OBJECT, b"S'AAAAAAAA'\n"), "does not fit"),
        (array_state(b"(I1\nt", b"cnumpy\ndtype\n(S'V8'\nI0\nI1\ntR", b"S'AAAAAAAA'\n"), "element type"),
        (array_state(b"(I1\nt", b"S'f4'\n", b"S'AAAA'\n"), "unknown state"),
        (b"cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'|'\nNS'a'\nNI-1\nI-1\nI0\ntb.", "fields"),
        (b"c__builtin__\nlist\n(N}S'append'\nI1\nstb.", "assignment"),
        (b"ccollections\nOrderedDict\n}S'__module__'\nS'x'\nsb.", "assignment"),
        (NDARRAY + b".", "numpy.ndarray"),
        (b"ccopyreg\n__newobj__\n(c__builtin__\nlist\ntR.", "copyreg.__newobj__"),
        (b"ccopy_reg\n_reconstructor\n(c__builtin__\nobject\nc__builtin__\nobject\nNtR.", "copy_reg._reconstructor"),
        (array_state(b"(I1000000000\nt", b"cnumpy\ndtype\n(S'U0'\nI0\nI1\ntR", b"S''\n"), "does not fit"),
        (b"\x80\x04\x8c\x05posix\x8c\x06system\x93.", "posix.system"),
        (b"\x80\x04\x8c\x05numpy\x8c\x12ndarray.__class__x\x93.", "ndarray"),
        (b"(S'echo'\nios\nsystem\n.", "os.system"),
        (b"Pname\n.", "persistent"),
        (b"\x80\x02\x8a\x01\x01Q.", "persistent"),
        (b"\x80\x02\x82\xf0.", "extension"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n(I1\ntR.", "torch._utils._rebuild_tensor_v2"),
        (b"c_codecs\nencode\n(S'a'\nS'rot13'\ntR.", "_codecs.encode"),
        (b"\x80\x04Nr\xff\xff\xff\xff.", "memory"),
    ],
)
def test_hostile_programs(program: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "evil.pkl"
    path.write_bytes(program)
    with pytest.raises(UnsafePickleError) as error:
        load_pickle(path)
    assert says in str(error.value)
    assert "evil.pkl" in str(error.value)


def test_registered_extensions_are_refused_even_when_cached(tmp_path: Path) -> None:
    copyreg.add_extension("os", "getcwd", 240)
    try:
        pickle.loads(b"\x80\x02\x82\xf0.")  # Python remembers the function
        path = tmp_path / "a.pkl"
        path.write_bytes(b"\x80\x02\x82\xf0)R.")
        with pytest.raises(UnsafePickleError, match="extension"):
            load_pickle(path)
    finally:
        copyreg.remove_extension("os", "getcwd", 240)
        copyreg.clear_extension_cache()


def test_tokens_stay_as_they_are(tmp_path: Path) -> None:
    """A refused program leaves nothing behind for the next."""
    path = tmp_path / "a.pkl"
    path.write_bytes(b"c_codecs\nencode\n(N}S'call'\nI1\nstb.")
    with pytest.raises(UnsafePickleError):
        load_pickle(path)
    assert load_pickle(dump(path, np.ones(2), 2)).sum() == 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"PK\x03\x04 a zip",
        pickle.dumps([1] * 50)[:-9],
        pickle.dumps(np.ones(500))[:200],
        b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b".",
        b"(" * 10,
        b"]" + b"(]" * 5,
        b"\x80\x04" + b"]\x94" + b"(]" * 3000 + b"e" * 3000 + b".",
        b"I1\n.." [:3],
    ],
)  # fmt: skip
def test_broken_files(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.pkl"
    path.write_bytes(content)
    with pytest.raises(MoodlineError) as error:
        load_pickle(path)
    assert isinstance(error.value, CorpusError | UnsafePickleError)
    assert "broken.pkl" in str(error.value)
    assert "\n" not in str(error.value)


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=60), cut=st.integers(0, 200), flip=st.integers(0, 255))
def test_any_bytes_give_one_of_two_errors(
    content: bytes, cut: int, flip: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    good = bytearray(pickle.dumps({"a": [np.ones(3), (1, "b")], "c": collections.OrderedDict(d=1.5)}))
    good[cut % len(good)] = flip
    path = tmp_path_factory.getbasetemp() / "any.pkl"
    for data in (content, bytes(good), bytes(good[:cut])):
        path.write_bytes(data)
        with contextlib.suppress(CorpusError, UnsafePickleError):
            load_pickle(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="cannot read"):
        load_pickle(tmp_path / "none.pkl")
    with pytest.raises(CorpusError, match="cannot read"):
        load_pickle(tmp_path)


def test_deep_nesting_is_no_traceback(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    buffer.write(b"\x80\x04" + b"(" * 100_000 + b"N" + b"l" * 100_000 + b".")
    path = tmp_path / "deep.pkl"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(CorpusError, match="nested"):
        load_pickle(path)
