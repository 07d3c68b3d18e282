"""Writing a feature store: shards, resuming, assembly."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from moodline.core.errors import CheckpointError, FeatureError
from moodline.core.files import locked, make_folder, replacing_folder, write_bytes
from moodline.core.hashing import data_hash, file_hash, json_hash, text_hash
from moodline.features.files import RERUN, map_arrays, safetensors_head, write_arrays
from moodline.features.store import FORMAT, FeatureStore, Kind

P = TypeVar("P")

SHARD = 256
"""Inputs per shard: what a killed run can lose."""


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
        CheckpointError: the store that is there has been damaged.
    """
    hashes = _check_inputs(inputs, content_hash)
    ids = [utterance for utterance, _ in inputs]
    fields = json.loads(json.dumps(dict(key_fields), sort_keys=True))
    meta = {"kind": kind, "fields": fields, "inputs": json_hash([ids, hashes])}
    key = json_hash([FORMAT, meta], sort_keys=True)[:16]
    parts = [str(fields[k]) for k in ("corpus", "split", "modality", "encoder") if fields.get(k)]
    name = re.sub(r"[^A-Za-z0-9._]+", "-", "-".join(parts)).strip("-.")[:80] or "features"
    final = Path(root) / f"{name}-{key}"
    partial = final.with_name(final.name + ".partial")
    if not final.is_dir():
        first: dict[str, int] = {}  # content hash to the first utterance that has it
        for n, digest in enumerate(hashes):
            first.setdefault(digest, n)
        entry = {digest: k for k, digest in enumerate(first)}
        with locked(final):
            if not final.is_dir():  # another process may have finished while this one waited
                make_folder(partial)
                work = _Work([_Item(ids[n], hashes[n], inputs[n][1]) for n in first.values()], encode, kind, progress)
                shards = work.shards(partial, batch_size, shard_size)
                with replacing_folder(final, partial / "whole") as whole:
                    _assemble(whole, shards, ids, [entry[h] for h in hashes], hashes, meta)
    shutil.rmtree(partial, ignore_errors=True)
    store = FeatureStore.open(final)
    store.verify()
    return store


@dataclass(frozen=True)
class _Item(Generic[P]):
    utterance: str
    digest: str
    payload: P


@dataclass(frozen=True)
class _Work(Generic[P]):
    """Distinct inputs and how to encode them."""

    items: Sequence[_Item[P]]
    encode: Callable[[list[P]], list[np.ndarray]]
    kind: Kind
    progress: Callable[[int, int], None] | None

    def shards(self, partial: Path, batch_size: int, shard_size: int) -> list[Path]:
        """Write the shards that an earlier run has not finished; all of them, in order."""
        paths = []
        self._report(0)
        for start in range(0, len(self.items), shard_size):
            chunk = self.items[start : start + shard_size]
            path = partial / f"shard-{start:08d}.safetensors"
            stamp = text_hash("\n".join(item.digest for item in chunk))
            if not _finished(path, stamp, len(chunk)):
                arrays: list[np.ndarray] = []
                for at in range(0, len(chunk), batch_size):
                    piece = chunk[at : at + batch_size]
                    outputs = self.encode([item.payload for item in piece])
                    arrays += _check_outputs(outputs, [item.utterance for item in piece], self.kind)
                    self._report(start + len(arrays))
                _check_dims(arrays, [item.utterance for item in chunk])
                write_arrays(path, _pack(arrays), {"inputs": stamp})
            else:
                self._report(start + len(chunk))
            paths.append(path)
        return paths

    def _report(self, done: int) -> None:
        if self.progress:
            self.progress(done, len(self.items))


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
    hashes = [data_hash(a.tobytes()) for a in arrays]
    partial = directory.with_name(f"{directory.name}.partial")
    with locked(directory):
        shutil.rmtree(partial, ignore_errors=True)
        make_folder(partial)
        shard = partial / "shard.safetensors"
        write_arrays(shard, _pack(arrays), {})
        meta = {"kind": kind, "fields": dict(fields or {}), "inputs": text_hash("\n".join(hashes))}
        with replacing_folder(directory, partial / "whole") as whole:
            _assemble(whole, [shard], ids, list(range(len(ids))), hashes, meta)
        shutil.rmtree(partial, ignore_errors=True)
    return FeatureStore.open(directory)


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
        with np.errstate(over="ignore"):  # becomes infinity, which is refused below
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


def _pack(arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    rows = [a[None] if a.ndim == 1 else a for a in arrays]
    offsets = np.cumsum([0, *(len(r) for r in rows)], dtype=np.int64)
    return {"offsets": offsets, "values": np.concatenate(rows)}


def _finished(shard: Path, stamp: str, count: int) -> bool:
    """Whether a shard of an earlier run is whole and holds these inputs."""
    from safetensors import safe_open

    if not shard.is_file():
        return False
    try:
        arrays = map_arrays(shard)
        with safe_open(shard, framework="numpy") as file:
            metadata = file.metadata() or {}
    except CheckpointError:
        return False
    return metadata.get("inputs") == stamp and len(arrays["offsets"]) == count + 1


def _assemble(
    whole: Path, shards: Sequence[Path], ids: list[str], entries: list[int], hashes: list[str], meta: dict[str, Any]
) -> None:
    """Join shards to a complete store in the empty folder ``whole``, streaming."""
    maps = [map_arrays(shard) for shard in shards]
    dims = {m["values"].shape[1] for m in maps}
    if len(dims) > 1:
        raise FeatureError("features: the encoder's D changed along the way", sorted(dims), RERUN)
    starts = np.cumsum([0, *(len(m["values"]) for m in maps)])
    offsets = np.concatenate([[0], *(m["offsets"][1:] + s for m, (s, _) in zip(maps, pairwise(starts), strict=True))])
    rows, dim = int(starts[-1]), dims.pop()
    head = safetensors_head({"offsets": ("I64", offsets.shape), "values": ("F32", (rows, dim))}, {})
    values = whole / "values.safetensors"
    write_bytes(values, [head, offsets.astype("<i8").tobytes(), *(m["values"].data for m in maps)])
    write_bytes(whole / "index.parquet", [_index_bytes(ids, entries, hashes)])
    meta = {
        "format": FORMAT,
        **meta,
        "dim": dim,
        "rows": rows,
        "entries": len(offsets) - 1,
        "utterances": len(ids),
        "values_sha256": file_hash(values),
        "versions": _versions(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_bytes(whole / "meta.json", [json.dumps(meta, indent=2, ensure_ascii=False).encode() + b"\n"])


def _index_bytes(ids: list[str], entries: list[int], hashes: list[str]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    columns = {"utterance": pa.array(ids, pa.string()), "row": pa.array(entries, pa.int64()), "hash": pa.array(hashes)}
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def _versions() -> dict[str, str]:
    found = {}
    for package in ("moodline", "torch", "transformers", "numpy", "safetensors"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # an encoder may do without
            continue
    return found
