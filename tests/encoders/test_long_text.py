"""Long turns: every word is read, and short ones are read as ever."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodline.core.conversation import Conversation, Utterance
from moodline.encoders.inputs import TextInput
from moodline.encoders.long_text import encode_whole, parts
from moodline.pipeline.recognizer import Recognizer


class Letters:
    """Reads at most so many characters; its vector counts letters."""

    kind = "utterance"

    def __init__(self, most: int) -> None:
        self.most = most

    def cuts(self, inputs):
        return [len(x.text) > self.most for x in inputs]

    def encode(self, inputs):
        return [np.array([x.text[: self.most].count(c) / len(x.text) for c in "abc"], np.float32) for x in inputs]


@settings(max_examples=200)
@given(st.text("abc .,", min_size=1, max_size=300), st.integers(1, 40))
def test_parts_hold_every_letter_and_none_is_cut(text: str, most: int) -> None:
    some = parts(Letters(most), TextInput(text, ("before",)))
    assert "".join(p.text for p in some).replace(" ", "") == text.replace(" ", "")
    assert all(len(p.text) <= most for p in some)
    assert all(p.context == ("before",) for p in some)


def test_the_vector_is_the_mean_weighted_by_length() -> None:
    long, short = TextInput("aaaa. bbbbbbbbb."), TextInput("abc")
    whole, alone = encode_whole(Letters(10), [long, short])  # type: ignore[arg-type]
    a, b = np.array([4 / 5, 0, 0]), np.array([0, 9 / 10, 0])
    assert whole == pytest.approx((5 * a + 10 * b) / 15)
    assert alone == pytest.approx([1 / 3] * 3)


def test_the_end_of_a_long_turn_counts() -> None:
    calm = "We went through the list of the rooms and wrote down what was there. " * 12
    angry = "I am furious with you, this is outrageous and I hate it, how dare you! " * 12
    recognizer = Recognizer.load("meld-text", "cpu")
    talks = [Conversation("c", (Utterance("u", "A", text=text),)) for text in (calm, calm + angry)]
    first, second = (recognizer.recognize(t) for t in talks)
    assert second.utterances[0].probabilities["anger"] > 2 * first.utterances[0].probabilities["anger"]
    assert not [n for n in second.notes if "word pieces" in n]
