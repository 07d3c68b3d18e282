"""Asking a language model: prompts with pseudo tokens in them, and how likely each answer is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moodline.core.errors import ConfigError
from moodline.nn.label_tree import LabelTree
from moodline.nn.language_model import LanguageModel
from moodline.nn.prompting import Prompt

PLACES_AT_ONCE = 4096
"""Padded places of prompts that go through the language model together."""


@dataclass(frozen=True)
class Extension:
    """Tokens behind a prompt and what they see: G places, of one answer each or of a tree of answers.

    Attributes:
        tokens: int64 [N, G].
        depth: int64 [G], places behind the prompt.
        sees: bool [G, G], of the others; the prompt is always seen.
    """

    tokens: Tensor
    depth: Tensor
    sees: Tensor


class LabelScorer(nn.Module):
    """Puts pseudo tokens and words into a prompt and scores the answers.

    Prompts of similar length go together, filled up on the right; neither company nor filling changes a score.

    Args:
        language: the language model.
        prompt: fixed parts and answers.
        constrained: scores are those of decoding that is constrained to the answers: each token's probability is
            among those that may follow, not among all. Cheaper, and the answers' probabilities add up to 1.
    """

    def __init__(self, language: LanguageModel, prompt: Prompt, constrained: bool) -> None:
        super().__init__()
        self.language, self.prompt, self.constrained = language, prompt, constrained
        spoken = {prompt.end, *(token for answer in prompt.answers for token in answer)}
        if max(spoken) >= language.network.get_input_embeddings().num_embeddings:
            raise ConfigError(
                f"backbone {language.id}: its tokenizer has tokens that its weights do not know",
                max(spoken),
                "Give the tokenizer and the weights of the same model.",
            )
        self.tree = LabelTree.build(prompt.answers, prompt.end, forced=not constrained)

    def forward(self, pseudo: Tensor, words: Sequence[Sequence[int]]) -> Tensor:
        """log p of every answer.

        Args:
            pseudo: [N, n, H], the pseudo tokens.
            words: tokens of each utterance; empty where it has none.

        Returns:
            [N, A].
        """
        device = pseudo.device
        vocabulary, allowed = self.tree.vocabulary.to(device), self.tree.allowed().to(device)
        out = []
        for rows, prompts in self._parts(words):
            side_by_side = self.tree.tokens.to(device).expand(len(rows), -1)
            depth, sees = self.tree.depth.to(device), self.tree.ancestors.to(device)
            states = self._states(pseudo[rows], prompts, Extension(side_by_side, depth, sees))
            columns = self.language.logits(states, vocabulary)
            if self.constrained:
                normalizer = columns.masked_fill(~allowed, float("-inf")).logsumexp(-1)
            else:
                normalizer = self.language.normalizer(states)
            out.append(self.tree.scores(columns, normalizer))
        return torch.cat(out)[_places(self._order(words)).to(device)]

    def log_probability_of(self, pseudo: Tensor, words: Sequence[Sequence[int]], chosen: Tensor) -> Tensor:
        """log p of one answer for each utterance, among all tokens: what a language model is trained with.

        Args:
            pseudo, words: as above.
            chosen: int64 [N], the answers' numbers.

        Returns:
            [N].
        """
        longest = max(len(a) for a in self.prompt.answers)
        end, device = self.prompt.end, pseudo.device
        inputs = torch.tensor([[*a, *[end] * (longest - len(a))] for a in self.prompt.answers])
        targets = torch.tensor([[*a, end, *[-100] * (longest - len(a))] for a in self.prompt.answers])
        depth, sees = torch.arange(longest, device=device), torch.ones(longest, longest, dtype=torch.bool).tril()
        out = []
        for rows, prompts in self._parts(words):
            which = chosen[rows].cpu()
            behind = Extension(inputs[which].to(device), depth, sees.to(device))
            logits = self.language.logits(self._states(pseudo[rows], prompts, behind))
            loss = F.cross_entropy(logits.flatten(0, 1), targets[which].to(device).flatten(), reduction="none")
            out.append(-loss.view(len(rows), -1).sum(1))
        return torch.cat(out)[_places(self._order(words)).to(device)]

    def prompts(self, words: Sequence[Sequence[int]], pseudo: int) -> list[list[int]]:
        """The tokens of each prompt, 0 at the places of pseudo tokens."""
        p = self.prompt
        return [
            [*p.head, *[0] * pseudo, *p.close, *((*p.before, *w, *p.after) if len(w) else ()), *p.question]
            for w in words
        ]

    def embed(self, prompts: Sequence[Sequence[int]], pseudo: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings [N, S, H] of prompts, filled up on the right, and their lengths [N]."""
        lengths = torch.tensor([len(p) for p in prompts])
        longest = int(lengths.max())
        ids = torch.tensor([[*p, *[0] * (longest - len(p))] for p in prompts], device=pseudo.device)
        words, start = self.language.embed(ids), len(self.prompt.head)
        stop = start + pseudo.shape[1]
        return torch.cat([words[:, :start], pseudo.to(words.dtype), words[:, stop:]], 1), lengths.to(pseudo.device)

    def _order(self, words: Sequence[Sequence[int]]) -> list[int]:
        return sorted(range(len(words)), key=lambda n: len(words[n]))

    def _parts(self, words: Sequence[Sequence[int]]) -> Iterator[tuple[list[int], list[list[int]]]]:
        """Utterances of similar length with their prompts, a few at a time, the shortest first."""
        order, p = self._order(words), self.prompt
        room = len((*p.head, *p.close, *p.before, *p.after, *p.question)) + len(self.tree.tokens) + 4
        while order:
            size = len(order)
            while size > 1 and size * (len(words[order[size - 1]]) + room) > PLACES_AT_ONCE:
                size -= 1
            rows, order = order[:size], order[size:]
            yield rows, [list(words[n]) for n in rows]

    def _states(self, pseudo: Tensor, words: Sequence[Sequence[int]], behind: Extension) -> Tensor:
        """The language model's states at the end of each prompt and at the places behind it, [N, G + 1, H]."""
        embeddings, lengths = self.embed(self.prompts(words, pseudo.shape[1]), pseudo)
        n, size, more = len(embeddings), embeddings.shape[1], behind.tokens.shape[1]
        places = self.language.places
        if places is not None and size + more > places:
            raise ConfigError(
                f"egmf: the backbone {self.language.id} reads {places} tokens",
                f"a prompt with its answers of {size + more}",
                "Lower modalities.text.encoder.max_tokens.",
            )
        device = embeddings.device
        here = torch.arange(size, device=device)
        real = here < lengths[:, None]
        within = (here[:, None] >= here) & (real[:, None] | (here[:, None] == here))
        above = torch.cat([within, within.new_zeros(n, size, more)], 2)
        below = torch.cat([real[:, None].expand(-1, more, -1), behind.sees.expand(n, -1, -1)], 2)
        positions = torch.cat([here.expand(n, -1), lengths[:, None] + behind.depth], 1)
        embeddings = torch.cat([embeddings, self.language.embed(behind.tokens).to(embeddings.dtype)], 1)
        states = self.language.hidden(embeddings, torch.cat([above, below], 1), positions)
        last = states[torch.arange(n, device=device), lengths - 1]
        return torch.cat([last[:, None], states[:, size:]], 1)


def _places(order: list[int]) -> Tensor:
    """Where each row stands in an order."""
    return torch.tensor(order).argsort()
