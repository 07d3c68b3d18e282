"""How long ``moodline analyze RECORDING`` takes, where the time goes, and how much memory it needs.

    python benchmarks/listen.py [--model NAME] [--hours 3] [--json FILE]

Each figure is a process of its own with an empty cache, on the real two-speaker clip of the package moonshine-voice,
repeated as often as needed (so words, voices and turns are real; every repetition is recognized again). The long
recording comes with a transcript that names no speakers, so that decoding, voices and emotions are measured over hours
in a bearable time; ``--words`` recognizes its words too. Wall-clock times depend on what else the machine does:
processor seconds of all threads are given too, and the load before the run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

CHILD = """
import json, resource, sys, time
begin = time.perf_counter(), time.process_time()
from moodline.cli import analyze
from moodline.cli.analyze import Hearing
from pathlib import Path
import moodline.listen.listen as stages
import moodline.pipeline.recognizer as recognizer
times = {}

def timed(name, function):
    def run(*a, **k):
        start = time.perf_counter(), time.process_time()
        try:
            return function(*a, **k)
        finally:
            wall, cpu = times.get(name, (0.0, 0.0))
            times[name] = (wall + time.perf_counter() - start[0], cpu + time.process_time() - start[1])
    return run

stages.decode = timed("decode", stages.decode)
stages.speech_probabilities = timed("find speech", stages.speech_probabilities)
stages._Listener._diarize = timed("tell voices apart", stages._Listener._diarize)
stages._Listener._recognize = timed("recognize words", stages._Listener._recognize)
recognizer.Recognizer.load = timed("load the model", recognizer.Recognizer.load)
recognizer.Recognizer.recognize = timed("recognize emotions", recognizer.Recognizer.recognize)
transcript = Path(sys.argv[2]) if sys.argv[2] else None
out = Path(sys.argv[4])
analyze.run(Path(sys.argv[1]), [out], None, Hearing(transcript), sys.argv[3], 0.0, False, "cpu", False, True)
print(json.dumps({
    "wall_seconds": time.perf_counter() - begin[0],
    "processor_seconds": time.process_time(),
    "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "turns": len(json.loads(out.read_text())["utterances"]),
    "stages": times,
}))
"""


def clip() -> tuple[np.ndarray, int]:
    """The real clip."""
    import soundfile

    found = find_spec("moonshine_voice")
    assert found is not None
    assert found.submodule_search_locations
    path = Path(found.submodule_search_locations[0]) / "assets" / "endgame_nagg_nell.wav"
    samples, rate = soundfile.read(path, dtype="float32")
    return np.asarray(samples), int(rate)


def recording(path: Path, seconds: float) -> Path:
    """The clip over and over, each time a little louder or softer, until it lasts ``seconds``."""
    import soundfile

    samples, rate = clip()
    random, left = np.random.default_rng(0), round(seconds * rate)
    with soundfile.SoundFile(path, "w", rate, 1, "PCM_16") as file:
        while left > 0:
            part = samples[:left] * random.uniform(0.6, 1.0)
            file.write(part)
            left -= len(part)
    return path


def measure(sound: Path, seconds: float, model: str, transcript: Path | None = None, keep: Path | None = None) -> Any:
    """One run in a process of its own."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "MOODLINE_CACHE": cache}
        load, start = os.getloadavg()[0], time.perf_counter()
        out = keep or Path(cache) / "out.json"
        arguments = [sys.executable, "-c", CHILD, str(sound), str(transcript or ""), model, str(out)]
        done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=True)
        whole = time.perf_counter() - start
    found = json.loads(done.stdout.splitlines()[-1])
    rows = {
        "seconds": round(seconds, 1),
        "turns": found["turns"],
        "whole_process_seconds": round(whole, 2),
        "real_time_factor": round(found["wall_seconds"] / seconds, 4),
        "processor_real_time_factor": round(found["processor_seconds"] / seconds, 4),
        "peak_megabytes": round(found["peak_megabytes"]),
        "load_before": round(load, 1),
        "stages": {k: {"wall": round(w, 2), "processor": round(c, 2)} for k, (w, c) in found["stages"].items()},
    }
    print(json.dumps(rows), flush=True)
    return rows


def main() -> None:
    """HeadlineMetric and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="words-first", help="a name of `moodline models`, or a directory")
    parser.add_argument("--hours", type=float, default=3.0, help="length of the long recording; 0 to leave it out")
    parser.add_argument("--words", action="store_true", help="recognize the long recording's words too")
    parser.add_argument("--json", type=Path, help="also write the figures to a file")
    options = parser.parse_args()
    figures: dict[str, Any] = {"model": options.model, "cores": os.cpu_count()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures["cold_start"] = measure(recording(folder / "short.wav", 5.0), 5.0, options.model)
        ten, transcript = recording(folder / "ten.wav", 600.0), folder / "transcript.csv"
        words = folder / "words.json"
        figures["ten_minutes"] = measure(ten, 600.0, options.model, keep=words)
        turns = [u for u in json.loads(words.read_text())["utterances"] if u["text"]]
        rows = [f'{u["start"]},{u["end"]},{u["speaker"]},"{u["text"]}"' for u in turns]
        transcript.write_text("\n".join(["start,end,speaker,text", *rows]) + "\n")
        figures["ten_minutes_with_transcript"] = measure(ten, 600.0, options.model, transcript)
        if options.hours:
            seconds, long = options.hours * 3600, folder / "long.csv"
            starts = np.arange(0, seconds - 600, 600.0)
            rows = [f'{t + u["start"]},{t + u["end"]},"{u["text"]}"' for t in starts for u in turns]
            long.write_text("\n".join(["start,end,text", *rows]) + "\n")
            sound = None if options.words else long
            figures["hours"] = measure(recording(folder / "long.wav", seconds), seconds, options.model, sound)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
