"""One training epoch of MiSTER-E at the paper's size, beside a plain version of it, in one run.

    python benchmarks/mister_e_epoch.py [--dim 2048] [--batch 8] [--shape iemocap] [--precision fp32|bf16]
                                        [--threads N] [--steps N] [--json FILE]

Features are random; lengths are those of IEMOCAP's 108 training conversations (5163 utterances). Ours is the model and
the training loop of `moodline train`; the plain one (``plain_mister_e.py``) pads random batches to the longest and
uses the ordinary Adam. Each runs in a process of its own, and they take turns step by step, so other load on the
machine meets both alike: **the ratio is what counts**. Beside seconds, which that load lengthens, stand processor
seconds, which it hardly does. Saving and the dev set come on top of an epoch and are reported apart.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import tempfile
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import moodline  # noqa: F401  sets how threads wait, before torch is imported

HERE = Path(__file__).parent
CLASSES = 6


def model_settings() -> dict[str, Any]:
    """The model of the recipe ``mister-e/iemocap-paper``."""
    from importlib.resources import files

    import yaml

    text = (files("moodline") / "recipes" / "mister-e" / "iemocap-paper.yaml").read_text(encoding="utf-8")
    model = yaml.safe_load(text)["model"]
    del model["name"]
    return model | {"kernels": tuple(model["kernels"])}


def peak_memory() -> int:
    """Bytes of main memory this process has needed at most."""
    try:
        status = Path("/proc/self/status").read_text()
        return 1024 * int(status.split("VmHWM:")[1].split()[0])
    except (OSError, IndexError):
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def native_bf16() -> bool | None:
    """Whether the processor computes in bfloat16; None if that cannot be told."""
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return None
    return bool(flags & {"avx512_bf16", "amx_bf16", "bf16"})


def examples(lengths: list[int], dim: int) -> list[Any]:
    """Conversations with random features."""
    import numpy as np

    from moodline.training.data import ConversationExample

    rng = np.random.default_rng(0)
    out = []
    for n, u in enumerate(lengths):
        features = {m: rng.standard_normal((u, dim), np.float32) for m in ("speech", "text")}
        present = {m: np.ones(u, bool) for m in features}
        ids = tuple(f"{n}-{i}" for i in range(u))
        out.append(
            ConversationExample(str(n), ids, features, present, rng.integers(0, CLASSES, u), np.zeros(u, np.int64))
        )
    return out


class Ours:
    """Moodline's model in Moodline's loop."""

    def __init__(self, data: list[Any], options: argparse.Namespace, directory: Path) -> None:
        from moodline.evaluation.selection import judge_by_weighted_f1
        from moodline.models.mister_e import MisterE, MisterEConfig
        from moodline.training.data import collate, epoch_batches
        from moodline.training.loop import _Run
        from moodline.training.settings import TrainConfig

        config = TrainConfig(
            epochs=3, learning_rate=1e-5, batch_size=options.batch, patience=0, precision=options.precision
        )
        dims = {"speech": options.dim, "text": options.dim}
        self.model = MisterE(MisterEConfig(dims, CLASSES, **model_settings()))
        self.run = _Run(
            self.model, data, data[:12], collate, len, judge_by_weighted_f1(CLASSES), config, directory, None
        )
        self.state = self.run.resume()
        self.run.wrapped.train()
        self.batches = epoch_batches(self.run.train_lengths, options.batch, 0, 0)

    def step(self, n: int) -> None:
        """One optimizer step."""
        self.run.one_step([self.batches[n]], [], n)

    def rest(self) -> dict[str, float]:
        """What follows an epoch: dev set and saving."""
        start = time.perf_counter()
        score = self.run.dev_score()
        middle = time.perf_counter()
        self.run.close_epoch(self.state, {"total": 0.0}, score)
        return {"dev_seconds": middle - start, "save_seconds": time.perf_counter() - middle}


class Plain:
    """The plain version in a plain loop."""

    def __init__(self, data: list[Any], options: argparse.Namespace, directory: Path) -> None:
        import numpy as np
        import torch
        from plain_mister_e import PlainMisterE

        self.data, self.bf16 = data, options.precision == "bf16"
        self.model = PlainMisterE(options.dim, CLASSES, model_settings()).train()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-5, foreach=False, fused=False)
        order = np.random.default_rng(0).permutation(len(data))
        self.batches = [order[i : i + options.batch].tolist() for i in range(0, len(data), options.batch)]

    def step(self, n: int) -> None:
        """One optimizer step."""
        import torch

        from moodline.training.data import collate

        batch = collate([self.data[i] for i in self.batches[n]])
        assert batch.labels is not None
        self.optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            loss = self.model.loss(batch.labels, *self.model(batch.features["speech"], batch.features["text"]))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()

    def rest(self) -> dict[str, float]:
        """Nothing."""
        return {}


def product_rate() -> float:
    """GFLOP/s of a product of matrices like those of the model, here and now."""
    import torch

    a, b = torch.randn(1024, 384), torch.randn(384, 10240)
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        torch.mm(a, b)
        seconds.append(time.perf_counter() - start)
    return 2 * a.numel() * b.shape[1] / min(seconds) / 1e9


def shares(side: Ours | Plain, steps: int) -> dict[str, float]:
    """Shares of processor time, from a profile of some steps."""
    from torch.profiler import ProfilerActivity, profile

    groups = {
        "matrix_products": ("mm", "addmm", "bmm", "baddbmm", "mkldnn_linear"),
        "convolution": ("convolution_backward", "mkldnn_convolution", "_slow_conv2d_forward", "_slow_conv2d_backward"),
        "optimizer": (
            *("_fused_adam_", "lerp_", "addcdiv_", "addcmul_", "sqrt", "linalg_vector_norm"),
            *("_foreach_norm", "_foreach_mul_"),
        ),
    }
    with profile(activities=[ProfilerActivity.CPU]) as record:
        for n in range(steps):
            side.step(n)
    spent = {e.key.removeprefix("aten::"): e.self_cpu_time_total for e in record.key_averages()}
    total = sum(spent.values())
    out = {name: sum(spent.get(op, 0.0) for op in ops) / total for name, ops in groups.items()}
    return out | {"rest": 1 - sum(out.values())}


def work(kind: str, options: argparse.Namespace, lengths: list[int], pipe: Connection) -> None:
    """A process that does steps when told to."""
    import torch

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    data = examples(lengths, options.dim)
    before = peak_memory()
    with tempfile.TemporaryDirectory() as directory:
        side = (Ours if kind == "ours" else Plain)(data, options, Path(directory))
        pipe.send(sum(p.numel() for p in side.model.parameters()))
        while True:
            command, n = pipe.recv()
            if command == "step":
                start, cpu = time.perf_counter(), time.process_time()
                side.step(n)
                used = sum(lengths[i] for i in side.batches[n])
                pipe.send((time.perf_counter() - start, time.process_time() - cpu, used))
            elif command == "rate":
                pipe.send(product_rate())
            else:
                peak = peak_memory()
                found = {"peak_memory_gb": peak / 1e9, "memory_growth_gb": (peak - before) / 1e9}
                found["share_of_time"] = shares(side, n)
                found |= side.rest()
                if kind == "ours":
                    found["peak_memory_with_saving_gb"] = peak_memory() / 1e9
                pipe.send(found)
                return


def measure(options: argparse.Namespace, lengths: list[int]) -> dict[str, Any]:
    """Both sides in turn."""
    context = get_context("spawn")
    pipes, processes, parameters = {}, [], {}
    for kind in ("ours", "plain"):
        pipes[kind], other = context.Pipe()
        processes.append(context.Process(target=work, args=(kind, options, lengths, other), daemon=True))
        processes[-1].start()
        parameters[kind] = pipes[kind].recv()
    assert parameters["plain"] == parameters["ours"] - 2 * options.dim, "ours has a vector for what is missing"

    def ask(kind: str, command: str, n: int = 0) -> Any:
        pipes[kind].send((command, n))
        return pipes[kind].recv()

    steps = min(options.steps or 10**9, -(-len(lengths) // options.batch))
    for kind in pipes:
        ask(kind, "step", 0)  # the first one also allocates the optimizer's memory
    times: dict[str, list[tuple[float, float, int]]] = {kind: [] for kind in pipes}
    rates = []
    for n in range(steps):
        rates.append(ask("ours", "rate"))
        for kind, done in times.items():
            done.append(ask(kind, "step", n))
    found = {}
    for kind, done in times.items():
        scale = sum(lengths) / sum(used for _, _, used in done)
        wall = scale * sum(t for t, _, _ in done)
        found[kind] = {
            "seconds_per_epoch": wall,
            "cpu_seconds_per_epoch": scale * sum(c for _, c, _ in done),
            "utterances_per_second": sum(lengths) / wall,
        }
        found[kind] |= ask(kind, "end", min(2, steps))
    for process in processes:
        process.join()
    return {
        "parameters": parameters["ours"],
        "steps_timed": steps,
        "matrix_product_gflops": {"median": statistics.median(rates), "max": max(rates)},
        **found,
        "ratio": found["plain"]["seconds_per_epoch"] / found["ours"]["seconds_per_epoch"],
        "cpu_ratio": found["plain"]["cpu_seconds_per_epoch"] / found["ours"]["cpu_seconds_per_epoch"],
    }


def rounded(value: Any) -> Any:
    """Floats with three digits, all the way down."""
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return round(value, 3) if isinstance(value, float) else value


def main() -> None:
    """HeadlineMetric and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dim", type=int, default=2048, help="feature size of both modalities")
    parser.add_argument("--batch", type=int, default=8, help="conversations in a batch")
    parser.add_argument("--shape", choices=["iemocap"], default="iemocap", help="whose conversation lengths")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--steps", type=int, default=0, help="time only so many steps, and scale; 0 is all")
    parser.add_argument("--json", type=Path, help="also write the figures to a file")
    options = parser.parse_args()
    lengths = json.loads((HERE / f"{options.shape}_lengths.json").read_text())["lengths"]
    figures: dict[str, Any] = {
        "shape": options.shape,
        "conversations": len(lengths),
        "utterances": sum(lengths),
        "dim": options.dim,
        "batch": options.batch,
        "precision": options.precision,
        "threads": options.threads,
        "load_before": list(os.getloadavg()),
    }
    if options.precision == "bf16":
        figures["bf16_native"] = native_bf16()
    figures |= measure(options, lengths)
    figures["load_after"] = list(os.getloadavg())
    figures = rounded(figures)
    print(json.dumps(figures, indent=2))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
