"""From a recipe, a corpus and features to examples: which split, which target, which features."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from moodline.core.conversation import Conversation
from moodline.core.errors import ConfigError
from moodline.core.labels import Target
from moodline.corpora.base import Corpus
from moodline.evaluation.tasks import TASKS, any_target, task_of
from moodline.pipeline.features import FeatureMap
from moodline.pipeline.recipe import Recipe
from moodline.training.data import ConversationExample, make_example


def training_view(corpus: Corpus) -> Corpus:
    """The corpus without its test split: what training gets to see, features included.

    Raises:
        ConfigError: there is no train or no dev split.
    """
    splits = {s: corpus.splits.get(s, ()) for s in ("train", "dev")}
    empty = [s for s, conversations in splits.items() if not conversations]
    if empty:
        raise ConfigError(
            f"{corpus.name}: training needs the splits train and dev",
            f"no {' and no '.join(empty)}",
            "Give all splits.",
        )
    hidden = {u.id for c in corpus.splits.get("test", ()) for u in c}
    features = {name: {k: v for k, v in rows.items() if k not in hidden} for name, rows in corpus.features.items()}
    return replace(corpus, splits=splits, features=features)


def target_of(recipe: Recipe, corpus: Corpus) -> Target:
    """What a recipe's models learn of a corpus: its classes, or its values.

    Raises:
        ConfigError: the corpus has none.
    """
    target = TASKS[recipe.task].target_of(corpus.labels, corpus.scale)
    conversations = (c for split in corpus.splits.values() for c in split)
    if target is None or not any_target(task_of(target), conversations):
        raise ConfigError(
            f"{recipe.name}: its task is {recipe.task}, and the files of {corpus.name} bring none",
            fix="Give files that have some (for scores: MMSA pickles), or train a recipe of the other task.",
        )
    return target


def make_examples(
    conversations: Iterable[Conversation],
    features: Mapping[str, FeatureMap],
    dims: Mapping[str, int],
    target: Target | None,
    reads: Mapping[str, str] | None = None,
) -> list[ConversationExample]:
    """Examples of many conversations; see ``training.data.make_example``. ``reads`` is the model's."""
    return [make_example(c, features, dims, target, reads) for c in conversations]


def coverage(conversations: Sequence[Conversation], features: FeatureMap) -> float:
    """Share of utterances that have a modality."""
    ids = [u.id for c in conversations for u in c]
    return sum(i in features for i in ids) / max(len(ids), 1)
