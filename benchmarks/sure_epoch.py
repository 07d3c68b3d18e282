"""A training epoch of SURE at the paper's size, beside a plain version of it, in one run.

    python benchmarks/sure_epoch.py [--batch 16] [--conversations N] [--growth 64 512 4096] [--threads N] [--json FILE]

Features are random, sizes are those of ``sure/iemocap-paper``; lengths are those of IEMOCAP's 108 training
conversations, of which an evenly spread sample of N is taken, and times are scaled to all. Ours is the model and the
training loop of `moodline train`; the plain one (``plain_sure.py``) pads to 110, walks through time step by step and
loops over experts. Each runs in a process of its own, one after the other, for each needs the memory of a model with
its optimizer. Other load on the machine lengthens seconds and hardly changes processor seconds: **cpu_ratio is what
counts**. ``growth`` is what an answer to one long conversation needs, at a quarter of the width, beyond what a
conversation of 8 needs.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from mister_e_epoch import CLASSES, HERE, peak_memory, rounded

DIMS = {"speech": 1582, "text": 1024, "visual": 342}


def model_settings() -> dict[str, Any]:
    """The model of the recipe ``sure/iemocap-paper``, classes weighed alike."""
    from moodline.pipeline.recipe import load_recipe

    model = dict(load_recipe("sure/iemocap-paper").model)
    return {k: v for k, v in model.items() if k not in ("name", "class_weights")}


def examples(lengths: list[int], dims: dict[str, int]) -> list[Any]:
    """Conversations of two speakers with random features."""
    import numpy as np

    from moodline.training.data import ConversationExample

    rng, out = np.random.default_rng(0), []
    for n, u in enumerate(lengths):
        features = {m: rng.standard_normal((u, d), np.float32) for m, d in dims.items()}
        present = {m: np.ones(u, bool) for m in dims}
        ids = tuple(f"{n}-{i}" for i in range(u))
        out.append(ConversationExample(str(n), ids, features, present, rng.integers(0, CLASSES, u), np.arange(u) % 2))
    return out


class Ours:
    """Moodline's model in Moodline's loop."""

    def __init__(self, data: list[Any], batch: int, directory: Path) -> None:
        from moodline.evaluation.selection import judge_by_weighted_f1
        from moodline.models.sure import Sure, SureConfig
        from moodline.training.data import collate
        from moodline.training.loop import _Run
        from moodline.training.settings import TrainConfig

        config = TrainConfig(epochs=3, optimizer="adamw", weight_decay=1e-5, batch_size=batch, patience=0)
        self.model = Sure(SureConfig(DIMS, CLASSES, **model_settings()))
        self.run = _Run(
            self.model, data, data[:2], collate, len, judge_by_weighted_f1(CLASSES), config, directory, None
        )
        self.run.resume()
        self.run.wrapped.train()

    def step(self, chosen: list[int], n: int) -> None:
        """One optimizer step."""
        self.run.one_step([chosen], [], n)


class Plain:
    """The plain version in a plain loop."""

    def __init__(self, data: list[Any], batch: int, directory: Path) -> None:
        import torch
        from plain_sure import PlainSure

        self.data, self.model = data, PlainSure(DIMS, CLASSES, model_settings()).train()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4, weight_decay=1e-5)

    def step(self, chosen: list[int], n: int) -> None:
        """One optimizer step."""
        import torch
        import torch.nn.functional as F
        from plain_sure import LENGTH

        from moodline.training.data import collate

        batch = collate([self.data[i] for i in chosen])
        assert batch.labels is not None
        assert batch.speakers is not None
        spare = LENGTH - batch.valid.shape[1]
        features = {m: F.pad(x, (0, 0, 0, spare)) for m, x in batch.features.items()}
        flat = [F.pad(x, (0, spare)) for x in (batch.valid, batch.labels, batch.speakers.clamp_min(0))]
        self.optimizer.zero_grad()
        self.model.loss(features, *flat).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()


def work(kind: str, options: argparse.Namespace, lengths: list[int], pipe: Connection) -> None:
    """A process that does steps when told to."""
    import torch

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    data = examples(lengths, DIMS)
    with tempfile.TemporaryDirectory() as directory:
        side = (Ours if kind == "ours" else Plain)(data, options.batch, Path(directory))
        pipe.send(sum(p.numel() for p in side.model.parameters()))
        while True:
            command, n = pipe.recv()
            if command == "end":
                pipe.send(peak_memory() / 1e9)
                return
            chosen = list(range(len(lengths)))[n * options.batch : (n + 1) * options.batch]
            start, cpu = time.perf_counter(), time.process_time()
            side.step(chosen, n)
            pipe.send((time.perf_counter() - start, time.process_time() - cpu))


def grown(size: int, pipe: Connection) -> None:
    """Memory and time of an answer to one conversation of so many utterances."""
    import torch

    from moodline.models.sure import Sure, SureConfig
    from moodline.training.data import collate
    from moodline.training.inference import answer

    torch.set_num_threads(1)
    dims = dict.fromkeys(DIMS, 32)
    model = Sure(SureConfig(dims, CLASSES, **(model_settings() | {"hidden": 256, "feed_forward": 256})))
    short, long = examples([8, size], dims)
    answer(model, [short], collate, lengths=[8])
    before, start = peak_memory(), time.process_time()
    answer(model, [long], collate, lengths=[size])
    used = peak_memory() - before
    pipe.send(
        {
            "utterances": size,
            "cpu_ms_per_utterance": 1000 * (time.process_time() - start) / size,
            "memory_mb": used / 1e6,
            "memory_kb_per_utterance": used / 1e3 / size,
        }
    )


def measure(options: argparse.Namespace, lengths: list[int], everything: int) -> dict[str, Any]:
    """Both sides, one after the other."""
    context, scale = get_context("spawn"), everything / sum(lengths)
    found: dict[str, Any] = {}
    for kind in ("ours", "plain"):
        here, there = context.Pipe()
        process = context.Process(target=work, args=(kind, options, lengths, there), daemon=True)
        process.start()
        found[kind] = {"parameters": here.recv()}

        def ask(command: str, n: int = 0, pipe: Connection = here) -> Any:
            pipe.send((command, n))
            return pipe.recv()

        if options.warm:
            ask("step")  # the first one also allocates the optimizer's memory
        done = [ask("step", n) for n in range(-(-len(lengths) // options.batch))]
        wall, cpu = (scale * sum(column) for column in zip(*done, strict=True))
        found[kind] |= {"seconds_per_epoch": wall, "cpu_seconds_per_epoch": cpu, "peak_memory_gb": ask("end")}
        process.join()
    return found | {
        name: found["plain"][column] / found["ours"][column]
        for name, column in (("ratio", "seconds_per_epoch"), ("cpu_ratio", "cpu_seconds_per_epoch"))
    }


def main() -> None:
    """HeadlineMetric and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=16, help="conversations in a batch")
    parser.add_argument("--conversations", type=int, default=108, help="how many are timed")
    parser.add_argument("--growth", type=int, nargs="*", default=[64, 512, 4096], help="lengths of one conversation")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--no-warm", dest="warm", action="store_false", help="time the first step of each side too")
    parser.add_argument("--json", type=Path, help="also write the figures to a file")
    options = parser.parse_args()
    every = json.loads((HERE / "iemocap_lengths.json").read_text())["lengths"]
    lengths = sorted(every)[:: max(1, len(every) // options.conversations)][: options.conversations]
    figures: dict[str, Any] = {
        "conversations_timed": len(lengths),
        "utterances_timed": sum(lengths),
        "utterances_of_an_epoch": sum(every),
        "batch": options.batch,
        "threads": options.threads,
        "load_before": list(os.getloadavg()),
    }
    figures |= measure(options, lengths, sum(every))
    context, growth = get_context("spawn"), []
    for size in options.growth:
        here, there = context.Pipe()
        process = context.Process(target=grown, args=(size, there))
        process.start()
        growth.append(here.recv())
        process.join()
    figures |= {"growth": growth, "load_after": list(os.getloadavg())}
    figures = rounded(figures)
    print(json.dumps(figures, indent=2))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
