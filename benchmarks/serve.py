"""How much ``moodline serve`` bears: throughput and latencies under load from another process, and twice too much.

    python benchmarks/serve.py [--seconds 20] [--minute 60] [--json FILE]

The server is a process of its own. Clients wait for their answer and ask again (1, 8 and 64 of them): conversations of
20 turns, and recordings of a minute, each with words or bytes of its own. A client that gets 429 waits as Retry-After
says; its wait is not part of a latency. Then requests come at twice the rate that eight clients reached, whether
answered or not, for a minute: conversations, and recordings as jobs. Every accepted job must be done in the end.
The machine's other work is part of the figures: see ``load_average_before``.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import soundfile

WORDS = [
    "I",
    "again",
    "cup",
    "do",
    "get",
    "house",
    "is",
    "keys",
    "lost",
    "me",
    "my",
    "news",
    "of",
    "out",
    "that",
    "the",
    "this",
    "to",
    "we",
    "why",
    "won",
    "wonderful",
    "would",
    "you",
]
CLIENTS = (1, 8, 64)
BEGIN, END = "<!-- load: begin (made by benchmarks/serve.py --page) -->", "<!-- load: end -->"
Ask = Callable[[httpx.AsyncClient, int], Awaitable[httpx.Response]]


def conversation(seed: int) -> dict[str, Any]:
    draw = random.Random(seed)
    turns = [{"speaker": "AB"[n % 2], "text": " ".join(draw.choices(WORDS, k=draw.randint(3, 18)))} for n in range(20)]
    return {"id": f"talk-{seed}", "turns": turns}


def minute() -> np.ndarray:
    spec = find_spec("moonshine_voice")
    assert spec is not None
    assert spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0]) / "assets" / "endgame_nagg_nell.wav"
    samples, rate = soundfile.read(path, dtype="float32")
    return np.tile(samples, 3)[: 60 * rate]


SAMPLES = minute()


def recording(seed: int) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, SAMPLES * (0.6 + 0.4 * random.Random(seed).random()), 24_000, format="WAV", subtype="PCM_16")
    return out.getvalue()


async def ask_conversation(client: httpx.AsyncClient, seed: int) -> httpx.Response:
    return await client.post("/v1/conversations", json=conversation(seed))


async def ask_recording(client: httpx.AsyncClient, seed: int) -> httpx.Response:
    return await client.post("/v1/recordings", files={"file": ("call.wav", recording(seed))})


async def ask_job(client: httpx.AsyncClient, seed: int) -> httpx.Response:
    return await client.post("/v1/recordings?wait=false", files={"file": ("call.wav", recording(seed))})


class Server:
    """The server and its memory."""

    def __init__(self, folder: Path, *options: str) -> None:
        command = [sys.executable, "-m", "moodline", "serve", "--port", "0", "--jobs", str(folder / "jobs"), *options]
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stderr=log)
        until = time.monotonic() + 120
        while not (found := re.search(r"ready at (\S+)", self.log.read_text())):
            if time.monotonic() > until or self.process.poll() is not None:
                raise SystemExit(self.log.read_text())
            time.sleep(0.05)
        self.url = found[1]

    def megabytes(self, what: str = "VmRSS") -> float:
        """Its memory now; VmHWM for the most so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return round(int(re.findall(rf"{what}:\s+(\d+) kB", status)[0]) / 1000, 1)

    def processor_seconds(self) -> float:
        """Of all its threads so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> int:
        """Ask it to end; its exit code."""
        self.process.terminate()
        return self.process.wait(60)


def summary(seconds: list[float], statuses: Counter[int], wall: float) -> dict[str, Any]:
    found = np.percentile(seconds, [50, 95, 99]) if seconds else [float("nan")] * 3
    return {
        "answered": len(seconds),
        "a_second": round(len(seconds) / wall, 3),
        **{f"p{p}_seconds": round(float(x), 3) for p, x in zip((50, 95, 99), found, strict=True)},
        "statuses": {str(k): n for k, n in sorted(statuses.items())},
    }


async def closed(server: Server, ask: Ask, clients: int, seconds: float) -> dict[str, Any]:
    """Clients that wait for their answer and ask again."""
    taken, statuses, begun = list[float](), Counter[int](), time.monotonic()

    async def one(n: int) -> None:
        async with httpx.AsyncClient(base_url=server.url, timeout=300) as client:
            seed = n
            while time.monotonic() - begun < seconds:
                start = time.monotonic()
                answer = await ask(client, seed)
                statuses[answer.status_code] += 1
                if answer.status_code == 200:
                    taken.append(time.monotonic() - start)
                elif answer.status_code == 429:
                    await asyncio.sleep(float(answer.headers["retry-after"]))
                seed += 1000

    before = server.processor_seconds()
    await asyncio.gather(*(one(n) for n in range(clients)))
    wall = time.monotonic() - begun
    used = server.processor_seconds() - before
    return {
        "clients": clients,
        **summary(taken, statuses, wall),
        "cores_used": round(used / wall, 2),
        "processor_seconds_each": round(used / max(len(taken), 1), 3),
    }


async def opened(server: Server, ask: Ask, rate: float, seconds: float) -> dict[str, Any]:
    """Requests at a rate, answered or not; memory meanwhile; jobs to their end."""
    taken, statuses, jobs, memory = list[float](), Counter[int](), list[str](), list[float]()
    begun = time.monotonic()
    limits = httpx.Limits(max_connections=1000)
    async with httpx.AsyncClient(base_url=server.url, timeout=300, limits=limits) as client:

        async def one(seed: int) -> None:
            start = time.monotonic()
            answer = await ask(client, seed)
            statuses[answer.status_code] += 1
            if answer.status_code in (200, 202):
                taken.append(time.monotonic() - start)
            if answer.status_code == 202:
                jobs.append(answer.json()["id"])

        tasks = []
        while (now := time.monotonic() - begun) < seconds:
            if now * rate >= len(tasks):
                tasks.append(asyncio.create_task(one(len(tasks) + 10**6)))
            else:
                await asyncio.sleep(0.005)
            if now > len(memory):
                memory.append(server.megabytes())
        await asyncio.gather(*tasks)
        wall = time.monotonic() - begun
        states = Counter[str]()
        for id_ in jobs:
            while (state := (await client.get(f"/v1/jobs/{id_}")).json()["state"]) in ("queued", "running"):
                await asyncio.sleep(0.2)
            states[state] += 1
    return {
        "asked_a_second": round(rate, 3),
        **summary(taken, statuses, wall),
        "jobs": dict(states),
        "megabytes": {"first": memory[0], "middle": memory[len(memory) // 2], "last": memory[-1], "most": max(memory)},
    }


async def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    server = Server(folder, "--max-jobs", str(options.max_jobs))
    out: dict[str, Any] = {
        "cores": os.cpu_count(),
        "load_average_before": round(os.getloadavg()[0], 2),
        "megabytes_at_start": server.megabytes(),
    }
    try:
        await closed(server, ask_conversation, 2, 2)
        out["conversations"] = [await closed(server, ask_conversation, n, options.seconds) for n in options.clients]
        out["recordings"] = [await closed(server, ask_recording, n, options.minute) for n in options.clients]
        out["megabytes_after_load"] = server.megabytes()
        bearable = {kind: max(row["a_second"] for row in out[kind]) for kind in ("conversations", "recordings")}
        out["twice_too_much"] = {
            "conversations": await opened(server, ask_conversation, 2 * bearable["conversations"], options.minute),
            "jobs": await opened(server, ask_job, 2 * bearable["recordings"], options.minute),
        }
        out["most_megabytes"] = server.megabytes("VmHWM")
    finally:
        code = server.end()
    return out | {"exit_code": code, "log_lines": len(server.log.read_text().splitlines()) - 1}


def table(out: dict[str, Any]) -> str:
    """The figures as a page shows them."""
    lines = [
        f"On {out['cores']} cores, load {out['load_average_before']} before:",
        "",
        "| what | clients | answered a second | p50 | p95 | p99 | processor seconds each | answers |",
        "|---|---|---|---|---|---|---|---|",
    ]
    rows = [
        (title, row["clients"], row)
        for title, kind in (("conversations of 20 turns", "conversations"), ("recordings of a minute", "recordings"))
        for row in out[kind]
    ]
    rows += [(f"twice too many {kind}", "any", row) for kind, row in out["twice_too_much"].items()]
    for title, clients, row in rows:
        times = " | ".join(f"{row[f'p{p}_seconds']:.2f}" for p in (50, 95, 99))
        answers = ", ".join(f"{n} × {status}" for status, n in row["statuses"].items())
        each = f"{row['processor_seconds_each']:.2f}" if "processor_seconds_each" in row else ""
        lines.append(f"| {title} | {clients} | {row['a_second']:.2f} | {times} | {each} | {answers} |")
    jobs = out["twice_too_much"]["jobs"]
    ended = ", ".join(f"{n} {state}" for state, n in jobs["jobs"].items())
    lines += [
        "",
        f"Of {sum(jobs['jobs'].values())} jobs that were accepted meanwhile: {ended}. "
        f"Memory: {out['megabytes_at_start']:.0f} MB at the start, {out['megabytes_after_load']:.0f} MB after all "
        f"loads, at most {out['most_megabytes']:.0f} MB under twice too much.",
    ]
    return "\n".join(lines)


def write_page(out: dict[str, Any], page: Path) -> None:
    """Put the table between the markers of a page."""
    head, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    page.write_text(f"{head}{begin}\n{table(out)}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=20, help="of each load of conversations")
    parser.add_argument("--minute", type=float, default=60, help="seconds of each load of recordings, and of too much")
    parser.add_argument("--clients", type=int, nargs="+", default=CLIENTS)
    parser.add_argument("--max-jobs", type=int, default=20, help="of the server: so few that the queue fills up")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--page", type=Path, help="only put the figures of --json into this page")
    options = parser.parse_args()
    if options.page:
        write_page(json.loads(options.json.read_text(encoding="utf-8")), options.page)
        return
    with tempfile.TemporaryDirectory() as folder:
        out = asyncio.run(measure(options, Path(folder)))
    text = json.dumps(out, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
