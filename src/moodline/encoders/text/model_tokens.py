"""Words as the tokens of a model's own language model (EGMF): the one encoder that gives numbers of tokens."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from moodline.core.errors import ConfigError
from moodline.core.hashing import text_hash
from moodline.encoders.inputs import TextInput
from moodline.encoders.settings import EncoderSpec
from moodline.nn.pretrained import from_pretrained, model_files, model_source


class ModelTokens:
    """The tokenizer of a language model as an encoder.

    Previous turns stand before the current one, each on a line of its own. Where all together are longer than
    ``max_tokens``, the oldest turns are left out, which is said once; a turn that is too long alone loses its end.

    Args:
        spec: ``name`` is ``tokens:<id, folder or converted model>``; ``max_tokens`` and the context's fields count.
    """

    modality = "text"
    dim = 2
    kind: Literal["tokens"] = "tokens"

    def __init__(self, spec: EncoderSpec) -> None:
        source = spec.name.partition(":")[2]
        files = model_files(model_source(source), f"tokens of {source}", ("AutoTokenizer",), spec.revision)
        wrapper = from_pretrained("AutoTokenizer", files, f"tokens of {source}")
        self.tokenizer: Any = getattr(wrapper, "backend_tokenizer", None)
        if self.tokenizer is None:
            raise ConfigError(f"{spec.name}: expected a model with a fast tokenizer (tokenizer.json)")
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.id, self.spec, self.said = spec.name, spec, False
        self.revision = text_hash(self.tokenizer.to_str())[:16]
        self.line_end = self._tokens("\n")

    @property
    def settings(self) -> dict[str, Any]:
        """What results depend on beside the tokenizer."""
        names = ("max_tokens", "context_turns", "context_speakers", "speaker_letters")
        return {name: getattr(self.spec, name) for name in names}

    def encode(self, inputs: Sequence[TextInput]) -> list[NDArray[np.int64]]:
        """Tokens of each input.

        Returns:
            int64 [T, 2], one per input: the token, and 1 where it belongs to the current turn, 0 at its context.
        """
        return [self._encode(item) for item in inputs]

    def cuts(self, inputs: Sequence[TextInput]) -> list[bool]:
        """See ``Limited.cuts``; of the turns themselves, not of their context."""
        return [len(self._tokens(item.text)) > self.spec.max_tokens for item in inputs]

    def _encode(self, item: TextInput) -> NDArray[np.int64]:
        own = self._tokens(item.text)[: self.spec.max_tokens]
        before: list[int] = []
        for turn in reversed(item.context):
            longer = self._tokens(turn) + self.line_end + before
            if len(longer) + len(own) > self.spec.max_tokens:
                self._say()
                break
            before = longer
        rows = [(token, 0) for token in before] + [(token, 1) for token in own]
        return np.array(rows, np.int64).reshape(-1, 2)

    def _tokens(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def _say(self) -> None:
        if not self.said:
            logging.getLogger("moodline").warning(
                "%s: turns and context of more than %d tokens; the oldest turns are left out",
                self.id,
                self.spec.max_tokens,
            )
            self.said = True
