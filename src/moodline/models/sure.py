"""SURE: uncertainty-aware experts, iterative reasoning over the conversation, a gate of transformers (ICASSP 2026).

Each modality passes three steps: its features become a Gaussian that the least unsure of several experts read; each
utterance then asks the conversation N times what explains it; nine small transformers (three modalities by three)
let every modality look at itself and at the others. One linear layer reads the result.

What the paper states (equation numbers below), what only its released code says, and what is ours:

- The paper: a Gaussian with two linear layers (1–3), TopK of a softmax whose scores weigh the experts (4–5), "experts
  with lower uncertainty are selected", a memory of LSTM and linear layer (6), attention and an LSTM that refines the
  query (7–10), self- and cross-attention encoders (11–16), gated fusion (17), one layer and a softmax (18–20).
- The released code only: d = 1024, 3 of 4 experts, N = 2, the memory's recurrent net is bidirectional (here a BiGRU of
  d/2 each way), 8 heads, one encoder layer in each place, sines for positions and learned vectors for speakers added
  at their input, a gate σ(W x) ⊙ x, dropout 0.5, class weights by inverse frequency on IEMOCAP. Its experts and router
  are undefined names, so nothing of them can be taken over.
- Ours: how σ_k enters the routing (logit_k − c log σ_k, c ≥ 0 learned); σ_k is one number an expert and utterance, and
  the expert's output is sampled with it in training, which makes it mean something; the weights of the KL and balance
  losses, which the paper does not have; |log σ²| is softly bounded, and begins low; the query starts from the
  memory's recurrent state of the utterance (the paper's c_i); the reasoning LSTM begins at zero; its one weight
  matrix has one bias.
- Also ours: regression in place of classes (``value_range``): the last layer gives one number, and its distance from
  the true value takes the place of the NLL.
- Also ours: any set of modalities. A missing one is replaced by a learned vector, nobody attends to it, and no loss
  of its Gaussian or experts counts there. An utterance without any gets the uniform answer. Padding enters nothing;
  all layers work on the N real utterances laid end to end (``nn/packing.py``). Attention reaches less than
  ``attention_window`` utterances away, which is all of every corpus here, so that time and memory for each utterance
  stay level in long conversations. Speakers beyond ``speakers`` share vectors, unknown ones have none. Features are
  standardised with training-set statistics. The released code reports the best epoch on test; ours is chosen on dev.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from moodline.core.batch import Batch, Output
from moodline.core.errors import ConfigError
from moodline.core.labels import IGNORE
from moodline.core.settings import Settings
from moodline.nn.attention import MultiHeadAttention
from moodline.nn.dropout import Dropout
from moodline.nn.experts import Routing, SparseExperts, balance, usage_entropy
from moodline.nn.gaussian import Gaussian, kl_to_standard, sample
from moodline.nn.goals import goal_of
from moodline.nn.inputs import ModalityInput, SpeakerInput, fit_statistics, hide_modalities
from moodline.nn.losses import RegressionLoss
from moodline.nn.memory_attention import recall
from moodline.nn.model import ConversationModel
from moodline.nn.packing import PackedUtterances
from moodline.nn.positions import sinusoids
from moodline.nn.recurrent import BiGRU
from moodline.nn.value_range import value_range_problems

ATTENTION_KEPT = 8
"""Of each reasoning step's attention, so many places are told for an utterance."""


@dataclass(frozen=True)
class SureConfig(Settings):
    """Sizes, switches and loss weights of SURE.

    Without experts there is no σ, so neither KL nor balance loss.
    """

    dims: dict[str, int]
    """Feature size D of each modality, e.g. ``{"speech": 1582, "text": 1024}``; set from the data."""
    classes: int
    """Number of classes C; set from the label set; 1 with ``value_range``."""
    value_range: tuple[float, float] | None = None
    """The range (low, high) of the values to learn in place of classes; set from the corpus for a regression."""
    score_loss: RegressionLoss = "l1"
    """With ``value_range``: how far an answer is from the true value."""
    hidden: int = 1024
    """Width d of everything; even, and a multiple of ``heads``."""
    experts: int = 4
    """Experts E of each modality; 0 leaves Gaussian and experts out (the paper's "w/o MoE")."""
    top_k: int = 3
    """How many experts are asked, K."""
    expert_hidden: int = 512
    """Width of each expert's hidden layer."""
    uncertainty_routing: bool = True
    """Whether the experts' σ_k enter the routing; False is an ordinary sparse mixture."""
    log_variance_bound: float = 8.0
    """|log σ²| stays below it."""
    log_variance_start: float = -4.0
    """log σ² before training."""
    sigma_hidden: int = 0
    """Hidden layer before FC_σ (ours); 0 is the paper's single layer, whose σ cannot tell noise."""
    reasoning_steps: int = 2
    """Reasoning steps N; 0 leaves memory and reasoning out (the paper's "w/o Reasoning")."""
    memory_layers: int = 1
    """Layers of the memory's BiGRU."""
    residual: bool = False
    """Add what goes into the experts, and into the reasoning, to what comes out (ours)."""
    heads: int = 8
    """Attention heads of each encoder."""
    feed_forward: int = 1024
    """Hidden width of each encoder's feed-forward layer."""
    attention_window: int = 256
    """Attention reaches less than so many utterances away; 0 is the whole conversation."""
    speakers: int = 8
    """How many speakers of a conversation are told apart by a learned vector; 0 leaves it out."""
    dropout: float = 0.5
    """In experts, encoders, and before the last layer."""
    class_weights: bool = False
    """Weigh classes by their inverse frequency in the training set (the released code does on IEMOCAP)."""
    kl_weight: float = 0.01
    """Weight of KL(N(μ, σ²) ‖ N(0, 1)) of the Gaussians, and of the same for the experts' σ_k alone."""
    balance_weight: float = 0.01
    """Weight of the loss that keeps the experts equally used."""
    input_noise: float = 0.0
    """In training, each modality of each utterance gets noise of a random strength of up to so many sd (ours)."""
    modality_dropout: float = 0.0
    """Share of present (utterance, modality) pairs hidden in training, never the last one of an utterance."""

    def __post_init__(self) -> None:
        problems = []
        if not self.dims or any(d < 1 for d in self.dims.values()):
            problems.append(f"dims must name at least one modality with a positive size, got {self.dims}")
        for name in ("classes", "top_k", "expert_hidden", "memory_layers", "heads", "feed_forward"):
            if getattr(self, name) < 1:
                problems.append(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("experts", "sigma_hidden", "reasoning_steps", "attention_window", "speakers"):
            if getattr(self, name) < 0:
                problems.append(f"{name} must not be negative, got {getattr(self, name)}")
        if self.experts and self.top_k > self.experts:
            problems.append(f"top_k must be at most experts, {self.experts}, got {self.top_k}")
        if self.hidden < 2 or self.hidden % 2 or (self.heads >= 1 and self.hidden % self.heads):
            problems.append(f"hidden must be even and a multiple of heads, {self.heads}, got {self.hidden}")
        if not 0 < self.log_variance_bound <= 20:
            problems.append(f"log_variance_bound must be in (0, 20], got {self.log_variance_bound}")
        elif not abs(self.log_variance_start) < self.log_variance_bound:
            problems.append(f"log_variance_start must lie within the bound, got {self.log_variance_start}")
        for name in ("kl_weight", "balance_weight", "input_noise"):
            if not 0 <= getattr(self, name) < math.inf:
                problems.append(f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("dropout", "modality_dropout"):
            if not 0 <= getattr(self, name) < 1:
                problems.append(f"{name} must be in [0, 1), got {getattr(self, name)}")
        problems += value_range_problems(self.classes, self.value_range)
        if self.class_weights and self.value_range is not None:
            problems.append("class_weights goes with classes, not with scores")
        if problems:
            raise ConfigError("sure: " + "; ".join(problems))


@dataclass
class Trace:
    """What one modality's way through the model leaves for losses and readers; N utterances."""

    mean: Tensor | None = None
    """μ [N, d]."""
    log_variance: Tensor | None = None
    """log σ² [N, d]."""
    routing: Routing | None = None
    """Who of the experts was asked."""
    attention: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    """Of each reasoning step the largest weights and their places, [N, P] each; only outside of training."""


class UncertainExperts(nn.Module):
    """Eq. 1–5: a Gaussian, a sample of it in training, and the experts that read it."""

    def __init__(self, gaussian: nn.Module, experts: nn.Module, residual: bool) -> None:
        super().__init__()
        self.gaussian, self.experts, self.residual = gaussian, experts, residual

    def forward(self, x: Tensor, trace: Trace) -> Tensor:
        """[N, d] → [N, d]."""
        trace.mean, trace.log_variance = mean, log_variance = self.gaussian(x)
        y, trace.routing = self.experts(sample(mean, log_variance) if self.training else mean)
        return x + y if self.residual else y


class IterativeReasoning(nn.Module):
    """Eq. 6–10: every utterance asks the memory of its conversation N times, an LSTM turning answers into questions."""

    def __init__(self, recurrent: nn.Module, width: int, steps: int, window: int, residual: bool) -> None:
        super().__init__()
        self.recurrent, self.steps, self.window, self.residual = recurrent, steps, window, residual
        self.memory = nn.Linear(width, width)
        self.query = nn.Linear(width, width)
        self.cell = nn.Linear(3 * width, 4 * width)

    def forward(self, y: Tensor, present: Tensor, rows: PackedUtterances, trace: Trace) -> Tensor:
        """[N, d] and where the modality is present [N] → the last queries [N, d]."""
        context = self.recurrent(y, rows)
        memory, query = self.memory(context), self.query(context)
        hidden = cell = torch.zeros_like(query)
        for _ in range(self.steps):
            kept = 0 if self.training else ATTENTION_KEPT
            found, weights, places = recall(query, memory, present, rows, self.window, kept)
            trace.attention.append((weights, places))
            enter, keep, new, leave = self.cell(torch.cat([query, found, hidden], dim=-1)).chunk(4, dim=-1)
            cell = keep.sigmoid() * cell + enter.sigmoid() * new.tanh()
            query = hidden = leave.sigmoid() * cell.tanh()
        return y + query if self.residual else query


class GatedEncoder(nn.Module):
    """One pre-norm transformer encoder layer from a modality to itself or another, and the gate σ(W x) ⊙ x."""

    def __init__(self, attention: nn.Module, width: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.attention, self.dropout = attention, Dropout(dropout)
        self.norm, self.norm_further = nn.LayerNorm(width), nn.LayerNorm(width)
        self.further = nn.Sequential(nn.Linear(width, inner), nn.GELU(), Dropout(dropout), nn.Linear(inner, width))
        self.gate = nn.Linear(width, width)

    def forward(self, query: Tensor, memory: Tensor, real: Tensor, rows: PackedUtterances) -> Tensor:
        """[N, d] twice and where the memory is real [N] → [N, d]."""
        seen = self.attention(self.norm(query), [self.norm(memory)], [real], rows)
        x = query + self.dropout(seen)
        x = x + self.dropout(self.further(self.norm_further(x)))
        return self.gate(x).sigmoid() * x


class TransformerGate(nn.Module):
    """Eq. 11–17: M² gated encoders; those that belong to a modality are laid side by side and reduced."""

    def __init__(self, encoders: dict[tuple[str, str], nn.Module], width: int, speakers: int) -> None:
        super().__init__()
        self.modalities = tuple(dict.fromkeys(m for m, _ in encoders))
        self.encoders = nn.ModuleDict({f"{m}-{n}": encoder for (m, n), encoder in encoders.items()})
        self.reduce = nn.ModuleDict({m: nn.Linear(len(self.modalities) * width, width) for m in self.modalities})
        self.speakers = SpeakerInput(speakers, width) if speakers else None

    def forward(
        self, streams: dict[str, Tensor], present: dict[str, Tensor], who: Tensor | None, rows: PackedUtterances
    ) -> dict[str, Tensor]:
        """Modality → [N, d], where it is present [N], speakers [N] → modality → [N, d]."""
        first = next(iter(streams.values()))
        place = sinusoids(rows.places, first.shape[-1]).to(first)
        if self.speakers is not None and who is not None:
            place = place + self.speakers(who)
        placed = {m: x + place for m, x in streams.items()}
        return {
            m: self.reduce[m](
                torch.cat(
                    [self.encoders[f"{m}-{n}"](placed[m], placed[n], present[n], rows) for n in self.modalities], -1
                )
            )
            for m in self.modalities
        }


class Sure(ConversationModel):
    """The three steps and the classifier. See the module's docstring and ``SureConfig``."""

    Config = SureConfig
    description = "SURE: uncertainty-aware experts, iterative reasoning, a gate of transformers (ICASSP 2026)."
    class_weight: Tensor

    def __init__(self, config: SureConfig) -> None:
        super().__init__(config)
        c = config
        self.goal = goal_of(c.value_range, 0.0, c.score_loss, "nll")
        d, start = c.hidden, c.log_variance_start
        self.modalities = tuple(c.dims)
        self.register_buffer("class_weight", torch.ones(c.classes))
        self.inputs = nn.ModuleDict({m: ModalityInput(size) for m, size in c.dims.items()})
        self.project = nn.ModuleDict({m: nn.Linear(size, d) for m, size in c.dims.items()})
        if c.experts:
            asked = (c.experts, c.top_k, c.uncertainty_routing, c.log_variance_bound, start, c.dropout)
            self.experts = nn.ModuleDict(
                {
                    m: UncertainExperts(
                        Gaussian(d, d, c.log_variance_bound, start, c.sigma_hidden),
                        SparseExperts(d, c.expert_hidden, *asked),
                        c.residual,
                    )
                    for m in c.dims
                }
            )
        if c.reasoning_steps:
            rest = (d, c.reasoning_steps, c.attention_window, c.residual)
            self.reasoning = nn.ModuleDict(
                {m: IterativeReasoning(BiGRU(d, d // 2, c.memory_layers, c.dropout), *rest) for m in c.dims}
            )
        attention = partial(MultiHeadAttention, d, c.heads, d // c.heads, c.dropout, c.attention_window)
        pairs = [(m, n) for m in c.dims for n in c.dims]
        encoders = {pair: GatedEncoder(attention(), d, c.feed_forward, c.dropout) for pair in pairs}
        self.gate = TransformerGate(encoders, d, c.speakers)  # type: ignore[arg-type]
        self.classify = nn.Sequential(Dropout(c.dropout), nn.Linear(len(c.dims) * d, c.classes))

    def fit_statistics(self, batches: Iterable[Batch]) -> None:
        """Set the input standardisation and the class weights from training batches; called once, before training."""
        counts = torch.zeros(self.config.classes)

        def counted() -> Iterator[Batch]:
            for batch in batches:
                if self.config.class_weights and batch.labels is not None:
                    counts.add_(torch.bincount(batch.labels[batch.labels != IGNORE], minlength=len(counts)))
                yield batch

        fit_statistics({m: self.inputs[m] for m in self.modalities}, counted())  # type: ignore[misc]
        if self.config.class_weights:
            self.class_weight.copy_(counts.sum().clamp_min(1) / (len(counts) * counts.clamp_min(1)))

    def forward(self, batch: Batch) -> Output:
        """Logits, and what the model is unsure of and looked at.

        Args:
            batch: features and masks of this model's modalities; ``speakers`` if known.

        Returns:
            ``Output`` with one expert ``model``, the whole. In ``extras``, by modality: ``present`` (after modality
            dropout) and, with experts, ``uncertainty`` [B, U], the geometric mean of σ, 0 where the modality is
            missing, and ``usage`` [B, U, E], the weights of the experts. With reasoning, outside of training,
            ``attention`` and ``attention_places`` [B, U, N, P]: the largest weights of each step, and on which
            utterances, −1 for none. ``traces`` is for the loss.
        """
        rows, c = PackedUtterances(batch.valid), self.config
        masks = {m: batch.present[m] & batch.valid for m in self.modalities}
        masks = hide_modalities(masks, c.modality_dropout) if self.training else masks
        present = {m: rows.pack(mask) for m, mask in masks.items()}
        traces = {m: Trace() for m in self.modalities}
        streams = {}
        for m, trace in traces.items():
            x = self.project[m](self._noisy(self.inputs[m](rows.pack(batch.features[m]), present[m]), present[m]))
            x = self.experts[m](x, trace) if c.experts else x
            streams[m] = self.reasoning[m](x, present[m], rows, trace) if c.reasoning_steps else x
        who = None if batch.speakers is None else rows.pack(batch.speakers)
        fused = self.gate(streams, present, who, rows)
        logits = self.classify(torch.cat([fused[m] for m in self.modalities], dim=-1))
        some = torch.stack(list(present.values())).any(0)
        logits = torch.where(some[:, None], logits, torch.zeros_like(logits))
        padded = rows.pad(self.goal.to_output(logits))
        extras = {"present": masks, "traces": traces} | self._tell(traces, present, rows)
        return Output(padded, {"model": padded}, batch.valid[..., None].to(padded), extras)

    def loss(self, batch: Batch, output: Output) -> dict[str, Tensor]:
        """NLL over real, labelled utterances, and what keeps σ and the experts in shape, over present ones.

        Returns:
            ``total`` and the named terms it is made of, scalars; beside them ``entropy_MODALITY``, how evenly its
            experts are used, which is no part of the total.
        """
        c = self.config
        real, y = self.goal.truth(batch)
        weight = self.class_weight if c.class_weights else None
        terms = {self.goal.term: self.goal.loss(self.goal.to_network(output.logits[real]), y, weight)}
        rows = PackedUtterances(batch.valid)
        present = {m: rows.pack(mask) for m, mask in output.extras["present"].items()}
        traces: dict[str, Trace] = output.extras["traces"]
        routings = {m: t.routing for m, t in traces.items() if t.routing is not None}
        if routings and c.kl_weight:
            terms["kl"] = c.kl_weight * torch.stack([_kl(traces[m], present[m]) for m in routings]).mean()
        if routings and c.balance_weight:
            each = [balance(routing, present[m]) for m, routing in routings.items()]
            terms["balance"] = c.balance_weight * torch.stack(each).mean()
        terms["total"] = torch.stack(list(terms.values())).sum()
        entropy = {f"entropy_{m}": usage_entropy(r.usage[present[m]].detach()) for m, r in routings.items()}
        return terms | entropy

    def _noisy(self, x: Tensor, present: Tensor) -> Tensor:
        if not self.training or not self.config.input_noise:
            return x
        strength = self.config.input_noise * torch.rand(len(x), 1, device=x.device) * present[:, None]
        return x + strength * torch.randn_like(x)

    def _tell(
        self, traces: dict[str, Trace], present: dict[str, Tensor], rows: PackedUtterances
    ) -> dict[str, dict[str, Tensor]]:
        told: dict[str, dict[str, Tensor]] = {}
        for m, trace in traces.items():
            if trace.log_variance is not None and trace.routing is not None:
                sigma = (0.5 * trace.log_variance.detach().mean(-1)).exp()
                told.setdefault("uncertainty", {})[m] = rows.pad(torch.where(present[m], sigma, 0.0))
                told.setdefault("usage", {})[m] = rows.pad(trace.routing.usage.detach())
            if trace.attention and not self.training:
                weights, places = zip(*trace.attention, strict=True)
                told.setdefault("attention", {})[m] = rows.pad(torch.stack(weights, dim=1))
                told.setdefault("attention_places", {})[m] = rows.pad(torch.stack(places, dim=1))
        return told


def _kl(trace: Trace, where: Tensor) -> Tensor:
    """KL of the Gaussians and, for the experts' σ_k, its part without the mean; averages over present utterances."""
    assert trace.mean is not None
    assert trace.log_variance is not None
    assert trace.routing is not None
    if not bool(where.any()):
        return trace.log_variance.sum() * 0.0
    doubt = trace.routing.log_variance[where]
    own = kl_to_standard(trace.mean[where], trace.log_variance[where]).mean()
    return own + kl_to_standard(torch.zeros_like(doubt), doubt).mean()
