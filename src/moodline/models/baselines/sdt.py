"""SDT: transformers within and between modalities, gates of two levels, self-distillation (Ma et al. 2023).

    intra: x_m attends to x_m;  inter: x_m attends to x_n, n ≠ m          over the conversation
    each of these is gated number by number, z = σ(W h) ∘ h; side by side they give h_m
    h = Σ_m a_m h_m,   a = softmax_m(W h_m)                               the gate over modalities

Each modality has a student classifier that learns the labels and the soft answers of the whole:

    L = L_task(whole) + γ₁ Σ_m L_task(student_m) + γ₂ Σ_m KL(whole ‖ student_m),  both at temperature τ

Positions are sines; a learned vector of the speaker is added. A modality that is missing is attended to by nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from moodline.core.batch import Batch, Output
from moodline.models.baselines.base import Baseline, BaselineConfig, Turns
from moodline.models.baselines.crossing import Crossing, heads_problem
from moodline.nn.inputs import SpeakerInput
from moodline.nn.positions import sinusoids


@dataclass(frozen=True)
class SdtConfig(BaselineConfig):
    """Settings of SDT."""

    heads: int = 4
    """Attention heads; must divide ``hidden``."""
    student: float = 1.0
    """γ₁, weight of the students' own task."""
    distillation: float = 1.0
    """γ₂, weight of the distillation."""
    temperature: float = 1.0
    """τ."""
    speakers: int = 9
    """How many speakers of a conversation have a vector of their own."""

    def problems(self) -> list[str]:
        """See ``BaselineConfig.problems``."""
        own = heads_problem(self.heads, self.hidden)
        if self.student < 0 or self.distillation < 0 or self.temperature <= 0 or self.speakers < 1:
            own.append("student and distillation must not be negative, temperature and speakers must be positive")
        return super().problems() + own


class Sdt(Baseline):
    """See the module."""

    Config = SdtConfig
    description = "SDT: transformers within and between modalities, gates, self-distillation (TMM 2023)."

    def __init__(self, config: SdtConfig) -> None:
        super().__init__(config)
        h, names = config.hidden, list(config.dims)
        self.who = SpeakerInput(config.speakers, h)
        self.crossings = nn.ModuleDict(
            {f"{m}-{n}": Crossing(h, config.heads, config.dropout) for m in names for n in names}
        )
        self.filters = nn.ModuleDict({f"{m}-{n}": nn.Linear(h, h, bias=False) for m in names for n in names})
        self.join = nn.ModuleDict({m: nn.Linear(h * len(names), h) for m in names})
        self.gate = nn.Linear(h, h, bias=False)
        self.students = nn.ModuleDict({m: nn.Linear(h, config.classes) for m in names})
        self.head(h)

    def encode(self, turns: Turns, extras: dict[str, Any]) -> Tensor:
        """See ``Baseline.encode``; S = H."""
        rows, names = turns.rows, list(turns.x)
        place = sinusoids(rows.places, self.config.hidden).to(next(iter(turns.x.values())))
        x = {m: rows.pad(v + place + self.who(turns.speakers)) for m, v in turns.x.items()}  # [B, U, H]
        here = {m: rows.pad(turns.present[m]) for m in names}
        each = {}
        for m in names:
            parts = []
            for n in names:
                crossed = rows.pack(self.crossings[f"{m}-{n}"](x[m], x[n], here[n]))
                parts.append(torch.sigmoid(self.filters[f"{m}-{n}"](crossed)) * crossed)
            each[m] = self.join[m](torch.cat(parts, -1))  # [N, H]
        stacked = torch.stack([each[m] for m in names], 1)  # [N, M, H]
        available = torch.stack([turns.present[m] for m in names], 1)[..., None]
        scores = self.gate(stacked).masked_fill(~available & available.any(1, keepdim=True), float("-inf"))
        if self.training:
            extras["students"] = {m: self.students[m](self.dropout(state)) for m, state in each.items()}  # M × [N, C]
        return (F.softmax(scores, 1) * stacked).sum(1)

    def loss(self, batch: Batch, output: Output) -> dict[str, Tensor]:
        """The task's loss of the whole, and in training those of the students.

        Returns:
            ``total``, ``student`` and ``distillation``.
        """
        terms = super().loss(batch, output)
        students: dict[str, Tensor] = output.extras.get("students", {})
        if not students:
            return terms
        real, y = self.goal.truth(batch)
        if not len(y):
            return terms
        kept = real[batch.valid]
        whole = self.goal.to_network(output.logits[real])
        own, soft = whole.new_zeros(()), whole.new_zeros(())
        t = self.config.temperature
        for answers in students.values():
            z = answers[kept]
            own = own + self.goal.loss(z, y)
            soft = soft + self.goal.apart(whole.detach() / t, z / t).mean()
        total = terms["total"] + self.config.student * own + self.config.distillation * soft
        return {"total": total, "student": own, "distillation": soft}
