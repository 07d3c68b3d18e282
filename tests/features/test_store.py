"""The feature store: round trips, resuming, damage, disks that refuse."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodline.core.errors import CheckpointError, FeatureError, MoodlineError, StorageError
from moodline.features import FeatureStore, encode_to_store, write_store
from moodline.features.files import write_bytes

FIELDS = {"corpus": "toy", "modality": "text", "encoder": "hashing", "settings": {"d": 4}}


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def vector(text: str, dim: int = 4) -> np.ndarray:
    return np.random.default_rng(list(text.encode())).normal(size=dim).astype(np.float32)


def frames(text: str) -> np.ndarray:
    return np.stack([vector(text[: n + 1]) for n in range(len(text))])


def run(root: Path, inputs, encode=lambda texts: [vector(t) for t in texts], kind="utterance", **options):
    return encode_to_store(root, FIELDS, inputs, encode, kind=kind, content_hash=sha, **options)


def words(count: int) -> list[tuple[str, str]]:
    return [(f"u{n}", f"sentence {n % (count - 2)}") for n in range(count)]  # two repeated payloads


@pytest.mark.parametrize("kind", ["utterance", "frames"])
def test_round_trip(tmp_path: Path, kind: str) -> None:
    form = vector if kind == "utterance" else frames
    inputs = words(20)
    store = run(tmp_path, inputs, lambda t: [form(x) for x in t], kind, batch_size=3, shard_size=7)
    assert store.ids == tuple(i for i, _ in inputs)
    assert (len(store), store.dim, store.kind) == (20, 4, kind)
    assert "u3" in store
    assert "x" not in store
    assert store.get("x") is None
    for utterance, text in inputs:
        np.testing.assert_array_equal(store[utterance], form(text))
        assert store[utterance].flags.writeable
    store.verify()
    assert sorted(p.name for p in tmp_path.iterdir() if not p.name.startswith(".")) == [store.directory.name]
    assert store.directory.name.startswith("toy-text-hashing-")
    assert store.meta["entries"] == 18
    assert store.meta["fields"] == FIELDS


def test_safetensors_reads_the_values(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    store = run(tmp_path, words(5))
    arrays = load_file(store.directory / "values.safetensors")
    assert arrays["values"].dtype == np.float32
    assert arrays["offsets"].tolist() == [0, 1, 2, 3]
    assert set(arrays) == {"values", "offsets"}


def test_complete_store_is_opened_without_encoding(tmp_path: Path) -> None:
    first = run(tmp_path, words(9))

    def never(texts: list[str]) -> list[np.ndarray]:
        raise AssertionError

    assert run(tmp_path, words(9), never).directory == first.directory
    assert run(tmp_path, words(10)).directory != first.directory


def test_equal_payloads_are_encoded_once(tmp_path: Path) -> None:
    seen: list[str] = []

    def encode(texts: list[str]) -> list[np.ndarray]:
        seen.extend(texts)
        return [vector(t) for t in texts]

    store = run(tmp_path, [("a", "yes"), ("b", "no"), ("c", "yes")], encode)
    assert seen == ["yes", "no"]
    np.testing.assert_array_equal(store["a"], store["c"])


def test_resumes_after_an_error_and_reports_progress(tmp_path: Path) -> None:
    calls: list[int] = []

    def failing(texts: list[str]) -> list[np.ndarray]:
        calls.append(len(texts))
        if len(calls) == 3:
            raise RuntimeError("power cut")
        return [vector(t) for t in texts]

    with pytest.raises(RuntimeError):
        run(tmp_path, words(12), failing, batch_size=4, shard_size=4)
    reports: list[tuple[int, int]] = []
    calls.clear()
    store = run(
        tmp_path,
        words(12),
        failing,
        batch_size=4,
        shard_size=4,
        progress=lambda done, total: reports.append((done, total)),
    )
    assert calls == [2]
    assert reports == [(0, 10), (4, 10), (8, 10), (10, 10)]
    np.testing.assert_array_equal(store["u9"], vector("sentence 9"))


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        (np.array([1.0, np.nan, 0, 0]), "finite"),
        (np.array([1.0, np.inf, 0, 0]), "finite"),
        (np.array([1.0, 1e300, 0, 0]), "finite"),
        (np.zeros((2, 4)), r"\[D\]"),
        (np.zeros(0), "not empty"),
        (np.zeros(5), "D=4"),
    ],
)
def test_bad_outputs_name_the_utterance(tmp_path: Path, bad: np.ndarray, word: str) -> None:
    with pytest.raises(FeatureError, match=word) as error:
        run(tmp_path, [("first", "a"), ("second", "b")], lambda t: [bad if x == "b" else vector(x) for x in t])
    assert "second" in str(error.value)
    assert "\n" not in str(error.value)


def test_wrong_number_of_outputs_no_inputs_repeated_id(tmp_path: Path) -> None:
    with pytest.raises(FeatureError, match="1 arrays for 2"):
        run(tmp_path, [("a", "a"), ("b", "b")], lambda t: [vector(t[0])])
    with pytest.raises(FeatureError, match="nothing to encode"):
        run(tmp_path, [])
    with pytest.raises(FeatureError, match="unique"):
        run(tmp_path, [("a", "a"), ("a", "b")])


@pytest.mark.parametrize("name", ["values.safetensors", "index.parquet", "meta.json"])
@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9, -1])
def test_truncated_files_are_noticed(tmp_path: Path, name: str, keep: float) -> None:
    path = run(tmp_path, words(50)).directory / name
    data = path.read_bytes()
    path.write_bytes(data[:-3] if keep < 0 else data[: int(len(data) * keep)])
    with pytest.raises((CheckpointError, FeatureError)) as error:
        run(tmp_path, words(50))
    assert "\n" not in str(error.value)


def test_missing_files_and_swapped_files(tmp_path: Path) -> None:
    with pytest.raises(FeatureError, match="expected a feature store"):
        FeatureStore.open(tmp_path / "nothing")
    one = write_store(tmp_path / "one", {"a": np.zeros(3)}, kind="utterance").directory
    two = write_store(tmp_path / "two", {"a": np.zeros(3), "b": np.ones(3)}, kind="utterance").directory
    (one / "values.safetensors").write_bytes((two / "values.safetensors").read_bytes())
    with pytest.raises(FeatureError, match="must agree"):
        FeatureStore.open(one)
    values = bytearray((two / "values.safetensors").read_bytes())
    values[-1] ^= 1
    (two / "values.safetensors").write_bytes(bytes(values))
    with pytest.raises(CheckpointError, match="hash"):
        FeatureStore.open(two).verify()


def test_write_store_refuses_to_overwrite(tmp_path: Path) -> None:
    store = write_store(tmp_path / "s", {"a": np.ones((2, 3))}, kind="frames", fields={"corpus": "toy"})
    assert store["a"].shape == (2, 3)
    with pytest.raises(FeatureError, match="written once"):
        write_store(tmp_path / "s", {"a": np.ones((2, 3))}, kind="frames")
    with pytest.raises(FeatureError, match="at least one"):
        write_store(tmp_path / "t", {}, kind="frames")


@settings(max_examples=25, deadline=None)
@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=20), dim=st.integers(1, 5), shard=st.integers(1, 7))
def test_ragged_arrays_round_trip(tmp_path_factory: pytest.TempPathFactory, lengths, dim, shard) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(n, dim)).astype(np.float32) for n in lengths]
    store = encode_to_store(
        tmp_path_factory.mktemp("s"),
        FIELDS,
        [(f"ü {n}", n) for n in range(len(arrays))],
        lambda at: [arrays[n] for n in at],
        kind="frames",
        content_hash=lambda n: sha(str(n)),
        shard_size=shard,
    )
    for n, array in enumerate(arrays):
        np.testing.assert_array_equal(store[f"ü {n}"], array)


# --- other processes --------------------------------------------------------------------------------------------------

WORKER = """
import hashlib, resource, sys, time
import numpy as np
from moodline.core.errors import MoodlineError
from moodline.features import encode_to_store
root, pause, limit, log = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
def vector(text):
    return np.random.default_rng(list(text.encode())).normal(size=64).astype(np.float32)
def encode(texts):
    time.sleep(pause)
    with open(log, "a") as file:
        file.write("x")
    return [vector(t) for t in texts]
inputs = [(f"u{n}", f"sentence {n}") for n in range(200)]
print("ready", flush=True)
try:
    store = encode_to_store(root, {"corpus": "toy"}, inputs, encode, kind="utterance",
        content_hash=lambda t: hashlib.sha256(t.encode()).hexdigest(), batch_size=5, shard_size=10)
except MoodlineError as error:
    print(type(error).__name__, error)
    sys.exit(2)
print(store.directory.name)
"""


def start(root: Path, pause: float = 0.0, limit: int = 0, log: Path | str = os.devnull) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, str(root), str(pause), str(limit), str(log)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    with process:
        assert process.stdout is not None
        out = process.stdout.read()  # not communicate(), which forgets what readline has already taken in
    return process.returncode, out.strip()


def contents(root: Path) -> dict[str, bytes]:
    (directory,) = [p for p in root.iterdir() if p.is_dir()]
    found = {p.name: p.read_bytes() for p in directory.iterdir()}
    meta = json.loads(found["meta.json"])
    meta.pop("created")
    return {**found, "meta.json": json.dumps(meta).encode()}


@pytest.mark.process
def test_killed_at_random_moments_it_ends_with_the_same_bytes(tmp_path: Path) -> None:
    assert finish(start(tmp_path / "whole"))[0] == 0
    moments = random.Random(7)
    root = tmp_path / "killed"
    for _ in range(5):
        process = start(root, pause=0.01)
        time.sleep(moments.uniform(0.0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    code, _ = finish(start(root))
    assert code == 0
    assert contents(root) == contents(tmp_path / "whole")


def test_two_processes_share_one_run(tmp_path: Path) -> None:
    log = tmp_path / "log"
    both = [start(tmp_path / "root", pause=0.01, log=log) for _ in range(2)]
    results = [finish(process) for process in both]
    assert [code for code, _ in results] == [0, 0]
    assert results[0] == results[1]
    assert len(log.read_text()) == 40  # each batch encoded by exactly one of them


def test_two_writers_of_one_file_do_not_take_each_others(tmp_path: Path) -> None:
    """While one is writing, the other begins and is done."""
    path = tmp_path / "states.npy"

    def pieces():
        yield b"of the "
        write_bytes(path, [b"of the second"])
        assert path.read_bytes() == b"of the second"
        yield b"first"

    write_bytes(path, pieces())
    assert path.read_bytes() == b"of the first"
    assert [p.name for p in tmp_path.iterdir()] == ["states.npy"]


def test_a_full_disk_is_said_and_costs_no_finished_shard(tmp_path: Path) -> None:
    code, out = finish(start(tmp_path, limit=8000))  # room for shards, not for the whole
    assert code == 2
    assert out.startswith("StorageError could not write")
    (partial,) = tmp_path.glob("*.partial")
    assert len(list(partial.glob("shard-*.safetensors"))) == 20
    assert not list(tmp_path.rglob("*.tmp"))
    log = tmp_path.parent / "log"
    assert finish(start(tmp_path, log=log))[0] == 0
    assert not log.exists()


def test_no_room_for_the_first_shard(tmp_path: Path) -> None:
    code, out = finish(start(tmp_path, limit=500))
    assert code == 2
    assert "StorageError" in out
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_place_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="could not write") as error:
        run(tmp_path / "file" / "stores", words(4))
    assert isinstance(error.value, MoodlineError)
