"""How long the Python API takes beside other programs that use the processor, with OpenMP's two wait policies.

    python benchmarks/busy_machine.py [--turns N] [--busy N] [--runs N] [--json FILE]

Each figure is the median of several processes that import moodline, load the default model, and recognize one
conversation of turns that they have not seen; the time is that of ``Recognizer.recognize`` alone. The settings take
turns in one run, so that the ratios hold on one machine in one state. "moodline" is the environment as a program finds
it; "active" is what OpenMP does by itself; "torch first" imports torch before moodline, where the policy is too late;
"torch first, one thread" is what helps then. The memory is the largest of the process (resident set).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

CODE = """
import json, resource, sys, time
if sys.argv[2] == "torch": import torch
import moodline
words = "the bus letter garden window brother dinner ticket piano river doctor winter".split()
texts = [" ".join(words[(n * k) % 12] for k in range(1, 5 + n % 9)) + f" {n}" for n in range(int(sys.argv[1]))]
turns = tuple(moodline.Utterance(f"u{n}", "AB"[n % 2], text=text) for n, text in enumerate(texts))
threads = int(sys.argv[3]) or None
recognizer = moodline.Recognizer.load(device="cpu", threads=threads)
recognizer.recognize(moodline.Conversation("first", (moodline.Utterance("u", text="hello"),)))
start = time.perf_counter()
recognizer.recognize(moodline.Conversation("talk", turns))
seconds = time.perf_counter() - start
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""
SETTINGS: dict[str, tuple[str | None, str, int]] = {
    "moodline": (None, "-", 0),
    "active": ("ACTIVE", "-", 0),
    "torch first": (None, "torch", 0),
    "torch first, one thread": (None, "torch", 1),
}


def measure(turns: int, policy: str | None, first: str, threads: int) -> tuple[float, float]:
    """Seconds of one ``recognize`` in a process of its own, and the process's memory in MB."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OMP_")}
    if policy is not None:
        environment["OMP_WAIT_POLICY"] = policy
    command = [sys.executable, "-c", CODE, str(turns), first, str(threads)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    seconds, memory = json.loads(done.stdout)
    return float(seconds), float(memory)


def compare(turns: int, busy: int, runs: int) -> dict[str, dict[str, float]]:
    """Median seconds and MB of each setting, beside ``busy`` processes that compute all the time."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in SETTINGS}
    try:
        time.sleep(0.5)
        for _ in range(runs):
            for name, setting in SETTINGS.items():
                found[name].append(measure(turns, *setting))
    finally:
        for other in others:
            other.kill()
            other.wait()
    return {
        name: {
            "seconds": round(statistics.median(s for s, _ in rows), 3),
            "memory_mb": round(statistics.median(m for _, m in rows)),
        }
        for name, rows in found.items()
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--busy", type=int, default=1, help="processes that compute all the time")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the figures to a file")
    options = parser.parse_args()
    found = compare(options.turns, options.busy, options.runs)
    figures = {
        "cores": os.cpu_count(),
        "load_average_before": round(os.getloadavg()[0], 1),
        "turns": options.turns,
        "busy_processes": options.busy,
        "runs": options.runs,
        "settings": found,
        "times_slower_when_active": round(found["active"]["seconds"] / found["moodline"]["seconds"], 2),
    }
    print(json.dumps(figures, indent=2))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
