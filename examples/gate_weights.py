"""Which expert decides? Print a trained run's gate weights by class, and utterance by utterance.

python examples/gate_weights.py [RUN DATA]

Without arguments it trains on the made-up features of ``own_features.py`` first.
"""

import sys
import tempfile
from pathlib import Path

from own_features import RECIPE, write_corpus

from moodline import read_corpus
from moodline.experiments.evaluate import predict_split
from moodline.experiments.runs import Run
from moodline.experiments.train import train
from moodline.pipeline.checkpoint import load_checkpoint
from moodline.pipeline.recipe import Recipe, parse

if len(sys.argv) == 3:
    run, data = Run.load(Path(sys.argv[1])), Path(sys.argv[2])
else:
    place = Path(tempfile.mkdtemp())
    data = write_corpus(place / "data")
    run = train(parse(Recipe, RECIPE, "gate-weights"), data, place / "run")

checkpoint = load_checkpoint(run.directory / f"seed-{run.seeds[0]}")
corpus = read_corpus(run.recipe.corpus.name, data, **run.recipe.corpus.options)
dev = corpus.splits["dev"]  # look at dev as often as you like; test is for the one evaluation
answers = predict_split(checkpoint, corpus, dev)
experts = list(answers[0].experts)


def line(title, weights):
    """One row of the table."""
    print(f"{title:24}", *(f"{name} {w:.2f}" for name, w in zip(experts, weights, strict=True)), sep="  ")


for number, label in enumerate(corpus.labels.labels):
    rows = [w for a in answers for w, y in zip(a.weights, a.labels, strict=True) if y == number]
    line(f"{label} ({len(rows)})", sum(rows) / len(rows) if rows else [])
for utterance, weights, logits in zip(dev[0], answers[0].weights, answers[0].logits, strict=True):
    line(f"{utterance.id}: {corpus.labels.labels[logits.argmax()]}", weights)
