"""``predictions.parquet``: what every seed of a run predicted for every test utterance, written and read back.

One row per seed and utterance: ``seed, conversation, utterance, label, predicted``, the mixture's probabilities
(``probability:LABEL``), and for each expert its label (``expert:NAME``), its gate weight (``weight:NAME``; 0 where its
modality is missing) and its probabilities (``probability:NAME:LABEL``), none of them calibrated; ``guide:NAME`` is how
much a part inside a model counted (EGMF's α). ``group`` is that of the conversation, where a corpus has groups
(``Corpus.groups``). No words of a corpus are in it, but its labels are.

Of a regression: ``label`` and ``predicted`` are numbers, as are the experts' (``expert:NAME``), and there are no
probabilities.

``moodline.format`` in the file's metadata is the version of this layout. Older files are read: those of version 1,
without that entry, call the probabilities ``score:LABEL`` and ``score:NAME:LABEL``, and the first ones have the first
five columns only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from moodline.core.answers import Answers
from moodline.core.conversation import Conversation
from moodline.core.errors import ConfigError
from moodline.core.files import replacing
from moodline.core.groups import ALONE, Groups
from moodline.core.labels import ValueScale
from moodline.evaluation.metrics import Floats, Ints
from moodline.evaluation.task import Task

NAME = "predictions.parquet"
COLUMNS = ("seed", "conversation", "utterance", "label", "predicted")
FORMAT = 2
PROBABILITY = {1: "score", 2: "probability"}
"""How the columns of probabilities begin, by the version of the file."""


@dataclass(frozen=True)
class Predictions:
    """The predictions of a run for its N labelled test utterances, S seeds, C classes.

    Args:
        labels: the class names; indices below count in their order.
        seeds: S seeds.
        conversations, utterances: N ids.
        truth: [N] true classes.
        predicted: [S, N] the mixture's classes.
        probabilities: [S, N, C] the mixture's probabilities; None in files of older versions.
        experts: expert name to [S, N] its classes; empty in files of older versions, like the next two.
        weights: expert name to [S, N] gate weights.
        expert_probabilities: expert name to [S, N, C] its probabilities.
        groups: N names of what is resampled together, as actors; none where conversations are.
        units: what is resampled, in the plural.
    """

    task: ClassVar[str] = "classes"

    labels: tuple[str, ...]
    seeds: tuple[int, ...]
    conversations: tuple[str, ...]
    utterances: tuple[str, ...]
    truth: Ints
    predicted: Ints
    probabilities: Floats | None = None
    experts: dict[str, Ints] = field(default_factory=dict)
    weights: dict[str, Floats] = field(default_factory=dict)
    expert_probabilities: dict[str, Floats] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    units: str = ALONE.name

    @property
    def clusters(self) -> Ints:
        """[N] the number of each utterance's group or conversation, in order of appearance."""
        return _clusters(self.groups or self.conversations)

    def of_seeds(self, seeds: Sequence[int]) -> Predictions:
        """Those of some of the seeds, in the order given."""
        kept = [self.seeds.index(s) for s in seeds]
        return replace(
            self,
            seeds=tuple(seeds),
            predicted=self.predicted[kept],
            probabilities=None if self.probabilities is None else self.probabilities[kept],
            experts={k: v[kept] for k, v in self.experts.items()},
            weights={k: v[kept] for k, v in self.weights.items()},
            expert_probabilities={k: v[kept] for k, v in self.expert_probabilities.items()},
        )


@dataclass(frozen=True)
class RegressionPredictions:
    """The predictions of a regression for its N test utterances that have a value, S seeds.

    Args:
        scale: of the values.
        seeds: S seeds.
        conversations, utterances: N ids.
        truth: [N] true values.
        predicted: [S, N] the mixture's.
        experts: expert name to [S, N] its values.
        weights: expert name to [S, N] gate weights.
        groups, units: as those of ``Predictions``.
    """

    task: ClassVar[str] = "scores"
    labels: ClassVar[tuple[str, ...]] = ()

    scale: ValueScale
    seeds: tuple[int, ...]
    conversations: tuple[str, ...]
    utterances: tuple[str, ...]
    truth: Floats
    predicted: Floats
    experts: dict[str, Floats]
    weights: dict[str, Floats]
    groups: tuple[str, ...] = ()
    units: str = ALONE.name

    @property
    def clusters(self) -> Ints:
        """[N] the number of each utterance's group or conversation, in order of appearance."""
        return _clusters(self.groups or self.conversations)

    def of_seeds(self, seeds: Sequence[int]) -> RegressionPredictions:
        """Those of some of the seeds, in the order given."""
        kept = [self.seeds.index(s) for s in seeds]
        return replace(
            self,
            seeds=tuple(seeds),
            predicted=self.predicted[kept],
            experts={k: v[kept] for k, v in self.experts.items()},
            weights={k: v[kept] for k, v in self.weights.items()},
        )


def _clusters(names: Iterable[str]) -> Ints:
    number: dict[str, int] = {}
    return np.array([number.setdefault(n, len(number)) for n in names], dtype=np.int64)


def write_predictions(
    run: Path,
    task: Task,
    seeds: Iterable[int],
    conversations: Sequence[Conversation],
    predictions: Sequence[Sequence[Answers]],
    groups: Groups = ALONE,
) -> None:
    """Write the file of a run.

    Args:
        run: the run's directory.
        task: with the label set, or the scale of the values.
        seeds: of the run.
        conversations: of the test split.
        predictions: for each seed the answers to them.
        groups: of the corpus.

    Raises:
        StorageError: the disk refused.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    parts: list[dict[str, Any]] = []
    for seed, answers in zip(seeds, predictions, strict=True):
        part = {
            "seed": [seed] * sum(len(c) for c in conversations),
            "conversation": [c.id for c in conversations for _ in c],
            "utterance": [u.id for c in conversations for u in c],
            "label": task.true_column(answers),
        }
        if groups.of:
            part["group"] = [g for c, g in zip(conversations, groups.each(conversations), strict=True) for _ in c]
        logits = np.concatenate([a.logits for a in answers])
        weights = np.concatenate([a.weights for a in answers])
        part |= task.columns("predicted", PROBABILITY[FORMAT], logits)
        for k, name in enumerate(answers[0].experts):
            own = np.concatenate([a.experts[name] for a in answers])
            part |= task.columns(f"expert:{name}", f"{PROBABILITY[FORMAT]}:{name}", own)
            part[f"weight:{name}"] = weights[:, k].astype(np.float32)
        for name in answers[0].guides:
            part[f"guide:{name}"] = np.concatenate([a.guides[name] for a in answers])
        parts.append(part)
    kinds = {
        name: pa.int64() if name == "seed" else pa.string() if isinstance(column[0], str) else pa.float32()
        for name, column in parts[0].items()
    }
    kinds["label"] = kinds["predicted"]  # its first row may be None
    key, content = task.metadata()
    told = {
        key: json.dumps(content),
        "moodline.format": str(FORMAT),
        "moodline.experts": json.dumps(list(predictions[0][0].experts)),
        "moodline.drawn": groups.name,
    }
    schema = pa.schema(list(kinds.items()), metadata=told)
    with replacing(run / NAME) as file:
        pq.write_table(pa.concat_tables(pa.table(part, schema=schema) for part in parts), file)


def read_any_predictions(run: Path) -> Predictions | RegressionPredictions:
    """Read the file of a run, of this version or an older one; utterances without a label or value are left out.

    Raises:
        ConfigError: no such run, no predictions, or not readable.
    """
    import pyarrow.parquet as pq

    path = run / NAME
    if not run.is_dir():
        raise ConfigError(f"{run}: no such run", fix="Give the --out directory of moodline train.")
    if not path.is_file():
        raise ConfigError(f"{run}: no {NAME}", fix="Run: moodline evaluate RUN.")
    try:
        table = pq.read_table(path)
        told = table.schema.metadata or {}
        version = int(told.get(b"moodline.format", b"1"))
        if version not in PROBABILITY:
            raise ValueError(f"format {version}, expected at most {FORMAT}")
        labels = json.loads(told.get(b"moodline.labels", b"[]"))
        scale = ValueScale(*json.loads(told[b"moodline.scale"])) if b"moodline.scale" in told else None
        experts = json.loads(told.get(b"moodline.experts", b"[]"))
        units = told.get(b"moodline.drawn", ALONE.name.encode()).decode()
        grouped = ("group",) if "group" in table.column_names else ()
        columns = {name: table[name].to_numpy() for name in COLUMNS + grouped}
        for name in experts:
            columns |= {f"{kind}:{name}": table[f"{kind}:{name}"].to_numpy() for kind in ("expert", "weight")}
        for voice in ([], *([name] for name in experts)):
            for label in labels:
                column = table[":".join([PROBABILITY[version], *voice, label])]
                columns[":".join([PROBABILITY[FORMAT], *voice, label])] = column.to_numpy()
    except (OSError, ValueError, KeyError) as error:  # pyarrow's own errors are of these
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"{path}: not readable predictions", reason[:120], "Run: moodline evaluate --again."
        ) from None
    found = _values_arranged(path, columns, scale, experts) if scale else _arranged(path, columns, labels, experts)
    return replace(found, units=units)


def read_guides(run: Path) -> tuple[list[Any], dict[str, NDArray[np.float32]]]:
    """How much the parts inside a model counted, for every row of the file, all seeds.

    Returns:
        The true label or value of each row (None where there is none), and name to [rows]; empty for most models.

    Raises:
        ConfigError: not readable.
    """
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(run / NAME)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{run}: no readable {NAME}", fix="Run: moodline evaluate RUN.") from error
    names = [c.partition(":")[2] for c in table.column_names if c.startswith("guide:")]
    return table["label"].to_pylist(), {n: table[f"guide:{n}"].to_numpy() for n in names}


def _by_seed(path: Path, columns: dict[str, Any], known: NDArray[np.bool_]) -> tuple[dict[str, Any], Ints, list[int]]:
    """The columns where the truth is known; the places [S, N] of each seed's rows in them; the seeds."""
    columns = {name: values[known] for name, values in columns.items()}
    seeds = sorted(set(columns["seed"].tolist()))
    rows = [np.flatnonzero(columns["seed"] == s) for s in seeds]
    whole = bool(rows) and all(len(r) == len(rows[0]) for r in rows)
    if not whole or any((columns["utterance"][r] != columns["utterance"][rows[0]]).any() for r in rows):
        raise ConfigError(f"{path}: expected the same labelled utterances for every seed", f"{int(known.sum())} rows")
    return columns, np.stack(rows), [int(s) for s in seeds]


def _names(columns: dict[str, Any], order: Ints) -> tuple[str, ...]:
    """The group of each utterance; none in most files."""
    return tuple(columns["group"][order[0]].tolist()) if "group" in columns else ()


def _values_arranged(
    path: Path, columns: dict[str, Any], scale: ValueScale, experts: list[str]
) -> RegressionPredictions:
    """The columns by seed, of a regression."""
    truth = columns["label"].astype(np.float64)
    columns, order, seeds = _by_seed(path, columns, ~np.isnan(truth))

    def numbers(column: str) -> Floats:
        return np.asarray(columns[column][order], dtype=np.float64)

    return RegressionPredictions(
        scale=scale,
        seeds=tuple(seeds),
        conversations=tuple(columns["conversation"][order[0]].tolist()),
        utterances=tuple(columns["utterance"][order[0]].tolist()),
        truth=numbers("label")[0],
        predicted=numbers("predicted"),
        groups=_names(columns, order),
        experts={e: numbers(f"expert:{e}") for e in experts},
        weights={e: numbers(f"weight:{e}") for e in experts},
    )


def _arranged(path: Path, columns: dict[str, Any], labels: list[str], experts: list[str]) -> Predictions:
    """The columns by seed."""
    columns, order, seeds = _by_seed(path, columns, np.array([y is not None for y in columns["label"]], dtype=bool))
    names = tuple(labels) or tuple(sorted({*columns["label"], *columns["predicted"]}))
    index = {name: i for i, name in enumerate(names)}

    def classes(column: str) -> Ints:
        return np.array([index[x] for x in columns[column]], dtype=np.int64)[order]

    def probabilities(*expert: str) -> Floats:
        kept = [columns[":".join([PROBABILITY[FORMAT], *expert, n])][order] for n in names]
        return np.stack(kept, axis=-1).astype(np.float64)

    return Predictions(
        labels=names,
        seeds=tuple(seeds),
        conversations=tuple(columns["conversation"][order[0]].tolist()),
        utterances=tuple(columns["utterance"][order[0]].tolist()),
        truth=classes("label")[0],
        predicted=classes("predicted"),
        groups=_names(columns, order),
        probabilities=probabilities() if labels else None,
        experts={e: classes(f"expert:{e}") for e in experts},
        weights={e: columns[f"weight:{e}"][order].astype(np.float64) for e in experts},
        expert_probabilities={e: probabilities(e) for e in experts},
    )
