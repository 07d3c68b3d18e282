"""Label a transcript in Python.

python examples/recognize_transcript.py [TRANSCRIPT] [MODEL]

TRANSCRIPT is anything ``moodline analyze`` reads; MODEL is a name of ``moodline models`` or a checkpoint directory.
"""

import sys
from importlib.resources import files
from pathlib import Path

from moodline import Recognizer, read_transcript

sample = Path(str(files("moodline") / "samples" / "support_call.srt"))
transcript = Path(sys.argv[1]) if len(sys.argv) > 1 else sample
model = sys.argv[2] if len(sys.argv) > 2 else "meld-text"

recognizer = Recognizer.load(model)  # load once, use for many conversations
for conversation in read_transcript(transcript):
    prediction = recognizer.recognize(conversation, abstain_below=0.4)
    for u in prediction.utterances:
        second = next(iter(list(u.probabilities)[1:]))
        doubt = f" (or {second})" if u.abstained else ""
        print(f"{u.speaker or 'unknown'}: {u.emotion} {u.confidence:.2f}{doubt}  {u.text}")
