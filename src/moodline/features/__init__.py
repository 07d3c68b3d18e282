"""Feature stores: what an encoder said of a corpus, kept on disk.

A store is a directory, complete or absent, never half-valid:

    values.safetensors   offsets int64 [N+1] and values float32 [R, D]; entry n is rows offsets[n] … offsets[n+1]
    index.parquet        utterance id, row (its entry; equal inputs share one), hash of the input
    meta.json            what was encoded with what: fields, kind, dim, hashes, library versions, date

``encode_to_store`` writes shards of a few hundred inputs into ``<name>.partial`` beside the store, each atomically,
and renames the assembled whole into place. A run that was killed goes on from its last shard and ends with the same
bytes; two processes with the same command share one lock, the second opens what the first has written.
"""

from __future__ import annotations

from moodline.features.store import FeatureStore, Kind
from moodline.features.write import encode_to_store, write_store

__all__ = ["FeatureStore", "Kind", "encode_to_store", "write_store"]
