"""Feature files of a house directory: ``features/NAME.safetensors`` and ``features/NAME.json``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from moodline.core.errors import FeatureError
from moodline.corpora.files import children, read_bytes

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def read_features(folder: Path, known: Iterable[str], files: list[Path]) -> dict[str, dict[str, np.ndarray]]:
    """Read every feature set of a folder.

    Args:
        folder: ``features/``; may be absent.
        known: the utterance ids of the corpus.
        files: receives the paths that were read.

    Returns:
        Name to utterance id to float32 [D] or frames [T, D], in the files' order.

    Raises:
        FeatureError: a file is broken or lacks its partner, counts differ, ids are unknown, values are not finite.
    """
    known = set(known)
    out = {}
    for path in (p for p in children(folder) if p.suffix == ".safetensors"):
        partner = path.with_suffix(".json")
        if not partner.is_file():
            raise FeatureError(
                f"features/{path.name}: expected {partner.name} beside it", fix="It lists the utterance ids."
            )
        files += (path, partner)
        out[path.stem] = _read_set(path, _ids(partner, known))
    return out


def _ids(path: Path, known: set[str]) -> list[str]:
    where = f"features/{path.name}"
    try:
        ids = json.loads(read_bytes(path).decode("utf-8-sig"))["ids"]
    except (ValueError, KeyError, TypeError, RecursionError):
        ids = None
    if not isinstance(ids, list) or not all(isinstance(i, str) for i in ids):
        raise FeatureError(f'{where} must be {{"ids": [utterance ids]}}')
    if len(set(ids)) != len(ids):
        raise FeatureError(f"{where}: ids must be unique", next(i for i in ids if ids.count(i) > 1))
    unknown = [i for i in ids if i not in known]
    if unknown:
        raise FeatureError(
            f"{where}: no utterance of the corpus has the id {unknown[0]!r}", f"{len(unknown)} unknown ids",
            "Use the features that belong to this corpus.",
        )  # fmt: skip
    return ids


def _read_set(path: Path, ids: list[str]) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    where = f"features/{path.name}"
    try:
        tensors = load(read_bytes(path))
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FeatureError(f"{where} is not a readable safetensors file", error, "Write or copy it again.") from None
    values, offsets = tensors.get("values"), tensors.get("offsets")
    if values is None or values.ndim != 2 or values.dtype.kind != "f" or set(tensors) - {"values", "offsets"}:
        found = ", ".join(f"{n} {t.dtype} {list(t.shape)}" for n, t in tensors.items())
        raise FeatureError(f"{where}: expected values float32 [N, D] and, for frames, offsets", found or "no tensors")
    values = values.astype(np.float32, copy=False)
    count = len(values) if offsets is None else len(offsets) - 1 if offsets.ndim == 1 else -1
    if count != len(ids):
        raise FeatureError(f"{where}: expected as many entries as ids in {path.stem}.json", f"{count} and {len(ids)}")
    if offsets is None:
        out = dict(zip(ids, values, strict=True))
    else:
        steps = np.diff(offsets)
        if offsets.dtype.kind != "i" or offsets[0] != 0 or offsets[-1] != len(values) or (steps < 1).any():
            raise FeatureError(f"{where}: offsets must be whole numbers that rise from 0 to {len(values)}")
        out = {key: values[offsets[n] : offsets[n + 1]] for n, key in enumerate(ids)}
    if not np.isfinite(values).all():
        bad = next(k for k, v in out.items() if not np.isfinite(v).all())
        raise FeatureError(
            f"{where}: features must be finite", f"NaN or infinity at {bad}", "Clean the features first."
        )
    return out


def write_features(folder: Path, features: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Write feature sets as ``read_features`` reads them.

    Args:
        folder: is made if there is something to write.
        features: name to utterance id to float32 [D] or frames [T, D], one kind and one D a set.

    Raises:
        FeatureError: a name that is no file name, mixed shapes, values that are not finite.
        OSError: the disk refuses.
    """
    from safetensors.numpy import save_file

    for name, rows in features.items():
        if not _NAME.fullmatch(name):
            raise FeatureError("feature sets are named with letters, digits, '.', '_' and '-'", name)
        if not rows:
            continue
        arrays = [np.asarray(v, dtype=np.float32) for v in rows.values()]
        shapes = {(a.ndim, a.shape[-1] if a.ndim else 0) for a in arrays}
        if len(shapes) != 1 or next(iter(shapes))[0] not in (1, 2):
            raise FeatureError(f"feature set {name}: expected vectors [D] or frames [T, D] of one size", sorted(shapes))
        tensors: dict[str, Any] = {"values": np.stack(arrays) if arrays[0].ndim == 1 else np.concatenate(arrays)}
        if arrays[0].ndim == 2:
            lengths = [len(a) for a in arrays]
            if not all(lengths):
                raise FeatureError(f"feature set {name}: frames [T, D] need at least one frame")
            tensors["offsets"] = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        if not np.isfinite(tensors["values"]).all():
            raise FeatureError(f"feature set {name}: features must be finite", fix="Clean the features first.")
        folder.mkdir(exist_ok=True)
        save_file(tensors, folder / f"{name}.safetensors")
        text = json.dumps({"ids": list(rows)}, ensure_ascii=False)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
