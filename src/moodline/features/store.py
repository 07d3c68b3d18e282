"""Reading a feature store."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from moodline.core.errors import CheckpointError, FeatureError
from moodline.core.hashing import file_hash
from moodline.features.files import RERUN, map_arrays

Kind = Literal["utterance", "frames"]
"""``"utterance"``: one vector [D] each; ``"frames"``: a sequence [T, D] each."""

FORMAT = 1
FILES = ("values.safetensors", "index.parquet", "meta.json")


class FeatureStore(Mapping[str, np.ndarray]):
    """Read access to a store; values stay on disk until asked for.

    A mapping; made by ``FeatureStore.open``. ``store[id]`` gives a float32 array of its own, [D] or [T, D]; an id
    that is not in it is a FeatureError.
    """

    def __init__(
        self, directory: Path, meta: dict[str, Any], entries: dict[str, int], values: Any, offsets: Any
    ) -> None:
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
        missing = [name for name in FILES if not (directory / name).is_file()]
        if missing:
            raise FeatureError(f"{directory}: expected a feature store with {', '.join(FILES)}", f"no {missing[0]}")
        meta = _read_meta(directory / "meta.json")
        entries = _read_index(directory / "index.parquet", meta)
        arrays = map_arrays(directory / "values.safetensors")
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
            raise FeatureError(f"{directory}: values, offsets, index and meta.json must agree", fix=RERUN)
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

    def get(self, key: str, default: Any = None) -> Any:
        """The array of an utterance, ``default`` where there is none."""
        return self[key] if key in self._entries else default

    def verify(self) -> None:
        """Compare the values with the hash taken when they were written (reads everything).

        Raises:
            CheckpointError: the values have changed since.
        """
        if file_hash(self.directory / "values.safetensors") != self.meta["values_sha256"]:
            raise CheckpointError(f"{self.directory}: the values differ from their hash in meta.json", fix=RERUN)


def _read_meta(path: Path) -> dict[str, Any]:
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
        if meta["format"] != FORMAT:
            raise FeatureError(f"{path}: expected format {FORMAT}", meta["format"], RERUN)
        for name in ("dim", "rows", "entries", "utterances"):
            meta[name] = int(meta[name])
        if meta["kind"] not in ("utterance", "frames") or not isinstance(meta["values_sha256"], str):
            raise ValueError("kind")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: truncated or corrupt", type(error).__name__, RERUN) from None
    return dict(meta)


def _read_index(path: Path, meta: dict[str, Any]) -> dict[str, int]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=["utterance", "row"], use_threads=False)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path}: truncated or corrupt", str(error).splitlines()[0][:80], RERUN) from None
    entries = dict(zip(table["utterance"].to_pylist(), table["row"].to_pylist(), strict=True))
    if len(entries) != meta["utterances"] or any(e is None or e < 0 for e in entries.values()):
        raise FeatureError(f"{path}: expected {meta['utterances']} distinct utterances", len(entries), RERUN)
    return entries
