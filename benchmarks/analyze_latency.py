"""How long ``moodline --help`` and ``moodline analyze`` take, cold and once loaded.

    python benchmarks/analyze_latency.py [--model NAME] [--json FILE]

Cold times are whole processes (start, import, load, recognize, print), the median of several; the warm time is one
``Recognizer.recognize`` call on 20 turns: turns never seen before, and again the same ones, as while a conversation
goes on (a recognizer keeps the vectors of texts that it has read).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from importlib.resources import files
from pathlib import Path


def process_seconds(arguments: list[str], runs: int) -> list[float]:
    """Wall-clock seconds of a command, several times."""
    out = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "moodline", *arguments], check=True, capture_output=True)
        out.append(time.perf_counter() - start)
    return out


def main() -> None:
    """HeadlineMetric and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="meld-text", help="a name of `moodline models`, or a directory")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the figures to a file")
    options = parser.parse_args()
    sample = Path(str(files("moodline") / "samples" / "family_dinner.json"))
    help_seconds = process_seconds(["--help"], options.runs)
    cold = process_seconds(["analyze", str(sample), "--model", options.model, "--quiet"], options.runs)

    from moodline import Recognizer, read_transcript

    (conversation,) = read_transcript(sample)
    recognizer = Recognizer.load(options.model)
    recognizer.recognize(conversation)
    new, warm = [], []
    for n in range(10 * options.runs):
        turns = tuple(replace(u, text=f"{u.text} {n}") for u in conversation)
        unseen = replace(conversation, utterances=turns)
        for times in (new, warm):
            start = time.perf_counter()
            recognizer.recognize(unseen)
            times.append(time.perf_counter() - start)
    figures = {
        "turns": len(conversation),
        "runs": options.runs,
        "help_seconds": {"median": statistics.median(help_seconds), "max": max(help_seconds)},
        "analyze_cold_seconds": {"median": statistics.median(cold), "max": max(cold)},
        "recognize_new_turns_milliseconds": {"median": 1000 * statistics.median(new), "max": 1000 * max(new)},
        "recognize_seen_turns_milliseconds": {"median": 1000 * statistics.median(warm), "max": 1000 * max(warm)},
    }
    figures = {k: {m: round(x, 3) for m, x in v.items()} if isinstance(v, dict) else v for k, v in figures.items()}
    print(json.dumps(figures, indent=2))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
