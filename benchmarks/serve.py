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

WORDS = (
    "we won the cup I lost my keys again get out of my house that is wonderful news why would you do this to me".split()
)  # noqa: SIM905
CLIENTS = (1, 8, 64)
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
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return round(int(re.findall(rf"{what}:\s+(\d+) kB", status)[0]) / 1000, 1)

    def processor_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> int:
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
    return {"clients": clients, **summary(taken, statuses, wall), "cores_used": round(used / wall, 2)}


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


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=20, help="of each load of conversations")
    parser.add_argument("--minute", type=float, default=60, help="seconds of each load of recordings, and of too much")
    parser.add_argument("--clients", type=int, nargs="+", default=CLIENTS)
    parser.add_argument("--max-jobs", type=int, default=20, help="of the server: so few that the queue fills up")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = asyncio.run(measure(options, Path(folder)))
    text = json.dumps(out, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
