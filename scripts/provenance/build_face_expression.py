"""Make src/moodline/pretrained/face-expression again, from the npm package it comes out of.

    npm pack @vladmandic/face-api@1.7.15
    python scripts/provenance/build_face_expression.py vladmandic-face-api-1.7.15.tgz

The weights stay as they are there: bytes, with a scale and a least value for each tensor, which go into the metadata
of the safetensors file. Only files whose SHA-256 is known are taken.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tarfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

PACKAGE = "@vladmandic/face-api 1.7.15 (npm)"
SHA256 = {
    "package/model/face_expression_model.bin": "9a9840f2cf1f4c7eab95f197512569345c00d2426754d4608b92af30e0300f3d",
    "package/model/face_expression_model-weights_manifest.json": (
        "5b349c17c7836da506e03422cd6461c74085d8bb2713ad4114647dc5d28174c8"
    ),
}
LICENSE = "package/LICENSE"
PACKAGED = Path(__file__).resolve().parents[2] / "src" / "moodline" / "pretrained" / "face-expression"


def read(archive: Path) -> dict[str, bytes]:
    """The wanted members of the tarball, checked."""
    with tarfile.open(archive) as tar:
        found = {}
        for name in (*SHA256, LICENSE):
            file = tar.extractfile(name)
            if file is None:
                raise SystemExit(f"{archive}: expected a file {name}")
            found[name] = file.read()
    for name, wanted in SHA256.items():
        if (have := hashlib.sha256(found[name]).hexdigest()) != wanted:
            raise SystemExit(f"{archive}: {name} must have the SHA-256 {wanted} (found: {have})")
    return found


def main() -> None:
    """Convert."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path, help="vladmandic-face-api-1.7.15.tgz")
    found = read(parser.parse_args().archive)
    data, manifest = (found[name] for name in SHA256)
    tensors: dict[str, np.ndarray] = {}
    quantization: dict[str, list[float]] = {}
    at = 0
    for entry in json.loads(manifest)[0]["weights"]:
        rule = entry.get("quantization")
        kind = np.dtype(rule["dtype"] if rule else entry["dtype"]).newbyteorder("<")
        size = int(np.prod(entry["shape"])) * kind.itemsize
        tensors[entry["name"]] = np.frombuffer(data[at : at + size], kind).reshape(entry["shape"])
        if rule:
            quantization[entry["name"]] = [rule["scale"], rule["min"]]
        at += size
    if at != len(data):
        raise SystemExit(f"the manifest describes {at} bytes (found: {len(data)})")
    PACKAGED.mkdir(parents=True, exist_ok=True)
    metadata = {"source": PACKAGE, "quantization": json.dumps(quantization, sort_keys=True)}
    save_file(tensors, PACKAGED / "model.safetensors", metadata)
    (PACKAGED / "LICENSE").write_bytes(found[LICENSE])
    print(f"{len(tensors)} tensors, {at} bytes -> {PACKAGED.name}")


if __name__ == "__main__":
    main()
