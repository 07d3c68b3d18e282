"""Simulate a million recordings on a hundred machines from measured times, and write docs/scale.md.

    python scripts/simulate_scale.py [--check]

What one recording costs is measured (benchmarks/listen.json, one core); how lengths spread, how machines fail and what
a shared file system does are assumptions, which the page states. With --check nothing is written, and the exit code is
1 if the page is out of date.
"""

from __future__ import annotations

import argparse
import heapq
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
BENCHMARK, PAGE = ROOT / "benchmarks" / "listen.json", ROOT / "docs" / "scale.md"
RECORDINGS, MACHINES, WORKERS = 1_000_000, 100, 16
MINUTES, SPREAD = 4.0, 1.0
"""Median length of a recording, and the standard deviation of its logarithm: the mean is 6.6 minutes."""
LONGEST = 240.0
HASH, LIST_ITEM, OPEN = 1.5e9, 20e-6, 2e-3
"""Bytes a second that are hashed; seconds for one entry of a listing; for opening or renaming a file over the net."""
BYTES = 32_000 * 60
"""Of a minute of sound, 16 kHz, 16 bits."""
RESULT = 23_000
"""Bytes of a result for each minute, measured on 24 recordings of a minute by ``moodline annotate``."""
STORE = 20_000
"""Files a second that the shared file system opens or renames for all machines together."""


@dataclass(frozen=True)
class Outcome:
    """Hours until the last machine is done, the busy share of all workers, and the hours of the last worker alone."""

    hours: float
    busy: float
    tail: float


def costs(random: np.random.Generator, measured: dict[str, Any]) -> np.ndarray:
    """Seconds of one core for each recording."""
    minutes = np.minimum(random.lognormal(np.log(MINUTES), SPREAD, RECORDINGS), LONGEST)
    factor = measured["ten_minutes"]["processor_real_time_factor"]
    return minutes * 60 * factor + minutes * BYTES / HASH + 4 * OPEN


def static(seconds: np.ndarray, start: float, dead: int = 0) -> Outcome:
    """A job array: machine i takes every n-th recording; its workers share them. Dead machines' shards run again."""
    ends, work = [], 0.0
    for machine in range(MACHINES):
        own = seconds[machine::MACHINES]
        end = _queue(own, WORKERS, start)
        ends.append(end)
        work += float(own.sum())
    if dead:  # what a machine that died half-way had left begins when the first of the others is free
        free = min(ends[dead:])
        ends = [free + start + e / 2 if machine < dead else e for machine, e in enumerate(ends)]
    last = max(ends)
    return Outcome(last / 3600, work / (last * MACHINES * WORKERS), (last - float(np.median(ends))) / 3600)


def dynamic(seconds: np.ndarray, start: float) -> Outcome:
    """Ray: one queue for all workers."""
    last = _queue(seconds, MACHINES * WORKERS, start)
    even = start + float(seconds.sum()) / (MACHINES * WORKERS)
    return Outcome(last / 3600, float(seconds.sum()) / (last * MACHINES * WORKERS), (last - even) / 3600)


def _queue(seconds: np.ndarray, workers: int, start: float) -> float:
    """When the last of some workers is done that take the next recording as soon as they are free."""
    free = [start] * workers
    heapq.heapify(free)
    for cost in seconds.tolist():
        heapq.heapreplace(free, free[0] + cost)
    return max(free)


def page() -> str:
    """The whole page."""
    measured = json.loads(BENCHMARK.read_text(encoding="utf-8"))
    ten, cold = measured["ten_minutes"], measured["cold_start"]
    start = cold["whole_process_seconds"]
    seconds = costs(np.random.default_rng(0), measured)
    core_hours = float(seconds.sum()) / 3600
    hours_of_sound = core_hours / ten["processor_real_time_factor"]
    rows = [
        ("job array, `--shard i/100`", static(seconds, start)),
        ("job array, three machines die half-way", static(seconds, start, dead=3)),
        ("job array, longest recordings first", static(np.sort(seconds)[::-1], start)),
        ("Ray, one queue", dynamic(seconds, start)),
    ]
    table = "\n".join(f"| {name} | {o.hours:.2f} | {100 * o.busy:.1f} % | {60 * o.tail:.0f} |" for name, o in rows)
    stages = {k: v["wall"] for k, v in ten["stages"].items()}
    whole = sum(stages.values())
    shares = "\n".join(f"| {name} | {100 * s / whole:.0f} % |" for name, s in stages.items())
    given = 100 * measured["ten_minutes_with_transcript"]["whole_process_seconds"] / ten["whole_process_seconds"]
    listing = RECORDINGS * LIST_ITEM * 2
    metadata = RECORDINGS * 4 / STORE
    memory = ten["peak_megabytes"]
    disk = hours_of_sound * 60 * RESULT / 1e9
    return f"""# A million recordings on a hundred machines

Made by `scripts/simulate_scale.py` from the measured cost of one recording (`benchmarks/listen.json`: ten minutes in
{ten["whole_process_seconds"]:.0f} s on one core, {memory} MB) and assumptions that stand below. Nobody has run it at
this size; [many recordings](how-to/many-recordings.md) has the commands.

## How long

{RECORDINGS:,} recordings, lengths lognormal with a median of {MINUTES:g} minutes (at most {LONGEST / 60:g} hours),
in all {hours_of_sound:,.0f} hours of sound: {core_hours:,.0f} hours of one core. {MACHINES} machines with {WORKERS}
cores, one worker a core.

| how | hours | workers busy | minutes that the end waits for stragglers |
|---|--:|--:|--:|
{table}

A job array is nearly as good as one queue, because each shard has ten thousand recordings. Machines that die cost what
they had left, not what they had done: results are whole files, and the same command goes on with what is missing.

## Where the time goes

| stage, of ten minutes | share |
|---|--:|
{shares}

Recognizing words is most of it: with transcripts beside the recordings the whole takes
{given:.0f} % of the time.
Loading the models, {start:.0f} s a worker, is nothing at this size.

## Memory and disk

A worker needs {memory} MB for ten minutes of sound, so {WORKERS} of them {memory * WORKERS / 1000:.0f} GB: what breaks
first on a machine with 16 GB. Take fewer workers with `--workers` there. Results are {RESULT / 1000:.0f} kB a minute,
{disk:.0f} GB in all. The cache keeps decoded sound (2 MB a minute, {hours_of_sound * 60 * 2 / 1e6:.0f} TB in all)
unless `--no-keep` is given or its limit is reached (10 GB a machine by default): nothing is lost by that.

## What breaks first

1. **The list.** Every machine lists all inputs: {listing:.0f} s for a million names at {1e6 * LIST_ITEM:.0f} µs each,
   on {MACHINES} machines at once. Over NFS it can be minutes; a manifest (CSV or JSONL) is read in seconds.
2. **The shared file system.** Each recording is opened, hashed, and its result written and renamed: four operations,
   {RECORDINGS * 4:,} in all, {metadata:.0f} s of a store that does {STORE:,} a second. That is no limit over hours; a
   store with 100 a second would take {RECORDINGS * 4 / 100 / 3600:.0f} hours and be one.
3. **`collect`.** It reads a million files in one process: at {1e3 * OPEN:.0f} ms each
   {RECORDINGS * OPEN / 60:.0f} minutes. Collect from a local copy.
4. **One very long recording** is one worker's: {LONGEST / 60:g} hours of sound take
   {LONGEST * 60 * ten["processor_real_time_factor"] / 60:.0f} minutes. It costs nothing if it comes early.

## Assumed

Lengths as above; hashing {HASH / 1e9:g} GB a second; a listing {1e6 * LIST_ITEM:.0f} µs a name; opening or renaming
over the net {1e3 * OPEN:g} ms; cores as fast as the measured one and not shared; three of a hundred machines
die; a store that does {STORE:,} operations a second.
"""


def main() -> None:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    text = page()
    if not options.check:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text:
        sys.exit("docs/scale.md is out of date. Run: python scripts/simulate_scale.py")


if __name__ == "__main__":
    main()
