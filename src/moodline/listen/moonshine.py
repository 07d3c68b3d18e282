"""Moonshine tiny's words, with the weights of the package moonshine-voice, run by onnxruntime (English).

Why not the package's ``Transcriber``: the same greedy search written here gives the same words (a test compares them)
in a third of the time, tells how probable they are, which is what gives away another language, and needs no PortAudio.
Moonshine: Jeffries et al. 2024, arXiv 2410.15608.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from moodline.listen.base import Recognized, Samples
from moodline.listen.vad import onnx_session, packaged_file
from moodline.media.audio import RATE

LAYERS, HEADS, WIDTH = 6, 8, 36
BEGIN, STOP = 1, 2
TOKENS_PER_SECOND, SPARE_TOKENS = 6.5, 6
"""More tokens than that are a loop, not speech; the rate is its authors' bound, the rest is for short clips."""

SHORTEST = 0.2
"""Shorter clips (seconds) are filled up with silence."""


class Moonshine:
    """The default recognizer; see ``Transcriber``."""

    id = "moonshine-tiny-en-1"
    languages: tuple[str, ...] = ("en",)
    max_seconds = 12.0

    def __init__(self) -> None:
        encoder = packaged_file("moonshine_voice", "assets/tiny-en/encoder_model.ort", "moonshine-voice==0.1.0")
        self.encoder = onnx_session(encoder)
        self.decoder = onnx_session(encoder.with_name("decoder_model_merged.ort"))
        self.tokens = read_tokens(encoder.with_name("tokenizer.bin"))
        self.outputs = [o.name.replace("present", "past_key_values") for o in self.decoder.get_outputs()[1:]]

    def transcribe(self, samples: Samples) -> Recognized:
        """The words of a clip: mono, 16 kHz, at most a minute; no times."""
        samples = np.pad(samples, (0, max(0, round(SHORTEST * RATE) - len(samples))))[None]
        mask = np.ones(samples.shape, np.int64)
        (states,) = self.encoder.run(None, {"input_values": samples, "attention_mask": mask})
        ids, scores = self._search(states, mask)
        text = b"".join(self.tokens[i] for i in ids).decode("utf-8", "ignore").replace("▁", " ")
        return Recognized(" ".join(text.split()), confidence=float(np.mean(scores)))

    def _search(self, states: np.ndarray, mask: np.ndarray) -> tuple[list[int], list[float]]:
        """The most probable token, one after the other: their ids, and log probabilities with the last one's."""
        empty = np.zeros((1, HEADS, 0, WIDTH), np.float32)
        feed: dict[str, Any] = dict.fromkeys(self.outputs, empty)
        feed |= {"encoder_hidden_states": states, "encoder_attention_mask": mask}
        ids, scores, token = list[int](), list[float](), BEGIN
        for step in range(SPARE_TOKENS + int(mask.shape[1] / RATE * TOKENS_PER_SECOND)):
            feed |= {"input_ids": np.array([[token]], np.int64), "use_cache_branch": np.array([step > 0])}
            logits, *state = self.decoder.run(None, feed)
            for name, value in zip(self.outputs, state, strict=True):
                if step == 0 or ".encoder." not in name:  # what attends to the clip is given out once
                    feed[name] = value
            row = logits[0, -1].astype(np.float64)
            token = int(row.argmax())
            scores.append(float(row[token] - row.max() - np.log(np.exp(row - row.max()).sum())))
            if token == STOP:
                break
            ids.append(token)
        return ids, scores


def read_tokens(path: Path) -> list[bytes]:
    """The vocabulary: each entry its length, in one byte or (from 128 on) two, and its bytes."""
    data, out, at = path.read_bytes(), list[bytes](), 0
    while at < len(data):
        size, at = data[at], at + 1
        if size >= 128:
            size, at = size - 128 + 128 * data[at], at + 1
        out.append(data[at : at + size])
        at += size
    return out
