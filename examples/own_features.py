"""Bring your own feature vectors, some of them missing, and train MiSTER-E on two modalities.

python examples/own_features.py [DIRECTORY]

The vectors are noise around a class centre; put the output of your own encoders in their place. Numbers mean nothing.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from moodline import Conversation, Utterance
from moodline.core.labels import LabelSet
from moodline.corpora.base import Corpus
from moodline.corpora.convert import write_house
from moodline.experiments.evaluate import evaluate
from moodline.experiments.train import train
from moodline.pipeline.recipe import Recipe, parse

LABELS, SIZES = LabelSet("my-3", ("calm", "tense", "angry")), {"speech": 12, "text": 20}
RECIPE = {
    "name": "own-features",
    "description": "Made-up speech and text vectors.",
    "corpus": {"name": "house"},
    "modalities": {m: {"features": m, "dim": size} for m, size in SIZES.items()},
    "model": {"name": "mister-e", "hidden": 16, "gru_layers": 1, "fusion_layers": 1, "heads": 2, "head_width": 8},
    "training": {"epochs": 4, "learning_rate": 3e-3},
}


def write_corpus(folder: Path) -> Path:
    """A house directory: conversations without words, a text vector each, a speech vector for four in five."""
    rng, splits, features = np.random.default_rng(0), {}, {m: {} for m in SIZES}
    for split, count in {"train": 24, "dev": 8, "test": 8}.items():
        numbers = {f"{split}{n}_u{u}": int(rng.integers(3)) for n in range(count) for u in range(5)}
        turns = [Utterance(key, emotion=LABELS.labels[y]) for key, y in numbers.items()]
        splits[split] = tuple(Conversation(f"{split}{n}", tuple(turns[5 * n : 5 * n + 5])) for n in range(count))
        for key, y in numbers.items():
            for m, size in SIZES.items():
                if m == "text" or rng.random() > 0.2:  # an utterance without a vector lacks the modality
                    features[m][key] = np.eye(size)[y] + 0.5 * rng.normal(size=size)
    write_house(Corpus("house", LABELS, splits, features), folder)
    return folder


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    data = write_corpus(place / "data")
    run = train(parse(Recipe, RECIPE, "own-features"), data, place / "run")
    print("test weighted F1:", evaluate(run, data)["mean"]["weighted_f1"])
