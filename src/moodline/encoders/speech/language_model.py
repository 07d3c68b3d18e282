"""Speech-language models: prompt ‖ what was heard ‖ question → the hidden states of a language model."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from moodline.core.errors import ConfigError
from moodline.encoders.backbone import Backbone
from moodline.encoders.quantized import quiet
from moodline.encoders.settings import EncoderSpec
from moodline.encoders.speech.sound import clip_length
from moodline.media.audio import RATE

WINDOW = 30
"""Seconds that Whisper's encoder, in all of them, takes at once."""


class SpeechLanguageBackbone(Backbone):
    """A language model that hears; the base of Qwen2-Audio and SALMONN.

    A subclass sets ``Backbone``'s attributes, calls ``set_prompt``, and defines ``prepare``, ``hear`` and ``language``.
    Clips of unlike lengths leave a gap between sound and question, which is masked and does not count in the positions:
    nothing depends on the company.

    Attributes:
        before, after: token numbers int64 [N] of the prompt around the sound.
    """

    modality = "speech"
    budget = 12_000
    before: Tensor
    after: Tensor

    def set_prompt(self, tokenizer: Any, template: str, question: str, sound: str, first: int | None = None) -> None:
        """Tokenize the prompt.

        Args:
            tokenizer: of transformers.
            template: with ``{}`` where the question goes.
            question: what is asked.
            sound: the part of the template in whose place the sound is put.
            first: a token that opens the prompt, or None.
        """
        left, _, right = template.format(question).partition(sound)
        encode = [tokenizer(text, add_special_tokens=False)["input_ids"] if text else [] for text in (left, right)]
        opening = [] if first is None else [first]
        self.register_buffer("before", torch.tensor([*opening, *encode[0]], dtype=torch.int64), persistent=False)
        self.register_buffer("after", torch.tensor(encode[1], dtype=torch.int64), persistent=False)

    @property
    def language(self) -> Any:
        """The language model without its head, a part of ``network``."""
        raise NotImplementedError

    @property
    def blocks(self) -> Any:
        """See ``Backbone.blocks``."""
        return self.language

    def hear(self, tensors: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """What stands for the sound: embeddings [B, A, H] and bool [B, A], True where they are real."""
        raise NotImplementedError

    def length(self, item: Any) -> int:
        """20 ms frames, and those of the whole window that Whisper's encoder computes in any case."""
        return WINDOW * 50 + clip_length(item, self.spec.max_seconds)

    def forward(self, tensors: dict[str, Tensor]) -> tuple[tuple[Tensor, ...], Tensor]:
        """See ``Backbone.forward``; the prompt's tokens enter the pooling, as in the released code of MiSTER-E."""
        with quiet(self.spec):
            sound, heard = self.hear(tensors)
            embed = self.language.get_input_embeddings()
            parts, masks = [], []
            for ids in (self.before, self.after):
                parts.append(embed(ids)[None].expand(len(sound), -1, -1))
                masks.append(heard.new_ones(len(sound), len(ids)))
            joined = torch.cat([parts[0], sound.to(parts[0].dtype), parts[1]], dim=1)
            mask = torch.cat([masks[0], heard, masks[1]], dim=1)
            out = self.language(
                inputs_embeds=joined,
                attention_mask=mask.long(),
                position_ids=(mask.long().cumsum(1) - 1).clamp(min=0),
                output_hidden_states=True,
                return_dict=True,
                use_cache=False,
            )
        return tuple(out.hidden_states), mask


def check_sound(name: str, spec: EncoderSpec, extractor: Any, most: float | None = WINDOW) -> None:
    """That a model can hear what the spec asks for.

    Args:
        name: the encoder's.
        spec: how long a clip may be.
        extractor: its feature extractor.
        most: seconds that it hears; None for any number.

    Raises:
        ConfigError: more than that, or a model for another sampling rate than 16 kHz.
    """
    rate = getattr(extractor, "sampling_rate", RATE)
    if rate != RATE:
        raise ConfigError(f"encoder {name}: expected a model for {RATE} samples per second", rate)
    if most is not None and spec.max_seconds > most:
        raise ConfigError(
            f"encoder {name}: it hears at most {most} s; max_seconds must not be more",
            spec.max_seconds,
            "What comes later is not heard; cut long turns where they pause.",
        )


def mel_features(extractor: Any, clips: list[Any]) -> Tensor:
    """Whisper's log-mel spectrograms of 30 s, float32 [B, mels, 3000]."""
    features: Tensor = extractor(clips, sampling_rate=RATE, return_tensors="pt")["input_features"]
    return features
