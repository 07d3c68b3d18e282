"""DialogueRNN: a state for the conversation, one for each speaker, one for the emotion (Majumder et al. 2019, AAAI).

For utterance t of speaker s, with u_t the projected modalities side by side:

    g_t = GRU_G([u_t; q_s], g_{t−1})                    the conversation
    c_t = Σ_{i<t} α_i g_i,   α = softmax(u_tᵀ W g)      what was said before, 0 at the first utterance
    q_s = GRU_P([u_t; c_t], q_s)                        the speaker's state
    e_t = GRU_E(q_s, e_{t−1})                           the emotion

Both directions side by side (BiDialogueRNN), then attention over all emotion states of the conversation (+ Att). Other
parties' states stay as they are while they listen, as in the released code's default. Utterances of unknown speakers
share one state.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from moodline.models.baselines.base import Baseline, BaselineConfig, Turns


class _Direction(nn.Module):
    """One direction over padded conversations."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.conversation = nn.GRUCell(width + hidden, hidden)
        self.party = nn.GRUCell(width + hidden, hidden)
        self.emotion = nn.GRUCell(hidden, hidden)
        self.attend = nn.Linear(width, hidden, bias=False)

    def forward(self, u: Tensor, who: Tensor, valid: Tensor, parties: int) -> Tensor:
        """Emotion states [B, U, H] of utterances u [B, U, D], speakers [B, U] below ``parties``, valid [B, U]."""
        batch = len(u)
        q = u.new_zeros(batch, parties, self.hidden)
        g, e = u.new_zeros(batch, self.hidden), u.new_zeros(batch, self.hidden)
        before: list[Tensor] = []
        out = []
        line = torch.arange(batch, device=u.device)
        for t in range(u.shape[1]):
            here, speaker = valid[:, t, None], who[:, t]
            own = q[line, speaker]  # [B, H]
            if before:
                past = torch.stack(before, 1)  # [B, t, H]
                alpha = F.softmax((past @ self.attend(u[:, t])[:, :, None]).squeeze(-1), 1)
                c = (alpha[:, :, None] * past).sum(1)
            else:
                c = torch.zeros_like(g)
            g = torch.where(here, self.conversation(torch.cat([u[:, t], own], -1), g), g)
            new = self.party(torch.cat([u[:, t], c], -1), own)
            chosen = F.one_hot(speaker, parties).bool()[:, :, None] & here[:, :, None]  # [B, parties, 1]
            q = torch.where(chosen, new[:, None], q)
            e = torch.where(here, self.emotion(new, e), e)
            before.append(g)
            out.append(e)
        return torch.stack(out, 1)


class DialogueRnn(Baseline):
    """See the module."""

    description = "DialogueRNN: states of conversation, speakers and emotion, both directions (AAAI 2019)."

    def __init__(self, config: BaselineConfig) -> None:
        super().__init__(config)
        width, half = config.hidden * len(config.dims), config.hidden // 2
        self.forwards, self.backwards = _Direction(width, half), _Direction(width, half)
        self.attention = nn.Linear(config.hidden, config.hidden, bias=False)
        self.last = nn.Linear(config.hidden, config.hidden)
        self.head(config.hidden)

    def encode(self, turns: Turns, extras: dict[str, Any]) -> Tensor:
        """See ``Baseline.encode``; S = H."""
        rows = turns.rows
        u = rows.pad(torch.cat(list(turns.x.values()), -1))  # [B, U, M·H]
        parties = int(turns.speakers.max()) + 2 if len(turns.speakers) else 1
        who = rows.pad(torch.where(turns.speakers < 0, parties - 1, turns.speakers))
        turn = _reversal(rows.lengths, u.shape[1])
        first = self.forwards(u, who, rows.valid, parties)
        second = self.backwards(_take(u, turn), who.gather(1, turn), rows.valid, parties)
        e = self.dropout(torch.cat([first, _take(second, turn)], -1))  # [B, U, H]
        scores = self.attention(e) @ e.transpose(1, 2)  # [B, U, U]
        beta = F.softmax(scores.masked_fill(~rows.valid[:, None], float("-inf")), -1)
        return rows.pack(torch.relu(self.last(beta @ e)))


def _reversal(lengths: Tensor, size: int) -> Tensor:
    """int64 [B, U]: the places of each conversation from its last utterance to its first; padding stays."""
    places = torch.arange(size, device=lengths.device)[None].expand(len(lengths), size)
    return torch.where(places < lengths[:, None], lengths[:, None] - 1 - places, places)


def _take(x: Tensor, places: Tensor) -> Tensor:
    return x.gather(1, places[:, :, None].expand(-1, -1, x.shape[-1]))
