"""How long large transcripts take to be read, and the memory at most.

    python benchmarks/read_transcripts.py [--megabytes 100] [--json FILE]

Each file is made, read in a process of its own, and removed: SubRip, Whisper's JSON with words, Moodline's own JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

WORDS = (
    "the",
    "a",
    "I",
    "you",
    "was",
    "not",
    "it",
    "is",
    "that",
    "this",
    "we",
    "they",
    "went",
    "home",
    "again",
    "never",
)
READ = """
import resource, sys, time
from pathlib import Path
from moodline.transcripts.read import read_transcript
wall, start = time.perf_counter(), time.process_time()
(talk,) = read_transcript(Path(sys.argv[1]))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(len(talk), time.perf_counter() - wall, time.process_time() - start, peak)
"""


def sentence(rng: random.Random) -> str:
    """Twelve words."""
    return " ".join(rng.choices(WORDS, k=12)).capitalize() + "."


def clock(seconds: float) -> str:
    """``HH:MM:SS,mmm``."""
    ms = round(seconds * 1000)
    return f"{ms // 3600000:02d}:{ms // 60000 % 60:02d}:{ms // 1000 % 60:02d},{ms % 1000:03d}"


def srt(rng: random.Random) -> Iterator[str]:
    """Cues without end."""
    n = 0
    while True:
        n += 1
        yield f"{n}\n{clock(3 * n)} --> {clock(3 * n + 2.5)}\nSpeaker {n % 3}: {sentence(rng)}\n\n"


def whisper(rng: random.Random) -> Iterator[str]:
    """Segments without end, after the head."""
    yield '{"language": "en", "segments": ['
    n = 0
    while True:
        text, start = sentence(rng), 3.0 * n
        words = [
            {
                "word": f" {w}",
                "start": round(start + k / 5, 2),
                "end": round(start + k / 5 + 0.2, 2),
                "probability": 0.98,
            }
            for k, w in enumerate(text.split())
        ]
        row = {
            "id": n,
            "start": start,
            "end": start + 2.5,
            "text": text,
            "tokens": [rng.randrange(50000) for _ in words],
        }
        yield (", " if n else "") + json.dumps(row | {"words": words, "speaker": f"S{n % 2}"})
        n += 1


def native(rng: random.Random) -> Iterator[str]:
    """Utterances without end, after the head."""
    yield '{"id": "talk", "utterances": ['
    n = 0
    while True:
        row = {"id": f"u{n}", "speaker": f"S{n % 3}", "start": 3.0 * n, "end": 3.0 * n + 2.5, "text": sentence(rng)}
        yield (", " if n else "") + json.dumps(row)
        n += 1


KINDS = {"srt": (srt, ".srt", ""), "whisper": (whisper, ".json", "]}"), "native": (native, ".json", "]}")}


def measure(kind: str, megabytes: float) -> dict[str, float]:
    """Utterances, seconds and MiB for a file of this kind and size."""
    pieces, suffix, end = KINDS[kind]
    with tempfile.TemporaryDirectory() as folder:
        path, size = Path(folder) / f"large{suffix}", 0
        with path.open("w") as file:
            for piece in pieces(random.Random(0)):
                size += file.write(piece)
                if size >= megabytes * 1e6:
                    break
            file.write(end)
        done = subprocess.run([sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=True)
    utterances, wall, processor, peak = map(float, done.stdout.split())
    return {"utterances": utterances, "seconds": wall, "processor_seconds": processor, "peak_mib": peak}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=100.0)
    parser.add_argument("--json", type=Path, help="also write the figures to a file")
    options = parser.parse_args()
    figures = {"megabytes": options.megabytes} | {kind: measure(kind, options.megabytes) for kind in KINDS}
    text = json.dumps(figures, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
