"""bc-LSTM: contextual LSTMs, one for each modality and one over all (Poria et al. 2017, ACL P17-1081).

    h_m = BiLSTM_m(x_m)                 over the utterances of a conversation
    h = BiLSTM([h_1; …; h_M])

The paper trains the LSTMs of single modalities first and freezes them; here all is trained at once.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from moodline.models.baselines.base import Baseline, BaselineConfig, Turns
from moodline.nn.recurrent import BiLSTM


class BcLstm(Baseline):
    """See the module."""

    description = "bc-LSTM: contextual LSTMs of each modality, and one over all (ACL 2017)."

    def __init__(self, config: BaselineConfig) -> None:
        super().__init__(config)
        half = config.hidden // 2
        self.single = nn.ModuleDict({m: BiLSTM(config.hidden, half) for m in config.dims})
        self.whole = BiLSTM(config.hidden * len(config.dims), half)
        self.head(config.hidden)

    def encode(self, turns: Turns, extras: dict[str, Any]) -> Tensor:
        """See ``Baseline.encode``; S = H."""
        each = [self.single[m](x, turns.rows) for m, x in turns.x.items()]  # M × [N, H]
        states: Tensor = self.whole(self.dropout(torch.cat(each, -1)), turns.rows)
        return states
