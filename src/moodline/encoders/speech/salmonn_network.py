"""SALMONN (Tang et al. 2024, arXiv 2310.13289), from its paper's description.

Whisper's encoder ‖ BEATs, both 50 frames a second → LayerNorms, side by side → windows of a third of a second →
Q-Former with one query a window → Linear → a language model (Vicuna) with LoRA

Published checkpoints hold what was trained and no more; names of weights there and here:

    ln_speech.*, ln_audio.*                                           the same
    speech_llama_proj.*                                               projection.*
    speech_query_tokens                                               query
    speech_Qformer.bert.embeddings.LayerNorm.*                        qformer.layernorm.*
    speech_Qformer.bert.encoder.layer.N.attention.self.*              qformer.encoder.layer.N.attention.attention.*
    speech_Qformer.bert.encoder.layer.N.crossattention.self.*         qformer.encoder.layer.N.crossattention.attention.*
    speech_Qformer.bert.encoder.layer.N.*                             qformer.encoder.layer.N.*
    llama_model.base_model.model.model.layers.N….lora_A[.default].*   merged into language.layers.N…

The Q-Former is BLIP-2's in transformers, with cross-attention in every block.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from moodline.core.errors import CheckpointError
from moodline.encoders.speech.beats import Beats
from moodline.nn.lora import merge_lora

WINDOW = 17
"""Frames of 20 ms in a window: a third of a second. Windows do not overlap; a last one that is not full is dropped."""
LORA_SCALE = 4.0
"""α/r of the published checkpoints: 32/8."""
_FOLLOWING = (".position_ids", ".rotary_emb.inv_freq")
_LANGUAGE = re.compile(r"llama_model\.base_model\.model\.model\.(.+)\.(lora_[AB])(?:\.default)?\.weight")


class Salmonn(nn.Module):
    """See the module; Whisper, BEATs, the norms and the projection are not for training.

    Args:
        whisper: Whisper's encoder.
        beats: the audio encoder.
        qformer: ``Blip2QFormerModel``.
        queries: learned queries a window.
        language: the language model without its head.
    """

    def __init__(self, whisper: nn.Module, beats: Beats, qformer: nn.Module, queries: int, language: nn.Module) -> None:
        super().__init__()
        hidden = int(qformer.config.hidden_size)  # type: ignore[union-attr, arg-type]
        self.whisper, self.beats, self.qformer, self.language = whisper, beats, qformer, language
        self.ln_speech = nn.LayerNorm(int(whisper.config.d_model))  # type: ignore[union-attr, arg-type]
        self.ln_audio = nn.LayerNorm(beats.config.encoder_embed_dim)
        self.query = nn.Parameter(torch.zeros(1, queries, hidden))
        self.projection = nn.Linear(hidden, int(language.config.hidden_size))  # type: ignore[union-attr, arg-type]

    def forward(self, features: Tensor, frames: Tensor, columns: Tensor) -> Tensor:
        """What stands for the sound.

        Args:
            features: Whisper's spectrogram of 30 s, float [B, mels, 3000].
            frames, columns: see ``Beats``.

        Returns:
            Embeddings for the language model, [B, windows · queries, H]; silence up to 30 s has its windows, too.
        """
        with torch.no_grad():
            kind = next(self.whisper.parameters()).dtype
            speech = self.ln_speech(self.whisper(features.to(kind)).last_hidden_state.float())
            audio, real = self.beats(frames, columns)
            audio = torch.where(real[..., None], self.ln_audio(audio), 0.0)
            length = max(speech.shape[1], audio.shape[1])
            speech, audio = (nn.functional.pad(x, (0, 0, 0, length - x.shape[1])) for x in (speech, audio))
            windows = torch.cat([speech, audio], dim=-1).unfold(1, WINDOW, WINDOW).transpose(2, 3)
        count = windows.shape[1]
        flat = windows.flatten(0, 1)
        asked = self.qformer(query_embeds=self.query.expand(len(flat), -1, -1), encoder_hidden_states=flat)
        out: Tensor = self.projection(asked.last_hidden_state).unflatten(0, (-1, count)).flatten(1, 2)
        return out


def qformer_sizes(weights: Mapping[str, Tensor]) -> dict[str, int]:
    """The sizes of a checkpoint's Q-Former, as ``Blip2QFormerConfig`` names them, and ``queries``.

    Raises:
        CheckpointError: there is no Q-Former.
    """
    layer = "speech_Qformer.bert.encoder.layer."
    try:
        hidden = int(weights["speech_query_tokens"].shape[-1])
        return {
            "queries": int(weights["speech_query_tokens"].shape[1]),
            "hidden_size": hidden,
            "num_hidden_layers": 1
            + max(int(n.removeprefix(layer).split(".")[0]) for n in weights if n.startswith(layer)),
            "num_attention_heads": max(1, hidden // 64),
            "intermediate_size": int(weights[f"{layer}0.intermediate_query.dense.weight"].shape[0]),
            "encoder_hidden_size": int(weights[f"{layer}0.crossattention.self.key.weight"].shape[1]),
        }
    except (KeyError, ValueError) as error:
        raise CheckpointError("SALMONN: the checkpoint holds no speech Q-Former", f"no {error}") from None


def load_published(network: Salmonn, weights: Mapping[str, Tensor]) -> None:
    """Put a published checkpoint's weights into a network, in place.

    Args:
        network: with Whisper, BEATs and the language model already loaded.
        weights: the checkpoint's ``model``.

    Beside what was trained they hold numbers that follow from the sizes (places, rotary frequencies), left out here.

    Raises:
        CheckpointError: a weight is missing, unknown or of another size.
    """
    own: dict[str, Tensor] = {}
    lora: dict[str, Tensor] = {}
    for name, value in weights.items():
        if name.endswith(_FOLLOWING):
            continue
        language = _LANGUAGE.fullmatch(name)
        if language:
            lora[f"{language[1]}.{language[2]}"] = value
        else:
            own[own_name(name)] = value
    expected = {n for n in network.state_dict() if not n.startswith(("whisper.", "beats.", "language."))}
    odd = sorted(expected ^ own.keys())
    if odd:
        what = "lacks" if odd[0] in expected else "has an unknown"
        raise CheckpointError(f"SALMONN: the checkpoint {what} weight {odd[0]}", f"{len(odd)} in all")
    try:
        network.load_state_dict(own, strict=False)
    except RuntimeError as error:
        raise CheckpointError("SALMONN: the checkpoint's sizes differ", str(error).splitlines()[-1][:160]) from None
    if lora:
        merge_lora(network.language, lora, LORA_SCALE)


def own_name(name: str) -> str:
    """The name here of a weight in a published checkpoint; see the module."""
    if name == "speech_query_tokens":
        return "query"
    name = re.sub(r"^speech_llama_proj\.", "projection.", name)
    name = re.sub(r"^speech_Qformer\.bert\.embeddings\.LayerNorm\.", "qformer.layernorm.", name)
    name = re.sub(r"^speech_Qformer\.bert\.", "qformer.", name)
    return re.sub(r"(attention)\.self\.", r"\1.attention.", name)
