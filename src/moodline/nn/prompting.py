"""What a language model is asked, in words, and which tokens its answers are. All wordings are this project's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from moodline.core.errors import ConfigError

MARK = "\x1f"
"""Stands for the prompt's content while a chat template is cut into what goes before and what goes after."""


@dataclass(frozen=True)
class Wording:
    """The fixed texts around pseudo tokens and words.

    Attributes:
        prefix, suffix: around the pseudo tokens.
        before, after: around the utterance's words, where they are in the prompt.
        classes: the question after classes; ``{labels}`` is the list of them.
        scores: the question after a score; ``{low}`` and ``{high}`` are its range.
        joint: between question and answer, where no chat template parts them.
        comma: between labels.
    """

    prefix: str
    suffix: str
    before: str
    after: str
    classes: str
    scores: str
    joint: str
    comma: str


WORDINGS = {
    "en": Wording(
        "Clues of voice, face and words: <",
        ">\n",
        "Words:\n",
        "\n",
        "What does the speaker of the last line feel? One of: {labels}.\nAnswer:",
        "How positive is the last line, as a number from {low} to {high}?\nAnswer:",
        " ",
        ", ",
    ),
    "en-short": Wording("<", ">\n", "", "\n", "Feeling:", "Score:", " ", ", "),
    "zh": Wording(
        "声音、表情与话语的线索：<",
        ">\n",
        "话语：\n",
        "\n",
        "最后一句的说话人是什么情绪？请从以下选项中选择：{labels}。\n回答：",
        "最后一句的情感有多积极？请给出{low}到{high}之间的数。\n回答：",
        "",
        "、",
    ),
    "zh-short": Wording("<", ">\n", "", "\n", "情绪：", "分数：", "", "、"),
}
"""Name to wording; ``-short`` ones name no labels and cost few tokens."""


@dataclass(frozen=True)
class Prompt:
    """The tokens of a prompt's fixed parts, and of the answers.

    ``head`` pseudo ``close`` [``before`` words ``after``] ``question``, then an answer and ``end``.
    """

    head: tuple[int, ...]
    close: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    question: tuple[int, ...]
    answers: tuple[tuple[int, ...], ...]
    end: int


def make_prompt(
    tokenizer: Any,
    wording: Wording,
    answers: Sequence[str],
    scores: tuple[float, float] | None = None,
    chat: bool | None = None,
) -> Prompt:
    """Tokenize a prompt's parts.

    Args:
        tokenizer: of transformers; it needs no padding token.
        wording: the texts.
        answers: the texts that may be answered: labels, or numbers.
        scores: the range of the numbers; None for labels.
        chat: whether the tokenizer's chat template goes around; None: where it has one.

    Raises:
        ConfigError: there is no chat template; an answer has no token, or the same as another.
    """
    template = getattr(tokenizer, "chat_template", None)
    if chat and not template:
        raise ConfigError(
            "prompt: the backbone's tokenizer has no chat template", fix="Leave chat out, or set it to false."
        )
    opening, closing, end = _frame(tokenizer, bool(template) if chat is None else chat)
    question = wording.classes.format(labels=wording.comma.join(answers))
    if scores is not None:
        question = wording.scores.format(low=f"{scores[0]:g}", high=f"{scores[1]:g}")
    joint = "" if closing else wording.joint

    def tokens(text: str) -> tuple[int, ...]:
        return tuple(tokenizer.encode(text, add_special_tokens=False))

    def behind(base: str, text: str) -> tuple[int, ...]:
        """Tokens of ``text`` as they are behind ``base``: some tokenizers write a first word otherwise."""
        whole, start = tokens(base + text), tokens(base)
        return whole[len(start) :] if whole[: len(start)] == start else tokens(text)

    question += closing
    found = [behind(question, joint + answer) for answer in answers]
    unknown = getattr(tokenizer, "unk_token_id", None)
    for n, (answer, ids) in enumerate(zip(answers, found, strict=True)):
        if not [i for i in ids if i != unknown]:
            raise ConfigError(
                "prompt: the backbone's tokenizer has no tokens for an answer", answer, "Set other words."
            )
        if ids in found[:n]:
            same = answers[found.index(ids)]
            raise ConfigError(
                "prompt: two answers are the same to the backbone's tokenizer", f"{same}, {answer}", "Set other words."
            )
    head = (*_start(tokenizer, opening), *tokens(opening + wording.prefix))
    return Prompt(head, tokens(wording.suffix), tokens(wording.before), tokens(wording.after), tokens(question),
                  tuple(found), end)  # fmt: skip


def _frame(tokenizer: Any, chat: bool) -> tuple[str, str, int]:
    """What stands before and after a prompt's content, and the token that ends an answer."""
    if not chat:
        for name in ("eos_token_id", "sep_token_id"):
            if getattr(tokenizer, name, None) is not None:
                return "", "", int(getattr(tokenizer, name))
        return "", "", int((tokenizer.encode("\n", add_special_tokens=False) or tokenizer.encode("."))[-1])
    said = [{"role": "user", "content": MARK}]
    asked = tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True)
    opening, _, closing = asked.partition(MARK)
    answered = tokenizer.apply_chat_template([*said, {"role": "assistant", "content": MARK}], tokenize=False)
    rest = answered.rpartition(MARK)[2]
    after = tokenizer.encode(rest, add_special_tokens=False) if rest else []
    return opening, closing, int(after[0]) if after else int(tokenizer.eos_token_id)


def _start(tokenizer: Any, opening: str) -> tuple[int, ...]:
    """The token that begins a text, where there is one and the chat template does not bring it."""
    names = () if opening else ("bos_token_id", "cls_token_id")
    found = [getattr(tokenizer, name, None) for name in names]
    return tuple(int(token) for token in found if token is not None)[:1]
