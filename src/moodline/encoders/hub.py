"""Models of transformers from a folder or a hub: found offline first, never executed, never unpickled."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from moodline.encoders.base import files_revision
from moodline.errors import CheckpointError


def from_pretrained(auto: str, source: str | Path, name: str, **options: Any) -> Any:
    """``transformers.<auto>.from_pretrained``, with the folder or the cache tried before the network.

    Args:
        auto: ``"AutoModel"``, ``"AutoTokenizer"`` or ``"AutoFeatureExtractor"``.
        source: a folder, or a hub id; a hub is only asked for what is not cached (and never with HF_HUB_OFFLINE=1).
        name: the encoder, for error messages.
        **options: passed on. Weights must be safetensors; code of a repository is never run.

    Raises:
        CheckpointError: not found or not loadable.
    """
    loader = getattr(importlib.import_module("transformers"), auto)
    bars = importlib.import_module("transformers.utils.logging")
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()  # for reading files, under a second; downloads show their own
    if auto == "AutoModel":
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
            f"encoder {name}: {auto} cannot load it",
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
