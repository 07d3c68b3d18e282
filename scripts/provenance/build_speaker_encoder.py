"""Make src/moodline/pretrained/speaker-ge2e from the weights that the package Resemblyzer 0.1.4 (Apache-2.0) carries.

    pip install --no-deps --target DIR resemblyzer==0.1.4
    python scripts/provenance/build_speaker_encoder.py DIR/resemblyzer/pretrained.pt

Its own code cannot be installed everywhere (webrtcvad must be compiled) and its file is a pickle; the LSTM's weights,
as 16-bit floats in a safetensors file, are all that is needed.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import torch
from safetensors.torch import save_file

SHA256 = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"
OUT = Path(__file__).resolve().parents[2] / "src" / "moodline" / "pretrained" / "speaker-ge2e" / "model.safetensors"


def main() -> None:
    """Check, convert, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="resemblyzer/pretrained.pt")
    file = parser.parse_args().file
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if found != SHA256:
        raise SystemExit(f"{file}: expected the file of resemblyzer 0.1.4 (found: sha256 {found})")
    weights = torch.load(file, map_location="cpu", weights_only=True)["model_state"]
    kept = {k: v.half().contiguous() for k, v in weights.items() if k.startswith(("lstm.", "linear."))}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    save_file(kept, OUT, metadata={"format": "pt"})
    print(f"{OUT}: {sum(v.numel() for v in kept.values())} numbers")


if __name__ == "__main__":
    main()
