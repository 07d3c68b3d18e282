"""SALMONN as an utterance encoder: found on disk, its sound prepared.

A folder holds its parts as they are published:

    ANY.pth or ANY.safetensors   SALMONN's own checkpoint (salmonn_7b_v0.pth, salmonn_v1.pth)
    ANY.pt                       BEATs (BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2.pt)
    whisper/                     Whisper large v2, as transformers has it
    vicuna/                      Vicuna 7B v1.5 or 13B v1.1, as transformers has it, in safetensors

Checkpoints in torch's format are read as tensors and plain values only.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from moodline.core.errors import CheckpointError, ConfigError
from moodline.encoders.base import files_revision
from moodline.encoders.quantized import loading_options
from moodline.encoders.settings import EncoderSpec
from moodline.encoders.speech.beats import SHORTEST, Beats, BeatsConfig, beats_state, log_mel
from moodline.encoders.speech.language_model import SpeechLanguageBackbone, check_sound, mel_features
from moodline.encoders.speech.salmonn_network import Salmonn, load_published, qformer_sizes
from moodline.encoders.speech.sound import clip_samples
from moodline.encoders.weights import ModelFiles, from_pretrained

TEMPLATE, SOUND = "USER: <Speech><SpeechHere></Speech> {}\nASSISTANT:", "<SpeechHere>"
QUESTION = "What is the emotion of the person?"
_WEIGHTS = (".safetensors", ".json", ".model", ".txt", ".pt", ".pth")


class SalmonnBackbone(SpeechLanguageBackbone):
    """SALMONN with its feature extractor; see ``SpeechLanguageBackbone``.

    Args:
        name: the name it was loaded by.
        revision: see ``Backbone``.
        spec: settings, all filled in.
        network: the model.
        extractor: Whisper's feature extractor.
        tokenizer: the language model's.
    """

    adapted = ("qformer", "language")

    def __init__(
        self, name: str, revision: str, spec: EncoderSpec, network: Salmonn, extractor: Any, tokenizer: Any
    ) -> None:
        super().__init__()
        self.id, self.revision, self.spec, self.network, self.extractor = name, revision, spec, network, extractor
        language: Any = network.language
        self.hidden_size, self.depth = int(language.config.hidden_size), int(language.config.num_hidden_layers)
        self.set_prompt(tokenizer, TEMPLATE, spec.prompt or QUESTION, SOUND, tokenizer.bos_token_id)

    @property
    def language(self) -> Any:
        """Vicuna without its head."""
        return self.network.get_submodule("language")

    def prepare(self, inputs: Sequence[Any]) -> dict[str, Tensor]:
        """Whisper's spectrograms ``features``, and BEATs' ``frames`` and ``columns``."""
        clips = [clip_samples(item, self.spec.max_seconds, SHORTEST) for item in inputs]
        return {"features": mel_features(self.extractor, clips), **log_mel(clips)}

    def hear(self, tensors: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """See ``SpeechLanguageBackbone.hear``; three tokens a second, those of silence up to 30 s included."""
        sound: Tensor = self.network(tensors["features"], tensors["frames"], tensors["columns"])
        return sound, sound.new_ones(sound.shape[:2], dtype=torch.bool)


def load_salmonn(directory: Path, name: str, spec: EncoderSpec, device: str = "cpu") -> SalmonnBackbone:
    """Load SALMONN from a folder; the language model in the spec's type, the rest in float32.

    Raises:
        CheckpointError: a part is missing or cannot be read, or parts do not fit each other.
        ConfigError: more than 30 s, or few bits, were asked for.
    """
    if spec.quantize != "none":
        raise ConfigError(f"encoder {name}: SALMONN's own LoRA is merged, which few bits do not allow", spec.quantize)
    own, beats_file = _only(directory, name, (".pth", ".safetensors")), _only(directory, name, (".pt",))
    for part in ("whisper", "vicuna"):
        if not (directory / part / "config.json").is_file():
            raise CheckpointError(
                f"encoder {name}: expected {directory / part} as transformers has it", "no config.json"
            )
    ears, words = ModelFiles(directory / "whisper"), ModelFiles(directory / "vicuna")
    extractor = from_pretrained("AutoFeatureExtractor", ears, name)
    check_sound(name, spec, extractor)
    tokenizer = from_pretrained("AutoTokenizer", words, name)
    whisper = from_pretrained("AutoModel", ears, name).get_encoder()
    language = from_pretrained("AutoModel", words, name, **loading_options(spec, device))
    published, beats = _read(own), _read(beats_file)
    try:
        audio = Beats(BeatsConfig.from_checkpoint(beats["cfg"]))
        audio.load_state_dict(beats_state(beats["model"]))
    except (KeyError, RuntimeError, TypeError) as error:
        raise CheckpointError(f"{beats_file}: not a BEATs checkpoint", str(error).splitlines()[-1][:160]) from None
    network = _assemble(whisper, audio, language, published.get("model", published))
    files = [p for p in sorted(directory.rglob("*")) if p.suffix in _WEIGHTS]
    return SalmonnBackbone(name, files_revision(files), spec, network, extractor, tokenizer)


def _assemble(whisper: Any, beats: Beats, language: Any, weights: dict[str, Tensor]) -> Salmonn:
    from transformers import Blip2QFormerConfig, Blip2QFormerModel

    sizes = qformer_sizes(weights)
    heard = int(whisper.config.d_model) + beats.config.encoder_embed_dim
    if sizes["encoder_hidden_size"] != heard:
        raise CheckpointError(
            f"SALMONN: its Q-Former reads {sizes['encoder_hidden_size']} values a frame",
            f"Whisper and BEATs here give {heard}",
            "Take Whisper large v2 and BEATs iter3+.",
        )
    queries = sizes.pop("queries")
    qformer = Blip2QFormerModel(Blip2QFormerConfig(**sizes, cross_attention_frequency=1))
    network = Salmonn(whisper, beats, qformer, queries, language)
    load_published(network, weights)
    return network


def _only(directory: Path, name: str, suffixes: tuple[str, ...]) -> Path:
    """The one file with one of some suffixes."""
    found = [p for p in sorted(directory.iterdir()) if p.suffix in suffixes] if directory.is_dir() else []
    if len(found) != 1:
        raise CheckpointError(
            f"encoder {name}: expected one file *{' or *'.join(suffixes)} in {directory}",
            ", ".join(p.name for p in found) or "none",
            "See docs/how-to/large-encoders.md for what goes into the folder.",
        )
    return found[0]


def _read(path: Path) -> dict[str, Any]:
    """A checkpoint's content: tensors and plain values, nothing that could run.

    Raises:
        CheckpointError: it is damaged, or holds something else.
    """
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise CheckpointError(
            f"{path}: must hold tensors and plain values only",
            "a pickle of something else, which could run code",
            "It was not read. Where you trust it, save its tensors anew, see docs/how-to/large-encoders.md.",
        ) from error
    except Exception as error:  # a dozen kinds, of zip and torch
        raise CheckpointError(
            f"{path}: cannot be read as tensors and plain values", type(error).__name__, "Download it again."
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: expected a dictionary of tensors", type(content).__name__)
    return content
