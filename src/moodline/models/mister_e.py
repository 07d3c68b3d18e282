"""MiSTER-E: mixture of speech and text experts for recognition of emotions (arXiv 2602.23300).

Each modality has an expert of its own that sees the conversation through convolutions and a BiGRU (context
addition network); one more expert fuses the modalities by attention (multimodal network); a gate weighs the
experts' *logits* for each utterance. All are trained together; the encoders before them stay frozen.

Where this file goes beyond the paper or differs from it:

- Any set of modalities. With two it is the paper's model. With M, the fusion expert's cross-attention lets each
  modality attend to the others' utterances laid end to end, and the gate weighs M + 1 experts. With one there is
  no fusion expert and no gate, as in the paper's text-only experiment (§5.3).
- A modality may be missing at an utterance: a learned vector stands in, nobody attends to it, its expert gets
  gate weight 0 there, and no loss term of that expert counts there.
- Padding enters nothing. In the released code it enters the GRU, the attention and two loss terms. Here all layers
  work on the N real utterances laid end to end (``nn/packing.py``).
- The fusion expert's attention reaches less than ``attention_window`` (256) utterances back and forth, the paper's
  the whole conversation. For conversations of at most that many utterances, which are all of every corpus here, this
  is the same; beyond, time and memory for each utterance stay level instead of growing with the conversation.
- The contrastive loss compares the utterances of a batch in parts of at most ``CONTRASTIVE_PART``, for the same
  reason. The paper's batches are smaller than one part.
- Scores can be learned in place of classes (``value_range``): every head gives one number, the gate weighs the numbers,
  the losses are distances of scores (``score_loss``) where they were focal losses and KL, and utterances are positives
  of each other whose scores round to the same of seven steps. γ then has no effect.
- Where paper and released code disagree (gate, fusion head, KL) both are settings; the paper's is the default.
- Features are standardised with training-set statistics, which small encoders need; paper-size recipes keep it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from moodline.core.batch import Batch, Output
from moodline.core.errors import ConfigError
from moodline.core.settings import Settings
from moodline.nn.attention import MultiHeadAttention
from moodline.nn.context import ContextAddition, TemporalInception
from moodline.nn.dropout import Dropout
from moodline.nn.gate import Gate
from moodline.nn.goals import goal_of
from moodline.nn.inputs import ModalityInput, SpeakerInput, fit_statistics, hide_modalities
from moodline.nn.losses import (
    RegressionLoss,
    directional_kl,
    supervised_contrastive_loss,
    symmetric_kl,
)
from moodline.nn.model import ConversationModel
from moodline.nn.packing import PackedUtterances
from moodline.nn.recurrent import BiGRU
from moodline.nn.value_range import value_range_problems

FUSION = "fusion"
CONTRASTIVE_PART = 2048
"""Utterances that the contrastive loss compares at once."""


@dataclass(frozen=True)
class MisterEConfig(Settings):
    """Sizes, switches and loss weights of MiSTER-E.

    A loss weight has no effect where its term does not exist: with one modality only γ counts; without
    ``expert_losses`` neither β nor λ; in the monolithic structure neither λ nor the gate's settings.
    """

    dims: dict[str, int]
    """Feature size D of each modality, e.g. ``{"speech": 2048, "text": 2048}``; set from the data."""
    classes: int
    """Number of classes C; set from the label set; 1 with ``value_range``."""
    value_range: tuple[float, float] | None = None
    """The range (low, high) of the values to learn in place of classes; set from the corpus for a regression."""
    score_loss: RegressionLoss = "l1"
    """With ``value_range``: how far an answer is from the true value."""
    hidden: int = 1024
    """Width d of the context and multimodal networks; even (the BiGRU has d/2 per direction)."""
    kernels: tuple[int, ...] = (1, 3, 5)
    """Odd kernel widths of the temporal inception network."""
    gru_layers: int = 3
    """Layers of the BiGRU (3 in the released IEMOCAP code)."""
    fusion_layers: int = 4
    """Blocks L of the multimodal network."""
    heads: int = 3
    """Attention heads of the multimodal network."""
    head_width: int = 40
    """Inner width of each head (120 / 3 in the released code)."""
    attention_window: int = 256
    """The multimodal network attends less than so many utterances away; 0 is the whole conversation."""
    dropout: float = 0.2
    """Between fully connected layers, in the BiGRU and in attention."""
    fusion_head: Literal["linear", "mlp"] = "linear"
    """``linear`` is eq. 9; ``mlp`` adds the released code's input skip, LayerNorm and hidden layer."""
    gate_hidden: int = 0
    """Hidden units of the gate; 0 is the paper's single layer, the released code has 10."""
    gate_temperature: float = 1.0
    """τ_g of the gate's softmax; 2 in the released code."""
    gate_reads: Literal["logits", "context"] = "logits"
    """What the gate sees: the experts' ``logits`` (eq. 10), or beside them each modality's ``context`` features (ours),
    in which noise shows where logits only look like those of a neutral utterance."""
    gate_loss: float = 0.0
    """Weight of a loss of the gate alone (ours): −log Σ_k w_k p_k(y), so that it learns whom to believe, not only what
    the mixture needs. Without it an expert that reads noise says little, and keeps its weight."""
    gate_at: Literal["logits", "features"] = "logits"
    """``features`` is the paper's feat-MoE ablation: experts' features are mixed, then classified."""
    structure: Literal["modular", "monolithic"] = "modular"
    """``monolithic`` feeds context features to the fusion network, without unimodal experts and gate (§4.5)."""
    expert_losses: bool = True
    """False is No-Loss-MoE (§4.7): only the mixture's focal loss."""
    gamma: float = 3.0
    """Focal parameter γ; 0 is cross-entropy."""
    beta: float = 1.0
    """Weight β of the contrastive loss (eq. 15)."""
    kl_weight: float = 0.1
    """Weight λ of the consistency loss (eq. 16)."""
    tau: float = 1.0
    """Temperature τ of the contrastive loss (eq. 14)."""
    kl: Literal["directional", "symmetric"] = "directional"
    """``directional`` is eq. 17, fusion as teacher; ``symmetric`` is the released code's pairwise mean."""
    modality_dropout: float = 0.0
    """Share of present (utterance, modality) pairs hidden in training, never the last one of an utterance."""
    speakers: int = 0
    """How many speakers of a conversation are told apart by a learned vector added to the inputs (the paper names the
    lack of speaker identity as its limitation iv); 0 leaves it out, as the paper does."""

    def __post_init__(self) -> None:
        problems = []
        if not self.dims or any(d < 1 for d in self.dims.values()):
            problems.append(f"dims must name at least one modality with a positive size, got {self.dims}")
        for name in ("gru_layers", "fusion_layers", "heads", "head_width"):
            if getattr(self, name) < 1:
                problems.append(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.speakers < 0:
            problems.append(f"speakers must not be negative, got {self.speakers}")
        if self.hidden < 2 or self.hidden % 2:
            problems.append(f"hidden must be even and positive, got {self.hidden}")
        if any(k < 1 or k % 2 == 0 for k in self.kernels) or not self.kernels:
            problems.append(f"kernels must be odd, got {self.kernels}")
        if self.structure == "monolithic" and len(self.dims) < 2:
            problems.append("structure 'monolithic' needs at least two modalities")
        if self.gate_at == "features" and (len(self.dims) < 2 or self.structure == "monolithic"):
            problems.append("gate_at 'features' needs at least two modalities and structure 'modular'")
        for name in ("gate_temperature", "tau"):
            if not 0 < getattr(self, name) < float("inf"):
                problems.append(f"{name} must be positive, got {getattr(self, name)}")
        for name in ("gamma", "beta", "kl_weight", "gate_loss", "attention_window"):
            if not 0 <= getattr(self, name) < float("inf"):
                problems.append(f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("dropout", "modality_dropout"):
            if not 0 <= getattr(self, name) < 1:
                problems.append(f"{name} must be in [0, 1), got {getattr(self, name)}")
        problems += value_range_problems(self.classes, self.value_range)
        if problems:
            raise ConfigError("mister-e: " + "; ".join(problems))


class FusionBlock(nn.Module):
    """One block of the multimodal network: cross-attention to the other modalities, then self-attention (eq. 5–8)."""

    def __init__(
        self, modalities: Iterable[str], attention: Callable[[], nn.Module], width: int, dropout: float
    ) -> None:
        super().__init__()
        modalities = list(modalities)
        self.cross, self.own = (nn.ModuleDict({m: attention() for m in modalities}) for _ in range(2))
        self.cross_norm = nn.ModuleDict({m: nn.LayerNorm(width) for m in modalities})
        self.own_norm = nn.ModuleDict({m: nn.LayerNorm(width) for m in modalities})
        self.dropout = Dropout(dropout)

    def forward(
        self, streams: dict[str, Tensor], present: dict[str, Tensor], rows: PackedUtterances
    ) -> dict[str, Tensor]:
        """Modality → [N, d] and where it is present [N] → modality → [N, d]."""
        out = {}
        for m, x in streams.items():
            others = [n for n in streams if n != m]
            seen = self.cross[m](x, [streams[n] for n in others], [present[n] for n in others], rows)
            x = self.cross_norm[m](x + self.dropout(seen))
            out[m] = self.own_norm[m](x + self.dropout(self.own[m](x, [x], [present[m]], rows)))
        return out


class MultimodalNetwork(nn.Module):
    """The fusion expert's body: input projections and L fusion blocks."""

    def __init__(self, projections: nn.ModuleDict, blocks: Iterable[nn.Module]) -> None:
        super().__init__()
        self.projections = projections
        self.blocks = nn.ModuleList(blocks)

    def forward(
        self, x: dict[str, Tensor], present: dict[str, Tensor], rows: PackedUtterances
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Modality → [N, D] → (fused streams, their inputs), each modality → [N, d]."""
        first = {m: projection(x[m]) for m, projection in self.projections.items()}
        streams = first
        for block in self.blocks:
            streams = block(streams, present, rows)
        return streams, first


class FusionHead(nn.Module):
    """z_f = FC([t″ ; s″]) (eq. 9), or the released code's deeper head with a skip from the inputs."""

    def __init__(self, modalities: int, width: int, classes: int, kind: str, dropout: float) -> None:
        super().__init__()
        inner = modalities * width
        self.skip = nn.Linear(inner, inner) if kind == "mlp" else None
        self.layers = nn.Sequential(Dropout(dropout), nn.Linear(inner, classes))
        if kind == "mlp":
            self.layers = nn.Sequential(
                nn.LayerNorm(inner), nn.Linear(inner, width), nn.ReLU(), Dropout(dropout), nn.Linear(width, classes)
            )

    def forward(self, fused: Tensor, inputs: Iterable[Tensor]) -> Tensor:
        """[N, M·d] and M times [N, d] → [N, C]."""
        return self.layers(fused if self.skip is None else fused + self.skip(torch.cat([*inputs], dim=-1)))


class MisterE(ConversationModel):
    """The experts and the gate. See the module's docstring and ``MisterEConfig``.

    Attributes:
        expert_names: the experts in the order of ``Output.weights``.
    """

    Config = MisterEConfig
    description = "MiSTER-E: one expert per modality, one fusion expert, a gate over their logits (arXiv 2602.23300)."

    def __init__(self, config: MisterEConfig) -> None:
        super().__init__(config)
        c, d = config, config.hidden
        self.goal = goal_of(c.value_range, c.gamma, c.score_loss)
        self.modalities = tuple(c.dims)
        several = len(self.modalities) > 1
        modular = c.structure == "modular"
        self.expert_names = (*(self.modalities if modular else ()), *((FUSION,) if several else ()))
        self.inputs = nn.ModuleDict({m: ModalityInput(size) for m, size in c.dims.items()})
        if c.speakers:
            self.speakers = nn.ModuleDict({m: SpeakerInput(c.speakers, size) for m, size in c.dims.items()})
        self.context = nn.ModuleDict(
            {
                m: ContextAddition(
                    TemporalInception(size, d, c.kernels),
                    BiGRU(d, d // 2, c.gru_layers, c.dropout),
                    nn.Linear(size, d),
                    c.dropout,
                )
                for m, size in c.dims.items()
            }
        )
        if modular:
            self.heads = nn.ModuleDict(
                {m: nn.Sequential(Dropout(c.dropout), nn.Linear(d, c.classes)) for m in self.modalities}
            )
        if several:
            attention = partial(MultiHeadAttention, d, c.heads, c.head_width, c.dropout, c.attention_window)
            sizes = c.dims if modular else dict.fromkeys(c.dims, d)
            self.fusion = MultimodalNetwork(
                nn.ModuleDict({m: nn.Linear(size, d) for m, size in sizes.items()}),
                [FusionBlock(sizes, attention, d, c.dropout) for _ in range(c.fusion_layers)],
            )
            self.fusion_head = FusionHead(len(sizes), d, c.classes, c.fusion_head, c.dropout)
        if several and modular:
            experts = len(self.expert_names)
            if c.gate_at == "features":
                self.reduce = nn.Linear(len(self.modalities) * d, d)
                self.mixture_head = nn.Linear(d, c.classes)
            view = c.classes if c.gate_at == "logits" else d
            seen = experts * view + (len(c.dims) * d if c.gate_reads == "context" else 0)
            self.gate = Gate(seen, experts, c.gate_hidden, c.gate_temperature)

    def fit_statistics(self, batches: Iterable[Batch]) -> None:
        """Set the input standardisation from training batches; called once, before training."""
        fit_statistics({m: self.inputs[m] for m in self.modalities}, batches)  # type: ignore[misc]

    def forward(self, batch: Batch) -> Output:
        """Logits of the mixture and of every expert, and the gate weights.

        Args:
            batch: features and masks of this model's modalities.

        Returns:
            ``Output`` with ``experts`` in the order of ``expert_names``; ``extras["contrastive"]`` holds the
            fused streams [B, U, d] by modality, ``extras["present"]`` the masks after modality dropout.
        """
        rows = PackedUtterances(batch.valid)
        masks = self._drop_modalities({m: batch.present[m] & batch.valid for m in self.modalities})
        present = {m: rows.pack(mask) for m, mask in masks.items()}
        x = {m: self.inputs[m](rows.pack(batch.features[m]), present[m]) for m in self.modalities}
        if self.config.speakers and batch.speakers is not None:
            who = rows.pack(batch.speakers)
            x = {m: x[m] + self.speakers[m](who) for m in self.modalities}
        context = {m: self.context[m](x[m], rows) for m in self.modalities}
        experts: dict[str, Tensor] = {}
        if self.config.structure == "modular":
            experts = {m: self.heads[m](context[m]) for m in self.modalities}
        extras: dict[str, object] = {"present": masks}
        fused = None
        if FUSION in self.expert_names:
            streams, first = self.fusion(x if experts else context, present, rows)
            fused = torch.cat([streams[m] for m in self.modalities], dim=-1)
            experts[FUSION] = self.fusion_head(fused, (first[m] for m in self.modalities))
            extras["contrastive"] = {m: rows.pad(stream) for m, stream in streams.items()}
        padded = {name: rows.pad(self.goal.to_output(z)) for name, z in experts.items()}
        if len(experts) == 1:
            (logits,) = padded.values()
            return Output(logits, padded, batch.valid[..., None].to(logits), extras)
        assert fused is not None
        everywhere = torch.ones_like(present[self.modalities[0]])
        available = torch.stack([present.get(name, everywhere) for name in experts], dim=-1)
        if self.config.gate_at == "logits":
            views = torch.stack(list(experts.values()), dim=1)
        else:
            views = torch.stack([*(context[m] for m in self.modalities), self.reduce(fused)], dim=1)
        reads = self.modalities if self.config.gate_reads == "context" else ()
        weights = self.gate(views, available, (context[m] * present[m][:, None] for m in reads))
        mixed = torch.einsum("nk,nkw->nw", weights, views)  # eq. 11
        logits = mixed if self.config.gate_at == "logits" else self.mixture_head(mixed)
        return Output(rows.pad(self.goal.to_output(logits)), padded, rows.pad(weights), extras)

    def loss(self, batch: Batch, output: Output) -> dict[str, Tensor]:
        """L_total = L_uni + L_mm + L_moe (eq. 12–18), each term a mean over real, labelled utterances.

        Returns:
            ``total`` and the named terms it is made of, scalars.
        """
        c = self.config
        real, y = self.goal.truth(batch)
        present = {m: mask[real] for m, mask in output.extras["present"].items()}
        experts = {name: self.goal.to_network(z[real]) for name, z in output.experts.items()}
        terms: dict[str, Tensor] = {}
        if c.expert_losses or len(experts) == 1:
            for name, z in experts.items():
                here = present.get(name)
                rows = slice(None) if here is None else here
                terms[f"{self.goal.term}_{name}"] = self.goal.loss(z[rows], y[rows])
        if c.expert_losses and c.beta and "contrastive" in output.extras:
            streams = {m: stream[real] for m, stream in output.extras["contrastive"].items()}
            terms["contrastive"] = c.beta * self._contrastive(streams, self.goal.groups(y), present)
        if len(experts) > 1:
            terms[f"{self.goal.term}_mixture"] = self.goal.loss(self.goal.to_network(output.logits[real]), y)
            if c.expert_losses and c.kl_weight:
                terms["kl"] = c.kl_weight * self._consistency(experts, present)
            if c.gate_loss and output.weights is not None:
                z = torch.stack(list(experts.values()), dim=1)
                terms["gate"] = c.gate_loss * self.goal.gate(output.weights[real], z, y)
        terms["total"] = torch.stack(list(terms.values())).sum()
        return terms

    def _contrastive(self, streams: dict[str, Tensor], labels: Tensor, present: dict[str, Tensor]) -> Tensor:
        total, number = labels.new_zeros((), dtype=torch.float32), len(labels)
        for start in range(0, max(number, 1), CONTRASTIVE_PART):
            part = slice(start, start + CONTRASTIVE_PART)
            here = {m: mask[part] for m, mask in present.items()}
            rows_of = torch.cat([streams[m][part][here[m]] for m in self.modalities])
            labels_of = torch.cat([labels[part][here[m]] for m in self.modalities])
            share = min(CONTRASTIVE_PART, number - start) / number if number else 1.0
            total = total + share * supervised_contrastive_loss(rows_of, labels_of, self.config.tau)
        return total

    def _consistency(self, experts: dict[str, Tensor], present: dict[str, Tensor]) -> Tensor:
        everywhere = torch.ones(len(experts[FUSION]), dtype=torch.bool, device=experts[FUSION].device)
        students = [(experts[m], present[m]) for m in self.modalities]
        if self.config.kl == "directional":
            return directional_kl(experts[FUSION], students, self.goal.apart)
        return symmetric_kl([*students, (experts[FUSION], everywhere)], self.goal.apart)

    def _drop_modalities(self, present: dict[str, Tensor]) -> dict[str, Tensor]:
        return hide_modalities(present, self.config.modality_dropout) if self.training else present
