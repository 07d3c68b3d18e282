"""Answers as paths of a tree: who sees whom, what an answer's score is made of."""

from __future__ import annotations

import torch

from moodline.nn.label_tree import LabelTree

ANSWERS = [(5,), (5, 6), (5, 7, 8), (9,)]
END = 1


def test_nodes_are_the_beginnings_of_answers() -> None:
    tree = LabelTree.build(ANSWERS, END)
    assert tree.tokens.tolist() == [5, 6, 7, 8, 9]
    assert tree.depth.tolist() == [0, 1, 1, 2, 0]
    seen = [[n for n, yes in enumerate(row) if yes] for row in tree.ancestors.tolist()]
    assert seen == [[0], [0, 1], [0, 2], [0, 2, 3], [4]]
    assert tree.lengths.tolist() == [2, 3, 4, 2]


def test_a_score_is_the_sum_along_its_path() -> None:
    tree = LabelTree.build(ANSWERS, END)
    torch.manual_seed(0)
    logits = torch.randn(2, 6, 12)
    log_p = logits.log_softmax(-1)
    found = tree.scores(logits[..., tree.vocabulary], logits.logsumexp(-1))
    number = {(): 0, (5,): 1, (5, 6): 2, (5, 7): 3, (5, 7, 8): 4, (9,): 5}
    for a, answer in enumerate(ANSWERS):
        whole = (*answer, END)
        expected = sum(log_p[:, number[whole[:n]], token] for n, token in enumerate(whole))
        assert torch.allclose(found[:, a], torch.as_tensor(expected), atol=1e-5)


def test_constrained_trees_have_only_what_parts() -> None:
    tree = LabelTree.build(ANSWERS, END, forced=False)
    assert tree.tokens.tolist() == [5]  # after 5 there is a choice; all other steps are certain
    columns = torch.randn(3, 2, len(tree.vocabulary))
    allowed = columns.masked_fill(~tree.allowed(), float("-inf")).logsumexp(-1)
    assert torch.allclose(tree.scores(columns, allowed).exp().sum(1), torch.ones(3), atol=1e-5)


def test_answers_of_different_first_tokens_need_no_node() -> None:
    tree = LabelTree.build([(5,), (6, 7), (8,)], END, forced=False)
    assert tree.tokens.tolist() == []
    assert tree.edge_token.tolist() == [5, 6, 8]


def test_one_answer_alone_is_certain() -> None:
    tree = LabelTree.build([(5, 6)], END, forced=False)
    assert tree.scores(torch.zeros(2, 1, 0), torch.zeros(2, 1)).tolist() == [[0.0], [0.0]]
