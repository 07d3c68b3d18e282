"""Feature stores: what an encoder said of a corpus, kept on disk.

A store is a directory, complete or absent, never half-valid:

    values.safetensors   offsets int64 [N+1] and values float32 [R, D]; entry n is rows offsets[n] … offsets[n+1]
    index.parquet        utterance id, entry (several utterances with the same input share one), content hash of the input
    meta.json            what was encoded with what: fields, kind, dim, hashes, library versions, date

``encode_to_store`` writes shards of a few hundred inputs into ``<name>.partial`` beside the store, each atomically,
and renames the assembled whole into place. A run that was killed goes on from its last shard and ends with the same
bytes; two processes with the same command share one lock, the second opens what the first has written.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from moodline.errors import CheckpointError, FeatureError, StorageError

Kind = Literal["utterance", "frames"]
"""``"utterance"``: one vector [D] each; ``"frames"``: a sequence [T, D] each."""

P = TypeVar("P")

FORMAT = 1
SHARD = 256
_FILES = ("values.safetensors", "index.parquet", "meta.json")
_RERUN = "Delete that folder and run the same command again."


class FeatureStore:
    """Read access to a store; values stay on disk until asked for.

    Use ``FeatureStore.open``. ``store[id]`` gives a float32 array, [D] or [T, D]; ``in``, ``len``, ``ids``, ``get``
    and iteration over ids work as for a mapping.
    """

    def __init__(self, directory: Path, meta: dict[str, Any], entries: dict[str, int], values: Any, offsets: Any) -> None:
        self.directory, self.meta = directory, meta
        self._entries, self._values, self._offsets = entries, values, offsets

    @classmethod
    def open(cls, directory: str | Path) -> FeatureStore:
        """Open a store, memory-mapped.

        Args:
            directory: the folder of the store.

        Raises:
            FeatureError: there is no store, or its files contradict each other.
            CheckpointError: a file is truncated or corrupt.
        """
        directory = Path(directory)
        missing = [name for name in _FILES if not (directory / name).is_file()]
        if missing:
            raise FeatureError(f"{directory}: expected a feature store with {', '.join(_FILES)}", f"no {missing[0]}")
        meta = _read_meta(directory / "meta.json")
        entries = _read_index(directory / "index.parquet", meta)
        arrays = _map_arrays(directory / "values.safetensors")
        values, offsets = arrays.get("values"), arrays.get("offsets")
        if (
            values is None
            or offsets is None
            or values.shape != (meta["rows"], meta["dim"])
            or offsets.shape != (meta["entries"] + 1,)
            or offsets[0] != 0
            or offsets[-1] != meta["rows"]
            or bool((np.diff(offsets) < 1).any())
            or (entries and max(entries.values()) >= meta["entries"])
        ):
            raise FeatureError(f"{directory}: values, offsets, index and meta.json must agree", fix=_RERUN)
        return cls(directory, meta, entries, values, np.array(offsets))

    @property
    def dim(self) -> int:
        """D, the size of a vector."""
        return int(self.meta["dim"])

    @property
    def kind(self) -> Kind:
        """``"utterance"`` or ``"frames"``."""
        return self.meta["kind"]

    @property
    def ids(self) -> tuple[str, ...]:
        """Utterance ids in the order in which they were given."""
        return tuple(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __contains__(self, utterance: object) -> bool:
        return utterance in self._entries

    def __getitem__(self, utterance: str) -> np.ndarray:
        entry = self._entries.get(utterance)
        if entry is None:
            raise FeatureError(f"{self.directory.name}: no features for utterance '{utterance}'")
        rows = np.array(self._values[self._offsets[entry] : self._offsets[entry + 1]])
        return rows[0] if self.kind == "utterance" else rows

    def get(self, utterance: str) -> np.ndarray | None:
        """The array of an utterance, None where there is none."""
        return self[utterance] if utterance in self else None

    def verify(self) -> None:
        """Compare the values with the hash taken when they were written (reads everything).

        Raises:
            CheckpointError: the values have changed since.
        """
        if _file_hash(self.directory / "values.safetensors") != self.meta["values_sha256"]:
            raise CheckpointError(f"{self.directory}: the values differ from their hash in meta.json", fix=_RERUN)


def encode_to_store(
    root: str | Path,
    key_fields: Mapping[str, Any],
    inputs: Sequence[tuple[str, P]],
    encode: Callable[[list[P]], list[np.ndarray]],
    *,
    kind: Kind,
    content_hash: Callable[[P], str],
    batch_size: int = SHARD,
    shard_size: int = SHARD,
    progress: Callable[[int, int], None] | None = None,
) -> FeatureStore:
    """Encode inputs into a store, or open the store that already holds them.

    Args:
        root: the folder of all stores; made if missing.
        key_fields: everything the values depend on beside the inputs (corpus, modality, encoder, revision,
            settings); plain JSON values. Together with the inputs' content they name the directory.
        inputs: (utterance id, payload), ids distinct. Equal payloads (by content hash) are encoded once.
        encode: payloads to arrays, one each: [D] for ``kind="utterance"``, [T, D] with T ≥ 1 for ``"frames"``.
        kind: see ``Kind``.
        content_hash: a payload's hash, e.g. of its text or of its file's bytes.
        batch_size: how many payloads ``encode`` gets at once; an encoder that sorts by length likes many.
        shard_size: how many payloads are written at once, at most; what a killed run can lose.
        progress: called with (done, total) distinct payloads after each call of ``encode``, and once at the start.

    Raises:
        FeatureError: no inputs, a repeated id, or an output of the wrong shape, NaN or infinite (names the utterance).
        StorageError: the disk refused a write; finished shards are kept.
    """
    hashes = _check_inputs(inputs, content_hash)
    fingerprint = _hash("\n".join(f"{i}\t{h}" for (i, _), h in zip(inputs, hashes, strict=True)))
    fields = json.loads(json.dumps(dict(key_fields), sort_keys=True))
    key = _hash(json.dumps([FORMAT, kind, fields, fingerprint], sort_keys=True))[:16]
    parts = [str(fields[k]) for k in ("corpus", "split", "modality", "encoder") if fields.get(k)]
    name = re.sub(r"[^A-Za-z0-9._]+", "-", "-".join(parts)).strip("-.")[:80] or "features"
    final = Path(root) / f"{name}-{key}"
    if final.is_dir():
        return FeatureStore.open(final)

    first: dict[str, int] = {}
    for n, digest in enumerate(hashes):
        first.setdefault(digest, n)
    unique = list(first.values())
    partial = final.with_name(final.name + ".partial")
    with _locked(final):
        if not final.is_dir():
            _make(partial)
            done = 0
            shards = []
            for start in range(0, len(unique), shard_size):
                chunk = unique[start : start + shard_size]
                shard = partial / f"shard-{start:08d}.safetensors"
                stamp = _hash("\n".join(hashes[n] for n in chunk))
                if not _finished(shard, stamp, len(chunk)):
                    if progress and not start:
                        progress(0, len(unique))
                    arrays: list[np.ndarray] = []
                    for at in range(0, len(chunk), batch_size):
                        piece = chunk[at : at + batch_size]
                        outputs = encode([inputs[n][1] for n in piece])
                        arrays += _check_outputs(outputs, [inputs[n][0] for n in piece], kind)
                        if progress:
                            progress(done + len(arrays), len(unique))
                    _check_dims(arrays, [inputs[n][0] for n in chunk])
                    _write_arrays(shard, _pack(arrays), {"inputs": stamp})
                elif progress:
                    progress(done + len(chunk), len(unique))
                done += len(chunk)
                shards.append(shard)
            ids = [i for i, _ in inputs]
            position = {n: k for k, n in enumerate(unique)}
            entries = [position[first[h]] for h in hashes]
            _assemble(partial / "whole", shards, ids, entries, hashes, {"kind": kind, "fields": fields, "inputs": fingerprint})
            with _writing(final):
                (partial / "whole").rename(final)
                _sync_directory(final.parent)
        shutil.rmtree(partial, ignore_errors=True)
    return FeatureStore.open(final)


def write_store(
    directory: str | Path, features: Mapping[str, np.ndarray], *, kind: Kind, fields: Mapping[str, Any] | None = None
) -> FeatureStore:
    """Write arrays that are already in memory (e.g. features that a corpus brings) as a store.

    Args:
        directory: the store's folder; must not exist.
        features: utterance id to [D] or [T, D], as ``kind`` says.
        kind: see ``Kind``.
        fields: recorded in meta.json.

    Raises:
        FeatureError: the directory exists, or an array is of the wrong shape, empty or not finite.
        StorageError: the disk refused a write.
    """
    directory = Path(directory)
    if directory.exists():
        raise FeatureError(f"{directory}: a store is written once", "it exists", "Choose another folder or delete it.")
    if not features:
        raise FeatureError(f"{directory}: expected at least one utterance")
    ids = list(features)
    arrays = _check_outputs(list(features.values()), ids, kind)
    _check_dims(arrays, ids)
    hashes = [hashlib.sha256(a.tobytes()).hexdigest() for a in arrays]
    partial = directory.with_name(f"{directory.name}.partial")
    with _locked(directory):
        shutil.rmtree(partial, ignore_errors=True)
        _make(partial)
        shard = partial / "shard.safetensors"
        _write_arrays(shard, _pack(arrays), {})
        meta = {"kind": kind, "fields": dict(fields or {}), "inputs": _hash("\n".join(hashes))}
        _assemble(partial / "whole", [shard], ids, list(range(len(ids))), hashes, meta)
        with _writing(directory):
            (partial / "whole").rename(directory)
        shutil.rmtree(partial, ignore_errors=True)
    return FeatureStore.open(directory)


# --- checks -----------------------------------------------------------------------------------------------------------


def _check_inputs(inputs: Sequence[tuple[str, P]], content_hash: Callable[[P], str]) -> list[str]:
    if not inputs:
        raise FeatureError("features: nothing to encode", fix="Choose a corpus or a split that has this modality.")
    seen: set[str] = set()
    for utterance, _ in inputs:
        if utterance in seen:
            raise FeatureError("features: utterance ids must be unique", utterance)
        seen.add(utterance)
    return [content_hash(payload) for _, payload in inputs]


def _check_outputs(outputs: Sequence[np.ndarray], ids: Sequence[str], kind: Kind) -> list[np.ndarray]:
    if len(outputs) != len(ids):
        raise FeatureError(f"features: the encoder gave {len(outputs)} arrays for {len(ids)} inputs")
    dims = 1 if kind == "utterance" else 2
    checked = []
    for utterance, output in zip(ids, outputs, strict=True):
        array = np.asarray(output, dtype=np.float32)
        if array.ndim != dims or array.size == 0:
            form = "[D]" if dims == 1 else "[T, D]"
            raise FeatureError(f"utterance {utterance}: expected features {form}, not empty", list(array.shape))
        if not np.isfinite(array).all():
            raise FeatureError(f"utterance {utterance}: features must be finite", "NaN or infinity", "Check its input.")
        checked.append(array)
    return checked


def _check_dims(arrays: Sequence[np.ndarray], ids: Sequence[str]) -> None:
    for utterance, array in zip(ids, arrays, strict=True):
        if array.shape[-1] != arrays[0].shape[-1]:
            raise FeatureError(f"utterance {utterance}: expected D={arrays[0].shape[-1]} as before", array.shape[-1])


# --- files ------------------------------------------------------------------------------------------------------------


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError.writing(path, error) from error


@contextmanager
def _locked(final: Path) -> Iterator[None]:
    from filelock import FileLock

    _make(final.parent)
    lock = FileLock(final.with_name(f".{final.name}.lock"))
    with _writing(final):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _make(directory: Path) -> None:
    with _writing(directory):
        directory.mkdir(parents=True, exist_ok=True)


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _pack(arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    rows = [a[None] if a.ndim == 1 else a for a in arrays]
    offsets = np.cumsum([0, *(len(r) for r in rows)], dtype=np.int64)
    return {"offsets": offsets, "values": np.concatenate(rows)}


def _write_bytes(path: Path, pieces: Iterator[bytes | memoryview]) -> None:
    """Write, flush to the disk and rename into place; on failure nothing is left but the old file."""
    temporary = path.with_name(path.name + ".tmp")
    with _writing(path):
        try:
            with temporary.open("wb") as file:
                for piece in pieces:
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise


def _header(shapes: Mapping[str, tuple[str, tuple[int, ...]]], metadata: dict[str, str]) -> bytes:
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


def _write_arrays(path: Path, arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    shapes = {k: ("I64" if v.dtype == np.int64 else "F32", v.shape) for k, v in arrays.items()}
    _write_bytes(path, iter([_header(shapes, metadata), *(np.ascontiguousarray(a).data for a in arrays.values())]))


def _map_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file as read-only memory maps."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy"):  # verifies the head and the file's length
            pass
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            head = json.loads(file.read(length))
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: truncated or corrupt", str(error).splitlines()[0], _RERUN) from None
    head.pop("__metadata__", None)
    types = {"I64": np.dtype("<i8"), "F32": np.dtype("<f4")}
    if any(info["dtype"] not in types for info in head.values()):
        raise CheckpointError(f"{path}: expected int64 offsets and float32 values", fix=_RERUN)
    return {
        name: np.memmap(
            path, types[info["dtype"]], "r", offset=8 + length + info["data_offsets"][0], shape=tuple(info["shape"])
        )
        for name, info in head.items()
    }


def _finished(shard: Path, stamp: str, count: int) -> bool:
    """Whether a shard of an earlier run is whole and holds these inputs."""
    from safetensors import safe_open

    if not shard.is_file():
        return False
    try:
        arrays = _map_arrays(shard)
        with safe_open(shard, framework="numpy") as file:
            metadata = file.metadata() or {}
    except CheckpointError:
        return False
    return metadata.get("inputs") == stamp and len(arrays["offsets"]) == count + 1


def _assemble(
    whole: Path, shards: Sequence[Path], ids: list[str], entries: list[int], hashes: list[str], meta: dict[str, Any]
) -> None:
    """Join shards to a complete store in the directory ``whole``, streaming."""
    shutil.rmtree(whole, ignore_errors=True)
    _make(whole)
    maps = [_map_arrays(shard) for shard in shards]
    dims = {m["values"].shape[1] for m in maps}
    if len(dims) > 1:
        raise FeatureError("features: the encoder's D changed along the way", sorted(dims), _RERUN)
    starts = np.cumsum([0, *(len(m["values"]) for m in maps)])
    offsets = np.concatenate([[0], *(m["offsets"][1:] + s for m, (s, _) in zip(maps, pairwise(starts), strict=True))])
    rows, dim = int(starts[-1]), dims.pop()
    head = _header({"offsets": ("I64", offsets.shape), "values": ("F32", (rows, dim))}, {})
    values = whole / "values.safetensors"
    _write_bytes(values, (p for p in (head, offsets.astype("<i8").tobytes(), *(m["values"].data for m in maps))))
    _write_bytes(whole / "index.parquet", iter([_index_bytes(ids, entries, hashes)]))
    meta = {
        "format": FORMAT,
        **meta,
        "dim": dim,
        "rows": rows,
        "entries": len(offsets) - 1,
        "utterances": len(ids),
        "values_sha256": _file_hash(values),
        "versions": _versions(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    _write_bytes(whole / "meta.json", iter([json.dumps(meta, indent=2, ensure_ascii=False).encode() + b"\n"]))
    with _writing(whole):
        _sync_directory(whole)


def _index_bytes(ids: list[str], entries: list[int], hashes: list[str]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    columns = {"utterance": pa.array(ids, pa.string()), "row": pa.array(entries, pa.int64()), "hash": pa.array(hashes)}
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def _read_meta(path: Path) -> dict[str, Any]:
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
        if meta["format"] != FORMAT:
            raise FeatureError(f"{path}: expected format {FORMAT}", meta["format"], _RERUN)
        for name in ("dim", "rows", "entries", "utterances"):
            meta[name] = int(meta[name])
        if meta["kind"] not in ("utterance", "frames") or not isinstance(meta["values_sha256"], str):
            raise ValueError("kind")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: truncated or corrupt", type(error).__name__, _RERUN) from None
    return dict(meta)


def _read_index(path: Path, meta: dict[str, Any]) -> dict[str, int]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=["utterance", "row"], use_threads=False)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path}: truncated or corrupt", str(error).splitlines()[0][:80], _RERUN) from None
    entries = dict(zip(table["utterance"].to_pylist(), table["row"].to_pylist(), strict=True))
    if len(entries) != meta["utterances"] or any(e is None or e < 0 for e in entries.values()):
        raise FeatureError(f"{path}: expected {meta['utterances']} distinct utterances", len(entries), _RERUN)
    return entries


def _versions() -> dict[str, str]:
    found = {}
    for package in ("moodline", "torch", "transformers", "numpy", "safetensors"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # an encoder may do without
            continue
    return found
