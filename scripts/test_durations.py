"""Measure what every test file costs and write ``tests/durations.json``.

    python scripts/test_durations.py [--workers N] [PYTEST ARGUMENTS ...]

Processor seconds are those of the test and of the processes that it started and waited for, with the fixtures that it
was the first to need; they depend less than wall-clock seconds on what else the machine does. ``make test-quick`` and
``make test`` are the two suites; both are measured, the quick one as a part of the other.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FULL = "not slow"
QUICK = "not slow and not train and not process and not browser"
LONG = 2.0
"""Processor seconds from which a test is listed by itself."""


def run(marks: str, workers: int, more: list[str]) -> tuple[list[tuple[str, float, float]], float, int]:
    """Run the tests that fit ``marks``: a row each, wall-clock seconds in all, pytest's exit code."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pytest", "-q", "-n", str(workers), "-m", marks, *more]
        begun = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, "MOODLINE_TEST_DURATIONS": folder}, check=False)
        seconds = time.perf_counter() - begun
        lines = [line for path in Path(folder).glob("*.jsonl") for line in path.read_text("utf-8").splitlines()]
    return [tuple(json.loads(line)) for line in lines], seconds, done.returncode


def summary(rows: list[tuple[str, float, float]], seconds: float) -> dict[str, Any]:
    """How many tests, and what they took."""
    return {"tests": len(rows), "processor_seconds": round(sum(r[1] for r in rows), 1), "seconds": round(seconds, 1)}


def main() -> int:
    """Measure and write; pytest's exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2, help="processes side by side")
    options, more = parser.parse_known_args()
    rows, seconds, code = run(FULL, options.workers, more)
    quick, quick_seconds, quick_code = run(QUICK, options.workers, more)
    if code or quick_code:
        print("test_durations: a test failed, so nothing is written", file=sys.stderr)
        return code or quick_code
    files: dict[str, float] = defaultdict(float)
    tests: dict[str, float] = defaultdict(float)
    for test, processor, _ in rows:
        files[test.split("::")[0]] += processor
        tests[test] += processor
    told = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {options.workers} processes",
        "python": platform.python_version(),
        "make test": summary(rows, seconds),
        "make test-quick": summary(quick, quick_seconds),
        "processor seconds of a file": {k: round(v, 2) for k, v in sorted(files.items(), key=lambda p: -p[1])},
        "tests of two processor seconds or more": {
            k: round(v, 2) for k, v in sorted(tests.items(), key=lambda p: -p[1]) if v >= LONG
        },
    }
    (ROOT / "tests" / "durations.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(f"written: tests/durations.json; make test {seconds:.0f} s, make test-quick {quick_seconds:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
