"""Fine-tuning an encoder on single utterances (stage 1 of MiSTER-E): all that a caller needs, under one name.

backbone = load_backbone(spec)
model = UtteranceClassifier(backbone, len(labels), config)
train = make_examples(conversations, labels, backbone)
fit(model, train, dev, Collate(backbone, config.crop_seconds), parameters=parameter_groups(model, config), …)
save_finetuned(model, directory, labels)
encoder = load_finetuned(directory)
"""

from __future__ import annotations

from moodline.encoders.finetuning.classifier import (
    Collate,
    Example,
    UtteranceBatch,
    UtteranceClassifier,
    UtteranceHead,
    make_examples,
    parameter_groups,
)
from moodline.encoders.finetuning.saved import FinetunedEncoder, load_finetuned, save_finetuned
from moodline.encoders.settings import FinetuneConfig

__all__ = [
    "Collate",
    "Example",
    "FinetuneConfig",
    "FinetunedEncoder",
    "UtteranceBatch",
    "UtteranceClassifier",
    "UtteranceHead",
    "load_finetuned",
    "make_examples",
    "parameter_groups",
    "save_finetuned",
]
