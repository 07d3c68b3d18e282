"""Bring your own labelled conversations: write house JSON lines, train on them, test, use the model.

python examples/own_corpus.py [DIRECTORY]

The sentences are made up and far too few: the numbers it prints mean nothing.
"""

import json
import sys
import tempfile
from pathlib import Path

from moodline import Conversation, Recognizer, Utterance
from moodline.experiments.evaluate import evaluate
from moodline.experiments.train import train
from moodline.pipeline.recipe import load_recipe

folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()) / "own-corpus"
lines = {
    "glad": ["This is wonderful news!", "I am so happy for you.", "What a lovely day we had."],
    "cross": ["You broke it again!", "I told you not to touch it.", "Stop shouting at me."],
    "flat": ["The train leaves at nine.", "Put it on the table.", "It is the second door."],
}
turns = [
    (emotion, text) for texts in zip(*lines.values(), strict=True) for emotion, text in zip(lines, texts, strict=True)
]

(folder / "data").mkdir(parents=True, exist_ok=True)
(folder / "data" / "labels.json").write_text(json.dumps({"name": "my-3", "labels": list(lines)}))
for split, count in {"train": 6, "dev": 3, "test": 3}.items():
    with (folder / "data" / f"{split}.jsonl").open("w", encoding="utf-8") as file:
        for n in range(count):
            rows = [
                Utterance(f"{split}{n}_u{u}", speaker="AB"[u % 2], text=text, emotion=emotion)
                for u, (emotion, text) in enumerate(turns[n % 3 :])
            ]
            file.write(json.dumps(Conversation(f"{split}{n}", tuple(rows)).to_dict()) + "\n")

settings = ["name=own-corpus", "corpus.name=house", "training.epochs=3", "model.hidden=32"]
run = train(load_recipe("mister-e/meld-minilm", settings), folder / "data", folder / "run")
results = evaluate(run, folder / "data")
print("test weighted F1:", results["mean"]["weighted_f1"])

recognizer = Recognizer.load(folder / "run" / "seed-0")
(said,) = recognizer.recognize(Conversation("new", (Utterance("u0", text="You did it again!"),))).utterances
print(said.text, said.probabilities)
