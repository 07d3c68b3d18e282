"""Model cards, written beside every checkpoint from what is known of it."""

from __future__ import annotations

from typing import Any

from moodline import __version__
from moodline.corpora.base import Corpus
from moodline.evaluation.tasks import task_of
from moodline.pipeline.examples import target_of
from moodline.pipeline.recipe import ModalitySpec, Recipe
from moodline.pipeline.recipe_changes import changed_settings, recipe_title, settings_hash

_CARD = """# {name}, {which}

{description}

| | |
|---|---|
| model | {model} |
| recipe | {recipe} |
| settings | SHA-256 {settings} |
| {kind} | {answers} |
| trained on | {corpus}: {train} conversations; chosen on {dev} dev conversations ({judge}) |
| reads | {modalities} |
{numbers}
| made with | Moodline {version} |

Use it: `moodline analyze talk.json --model DIRECTORY`, or `Recognizer.load("DIRECTORY")` in Python.

## Limits

- It saw {corpus} only. Expect lower quality on other kinds of conversation, and check on your own before relying on it.
- It says how an utterance comes across to annotators, not what a person feels.
- {calibration}
- Do not use it to judge, rank, hire, grade, police or medically assess people.
- The corpus's own terms apply to the weights.
"""


def model_card(recipe: Recipe, corpus: Corpus, metrics: dict[str, Any], calibration: dict[str, Any], which: str) -> str:
    """The text of a checkpoint's README.md.

    Args:
        recipe: what was trained.
        corpus: its training view.
        metrics: with ``dev`` numbers.
        calibration: see ``evaluation/calibration.py``.
        which: of the recipe's models, e.g. ``seed 0``.
    """
    task = task_of(target_of(recipe, corpus))
    return _CARD.format(
        name=recipe.name,
        which=which,
        description=recipe.description,
        model=recipe.model["name"],
        recipe=_recipe(recipe),
        settings=settings_hash(recipe)[:12],
        kind=task.key,
        answers=task.answers,
        judge=task.headline.name,
        corpus=corpus.name,
        train=len(corpus.splits["train"]),
        dev=len(corpus.splits["dev"]),
        modalities="; ".join(f"{m}: {_source(spec)}" for m, spec in recipe.modalities.items()),
        numbers="\n".join(f"| {name} | {value} |" for name, value in task.card_rows(metrics["dev"], calibration)),
        calibration=task.caveat,
        version=__version__,
    )


def _recipe(recipe: Recipe) -> str:
    """The recipe's name, and what differs from the packaged one of that name."""
    changes = changed_settings(recipe)
    if not changes:
        return f"`{recipe.name}`"
    return f"`{recipe.name}`{recipe_title('', changes)}: {', '.join(f'`{name}`' for name in changes)}"


def _source(spec: ModalitySpec) -> str:
    relative = ", relative to the speaker's other utterances" if spec.normalize == "speaker" else ""
    if spec.encoder is None:
        return f"the corpus's feature set '{spec.features}'{relative}"
    tuned = ", fine-tuned on the corpus" if spec.finetune else ", frozen"
    return f"encoder {spec.encoder.name}{tuned}{relative}"
