"""Time and memory for each utterance as conversations grow, for MiSTER-E at the paper's size.

    python benchmarks/mister_e_growth.py [--sizes 8 64 256 1024 4096] [--threads N] [--window N] [--json FILE]

One conversation at a time, with random features; inference as `moodline analyze` does it, and forward, loss and
backward of a training step. Each size has a process of its own, warmed up with eight utterances, so weights, gradients
and libraries do not count as memory of the conversation. ``growth`` compares the longest conversation with one of 256
utterances, or the nearest size: 1 is level. Very short ones cost more for each utterance, since all weights are read
for few of them. Processor seconds are what other load on the machine hardly changes.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from mister_e_epoch import CLASSES, examples, model_settings, peak_memory, rounded


def work(mode: str, size: int, options: argparse.Namespace, pipe: Connection) -> None:
    """HeadlineMetric one size in this process."""
    import torch

    from moodline.models.mister_e import MisterE, MisterEConfig
    from moodline.training.data import collate
    from moodline.training.inference import answer

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    dims = {"speech": options.dim, "text": options.dim}
    model = MisterE(MisterEConfig(dims, CLASSES, **model_settings(), attention_window=options.window))
    short, conversation = examples([8, size], options.dim)

    def once(example: Any) -> None:
        if mode == "inference":
            answer(model, [example], collate, lengths=[len(example)])
            return
        model.train().zero_grad(set_to_none=True)
        batch = collate([example])
        model.loss(batch, model(batch))["total"].backward()

    once(short)
    before, wall, cpu = peak_memory(), [], []
    for _ in range(max(1, min(5, 1024 // size))):
        start, used = time.perf_counter(), time.process_time()
        once(conversation)
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - used)
    pipe.send(
        {
            "utterances": size,
            "ms_per_utterance": 1000 * min(wall) / size,
            "cpu_ms_per_utterance": 1000 * min(cpu) / size,
            "memory_mb": (peak_memory() - before) / 1e6,
            "memory_mb_per_utterance": (peak_memory() - before) / 1e6 / size,
        }
    )


def measure(mode: str, size: int, options: argparse.Namespace) -> dict[str, float]:
    """One size in a process of its own."""
    context = get_context("spawn")
    mine, other = context.Pipe()
    process = context.Process(target=work, args=(mode, size, options, other), daemon=True)
    process.start()
    other.close()
    found = mine.recv()
    process.join()
    return found


def main() -> None:
    """HeadlineMetric and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[8, 64, 256, 1024, 4096], help="utterances")
    parser.add_argument("--dim", type=int, default=2048, help="feature size of both modalities")
    parser.add_argument("--window", type=int, default=256, help="attention_window; 0 is the whole conversation")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--json", type=Path, help="also write the figures to a file")
    options = parser.parse_args()
    figures: dict[str, Any] = {"dim": options.dim, "window": options.window, "threads": options.threads}
    figures["load_before"] = list(os.getloadavg())
    for mode in ("inference", "training"):
        rows = [measure(mode, size, options) for size in options.sizes]
        reference = min(rows, key=lambda row: abs(row["utterances"] - 256))
        names = ("cpu_ms_per_utterance", "memory_mb_per_utterance")
        figures[mode] = rows
        figures[f"{mode}_growth"] = {n: rows[-1][n] / max(reference[n], 1e-9) for n in names}
    figures["load_after"] = list(os.getloadavg())
    figures = rounded(figures)
    print(json.dumps(figures, indent=2))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
