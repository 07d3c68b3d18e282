"""The training loop. ``fit`` sees a training set and a dev set; it has no way to see test data.

Everything random in a step (batches, dropout) is a function of the seed and the step's number, so a checkpoint
needs no random state: a run that was killed at any moment and started again ends with the same weights.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moodline.core.errors import CheckpointError, ConfigError, DeviceMemoryError, MoodlineError, StorageError
from moodline.core.files import replacing, write_json
from moodline.core.hashing import json_hash
from moodline.core.progress import Progress
from moodline.evaluation.selection import Judge
from moodline.nn.model import TrainableModel
from moodline.training.data import epoch_batches
from moodline.training.ema import WeightAverage
from moodline.training.fsdp import is_shared, mean_gradients, prepare_shared
from moodline.training.inference import Collate, answer
from moodline.training.memory_check import reserve_memory, should_check_memory
from moodline.training.processes import processes
from moodline.training.settings import TrainConfig


@dataclass
class FitState:
    """Where a training run stands; saved with the weights."""

    epoch: int = 0
    step: int = 0
    best_epoch: int = -1
    best_score: float = float("nan")
    finished: bool = False
    seconds: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class FitResult:
    """The outcome of ``fit``: the chosen epoch (from 0), its dev number by the judge, and every epoch's numbers."""

    best_epoch: int
    best_score: float
    history: list[dict[str, float]]


def fit(
    model: TrainableModel,
    train: Sequence[Any],
    dev: Sequence[Any],
    collate: Collate,
    *,
    lengths: Callable[[Any], int] = len,
    judge: Judge,
    config: TrainConfig,
    directory: Path,
    parameters: Iterable[dict[str, Any]] | None = None,
    title: str = "training",
    quiet: bool = False,
) -> FitResult:
    """Train ``model`` and leave it with the weights of the epoch that is best on dev.

    Args:
        model: ``model(batch)`` gives an ``Output``; ``model.loss(batch, output)`` named terms with ``"total"``,
            means over real, labelled utterances; those named ``entropy_…`` are noted, and no part of the total.
        train, dev: examples.
        collate: examples to a batch with ``to``, ``count``, ``valid`` and ``labels``.
        lengths: length of an example, for batches of similar lengths.
        judge: by which number of the dev answers the epoch is chosen.
        config: see ``TrainConfig``.
        directory: for the training state, ``history.json`` and the TensorBoard log; a state found there is resumed.
        parameters: optimizer parameter groups (``lr`` relative to ``learning_rate``); default all trainable ones.
        title: shown beside the progress bar.
        quiet: show no bar, even on a terminal.

    Raises:
        CheckpointError: the state in ``directory`` belongs to other settings or data.
        DeviceMemoryError: the device's memory is full.
        MoodlineError: the loss is no longer finite.
        StorageError: the disk is full.
    """
    try:
        run = _Run(model, train, dev, collate, lengths, judge, config, directory, parameters)
        state = run.resume()
        if not state.step and should_check_memory(run.accelerator.device):
            run.check_memory()
        with Progress(title, total=config.epochs, done=state.epoch, quiet=quiet or not run.main) as progress:
            while not state.finished:
                losses = run.one_epoch(state, progress)
                score = run.dev_score()
                run.close_epoch(state, losses, score)
                score, best = (judge.metric.unit.factor * x for x in (score, state.best_score))
                progress.epoch(state.epoch, judge.metric.symbol, score, best, losses["total"])
        run.restore_best()
    except torch.OutOfMemoryError as error:
        raise DeviceMemoryError(
            f"training: the device's memory is full with batches of {config.batch_size}",
            str(error).split(". ")[0],
            "Lower batch_size and raise accumulate by the same factor.",
        ) from error
    return FitResult(state.best_epoch, state.best_score, state.history)


class _Run:
    """The parts of one training run: what ``fit`` says in words, done with Accelerate."""

    def __init__(
        self,
        model: TrainableModel,
        train: Sequence[Any],
        dev: Sequence[Any],
        collate: Collate,
        lengths: Callable[[Any], int],
        judge: Judge,
        config: TrainConfig,
        directory: Path,
        parameters: Iterable[dict[str, Any]] | None,
    ) -> None:
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState
        from accelerate.utils import DistributedDataParallelKwargs, ProjectConfiguration

        if not train or not dev:
            raise ConfigError(
                "training needs at least one training and one dev example", f"{len(train)} and {len(dev)}"
            )
        self.train, self.dev, self.collate, self.judge, self.config = train, dev, collate, judge, config
        self.train_lengths, self.dev_lengths = [lengths(e) for e in train], [lengths(e) for e in dev]
        self.directory = directory
        processes()
        AcceleratorState._reset_state()  # an earlier run in this process may have had another precision
        self.accelerator = Accelerator(
            mixed_precision="bf16" if config.precision == "bf16" else "no",
            log_with="tensorboard",
            project_config=ProjectConfiguration(project_dir=str(directory), logging_dir=str(directory / "tensorboard")),
            kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
        )
        self.main = bool(self.accelerator.is_main_process)
        self.world, self.rank = self.accelerator.num_processes, self.accelerator.process_index
        groups: list[dict[str, Any]] = list(parameters or [])
        if not groups:
            groups = [{"params": [p for p in model.parameters() if p.requires_grad]}]
        for group in groups:
            group["lr"] = group.get("lr", 1.0) * config.learning_rate
        kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
        self.model, self.shared = model, is_shared(model)
        optimizer = kind(
            groups, lr=config.learning_rate, betas=(0.9, config.beta2), weight_decay=config.weight_decay, fused=True
        )
        if self.shared:
            self.wrapped, self.optimizer = prepare_shared(self.accelerator, model), self.accelerator.prepare(optimizer)
        else:
            self.wrapped, self.optimizer = self.accelerator.prepare(model, optimizer)
        self.peak_rates = [group["lr"] for group in optimizer.param_groups]
        self.batches_per_epoch = -(-len(train) // config.batch_size)
        per_step = config.accumulate * self.world
        self.steps_per_epoch = -(-self.batches_per_epoch // per_step)
        self.saved_at = time.monotonic()
        self.best: dict[str, Tensor] = {}
        self.saved_names = {n for n, p in model.named_parameters() if p.requires_grad} | {
            n for n, _ in model.named_buffers()
        }
        self.average = WeightAverage(config.average, self.weights)
        self.tracker: Any = None

    # -- the state on disk ------------------------------------------------------------------------------------

    def fingerprint(self) -> str:
        """What a state must agree with to be resumed: settings, sizes of model and data, number of processes."""
        settings = {k: v for k, v in asdict(self.config).items() if k != "checkpoint_seconds"}
        for name in ("beta2", "average"):
            if settings[name] == getattr(TrainConfig, name):
                del settings[name]  # as states were written before it could be set
        shapes = {n: list(p.shape) for n, p in self.model.named_parameters() if n in self.saved_names}
        facts = [settings, shapes, self.train_lengths, self.dev_lengths, self.world]
        return json_hash(facts, sort_keys=True)

    def weights(self) -> dict[str, Tensor]:
        """Everything that training changes; not a copy."""
        return {n: t.detach() for n, t in self.model.state_dict().items() if n in self.saved_names}

    def resume(self) -> FitState:
        """The state found in the directory, loaded into model and optimizer; a new one if there is none."""
        state, path = FitState(), self.directory / "state.pt"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError.writing(self.directory, error) from error
        if path.exists():
            try:
                saved = torch.load(path, map_location="cpu", weights_only=True)
            except Exception as error:
                raise CheckpointError(
                    f"{path.name}: the training state cannot be read ({type(error).__name__})",
                    fix=f"Remove {path} to start again.",
                ) from error
            if saved["fingerprint"] != self.fingerprint():
                raise CheckpointError(
                    f"{path}: the training state belongs to other settings or data",
                    fix="Use the same recipe, data and number of processes, or another --out directory.",
                )
            self.model.load_state_dict(saved["weights"], strict=False)
            self.optimizer.load_state_dict(saved["optimizer"])
            self.best, state = saved["best"], FitState(**saved["state"])
            self.average.load(saved.get("average", {}))
        if self.main and not state.finished:
            self.accelerator.init_trackers("", init_kwargs={"tensorboard": {"purge_step": state.epoch}})
            self.tracker = self.accelerator.get_tracker("tensorboard")
        return state

    def clock(self, state: FitState) -> float:
        """Seconds that went into the run so far; of a process that was killed, those up to its last save."""
        return state.seconds + time.monotonic() - self.saved_at

    def save(self, state: FitState) -> None:
        """Write the state atomically; only the main process does."""
        state.seconds, self.saved_at = self.clock(state), time.monotonic()
        if not self.main:
            return
        path = self.directory / "state.pt"
        content = {
            "fingerprint": self.fingerprint(),
            "weights": self.weights(),
            "optimizer": self.optimizer.state_dict(),
            "best": self.best,
            "average": self.average.mean,
            "state": asdict(state),
        }
        if state.finished:  # the optimizer is of no further use, and the last weights are not the chosen ones
            content |= {
                "weights": self.best,
                "average": {},
                "optimizer": {"state": {}, "param_groups": self.optimizer.state_dict()["param_groups"]},
            }
        try:
            with replacing(path) as file:
                torch.save(content, file)
        except RuntimeError as error:  # so torch reports a full disk
            raise StorageError.writing(path, OSError(str(error).splitlines()[0])) from error
        write_json(self.directory / "history.json", state.history)

    # -- the work ---------------------------------------------------------------------------------------------

    def check_memory(self) -> None:
        """Try whether a step over the longest batch fits, see ``rehearsal``."""
        order = sorted(range(len(self.train)), key=self.train_lengths.__getitem__)
        batch = [self.train[i] for i in order[-self.config.batch_size :]]
        # to come beside it: the optimizer's two means and the best weights, a gradient, a running mean
        copies = 3 + (self.config.accumulate > 1) + (self.config.average > 0)
        self.wrapped.train()
        with reserve_memory(self.model, self.accelerator.device, copies):
            prepared = self.collate(batch).to(self.accelerator.device)
            with self.accelerator.autocast():
                loss = self.model.loss(prepared, self.wrapped(prepared))["total"]
            self.accelerator.backward(loss)

    def one_epoch(self, state: FitState, progress: Progress) -> dict[str, float]:
        """The rest of the current epoch, step by step; the mean of each loss term."""
        self.wrapped.train()
        batches = epoch_batches(self.train_lengths, self.config.batch_size, self.config.seed, state.epoch)
        per_step = self.config.accumulate * self.world
        first = state.step - state.epoch * self.steps_per_epoch
        for n in range(first, self.steps_per_epoch):
            part = batches[n * per_step : (n + 1) * per_step]
            spare = batches[:1] * (-(-len(part) // self.world) - len(part[self.rank :: self.world]))
            for name, value in self.one_step(part[self.rank :: self.world], spare, state.step).items():
                state.sums[name] = state.sums.get(name, 0.0) + value
            self.average.update(state.step)
            state.step += 1
            progress.step((n + 1) / self.steps_per_epoch)
            if time.monotonic() - self.saved_at > self.config.checkpoint_seconds:
                self.save(state)
        utterances = state.sums.pop("utterances")
        losses = {name: value / utterances for name, value in state.sums.items()}
        state.sums = {}
        return losses

    def one_step(self, mine: list[list[int]], spare: list[list[int]], step: int) -> dict[str, float]:
        """One optimizer step over this process's batches; sums of the loss terms over all processes' utterances.

        The gradient is that of the mean over all utterances of the step, however they are spread over batches and
        processes. A process that got fewer batches runs spare ones with weight zero, for the others wait for it.
        """
        torch.manual_seed(int(np.random.SeedSequence([self.config.seed, step, self.rank]).generate_state(1)[0]))
        for group, peak in zip(self.optimizer.param_groups, self.peak_rates, strict=True):
            group["lr"] = peak * self.rate(step)
        batches = [self.collate([self.train[i] for i in chosen]) for chosen in (*mine, *spare)]
        counts = [b.count() if n < len(mine) else 0 for n, b in enumerate(batches)]
        everywhere = self.accelerator.reduce(torch.tensor(sum(counts), device=self.accelerator.device), "sum")
        total = max(int(everywhere), 1)
        sums: dict[str, Tensor] = {}
        for batch, count in zip(batches, counts, strict=True):
            batch = batch.to(self.accelerator.device)
            with self.accelerator.autocast():
                terms = self.model.loss(batch, self.wrapped(batch))
            self.accelerator.backward(terms["total"] * (count * self.world / total))
            for name, value in terms.items():
                sums[name] = sums.get(name, torch.zeros((), device=value.device)) + value.detach() * count
        if self.shared:
            mean_gradients(self.model)
        if not bool(torch.isfinite(sums["total"])):
            raise MoodlineError(
                f"training: the loss is not finite at step {step}",
                float(sums["total"]),
                "Lower learning_rate, or check the features.",
            )
        self.clip(step)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        names = sorted(sums)
        reduced = self.accelerator.reduce(torch.stack([sums[n] for n in names]), "sum").tolist()
        return dict(zip(names, reduced, strict=True)) | {"utterances": float(total)}

    def clip(self, step: int) -> None:
        """Scale the gradients down to ``clip_norm``; those within it are left alone."""
        parameters = [p for p in self.model.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        if not bool(torch.isfinite(norm)):
            raise MoodlineError(
                f"training: the gradient is not finite at step {step}", float(norm), "Lower learning_rate."
            )
        if float(norm) > self.config.clip_norm:
            torch.nn.utils.clip_grads_with_norm_(parameters, self.config.clip_norm, norm)

    def rate(self, step: int) -> float:
        """The learning rate at a step, relative to its peak."""
        steps = self.config.epochs * self.steps_per_epoch
        warm = self.config.warmup * steps
        if step < warm:
            return (step + 1) / (warm + 1)
        left = (steps - step) / max(steps - warm, 1)
        if self.config.schedule == "linear":
            return left
        if self.config.schedule == "cosine":
            return 0.5 * (1 - float(np.cos(np.pi * left)))
        return 1.0

    def dev_score(self) -> float:
        """The judge's number of the dev set, for the mean of the weights if one is kept.

        The main process's counts: on devices that round otherwise another one might want to stop at another epoch.
        """
        size = min(32, self.config.batch_size) if self.shared else 32
        with self.average.in_place():
            answers = answer(
                self.model, self.dev, self.collate, lengths=self.dev_lengths, batch_size=size, together=self.shared
            )
        return self.from_main_process(self.judge.measure(answers))

    def from_main_process(self, value: float) -> float:
        """The main process's value."""
        if self.world == 1:
            return value
        told = torch.tensor(value if self.main else 0.0, dtype=torch.float64, device=self.accelerator.device)
        return float(self.accelerator.reduce(told, "sum"))

    def close_epoch(self, state: FitState, losses: dict[str, float], score: float) -> None:
        """Note the epoch's numbers, keep the weights if they are the best, decide whether to go on, save."""
        told = {k if k.startswith("entropy_") else f"loss_{k}": v for k, v in losses.items()}
        state.history.append(
            {"epoch": state.epoch, f"dev_{self.judge.name}": score} | told | {"seconds": round(self.clock(state), 2)}
        )
        if state.best_epoch < 0 or self.judge.better(score, state.best_score):
            state.best_epoch, state.best_score = state.epoch, score
            chosen = self.average.mean or self.weights()
            if not self.best:
                self.best = {n: torch.empty_like(t) for n, t in chosen.items()}
            for name, value in chosen.items():
                self.best[name].copy_(value)
        if self.tracker is not None:
            numbers = {k.replace("_", "/", 1): v for k, v in told.items()}
            self.tracker.log(numbers | {f"dev/{self.judge.name}": score}, step=state.epoch)
        state.epoch += 1
        waited = state.epoch - 1 - state.best_epoch
        state.finished = state.epoch >= self.config.epochs or (0 < self.config.patience <= waited)
        self.save(state)

    def restore_best(self) -> None:
        """Leave the model with the chosen epoch's weights."""
        self.model.load_state_dict(self.best, strict=False)
        if self.tracker is not None:
            self.tracker.finish()  # not end_training(), which parts the processes: another run may follow
