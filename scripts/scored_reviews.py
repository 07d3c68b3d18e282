"""Make a corpus of scored sentences in conversations: the customer reviews that VADER was evaluated on.

    pip download --no-deps --no-binary :all: vaderSentiment==3.3.2
    python scripts/scored_reviews.py vaderSentiment-3.3.2.tar.gz --out reviews

The source package of vaderSentiment (MIT licence) holds the sentences of some 300 customer reviews (Hu & Liu 2004),
each with the mean of 20 people's ratings from −4 (extremely negative) to 4 (Hutto & Gilbert 2014, ICWSM). A review
becomes a conversation with one speaker, its sentences the utterances in their order; whole reviews go to train, dev and
test. No other corpus with scores may be had freely, as far as we know: CMU-MOSI's go with its MMSA pickles.

Writes a house directory with ``scores.json``; a sentence's label is positive from a score of 0 on, as for CMU-MOSI.
"""

from __future__ import annotations

import argparse
import io
import tarfile
from pathlib import Path

import numpy as np

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import CorpusError
from moodline.core.labels import SENTIMENT_2, ValueScale
from moodline.corpora.base import Corpus
from moodline.corpora.convert import write_house
from moodline.corpora.files import sha256
from moodline.corpora.text import repair_text

INNER = "additional_resources/hutto_ICWSM_2014.tar.gz"
TABLE = "hutto_ICWSM_2014/amazonReviewSnippets_GroundTruth.txt"
SHARES = {"train": 0.6, "dev": 0.15, "test": 0.25}
"""Of the reviews."""
SCALE = ValueScale("reviews", -4.0, 4.0)


def read_table(package: Path) -> str:
    """The table of sentences in the source package.

    Raises:
        CorpusError: it is not there.
    """
    try:
        with tarfile.open(package) as outer:
            name = next(n for n in outer.getnames() if n.endswith(INNER))
            member = outer.extractfile(name)
            assert member is not None
            with tarfile.open(fileobj=io.BytesIO(member.read())) as inner:
                table = inner.extractfile(TABLE)
                assert table is not None
                return table.read().decode("utf-8")
    except (OSError, tarfile.TarError, StopIteration, KeyError, AssertionError, UnicodeDecodeError) as error:
        raise CorpusError(
            f"{package}: expected {INNER} and in it {TABLE}", error, "Pass the source package of vaderSentiment 3.3.2."
        ) from None


def reviews(table: str) -> list[Conversation]:
    """The reviews in the table's order; lines are ``review_sentence``, score, text."""
    turns: dict[str, list[Utterance]] = {}
    for number, line in enumerate(table.splitlines(), 1):
        parts = line.split("\t")
        if len(parts) != 3:
            raise CorpusError(f"line {number}: expected an id, a score and a text", len(parts))
        review = parts[0].partition("_")[0]
        score = round(float(parts[1]), 4)
        label = SENTIMENT_2.labels[int(score >= 0)]
        text = repair_text(parts[2])[0]
        turn = Utterance(f"review{parts[0]}", f"review{review}", text=text or None, emotion=label, value=score)
        turns.setdefault(review, []).append(turn)
    return [Conversation(f"review{key}", tuple(t)) for key, t in turns.items()]


def split(conversations: list[Conversation]) -> dict[str, tuple[Conversation, ...]]:
    """Whole reviews at random, always the same."""
    order = np.random.default_rng(0).permutation(len(conversations))
    ends = np.cumsum([round(share * len(order)) for share in SHARES.values()])[:-1]
    parts = zip(SHARES, np.split(order, ends), strict=True)
    return {name: tuple(conversations[i] for i in sorted(chosen)) for name, chosen in parts}


def main() -> None:
    """Read the arguments, write the corpus."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path, help="vaderSentiment-3.3.2.tar.gz")
    parser.add_argument("--out", type=Path, required=True, help="the house directory to write")
    arguments = parser.parse_args()
    splits = split(reviews(read_table(arguments.package)))
    info = {"source": "vaderSentiment 3.3.2, amazonReviewSnippets_GroundTruth.txt", "splits": SHARES}
    files = {arguments.package.name: sha256(arguments.package)}
    corpus = Corpus("reviews", SENTIMENT_2, splits, files=files, info=info, scale=SCALE)
    write_house(corpus, arguments.out)
    for name, conversations in splits.items():
        print(f"{name}: {len(conversations)} reviews, {sum(map(len, conversations))} sentences")


if __name__ == "__main__":
    main()
