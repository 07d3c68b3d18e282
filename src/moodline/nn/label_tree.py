"""Answers as paths in a tree of tokens, so that a language model scores all of them in one forward pass.

Each answer is a sequence of tokens that ends with an end marker. Common beginnings are one path, which parts where the
answers do: an answer may begin as another one does, or be the beginning of another. The tree's inner nodes are laid
side by side behind the prompt, each seeing the prompt and its own ancestors only, at the position it would have alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class LabelTree:
    """The tree of A answers, with J nodes beside the root.

    Node 0 is the root, the end of the prompt; nodes 1 … J have a token each. An edge leads from a node to a token that
    may follow it, the end marker among them.

    Attributes:
        tokens: int64 [J], the nodes' tokens.
        depth: int64 [J], 0 for those right behind the prompt.
        ancestors: bool [J, J], True where the column is the row's ancestor or itself.
        edge_from: int64 [E], the node that an edge leaves.
        edge_token: int64 [E], the token it leads to.
        paths: float [A, E], 1 at the edges of an answer.
        lengths: int64 [A], the answers' tokens, the end marker included.
    """

    tokens: Tensor
    depth: Tensor
    ancestors: Tensor
    edge_from: Tensor
    edge_token: Tensor
    paths: Tensor
    lengths: Tensor

    @classmethod
    def build(cls, answers: Sequence[Sequence[int]], end: int, forced: bool = True) -> LabelTree:
        """Make the tree.

        Args:
            answers: token numbers of each answer, at least one each, without the end marker; no two are the same.
            end: the end marker.
            forced: keep edges without an alternative. In constrained decoding they are certain and need no node.
        """
        whole = [(*answer, end) for answer in answers]
        follow: dict[tuple[int, ...], dict[int, None]] = {}
        for answer in whole:
            for n, token in enumerate(answer):
                follow.setdefault(answer[:n], {})[token] = None
        chosen = {node for node, tokens in follow.items() if forced or len(tokens) > 1}
        nodes = {node[:n]: None for node in follow if node in chosen for n in range(len(node) + 1)}  # and the ancestors
        number = {node: n for n, node in enumerate({(): None, **nodes})}
        edges = {(node, token): None for node in number if node in chosen for token in follow[node]}
        edge_number = {edge: n for n, edge in enumerate(edges)}
        inner = [node for node in number if node]
        ancestors = torch.zeros(len(inner), len(inner), dtype=torch.bool)
        for node in inner:
            for n in range(1, len(node) + 1):
                ancestors[number[node] - 1, number[node[:n]] - 1] = True
        paths = torch.zeros(len(answers), len(edges))
        for a, answer in enumerate(whole):
            for n, token in enumerate(answer):
                if (answer[:n], token) in edges:
                    paths[a, edge_number[answer[:n], token]] = 1.0
        return cls(
            tokens=torch.tensor([node[-1] for node in inner], dtype=torch.int64),
            depth=torch.tensor([len(node) - 1 for node in inner], dtype=torch.int64),
            ancestors=ancestors,
            edge_from=torch.tensor([number[node] for node, _ in edges], dtype=torch.int64),
            edge_token=torch.tensor([token for _, token in edges], dtype=torch.int64),
            paths=paths,
            lengths=torch.tensor([len(answer) for answer in whole]),
        )

    def scores(self, columns: Tensor, normalizer: Tensor) -> Tensor:
        """log p of every answer under a language model: the sum over its tokens and the end marker.

        Args:
            columns: [N, J + 1, K], what the nodes' states give for the K tokens of ``vocabulary``.
            normalizer: [N, J + 1], what is subtracted from them: log Σ exp over the tokens that may follow.

        Returns:
            [N, A].
        """
        place = torch.searchsorted(self.vocabulary, self.edge_token).to(columns.device)
        start = self.edge_from.to(columns.device)
        return (columns[:, start, place] - normalizer[:, start]) @ self.paths.to(columns.device).T

    @property
    def vocabulary(self) -> Tensor:
        """All tokens that edges lead to, sorted, int64 [K]."""
        return self.edge_token.unique()

    def allowed(self) -> Tensor:
        """bool [J + 1, K], which of ``vocabulary`` may follow a node."""
        out = torch.zeros(len(self.tokens) + 1, len(self.vocabulary), dtype=torch.bool)
        out[self.edge_from, torch.searchsorted(self.vocabulary, self.edge_token)] = True
        return out
