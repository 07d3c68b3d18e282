"""What of a conversation answers a query: one head of attention that tells where it looked."""

from __future__ import annotations

import torch
from torch import Tensor

from moodline.nn.local_attention import Windows
from moodline.nn.packing import PackedUtterances


def recall(
    query: Tensor, memory: Tensor, real: Tensor, rows: PackedUtterances, window: int = 0, kept: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """α = softmax_j(M_j · q), r = Σ_j α_j M_j for all utterances at once.

    Args:
        query: [N, D].
        memory: [N, D].
        real: bool [N], which places of the memory may be looked at.
        rows: which conversation each row belongs to; no other is looked at.
        window: only places less than so many away; 0 is the whole conversation.
        kept: how many of the largest α to give back; 0 for none.

    Returns:
        r [N, D], zero where nothing within reach is real; the largest α [N, P] and their places in the conversation
        int64 [N, P], −1 where there are fewer; P is ``kept`` or what there is.
    """
    q, m, mask = rows.pad(query), rows.pad(memory), rows.pad(real)
    first = torch.zeros(len(q), dtype=torch.int64, device=q.device)
    windows = Windows(rows.valid, window) if window and rows.shape[1] > window else None
    if windows is None:
        allowed = mask[:, None]
    else:
        q, m, first = windows.own(q), windows.around(m), windows.first
        allowed = windows.near & windows.around(mask)[:, None]
    scores = torch.einsum("gsd,grd->gsr", q, m)
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    weights = torch.where(allowed, scores.masked_fill(~allowed, torch.finfo(scores.dtype).min).softmax(-1), 0.0)
    found = torch.einsum("gsr,grd->gsd", weights.to(m), m)
    if not kept:
        none = weights.new_zeros(len(query), 0)
        return rows.pack(windows.back(found) if windows else found), none, none.long()
    largest, at = weights.detach().topk(min(kept, weights.shape[-1]), dim=-1)
    places = torch.where(largest > 0, at + first[:, None, None], -1)
    if windows is not None:
        found, largest, places = (windows.back(x) for x in (found, largest, places))
    return rows.pack(found), rows.pack(largest), rows.pack(places)
